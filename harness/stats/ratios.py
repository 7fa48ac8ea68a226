"""Costs and latencies: how many times as much, from logarithms, because the dearest trials are far out."""

from __future__ import annotations

import math
from typing import NamedTuple

from harness.stats.arms import Arms, Matrix, Vector, row_means
from harness.stats.bounds import lowest_floor
from harness.stats.exchange import relabelling_p
from harness.stats.intervals import Interval, clustered_standard_error, t_quantile

_RESAMPLES = 9999
_SEED = 20260601


class Ratio(NamedTuple):
    """How the candidate's cost relates to the baseline's, case by case.

    Attributes:
        log: Mean over cases of log(mean candidate) - log(mean baseline).
        log_low: Lower one-sided bound of it; -inf where there is one cluster.
        log_high: Upper one-sided bound of it.
        error: Standard error of ``log``; None where there is one cluster.
        p: One-sided p of "dearer".
        of_totals: The candidate's bill over the baseline's: what is paid, not what is judged.
    """

    log: float
    log_low: float
    log_high: float
    error: float | None
    p: float
    of_totals: float


def positive(both: Arms) -> Arms:
    """The cases whose every trial costs something: of nothing there is no ratio."""
    import numpy as np

    low = np.nanmin(np.hstack([both.baseline, both.candidate]), axis=1)
    return both.subset(low > 0) if (low <= 0).any() else both


def ratio(both: Arms, confidence: float = 0.95) -> Ratio:
    """The ratio of costs, with bounds each one-sided at ``confidence``.

    exp(mean_i d_i) with d_i = log(mean_t C_it) - log(mean_t B_it); t interval over cases, of cluster sums
    where there are clusters, G-1 degrees of freedom; p by relabelling the logarithms. Where nothing varied,
    so few trials still leave the floor of a pass rate.

    Args:
        both: Arms of numbers above 0, NaN where missing; every case has a trial in each.
        confidence: Of each bound.
    """
    import numpy as np

    d = np.log(row_means(both.candidate)) - np.log(row_means(both.baseline))
    error = clustered_standard_error(d, both.clusters)
    mean = float(d.mean())
    half = _half_width(both, error, confidence)
    p = relabelling_p(Arms(-np.log(both.baseline), -np.log(both.candidate), both.clusters))
    totals = float(row_means(both.candidate).sum() / row_means(both.baseline).sum())
    return Ratio(mean, mean - half, mean + half, error, p, totals)


def _half_width(both: Arms, error: float | None, confidence: float) -> float:
    if error is None:
        return math.inf
    if error < 1e-12:
        return math.log1p(-lowest_floor(0.0, both.candidate.size, confidence))
    return t_quantile(confidence, both.groups - 1) * error


def bill_interval(both: Arms, confidence: float = 0.95) -> Interval | None:
    """The ratio of totals with a percentile bootstrap interval over cases; None with fewer than two cases.

    For the reader of the bill only: measured coverage is 79 to 97 % where 95 % are meant, because few dear
    cases decide.
    """
    import numpy as np
    from scipy.stats import bootstrap

    if both.cases < 2:
        return None

    def of_totals(after: Matrix, before: Matrix, axis: int = -1) -> Vector:
        total: Vector = after.sum(axis=axis) / before.sum(axis=axis)
        return total

    pair = (row_means(both.candidate), row_means(both.baseline))
    found = bootstrap(
        pair,
        of_totals,
        paired=True,
        vectorized=True,
        method="percentile",
        confidence_level=confidence,
        n_resamples=_RESAMPLES,
        batch=200,
        rng=np.random.Generator(np.random.PCG64(_SEED)),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))
