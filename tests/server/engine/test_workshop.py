"""What the model is told of files: the beginning of texts, nothing of anything else."""

from __future__ import annotations

import pytest

from harness.server.engine.workshop import describe
from harness.server.state import FileRecord
from harness.server.table import Content
from harness.server.wire import File


def head(content: bytes) -> str:
    file = File(id="file-1", purpose="assistants", filename="a", bytes=len(content), created_at=0)
    return describe(FileRecord(file, Content(content))).head


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "Größe,Preis\n", "x" * 5_000, "ü" * 5_000, "東" * 5_000, "😀" * 5_000]
)
def test_a_text_file_shows_its_first_two_thousand_characters(text: str) -> None:
    assert head(text.encode()) == text[:2_000]
    assert head(b"\xef\xbb\xbf" + text.encode()) == text[:2_000]


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\0\0", b"PK\x03\x04\x00", b"caf\xe9 in latin-1, and more words"]
)
def test_what_is_no_utf_8_text_shows_nothing(content: bytes) -> None:
    assert head(content) == ""


def test_a_character_that_ends_the_beginning_of_the_file_is_not_cut_in_two() -> None:
    assert head(("a" + "😀" * 4_000).encode()) == "a" + "😀" * 1_999
    assert head("caf\xe9".encode()[:-1]) == ""
