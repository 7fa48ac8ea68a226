"""Intervals of one rate, against published values, scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from harness.stats.arms import labels, matrix
from harness.stats.intervals import (
    clustered_standard_error,
    exact_bounds,
    mean_interval,
    pass_noise,
    population_interval,
    score_interval,
    suite_interval,
    tango,
    wilson,
)

FIVES = np.arange(30) // 5


def passes(*failures: int, cases: int = 30) -> np.ndarray:
    values = np.ones((cases, 1))
    values[list(failures)] = 0
    return values


def test_27_of_30_has_the_published_wilson_interval():
    assert wilson(27 / 30, 30) == pytest.approx((0.744, 0.965), abs=5e-4)


@given(st.integers(1, 400), st.data())
def test_wilson_is_that_of_scipy_and_statsmodels(n, data):
    passed = data.draw(st.integers(0, n))
    ours = wilson(passed / n, n)
    assert ours == pytest.approx(tuple(binomtest(passed, n).proportion_ci(method="wilson")), abs=1e-12)
    assert ours == pytest.approx(proportion_confint(passed, n, method="wilson"), abs=1e-12)


def test_a_hard_promise_has_an_exact_bound():
    assert exact_bounds(30, 30).low == pytest.approx(0.905, abs=5e-4)
    assert exact_bounds(59, 59).low >= 0.95
    assert exact_bounds(0, 60).high == pytest.approx(1 - 0.05 ** (1 / 60))


def test_exact_one_sided_bounds_at_97_5_percent_are_clopper_and_pearson():
    assert exact_bounds(27, 30, 0.975) == pytest.approx(proportion_confint(27, 30, method="beta"), abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4)), min_size=3, max_size=40).filter(
        lambda rows: len({cluster for _, cluster in rows}) > 1
    )
)
@settings(deadline=None, max_examples=40)
def test_the_clustered_error_is_that_of_a_regression_on_one(rows):
    means = np.array([mean for mean, _ in rows])
    clusters = labels([cluster for _, cluster in rows], len(rows))
    groups = clusters.max() + 1
    fit = OLS(means, np.ones(len(means))).fit(
        cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}
    )
    expected = fit.bse[0] * math.sqrt(groups / (groups - 1))
    assert clustered_standard_error(means, clusters) == pytest.approx(expected, abs=1e-9)


def test_failures_of_one_topic_leave_the_population_rate_wide_open():
    assert population_interval(passes(0, 1, 2), FIVES) == pytest.approx((0.47, 0.99), abs=5e-3)
    assert population_interval(passes(0, 5, 10), FIVES) == pytest.approx((0.68, 0.97), abs=5e-3)


def test_one_trial_a_case_without_clusters_is_the_plain_wilson_interval():
    assert population_interval(passes(0, 1, 2), np.arange(30)) == wilson(0.9, 30)


def test_repeating_steady_cases_says_nothing_new_of_the_population():
    once = population_interval(passes(0, 1, 2), np.arange(30))
    often = population_interval(np.repeat(passes(0, 1, 2), 5, axis=1), np.arange(30))
    assert often.low <= once.low + 0.01
    assert often.high >= once.high - 0.01


def test_all_passed_counts_as_many_trials_as_there_are_clusters():
    assert population_interval(np.ones((30, 5)), FIVES) == wilson(1.0, 6)


def test_one_cluster_tried_often_says_nothing_of_the_population():
    assert population_interval(matrix([[1, 0], [1, 1]]), np.zeros(2, dtype=int)) is None


@given(st.lists(st.lists(st.integers(0, 1), min_size=3, max_size=3), min_size=2, max_size=20))
def test_a_rerun_of_the_suite_is_never_known_better_than_all_its_trials_allow(rows):
    values = matrix(rows)
    found, plain = suite_interval(values, np.arange(len(rows))), wilson(values.mean(), values.size)
    assert found.low <= plain.low + 1e-9
    assert found.high >= plain.high - 1e-9


def test_noise_between_passes_is_the_same_with_and_without_a_column_of_nothing():
    values = matrix([[1, 0, 1], [1, 1, 0]])
    wider = np.hstack([values, np.full((2, 1), np.nan)])
    clusters = np.zeros(2, dtype=int)
    assert pass_noise(wider, clusters) == pytest.approx(pass_noise(values, clusters))


def test_noise_is_unknown_where_a_case_was_tried_once():
    assert pass_noise(matrix([[1, 0], [1]]), np.arange(2)) is None


def test_a_mean_has_students_interval():
    found = mean_interval(np.array([1.0, 2.0, 3.0, 4.0]), np.arange(4))
    half = 3.182446 * math.sqrt(5 / 3) / 2
    assert found == pytest.approx((2.5 - half, 2.5 + half), abs=1e-5)
    assert mean_interval(np.array([1.0, 2.0]), np.zeros(2, dtype=int)) is None


@pytest.mark.parametrize(
    ("n", "lost", "gained", "confidence", "expected"),
    [
        (21, 7, 1, 0.95, (-0.5172, -0.0260)),
        (30, 6, 1, 0.90, (-0.3181, -0.0259)),
        (10, 0, 0, 0.90, (-0.2129, 0.2129)),
    ],
)
def test_the_score_interval_of_pairs_has_its_published_values(n, lost, gained, confidence, expected):
    assert tango(n, lost, gained, confidence) == pytest.approx(expected, abs=5e-5)


@given(st.integers(1, 60), st.data())
@settings(deadline=None, max_examples=60)
def test_pairs_read_backwards_have_the_mirrored_interval(n, data):
    lost = data.draw(st.integers(0, n))
    gained = data.draw(st.integers(0, n - lost))
    there, back = tango(n, lost, gained), tango(n, gained, lost)
    assert there == pytest.approx((-back.high, -back.low), abs=1e-9)
    assert there.low - 1e-9 <= (gained - lost) / n <= there.high + 1e-9


@given(st.integers(2, 40), st.data())
@settings(deadline=None, max_examples=60)
def test_one_more_lost_pair_never_raises_the_interval(n, data):
    lost = data.draw(st.integers(0, n - 1))
    gained = data.draw(st.integers(0, n - lost - 1))
    assert tango(n, lost + 1, gained).low <= tango(n, lost, gained).low + 1e-9


@pytest.mark.parametrize("score", [0.0, 0.7, 1.0])
def test_scores_that_never_vary_leave_an_interval_of_so_many_trials(score):
    found = score_interval(np.full(10, score), np.arange(10))
    assert found == pytest.approx(wilson(score, 10))


def test_scores_that_vary_have_an_interval_within_what_scores_can_be():
    found = score_interval(np.array([1.0, 1.0, 0.9]), np.arange(3))
    assert found.low < 0.9
    assert found.high == 1.0


def test_equal_rates_of_cases_are_worth_one_trial_for_each_case():
    found = population_interval(np.array([[1.0, 1.0, 0.0]] * 10), np.arange(10))
    assert found == pytest.approx(wilson(2 / 3, 10))
