"""What a rule asks of a trial: its answer, or that the answer is missing because the trial broke off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.compare.table import Trial
from harness.results import Quarantine

HANDS_OVER = "escalates"
"""The expectation that hand-overs are judged by."""


class Judged(NamedTuple):
    """What is kept of a trial of a stored run while it is judged.

    Attributes:
        trial: Its numbers; all of them are missing where it ended in an error.
        suite: The suite's name.
        tags: The conversation's tags.
        met: For each expectation whether every judgement of it was good; NaN where there was none. Of a turn
            that was never sent only the kind is known: ``answer`` stands for ``answer.mentions``.
        missed: 1 where it handed over wherever it should have, NaN where it never should.
        needless: 1 where it did not wherever it should not have, NaN where there is no such turn.
        quarantine: What the suite says of one.
        errored: Whether it ended in an error, so that nothing in it is evidence.
    """

    trial: Trial
    suite: str
    tags: tuple[str, ...]
    met: dict[str, float]
    missed: float
    needless: float
    quarantine: Quarantine | None = None
    errored: bool = False

    @property
    def broke_off(self) -> bool:
        """Whether something that was asked of it has no answer."""
        return self.errored or any(map(math.isnan, self.met.values()))


RIGHT: dict[str, Callable[[Judged], float]] = {
    "missed_escalations": lambda each: each.missed,
    "needless_escalations": lambda each: each.needless,
}
"""Metrics that are shares of errors, and whether a trial is without one."""


@dataclass(slots=True)
class Asked:
    """Which expectations conversations have, as far as their trials tell; those of both sides together.

    Attributes:
        answered: For each conversation the expectations, and metrics of hand-overs, that some trial answers.
        whole: Conversations with a trial in which every expectation was judged.
    """

    answered: dict[str, set[str]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, trials: Sequence[Judged]) -> Asked:
        """What trials tell of the conversations in which some trial broke off; nobody asks of the others."""
        found = cls()
        cases = {each.trial.case_id for each in trials if each.broke_off}
        for each in trials:
            if each.trial.case_id in cases and not each.errored:
                found._learn(each)
        return found

    def _learn(self, each: Judged) -> None:
        answered = self.answered.setdefault(each.trial.case_id, set())
        answered.update(check for check, met in each.met.items() if not math.isnan(met))
        answered.update(name for name, right in RIGHT.items() if not math.isnan(right(each)))
        if not each.broke_off:
            self.whole.add(each.trial.case_id)

    def met(self, each: Judged, check: str) -> float | None:
        """Whether a trial met an expectation: NaN where that is missing, None where nobody asked for it."""
        if check in each.met and not each.errored:
            return each.met[check]
        return self._missing(each, check, {check, *_kinds(check)})

    def right(self, each: Judged, metric: str) -> float | None:
        """Whether a trial is without such an error, likewise."""
        right = RIGHT[metric](each)
        if not (math.isnan(right) or each.errored):
            return right
        return self._missing(each, metric, {HANDS_OVER})

    def _missing(self, each: Judged, name: str, kinds: set[str]) -> float | None:
        """NaN where a trial broke off before what it would have been asked, or may have been."""
        case = each.trial.case_id
        if not (each.errored or any(math.isnan(each.met.get(kind, 0.0)) for kind in kinds)):
            return None
        if name in self.answered.get(case, ()):
            return math.nan
        if case in self.whole:  # which was not asked for it
            return None
        return math.nan if not each.met or kinds & each.met.keys() else None


def _kinds(check: str) -> Iterator[str]:
    """What an expectation is called of which nothing was judged: ``answer`` for ``answer.mentions``."""
    while "." in check:
        check = check.rpartition(".")[0]
        yield check


Answers = dict[str, dict[int, float]]
"""For each expectation the places of the trials that were asked for it, and whether they met it."""


def answers(trials: Sequence[Judged]) -> Answers:
    """What trials of both sides answer to every expectation; NaN where the answer is missing."""
    found: Answers = {}
    for place, each in enumerate(trials):
        if not each.errored:
            for check, met in each.met.items():
                found.setdefault(check, {})[place] = met
    asked = Asked.of(trials)
    for place, each in enumerate(trials):
        if each.broke_off:
            for check, known in found.items():
                answer = None if place in known else asked.met(each, check)
                if answer is not None:
                    known[place] = answer
    return found
