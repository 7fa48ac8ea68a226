from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError

from harness.suite.records import Conversation, Expect, SuiteFile
from harness.yamlfile.checked import FileRecord
from harness.yamlfile.mistakes import annotation_at, described, did_you_mean, mistakes_in, name_of, shown


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((), "the file"),
        (("repeats",), "repeats"),
        (("conversations", 3), "an entry of conversations"),
        (("conversations", 3, "turns", 0, "expect", "grounded", "min"), "expect.grounded.min"),
        (("a", 0, "b", 1), "an entry of b"),
    ],
)
def test_a_place_is_named_by_its_keys_since_the_last_list(place, name):
    assert name_of(place) == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing (null)"),
        (True, "true"),
        (1.5, "1.5"),
        ("a'b", '"a\'b"'),
        ({}, "an empty block"),
        ({"a": 1, "b": 2}, "a block with a, b"),
        ([], "an empty list"),
        ([1, 2], "a list of 2"),
    ],
)
def test_values_are_shown_as_an_author_writes_them(value, text):
    assert shown(value) == text


def test_a_long_text_is_shown_shortened():
    assert len(shown("x" * 500)) == 80


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (bool, "true or false"),
        (int | None, "a whole number"),
        (Literal["a", "b", "c"], "a, b or c"),
        (tuple[str, ...], "a list of texts"),
        (tuple[Literal["image", "file"], ...], "a list of image or file"),
        (dict[str, Any] | Literal["auto"] | None, "a block of keys and values or auto"),
        (Expect.model_fields["grounded"].annotation, "true, false or a block with min, against"),
        (Conversation.model_fields["turns"].annotation, "a list of blocks"),
    ],
)
def test_what_may_stand_at_a_place_is_said_in_plain_words(annotation, text):
    assert described(annotation) == text


def test_the_nearest_word_comes_before_all_that_are_allowed():
    assert did_you_mean("statsu", ["status", "steps"]) == "did you mean 'status'? Allowed here: status, steps"
    assert did_you_mean("xyz", ["status"], label="keys") == "keys: status"
    assert did_you_mean("xyz", []) == "allowed here: none"


@pytest.mark.parametrize(
    ("place", "annotation"),
    [
        (("id",), str),
        (("cluster",), str),
        (("tags", 2), str),
        (("turns", 0, "user"), str),
        (("turns", 0, "expect", "answer", "mentions", 0), str),
        (("turns", 0, "expect", "cites", 0), str),
        (("turns", 0, "expect", "grounded", "min"), float),
        (("turns", 0, "expect", "calls", 0, "with", "email"), Any),
        (("turns", 0, "nothing", "such"), Any),
    ],
)
def test_the_records_say_what_belongs_at_a_place(place, annotation):
    assert annotation_at(Conversation, place) == annotation


def messages(model: type[BaseModel], data: object) -> list[str]:
    try:
        model.model_validate(data, strict=True)
    except ValidationError as error:
        return [mistake.message for mistake in mistakes_in(error, model, data)]
    return []


def test_of_a_value_that_may_be_several_things_one_mistake_is_told():
    class Record(FileRecord):
        either: bool | dict[str, int] | None = None

    assert messages(Record, {"either": "x"}) == [
        "either must be true, false or a block of keys and values, not 'x'"
    ]
    assert messages(Record, {"either": {"a": "b"}}) == ["either.a must be a whole number, not 'b'"]
    assert messages(Record, {"either": None}) == []


def test_a_list_is_not_called_too_short_because_its_entries_are_wrong():
    turns = [{"user": 1}]
    conversations = ({"id": "a", "turns": turns},)

    assert "turns must have at least" not in str(
        messages(SuiteFile, {"suite": "s", "conversations": conversations})
    )
