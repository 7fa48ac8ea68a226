"""What a scorer is: it looks at one expectation and at what happened, and says how well they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.cost.prices import token_cost
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
        documents: The assistant's knowledge files.
    """

    conversation: Conversation
    assistant: AssistantFile
    trace: Trace
    cost: TokenPrice = token_cost
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
