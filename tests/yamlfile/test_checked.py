"""A YAML file as a checked record: every mistake at once, each with its place."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from harness.errors import SettingsError
from harness.yamlfile.checked import read_checked


class Lamp(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    colour: str
    watts: int = 5


class Room(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    lamps: tuple[Lamp, ...]


def test_a_file_without_mistakes_is_a_record(write: Any) -> None:
    found = read_checked(write("room.yaml", "lamps: [{colour: red}]"), Room, code="room-invalid")
    assert found.record == Room(lamps=(Lamp(colour="red"),))


def test_all_mistakes_are_named_in_the_order_of_the_file_with_the_nearest_key(write: Any) -> None:
    file = write("room.yaml", "lamps:\n  - colour: red\n    wats: 3\n  - colour: 7\n  - watts: many\n")
    with pytest.raises(SettingsError) as caught:
        read_checked(file, Room, code="room-invalid")
    assert caught.value.code == "room-invalid"
    lines = str(caught.value).splitlines()
    assert lines[0] == "4 mistakes found"
    assert lines[1] == "room.yaml:3:5: unknown key 'wats' in an entry of lamps"
    assert "did you mean 'watts'?" in lines[2]
    assert lines[3].startswith("room.yaml:4:13: colour must be text, not 7")
    assert [line.split(":")[1] for line in lines if line.startswith("room.yaml")] == ["3", "4", "5", "5"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file must be a block with lamps, not nothing (null)"),
        ("- 1", "the file must be a block with lamps, not a list of 1"),
        ("lamps: [", "room.yaml:2:1"),
        ("lamps: []\nlamps: []", "the key 'lamps' stands twice"),
        (b"\xff", "not UTF-8 text"),
    ],
)
def test_what_is_no_such_file_is_one_error_of_the_same_kind(write: Any, content: Any, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_checked(write("room.yaml", content), Room, code="room-invalid")
    assert said in str(caught.value)
    assert caught.value.code == "room-invalid"


def test_a_file_that_is_not_there_is_answered_with_its_neighbour(write: Any) -> None:
    file = write("room.yaml", "lamps: []")
    with pytest.raises(SettingsError, match=r"did you mean 'room\.yaml'"):
        read_checked(file.with_name("rom.yaml"), Room, code="room-invalid")
