"""The test of "nothing changed": under no change the passes of both variants can be exchanged.

Whole columns are exchanged within each cluster, so that a fault that hits all conversations of a topic in
one pass counts once. One test for any number of trials.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from harness.stats.arms import Arms, Labels, Matrix, Vector, cluster_sums, row_means

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 9999
_SEED = 20260601
_NEGLIGIBLE = 1e-30
_SPLITS_LISTED = 200_000
_BITS = 10
_WORD = 63  # bits of a number that are no sign


class Exchange(NamedTuple):
    """Where the observed sum of the candidate's passes lies among all exchanges.

    Attributes:
        below: P(S* < s).
        equal: P(S* = s).
    """

    below: float
    equal: float

    @property
    def mid_p(self) -> float:
        """One-sided p of "worse": ties count half (Fagerland et al. 2013)."""
        return min(1.0, self.below + 0.5 * self.equal)


def exchange_test(both: Arms) -> Exchange:
    """The exact test for passes and failures, every case tried kB and kC times.

    For cluster g let v_g be the number of its cases passed in each of the K = kB+kC passes, and S the sum of
    the candidate's columns. All C(K,kC) ways to draw kC of v_g without replacement are equally likely; their
    sums are counted by a dynamic programme over (number drawn, sum) and convolved over g (Mehta, Patel and
    Gray 1985). With one trial and no clusters it is McNemar's exact test, without clusters the exact
    Cochran-Mantel-Haenszel test. No random numbers.

    Args:
        both: Complete arms of 0 and 1; at least one trial in each.
    """
    import numpy as np

    columns = cluster_sums(np.hstack([both.baseline, both.candidate]), both.clusters).astype(int)
    drawn = both.candidate.shape[1]
    moving = columns[(columns != columns[:, :1]).any(axis=1)]
    observed = int(moving[:, columns.shape[1] - drawn :].sum())
    rows = Counter(tuple(sorted(row)) for row in moving.tolist())
    lowest, chances = _convolved([_power(_draws(row, drawn), times) for row, times in sorted(rows.items())])
    place = observed - lowest
    equal = float(chances[place]) if 0 <= place < len(chances) else 0.0
    return Exchange(float(chances[: max(0, place)].sum()), equal)


class _Chances(NamedTuple):
    """A distribution over whole numbers from ``lowest`` on."""

    lowest: int
    chances: Vector


def _draws(row: tuple[int, ...], drawn: int) -> _Chances:
    """The sum of ``drawn`` of these numbers, drawn without replacement."""
    import numpy as np

    least = min(row)
    width = sum(sorted(value - least for value in row)[-drawn:]) + 1
    ways = np.zeros((drawn + 1, width))
    ways[0, 0] = 1
    for value in row:
        shift = value - least
        if shift < width:
            ways[1:, shift:] += ways[:-1, : width - shift].copy()
    return _trimmed(_Chances(least * drawn, ways[drawn] / math.comb(len(row), drawn)))


def _power(one: _Chances, times: int) -> _Chances:
    """The sum of so many independent draws."""
    if times == 1:
        return one
    half = _power(one, times // 2)
    double = _added(half, half)
    return _added(double, one) if times % 2 else double


def _convolved(parts: list[_Chances]) -> _Chances:
    """The sum of all; two by two, so that no long row meets many short ones."""
    import numpy as np

    if not parts:
        return _Chances(0, np.ones(1))
    while len(parts) > 1:
        pairs = [_added(*parts[place : place + 2]) for place in range(0, len(parts) - 1, 2)]
        parts = pairs + parts[len(pairs) * 2 :]
    return parts[0]


def _added(one: _Chances, other: _Chances) -> _Chances:
    import numpy as np

    return _trimmed(_Chances(one.lowest + other.lowest, np.convolve(one.chances, other.chances)))


def _trimmed(sums: _Chances) -> _Chances:
    """Without the ends that are next to impossible: what is left of them could not change any verdict."""
    import numpy as np

    kept = np.flatnonzero(sums.chances > _NEGLIGIBLE)
    first, last = int(kept[0]), int(kept[-1])
    return _Chances(sums.lowest + first, sums.chances[first : last + 1])


# --- any other data -------------------------------------------------------------------------------------


def relabelling_p(both: Arms, *, resamples: int = RESAMPLES, seed: int = _SEED) -> float:
    """One-sided p of "worse" by drawing relabellings: for scores, costs, and where trials are missing.

    Whole columns are relabelled within each cluster, and the mean of the case differences is formed anew;
    p = (1 + #{as low or lower}) / (1 + resamples). A pass in which a cluster has no trial at all is left out
    there; a case that a relabelling leaves without trials of one arm counts as unchanged in it. The seed is
    fixed and clusters are taken in an order of their values, so neither rows nor names decide.

    Args:
        both: Arms of any numbers; every case has a trial in each arm.
        resamples: Relabellings drawn.
        seed: Of the generator (PCG64).
    """
    import numpy as np

    blocks = sorted((block for block in _blocks(both) if block.varies), key=lambda block: block.key)
    if not blocks:
        return 1.0
    generator = np.random.Generator(np.random.PCG64(seed))
    total = np.zeros(resamples)
    for block in blocks:
        total += block.relabelled(generator, resamples)
    observed = sum(block.observed for block in blocks)
    tolerance = 1e-9 * max(1.0, abs(observed))
    return (1 + int((total <= observed + tolerance).sum())) / (1 + resamples)


class _Block(NamedTuple):
    """One cluster: its cases' trials, the candidate's last."""

    values: Matrix
    drawn: int

    @property
    def passes(self) -> int:
        return int(self.values.shape[1])

    @property
    def varies(self) -> bool:
        import numpy as np

        spread = np.nanmax(self.values, axis=1) - np.nanmin(self.values, axis=1)
        return bool((spread > 0).any())

    @property
    def key(self) -> tuple[int, int, int, bytes]:
        return (len(self.values), self.passes, self.drawn, self.values.tobytes())

    @property
    def observed(self) -> float:
        kept = self.passes - self.drawn
        return float((row_means(self.values[:, kept:]) - row_means(self.values[:, :kept])).sum())

    def relabelled(self, generator: np.random.Generator, resamples: int) -> Vector:
        """For each of so many relabellings the sum over cases of the difference of means."""
        import numpy as np

        there = ~np.isnan(self.values)
        if there.all():
            columns: Vector = self.values.sum(axis=0)
            drawn = _drawn_sums(generator, columns, self.drawn, resamples)
            total = columns.sum()
            complete: Vector = drawn / self.drawn - (total - drawn) / (self.passes - self.drawn)
            return complete
        return self._relabelled_in_part(_masks(generator, self.passes, self.drawn, resamples), there)

    def _relabelled_in_part(self, masks: Matrix, there: NDArray[np.bool_]) -> Vector:
        import numpy as np

        filled = np.where(there, self.values, 0.0)
        n, sums = masks @ there.T.astype(float), masks @ filled.T
        rest_n, rest = there.sum(axis=1) - n, filled.sum(axis=1) - sums
        usable = (n > 0) & (rest_n > 0)
        difference = sums / np.maximum(n, 1) - rest / np.maximum(rest_n, 1)
        total: Vector = np.where(usable, difference, 0.0).sum(axis=1)
        return total


def _blocks(both: Arms) -> list[_Block]:
    import numpy as np

    order = np.argsort(both.clusters, kind="stable")
    ends = np.cumsum(np.bincount(both.clusters))[:-1]
    return [_block(both.baseline[rows], both.candidate[rows]) for rows in np.split(order, ends)]


def _block(baseline: Matrix, candidate: Matrix) -> _Block:
    import numpy as np

    one, other = (side[:, ~np.isnan(side).all(axis=0)] for side in (baseline, candidate))
    values = np.hstack([one, other])
    rows = sorted(range(len(values)), key=lambda row: values[row].tobytes())
    return _Block(values[rows], other.shape[1])


def _drawn_sums(generator: np.random.Generator, columns: Vector, drawn: int, resamples: int) -> Vector:
    """For each relabelling the sum of the columns that are the candidate's.

    A choice of columns is a number of so many bits; ten at a time are looked up in a table of their sums.
    """
    import numpy as np

    if not _listed(len(columns), drawn):
        summed: Vector = _masks(generator, len(columns), drawn, resamples) @ columns
        return summed
    codes = _splits(len(columns), drawn)[generator.integers(0, math.comb(len(columns), drawn), resamples)]
    total: Vector = np.zeros(resamples)
    for first in range(0, len(columns), _BITS):
        part = columns[first : first + _BITS]
        table = _bits(np.arange(1 << len(part)), len(part)) @ part
        total += table[(codes >> first) & ((1 << len(part)) - 1)]
    return total


def _masks(generator: np.random.Generator, passes: int, drawn: int, resamples: int) -> Matrix:
    """Relabellings: 1 where a column is the candidate's, each choice of columns equally likely."""
    import numpy as np

    if _listed(passes, drawn):
        listed = _splits(passes, drawn)
        return _bits(listed[generator.integers(0, len(listed), resamples)], passes)
    chosen = np.argpartition(generator.random((resamples, passes)), drawn - 1, axis=1)[:, :drawn]
    masks: Matrix = np.zeros((resamples, passes))
    np.put_along_axis(masks, chosen, 1.0, axis=1)
    return masks


def _listed(passes: int, drawn: int) -> bool:
    """Whether all choices are few enough to be listed, each as a number of so many bits."""
    return passes < _WORD and math.comb(passes, drawn) <= _SPLITS_LISTED


@lru_cache(maxsize=512)
def _splits(passes: int, drawn: int) -> Labels:
    """Every choice of ``drawn`` of so many columns, as bits; kept, for all clusters need the same.

    Those with the first column come first, then those without it, each in the order of the columns left.
    """
    import numpy as np

    if drawn in (0, passes):
        return np.array([(1 << drawn) - 1], dtype=np.intp)
    return np.concatenate([1 + 2 * _splits(passes - 1, drawn - 1), 2 * _splits(passes - 1, drawn)])


def _bits(codes: Labels, passes: int) -> Matrix:
    """Choices as rows of 0 and 1."""
    import numpy as np

    rows: Matrix = ((codes[:, None] >> np.arange(passes)) & 1).astype(float)
    return rows
