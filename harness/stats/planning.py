"""What a suite can see, and how many trials it takes to see more."""

from __future__ import annotations

import math

from harness.stats.intervals import z_quantile

POWER = 0.80
USUAL_VARIANCE = 0.07
"""Within-case variance where no case was tried twice: that of a suite with a third of its cases flaky."""
_MOST_TRIALS = 1_000_000


def smallest_drop(
    cases: int,
    baseline_trials: float,
    candidate_trials: float,
    variance: float,
    alpha: float,
    power: float = POWER,
) -> float | None:
    """The smallest drop of the pass rate that is found with the given power; None when even 1 is not.

    The d of d² = (z_{1-alpha} + z_power)² (v/kB + (v + d(1-d))/kC) / N; the term d(1-d) is there because a
    drop makes stable cases vary.

    Args:
        cases: N.
        baseline_trials: kB, trials a case.
        candidate_trials: kC.
        variance: v, the mean variance between trials of one case.
        alpha: Level of the one-sided test.
        power: How often it is found.
    """
    reach = (z_quantile(1 - alpha) + z_quantile(power)) ** 2 / cases
    # d² = reach (v/kB + (v+d-d²)/kC) is a quadratic in d with one root above 0.
    a = 1 + reach / candidate_trials
    b = -reach / candidate_trials
    c = -reach * variance * (1 / baseline_trials + 1 / candidate_trials)
    drop = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)
    return drop if drop <= 1 else None


def trials_needed(
    cases: int, drop: float, variance: float, alpha: float = 0.05, power: float = POWER
) -> int | None:
    """Trials per case and arm to find a drop: ceil((z_{1-alpha} + z_power)² (2v + d(1-d)) / (N d²)).

    None beyond a million, which nobody runs.

    Args:
        cases: N.
        drop: d, in (0, 1].
        variance: v, as above.
        alpha: Level of the one-sided test.
        power: How often the drop is found.
    """
    reach = (z_quantile(1 - alpha) + z_quantile(power)) ** 2
    return _whole(reach * (2 * variance + drop * (1 - drop)) / cases / drop, drop)


def trials_to_pass(
    cases: int, margin: float, variance: float, level: float = 0.05, power: float = POWER
) -> int | None:
    """Trials per case and arm until an unchanged suite is proven not worse than ``margin``.

    Two things have to be small enough: the noise, (z_{1-level} + z_power)² 2v / (N margin²), and the floor
    that no failure leaves, z²(1-margin) / (margin N), which is 52 trials for 5 points at the 5 % level.
    """
    z = z_quantile(1 - level)
    noise = (z + z_quantile(power)) ** 2 * 2 * variance / cases / margin
    floor = z * z * (1 - margin) / cases
    return _whole(max(noise, floor), margin)


def _whole(share: float, by: float) -> int | None:
    """``share / by`` as a number of trials, rounded up."""
    if share > _MOST_TRIALS * by:
        return None
    return max(1, math.ceil(share / by - 1e-9))
