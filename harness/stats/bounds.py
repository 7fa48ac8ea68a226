"""How large a difference between two variants may be: two one-sided bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.stats.arms import Arms, Matrix, Vector, cluster_sums, counts, row_means
from harness.stats.intervals import (
    ROUNDING,
    clustered_standard_error,
    pass_noise,
    pass_variances,
    t_quantile,
    tango,
    z_quantile,
)


class Bounds(NamedTuple):
    """A difference, candidate minus baseline, between two bounds of one-sided confidence each.

    Attributes:
        delta: The mean over cases of the difference of case means.
        low: Lower bound.
        high: Upper bound.
        error: Standard error that they rest on; None for a score interval.
        df: Degrees of freedom; None for a score interval or where nothing varied.
        method: ``passes`` (variance between passes), ``clusters`` or ``cases`` (variance between those),
            ``tango`` (score interval of pairs).
        floored: Whether the lower bound is the floor that so few trials leave, not the one from the variance.
    """

    delta: float
    low: float
    high: float
    error: float | None
    df: float | None
    method: str
    floored: bool = False


def difference_bounds(both: Arms, confidence: float = 0.95) -> Bounds:
    """Bounds of the difference on exactly these cases, each one-sided at ``confidence``.

    With two or more trials of every case on both sides: Welch's t on whole passes, V = sum_g s²_g/k per arm,
    with Satterthwaite's degrees of freedom. With a single trial somewhere: the spread of the case
    differences, summed by cluster, t with G-1 degrees of freedom; without clusters and with one trial each,
    Tango's score interval. Passes and failures never prove more than the floor allows: no failure in n
    trials is no certainty. Numbers that are no shares (calls, tokens) and never vary have no such floor.

    Args:
        both: Arms in which every case has a trial on both sides.
        confidence: Of each bound.
    """
    found = _bounds(both, confidence)
    if both.binary or (both.shares and found.error is not None and found.error < ROUNDING):
        return _floored(both, found, confidence)
    return found


def _bounds(both: Arms, confidence: float) -> Bounds:
    noise = pass_noise(both.baseline, both.clusters), pass_noise(both.candidate, both.clusters)
    if noise[0] is not None and noise[1] is not None:
        variance, squares = noise[0].variance + noise[1].variance, noise[0].squares + noise[1].squares
        return _student(
            both, math.sqrt(variance), variance**2 / squares if squares else None, confidence, "passes"
        )
    if both.binary and not both.clustered and both.baseline.shape[1] == both.candidate.shape[1] == 1:
        return _of_pairs(both, confidence)
    error = clustered_standard_error(both.differences, both.clusters)
    method = "clusters" if both.clustered else "cases"
    if error is None:  # one cluster, one trial: nothing is known of its noise
        return Bounds(float(both.differences.mean()), -math.inf, math.inf, None, None, method)
    return _student(both, error, both.groups - 1, confidence, method)


def _student(both: Arms, error: float, df: float | None, confidence: float, method: str) -> Bounds:
    delta = float(both.differences.mean())
    half = error * t_quantile(confidence, df) if df else 0.0
    return Bounds(delta, delta - half, delta + half, error, df, method)


def _of_pairs(both: Arms, confidence: float) -> Bounds:
    differences = both.differences
    lost, gained = int((differences < 0).sum()), int((differences > 0).sum())
    interval = tango(both.cases, lost, gained, 2 * confidence - 1)
    delta = (gained - lost) / both.cases
    return Bounds(delta, interval.low, interval.high, None, None, "tango")


def _floored(both: Arms, found: Bounds, confidence: float) -> Bounds:
    candidate, baseline = (int(counts(side).sum()) for side in (both.candidate, both.baseline))
    floor = lowest_floor(found.delta, candidate, confidence)
    ceiling = -lowest_floor(-found.delta, baseline, confidence)
    low, high = max(-1.0, min(found.low, floor)), min(1.0, max(found.high, ceiling))
    return found._replace(low=low, high=high, floored=floor < found.low)


def lowest_floor(delta: float, n: float, confidence: float = 0.95) -> float:
    """The lowest difference d that n candidate trials cannot rule out: delta - d = z sqrt(|d|(1-|d|)/n).

    At delta = 0 it is -z²/(n+z²): no failure seen proves 5 points only from n = 52 on. Where the equation
    has several solutions the lowest counts, so that the floor never rises when a failure is added.
    """
    c = z_quantile(confidence) ** 2 / n
    inside = (c - 2 * delta) ** 2 - 4 * (1 + c) * delta**2
    if inside >= 0 and c - 2 * delta > 0:
        return -(c - 2 * delta + math.sqrt(inside)) / (2 * (1 + c))
    return (2 * delta + c - math.sqrt(c * c + 4 * delta * c * (1 - delta))) / (2 * (1 + c))


# --- more failures never help ------------------------------------------------------------------------------


def lowest_without_failures(both: Arms, found: Bounds, confidence: float = 0.95) -> float:
    """The lowest lower bound of tables in which failures of the candidate are taken back, cluster by cluster.

    A t bound alone can rise when a failure is added: a second cluster that varies doubles the degrees of
    freedom, and a gain that is lost takes its spread away. A candidate must not pass for having failed more,
    so a pass needs this one too: the bound itself, those with the clusters' failures taken back one after the
    other (the cheapest or the steadiest first), or of one cluster alone. ``lowest_partly_mended`` looks at
    more tables, where there are few clusters.

    Args:
        both: Arms of 0 and 1.
        found: Their bounds, from ``difference_bounds``.
        confidence: Of the bound.
    """
    taken_back = cluster_sums(1 - row_means(both.candidate), both.clusters)
    if found.error is None or not taken_back.any():
        return found.low
    lowest = _steadier if found.method == "passes" else _less_spread
    return min(found.low, lowest(both, taken_back, confidence))


def _steadier(both: Arms, taken_back: Vector, confidence: float) -> float:
    import numpy as np
    from scipy.special import stdtrit

    before, after = (pass_variances(side, both.clusters) for side in (both.baseline, both.candidate))
    assert before is not None and after is not None
    variances, k = after
    fixed, fixed_squares = before[0].sum(), (before[0] ** 2 / (before[1] - 1)).sum()
    lowest = math.inf
    for order in (np.argsort(variances, kind="stable"), np.lexsort((variances, taken_back))):
        delta = both.differences.mean() + np.cumsum(taken_back[order]) / both.cases
        left = fixed + _after_each(variances[order])
        squares = fixed_squares + _after_each((variances**2 / (k - 1))[order])
        with np.errstate(invalid="ignore", divide="ignore"):
            low = delta - np.sqrt(left) * stdtrit(left**2 / squares, confidence)
        lowest = min(lowest, float(np.nanmin(np.where(squares > 0, low, delta))))
    return lowest


def lowest_partly_mended(both: Arms, found: Bounds, confidence: float = 0.95) -> float:
    """The same where single failures of few clusters are taken back, as many as lower the bound most.

    One cluster after the other gets its best choice, given those of the others: first from the table as it
    is, then from one in which nothing failed. With many clusters, or failures, the degrees of freedom are too
    many for single ones to change the bound much.

    Args:
        both: Arms of 0 and 1.
        found: Their bounds, from ``difference_bounds``.
        confidence: Of the bound.
    """
    import numpy as np

    failures = int((both.candidate == 0).sum())
    if found.method != "passes" or both.groups > _FEW_CLUSTERS or not 0 < failures <= _FEW_FAILURES:
        return found.low
    before = pass_variances(both.baseline, both.clusters)
    assert before is not None
    fixed = np.array([found.delta, before[0].sum(), (before[0] ** 2 / (before[1] - 1)).sum()])
    mended = [_mended(both, group) for group in range(both.groups)]
    return min(found.low, *(_lowest_from(start, fixed, mended, confidence) for start in (0, -1)))


_FEW_CLUSTERS, _FEW_FAILURES, _SWEEPS = 12, 100, 3


def _lowest_from(start: int, fixed: Vector, mended: Sequence[Matrix], confidence: float) -> float:
    chosen, lowest = [each[start] for each in mended], math.inf
    for _ in range(_SWEEPS):
        for group, options in enumerate(mended):
            lows = _lows(fixed + sum(chosen) - chosen[group] + options, confidence)
            chosen[group] = options[lows.argmin()]
            lowest = min(lowest, float(lows.min()))
    return lowest


def _lows(sums: Matrix, confidence: float) -> Vector:
    """Lower bounds, from the difference, the variance and its squares in each row."""
    import numpy as np
    from scipy.special import stdtrit

    delta, variance, squares = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.sqrt(variance) * stdtrit(variance**2 / squares, confidence)
    lows: Vector = delta - np.where(squares > 0, half, 0.0)
    return lows


def _mended(both: Arms, group: int) -> Matrix:
    """What a cluster adds to difference, variance and its squares: as it is, then with failures taken back.

    Pass after pass, the best first; then one by one, those of the best case first.
    """
    import numpy as np

    values = both.candidate[both.clusters == group]
    cases = np.argsort(-row_means(values), kind="stable")
    passes = [(slice(None), column) for column in np.argsort(-np.nansum(values, axis=0), kind="stable")]
    cells = [(row, column) for row in cases for column in np.flatnonzero(values[row] == 0)]
    found = [_adds(values, values)]
    for order in (passes, cells):
        mended = values.copy()
        for spot in order:
            mended[spot] = np.where(np.isnan(mended[spot]), np.nan, 1.0)
            found.append(_adds(values, mended))
    share = len(values) / both.cases
    return np.array(found) * [share, share**2, share**4]


def _adds(values: Matrix, mended: Matrix) -> tuple[float, float, float]:
    import numpy as np

    found = pass_variances(mended, np.zeros(len(mended), dtype=np.intp))
    assert found is not None
    variance = float(found[0][0])
    gain = float(row_means(mended).mean() - row_means(values).mean())
    return gain, variance, variance**2 / (int(found[1][0]) - 1)


def _after_each(parts: Vector) -> Vector:
    """What is left of a sum when its parts are taken away one after the other."""
    import numpy as np

    left: Vector = np.append(np.cumsum(parts[::-1])[::-1][1:], 0.0)
    return left


def _less_spread(both: Arms, taken_back: Vector, confidence: float) -> float:
    import numpy as np

    sums = cluster_sums(both.differences, both.clusters)
    sizes = np.bincount(both.clusters).astype(float)
    order = np.argsort(-taken_back, kind="stable")
    gains = np.concatenate([taken_back, np.cumsum(taken_back[order])])
    squares = (2 * sums + taken_back) * taken_back
    all_squares = (sums**2).sum() + np.concatenate([squares, np.cumsum(squares[order])])
    crossed = taken_back * sizes
    all_crossed = (sums * sizes).sum() + np.concatenate([crossed, np.cumsum(crossed[order])])
    delta = (sums.sum() + gains) / both.cases
    spread = np.maximum(0.0, all_squares - 2 * delta * all_crossed + delta**2 * (sizes**2).sum())
    error = np.sqrt(both.groups / (both.groups - 1) * spread) / both.cases
    return float((delta - t_quantile(confidence, both.groups - 1) * error).min())
