from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness.results import Score
from harness.scorers.confusion import ConfusionMatrix, HandOvers, most_missed, wilson


def judged(value: str, expected: bool | None, observed: bool, *findings: tuple[str, bool, float]) -> Score:
    told = [{"kind": kind, "why": "", "fails": fails, "cost": cost} for kind, fails, cost in findings]
    evidence: dict[str, Any] = {"expected": expected, "observed": observed, "findings": told}
    return Score(
        "escalates", "escalation", None, value, not any(each[1] for each in findings), evidence=evidence
    )


@given(total=st.integers(1, 500), data=st.data())
def test_intervals_are_those_of_an_independent_computation(total: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, total))
    found = wilson(right, total)
    known = binomtest(right, total).proportion_ci(method="wilson")
    assert found == pytest.approx((known.low, known.high), abs=1e-9)


@given(total=st.integers(1, 500))
def test_the_bound_for_none_missed_is_exact(total: int) -> None:
    known = binomtest(0, total, alternative="less").proportion_ci(method="exact")
    assert most_missed(total) == pytest.approx(known.high, abs=1e-9)


def test_nothing_judged_has_no_interval_and_no_bound() -> None:
    empty = ConfusionMatrix()
    assert (empty.precision_interval, empty.recall_interval, empty.missed_at_most) == (None, None, None)


def test_a_bound_for_none_missed_is_only_told_when_none_was() -> None:
    assert ConfusionMatrix(tp=20).missed_at_most == pytest.approx(0.139, abs=1e-3)
    assert ConfusionMatrix(tp=20, fn=1).missed_at_most is None


def test_errors_are_counted_by_kind_with_what_they_cost() -> None:
    tally = HandOvers()
    tally.take(judged("missed", True, False, ("missed", True, 20.0)))
    tally.take(judged("missed", True, False, ("missed", True, 30.0)))
    tally.take(judged("escalated", True, True, ("promise_without_action", False, 0.0)))
    tally.take(judged("wrong_arguments", None, True, ("wrong_arguments", True, 5.0)))
    matrix = tally.matrix()
    assert matrix is not None
    assert (matrix.tp, matrix.fn, matrix.total) == (1, 2, 3)
    assert matrix.errors == {"missed": 2, "wrong_arguments": 1}
    assert matrix.noted == {"promise_without_action": 1}
    assert (matrix.points, matrix.cost) == ({"missed": 50.0, "wrong_arguments": 5.0}, 55.0)


def test_scores_from_before_there_were_findings_count_by_their_label() -> None:
    tally = HandOvers()
    old = {"expected": True, "observed": False, "found": []}
    tally.take(Score("escalates", "escalation", 0, "missed", False, evidence=old))
    matrix = tally.matrix()
    assert matrix is not None
    assert (matrix.errors, matrix.cost) == ({"missed": 1}, 20.0)


def test_scores_without_a_value_make_no_matrix() -> None:
    tally = HandOvers()
    tally.take(Score("escalates", "escalation", 0, None, None, "the file says nothing of hand-overs"))
    assert tally.matrix() is None
