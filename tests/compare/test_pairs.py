"""Trials become pairs of matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.compare.pairs import pair
from harness.compare.table import Trial

BOTH = ("baseline", "candidate")
_FIVE = {(f"c{n}", "baseline") for n in range(5)}


def trial(case, variant, label, passed=1.0, cluster=None):
    return Trial(case, cluster or case, variant, str(label), passed)


def test_trials_of_the_same_pass_stand_in_the_same_column():
    rows = [trial("a", "baseline", t, cluster="t") for t in (10, 9, 2)] + [
        trial("b", "baseline", t, 0.0, "t") for t in (10, 2)
    ]
    rows += [trial(case, "candidate", 1, cluster="t") for case in "ab"]
    found = pair(rows, "passed")
    np.testing.assert_array_equal(found.both.baseline, [[1, 1, 1], [0, math.nan, 0]])


def test_numbers_over_all_trials_are_taken_in_their_order_within_a_case():
    rows = [trial(f"c{n // 3}", "baseline", 100 + n, float(n % 3 == 0)) for n in range(30)]
    rows += [trial(f"c{n // 3}", "candidate", 500 + n) for n in range(30)]
    found = pair(rows, "passed")
    np.testing.assert_array_equal(found.both.baseline, [[1, 0, 0]] * 10)


def test_missing_and_new_cases_are_named_and_left_out():
    rows = [trial("kept", "baseline", 1), trial("kept", "candidate", 1)]
    rows += [trial("gone", "baseline", 1), trial("unjudged", "baseline", 1)]
    rows += [trial("unjudged", "candidate", 1, math.nan), trial("new", "candidate", 1)]
    found = pair(rows, "passed")
    assert (found.case_ids, found.missing, found.new) == (("kept",), ("gone", "unjudged"), ("new",))
    assert found.missing_candidate == pytest.approx(0.5)
    assert found.missing_baseline == 0


def test_errored_trials_are_missing_and_counted():
    rows = [trial(f"c{n}", variant, t) for n in range(10) for variant in BOTH for t in (1, 2)]
    rows[1] = rows[1]._replace(passed=math.nan)
    found = pair(rows, "passed")
    assert found.missing_baseline == pytest.approx(1 / 20)
    assert found.missing_candidate == 0


def test_a_baseline_whose_cases_ended_in_errors_misses_them_all():
    rows = [trial(f"c{n}", variant, t) for n in range(10) for variant in BOTH for t in (1, 2)]
    rows = [row._replace(passed=math.nan) if row[:3:2] in _FIVE else row for row in rows]
    found = pair(rows, "passed")
    assert (len(found.new), found.missing_baseline) == (5, pytest.approx(0.5))


def test_a_case_that_the_baseline_never_tried_is_not_missing_there_whatever_became_of_it():
    rows = [trial(f"c{n}", variant, t) for n in range(10) for variant in BOTH for t in (1, 2)]
    rows += [trial("new", "candidate", t, math.nan) for t in (1, 2)]
    found = pair(rows, "passed")
    assert (found.missing_baseline, found.missing_candidate) == (0, pytest.approx(1 / 11))


def test_trials_that_were_never_made_are_missing_too():
    rows = [trial(f"c{n}", "baseline", t) for n in range(10) for t in range(5)]
    rows += [trial(f"c{n}", "candidate", t) for n in range(10) for t in range(5) if (n + t) % 4]
    assert pair(rows, "passed").missing_candidate == pytest.approx(0.25, abs=0.03)


def test_one_case_that_was_tried_more_often_makes_nothing_missing():
    rows = [trial(f"c{n}", variant, t) for n in range(20) for variant in BOTH for t in (1, 2)]
    rows += [trial("c3", "candidate", t) for t in (3, 4)]
    assert pair(rows, "passed").missing_candidate == 0


def test_other_variants_are_left_aside():
    rows = [
        trial("a", "baseline", 1),
        trial("a", "candidate", 1),
        trial("a", "third", 1),
        trial("b", "third", 1),
    ]
    found = pair(rows, "passed")
    assert (found.case_ids, found.missing, found.new) == (("a",), (), ())


def test_where_no_topic_is_shared_it_does_not_matter_which_pass_a_trial_ran_in():
    rows = [trial("a", variant, t) for variant in BOTH for t in (1, 2)]
    rows += [trial("b", variant, t) for variant in BOTH for t in (2, 3)]
    assert pair(rows, "passed").both.complete


def test_numbers_of_trials_are_in_their_order_however_long_they_are():
    labels = ["7", "10", "0" * 5000 + "9", "9" * 5000, "first"]
    rows = [trial(case, "baseline", label, cluster="t") for case in "ab" for label in labels]
    rows = [row._replace(passed=float(row.trial == "10")) for row in rows]
    found = pair([*rows, *(row._replace(variant="candidate") for row in rows)], "passed")
    np.testing.assert_array_equal(found.both.baseline, [[0, 0, 1, 0, 0]] * 2)
