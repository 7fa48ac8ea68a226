"""TOML that can't be read is one error in words, also where the parser has none."""

from __future__ import annotations

import pytest

from harness.errors import SettingsError
from harness.settings import load_settings
from harness.tomlfile import read_toml

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
    assert read_toml(tmp_path / "a.toml") == {"a": 1, "b": 2}
