"""Bounds of a difference: golden values, floors, and that more failures never help."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from stats.examples import BASELINE, CANDIDATE, PAIRS, suites

from harness.stats.arms import Arms, arms
from harness.stats.bounds import difference_bounds, lowest_floor, lowest_without_failures
from harness.stats.intervals import tango, z_quantile


def test_six_cases_taken_one_by_one():
    found = difference_bounds(arms(BASELINE, CANDIDATE))
    assert (found.delta, found.error, found.df) == pytest.approx((-0.22222, 0.146986, 14), abs=5e-6)
    assert (found.low, found.high) == pytest.approx((-0.48111, 0.03667), abs=5e-6)
    assert found.method == "passes"


def test_six_cases_taken_by_cluster():
    found = difference_bounds(arms(BASELINE, CANDIDATE, PAIRS))
    assert (found.error, found.df) == pytest.approx((0.175682, 7.14286), abs=5e-6)
    assert (found.low, found.high) == pytest.approx((-0.55407, 0.10962), abs=5e-6)


def test_pairs_without_clusters_have_tangos_interval():
    found = difference_bounds(arms([[1]] * 6 + [[0]] + [[1]] * 23, [[0]] * 6 + [[1]] + [[1]] * 23))
    assert (found.low, found.high) == pytest.approx(tuple(tango(30, 6, 1, 0.90)))
    assert found.method == "tango"


def test_one_trial_in_topics_rests_on_the_topics():
    found = difference_bounds(arms([[1]] * 10, [[1]] * 8 + [[0]] * 2, [case // 2 for case in range(10)]))
    assert (found.method, found.df) == ("clusters", 4)
    assert found.delta == pytest.approx(-0.2)


def test_one_cluster_tried_once_leaves_everything_open():
    found = difference_bounds(arms([[1], [1]], [[1], [1]], ["a", "a"]))
    assert (found.low, found.high) == (-1.0, 1.0)


@pytest.mark.parametrize(("trials", "points"), [(52, 0.05), (25, 0.10), (133, 0.02)])
def test_so_many_trials_without_a_failure_prove_so_many_points(trials, points):
    assert lowest_floor(0, trials) > -points
    assert lowest_floor(0, trials - 1) <= -points


@given(st.floats(-0.9, 0), st.integers(1, 3000))
def test_the_floor_solves_its_equation(delta, n):
    z = z_quantile(0.95)

    def open_(d: float) -> float:
        return delta - d - z * math.sqrt(abs(d) * (1 - abs(d)) / n)

    floor = lowest_floor(delta, n)
    assert floor <= delta + 1e-12
    assert open_(floor) == pytest.approx(0, abs=1e-7)
    if delta < 0:
        assert floor == pytest.approx(brentq(open_, -1, delta - 1e-13), abs=1e-7)


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(1, 500))
def test_a_larger_difference_never_has_a_lower_floor(one, other, n):
    low, high = sorted((one, other))
    assert lowest_floor(low, n) <= lowest_floor(high, n) + 1e-9


def test_scores_that_never_vary_are_no_certainty():
    found = difference_bounds(arms([[0.8]] * 10, [[0.8]] * 10))
    assert found.low == pytest.approx(lowest_floor(0, 10))
    assert found.floored


def test_scores_that_vary_have_no_floor():
    generator = np.random.Generator(np.random.PCG64(1))
    values = 0.5 + generator.random((40, 6)) / 1000
    found = difference_bounds(Arms(values[:, :3], values[:, 3:], np.arange(40)))
    assert -0.001 < found.low < found.delta < found.high < 0.001


@given(suites(most_cases=8, most_trials=4))
@settings(deadline=None)
def test_swapping_the_labels_mirrors_the_bounds(both):
    there = difference_bounds(both)
    back = difference_bounds(Arms(both.candidate, both.baseline, both.clusters))
    assert (there.delta, there.low, there.high) == pytest.approx(
        (-back.delta, -back.high, -back.low), abs=1e-9
    )
    assert there.low <= there.delta + 1e-12


def test_a_second_flaky_case_does_not_help_a_candidate_with_few_degrees_of_freedom():
    before, after = np.ones((63, 2)), np.ones((63, 2))
    after[0, 0] = 0
    one = Arms(before, after, np.arange(63))
    worse = after.copy()
    worse[1, 0] = 0
    two = Arms(before, worse, np.arange(63))
    bounds = difference_bounds(one), difference_bounds(two)
    assert bounds[1].low > bounds[0].low  # what Satterthwaite's degrees of freedom alone would say
    assert lowest_without_failures(two, bounds[1]) <= lowest_without_failures(one, bounds[0])


def test_a_gain_that_is_lost_again_does_not_help():
    clusters = [case // 5 for case in range(20)]
    gained = arms([[0]] + [[1]] * 19, [[1]] * 20, clusters)
    lost = arms([[0]] + [[1]] * 19, [[0]] + [[1]] * 19, clusters)
    bounds = difference_bounds(gained), difference_bounds(lost)
    assert lowest_without_failures(lost, bounds[1]) <= lowest_without_failures(gained, bounds[0]) + 1e-12


def test_constant_numbers_that_are_no_shares_differ_by_just_that_much() -> None:
    found = difference_bounds(arms([[3, 3]] * 4, [[5, 5]] * 4))
    assert (found.delta, found.low, found.high) == (2, 2, 2)


ALL_GREEN_30X3 = arms([[1.0] * 3] * 30, [[1.0] * 3] * 30)


@pytest.mark.parametrize("score", [0.0, 0.1, 0.3, 0.7, 1 / 3, 1.0])
def test_scores_that_never_vary_are_no_certainty_whatever_their_value(score):
    same = [[score] * 3] * 30
    assert difference_bounds(arms(same, same)).low == pytest.approx(difference_bounds(ALL_GREEN_30X3).low)
