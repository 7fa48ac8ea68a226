"""Many trials of one case: how likely all of j pass, and at least one of j."""

from __future__ import annotations

from typing import NamedTuple

from harness.stats.arms import Labels, Matrix, Vector, counts, row_sums
from harness.stats.intervals import clustered_standard_error


class Repeated(NamedTuple):
    """A mean over cases for one number of trials j.

    Attributes:
        value: The mean.
        error: Its clustered standard error; None where there is one cluster.
    """

    value: float
    error: float | None


def pass_hat(values: Matrix, clusters: Labels, j: int) -> Repeated:
    """pass^j: how likely j of j trials of a case pass, averaged over cases.

    Yao et al. 2024 (arXiv 2406.12045): C(c,j)/C(n,j) for c of n passed, unbiased;
    (c/n)^j is not. With c = 4 of n = 5, pass^3 is 0.40.

    Args:
        values: N x k of 0 and 1, NaN where missing; every case has at least j trials.
        clusters: N cluster numbers.
        j: From 1 to the smallest number of trials.
    """
    from scipy.special import comb

    passed, n = row_sums(values), counts(values)
    return _averaged(comb(passed, j) / comb(n, j), clusters)


def pass_at(values: Matrix, clusters: Labels, j: int) -> Repeated:
    """pass@j: how likely at least one of j trials passes, averaged over cases.

    Chen et al. 2021 (arXiv 2107.03374): 1 - C(n-c,j)/C(n,j) for c of n passed; arguments as for ``pass_hat``.
    """
    from scipy.special import comb

    passed, n = row_sums(values), counts(values)
    return _averaged(1 - comb(n - passed, j) / comb(n, j), clusters)


def _averaged(shares: Vector, clusters: Labels) -> Repeated:
    return Repeated(float(shares.mean()), clustered_standard_error(shares, clusters))
