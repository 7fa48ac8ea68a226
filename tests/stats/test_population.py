"""Differences beyond the suite: bounds over clusters and sign flips of whole clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from harness.stats.arms import arms
from harness.stats.intervals import t_quantile
from harness.stats.population import population_difference, sign_flip_p

SUMS = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 1.0]), min_size=2, max_size=9)


@settings(max_examples=30, deadline=None)
@given(SUMS)
def test_few_clusters_are_flipped_in_every_way_as_scipy_does(sums: list[float]) -> None:
    oracle = permutation_test(
        (np.array(sums), np.zeros(len(sums))),
        lambda c, b, axis: (c - b).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        alternative="less",
        n_resamples=np.inf,
    )
    assert sign_flip_p(np.array(sums)) == pytest.approx(oracle.pvalue)


@settings(max_examples=30, deadline=None)
@given(SUMS)
def test_clusters_without_a_difference_change_no_sign_flip(sums: list[float]) -> None:
    assert sign_flip_p(np.array([*sums, 0.0, 0.0])) == sign_flip_p(np.array(sums))


def test_many_clusters_are_flipped_at_random_and_always_in_the_same_way() -> None:
    sums = np.linspace(-1.0, 0.9, 400)
    found = sign_flip_p(sums)
    normal = 0.5 * math.erfc(-sums.sum() / math.sqrt(2 * (sums**2).sum()))
    assert found == sign_flip_p(sums) == pytest.approx(normal, abs=0.02)


def test_bounds_are_students_t_over_clusters_and_few_clusters_are_only_indicative() -> None:
    both = arms(
        [[1, 1]] * 6, [[1, 0], [1, 1], [0, 0], [1, 1], [1, 1], [0, 1]], ["a", "a", "b", "b", "c", "c"]
    )
    found = population_difference(both)
    sums = np.array([-0.5, -1.0, -0.5]) - 2 * found.delta
    half = t_quantile(0.95, 2) * math.sqrt(3 / 2 * float((sums**2).sum())) / 6
    assert found.delta == pytest.approx(-1 / 3)
    assert (found.low, found.high) == pytest.approx((found.delta - half, found.delta + half))
    assert found.p == 1 / 8
    assert found.indicative


def test_a_single_cluster_says_nothing_about_others() -> None:
    found = population_difference(arms([[1]] * 3, [[0]] * 3, ["a"] * 3))
    assert (found.low, found.high, found.p) == (-math.inf, math.inf, 0.5)
