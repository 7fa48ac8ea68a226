"""What one rate is known to be: intervals of a share, of clustered means, and of a paired difference."""

from __future__ import annotations

import math
from typing import NamedTuple

from harness.stats.arms import Labels, Matrix, Vector, cluster_sums, counts, row_means

ROUNDING = 1e-12
"""Equal numbers, such as 0.7 three times, leave errors of this size: they did not vary."""


class Interval(NamedTuple):
    """Two bounds, the lower first."""

    low: float
    high: float


def z_quantile(probability: float) -> float:
    """The standard normal quantile."""
    from scipy.special import ndtri

    return float(ndtri(probability))


def t_quantile(probability: float, df: float) -> float:
    """The quantile of Student's t with ``df`` degrees of freedom, a fraction allowed."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def wilson(rate: float, n: float, confidence: float = 0.95) -> Interval:
    """The two-sided Wilson score interval of a share (Wilson 1927).

    (m + z²/2n ± z sqrt(m(1-m)/n + z²/4n²)) / (1 + z²/n), for real n, so that effective sample sizes fit. For
    whole counts it is ``scipy.stats.binomtest(x, n).proportion_ci(method="wilson")``.

    Args:
        rate: The observed share, 0 to 1.
        n: The number of independent trials that it is worth, above 0.
        confidence: Of the whole interval.
    """
    z = z_quantile(0.5 + confidence / 2)
    centre = rate + z * z / (2 * n)
    half = z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    return Interval(max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale))


def exact_bounds(passed: int, n: int, confidence: float = 0.95) -> Interval:
    """Two exact one-sided bounds of a share, each at ``confidence`` (Clopper and Pearson 1934).

    For a hard promise: 30 of 30 is at least 0.905, 59 of 59 at least 0.95; with none of n the upper bound is
    1 - (1-confidence)^(1/n).
    """
    from scipy.stats import binomtest

    def bound(side: str) -> Interval:
        found = binomtest(passed, n, alternative=side).proportion_ci(confidence, method="exact")
        return Interval(float(found.low), float(found.high))

    return Interval(bound("greater").low, bound("less").high)


def clustered_standard_error(means: Vector, clusters: Labels) -> float | None:
    """The standard error of the mean of N case means that may come in clusters; None with one cluster.

    sqrt(G/(G-1) sum_g (sum_{i in g} (m_i - m))²) / N, as ``OLS(m, 1).fit(cov_type="cluster")`` of statsmodels
    (Miller 2024, arXiv 2411.00640). Without clusters it is the usual sd / sqrt(N).

    Args:
        means: N case means.
        clusters: N cluster numbers.
    """
    sums = cluster_sums(means - means.mean(), clusters)
    groups = len(sums)
    if groups < 2:
        return None
    return math.sqrt(groups / (groups - 1) * float((sums**2).sum())) / len(means)


def population_interval(values: Matrix, clusters: Labels, confidence: float = 0.95) -> Interval | None:
    """The pass rate of conversations like these: noise of trials, of cases and of clusters.

    The Wilson formula with n_eff = m(1-m)/SE² (z/t_{G-1})² and the clustered standard error (Franco et al.
    2019); m(1-m)/SE² is capped at the number of trials first, and n_eff is G where nothing varies. One trial
    a case without clusters is the plain Wilson interval. None with a single cluster that was tried more than
    once.

    Args:
        values: N x k of 0 and 1 (or shares), NaN where missing; every row has a value.
        clusters: N cluster numbers.
        confidence: Of the whole interval.
    """
    means = row_means(values)
    rate, trials = float(means.mean()), int(counts(values).sum())
    groups = int(clusters.max()) + 1
    if groups == len(means) == trials:
        return wilson(rate, trials, confidence)
    error = clustered_standard_error(means, clusters)
    if error is None:
        return None
    if error < ROUNDING or rate in (0.0, 1.0):
        return wilson(rate, groups, confidence)
    return wilson(rate, _effective(rate, error, trials, groups - 1, confidence), confidence)


def suite_interval(values: Matrix, clusters: Labels, confidence: float = 0.95) -> Interval:
    """The pass rate of exactly these cases: what a rerun of the suite would show, noise of trials only.

    The Wilson formula with n_eff from the variance between passes, sum_g s²_g/k, with Satterthwaite's
    degrees of freedom; never narrower than the Wilson interval of all trials, whose variance is the largest
    that trials with unequal chances can have. With a single trial a case that is the interval.

    Args:
        values: N x k, as above.
        clusters: N cluster numbers; trials of the same pass within one are taken together.
        confidence: Of the whole interval.
    """
    rate, trials = float(row_means(values).mean()), int(counts(values).sum())
    noise = pass_noise(values, clusters)
    if noise is None or noise.variance == 0 or rate in (0.0, 1.0):
        return wilson(rate, trials, confidence)
    n = _effective(rate, math.sqrt(noise.variance), trials, noise.df, confidence)
    return wilson(rate, n, confidence)


def _effective(rate: float, error: float, most: float, df: float, confidence: float) -> float:
    level = 0.5 + confidence / 2
    n = min(rate * (1 - rate) / error**2, most)
    return n * (z_quantile(level) / t_quantile(level, df)) ** 2


class Noise(NamedTuple):
    """The variance of an arm's mean between whole passes.

    Attributes:
        variance: Of the mean over cases.
        squares: sum_g V_g² / (k_g - 1), what Satterthwaite's formula divides by.
    """

    variance: float
    squares: float

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom; infinite where nothing varies."""
        return self.variance**2 / self.squares if self.squares else math.inf


def pass_noise(values: Matrix, clusters: Labels) -> Noise | None:
    """How much an arm's mean varies between passes; None when some case has fewer than two trials."""
    found = pass_variances(values, clusters)
    if found is None:
        return None
    variances, k = found
    return Noise(float(variances.sum()), float((variances**2 / (k - 1)).sum()))


def pass_variances(values: Matrix, clusters: Labels) -> tuple[Vector, Labels] | None:
    """For each cluster its part V_g of the variance of the arm's mean, and its number of passes k.

    V_g = s²_g / k_g, where s²_g is the variance over passes of Y_gt = sum_{i in g} x_it / N. Where trials
    are missing, each pass's share in the error of its cluster is summed instead: k/(k-1) sum_t (sum_i (x_it
    - m_i)/(N n_i))² with k the smallest n_i of the cluster, which is the same when nothing is missing.

    Args:
        values: N x k, NaN where missing.
        clusters: N cluster numbers.
    """
    import numpy as np

    n = counts(values)
    if not len(n) or n.min() < 2:
        return None
    residuals = (values - row_means(values)[:, None]) / (len(n) * n[:, None])
    shares = cluster_sums(np.where(np.isnan(values), 0.0, residuals), clusters)
    k = np.full(len(shares), np.iinfo(np.intp).max)
    np.minimum.at(k, clusters, n)
    return k / (k - 1) * (shares**2).sum(axis=1), k


def mean_interval(values: Vector, clusters: Labels, confidence: float = 0.95) -> Interval | None:
    """Student's t interval of the mean of N numbers in clusters, G-1 degrees of freedom; None for G = 1."""
    error = clustered_standard_error(values, clusters)
    if error is None:
        return None
    half = t_quantile(0.5 + confidence / 2, int(clusters.max())) * error
    mean = float(values.mean())
    return Interval(mean - half, mean + half)


def score_interval(values: Vector, clusters: Labels, confidence: float = 0.95) -> Interval | None:
    """The same for scores from 0 to 1: within these, and no point where nothing varied.

    That N scores are equal is no certainty: the interval then is Wilson's with one trial for each cluster, as
    for pass rates.
    """
    found = mean_interval(values, clusters, confidence)
    if found is None:
        return None
    if found.high - found.low < ROUNDING:
        return wilson(min(1.0, max(0.0, float(values.mean()))), int(clusters.max()) + 1, confidence)
    return Interval(max(0.0, found.low), min(1.0, found.high))


def tango(n: int, lost: int, gained: int, confidence: float = 0.95) -> Interval:
    """The score interval of a paired difference of two shares (Tango 1998, Stat Med 17:891).

    The differences d = (gained - lost)/n that the score test does not reject: |gained - lost - n d| <=
    z sqrt(n (2q + d(1-d))), with q the likeliest share of lost pairs under d. It keeps its level also where
    nothing changed: 10 pairs without a change give [-0.2129, +0.2129] at 90 %.

    Args:
        n: Pairs.
        lost: Pairs that passed before and fail now.
        gained: Pairs that failed before and pass now.
        confidence: Of the whole two-sided interval.
    """
    z = z_quantile(0.5 + confidence / 2)
    low = _lowest_not_rejected(n, lost, gained, z)
    return Interval(low, -_lowest_not_rejected(n, gained, lost, z))


def _lowest_not_rejected(n: int, lost: int, gained: int, z: float) -> float:
    from scipy.optimize import brentq

    estimate = (gained - lost) / n
    if estimate == -1:
        return -1.0

    def excess(d: float) -> float:
        variance = n * (2 * _lost_share(n, lost, gained, d) + d * (1 - d))
        return gained - lost - n * d - z * math.sqrt(max(0.0, variance))

    # At the estimate itself the variance may be 0, and the estimate a root of no meaning.
    return float(brentq(excess, -1.0, estimate - 1e-9, xtol=1e-14))


def _lost_share(n: int, lost: int, gained: int, d: float) -> float:
    """The likeliest share of lost pairs when the true difference is ``d``: the root of Tango's quadratic."""
    b = lost + gained + (gained - lost - 2 * n) * d
    root = math.sqrt(max(0.0, b * b + 8 * n * lost * d * (1 - d)))
    return max(0.0, -d, (b + root) / (4 * n))
