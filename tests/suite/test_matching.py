from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.suite.matching import matches, matches_object, object_problems, shape_problems

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
        ({"p": {"one_of": ["a"], "mtaches": "b"}}, "did you mean 'matches'"),
        ({"p": [{"q": {"matches": "["}}]}, "cannot be read"),
        ({"p": {"one_of": [{"matches": "["}]}}, "cannot be read"),
    ],
)
def test_a_matcher_written_wrongly_is_named_with_its_place(expected: dict[str, Any], part: str) -> None:
    problems = list(object_problems(expected))
    assert len(problems) == 1
    assert problems[0][0].startswith("p")
    assert part in problems[0][1]


@given(st.dictionaries(st.sampled_from(["one_of", "matches", "contains", "min", "max", "any"]), json_values))
def test_what_passes_the_shape_check_never_raises(matcher: dict[str, Any]) -> None:
    if not list(shape_problems(matcher)):
        for value in ("text", 3, None, [1], {"a": 1}):
            matches(matcher, value)
