"""A slow decline over many runs: the chart that raises an alarm, and the picture of where a step was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.stats.arms import Matrix, Vector

ARMED_AFTER = 10
"""Runs that the chart learns from before it may raise an alarm."""
ALLOWANCE = 0.5
"""What each run may be lower, in standard deviations, before it counts: the chart looks for shifts of 1."""
THRESHOLD = 4.0
"""The sum at which there is an alarm: without drift after some 340 runs on average, with 5 after some 930."""
_SHORTEST = 2


class Point(NamedTuple):
    """One run on the chart.

    Attributes:
        z: How far it is below the runs before it, in standard deviations; None while the chart learns.
        sum: The cumulated sum after it.
        alarm: Whether the sum has passed the threshold; the chart begins anew with the next run.
    """

    z: float | None
    sum: float
    alarm: bool


def drift_chart(
    means: Sequence[float], errors: Sequence[float], threshold: float = THRESHOLD
) -> tuple[Point, ...]:
    """A self-starting one-sided CUSUM of the means of runs, oldest first (Hawkins 1987, The Statistician 36).

    z_t = (mean_{<t} - x_t) / (sd sqrt(1 + 1/(t-1))), where mean_{<t} is that of the runs before and sd the
    larger of their standard deviation and of what trials alone explain. C_t = max(0, C_{t-1} + z_t - 0.5),
    and C_t > h is an alarm. The chart is armed after ten runs; after an alarm it begins anew with the next.

    Args:
        means: x_t, the suite mean of each run.
        errors: For each run sqrt(v/(N k)), the standard error that its trials alone give its mean, above 0.
        threshold: h.
    """
    points: list[Point] = []
    known: list[float] = []
    total = 0.0
    for mean, error in zip(means, errors, strict=True):
        z = _below(known, mean, error) if len(known) >= ARMED_AFTER else None
        total = 0.0 if z is None else max(0.0, total + z - ALLOWANCE)
        alarm = total > threshold
        points.append(Point(z, total, alarm))
        known.append(mean)
        if alarm:
            known, total = [], 0.0
    return tuple(points)


def _below(known: Sequence[float], mean: float, error: float) -> float:
    n = len(known)
    before = math.fsum(known) / n
    between = math.sqrt(math.fsum((each - before) ** 2 for each in known) / (n - 1))
    return (before - mean) / (max(between, error) * math.sqrt(1 + 1 / n))


def run_means(passed: Matrix, trials: Matrix) -> Vector:
    """The suite mean of each run: the mean over cases of the case's pass rate.

    Args:
        passed: T runs x N cases, how many trials passed.
        trials: T x N, how many were judged; cases with none in a run are left out of its mean.
    """
    import numpy as np

    there = trials > 0
    rates = np.divide(passed, trials, out=np.zeros_like(passed), where=there)
    means: Vector = rates.sum(axis=1) / there.sum(axis=1)
    return means


def trial_errors(passed: Matrix, trials: Matrix) -> Vector:
    """For each run the standard error sqrt(v/(N k)) that its trials alone give its mean.

    v is the mean over cases of c(n-c)/(n(n-1)), by the trials of all earlier runs; at least what it would be
    had one trial among all of them failed, for a suite that never failed is not certain to pass. Where
    numbers of trials differ, 1/(N k) is sum_i 1/n_i / N². The first run, which has none before it, is NaN.

    Args:
        passed: T runs x N cases, how many trials passed.
        trials: T x N, how many were judged.
    """
    import numpy as np

    c, n = (np.vstack([np.zeros(side.shape[1]), np.cumsum(side, axis=0)[:-1]]) for side in (passed, trials))
    repeated = n > 1
    spread = np.divide(c * (n - c), n * (n - 1), out=np.zeros_like(c), where=repeated)
    there = trials > 0
    shares = np.divide(1.0, trials, out=np.zeros_like(spread), where=there).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = 1 / n.sum(axis=1)
        variance = np.fmax(spread.sum(axis=1) / repeated.sum(axis=1), least)
        errors: Vector = np.sqrt(variance * shares) / there.sum(axis=1)
    errors[0] = np.nan
    return errors


class Step(NamedTuple):
    """Where a history falls best into two parts with a mean each.

    Attributes:
        at: Index of the first run of the second part.
        before: Mean of the first part.
        after: Mean of the second part.
        explained: The share of the squared deviations that the two means take away, 0 to 1.
    """

    at: int
    before: float
    after: float
    explained: float


def located_step(means: Sequence[float]) -> Step | None:
    """The change point of a history by least squares; None where nothing varies or runs are too few.

    There always is a best one, also in noise: it is a picture of where to look, and no alarm.

    Args:
        means: Of the runs, oldest first; either part has at least two.
    """
    import numpy as np

    x = np.asarray(means, dtype=float)
    deviations = x - x.mean() if len(x) else x
    total = float((deviations**2).sum())
    if len(x) < 2 * _SHORTEST or total < 1e-12:
        return None
    sizes = np.arange(_SHORTEST, len(x) - _SHORTEST + 1)
    sums = np.cumsum(deviations)[sizes - 1]
    gains = sums**2 * len(x) / (sizes * (len(x) - sizes))  # squared deviations less by cutting there
    at = int(sizes[int(gains.argmax())])
    explained = min(1.0, float(gains.max()) / total)
    return Step(at, float(x[:at].mean()), float(x[at:].mean()), explained)
