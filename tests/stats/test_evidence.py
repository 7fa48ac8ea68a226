"""Evidence that may be looked at as often as one likes."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stats.examples import suites

from harness.stats.arms import Arms, arms
from harness.stats.evidence import STAKES, evidence_of_drop, lasting_bounds


def test_a_lost_trial_is_worth_the_mean_stake_and_a_gained_one_costs_it():
    assert evidence_of_drop(arms([[1]], [[0]])) == pytest.approx(1.5)
    assert evidence_of_drop(arms([[0]], [[1]])) == pytest.approx(0.5)
    assert evidence_of_drop(arms([[1, 1]], [[0, 0]])) == pytest.approx(
        np.mean([(1 + stake) ** 2 for stake in STAKES])
    )


def test_over_all_ways_in_which_nothing_changed_the_bet_is_fair():
    """Three cases, two passes, labels of every block exchanged at random: 64 equally likely outcomes."""
    found = []
    for moves in product([-1, 1], repeat=6):
        lost = np.reshape(moves, (3, 2)) < 0
        found.append(evidence_of_drop(Arms(lost * 1.0, ~lost * 1.0, np.arange(3))))
    assert np.mean(found) == pytest.approx(1.0)


def test_whoever_looks_after_every_pass_is_misled_no_more_often_than_the_level_says():
    generator = np.random.Generator(np.random.PCG64(5))
    chances = generator.uniform(0.5, 1.0, 12)
    alarms = sum(ever_worse(generator, chances, passes=15) for _ in range(400))
    assert alarms <= 400 * 0.05


def ever_worse(generator, chances, passes):
    sides = [(generator.random((len(chances), passes)) < chances[:, None]) * 1.0 for _ in range(2)]
    groups = np.arange(len(chances)) // 2
    return any(
        evidence_of_drop(Arms(sides[0][:, :k], sides[1][:, :k], groups)) >= 20 for k in range(1, passes + 1)
    )


@given(suites(), st.sampled_from([0.9, 0.95, 0.99]))
def test_bounds_hold_the_difference_of_complete_passes_and_mirror_when_sides_swap(both, confidence):
    passes = min(both.baseline.shape[1], both.candidate.shape[1])
    both = Arms(both.baseline[:, :passes], both.candidate[:, :passes], both.clusters)
    found = lasting_bounds(both, confidence)
    assert -1 <= found.low <= found.delta + 1e-9 and found.delta - 1e-9 <= found.high <= 1
    swapped = lasting_bounds(Arms(both.candidate, both.baseline, both.clusters), confidence)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


@given(suites(), st.data())
def test_a_further_failure_of_the_candidate_never_helps_it(both, data):
    worse = both.candidate.copy()
    row = data.draw(st.integers(0, worse.shape[0] - 1))
    worse[row, data.draw(st.integers(0, worse.shape[1] - 1))] = 0.0
    after = Arms(both.baseline, worse, both.clusters)
    assert evidence_of_drop(after) >= evidence_of_drop(both) - 1e-12
    assert lasting_bounds(after).low <= lasting_bounds(both).low + 1e-8


@given(suites())
def test_bounds_and_evidence_say_the_same_of_no_difference(both):
    proven = evidence_of_drop(both) >= 20
    assert proven == (lasting_bounds(both).high <= 1e-8) or math.isclose(evidence_of_drop(both), 20)


def test_a_missing_trial_proves_neither():
    whole = arms([[1] * 9] * 9, [[1] * 9] * 8 + [[0] + [1] * 8])
    holed = Arms(whole.baseline, whole.candidate.copy(), whole.clusters)
    holed.candidate[0, 0] = np.nan
    assert evidence_of_drop(holed) == evidence_of_drop(whole)  # an even pair says nothing of a drop
    assert -1 < lasting_bounds(holed).low < lasting_bounds(whole).low
