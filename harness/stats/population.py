"""A difference beyond the suite: what other conversations like these would show, cluster by cluster."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.stats.arms import Arms, Vector, cluster_sums
from harness.stats.intervals import mean_interval

if TYPE_CHECKING:
    import numpy as np

_RESAMPLES = 9999
_LISTED = 13  # 2^13 flips are fewer than are drawn
_AT_ONCE = 4_000_000
_SEED = 20260714
_ENOUGH_CLUSTERS = 10
_TOLERANCE = 1e-12


class PopulationDifference(NamedTuple):
    """How a candidate differs from a baseline on conversations like these.

    Attributes:
        delta: Mean over cases of the difference of their means.
        low: Lower bound, one-sided 95 %; -inf where there is one cluster.
        high: Upper bound, one-sided 95 %.
        p: One-sided p of "lower" by sign flips of whole clusters.
        clusters: How many there are.
    """

    delta: float
    low: float
    high: float
    p: float
    clusters: int

    @property
    def indicative(self) -> bool:
        """Whether there are too few clusters for more than a hint."""
        return self.clusters < _ENOUGH_CLUSTERS


def population_difference(both: Arms, confidence: float = 0.95) -> PopulationDifference:
    """The difference in population scope: noise of trials, of cases and of clusters.

    Bounds are Student's t of cluster sums with G-1 degrees of freedom (Cameron and Miller 2015); p is the
    sign-flip test of the cluster sums, with every flip up to 2^13 of them and 9,999 drawn ones beyond.

    Args:
        both: Arms of which every case has a trial in each.
        confidence: Of each bound.
    """
    d = both.differences
    found = mean_interval(d, both.clusters, 2 * confidence - 1)
    low, high = found if found else (-math.inf, math.inf)
    return PopulationDifference(
        float(d.mean()), low, high, sign_flip_p(cluster_sums(d, both.clusters)), both.groups
    )


def sign_flip_p(sums: Vector) -> float:
    """One-sided p of "their total is below 0" when each may as well have the other sign.

    As ``scipy.stats.permutation_test((c, b), ..., permutation_type="samples", alternative="less")`` with the
    difference of means: exact for few sums, (1 + #) / (1 + n) for drawn flips.

    Args:
        sums: One number a cluster; zeros change nothing.
    """
    import numpy as np

    kept = sums[sums != 0]
    if not len(kept):
        return 1.0
    total, slack = float(kept.sum()), _TOLERANCE * float(np.abs(kept).sum())
    if len(kept) <= _LISTED:
        places = np.arange(1 << len(kept))[:, None] >> np.arange(len(kept))
        return float(np.mean(_flipped(places & 1, kept) <= total + slack))
    generator = np.random.Generator(np.random.PCG64(_SEED))
    below = sum(_drawn(generator, kept, rows, total + slack) for rows in _batches(len(kept)))
    return (1 + below) / (1 + _RESAMPLES)


def _batches(width: int) -> list[int]:
    most = max(1, _AT_ONCE // width)
    whole, rest = divmod(_RESAMPLES, most)
    return [most] * whole + [rest] * (rest > 0)


def _drawn(generator: np.random.Generator, sums: Vector, rows: int, most: float) -> int:
    import numpy as np

    flips = generator.integers(0, 2, size=(rows, len(sums)), dtype=np.int8)
    return int((_flipped(flips, sums) <= most).sum())


def _flipped(flips: Any, sums: Vector) -> Vector:
    """The totals when the numbers that are marked 1 keep their sign and the others change it."""
    total: Vector = 2 * (flips.astype(float) @ sums) - sums.sum()
    return total
