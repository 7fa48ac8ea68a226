"""Hand-overs of a whole suite run: how often they were right, with what certainty, and what errors cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from harness.results import Score
from harness.scorers.handover_findings import KINDS
from harness.suite.escalation import EscalationCosts

_Z = 1.959963984540054  # of a two-sided 95 % interval
_ALPHA = 0.05
_SCORER = "escalation"


class Interval(NamedTuple):
    """The ends of an interval of shares, 0 to 1."""

    low: float
    high: float


def wilson(right: int, total: int) -> Interval | None:
    """The 95 % score interval of a share (Wilson 1927, JASA 22:209); None of nothing."""
    if not total:
        return None
    rate, z2 = right / total, _Z * _Z
    middle = (rate + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z * math.sqrt(rate * (1 - rate) / total + z2 / (4 * total * total)) / (1 + z2 / total)
    return Interval(
        max(0.0, middle - half) if right else 0.0, min(1.0, middle + half) if right < total else 1.0
    )


def most_missed(total: int) -> float | None:
    """The share that may be missed although none of ``total`` was: exact one-sided 95 % (Clopper-Pearson)."""
    return 1 - _ALPHA ** (1 / total) if total else None


class ConfusionMatrix(msgspec.Struct, frozen=True):
    """Expected against observed hand-overs: right ones, false alarms, missed ones, rightly none.

    Expectations that leave it open (``may``) count among the errors, and not here.

    Attributes:
        tp: Expected and observed.
        fp: Observed, not expected: false alarms.
        fn: Expected, not observed: missed (or late).
        tn: Neither.
        errors: How often expectations were not met, by kind of error.
        noted: How often the same was seen where the suite does not mind.
        points: What the errors cost, by kind.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0
    errors: Mapping[str, int] = msgspec.field(default_factory=dict)
    noted: Mapping[str, int] = msgspec.field(default_factory=dict)
    points: Mapping[str, float] = msgspec.field(default_factory=dict)

    @property
    def precision(self) -> float | None:
        """Share of the observed hand-overs that were right; None when there were none."""
        observed = self.tp + self.fp
        return self.tp / observed if observed else None

    @property
    def recall(self) -> float | None:
        """Share of the expected hand-overs that were made; None when none was expected."""
        expected = self.tp + self.fn
        return self.tp / expected if expected else None

    @property
    def precision_interval(self) -> Interval | None:
        """95 % interval of the precision."""
        return wilson(self.tp, self.tp + self.fp)

    @property
    def recall_interval(self) -> Interval | None:
        """95 % interval of the recall."""
        return wilson(self.tp, self.tp + self.fn)

    @property
    def missed_at_most(self) -> float | None:
        """When none was missed: the share that may be missed all the same, with 95 % certainty."""
        return None if self.fn else most_missed(self.tp)

    @property
    def total(self) -> int:
        """How many expectations were judged."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def cost(self) -> float:
        """What all errors cost together, in the suite's points."""
        return sum(self.points.values())

    def as_json(self) -> dict[str, Any]:
        """Everything here as plain JSON, for programs."""
        return {
            "right": self.tp,
            "missed": self.fn,
            "false_alarms": self.fp,
            "rightly_none": self.tn,
            "precision": self.precision,
            "precision_interval": self.precision_interval,
            "recall": self.recall,
            "recall_interval": self.recall_interval,
            "missed_at_most": self.missed_at_most,
            "errors": dict(self.errors),
            "noted": dict(self.noted),
            "points": dict(self.points),
            "cost": self.cost,
        }


class ErrorSeen(NamedTuple):
    """One error of a judged expectation."""

    kind: str
    fails: bool
    cost: float


def errors_in(score: Score) -> Iterator[ErrorSeen]:
    """The errors that a score of the escalation scorer tells of; of an older score its label."""
    told = score.evidence.get("findings")
    if told is None:
        if score.passed is False and score.value in KINDS:
            yield ErrorSeen(str(score.value), True, EscalationCosts().of(str(score.value)))
        return
    for one in told:
        yield ErrorSeen(one["kind"], bool(one["fails"]), float(one["cost"]))


class HandOvers(msgspec.Struct):
    """Hand-overs counted over the scores of many trials."""

    outcomes: Counter[tuple[bool, bool]] = msgspec.field(default_factory=Counter)
    errors: Counter[str] = msgspec.field(default_factory=Counter)
    noted: Counter[str] = msgspec.field(default_factory=Counter)
    points: dict[str, float] = msgspec.field(default_factory=dict)
    judged: int = 0

    def take_all(self, scores: Iterable[Score]) -> None:
        """Count what the escalation scorer says among the scores of a trial."""
        for score in scores:
            if score.scorer == _SCORER:
                self.take(score)

    def take(self, score: Score) -> None:
        """Count one more score of the escalation scorer; without a value it tells nothing."""
        if score.value is None or "expected" not in score.evidence:
            return
        self.judged += 1
        expected = score.evidence["expected"]
        if expected is not None:
            self.outcomes[bool(expected), bool(score.evidence.get("observed"))] += 1
        for error in errors_in(score):
            (self.errors if error.fails else self.noted)[error.kind] += 1
            if error.fails:
                self.points[error.kind] = self.points.get(error.kind, 0.0) + error.cost

    def matrix(self) -> ConfusionMatrix | None:
        """What was counted; None when no expectation was about hand-overs."""
        if not self.judged:
            return None
        counts = self.outcomes
        return ConfusionMatrix(
            tp=counts[True, True],
            fp=counts[False, True],
            fn=counts[True, False],
            tn=counts[False, False],
            errors=_in_order(self.errors),
            noted=_in_order(self.noted),
            points={kind: self.points[kind] for kind in KINDS if kind in self.points},
        )


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {kind: counts[kind] for kind in KINDS if counts.get(kind)}
