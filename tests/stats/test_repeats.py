"""pass^j and pass@j."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.arms import matrix
from harness.stats.repeats import pass_at, pass_hat

trials = st.lists(st.integers(0, 1), min_size=1, max_size=7)


def test_four_of_five_passed_is_0_40_for_three_in_a_row():
    values = matrix([[1, 1, 1, 1, 0]])
    assert pass_hat(values, np.arange(1), 3).value == pytest.approx(0.40)
    assert pass_at(values, np.arange(1), 3).value == 1.0


@given(trials, st.data())
def test_they_average_over_every_choice_of_trials(row, data):
    j = data.draw(st.integers(1, len(row)))
    chosen = list(combinations(row, j))
    values, one = matrix([row]), np.arange(1)
    assert pass_hat(values, one, j).value == pytest.approx(sum(map(all, chosen)) / len(chosen))
    assert pass_at(values, one, j).value == pytest.approx(sum(map(any, chosen)) / len(chosen))


@given(st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), min_size=2, max_size=12))
def test_one_trial_is_the_pass_rate_and_more_are_further_from_it(rows):
    values, cases = matrix(rows), np.arange(len(rows))
    hats = [pass_hat(values, cases, j).value for j in range(1, 5)]
    ats = [pass_at(values, cases, j).value for j in range(1, 5)]
    assert hats[0] == ats[0] == pytest.approx(values.mean())
    assert hats == sorted(hats, reverse=True)
    assert ats == sorted(ats)


def test_cases_may_have_unequal_numbers_of_trials():
    values = matrix([[1, 1, 0, 1], [1, 0]])
    assert pass_hat(values, np.arange(2), 2).value == pytest.approx((3 / 6 + 0) / 2)
