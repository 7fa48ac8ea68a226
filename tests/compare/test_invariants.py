"""What no table may break: worse is never better, names and order say nothing, and half of it is no proof."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.pairs import pair
from harness.compare.table import METRICS, Trial
from harness.compare.verdict import Question, judge

ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}
BY_ITSELF = "by the case's own trials"
SHARE = st.sampled_from([0.0, 0.3, 0.7, 0.9, 1.0, 1.0])
QUESTIONS = st.builds(
    Question, margin=st.sampled_from([0.02, 0.05, 0.2]), alpha=st.sampled_from([0.01, 0.05, 0.2])
)


@st.composite
def tables(draw: st.DrawFn, most_cases: int = 8) -> list[Trial]:
    """Cases that are steady, flaky, broken or mended, some in clusters, some trials never judged or made."""
    random = Random(draw(st.integers(0, 2**32)))
    cases, shared = draw(st.integers(1, most_cases)), draw(st.sampled_from([1, 1, 2, 3]))
    gaps = draw(st.sampled_from([0.0, 0.0, 0.1, 0.4]))
    rows = []
    for variant in ("baseline", "candidate"):
        repeats = draw(st.integers(1, 9))
        for case in range(cases):
            share = draw(SHARE)
            for trial in range(repeats):
                value = math.nan if random.random() < gaps else float(random.random() < share)
                numbers = (random.choice([0.1, 0.5, 1.0]), random.choice([0.0, 0.01, 0.5]), 1.5)
                if random.random() >= gaps / 4:
                    rows.append(Trial(f"c{case}", f"t{case // shared}", variant, str(trial), value, *numbers))
    return rows


def asked(rows: list[Trial], question: Question) -> dict[str, Any]:
    return judge(pair(rows, question.metric), question).as_json()


@given(tables(), QUESTIONS, st.data())
@settings(deadline=None, max_examples=150)
def test_a_pass_that_turns_into_a_failure_never_improves_the_verdict(rows, question, data):
    passed = [n for n, row in enumerate(rows) if row.variant == "candidate" and row.passed == 1]
    if not passed:
        return
    turned = data.draw(st.sets(st.sampled_from(passed), min_size=1, max_size=4))
    worse = [row._replace(passed=0.0) if n in turned else row for n, row in enumerate(rows)]
    before, after = asked(rows, question), asked(worse, question)
    if BY_ITSELF in before["reasons"][0]:  # what proves a case hangs on how many others there are to test
        assert after["verdict"] != "pass"
    else:
        assert ORDER[after["verdict"]] <= ORDER[before["verdict"]]


@given(tables(), QUESTIONS, st.sampled_from(METRICS), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_neither_order_nor_names_nor_repetition_change_the_json(rows, question, metric, random):
    question = Question(metric, question.margin, question.alpha)
    first = asked(rows, question)
    shuffled = random.sample(rows, len(rows))
    assert json.dumps(asked(rows, question)) == json.dumps(first) == json.dumps(asked(shuffled, question))

    number = random.sample(range(100, 200), 8)
    named = [
        row._replace(case_id=f"c{number[int(row.case_id[1:])]}", cluster=f"z{row.cluster}") for row in rows
    ]
    assert _as_numbers(asked(named, question)) == _as_numbers(first)


def _as_numbers(found: dict[str, Any]) -> dict[str, Any]:
    """Everything but names: how many cases each list has, numbers but for the last digits."""
    lists = {name: len(value) for name, value in found.items() if isinstance(value, list)}
    numbers = {name: round(value, 9) for name, value in found.items() if isinstance(value, float)}
    return {**found, **numbers, **lists}


@given(tables(most_cases=6), QUESTIONS)
@settings(deadline=None, max_examples=60)
def test_half_of_the_cases_missing_is_never_a_pass(rows, question):
    # Many trials of each, so that what is left would be proof enough.
    many = [row._replace(passed=1.0, trial=f"{row.trial}-{n}") for row in rows for n in range(40)]
    cases = sorted({row.case_id for row in many})
    gone = set(cases[: (len(cases) + 1) // 2])
    for left in (
        [row for row in many if row.variant == "baseline" or row.case_id not in gone],
        [
            row._replace(passed=math.nan) if row.variant == "candidate" and row.case_id in gone else row
            for row in many
        ],
    ):
        if {row.case_id for row in left if row.variant == "baseline"} & gone:
            assert asked(left, question)["verdict"] != "pass"


def test_more_failures_of_one_case_can_hide_that_another_broke_and_never_pass():
    def table(second: int) -> list[Trial]:
        passed = {"baseline": (4, 0), "candidate": (1, second)}
        trials = {"baseline": 4, "candidate": 8}
        return [
            Trial(f"c{case}", f"c{case}", variant, str(n), float(n < passed[variant][case]))
            for variant in passed
            for case in (0, 1)
            for n in range(trials[variant])
        ]

    first, after = (asked(table(second), Question(margin=0.5)) for second in (6, 5))
    assert (first["verdict"], after["verdict"]) == ("fail", "inconclusive")
