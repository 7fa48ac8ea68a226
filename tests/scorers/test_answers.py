from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("answer", "expect", "passed"),
    [
        ("Open  Settings\nnow.", {"mentions": ["open settings"]}, True),
        ("It’s “free”", {"mentions": ['it\'s "free"']}, True),
        ("It takes 50 days", {"mentions": ["5"]}, False),
        ("It takes 5 days", {"mentions": ["5"]}, True),
        ("Version 1.5.2", {"mentions": ["1.5"]}, False),
        ("catalogue", {"mentions": ["log"]}, False),
        ("It exports CSV files", {"mentions": ["export"]}, True),
        ("CSV or JSON", {"mentions_any": ["xml", "json"]}, True),
        ("CSV", {"mentions_any": ["xml", "json"]}, False),
        ("All is well", {"omits": ["sorry"]}, True),
        ("I am SORRY", {"omits": ["sorry"]}, False),
        ("It is csv.", {"matches": r"(?i)\bCSV\b"}, True),
        ("It is xml.", {"matches": r"(?i)\bCSV\b"}, False),
        (" Yes. \n", {"equals": "Yes."}, True),
        ("yes.", {"equals": "Yes."}, False),
        ("Please restart the device now", {"similar": "restart the device"}, True),
        ("Bananas are yellow", {"similar": "restart the device"}, False),
        ('{"a": 1}', {"json_schema": {"required": ["a"]}}, True),
        ('```json\n{"a": 1}\n```', {"json_schema": {"required": ["a"]}}, True),
        ('{"b": 1}', {"json_schema": {"required": ["a"]}}, False),
        ("a: 1", {"json_schema": {}}, False),
        ("one two three", {"words": {"min": 3, "max": 3}}, True),
        ("one two", {"words": {"min": 3}}, False),
    ],
)
def test_a_part_holds_or_not(talk: Any, answer: str, expect: dict[str, Any], passed: bool) -> None:
    score = talk.one([talk.turn(answer)], {"answer": expect})
    assert score.passed is passed
    assert score.check == f"answer.{next(iter(expect))}"
    assert bool(score.reason) is not passed


def test_citation_markers_are_no_part_of_the_text(talk: Any) -> None:
    turns = [talk.turn("It takes 10 days 【4:0†warranty.pdf】.", cites=(("file-1", ""),))]
    expect = {"answer": {"equals": "It takes 10 days.", "omits": ["warranty", "source"], "words": {"max": 4}}}
    assert all(score.passed for score in talk.scores(turns, expect))


def test_the_reason_names_what_is_missing_and_what_comes_nearest(talk: Any) -> None:
    turns = [talk.turn("Please open the Setings page and press Save.")]
    score = talk.one(turns, {"answer": {"mentions": ["Settings page", "Save", "Export"]}})
    assert score.value == pytest.approx(1 / 3)
    assert score.evidence["missing"] == ["Settings page", "Export"]
    assert "does not mention 'Settings page', 'Export'; nearest:" in score.reason
    assert "setings page" in score.reason


def test_each_part_has_its_own_score(talk: Any) -> None:
    found = talk.scores([talk.turn("a b")], {"answer": {"mentions": ["a"], "omits": ["b"]}})
    assert [(score.check, score.passed) for score in found] == [
        ("answer.mentions", True),
        ("answer.omits", False),
    ]


def test_an_empty_answer_is_explained_by_how_its_run_ended(talk: Any) -> None:
    failed = talk.turn("", status="failed", error="server_error")
    score = talk.one([failed], {"answer": {"mentions": ["a"]}})
    assert score.passed is False
    assert "the answer is empty, the run ended 'failed': server_error" in score.reason


def test_the_answers_of_a_talk_are_one_text(talk: Any) -> None:
    turns = [talk.turn("alpha"), talk.turn("beta")]
    assert talk.one(turns, whole={"answer": {"mentions": ["alpha", "beta"]}}).passed
