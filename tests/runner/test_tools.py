"""Stubs: what a function call is answered with, and that nothing of it leaks from one trial into another."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runner.tools import StubBook
from harness.suite.records import Stub
from harness.targets.interface import FunctionCall, FunctionOutput


def answers(
    stubs: Sequence[dict[str, Any]], calls: Sequence[Any], **functions: Callable[..., Any]
) -> list[FunctionOutput]:
    """What the calls of one trial are answered, in order; text is taken as it is."""
    book = StubBook({"f": [Stub(**each) for each in stubs]}, functions)

    async def ask() -> list[FunctionOutput]:
        texts = [call if isinstance(call, str) else json.dumps(call) for call in calls]
        return [
            await book.answer(FunctionCall(f"call-{place}", "f", text)) for place, text in enumerate(texts)
        ]

    return asyncio.run(ask())


def outputs(*arguments: Any, **functions: Callable[..., Any]) -> list[str]:
    return [each.output for each in answers(*arguments, **functions)]


def test_the_nth_call_is_counted_over_all_calls_of_the_function() -> None:
    stubs = [{"nth": 2, "returns": "second"}, {"when": {"x": 1}, "returns": "one"}, {"returns": "other"}]
    assert outputs(stubs, [{"x": 1}, {"x": 1}, {"x": 2}]) == ["one", "second", "other"]


def test_a_sequence_gives_each_output_once_and_then_leaves_the_calls_to_the_next_stub() -> None:
    stubs = [{"returns_each": ["open", {"state": "closed"}]}, {"returns": None}]
    assert outputs(stubs, [{}, {}, {}]) == ["open", '{"state":"closed"}', "null"]


def test_damaged_output_is_sent_as_it_is() -> None:
    assert answers([{"raw": "{not json"}], [{}]) == [FunctionOutput("{not json")]


def test_a_function_gets_the_arguments_by_name_and_may_be_async() -> None:
    async def slow(x: int) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"twice": 2 * x}

    assert outputs([{"call": "slow"}], [{"x": 4}], slow=slow) == ['{"twice":8}']
    assert outputs([{"call": "plain"}], [{"x": 4}], plain=lambda x: f"got {x}") == ["got 4"]


def test_what_a_function_raises_is_an_error_output_and_a_finding_with_its_line() -> None:
    def broken(x: int) -> None:
        raise ValueError(f"no {x}")

    [given_] = answers([{"call": "broken"}], [{"x": 4}], broken=broken)
    assert json.loads(given_.output) == {"error": "ValueError: no 4"}
    assert (
        given_.error == f"tests/runner/test_tools.py:{broken.__code__.co_firstlineno + 1}: ValueError: no 4"
    )


@pytest.mark.parametrize(
    ("call", "returned", "told"),
    [
        ({"x": 1}, object(), "returned a object, which is no JSON"),
        ([1], "never asked", "no stub of 'f' answers these arguments: [1]"),
        ("{broken", "never asked", "are not JSON"),
    ],
)
def test_what_can_not_be_asked_or_sent_is_a_finding(call: Any, returned: Any, told: str) -> None:
    [given_] = answers([{"call": "made"}], [call], made=lambda **_: returned)
    assert given_.error and told in given_.error
    assert json.loads(given_.output) == {"error": given_.error}


def test_a_call_that_no_stub_answers_is_told_with_its_arguments() -> None:
    [given_] = answers([{"when": {"x": 1}, "returns": 1}], [{"x": 2}])
    assert given_.error == "no stub of 'f' answers these arguments: {\"x\": 2}"


def test_how_long_a_function_takes_is_told_and_not_waited_for() -> None:
    slow, never = answers([{"nth": 1, "takes_s": 3.5, "returns": 1}, {"times_out": True}], [{}, {}])
    assert (slow.takes_s, slow.error) == (3.5, None)
    assert never.takes_s == math.inf


_STUBS = st.lists(
    st.fixed_dictionaries(
        {"returns": st.integers(0, 99)},
        optional={"when": st.fixed_dictionaries({"x": st.integers(0, 2)}), "times": st.integers(1, 3)},
    )
    | st.fixed_dictionaries({"returns_each": st.lists(st.integers(100, 199), min_size=1, max_size=3)})
    | st.fixed_dictionaries({"nth": st.integers(1, 5), "returns": st.integers(200, 299)}),
    max_size=5,
)


@given(_STUBS, st.lists(st.fixed_dictionaries({"x": st.integers(0, 2)}), max_size=8))
def test_every_call_has_one_answer_and_no_stub_answers_more_often_than_it_says(
    stubs: list[dict[str, Any]], calls: list[dict[str, int]]
) -> None:
    first, again = answers(stubs, calls), answers(stubs, calls)
    assert first == again and len(first) == len(calls)
    limited = {id(stub): Stub(**stub).most_uses for stub in stubs}
    most = sum(uses for uses in limited.values() if uses) if None not in limited.values() else len(calls)
    nth = sum("nth" in stub for stub in stubs)
    assert sum(each.error is None for each in first) <= most + nth
