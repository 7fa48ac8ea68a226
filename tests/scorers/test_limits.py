from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from harness.cost.prices import Cost, code_interpreter_cost
from harness.cost.usage import Usage
from harness.trace.records import OutputFile


@pytest.mark.parametrize(
    ("expect", "value", "passed", "reason"),
    [
        ({"latency_s": {"max": 2}}, 1.5, True, ""),
        ({"latency_s": {"max": 1}}, 1.5, False, "1.5 s is more than the allowed 1 s"),
        ({"latency_s": {"min": 2}}, 1.5, False, "1.5 s is less than the required 2 s"),
        ({"tokens": {"max": 119}}, 120, False, "120 tokens is more than the allowed 119 tokens"),
        ({"prompt_tokens": {"max": 100}}, 100, True, ""),
        (
            {"completion_tokens": {"max": 19}},
            20,
            False,
            "20 completion tokens is more than the allowed 19 completion tokens",
        ),
        ({"tool_calls": {"min": 1, "max": 1}}, 1, True, ""),
        ({"tool_calls": {"max": 0}}, 1, False, "1 tool calls is more than the allowed 0 tool calls"),
        ({"steps": {"min": 1, "max": 1}}, 1, True, ""),
        ({"steps": {"max": 0}}, 1, False, "1 run steps is more than the allowed 0 run steps"),
    ],
)
def test_a_number_is_held_against_its_range(
    talk: Any, expect: dict[str, Any], value: float, passed: bool, reason: str
) -> None:
    score = talk.one([talk.turn("Hi", talk.call(email="a@b.se"))], expect)
    assert (score.value, score.passed, score.reason) == (value, passed, reason)


@pytest.mark.parametrize("key", ["tokens", "prompt_tokens", "completion_tokens", "cost_usd"])
def test_unknown_usage_is_unknown_and_never_zero(talk: Any, key: str) -> None:
    turns = [talk.turn("Hi"), talk.turn("Ho", usage=None)]
    score = talk.one(turns, whole={key: {"max": 1_000_000}})
    assert (score.value, score.passed) == (None, None)
    assert "reported no usage" in score.reason


def test_an_unknown_price_is_unknown(talk: Any) -> None:
    score = talk.one([talk.turn("Hi", model="nobody-knows-this")], {"cost_usd": {"max": 1}})
    assert score.value is None
    assert "no price is known for model 'nobody-knows-this'" in score.reason


def test_the_cost_of_a_talk_counts_tokens_and_one_session_an_hour(talk: Any) -> None:
    turns = [
        talk.turn("a", talk.code(), minute=0),
        talk.turn("b", talk.code(), minute=30),
        talk.turn("c", talk.code(), minute=61),
    ]
    score = talk.one(turns, whole={"cost_usd": {"max": 1}}, cost=_a_cent)
    sessions = code_interpreter_cost(2).usd
    assert sessions is not None
    assert score.value == pytest.approx(float(Decimal("0.03") + sessions))


def test_a_session_is_charged_to_the_turn_that_began_it(talk: Any) -> None:
    turns = [talk.turn("a", talk.code()), talk.turn("b", talk.code(), minute=5)]
    assert talk.one(turns, {"cost_usd": {"max": 1}}, cost=_a_cent).value == pytest.approx(0.01)


def _a_cent(model: str, usage: Usage | None) -> Cost:
    return Cost(Decimal("0.01"))


def test_a_status_other_than_expected_is_named_with_its_error(talk: Any) -> None:
    failed = talk.turn("", status="failed", error="rate_limit_exceeded")
    score = talk.one([talk.turn("Hi"), failed], whole={"status": "completed"})
    assert (score.value, score.passed) == ("failed", False)
    assert score.reason == "the run of turn 2 ended 'failed', expected 'completed': rate_limit_exceeded"


def test_tools_used_or_not_are_told(talk: Any) -> None:
    turns = [talk.turn("Hi", talk.search("x"), talk.code())]
    assert talk.one(turns, {"searches": True}).passed
    assert talk.one(turns, {"runs_code": False}).reason == (
        "code_interpreter was called 1 times, it should not be"
    )
    assert not talk.one([talk.turn("Hi")], {"searches": True}).passed


def test_each_kind_of_output_has_its_score(talk: Any) -> None:
    turns = [talk.turn("Here", files=(OutputFile(file_id="f", kind="image"),))]
    image, file = talk.scores(turns, {"produces": ["image", "file"]})
    assert (image.check, image.value, image.passed) == ("produces.image", 1.0, True)
    assert (file.check, file.value, file.passed) == ("produces.file", 0.0, False)
    assert file.reason == "no file came back; 1 other outputs did"
