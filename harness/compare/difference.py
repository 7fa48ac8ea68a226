"""Two variants side by side: what is better, what is worse, and how sure that is, part by part."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from harness.compare.asked import Judged, answers
from harness.compare.behaviour import UNKNOWN, Behaviour, Did, behaviour, did, hand_overs, hand_overs_json
from harness.compare.gate import judged
from harness.compare.pairs import Columns, Pairs, column
from harness.compare.table import Trial
from harness.compare.verdict import RATIOS, Question, Verdict, data_gaps, judge
from harness.results import TrialResult
from harness.stats.arms import Arms, Vector, counts, row_means, row_sums
from harness.stats.bounds import difference_bounds
from harness.stats.intervals import Interval
from harness.stats.population import PopulationDifference, population_difference
from harness.stats.ratios import bill_interval, positive

if TYPE_CHECKING:
    from harness.stats.detection import Detection

Opinion = Literal["better", "not worse", "worse", "undecided"]
_CONFIDENCE = 0.95
_TOLERANCE = 1e-12


class Seen(NamedTuple):
    """What is kept of one trial while two variants are compared.

    Attributes:
        judged: Its results.
        values: Its numbers by check.
        done: What the assistant did in it.
    """

    judged: Judged
    values: dict[str, float]
    done: Did = UNKNOWN


def seen(result: TrialResult, side: str) -> Seen:
    """A stored trial, as one of the baseline or of the candidate."""
    found: dict[str, list[float]] = {}
    for score in result.scores:
        if isinstance(score.value, int | float) and not isinstance(score.value, bool):
            found.setdefault(score.check, []).append(float(score.value))
    finite = {check: [each for each in some if math.isfinite(each)] for check, some in found.items()}
    means = {check: sum(some) / len(some) for check, some in finite.items() if some}
    told = judged(result, side)
    return Seen(told, {} if told.errored else means, did(result))


@dataclass(frozen=True, slots=True)
class Difference:
    """How one part of the suite, or one metric, differs.

    Attributes:
        name: The tag, the cluster, the check, or what is measured.
        opinion: The verdict in a word.
        found: The numbers behind it, with reasons.
        better_p: One-sided p of "better"; None where nothing was compared, or nothing rose.
        before: Of a check that gives a number: its mean under the baseline.
        after: Its mean under the candidate.
        interval: Two one-sided 95 % bounds of ``after - before``.
    """

    name: str
    opinion: Opinion
    found: Verdict
    better_p: float | None = None
    before: float | None = None
    after: float | None = None
    interval: Interval | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; what is not known is null."""
        kept = self.found.as_json()
        kept.pop("verdict")
        value = {"before": self.before, "after": self.after, **_interval_json(self.interval)}
        told = {} if self.before is None else {"value": value}
        return {"name": self.name, "verdict": self.opinion, "better_p": self.better_p, **kept, **told}


@dataclass(frozen=True, slots=True)
class Bill:
    """What all compared conversations cost together: candidate over baseline, with a 95 % interval."""

    ratio: float
    interval: Interval | None

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"ratio": self.ratio, **_interval_json(self.interval)}


@dataclass(frozen=True, slots=True)
class Conversations:
    """Which conversations differ, by id (``suite/conversation``).

    Attributes:
        regressed: Worse, by their own trials.
        fixed: Better, by their own trials.
        worse_unconfirmed: Passed in every trial and fail in every trial now, too few to prove it.
        better_unconfirmed: The other way round.
        flaky: Passed and failed under one and the same variant.
        new: Without a judged trial of the baseline.
        missing: Without a judged trial of the candidate.
        trials: Passed trials of those above that were compared, as ``c/n`` under baseline and candidate.
    """

    regressed: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    worse_unconfirmed: tuple[str, ...] = ()
    better_unconfirmed: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    trials: Mapping[str, tuple[str, str]] | None = None

    @property
    def to_read(self) -> tuple[str, ...]:
        """The conversations whose transcripts say what got worse: proven ones first."""
        return tuple(dict.fromkeys((*self.regressed, *self.worse_unconfirmed)))

    def lists(self) -> dict[str, tuple[str, ...]]:
        """The lists by what they are called."""
        return {
            "regressed": self.regressed,
            "fixed": self.fixed,
            "changed, unconfirmed (worse)": self.worse_unconfirmed,
            "changed, unconfirmed (better)": self.better_unconfirmed,
            "flaky": self.flaky,
            "new": self.new,
            "missing": self.missing,
        }

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        names = "regressed fixed worse_unconfirmed better_unconfirmed flaky new missing".split()
        passed = {case: {"baseline": b, "candidate": c} for case, (b, c) in (self.trials or {}).items()}
        return {name: list(getattr(self, name)) for name in names} | {"passed": passed}


@dataclass(frozen=True, slots=True)
class Differences:
    """Everything that numbers say of two variants.

    Attributes:
        metrics: Pass rate, score, cost and latency over all conversations, in this order.
        bill: The ratio of what all cost together; None where no cost is known.
        suites: Pass rate by suite, where there are several.
        tags: Pass rate by tag.
        clusters: Pass rate by cluster, of clusters with several conversations.
        checks: By expectation: the share of trials that met it, and the mean of those that give numbers.
        conversations: Which ones differ.
        behaviour: What differs in what is done.
        population: The pass rate of conversations like these; None where nothing was compared.
        hand_overs: Hand-overs as recognition, of baseline and candidate; None where they are not judged.
    """

    metrics: tuple[Difference, ...]
    bill: Bill | None
    suites: tuple[Difference, ...]
    tags: tuple[Difference, ...]
    clusters: tuple[Difference, ...]
    checks: tuple[Difference, ...]
    conversations: Conversations
    behaviour: Behaviour = field(default_factory=Behaviour)
    population: PopulationDifference | None = None
    hand_overs: tuple[Detection, Detection] | None = None

    @property
    def overall(self) -> Difference:
        """The pass rate of everything."""
        return self.metrics[0]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        parts = {name: getattr(self, name) for name in ("metrics", "suites", "tags", "clusters", "checks")}
        return {
            **{name: [each.as_json() for each in found] for name, found in parts.items()},
            "bill": self.bill.as_json() if self.bill else None,
            "conversations": self.conversations.as_json(),
            "behaviour": self.behaviour.as_json(),
            "population": _population_json(self.population),
            "hand_overs": hand_overs_json(self.hand_overs),
        }


def differences(
    before: Sequence[Seen], after: Sequence[Seen], question: Question, *, changed: bool = False
) -> Differences:
    """How a candidate differs from a baseline, overall and part by part.

    Words for suites, tags, clusters and checks hold together: the level is divided by how many parts of a
    kind there are. Bounds are each their own.

    Args:
        before: The baseline's trials.
        after: The candidate's.
        question: Margin and level for "worse" and "better"; its metric is not looked at.
        changed: Whether what is asked of the variants has changed between them, or a side is no new evidence:
            nothing good is proven then.
    """
    both = [*before, *after]
    trials = [each.judged.trial for each in both]
    comparing = _Comparing(question, changed, Columns.of(trials))
    passed = column(trials, "passed")
    pairs = comparing.columns.pairs(passed)
    worse, better = comparing.both_ways(pairs, replace(question, metric="passed"))
    overall = comparing.difference("pass rate", pairs, worse, better)
    others = (("score", "score"), ("cost_usd", "cost"), ("latency_s", "latency"))
    metrics = [comparing.metric(name, column(trials, metric), metric) for metric, name in others]
    return Differences(
        metrics=(overall, *metrics),
        bill=_bill(comparing.columns.pairs(column(trials, "cost_usd"))),
        suites=comparing.parts(passed, _places((each.judged.suite,) for each in both), least=2),
        tags=comparing.parts(passed, _places(each.judged.tags for each in both)),
        clusters=comparing.parts(passed, _shared_clusters(trials)),
        checks=comparing.checks(both),
        conversations=_conversations(pairs, worse, better),
        behaviour=behaviour(comparing.columns, [each.done for each in both]),
        population=population_difference(pairs.both, _CONFIDENCE) if pairs.both.cases else None,
        hand_overs=hand_overs(comparing.columns, [each.judged for each in both]),
    )


Parts = dict[str, list[int]]
"""By name of a part which trials it consists of."""


def _places(keys: Iterable[Iterable[str]]) -> Parts:
    """The parts that trials are of, from the names of each trial's parts."""
    found: Parts = defaultdict(list)
    for place, names in enumerate(keys):
        for name in names:
            found[name].append(place)
    return dict(found)


def _shared_clusters(trials: Sequence[Trial]) -> Parts:
    """Clusters of several conversations."""
    first: dict[str, str] = {}
    shared = {
        trial.cluster for trial in trials if first.setdefault(trial.cluster, trial.case_id) != trial.case_id
    }
    found = _places((trial.cluster,) for trial in trials)
    return {name: places for name, places in found.items() if name in shared}


@dataclass(frozen=True, slots=True)
class _Comparing:
    question: Question
    changed: bool
    columns: Columns

    def metric(
        self, name: str, values: Vector, metric: str = "passed", *, kept: Any = slice(None), among: int = 1
    ) -> Difference:
        """One metric of the trials that are kept, as one of so many that are looked at together."""
        question = replace(self.question, metric=metric, alpha=self.question.alpha / among)
        pairs = self.columns.pairs(values, kept)
        worse = judge(pairs, question)
        better = judge(_mirrored(pairs), question) if _is_up(worse) else None
        return self.difference(name, pairs, worse, better)

    def both_ways(self, pairs: Pairs, question: Question) -> tuple[Verdict, Verdict]:
        """Whether the candidate is worse, and whether the baseline is."""
        return judge(pairs, question), judge(_mirrored(pairs), question)

    def difference(self, name: str, pairs: Pairs, worse: Verdict, better: Verdict | None) -> Difference:
        """The word for two such verdicts; None where nothing rose that could be proven."""
        sound = not (self.changed or data_gaps(pairs))
        return Difference(name, _opinion(worse, better, sound=sound), worse, better.p if better else None)

    def parts(self, passed: Vector, parts: Parts, least: int = 1) -> tuple[Difference, ...]:
        """The pass rate of each part, where there are at least so many."""
        if len(parts) < least:
            return ()
        return tuple(
            self.metric(name, passed[parts[name]], kept=parts[name], among=len(parts))
            for name in sorted(parts)
        )

    def checks(self, both: Sequence[Seen]) -> tuple[Difference, ...]:
        """How often each expectation was met, and its mean where it gives a number."""
        met, numbers = answers([each.judged for each in both]), _places(each.values for each in both)
        found = [
            self.metric(check, _array(list(known.values())), kept=list(known), among=len(met))
            for check, known in sorted(met.items())
        ]
        return tuple(self._with_numbers(each, both, numbers.get(each.name, [])) for each in found)

    def _with_numbers(self, met: Difference, both: Sequence[Seen], kept: list[int]) -> Difference:
        arms = self.columns.pairs(_array([both[place].values[met.name] for place in kept]), kept).both
        if not arms.cases:
            return met
        before, after = float(row_means(arms.baseline).mean()), float(row_means(arms.candidate).mean())
        bounds = difference_bounds(arms, self.question.confidence)
        return replace(met, before=before, after=after, interval=Interval(bounds.low, bounds.high))


def _array(values: Sequence[float]) -> Vector:
    import numpy as np

    found: Vector = np.array(values, dtype=float)
    return found


def _mirrored(pairs: Pairs) -> Pairs:
    """The same pairs with baseline and candidate changed about."""
    both = pairs.both
    return Pairs(
        Arms(both.candidate, both.baseline, both.clusters),
        pairs.case_ids,
        pairs.new,
        pairs.missing,
        pairs.missing_candidate,
        pairs.missing_baseline,
    )


def _opinion(worse: Verdict, better: Verdict | None, *, sound: bool) -> Opinion:
    """The word; where data are missing or suites changed only "worse" can be said."""
    if worse.verdict == "fail":
        return "worse"
    if sound and better and _proven(better) and _surely_up(worse):
        return "better"
    return "not worse" if sound and worse.verdict == "pass" else "undecided"


def _proven(found: Verdict) -> bool:
    return found.p is not None and found.p <= found.alpha_suite + _TOLERANCE


def _is_up(found: Verdict) -> bool:
    """Whether there is a gain at all: more of a rate, less of a cost."""
    if found.delta is None:
        return False
    return found.delta < 0 if found.question.metric in RATIOS else found.delta > 0


def _surely_up(found: Verdict) -> bool:
    """Whether the bounds too say that something got better: more of a rate, less of a cost."""
    if found.question.metric in RATIOS:
        return found.delta_high is not None and found.delta_high < 0
    return found.delta_low is not None and found.delta_low > 0


def _bill(pairs: Pairs) -> Bill | None:
    both = positive(pairs.both) if pairs.both.cases else pairs.both
    if not both.cases:
        return None
    total = float(row_means(both.candidate).sum() / row_means(both.baseline).sum())
    return Bill(total, bill_interval(both, _CONFIDENCE))


def _conversations(pairs: Pairs, worse: Verdict, better: Verdict) -> Conversations:
    if not pairs.both.cases:
        return Conversations(new=pairs.new, missing=pairs.missing, trials={})
    trials = dict(zip(pairs.case_ids, _passed(pairs.both), strict=True))
    down = _turned(pairs, -1.0, worse.regressions)
    up = _turned(pairs, 1.0, better.regressions)
    told = dict.fromkeys((*worse.regressions, *better.regressions, *down, *up, *worse.flaky))
    return Conversations(
        regressed=worse.regressions,
        fixed=better.regressions,
        worse_unconfirmed=down,
        better_unconfirmed=up,
        flaky=worse.flaky,
        new=pairs.new,
        missing=pairs.missing,
        trials={case: trials[case] for case in told},
    )


def _turned(pairs: Pairs, difference: float, proven: Sequence[str]) -> tuple[str, ...]:
    """The conversations whose trials all agree under each variant, and not with those of the other."""
    changed = zip(pairs.case_ids, pairs.both.differences, strict=True)
    return tuple(case for case, found in changed if found == difference and case not in proven)


def _passed(both: Arms) -> list[tuple[str, str]]:
    """For each case how many of its trials passed, under baseline and candidate."""
    sides = [
        [f"{int(c)}/{int(n)}" for c, n in zip(row_sums(side), counts(side), strict=True)]
        for side in (both.baseline, both.candidate)
    ]
    return list(zip(*sides, strict=True))


def _interval_json(interval: Interval | None) -> dict[str, float | None]:
    if interval is None:
        return {"low": None, "high": None}
    return {name: value if math.isfinite(value) else None for name, value in interval._asdict().items()}


def _population_json(found: PopulationDifference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    told = {name: value if math.isfinite(value) else None for name, value in found._asdict().items()}
    return {**told, "indicative": found.indicative}
