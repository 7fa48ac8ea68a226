"""Costs and latencies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from harness.stats.arms import Arms, arms
from harness.stats.ratios import bill_interval, positive, ratio


def costs(cases: int, trials: int, factor: float = 1.0, seed: int = 5) -> Arms:
    generator = np.random.Generator(np.random.PCG64(seed))
    usual = generator.lognormal(0, 1, (cases, 1))
    before, after = (usual * generator.lognormal(0, 0.2, (cases, trials)) for _ in range(2))
    return Arms(before, after * factor, np.arange(cases))


def test_the_interval_is_students_over_the_logarithms_of_cases():
    both = costs(40, 3)
    d = np.log(both.candidate.mean(axis=1) / both.baseline.mean(axis=1))
    expected = ttest_1samp(d, 0).confidence_interval(0.90)
    found = ratio(both)
    assert (found.log, found.log_low, found.log_high) == pytest.approx((d.mean(), *expected))


def test_a_dearer_candidate_is_found_and_a_cheaper_one_is_not():
    assert ratio(costs(40, 3, factor=1.3)).p < 0.001
    assert ratio(costs(40, 3, factor=0.7)).p > 0.99


def test_the_bill_is_a_ratio_of_totals():
    found = ratio(arms([[1, 1], [10, 10]], [[2, 2], [10, 10]]))
    assert found.of_totals == pytest.approx(12 / 11)
    assert math.exp(found.log) == pytest.approx(2**0.5)


def test_the_bills_interval_holds_the_bill_and_never_changes():
    both = costs(40, 3)
    interval = bill_interval(both)
    assert interval == bill_interval(both)
    assert interval.low < ratio(both).of_totals < interval.high
    assert bill_interval(arms([[1]], [[1]])) is None


def test_cases_that_cost_nothing_are_left_out():
    both = positive(arms([[0, 1], [2, 2], [1, math.nan]], [[1, 1], [2, 3], [1, 1]]))
    assert both.cases == 2


def test_costs_that_never_vary_leave_the_floor_of_so_few_trials():
    found = ratio(arms([[1.0]] * 10, [[1.0]] * 10))
    assert math.expm1(found.log_high) == pytest.approx(0.2129, abs=5e-5)


def test_one_cluster_has_no_bound():
    assert ratio(arms([[1], [2]], [[1], [2]], ["a", "a"])).log_high == math.inf
