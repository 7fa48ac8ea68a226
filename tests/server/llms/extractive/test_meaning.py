"""Functions that a message means in other words than their own."""

from __future__ import annotations

from typing import Any

import pytest

from harness.embedding import encoder
from harness.server.llms.extractive.functions import functions_of
from harness.server.llms.extractive.meaning import (
    ALONE,
    BESIDE_DOCUMENTS,
    REPORTED,
    meant_calls,
    reporting_call,
)


def tool(name: str, description: str, required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


PLACE = {"type": "string", "description": "The city, for example Lisbon"}
UNIT = {"type": "string", "enum": ["Celsius", "Fahrenheit"]}
WEATHER = [
    tool(
        "get_current_temperature",
        "Get the current temperature for a place",
        ("place", "unit"),
        place=PLACE,
        unit=UNIT,
    ),
    tool("get_rain_probability", "Get the probability of rain for a place", ("place",), place=PLACE),
    tool("delete_account", "Delete the user's account for good"),
    tool("create_ticket", "Open a support ticket for a human colleague"),
]


def meant(said: str) -> dict[str, dict[str, Any]]:
    calls = meant_calls(functions_of(WEATHER), said, [], ALONE)
    return {call.function.name: call.filled.arguments for call in calls}


def test_a_question_in_other_words_means_the_function_and_choices_are_made() -> None:
    assert meant("How hot is it in Paris?") == {
        "get_current_temperature": {"place": "Paris", "unit": "Celsius"}
    }


def test_a_question_with_two_parts_means_two_functions() -> None:
    found = meant("What is the temperature in Lisbon today and how likely is it that it rains?")
    assert set(found) == {"get_current_temperature", "get_rain_probability"}


@pytest.mark.parametrize(
    "said",
    ["How do I export my data?", "Tell me a joke", "What are your opening hours?", "Who won the game?", ""],
)
def test_what_none_of_them_does_means_none(said: str) -> None:
    assert meant(said) == {}


@pytest.mark.parametrize(
    "said", ["My account is gone for good!", "A human deleted my account's support ticket"]
)
def test_what_changes_something_or_brings_people_in_is_never_called_by_meaning_alone(said: str) -> None:
    assert not set(meant(said)) & {"delete_account", "create_ticket"}


def test_without_the_encoder_nothing_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "default", lambda: None)
    assert meant("How hot is it in Paris?") == {}


NUMBER = {"type": "number"}
ORDER = {"type": "string", "pattern": "^IW-\\d{6}$"}
SHOP = [
    tool("order_status", "State of an order and the day it will arrive", ("order",), order=ORDER),
    tool(
        "open_claim",
        "Opens a claim about a misprint or damage",
        ("order", "problem"),
        order=ORDER,
        problem={"type": "string", "description": "What is wrong"},
    ),
]


@pytest.mark.parametrize("said", ["where are my flyers? IW-204417", "When will IW-204417 come?"])
def test_a_question_that_holds_what_a_look_up_needs_means_it(said: str) -> None:
    calls = meant_calls(functions_of(SHOP), said, [], BESIDE_DOCUMENTS)
    assert [(call.function.name, call.filled.arguments) for call in calls] == [
        ("order_status", {"order": "IW-204417"})
    ]


@pytest.mark.parametrize("said", ["I want to cancel IW-204417", "Can I change the address of IW-204417?"])
def test_a_number_alone_does_not_mean_a_look_up(said: str) -> None:
    assert meant_calls(functions_of(SHOP), said, [], BESIDE_DOCUMENTS) == []


def test_a_report_means_the_function_that_takes_it_in() -> None:
    call = reporting_call(functions_of(SHOP), "The paper of IW-300200 is ripped", REPORTED)
    assert call is not None
    assert call.function.name == "open_claim"
    assert call.filled.arguments["order"] == "IW-300200"


def test_what_is_like_a_function_already_asked_for_asks_for_no_other() -> None:
    sums = [
        tool("multiply", "Multiplies two numbers", ("a", "b"), a=NUMBER, b=NUMBER),
        tool("divide", "Divides one number by another", ("a", "b"), a=NUMBER, b=NUMBER),
    ]
    found = meant_calls(functions_of(sums), "divide 9 by 3", [], ALONE, frozenset({"divide"}))
    assert found == []
