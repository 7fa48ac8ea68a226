"""All that is known of two variants side by side: the numbers, what changed in them, and what was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.compare.difference import Differences, Seen
from harness.compare.quarantine import Quarantines
from harness.compare.sequential import Look
from harness.compare.transcripts import TranscriptPair
from harness.compare.versions import Change
from harness.results import SuiteRun


@dataclass(frozen=True, slots=True)
class Side:
    """One variant of a stored run.

    Attributes:
        run: The run.
        variant: The variant's name.
        seen: Its trials.
        fingerprints: Of the assistant's content, as far as trials tell: one, unless suites have their own.
        replayed: How many trials were answered from a recording.
    """

    run: SuiteRun
    variant: str
    seen: tuple[Seen, ...]
    fingerprints: tuple[str, ...]
    replayed: int

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "run": self.run.id,
            "variant": self.variant,
            "target": self.run.target,
            "fingerprints": list(self.fingerprints),
            "trials": len(self.seen),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two variants side by side.

    Attributes:
        baseline: What was.
        candidate: What may come.
        found: The numbers.
        changes: What differs in instructions, tools, model and documents; None where a run does not say.
        transcripts: Conversations that got worse, both ways, turn by turn.
        notes: What limits this comparison, in sentences.
        quarantines: Conversations that were left out of it, and what counts again.
        looks: Of a run that went on until it was decided: every look, the last one deciding.
    """

    baseline: Side
    candidate: Side
    found: Differences
    changes: tuple[Change, ...] | None
    transcripts: tuple[TranscriptPair, ...]
    notes: tuple[str, ...] = ()
    quarantines: Quarantines = field(default_factory=Quarantines)
    looks: tuple[Look, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        changed = self.changes
        return {
            "verdict": self.found.overall.opinion,
            "looks": [each.as_json() for each in self.looks],
            "baseline": self.baseline.as_json(),
            "candidate": self.candidate.as_json(),
            "notes": list(self.notes),
            "quarantine": self.quarantines.as_json(),
            **self.found.as_json(),
            "changes": None if changed is None else [each.as_json() for each in changed],
            "transcripts": [each.as_json() for each in self.transcripts],
        }
