"""Looking before all trials are in: the level of every look of a plan."""

from __future__ import annotations

from functools import lru_cache

from harness.stats.arms import Vector

_GRID = 4001
_FAR = 8.0


@lru_cache(maxsize=128)
def spending_levels(passes: int, alpha: float = 0.05) -> tuple[float, ...]:
    """The levels of looks after passes 2, 3 ... K of a plan of K passes: alpha (t/K)² is spent by look t.

    Lan and DeMets 1983: the boundary of each look is set so that sums of t normal steps, not stopped before,
    cross it for the first time with the probability that is to be spent there. The density of those not yet
    stopped is carried from look to look on a grid. K = 3 gives .0222 .0417, K = 4 .0125 .0227 .0387.

    Args:
        passes: K, the passes planned before the first look, at least 2.
        alpha: One-sided level of all looks together.
    """
    import numpy as np
    from scipy.special import ndtr

    shares = [alpha * (t / passes) ** 2 for t in range(1, passes + 1)]
    levels = [shares[1]]
    sums = np.linspace(-_FAR * passes**0.5, _FAR * passes**0.5, _GRID)
    density = np.exp(-(sums**2) / 4) / np.sqrt(4 * np.pi)
    bound = _z(levels[0]) * np.sqrt(2)
    for t in range(3, passes + 1):
        moved = _next_density(sums, density, bound)
        bound = _bound(sums, moved, shares[t - 1] - shares[t - 2])
        levels.append(float(ndtr(-bound / np.sqrt(t))))
        density = moved
    return tuple(levels)


def _z(level: float) -> float:
    from scipy.special import ndtri

    return -float(ndtri(level))


def _next_density(sums: Vector, density: Vector, bound: float) -> Vector:
    """The density of the sums one normal step later, of those that are below the bound now.

    The last cell under the bound counts in part, so that the grid's width does not show.
    """
    import numpy as np

    step = sums[1] - sums[0]
    kept = np.clip((bound - sums) / step + 0.5, 0.0, 1.0)
    offsets = np.arange(-int(_FAR / step), int(_FAR / step) + 1) * step
    kernel = np.exp(-(offsets**2) / 2) / np.sqrt(2 * np.pi) * step
    moved: Vector = np.convolve(density * kept, kernel, mode="same")
    return moved


def _bound(sums: Vector, density: Vector, spent: float) -> float:
    """Above which the density holds what may be spent."""
    import numpy as np

    step = sums[1] - sums[0]
    above = np.cumsum(density[::-1])[::-1] * step
    edges = sums - step / 2  # `above` counts from the lower edge of its cell
    return float(np.interp(-spent, -above, edges))
