"""The same conversation under two variants, turn by turn, with what differs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from itertools import zip_longest
from typing import Any

from harness.results import Score, TrialResult
from harness.text import sentences
from harness.trace.records import TurnTrace


@dataclass(frozen=True, slots=True)
class Said:
    """What one turn brought under one variant.

    Attributes:
        answer: All that the assistant said.
        status: How the run ended.
        calls: Function calls, with their arguments.
        found: Files in which file_search found something, the best first.
        cites: Files that the answer cites.
        failed: Expectations that were not met, each with its reason.
    """

    answer: str
    status: str
    calls: tuple[str, ...]
    found: tuple[str, ...]
    cites: tuple[str, ...]
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TurnPair:
    """One turn under both variants.

    Attributes:
        user: What the user said; of the candidate's turn where the baseline had none.
        baseline: None where the conversation had ended already.
        candidate: Likewise.
        differs: Names of what differs.
        answers: The sentences of both answers: ``- `` only the baseline said, ``+ `` only the candidate,
            two spaces both.
    """

    user: str
    baseline: Said | None
    candidate: Said | None
    differs: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TranscriptPair:
    """One conversation under both variants.

    Attributes:
        case_id: ``suite/conversation``.
        baseline: The trial that is shown: the first that passed, if any did.
        candidate: The first that failed, if any did.
        turns: In order.
        failed: Expectations of the whole conversation that the candidate does not meet.
    """

    case_id: str
    baseline: str
    candidate: str
    turns: tuple[TurnPair, ...]
    failed: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def better_example(one: TrialResult | None, other: TrialResult, outcome: str) -> TrialResult:
    """Of two trials the one to show: that with the outcome, then the earlier repeat."""
    if one is None:
        return other
    return min(one, other, key=lambda each: (each.outcome != outcome, each.repeat))


def transcripts(case_id: str, before: TrialResult, after: TrialResult) -> TranscriptPair:
    """Both trials of a conversation side by side."""
    sides = _turns(before), _turns(after)
    turns = [
        _turn(b, c, _said(before, b, place), _said(after, c, place))
        for place, (b, c) in enumerate(zip_longest(*sides))
    ]
    return TranscriptPair(case_id, before.trial_id, after.trial_id, tuple(turns), _failed(after.scores, None))


def _turns(result: TrialResult) -> tuple[TurnTrace, ...]:
    return result.trace.turns if result.trace else ()


def _turn(
    before: TurnTrace | None, after: TurnTrace | None, baseline: Said | None, candidate: Said | None
) -> TurnPair:
    users = [turn.user.text for turn in (before, after) if turn]
    differs = ["user"] if len(set(users)) > 1 else []
    if baseline and candidate:
        differs += [
            each.name
            for each in fields(Said)
            if getattr(baseline, each.name) != getattr(candidate, each.name)
        ]
    else:
        differs.append("turn")
    answers = _both_answers(*(side.answer if side else "" for side in (baseline, candidate)))
    return TurnPair(users[0], baseline, candidate, tuple(differs), answers)


def _said(result: TrialResult, turn: TurnTrace | None, place: int) -> Said | None:
    if turn is None:
        return None
    calls = [f"{call.name}({call.arguments})" for call in turn.tool_calls if call.type == "function"]
    found = dict.fromkeys(each.filename for each in turn.search_results)
    cites = dict.fromkeys(each.filename or each.file_id for each in turn.citations)
    failed = _failed(result.scores, place)
    return Said(turn.answer, turn.status, tuple(calls), tuple(found), tuple(cites), failed)


def _failed(scores: Iterable[Score], turn: int | None) -> tuple[str, ...]:
    return tuple(
        f"{score.check}: {score.reason}" for score in scores if score.turn == turn and score.passed is False
    )


def _both_answers(before: str, after: str) -> tuple[str, ...]:
    lines = difflib.ndiff(_sentences(before), _sentences(after), charjunk=None)
    return tuple(line for line in lines if not line.startswith("?"))


def _sentences(text: str) -> list[str]:
    return [" ".join(sentence.text.split()) for sentence in sentences(text)]
