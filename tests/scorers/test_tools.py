from __future__ import annotations

from typing import Any

from harness.suite.fitting import schema_mismatch
from harness.trace.records import ToolCall


def expected(**more: Any) -> dict[str, Any]:
    return {"calls": [{"tool": "open_repair", **more}]}


def test_a_call_with_matching_arguments_is_found(talk: Any) -> None:
    turns = [talk.turn("Done", talk.call(email="jo@example.com", severity="major", days=3))]
    wanted = {"email": "jo@example.com", "severity": {"one_of": ["major", "minor"]}, "days": {"min": 1}}
    call, schema = talk.scores(turns, expected(**{"with": wanted}))
    assert (call.check, call.passed, call.evidence["matched"]) == ("calls.open_repair", True, ["call_1"])
    assert (schema.check, schema.passed) == ("calls.schema", True)


def test_the_nearest_call_is_named_with_its_first_difference(talk: Any) -> None:
    far = talk.call(id="call_far", email="other@example.com", severity="minor")
    near = talk.call(id="call_near", email="jo@example.com", severity="minor")
    wanted = {"email": "jo@example.com", "severity": "major"}
    call = talk.scores([talk.turn("Done", far, near)], expected(**{"with": wanted}))[0]
    assert not call.passed
    assert "call_near (turn 1): severity is 'minor', expected 'major'" in call.reason
    assert [other["id"] for other in call.evidence["others"]] == ["call_far", "call_near"]


def test_a_call_that_was_never_made_says_what_was_called(talk: Any) -> None:
    call = talk.scores([talk.turn("Done", talk.call("look_up", email="x"))], expected())[0]
    assert call.reason == (
        "open_repair should be called at least once, it was called 0 times; functions called: look_up"
    )


def test_the_number_of_calls_is_exact_when_given(talk: Any) -> None:
    twice = [talk.turn("Done", talk.call(email="a"), talk.call(id="call_2", email="a"))]
    assert not talk.scores(twice, expected(times=1))[0].passed
    assert talk.scores(twice, expected(times=2))[0].passed
    assert talk.scores([talk.turn("Done")], expected(times=0))[0].passed


def test_the_calls_of_all_turns_count_for_the_talk(talk: Any) -> None:
    turns = [talk.turn("a", talk.call(email="a")), talk.turn("b", talk.call(id="call_2", email="a"))]
    assert talk.scores(turns, whole=expected(times=2))[0].passed
    assert not talk.scores(turns, expected(times=2))[0].passed


def test_arguments_against_the_schema_fail_even_when_they_match(talk: Any) -> None:
    turns = [talk.turn("Done", talk.call(email="a", severity="awful"))]
    call, schema = talk.scores(turns, expected(**{"with": {"email": "a"}}))
    assert not call.passed
    assert not schema.passed
    assert "'awful' is not one of ['minor', 'major']" in schema.reason


def test_arguments_that_are_no_json_fail_with_the_reason(talk: Any) -> None:
    broken = ToolCall(id="call_1", type="function", name="open_repair", arguments='{"email": ')
    call, schema = talk.scores([talk.turn("Done", broken)], expected(**{"with": {"email": "a"}}))
    assert "the arguments are not JSON" in call.reason
    assert "the arguments are not JSON" in schema.reason


def test_a_forbidden_call_is_found(talk: Any) -> None:
    expect = {"never_calls": ["open_repair", "look_up"]}
    repair, look_up, _ = talk.scores([talk.turn("Done", talk.call(email="a"))], expect)
    assert (repair.check, repair.passed) == ("never_calls.open_repair", False)
    assert (look_up.check, look_up.passed) == ("never_calls.look_up", True)


def test_schemas_that_cannot_be_used_are_reasons_and_fetch_nothing() -> None:
    assert "not valid" in str(schema_mismatch({}, {"type": "nonsense"}))
    assert "cannot be applied" in str(schema_mismatch({}, {"$ref": "http://127.0.0.1:1/s.json"}))


def test_exact_arguments_leave_no_room_for_others(talk: Any) -> None:
    turns = [talk.turn("Done", talk.call(email="a", days=3))]
    assert talk.scores(turns, expected(**{"with": {"email": "a"}}))[0].passed
    exact = talk.scores(turns, expected(**{"with": {"email": "a"}, "exact": True}))[0]
    assert "days is 3, expected no such key" in exact.reason
    assert talk.scores(turns, expected(**{"with": {"email": "a", "days": 3}, "exact": True}))[0].passed


def test_a_suite_may_hold_arguments_against_a_schema_of_its_own(talk: Any) -> None:
    turns = [talk.turn("Done", talk.call(email="a", days=3))]
    schema = {"properties": {"days": {"maximum": 2}}}
    found = talk.scores(turns, expected(json_schema=schema))[0]
    assert (
        "do not fit the JSON Schema of the suite: $.days: 3 is greater than the maximum of 2" in found.reason
    )
    assert talk.scores(turns, expected(json_schema={"required": ["email"]}))[0].passed


def test_the_number_of_calls_may_be_a_range(talk: Any) -> None:
    twice = [talk.turn("Done", talk.call(email="a"), talk.call(id="call_2", email="a"))]
    assert talk.scores(twice, expected(times={"min": 1, "max": 2}))[0].passed
    more = talk.scores(twice, expected(times={"min": 3, "max": 5}))[0]
    assert more.reason.startswith(
        "open_repair should be called at least 3 and at most 5 times, it was called 2"
    )


def test_a_call_may_be_forbidden_with_some_arguments_only(talk: Any) -> None:
    expect = {"never_calls": [{"tool": "open_repair", "with": {"severity": "major"}}]}
    assert talk.scores([talk.turn("Done", talk.call(email="a", severity="minor"))], expect)[0].passed
    major = talk.scores([talk.turn("Done", talk.call(email="a", severity="major"))], expect)[0]
    assert major.reason == "open_repair must not be called with such arguments, it was in turn 1"


def test_arguments_are_held_against_the_schema_though_nobody_asks(talk: Any) -> None:
    wrong = [talk.turn("Hi", talk.call(email="a")), talk.turn("Done", talk.call(days="three", email="a"))]
    first, second = [score for score in talk.scores(wrong) if score.check == "calls.schema"]
    assert (first.turn, first.passed) == (0, True)
    assert (second.turn, second.passed) == (1, False)
    assert "$.days: 'three' is not of type 'integer'" in second.reason


def test_calls_null_says_that_arguments_do_not_matter(talk: Any) -> None:
    wrong = [talk.turn("Done", talk.call(severity="awful"))]
    assert talk.scores(wrong, {"calls": None}) == []
    assert [score.check for score in talk.scores(wrong, whole={"calls": [{"tool": "open_repair"}]})] == [
        "calls.open_repair",
        "calls.schema",
    ]


def test_a_function_whose_schema_is_unknown_is_not_judged_unless_its_arguments_are_no_json(talk: Any) -> None:
    assert talk.scores([talk.turn("Done", talk.call("look_up", anything=1))]) == []
    broken = ToolCall(id="call_1", type="function", name="look_up", arguments="{")
    [score] = talk.scores([talk.turn("Done", broken)])
    assert (score.check, score.passed) == ("calls.schema", False)
