"""Which single cases got worse: one test a case, and what is left of them after many comparisons."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from harness.stats.arms import Arms, Labels, Vector, counts, row_sums

SUSPECT_SHARE = 0.10
"""False-discovery rate of the list of suspects."""
_WORTH_NAMING = 0.05
"""Nothing is named whose own p is not below this: 3+3 trials, whose best is 0.05, prove nothing."""


class CaseTests(NamedTuple):
    """One test for every case.

    Attributes:
        p: P(as few or fewer candidate passes | passes of both arms): Fisher's exact test, one-sided.
        least: The smallest p that was possible at these totals.
    """

    p: Vector
    least: Vector


def case_tests(both: Arms) -> CaseTests:
    """Fisher's exact test of "worse" for each case, from its own trials of passes and failures.

    p_i = hypergeom.cdf(c_C, n_B+n_C, c_B+c_C, n_C) in scipy's terms, by whole numbers, since a suite has few
    different totals and loading ``scipy.stats`` takes longer than the gate; the smallest that can be reached
    at these totals is that of max(0, c_B+c_C-n_B) passes.

    Args:
        both: Arms of 0 and 1, NaN where missing.
    """
    import numpy as np

    sides = (both.baseline, both.candidate)
    totals = np.stack([each for side in sides for each in (row_sums(side), counts(side))]).astype(int)
    kinds, of = np.unique(totals, axis=1, return_inverse=True)
    found = np.array([_fisher(*kind) for kind in kinds.T.tolist()])[of.ravel()]
    return CaseTests(found[:, 0], found[:, 1])


@lru_cache(maxsize=10_000)
def _fisher(before: int, n_before: int, after: int, n_after: int) -> tuple[float, float]:
    """The p of so many passed trials of so many, and the smallest at these totals."""
    passed, failed = before + after, n_before + n_after - before - after
    fewest = max(0, passed - n_before)
    ways = [math.comb(passed, k) * math.comb(failed, n_after - k) for k in range(fewest, after + 1)]
    everything = math.comb(n_before + n_after, n_after)
    return sum(ways) / everything, ways[0] / everything


def worse_cases(tests: CaseTests, share: float) -> Labels:
    """The cases that got worse, with false discoveries held to ``share`` of them; row numbers.

    Only cases whose smallest possible p is small enough are a family at all (Tarone 1990): K is the smallest
    number with #{least <= share/K} <= K. Benjamini and Hochberg's procedure with divisor K decides among
    them (Gilbert 2005). Over all cases it would be blind, for stable cases can never be named and fill the
    family.
    """
    import numpy as np

    family = family_size(tests.least, share)
    rows = np.flatnonzero(tests.least <= share / max(family, 1) * (1 + 1e-9))
    order = rows[np.argsort(tests.p[rows], kind="stable")]
    ranks = np.arange(1, len(order) + 1)
    passed = np.flatnonzero(tests.p[order] <= ranks * share / max(family, 1) * (1 + 1e-9))
    found: Labels = np.sort(order[: passed[-1] + 1]) if len(passed) else order[:0]
    return found


def family_size(least: Vector, share: float) -> int:
    """Tarone's K: the smallest number with #{least <= share/K} <= K, at least 1."""
    import numpy as np

    ordered = np.sort(least)
    for k in range(1, len(ordered) + 1):
        if np.searchsorted(ordered, share / k * (1 + 1e-9), side="right") <= k:
            return k
    return max(1, len(ordered))


def suspects(tests: CaseTests) -> Labels:
    """The cases to look at first: false-discovery rate 10 %, and each with evidence of its own."""
    found = worse_cases(tests, SUSPECT_SHARE)
    kept: Labels = found[tests.p[found] < _WORTH_NAMING * (1 - 1e-9)]
    return kept


def can_single_out(baseline_trials: int, candidate_trials: int, level: float) -> bool:
    """Whether so many trials can prove one case broken at half the level: 1/C(kB+kC, kC) <= level/2."""
    if not (baseline_trials and candidate_trials):
        return False
    return 1 / math.comb(baseline_trials + candidate_trials, candidate_trials) <= level / 2


def flaky(values: Vector, n: Labels) -> Labels:
    """The cases with both outcomes among the trials of one variant: 0 < passed < n. Row numbers."""
    import numpy as np

    found: Labels = np.flatnonzero((values > 0) & (values < n))
    return found
