"""More than half of all votes decide; anything else is no decision, with the reason."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import judgement, rubric

from harness.judge.verdict import verdict_of


def test_the_label_that_more_than_half_of_the_votes_gave_decides() -> None:
    found = verdict_of(judgement("fail", "pass", "pass"), rubric())
    assert (found.label, found.met, found.reason) == ("pass", True, "as pass")
    assert found.share == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("votes", "told"),
    [
        (("pass", "fail"), "the votes don't agree: 1 pass, 1 fail"),
        (("pass", None), "1 of 2 votes gave a label: why not"),
        (("pass", None, None), "1 of 3 votes gave a label: 2 x why not"),
        (("pass", "fail", None), "the votes don't agree: 1 pass, 1 fail, 1 no label"),
        ((), "the judge gave no vote"),
    ],
)
def test_without_such_a_label_there_is_no_verdict(votes: tuple[str | None, ...], told: str) -> None:
    found = verdict_of(judgement(*votes), rubric())
    assert (found.label, found.met, found.reason) == (None, None, told)


def test_what_was_never_asked_says_why() -> None:
    assert verdict_of(judgement(error="the answer is empty"), rubric()).reason == "the answer is empty"


@pytest.mark.parametrize(
    ("votes", "label", "met"),
    [
        (("2", "5", "4"), "4", True),
        (("3", "4"), "3", False),
        (("1", None, "5"), "1", False),
        (("1", None), None, None),
    ],
)
def test_of_a_scale_the_middle_number_decides_and_doubt_is_not_in_favour(
    votes: tuple[str | None, ...], label: str | None, met: bool | None
) -> None:
    found = verdict_of(judgement(*votes), rubric(scale=5, **{"pass": 4}))
    assert (found.label, found.met) == (label, met)


def test_two_answers_are_compared_in_both_positions_and_a_choice_that_changes_with_them_is_none() -> None:
    pairs = rubric(compares=True, votes=1)
    assert verdict_of(judgement("better", "better"), pairs).label == "better"
    found = verdict_of(judgement("better", "worse"), pairs)
    assert found.label is None
    assert "changes with the position of the answers" in found.reason


def test_a_judge_that_always_prefers_the_first_answer_never_decides() -> None:
    found = verdict_of(judgement(*["better", "worse"] * 3), rubric(compares=True, votes=3))
    assert found.label is None and found.reason.startswith("0 of 3 votes gave a label")


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=9))
def test_a_decision_has_an_absolute_majority_and_every_majority_decides(votes: list[str | None]) -> None:
    found = verdict_of(judgement(*votes), rubric(labels=["a", "b", "c"]))
    counts = Counter(each for each in votes if each is not None)
    winner = next((name for name, count in counts.items() if 2 * count > len(votes)), None)
    assert found.label == winner
    assert (found.met is None) == (winner is None) and (winner is not None or found.reason)
