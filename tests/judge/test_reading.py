"""A judge's answer is a label of the rubric, or a reason why there is none; never a guess."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import completion, rubric, saying

from harness.judge.reading import vote_of


def read(content: str | None, **given: Any) -> Any:
    return vote_of(completion(content), rubric(**given), turned=False)


def test_a_label_of_the_rubric_is_taken_with_its_reason() -> None:
    vote = read(saying("fail", "it blames the customer"))
    assert (vote.label, vote.reason, vote.abstained) == ("fail", "it blames the customer", False)


def test_a_judge_that_abstains_has_no_label_and_says_why() -> None:
    vote = read(saying("abstain", "the answer is not shown"))
    assert (vote.label, vote.reason, vote.abstained) == (None, "the answer is not shown", True)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the judge said nothing"),
        (None, "the judge said nothing"),
        ("pass", "no JSON object"),
        ("```json\n" + saying("pass") + "\n```", "no JSON object"),
        ('{"label": "pass"', "no JSON object"),
        ('["pass"]', "no JSON object"),
        ('{"label": 1, "reason": ""}', "no JSON object"),
        ('{"label": "pass", "reason": "", "score": 5}', "no JSON object"),
        (saying("Pass"), "the label 'Pass', which is none of: pass, fail"),
        (saying("pass, mostly"), "none of: pass, fail"),
    ],
)
def test_nonsense_is_told_and_never_repaired(content: str | None, told: str) -> None:
    vote = read(content)
    assert vote.label is None and not vote.abstained
    assert told in vote.reason


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (completion(None, refusal="I can't judge this."), 'refused: "I can\'t judge this."'),
        (completion(saying("pass"), ended="content_filter"), "content filter"),
        (completion('{"label": "pa', ended="length"), "cut off at its token limit"),
        ({}, "said nothing"),
        ({"choices": []}, "said nothing"),
    ],
)
def test_refusals_and_answers_cut_off_are_votes_without_a_label(answer: dict[str, Any], told: str) -> None:
    vote = vote_of(answer, rubric(), turned=False)
    assert vote.label is None and told in vote.reason


@pytest.mark.parametrize(
    ("said", "turned", "label"),
    [
        ("first", False, "better"),
        ("second", False, "worse"),
        ("first", True, "worse"),
        ("second", True, "better"),
        ("same", True, "same"),
    ],
)
def test_of_two_answers_the_place_becomes_what_it_says_of_the_assistant(
    said: str, turned: bool, label: str
) -> None:
    vote = vote_of(completion(saying(said)), rubric(compares=True), turned=turned)
    assert (vote.label, vote.reversed) == (label, turned)


def test_a_scale_takes_its_numbers_only() -> None:
    assert read(saying("4"), scale=5).label == "4"
    assert read(saying("6"), scale=5).label is None


@given(st.text() | st.dictionaries(st.text(), st.text() | st.integers()).map(json.dumps))
def test_whatever_a_judge_says_it_is_a_label_or_a_reason(content: str) -> None:
    vote = read(content)
    assert vote.label in ("pass", "fail") or (vote.label is None and vote.reason)
