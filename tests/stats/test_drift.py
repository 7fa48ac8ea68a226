"""The drift chart follows its formula, keeps quiet without drift, and begins anew after an alarm."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.drift import ARMED_AFTER, drift_chart, located_step, run_means, trial_errors

TEN = [0.8, 0.9] * 5
RATES = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def charted(means, error=0.001, threshold=4.0):
    return drift_chart(means, [error] * len(means), threshold)


def test_an_example_worked_by_hand():
    # The ten runs have mean 0.85 and standard deviation sqrt(10 * 0.05² / 9) = 0.0527046.
    eleventh, twelfth = charted([*TEN, 0.70, 0.65])[ARMED_AFTER:]
    assert eleventh.z == pytest.approx(0.15 / (0.0527046277 * math.sqrt(1.1)), rel=1e-9)
    assert eleventh.z == pytest.approx(2.713602, abs=1e-6)
    assert eleventh.sum == pytest.approx(2.213602, abs=1e-6)
    assert not eleventh.alarm
    # With 0.70 among them the eleven have mean 9.2/11 and standard deviation 0.0674200.
    assert twelfth.z == pytest.approx((9.2 / 11 - 0.65) / (0.0674199862 * math.sqrt(12 / 11)), rel=1e-9)
    assert twelfth.z == pytest.approx(2.646539, abs=1e-6)
    assert twelfth.sum == pytest.approx(4.360141, abs=1e-6)
    assert twelfth.alarm


def test_the_standard_deviation_is_that_of_trials_where_runs_vary_less():
    [point] = charted([0.9] * 10 + [0.8], error=0.05)[ARMED_AFTER:]
    assert point.z == pytest.approx(0.1 / (0.05 * math.sqrt(1.1)))


def test_a_good_run_takes_away_from_the_sum_and_never_below_zero():
    low, high = charted([*TEN, 0.7, 1.0])[ARMED_AFTER:]
    assert low.sum > 0
    assert high.sum == 0


def test_nothing_is_said_of_the_first_ten_runs():
    points = charted([0.9] * 9 + [0.0])
    assert [point.z for point in points] == [None] * ARMED_AFTER
    assert not any(point.alarm for point in points)


def test_after_an_alarm_the_chart_learns_the_new_level():
    points = charted([*TEN, 0.1, *([0.1, 0.2] * 5), 0.15])
    assert [place for place, point in enumerate(points) if point.alarm] == [10]
    assert [point.z for point in points[11:21]] == [None] * ARMED_AFTER
    assert points[21].z == pytest.approx(0.0)


def test_a_higher_threshold_waits_longer():
    falling = [*TEN, 0.7, 0.65, 0.6]
    assert [point.alarm for point in charted(falling)[10:12]] == [False, True]
    assert [point.alarm for point in charted(falling, threshold=5.0)[10:12]] == [False, False]


@given(RATES)
def test_adding_a_constant_to_every_run_changes_no_point(means):
    shifted = [mean + 0.25 for mean in means]
    for one, other in zip(charted(means, 0.01), charted(shifted, 0.01), strict=True):
        assert one.alarm == other.alarm
        assert one.sum == pytest.approx(other.sum, abs=1e-6)


@given(RATES)
def test_a_run_that_rises_never_raises_an_alarm(means):
    rising = sorted(means)
    assert not any(point.alarm for point in charted(rising))


@given(RATES)
def test_what_comes_later_changes_nothing_of_what_was_said(means):
    assert charted(means)[: len(means) // 2] == charted(means[: len(means) // 2])


def test_the_mean_of_a_run_is_that_of_its_cases_and_not_of_its_trials():
    passed, trials = np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([[1.0, 3.0], [3.0, 0.0]])
    assert run_means(passed, trials).tolist() == [0.5, 1.0]


def test_errors_come_from_the_trials_of_earlier_runs():
    passed, trials = np.array([[2.0, 4.0], [4.0, 4.0], [4.0, 4.0]]), np.full((3, 2), 4.0)
    errors = trial_errors(passed, trials)
    assert math.isnan(errors[0])
    first = statistics.mean([2 * 2 / (4 * 3), 0])  # c(n-c)/(n(n-1)) of either case
    assert errors[1] == pytest.approx(math.sqrt(first / (2 * 4)))
    both = statistics.mean([6 * 2 / (8 * 7), 0])
    assert errors[2] == pytest.approx(math.sqrt(both / (2 * 4)))


def test_a_suite_that_never_failed_has_the_error_of_one_failed_trial():
    passed = np.full((3, 5), 2.0)
    errors = trial_errors(passed, passed)
    assert errors[2] == pytest.approx(math.sqrt(1 / 20 / (5 * 2)))


def test_one_failure_after_a_perfect_history_is_no_alarm():
    passed = np.full((11, 30), 3.0)
    trials = passed.copy()
    passed[10, 0] = 2.0
    point = drift_chart(run_means(passed, trials).tolist(), trial_errors(passed, trials).tolist())[-1]
    assert point.z > 0
    assert not point.alarm


def test_uneven_trials_count_by_case():
    passed, trials = np.array([[1.0, 1.0], [1.0, 2.0]]), np.array([[2.0, 2.0], [1.0, 4.0]])
    variance = 0.5  # 1 * 1 / (2 * 1) of either case
    assert trial_errors(passed, trials)[1] == pytest.approx(math.sqrt(variance * (1 / 1 + 1 / 4)) / 2)


def test_a_step_is_found_where_it_is():
    step = located_step([0.9, 0.9, 0.9, 0.9, 0.6, 0.6, 0.6])
    assert (step.at, step.before, step.after) == (4, pytest.approx(0.9), pytest.approx(0.6))
    assert step.explained == pytest.approx(1.0)


@given(st.lists(st.integers(0, 20), min_size=4, max_size=30))
def test_no_other_place_leaves_smaller_squares(counts):
    means = [count / 20 for count in counts]
    step = located_step(means)
    left = {
        at: sum((each - statistics.fmean(part)) ** 2 for part in (means[:at], means[at:]) for each in part)
        for at in range(2, len(means) - 1)
    }
    if step is None:
        assert len(set(means)) == 1
    else:
        assert left[step.at] == pytest.approx(min(left.values()), abs=1e-9)


@pytest.mark.parametrize("means", [[], [0.5], [0.5, 0.1, 0.5], [0.5] * 20])
def test_where_there_is_nothing_to_see_no_step_is_named(means):
    assert located_step(means) is None


def test_without_drift_false_alarms_are_as_rare_as_theory_says():
    generator = np.random.Generator(np.random.PCG64(6))
    alarms = armed = 0
    for _ in range(100):
        points = charted(generator.normal(0.8, 0.05, 300).tolist())
        armed += sum(point.z is not None for point in points)
        alarms += sum(point.alarm for point in points)
    assert 250 < armed / alarms < 450  # 336 runs with a known mean
