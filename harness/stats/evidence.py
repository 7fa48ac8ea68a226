"""Evidence that may be looked at after every pass, for as long as one likes: wealth of bets on a drop."""

from __future__ import annotations

import math
from typing import Any

from harness.stats.arms import Arms, Matrix, cluster_sums
from harness.stats.bounds import Bounds

STAKES = tuple(twentieth / 20 for twentieth in range(1, 20))
"""Shares of the wealth that are staked on every block: small ones win where much varies, large ones where
hardly anything does."""
_EXACT = 1e-9


def evidence_of_drop(both: Arms) -> float:
    """E: what a bet of 1 against "nothing got worse" has become; at most 1 on average while that is true.

    Each pass and block g multiplies it by 1 - l x, x the sum of the block's differences over the size of the
    largest block, averaged over the stakes l. By Ville's inequality it ever reaches 1/alpha with a chance of
    at most alpha, whoever stops whenever for whatever reason: 1/E is a p that holds at every look
    (Waudby-Smith and Ramdas 2024).

    Args:
        both: Arms with values from 0 to 1; pass t of one is paired with pass t of the other.
    """
    return math.exp(min(700.0, _log_wealth(_Steps.of(both).above(0.0, -1.0))))


def lasting_bounds(both: Arms, confidence: float = 0.95) -> Bounds:
    """Bounds of the difference that hold at all looks together, each one-sided at ``confidence``.

    The lower bound is the largest L that a bet on "the mean difference is above L" has refuted to be too
    high: blocks multiply the wealth by 1 + l (x - L n_g/n), which is at most 1 on average where the suite's
    mean is L or less, however it is spread over cases, since a geometric mean is never above the
    arithmetic one. The upper bound is the mirror image.

    Args:
        both: Arms with values from 0 to 1.
        confidence: Of each bound.
    """
    steps = _Steps.of(both)
    needed = -math.log(1 - confidence)
    low, high = _lowest(steps, needed), -_lowest(steps.mirrored(), needed)
    return Bounds(float(both.differences.mean()), low, high, None, None, "always valid")


class _Steps:
    """For each block and pass the sum of its cases' differences, and how many cases it has there.

    Both are in parts of the largest block, so that no step is longer than 1.
    """

    def __init__(self, sums: Matrix, sizes: Matrix) -> None:
        self.sums = sums
        self.sizes = sizes

    @classmethod
    def of(cls, both: Arms) -> _Steps:
        import numpy as np

        passes = min(both.baseline.shape[1], both.candidate.shape[1])
        moved = both.candidate[:, :passes] - both.baseline[:, :passes]
        there = ~np.isnan(moved)
        largest = float(np.bincount(both.clusters).max())
        sums = cluster_sums(np.where(there, moved, 0.0), both.clusters) / largest
        return cls(sums, cluster_sums(there.astype(float), both.clusters) / largest)

    def mirrored(self) -> _Steps:
        return _Steps(-self.sums, self.sizes)

    def above(self, difference: float, sign: float = 1.0) -> Matrix:
        """How far each step is above what such a mean difference leads one to expect; never below -1."""
        moved: Matrix = sign * (self.sums - difference * self.sizes) / max(1.0, 1.0 + difference)
        return moved


def _log_wealth(steps: Any) -> float:
    import numpy as np

    logs = [float(np.log1p(stake * steps).sum()) for stake in STAKES]
    most = max(logs)
    return most + math.log(sum(math.exp(log - most) for log in logs) / len(logs))


def _lowest(steps: _Steps, needed: float) -> float:
    """The largest difference below which the truth hardly lies; -1 where nothing is refuted yet."""
    from scipy.optimize import brentq

    def won(difference: float) -> float:
        return _log_wealth(steps.above(difference)) - needed

    if won(-1.0) < 0:
        return -1.0
    return 1.0 if won(1.0) >= 0 else float(brentq(won, -1.0, 1.0, xtol=_EXACT))
