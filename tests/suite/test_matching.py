from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.suite.matching import MATCHERS, matches, matches_object, shape_problems

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_every_plain_value_matches_itself(value: Any) -> None:
    assert matches(value, value) is None


@given(json_values)
def test_plain_values_have_no_shape_problem(value: Any) -> None:
    assert list(shape_problems(value)) == []


@given(json_values, json_values)
def test_one_of_matches_when_any_choice_does(first: Any, second: Any) -> None:
    assert matches({"one_of": [first, second]}, second) is None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ({"one_of": ["high", "urgent"]}, "urgent"),
        ({"matches": r"^T-\d+$"}, "T-1001"),
        ({"contains": "Crash  on start"}, "the app has a crash on START"),
        ({"contains": "b"}, ["a", "b"]),
        ({"min": 1, "max": 3}, 3),
        ({"min": 1}, 1.5),
        ({"any": True}, None),
        ({"approx": 0.3}, 0.1 + 0.2),
        ({"approx": 10, "within": 0.5}, 9.5),
        ({"approx": 0.2, "within": 0.1}, 0.3),
        ({"approx": -200, "within": "5%"}, -190),
        ({"exact": {"a": [1]}}, {"a": [1.0]}),
        ({"json_schema": {"type": "string", "maxLength": 3}}, "abc"),
        ({"not": "low"}, "high"),
        ({"not": {"one_of": ["low", "none"]}}, "high"),
        ({"a": {"absent": True}}, {"b": 1}),
        ({"a": 1}, {"a": 1.0, "b": 2}),
        ([{"a": {"min": 1}}], [{"a": 5}]),
        (1, 1.0),
    ],
)
def test_values_that_are_as_expected_match(expected: Any, actual: Any) -> None:
    assert matches(expected, actual) is None


@pytest.mark.parametrize(
    ("expected", "actual", "message"),
    [
        (
            {"priority": {"one_of": ["high", "urgent"]}},
            {"priority": "low"},
            "priority is 'low', expected 'high' or 'urgent'",
        ),
        ({"user": {"email": "a"}}, {"user": {}}, "user.email is missing, expected 'a'"),
        ({"n": True}, {"n": 1}, "n is 1, expected true"),
        ({"n": {"min": 2}}, {"n": "3"}, "n is '3', expected a number of at least 2"),
        ({"n": {"min": 2}}, {"n": True}, "n is true, expected a number of at least 2"),
        ({"l": [1, 2]}, {"l": [1]}, "l is [1], expected a list of 2 items"),
        ({"l": [1, {"a": 2}]}, {"l": [1, {"a": 3}]}, "l[1].a is 3, expected 2"),
        ({"a": {"any": True}}, {}, "a is missing, expected any value"),
        (
            {"a": {"approx": 10, "within": "5%"}},
            {"a": 10.6},
            "a is 10.6, expected a number near 10 and within 5%",
        ),
        ({"a": {"approx": 1}}, {"a": True}, "a is true, expected a number near 1"),
        (
            {"a": {"exact": {"b": 1}}},
            {"a": {"b": 1, "c": 2}},
            """a is {"b": 1, "c": 2}, expected exactly {"b": 1}""",
        ),
        ({"a": {"exact": [1]}}, {"a": [True]}, "a is [true], expected exactly [1]"),
        ({"a": {"not": "low"}}, {"a": "low"}, "a is 'low', expected anything but 'low'"),
        ({"a": {"absent": True}}, {"a": None}, "a is null, expected no value"),
        (
            {"a": {"json_schema": {"type": "string"}}},
            {"a": 5},
            """a is 5, expected a value that fits the JSON Schema {"type": "string"}""",
        ),
        ({"a": {"matches": "x"}}, {"a": 5}, "a is 5, expected text that matches 'x'"),
        ({"a": 1}, ["a"], """the value is ["a"], expected {"a": 1}"""),
    ],
)
def test_a_mismatch_names_the_place_the_value_and_the_expectation(
    expected: Any, actual: Any, message: str
) -> None:
    mismatch = matches_object(expected, actual)
    assert mismatch is not None
    assert mismatch.message == message


def test_argument_names_that_look_like_matchers_are_names() -> None:
    assert matches_object({"min": 3}, {"min": 3}) is None
    assert matches_object({"min": 3}, {"min": 4}) is not None


@pytest.mark.parametrize(
    ("expected", "part"),
    [
        ({"p": {"one_of": "high"}}, "list with at least one value"),
        ({"p": {"one_of": []}}, "list with at least one value"),
        ({"p": {"matches": "("}}, "cannot be read"),
        ({"p": {"matches": 3}}, "as text"),
        ({"p": {"min": "3"}}, "take a number"),
        ({"p": {"min": 4, "max": 3}}, "exchange min and max"),
        ({"p": {"any": False}}, "takes true"),
        ({"p": {"contains": ""}}, "empty text"),
        ({"p": {"approx": "3"}}, "approx takes a number"),
        ({"p": {"approx": 3, "within": -1}}, "at least 0 or a percentage like 5%"),
        ({"p": {"approx": 3, "within": "a bit"}}, "at least 0 or a percentage like 5%"),
        ({"p": {"within": 1}}, "there is no approx"),
        ({"p": {"absent": False}}, "absent takes true"),
        ({"p": {"absent": True, "min": 1}}, "absent stands alone"),
        ({"p": {"json_schema": {"type": "nonsense"}}}, "the JSON Schema itself is not valid"),
        ({"p": {"json_schema": []}}, "json_schema takes a JSON Schema"),
        ({"p": {"not": {"matches": "("}}}, "cannot be read"),
        ({"p": {"one_of": ["a"], "mtaches": "b"}}, "did you mean 'matches'"),
        ({"p": [{"q": {"matches": "["}}]}, "cannot be read"),
        ({"p": {"one_of": [{"matches": "["}]}}, "cannot be read"),
    ],
)
def test_a_matcher_written_wrongly_is_named_with_its_place(expected: dict[str, Any], part: str) -> None:
    problems = list(shape_problems(expected))
    assert len(problems) == 1
    assert problems[0][0].startswith("p")
    assert part in problems[0][1]


@given(st.dictionaries(st.sampled_from(sorted(MATCHERS)), json_values))
def test_what_passes_the_shape_check_never_raises(matcher: dict[str, Any]) -> None:
    if not list(shape_problems(matcher)):
        for value in ("text", 3, None, [1], {"a": 1}):
            matches(matcher, value)


@given(json_values, json_values)
def test_a_value_is_either_matched_or_matched_by_its_negation(expected: Any, actual: Any) -> None:
    assert (matches(expected, actual) is None) is not (matches({"not": expected}, actual) is None)


@given(json_values, st.dictionaries(st.sampled_from("abcd"), json_values, min_size=1, max_size=3))
def test_exact_is_equality_and_leaves_no_room_for_more_keys(value: Any, more: dict[str, Any]) -> None:
    assert matches({"exact": value}, value) is None
    assert matches({"exact": {}}, more) is not None
    assert matches_object({}, more, exact=True) is not None


@given(st.floats(-1e9, 1e9), st.floats(0, 100))
def test_near_is_as_near_as_it_says(number: float, distance: float) -> None:
    assume(distance > 1e-12 * abs(number))  # else it is lost in the rounding of the sum
    near = {"approx": number, "within": distance}
    assert matches(near, number + 0.99 * distance) is None
    assert matches(near, number + 1.5 * distance + 1e-3) is not None
