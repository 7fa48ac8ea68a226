"""TOML that can't be read is one error in words, also where the parser has none."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import SettingsError
from harness.settings import load_settings
from harness.tomlfile import TomlFile, read_toml

UNREADABLE = {
    "no TOML": (b"a = = 1", "this is not TOML: Invalid value"),
    "another encoding": (b"a = 1\nb = '\xe9'", "harness.toml:2: this is not UTF-8"),
    "too deep": (b"a = " + b"[" * 99_999, "nested too deeply"),
    "a long number": (b"a = " + b"9" * 9999, "a number in it has thousands of digits"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_can_not_be_read_is_told_with_its_place(tmp_path, monkeypatch, name):
    content, told = UNREADABLE[name]
    (tmp_path / "harness.toml").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as refused:
        load_settings({})
    assert told in str(refused.value)


def test_a_folder_in_its_place_is_told(tmp_path):
    with pytest.raises(SettingsError, match="it can't be read: Is a directory"):
        read_toml(tmp_path)


def test_a_byte_order_mark_and_windows_lines_are_no_mistake(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert read_toml(tmp_path / "a.toml").data == {"a": 1, "b": 2}


TEXT = """\
# a = 9
"a" = { b = 1, c = [1, 2] } # ]
text = '''
rule = 1
'''
list = [
  "x]", # "
  3,
]

[[rule]]
margin = 0.1

  [[ rule ]]
  tags.first = "\\"]\\"" # [x]
[rule.more."in side"]
deep . er = 2026-01-01
"""
PLACES = {
    ("a",): ("2:7", "2:1"),
    ("a", "b"): ("2:7", "2:7"),
    ("text",): ("3:8", "3:1"),
    ("list",): ("6:8", "6:1"),
    ("list", 1): ("6:8", "6:8"),
    ("rule", 0): ("11:1", "11:1"),
    ("rule", 0, "margin"): ("12:10", "12:1"),
    ("rule", 0, "other"): ("11:1", "11:1"),
    ("rule", 1): ("14:3", "14:3"),
    ("rule", 1, "tags", "first"): ("15:16", "15:3"),
    ("rule", 1, "more", "in side", "deep", "er"): ("17:13", "17:1"),
}


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_value_is_found_where_it_stands(tmp_path, place):
    (tmp_path / "a.toml").write_text(TEXT, "utf-8")
    file = read_toml(tmp_path / "a.toml")
    found = file.where(place), file.where(place, key=True)
    assert tuple(f"{where.line}:{where.column}" for where in found) == PLACES[place]


def test_what_the_file_does_not_have_is_somewhere_in_the_file(tmp_path):
    (tmp_path / "a.toml").write_text("a = 1", "utf-8")
    where = read_toml(tmp_path / "a.toml").where(("b", "c"))
    assert (where.file, where.line) == (str(tmp_path / "a.toml"), None)


KEYS = st.text(st.sampled_from("ab.# =[]\"'\\\n\t{}é"), max_size=5)
VALUES = st.recursive(st.integers(0, 99) | st.text(st.sampled_from("a]#\"'\n=["), max_size=5), st.lists)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_keys_and_values_of_any_kind_are_found(data):
    text = "".join(f"\n# [x]\n {json.dumps(key)} = {json.dumps(value)}" for key, value in data.items())
    file = TomlFile(Path("a.toml"), text, tomllib.loads(text))
    lines = text.split("\n")
    for key, value in data.items():
        for written, where in ((key, file.where((key,), key=True)), (value, file.where((key,)))):
            assert lines[where.line - 1][where.column - 1 :].startswith(json.dumps(written))
