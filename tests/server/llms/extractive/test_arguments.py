"""Values of function parameters, found in what users say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.server.llms.extractive.arguments import fill
from harness.server.llms.extractive.parameters import Parameter
from harness.server.llms.extractive.strings import summary_of

SEVERITY = {"type": "string", "enum": ["low", "medium", "high", "urgent"]}


def schema(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


@pytest.mark.parametrize(
    ("name", "spec", "said", "expected"),
    [
        ("user_email", {"type": "string"}, "Write to jo@example.com.", "jo@example.com"),
        ("user_email", {"type": "string"}, "I am 'jo@example.com'.", "jo@example.com"),
        ("user_email", {"type": "string"}, "I am o'neil@example.com.", "o'neil@example.com"),
        (
            "contact",
            {"type": "string", "format": "email"},
            "a@b.example or rather c@d.example",
            "c@d.example",
        ),
        ("phone_number", {"type": "string"}, "Call me at +49 30 1234567 on 2026-03-01", "+49 30 1234567"),
        ("date", {"type": "string", "format": "date"}, "on March 5th, 2026 please", "2026-03-05"),
        ("date", {"type": "string"}, "see you tomorrow", "tomorrow"),
        ("start_time", {"type": "string"}, "on 2026-01-02 at 14:30", "14:30"),
        ("hours", {"type": "integer"}, "room 12 for 2 hours", 2),
        ("nights", {"type": "integer"}, "for three nights and 2 guests", 3),
        ("amount", {"type": "number", "description": "Amount in euros"}, "send 12.50 euros", 12.5),
        ("card_number", {"type": "string", "pattern": "^HB\\d{4}$"}, "it is hb1234.", "HB1234"),
        (
            "card_number",
            {"type": "string", "pattern": "^\\p{L}+$"},
            "it is hb1234.",
            None,
        ),  # no Python has \\p
        ("order_id", {"type": "string"}, "my order is #A-1001, thanks", "A-1001"),
        ("order_id", {"type": "string"}, "I paid 200 euros", None),
        ("customer_name", {"type": "string"}, "Hello, my name is Ada King.", "Ada King"),
        ("customer_name", {"type": "string"}, "I am Sorry for the delay", None),
        ("city", {"type": "string"}, "a hotel in New York for us", "New York"),
        ("room", {"type": "string", "enum": ["blue", "red"]}, "the Blue one", "blue"),
        ("with_breakfast", {"type": "boolean"}, "without breakfast please", False),
        ("with_breakfast", {"type": "boolean"}, "breakfast would be nice", True),
        (
            "tags",
            {"type": "array", "items": {"type": "string", "enum": ["a1", "b2"]}},
            "b2 and a1",
            ["a1", "b2"],
        ),
        ("reason", {"type": "string"}, "Cancel it because the colour is wrong.", "the colour is wrong"),
        ("website", {"type": "string", "format": "uri"}, "see https://a.example/x.", "https://a.example/x"),
    ],
)
def test_a_value_is_found_by_what_it_is(name, spec, said, expected):
    assert fill(schema(**{name: spec}), [said]).arguments.get(name) == expected


@pytest.mark.parametrize(
    ("said", "priority"),
    [
        ("This is urgent, nobody can work!", "urgent"),
        ("Please fix it asap", "urgent"),
        ("I cannot log in", "high"),
        ("a minor flaw, no rush", "low"),
        ("It's not urgent", "low"),
        ("The colour is off", "medium"),
        ("priority: high", "high"),
        ("The volume is low", "medium"),
    ],
)
def test_severity_is_taken_from_the_words(said, priority):
    assert fill(schema(["priority"], priority=SEVERITY), [said]).arguments["priority"] == priority


def test_what_was_not_said_is_missing_and_never_made_up():
    wanted = schema(
        ["email", "seats"], email={"type": "string"}, seats={"type": "integer"}, note={"type": "string"}
    )
    filled = fill(wanted, ["Please!"])
    assert filled.arguments == {}
    assert filled.missing == ("email", "seats")


def test_a_nullable_value_that_was_not_said_is_null():
    assert fill(schema(["phone"], phone={"type": ["string", "null"]}), ["Hi"]).arguments == {"phone": None}


def test_the_latest_word_counts():
    wanted = schema(email={"type": "string", "format": "email"})
    assert fill(wanted, ["now b@b.example", "first a@a.example"]).arguments == {"email": "b@b.example"}


def test_a_number_outside_of_the_bounds_is_not_taken():
    assert fill(schema(hours={"type": "integer", "maximum": 4}), ["for 9 hours"]).arguments == {}


def test_a_summary_tells_the_problem_without_the_request_and_the_address():
    said = ["I want you to open a ticket: the map stays white. My email is a@b.example", "The map crashes."]
    assert (
        summary_of(said) == "The map crashes." or summary_of(said) == "The map crashes. The map stays white."
    )
    assert summary_of(["Please create a ticket"]) is None


def test_labels_are_plain_words():
    assert Parameter("user_email", {}).label == "e-mail address"
    assert Parameter("cardNumber", {}).label == "card number"


SPECS = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "format": "email"},
        {"type": "string", "format": "date"},
        {"type": "integer", "minimum": 1, "maximum": 9},
        {"type": "number"},
        {"type": "boolean"},
        SEVERITY,
        {"type": "array", "items": {"type": "integer"}},
        {"type": "object", "properties": {"city": {"type": "string"}}},
        {"type": ["string", "null"]},
        {"enum": [1, "two", None]},
    ]
)
NAMES = st.sampled_from(
    "email date count order_id summary reason name city query hours note wants_call".split()
)
SAID = st.lists(
    st.sampled_from(
        "I need 3 hours on 2026-03-01 at 9:00 for a@b.example order 12 Rome urgent not two "
        "99999999999999999999 “x” yes".split()
    ),
    max_size=12,
).map(" ".join)


@given(
    properties=st.dictionaries(NAMES, SPECS, max_size=4),
    said=st.lists(SAID | st.text(max_size=40), min_size=1, max_size=3),
)
def test_arguments_always_fit_the_schema_and_come_from_the_talk(properties, said):
    wanted = schema(list(properties), **properties)
    filled = fill(wanted, said)
    assert set(filled.arguments) | set(filled.missing) == set(properties)
    Draft202012Validator({**wanted, "required": []}).validate(
        {k: v for k, v in filled.arguments.items() if "format" not in properties[k]}
    )
