"""What a suite can see, and what it takes to see more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.intervals import z_quantile
from harness.stats.planning import smallest_drop, trials_needed, trials_to_pass

CELLS = "10x1 10x5 30x1 30x3 30x5 100x1 100x3 100x5 300x3".split()
TABLE = {
    0.02: [0.42, 0.14, 0.20, 0.09, 0.06, 0.085, 0.040, 0.029, 0.020],
    0.07: [0.49, 0.19, 0.26, 0.13, 0.10, 0.12, 0.064, 0.048, 0.035],
    0.17: [0.60, 0.26, 0.34, 0.18, 0.14, 0.17, 0.094, 0.071, 0.052],
}


@pytest.mark.parametrize("variance", TABLE)
def test_the_smallest_drops_are_those_of_the_published_table(variance):
    for cell, expected in zip(CELLS, TABLE[variance], strict=True):
        cases, trials = map(int, cell.split("x"))
        found = smallest_drop(cases, trials, trials, variance, 0.05)
        assert found == pytest.approx(expected, abs=0.0052)


@pytest.mark.parametrize(
    ("cases", "drop", "variance", "trials"),
    [
        (30, 0.05, 0.07, 16),
        (100, 0.05, 0.07, 5),
        (100, 0.05, 0.02, 3),
        (100, 0.05, 0.17, 10),
        (30, 0.10, 0.07, 5),
        (10, 0.10, 0.07, 15),
    ],
)
def test_so_many_trials_find_so_large_a_drop(cases, drop, variance, trials):
    assert trials_needed(cases, drop, variance) == trials


@given(
    st.integers(1, 500), st.floats(1, 30), st.floats(1, 30), st.floats(0, 0.25), st.sampled_from([0.01, 0.05])
)
def test_the_smallest_drop_solves_its_equation(cases, before, after, variance, alpha):
    d = smallest_drop(cases, before, after, variance, alpha)
    if d is not None:
        reach = (z_quantile(1 - alpha) + z_quantile(0.8)) ** 2
        spread = variance / before + (variance + d * (1 - d)) / after
        assert d * d == pytest.approx(reach * spread / cases)


@given(st.integers(1, 300), st.floats(0.02, 0.5), st.floats(0, 0.25))
def test_the_trials_that_are_needed_suffice_and_one_less_does_not(cases, drop, variance):
    needed = trials_needed(cases, drop, variance)
    found = smallest_drop(cases, needed, needed, variance, 0.05)
    assert found is not None
    assert found <= drop + 1e-9
    if needed > 1:
        fewer = smallest_drop(cases, needed - 1, needed - 1, variance, 0.05)
        assert fewer is None or fewer > drop - 1e-9


def test_a_steady_suite_needs_as_many_trials_as_the_floor_asks():
    assert trials_to_pass(10, 0.05, 0.0) == 6  # 52 trials over ten cases


def test_more_trials_than_anybody_runs_are_no_number():
    assert trials_needed(10, 1e-300, 0.07) is None
    assert trials_to_pass(10, 1e-300, 0.07) is None
