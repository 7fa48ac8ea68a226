"""The statistics of one variant alone: its pass rate in two scopes, and how it holds up when repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.compare.pairs import side
from harness.compare.table import Trial
from harness.stats.arms import Labels, Vector, counts, labels, row_means, row_sums, within_case_variance
from harness.stats.cases import flaky
from harness.stats.intervals import (
    Interval,
    exact_bounds,
    mean_interval,
    population_interval,
    score_interval,
    suite_interval,
)
from harness.stats.repeats import Repeated, pass_at, pass_hat


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a score, cost or latency over the cases that have one."""

    metric: str
    mean: float
    interval: Interval | None
    cases: int


@dataclass(frozen=True, slots=True)
class Flaky:
    """A case with both outcomes among its trials."""

    case_id: str
    passed: int
    trials: int


@dataclass(frozen=True, slots=True)
class Rates:
    """What the trials of one variant say.

    Attributes:
        variant: Its name; empty where the table has none.
        cases: With at least one judged trial.
        clusters: In how many clusters.
        trials: Judged trials.
        missing_trials: Trials in the table that were not judged.
        unjudged: Cases without a judged trial.
        rate: Mean over cases of the case's pass rate.
        suite: Interval of a rerun of exactly these cases (noise of trials).
        population: Interval of conversations like these (cases and clusters too); None with one cluster.
        at_least: Exact one-sided 95 % bound, for a promise; None where a case was tried more than once or
            shares a cluster.
        least_trials: The smallest number of judged trials of a case.
        hat: pass^j for j = 1 to that.
        at: pass@j likewise.
        variance: Mean variance between trials of a case; None where none was tried twice.
        flaky: Cases with both outcomes.
        means: Of the other metrics that the table has.
    """

    variant: str
    cases: int
    clusters: int
    trials: int
    missing_trials: int
    unjudged: tuple[str, ...]
    rate: float
    suite: Interval
    population: Interval | None
    at_least: float | None
    least_trials: int
    hat: tuple[Repeated, ...]
    at: tuple[Repeated, ...]
    variance: float | None
    flaky: tuple[Flaky, ...]
    means: tuple[Mean, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; lists over j begin with j = 1, what is not known is null."""
        return {
            "variant": self.variant,
            "cases": self.cases,
            "clusters": self.clusters,
            "trials": self.trials,
            "missing_trials": self.missing_trials,
            "unjudged": list(self.unjudged),
            "rate": self.rate,
            "suite": list(self.suite),
            "population": _listed(self.population),
            "at_least": self.at_least,
            "pass_hat": [each.value for each in self.hat],
            "pass_hat_se": [each.error for each in self.hat],
            "pass_at": [each.value for each in self.at],
            "pass_at_se": [each.error for each in self.at],
            "within_case_variance": self.variance,
            "flaky": [each.case_id for each in self.flaky],
            "flaky_counts": {each.case_id: f"{each.passed}/{each.trials}" for each in self.flaky},
            "means": {
                each.metric: {"mean": each.mean, "interval": _listed(each.interval), "cases": each.cases}
                for each in self.means
            },
        }


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def rates(trials: Sequence[Trial], variant: str = "") -> Rates | None:
    """The statistics of one variant's trials; None when not one of them was judged."""
    rows = sorted((trial for trial in trials if trial.variant == variant), key=lambda trial: trial.case_id)
    cluster_of = {trial.case_id: trial.cluster for trial in rows}
    ids = list(cluster_of)
    whole = side(rows, ids, "passed")
    judged = counts(whole) > 0
    if not judged.any():
        return None
    values = whole[judged]
    cases = [case for case, there in zip(ids, judged, strict=True) if there]
    clusters = labels([cluster_of[case] for case in cases], len(cases))
    passed, n = row_sums(values), counts(values)
    least, groups = int(n.min()), int(clusters.max()) + 1
    plain = groups == len(cases) == int(n.sum())
    return Rates(
        variant=variant,
        cases=len(cases),
        clusters=groups,
        trials=int(n.sum()),
        missing_trials=len(rows) - int(n.sum()),
        unjudged=tuple(case for case, there in zip(ids, judged, strict=True) if not there),
        rate=float(row_means(values).mean()),
        suite=suite_interval(values, clusters),
        population=population_interval(values, clusters),
        at_least=exact_bounds(int(passed.sum()), len(cases)).low if plain else None,
        least_trials=least,
        hat=tuple(pass_hat(values, clusters, j) for j in range(1, least + 1)),
        at=tuple(pass_at(values, clusters, j) for j in range(1, least + 1)),
        variance=within_case_variance(values),
        flaky=tuple(Flaky(cases[row], int(passed[row]), int(n[row])) for row in flaky(passed, n)),
        means=tuple(_means(rows, ids, list(cluster_of.values()))),
    )


def _means(rows: Sequence[Trial], ids: Sequence[str], clusters: Sequence[str]) -> list[Mean]:
    found = []
    for metric in ("score", "cost_usd", "latency_s"):
        values = row_means(side(rows, ids, metric))
        there = values == values  # NaN is what is not there
        if there.any():
            kept = [name for name, has in zip(clusters, there, strict=True) if has]
            bounded = score_interval if metric == "score" else _from_nothing_up
            interval = bounded(values[there], labels(kept, len(kept)))
            found.append(Mean(metric, float(values[there].mean()), interval, len(kept)))
    return found


def _from_nothing_up(values: Vector, clusters: Labels) -> Interval | None:
    """The interval of what is never below 0, such as costs."""
    found = mean_interval(values, clusters)
    return found and Interval(max(0.0, found.low), found.high)
