"""Which single cases got worse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact
from statsmodels.stats.multitest import multipletests

from harness.stats.arms import arms, counts, row_sums
from harness.stats.cases import (
    CaseTests,
    can_single_out,
    case_tests,
    family_size,
    flaky,
    suspects,
    worse_cases,
)


def broken(cases: int, trials: int, *rows: int):
    after = [[0] * trials if row in rows else [1] * trials for row in range(cases)]
    return arms([[1] * trials] * cases, after)


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_each_case_has_fishers_one_sided_p(before, after, data):
    b, c = data.draw(st.integers(0, before)), data.draw(st.integers(0, after))
    found = case_tests(arms([[1] * b + [0] * (before - b)], [[1] * c + [0] * (after - c)]))
    expected = fisher_exact([[c, after - c], [b, before - b]], alternative="less").pvalue
    assert found.p[0] == pytest.approx(expected)
    assert found.least[0] <= found.p[0] + 1e-12


@pytest.mark.parametrize(
    ("before", "after", "best"), [(3, 3, 0.05), (5, 5, 0.0040), (8, 8, 0.000078), (15, 5, 0.000064)]
)
def test_so_many_trials_can_say_at_best_so_much(before, after, best):
    found = case_tests(arms([[1] * before], [[0] * after]))
    assert found.p[0] == found.least[0] == pytest.approx(best, rel=0.01)


@pytest.mark.parametrize(
    ("before", "after", "can"),
    [(3, 3, False), (4, 4, False), (5, 5, True), (9, 3, True), (8, 4, True), (0, 5, False)],
)
def test_single_cases_count_only_from_enough_trials_on(before, after, can):
    assert can_single_out(before, after, 0.0125) is can


def test_a_broken_case_among_steady_ones_is_found():
    tests = case_tests(broken(300, 8, 17))
    assert worse_cases(tests, 0.0125).tolist() == suspects(tests).tolist() == [17]


def test_three_trials_never_single_out_a_case():
    assert not len(suspects(case_tests(broken(30, 3, 4))))


def test_one_trial_singles_out_nothing():
    assert not len(suspects(case_tests(broken(30, 1, 4))))


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=60), st.sampled_from([0.0125, 0.1]))
def test_the_family_is_the_smallest_that_fits(least, share):
    k = family_size(np.array(least), share)
    assert sum(value <= share / k for value in least) <= k
    assert all(sum(value <= share / smaller for value in least) > smaller for smaller in range(1, k))


@given(st.lists(st.floats(1e-5, 1), min_size=1, max_size=40))
def test_where_all_cases_are_testable_it_is_benjamini_and_hochbergs_procedure(p):
    tests = CaseTests(np.array(p), np.full(len(p), 1e-9))
    expected = np.flatnonzero(multipletests(p, 0.1, method="fdr_bh")[0])
    assert worse_cases(tests, 0.1).tolist() == expected.tolist()


def test_flaky_is_what_showed_both_outcomes():
    values = arms([[1, 0, 1], [1, 1, 1], [0, 0, 0], [1, 0, math.nan]], [[1]] * 4).baseline
    assert flaky(row_sums(values), counts(values)).tolist() == [0, 3]
