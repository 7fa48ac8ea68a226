"""The gate's rule: pass needs proof that nothing got worse, fail needs proof that something did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.compare.pairs import Pairs
from harness.errors import SettingsError
from harness.stats.arms import Arms, Vector, counts, row_means, row_sums, within_case_variance
from harness.stats.bounds import Bounds, difference_bounds, lowest_partly_mended, lowest_without_failures
from harness.stats.cases import CaseTests, can_single_out, case_tests, flaky, suspects, worse_cases
from harness.stats.evidence import evidence_of_drop, lasting_bounds
from harness.stats.exchange import exchange_test, relabelling_p
from harness.stats.intervals import z_quantile
from harness.stats.planning import POWER, USUAL_VARIANCE, smallest_drop, trials_to_pass
from harness.stats.ratios import positive, ratio

Word = Literal["pass", "fail", "inconclusive"]
_CONFIDENCE = 0.95
_MOST_MISSING = 0.10
_OF_ALPHA_FOR_CASES = 0.25
_FEW_CASES = 12
_TOLERANCE = 1e-12
RATIOS = ("cost_usd", "latency_s")


@dataclass(frozen=True, slots=True)
class Question:
    """What a gate asks.

    Attributes:
        metric: ``passed``, ``score``, ``cost_usd`` or ``latency_s``.
        margin: The drop (of costs and latencies: the relative rise) from which on the candidate is not
            wanted.
        alpha: How often a gate may fail when nothing changed.
        confidence: Of each bound.
        lasting: Whether it may be asked again after every pass: p and bounds then hold at all looks together.
    """

    metric: str = "passed"
    margin: float = 0.05
    alpha: float = 0.05
    confidence: float = _CONFIDENCE
    lasting: bool = False

    def __post_init__(self) -> None:
        for name, value, most in (("margin", self.margin, 1.0), ("alpha", self.alpha, 0.5)):
            if not 0 < value < most:
                raise SettingsError(
                    f"--{name} {value:g} is not between 0 and {most:g}", hint=f"Usual is --{name} 0.05."
                )


@dataclass(frozen=True, slots=True)
class CaseCount:
    """One case that a verdict names: its passed trials under both variants, and its own p of "worse"."""

    case_id: str
    baseline: str
    candidate: str
    p: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says, and why.

    Attributes:
        verdict: ``pass``, ``fail`` or ``inconclusive``.
        question: What was asked.
        delta: Candidate minus baseline; of costs and latencies the relative change. None without pairs.
        delta_low: Lower bound, one-sided 95 %.
        delta_high: Upper bound, one-sided 95 %.
        p: One-sided p of "worse" over the whole suite.
        alpha_suite: The level that it is held against: a part of alpha is kept for single cases where trials
            suffice.
        mde80: The smallest drop (or rise) found with 80 % power.
        unit: What is exchanged: ``case`` or ``cluster``.
        reasons: Sentences, the deciding one first.
        regressions: Cases that got worse, by their own trials.
        flaky: Cases with both outcomes among the trials of one variant.
        missing: Cases without a value of the candidate.
        new: Cases without a value of the baseline.
        changed: Cases tried once that passed and fail now: unconfirmed.
        counts: Details of the cases named.
        cases: How many were compared.
        clusters: In how many clusters.
        baseline: Mean of the baseline.
        candidate: Mean of the candidate.
        method: How the bounds were made.
    """

    verdict: Word
    question: Question
    delta: float | None = None
    delta_low: float | None = None
    delta_high: float | None = None
    p: float | None = None
    alpha_suite: float = 0.05
    mde80: float | None = None
    unit: str = "case"
    reasons: tuple[str, ...] = ()
    regressions: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    counts: tuple[CaseCount, ...] = ()
    cases: int = 0
    clusters: int = 0
    baseline: float | None = None
    candidate: float | None = None
    method: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; what is not known is null."""
        fields = {name: getattr(self, name) for name in _JSON_FIELDS}
        asked = {"metric": self.question.metric, "margin": self.question.margin, "alpha": self.question.alpha}
        details = [{name: getattr(each, name) for name in CaseCount.__slots__} for each in self.counts]
        return {name: _plain(value) for name, value in {**fields, **asked, "counts": details}.items()}


_JSON_FIELDS = (
    "verdict delta delta_low delta_high p alpha_suite mde80 unit reasons regressions flaky missing new "
    "changed cases clusters baseline candidate method"
).split()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def judge(pairs: Pairs, question: Question) -> Verdict:
    """The verdict on a candidate.

    In this order: nothing comparable or too much missing is never a pass; a single case proven broken fails;
    the lower bound above -margin passes; the suite proven worse fails; anything else is inconclusive.

    Args:
        pairs: The cases of both variants, for the metric that is asked about.
        question: Metric, margin and level.
    """
    if not pairs.both.cases:
        reason = f"no case has a value of {question.metric} under both variants, so nothing was compared"
        reasons = (reason, *data_gaps(pairs))
        return Verdict("inconclusive", question, reasons=reasons, missing=pairs.missing, new=pairs.new)
    if question.metric in RATIOS:
        return _ratio_so_far(pairs, question) if question.lasting else _judge_ratio(pairs, question)
    return _Judging(pairs, question).verdict()


def data_gaps(pairs: Pairs) -> list[str]:
    """Why no proof can rest on these data, if so."""
    found = []
    if pairs.missing:
        found.append(f"{_cases(pairs.missing)} of the baseline without a trial of the candidate: no pass")
    for name, share in (("baseline", pairs.missing_baseline), ("candidate", pairs.missing_candidate)):
        if share > _MOST_MISSING + _TOLERANCE:
            found.append(f"{share:.0%} of the {name}'s trials are missing, more than 10 %: no pass")
    return found


def _cases(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
    return f"{len(ids)} case{'' if len(ids) == 1 else 's'} ({shown})"


@dataclass(slots=True)
class _Judging:
    """A pass rate or a score on its way to a verdict."""

    pairs: Pairs
    question: Question
    both: Arms = field(init=False)
    bounds: Bounds = field(init=False)
    p: float = field(init=False)
    variance: float | None = field(init=False)
    tests: CaseTests | None = field(init=False, default=None)
    single: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.both = self.pairs.both
        self.variance = self._variance()
        if self.question.metric == "passed":
            self.tests = case_tests(self.both)
        if self.question.lasting:
            self.bounds = lasting_bounds(self.both, self.question.confidence)
            self.p = min(1.0, 1 / evidence_of_drop(self.both))
        else:
            self.bounds = difference_bounds(self.both, self.question.confidence)
            self.p = suite_p(self.both)
            self.single = self.tests is not None and can_single_out(*self._usual_trials, self.alpha_case)

    @property
    def _sides(self) -> tuple[Any, Any]:
        return self.both.baseline, self.both.candidate

    @property
    def _usual_trials(self) -> tuple[int, int]:
        before, after = map(_usual_trials, self._sides)
        return before, after

    @property
    def alpha_case(self) -> float:
        return self.question.alpha * _OF_ALPHA_FOR_CASES

    @property
    def alpha_suite(self) -> float:
        return self.question.alpha - (self.alpha_case if self.single else 0.0)

    def verdict(self) -> Verdict:
        word, reasons = self._decide()
        named = self._named()
        return Verdict(
            word,
            self.question,
            delta=self.bounds.delta,
            delta_low=max(-1.0, self.bounds.low),
            delta_high=min(1.0, self.bounds.high),
            p=self.p,
            alpha_suite=self.alpha_suite,
            mde80=self._mde80(),
            unit="cluster" if self.both.clustered else "case",
            reasons=tuple(reasons),
            missing=self.pairs.missing,
            new=self.pairs.new,
            cases=self.both.cases,
            clusters=self.both.groups,
            baseline=float(row_means(self.both.baseline).mean()),
            candidate=float(row_means(self.both.candidate).mean()),
            method=self.bounds.method,
            **named,
        )

    def _decide(self) -> tuple[Word, list[str]]:
        broken = worse_cases(self.tests, self.alpha_case) if self.tests and self.single else ()
        if len(broken):
            ids = [self.pairs.case_ids[row] for row in broken]
            return "fail", [f"{_cases(ids)} broke, by the case's own trials", *self._notes()]
        gaps = [*data_gaps(self.pairs), *self._lost()]
        proven = self._is_proven()
        worse = self.p <= self.alpha_suite + _TOLERANCE
        if proven and not gaps:
            return "pass", [self._why_pass(), *self._small_drop(worse), *self._thin(), *self._notes()]
        if worse:
            return "fail", [self._why_fail(), *gaps, *self._notes()]
        return "inconclusive", [*gaps, *self._why_open(proven), *self._thin(), *self._notes()]

    def _lost(self) -> list[str]:
        """Why nothing passes while a case is lost that would be proven broken if it stood alone.

        How many cases share the level of single cases hangs on their failures too: with a few more of them
        one that was proven broken can be so no longer. It must not pass for that. Noise does as much to some
        case of a large suite, so there it must have failed altogether, or have done what noise seldom does.
        """
        if not (self.tests and self.single):
            return []
        before, after = self._sides
        gone = (row_means(before) == 1) & (row_means(after) == 0)
        seldom = self.tests.p <= self.alpha_case * min(1.0, _FEW_CASES / self.both.cases)
        lost = (self.tests.p <= self.alpha_case) & (gone | seldom)
        ids = [self.pairs.case_ids[row] for row in lost.nonzero()[0]]
        return [f"{_cases(ids)} would be proven broken if looked at alone: no pass"] if ids else []

    def _is_proven(self) -> bool:
        """Whether a drop of the margin is ruled out: by the lower bound, and by that of better tables."""
        least, confidence = -self.question.margin + _TOLERANCE, self.question.confidence
        if self.bounds.low <= least:
            return False
        if self.question.lasting or not self.both.binary:
            return True
        others = (lowest_without_failures, lowest_partly_mended)
        return all(lowest(self.both, self.bounds, confidence) > least for lowest in others)

    def _why_pass(self) -> str:
        return (
            f"the {self._name} is at most {points(max(0.0, -self.bounds.low))} lower "
            f"({_percent(self.question.confidence)} bound), "
            f"less than the margin of {points(self.question.margin)}"
        )

    def _small_drop(self, worse: bool) -> list[str]:
        return [f"a small but real drop: {points(-self.bounds.delta)}, p = {self.p:.3g}"] if worse else []

    def _why_fail(self) -> str:
        drop = points(-self.bounds.delta)
        return f"the {self._name} is lower by {drop}: p = {self.p:.3g}, at most {self.alpha_suite:.3g}"

    def _why_open(self, proven: bool) -> list[str]:
        if proven:
            return [f"what is there shows no drop of {points(self.question.margin)}"]
        most, margin = points(-max(-1.0, self.bounds.low)), points(self.question.margin)
        told = f"no drop is proven (p = {self.p:.3g}), but it may be {most}; the margin is {margin}"
        if self.question.lasting:
            return [told]
        needed = trials_to_pass(self.both.cases, self.question.margin, self.variance or USUAL_VARIANCE)
        if needed is None:
            return [told, "no number of trials that anybody runs proves so small a margin"]
        return [told, f"unchanged, such a suite passes with about {needed} trials per case and variant"]

    def _thin(self) -> list[str]:
        if self.bounds.error and not self.bounds.floored:
            return []
        return ["hardly anything varied, which is no certainty: the bound is what so few trials leave open"]

    def _notes(self) -> list[str]:
        notes = []
        if not any(row_means(side).any() for side in self._sides):
            notes.append("nothing passed under either variant, so there was nothing to lose")
        if self.both.candidate.shape[1] == 1 or self.both.baseline.shape[1] == 1:
            notes.append("with a single trial a case nothing can be called flaky or regressed")
        return notes

    @property
    def _name(self) -> str:
        return "pass rate" if self.question.metric == "passed" else "score"

    def _variance(self) -> float | None:
        found = [v for v in map(within_case_variance, self._sides) if v is not None]
        return sum(found) / len(found) if found else None

    def _mde80(self) -> float | None:
        if self.question.lasting:
            return None
        before, after = (float(counts(side).mean()) for side in self._sides)
        variance = USUAL_VARIANCE if self.variance is None else self.variance
        return smallest_drop(self.both.cases, before, after, variance, self.alpha_suite)

    def _named(self) -> dict[str, Any]:
        """The cases to look at: regressed, flaky, changed, with their counts."""
        if self.tests is None:
            return {}
        before, after = (_Counted(row_sums(side), counts(side)) for side in self._sides)
        regressed = set() if self.question.lasting else set(suspects(self.tests).tolist())
        unsteady = set(flaky(*before.both).tolist()) | set(flaky(*after.both).tolist())
        turned = {row for row in range(self.both.cases) if before.all_passed(row) and after.all_failed(row)}
        changed = turned - regressed
        listed = [
            CaseCount(self.pairs.case_ids[row], before.text(row), after.text(row), float(self.tests.p[row]))
            for row in sorted(regressed | unsteady | changed)
        ]
        names = {"regressions": regressed, "flaky": unsteady, "changed": changed}
        found = {
            name: tuple(self.pairs.case_ids[row] for row in sorted(rows)) for name, rows in names.items()
        }
        return {**found, "counts": tuple(listed)}


@dataclass(frozen=True, slots=True)
class _Counted:
    passed: Vector
    n: Any

    @property
    def both(self) -> tuple[Vector, Any]:
        return self.passed, self.n

    def text(self, row: int) -> str:
        return f"{int(self.passed[row])}/{int(self.n[row])}"

    def all_passed(self, row: int) -> bool:
        return bool(self.passed[row] == self.n[row])

    def all_failed(self, row: int) -> bool:
        return bool(self.passed[row] == 0)


def points(difference: float) -> str:
    """A difference of two shares as it is spoken: 0.05 is 5.0 points, of which no share is taken."""
    return f"{100 * difference:.1f} points"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def suite_p(both: Arms) -> float:
    """One-sided p of "worse": exact for complete passes and failures, else by drawn relabellings."""
    return exchange_test(both).mid_p if both.binary and both.complete else relabelling_p(both)


def _usual_trials(values: Any) -> int:
    """The number of trials that half of the cases have at least."""
    import numpy as np

    return int(np.median(counts(values)))


# --- costs and latencies ----------------------------------------------------------------------------------


def _ratio_so_far(pairs: Pairs, question: Question) -> Verdict:
    """What costs are so far: a cost has no upper limit, so no bet on it holds at every look."""
    both = positive(pairs.both)
    why = f"{question.metric} is described, not judged, by looks that may go on: nothing bounds it"
    if not both.cases:
        return Verdict("inconclusive", question, reasons=(why,), missing=pairs.missing, new=pairs.new)
    return Verdict(
        "inconclusive",
        question,
        delta=math.expm1(ratio(both, question.confidence).log),
        alpha_suite=question.alpha,
        unit="cluster" if both.clustered else "case",
        reasons=(why,),
        missing=pairs.missing,
        new=pairs.new,
        cases=both.cases,
        clusters=both.groups,
        baseline=float(row_means(both.baseline).mean()),
        candidate=float(row_means(both.candidate).mean()),
        method="estimate",
    )


def _judge_ratio(pairs: Pairs, question: Question) -> Verdict:
    both = positive(pairs.both)
    dropped = pairs.both.cases - both.cases
    gaps = [*data_gaps(pairs), *_free_of_charge(pairs.both, question.metric)]
    forbids_pass = bool(gaps)
    if dropped:
        gaps.append(
            f"{dropped} of {pairs.both.cases} cases have trials of {question.metric} 0 and were left out"
        )
    if not both.cases:
        return Verdict("inconclusive", question, reasons=tuple(gaps), missing=pairs.missing, new=pairs.new)
    found = ratio(both, question.confidence)
    low, high = math.expm1(found.log_low), _exp_less_one(found.log_high)
    word, why = _ratio_word(found.p, math.expm1(found.log), high, question, forbids_pass)
    rise = None if found.error is None else _smallest_rise(found.error, question.alpha)
    return Verdict(
        word,
        question,
        delta=math.expm1(found.log),
        delta_low=low,
        delta_high=high,
        p=found.p,
        alpha_suite=question.alpha,
        mde80=rise,
        unit="cluster" if both.clustered else "case",
        reasons=(
            why,
            *gaps,
            f"all cases together: {found.of_totals:.3f} times the baseline's {question.metric}",
        ),
        missing=pairs.missing,
        new=pairs.new,
        cases=both.cases,
        clusters=both.groups,
        baseline=float(row_means(both.baseline).mean()),
        candidate=float(row_means(both.candidate).mean()),
        method="log ratio over " + ("clusters" if both.clustered else "cases"),
    )


def _free_of_charge(both: Arms, metric: str) -> list[str]:
    """Why nothing passes for what trials of 0 hide: of these there is no ratio, so they are left out."""
    before, after = row_means(both.baseline), row_means(both.candidate)
    found = []
    if risen := int(((before == 0) & (after > 0)).sum()):
        found.append(f"{risen} of {both.cases} cases had {metric} 0 and have more now: no pass")
    unknown = both.cases - positive(both).cases - int(((before == 0) & (after == 0)).sum())
    if unknown > _MOST_MISSING * both.cases + _TOLERANCE:
        found.append(f"{unknown / both.cases:.0%} of the cases have no ratio of {metric}: no pass")
    return found


def _ratio_word(p: float, delta: float, high: float, question: Question, gaps: bool) -> tuple[Word, str]:
    name = question.metric
    if high < question.margin - _TOLERANCE and not gaps:
        return (
            "pass",
            f"{name} rose by at most {high:.1%} ({_percent(question.confidence)} bound); "
            f"the margin is {question.margin:.1%}",
        )
    if p <= question.alpha + _TOLERANCE:
        return "fail", f"{name} rose by {delta:.1%}: p = {p:.3g}, at most {question.alpha:g}"
    return "inconclusive", (
        f"no rise of {name} is proven (p = {p:.3g}), but it may be {high:.1%}; "
        f"the margin is {question.margin:.1%}"
    )


def _smallest_rise(error: float, alpha: float) -> float:
    return _exp_less_one((z_quantile(1 - alpha) + z_quantile(POWER)) * error)


def _exp_less_one(value: float) -> float:
    return math.expm1(value) if value < 700 else math.inf
