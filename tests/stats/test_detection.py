"""Recall and precision with their certainty; F1 and kappa as description."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from harness.stats.detection import Detection, detection

COUNTS = st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=1, max_size=12)


def found(rows: list[list[int]], clusters: list[int] | None = None) -> Detection:
    return detection(np.array(rows, dtype=float), np.array(clusters or range(len(rows))))


def test_golden_values_of_a_table() -> None:
    rows = [[1, 0, 0, 0]] * 20 + [[0, 1, 0, 0]] * 5 + [[0, 0, 1, 0]] * 10 + [[0, 0, 0, 1]] * 15
    told = found(rows)
    assert (told.right, told.false_alarms, told.missed, told.rightly_none) == (20, 5, 10, 15)
    assert told.recall.interval == pytest.approx(binomtest(20, 30).proportion_ci(method="wilson"))
    assert told.precision.interval == pytest.approx(binomtest(20, 25).proportion_ci(method="wilson"))
    assert told.f1.value == pytest.approx(40 / 55)
    assert told.kappa.value == pytest.approx(0.4)
    assert told.kappa.interval and told.kappa.interval.low < 0.4 < told.kappa.interval.high


def test_repeats_of_one_conversation_are_no_further_evidence() -> None:
    once = found([[1, 0, 0, 0]] * 8 + [[0, 0, 1, 0]] * 2)
    often = found([[5, 0, 0, 0]] * 8 + [[0, 0, 5, 0]] * 2)
    assert once.recall.interval and often.recall.interval
    assert often.recall.interval.low <= once.recall.interval.low


def test_where_nothing_was_there_nothing_is_divided() -> None:
    told = found([[0, 0, 0, 1]] * 3)
    assert (told.recall.value, told.precision.value, told.f1.value, told.kappa.value) == (None,) * 4
    assert found([[0, 0, 0, 0]]).as_json()["kappa"] == {"value": None, "low": None, "high": None}


@settings(max_examples=40, deadline=None)
@given(COUNTS)
def test_every_value_lies_within_its_interval_and_the_order_of_rows_changes_nothing(
    rows: list[list[int]],
) -> None:
    told = found(rows)
    for share in (told.recall, told.precision):
        if share.value is not None and share.interval:
            assert share.interval.low - 1e-9 <= share.value <= share.interval.high + 1e-9
    turned = found(rows[::-1])
    assert turned.recall.value == told.recall.value
    assert (turned.recall.interval or ()) == pytest.approx(told.recall.interval or ())
