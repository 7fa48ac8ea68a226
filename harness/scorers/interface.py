"""What a scorer is: it looks at one expectation and at what happened, and says how well they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.cost.prices import token_cost
from harness.judge.gating import NOTHING_JUDGED, Judging
from harness.results import Score
from harness.suite.records import AssistantFile, Conversation
from harness.trace.costs import TokenPrice
from harness.trace.records import Trace, TurnTrace


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation to be scored.

    Attributes:
        key: The key of ``Expect`` it comes from, for example ``grounded``.
        value: What the suite file says, as its record.
        turn: Index of the turn from 0; None for the conversation's own expectations.
        requires: Keys of the same block that must pass first.
    """

    key: str
    value: Any
    turn: int | None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a scorer may look at: the script, the assistant as configured, and the trace.

    Attributes:
        conversation: The script.
        assistant: The assistant as its file describes it.
        trace: What happened.
        cost: The price of a model's usage; the list price unless the caller has its own.
        judging: What judges were asked, and how far they agree with people.
        documents: The assistant's knowledge files.
    """

    conversation: Conversation
    assistant: AssistantFile
    trace: Trace
    cost: TokenPrice = token_cost
    judging: Judging = NOTHING_JUDGED
    documents: tuple[Path, ...] = ()

    def turns(self, check: Check) -> Sequence[TurnTrace]:
        """The turns a check is about: its own one, or all of them."""
        return self.trace.turns if check.turn is None else self.trace.turns[check.turn : check.turn + 1]

    def turns_so_far(self, check: Check) -> Sequence[TurnTrace]:
        """The turns up to and with the one a check is about: what the assistant had seen by then."""
        return self.trace.turns if check.turn is None else self.trace.turns[: check.turn + 1]

    def answer(self, check: Check) -> str:
        """All the assistant said in the turns of this check."""
        return "\n\n".join(turn.answer for turn in self.turns(check) if turn.answer)


@dataclass(frozen=True, slots=True)
class View:
    """What a scorer of an installed package is given: one turn, or the whole conversation.

    Attributes:
        check: The expectation it is asked about.
        scene: The script, the assistant, and all that happened.
    """

    check: Check
    scene: Scene

    @property
    def answer(self) -> str:
        """All the assistant said."""
        return self.scene.answer(self.check)

    @property
    def user(self) -> str:
        """All the user said."""
        return "\n\n".join(turn.user.text for turn in self.turns)

    @property
    def turns(self) -> Sequence[TurnTrace]:
        """What happened: one turn, or all of them."""
        return self.scene.turns(self.check)

    @property
    def turns_so_far(self) -> Sequence[TurnTrace]:
        """The same with the turns before it."""
        return self.scene.turns_so_far(self.check)

    @property
    def conversation(self) -> Conversation:
        """The script."""
        return self.scene.conversation

    @property
    def assistant(self) -> AssistantFile:
        """The assistant as its file describes it."""
        return self.scene.assistant


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a scorer of an installed package says.

    Attributes:
        passed: Whether the expectation is met; None when there is nothing to say, or no limit.
        value: True or false, a number or a label; what ``passed`` says when left out.
        reason: One sentence a reader can act on; given whenever it is not met.
        evidence: What it rests on, plain JSON.
        part: Of several judgements of one scorer, which this is.
    """

    passed: bool | None
    value: bool | float | str | None = None
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""


def scored(
    check: Check,
    scorer: str,
    value: bool | float | str | None,
    passed: bool | None,
    reason: str,
    /,
    *,
    part: str = "",
    **evidence: Any,
) -> Score:
    """A score of a check, or of one part of it (``KEY.PART``); the reason stays out of what passed."""
    return Score(
        check=f"{check.key}.{part}" if part else check.key,
        scorer=scorer,
        turn=check.turn,
        value=value,
        passed=passed,
        reason="" if passed else reason,
        evidence=evidence,
    )


def unscored(check: Check, scorer: str, reason: str, /, *, part: str = "", **evidence: Any) -> Score:
    """A score without a value: why there is none, and what else is known."""
    return scored(check, scorer, None, None, reason, part=part, **evidence)


class Scorer(Protocol):
    """Scores the expectations whose keys it names; deterministic, no requests, no printing."""

    @property
    def name(self) -> str:
        """As shown in reports."""
        ...

    @property
    def keys(self) -> frozenset[str]:
        """The keys of ``Expect`` it answers."""
        ...

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score, or one for each part of the expectation.

        What can't be scored comes back with ``value=None`` and the reason, never as an exception.

        Raises:
            ScorerError: The scorer itself can't work (a plugin without its model file); becomes a score
                without a value.
        """
        ...
