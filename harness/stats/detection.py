"""How well something was recognised: recall and precision with certainty, F1 and kappa as description."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from harness.stats.arms import Labels, Matrix, Vector, cluster_sums
from harness.stats.intervals import Interval, t_quantile, wilson, z_quantile

_RESAMPLES = 2000
_SEED = 20260715


class Share(NamedTuple):
    """A share or an agreement, with its interval; the value is None where there is nothing to divide by."""

    value: float | None
    interval: Interval | None = None

    def as_json(self) -> dict[str, float | None]:
        """Plain JSON."""
        low, high = self.interval or (None, None)
        return {"value": self.value, "low": low, "high": high}


class Detection(NamedTuple):
    """What was recognised of what was there.

    Attributes:
        right: There, and recognised.
        false_alarms: Recognised, and not there.
        missed: There, and not recognised.
        rightly_none: Neither.
        recall: Share of what was there that was recognised.
        precision: Share of what was recognised that was there.
        f1: Their harmonic mean.
        kappa: Cohen's kappa: agreement beyond what chance brings.
    """

    right: int
    false_alarms: int
    missed: int
    rightly_none: int
    recall: Share
    precision: Share
    f1: Share
    kappa: Share

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        counted = {name: getattr(self, name) for name in self._fields[:4]}
        return counted | {name: getattr(self, name).as_json() for name in self._fields[4:]}


def detection(counted: Matrix, clusters: Labels, confidence: float = 0.95) -> Detection:
    """Recall and precision by Wilson's formula, F1 and kappa with a bootstrap of whole clusters.

    Args:
        counted: For each case how often it was right, a false alarm, missed, and rightly none (N x 4).
        clusters: N cluster numbers; what is in one cluster is no independent evidence.
        confidence: Of each interval.
    """
    groups = cluster_sums(counted, clusters)
    groups = groups[groups.sum(axis=1) > 0]
    total = groups.sum(axis=0)
    right, false, missed = groups[:, 0], groups[:, 1], groups[:, 2]
    return Detection(
        right=int(total[0]),
        false_alarms=int(total[1]),
        missed=int(total[2]),
        rightly_none=int(total[3]),
        recall=_share(right, right + missed, confidence),
        precision=_share(right, right + false, confidence),
        f1=_described(groups, _f1, confidence),
        kappa=_described(groups, _kappa, confidence),
    )


def _share(part: Vector, whole: Vector, confidence: float) -> Share:
    """A share of counts that come in clusters, with Wilson's interval of its effective number.

    n_eff = r(1-r)/SE² (z/t_{G-1})² with the linearised error of a ratio of cluster totals, capped at the
    count; the number of clusters where nothing varies. Counts of one each are the plain interval.
    """
    import numpy as np

    part, whole = part[whole > 0], whole[whole > 0]
    if not len(whole):
        return Share(None)
    total, groups = float(whole.sum()), len(whole)
    rate = float(part.sum()) / total
    if groups == total:
        return Share(rate, wilson(rate, total, confidence))
    if groups < 2:
        return Share(rate)
    error = math.sqrt(groups / (groups - 1) * float(np.sum((part - rate * whole) ** 2))) / total
    if error < 1e-12 or rate in (0.0, 1.0):
        return Share(rate, wilson(rate, groups, confidence))
    level = 0.5 + confidence / 2
    n = min(rate * (1 - rate) / error**2, total)
    n *= (z_quantile(level) / t_quantile(level, groups - 1)) ** 2
    return Share(rate, wilson(rate, n, confidence))


def _described(groups: Matrix, measure: Callable[[Matrix], Vector], confidence: float) -> Share:
    """A measure of all clusters, with the percentile interval over clusters drawn anew."""
    import numpy as np

    value = float(measure(groups.sum(axis=0)[None])[0]) if len(groups) else math.nan
    if math.isnan(value):
        return Share(None)
    if len(groups) < 2:
        return Share(value)
    generator = np.random.Generator(np.random.PCG64(_SEED))
    draws = generator.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=_RESAMPLES)
    found = measure(draws @ groups)
    found = found[~np.isnan(found)]
    if not len(found):
        return Share(value)
    tails = (0.5 - confidence / 2, 0.5 + confidence / 2)
    low, high = (float(each) for each in np.quantile(found, tails))
    return Share(value, Interval(low, high))


def _f1(counted: Matrix) -> Vector:
    """2 right / (2 right + false alarms + missed); NaN of nothing."""
    right, false, missed, _ = counted.T
    return _divided(2 * right, 2 * right + false + missed)


def _kappa(counted: Matrix) -> Vector:
    """Cohen's kappa (1960); NaN where both sides always say the same one thing."""
    right, false, missed, none = counted.T
    total = counted.sum(axis=1)
    by_chance = (right + false) * (right + missed) + (missed + none) * (false + none)
    return _divided(total * (right + none) - by_chance, total * total - by_chance)


def _divided(above: Vector, below: Vector) -> Vector:
    import numpy as np

    found: Vector = np.full(len(below), np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found
