"""What reading a file gives: its text, page by page, or the reason why there is none."""

from __future__ import annotations

from typing import Literal

import msgspec

from harness.errors import HarnessError

UnreadableCode = Literal["unsupported_file", "invalid_file"]


class Page(msgspec.Struct, frozen=True):
    """A page of a document; ``number`` counts from 1 and is None where the format has no pages."""

    number: int | None
    text: str


class Document(msgspec.Struct, frozen=True):
    """The readable text of one file."""

    filename: str
    pages: tuple[Page, ...]

    @property
    def text(self) -> str:
        """The whole text, pages separated by blank lines."""
        return "\n\n".join(page.text for page in self.pages if page.text)


class Unreadable(HarnessError):
    """A file whose text cannot be had.

    Attributes:
        code: ``unsupported_file`` (a type that is not read here) or ``invalid_file`` (empty, encrypted,
            damaged, or without any text): the two that a vector store file's ``last_error`` knows for it.
    """

    def __init__(self, code: UnreadableCode, message: str) -> None:
        super().__init__(message, code=code)
