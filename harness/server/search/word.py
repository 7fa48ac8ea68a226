"""The text of a Word document: paragraphs, headings, lists and tables in their order."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from harness.server.search import tables
from harness.server.search.documents import Page, Unreadable

MAX_UNPACKED_BYTES = 400 * 1024 * 1024
# Ordinary documents shrink 5 to 20 times; a bomb shrinks a thousand times.
_MAX_RATIO = 200
_SMALL_BYTES = 10 * 1024 * 1024


def pages(name: str, content: bytes) -> Iterator[Page]:
    """One page without a number (Word decides page breaks only when it prints).

    Raises:
        Unreadable: The file is damaged, or would unpack to an absurd size.
    """
    _refuse_bomb(name, content)
    yield Page(None, "\n\n".join(block for block in _read(name, content) if block))


def _refuse_bomb(name: str, content: bytes) -> None:
    unpacked = sum(member.file_size for member in zipfile.ZipFile(io.BytesIO(content)).infolist())
    absurd = unpacked > _SMALL_BYTES and unpacked > _MAX_RATIO * len(content)
    if unpacked > MAX_UNPACKED_BYTES or absurd:
        raise Unreadable(
            "invalid_file", f"{name!r} would unpack to {unpacked:,} bytes; split it or save it again"
        )


def _read(name: str, content: bytes) -> list[str]:
    import docx
    from docx.exceptions import PythonDocxError
    from docx.opc.exceptions import OpcError
    from lxml.etree import LxmlError  # type: ignore[import-untyped]

    # What python-docx lets through when the archive or its XML is damaged.
    damage = (PythonDocxError, OpcError, LxmlError, zipfile.BadZipFile, zlib.error, ArithmeticError)
    slips = (
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        OSError,
        EOFError,
        NotImplementedError,
        RuntimeError,
    )
    try:
        return [_block(item) for item in docx.Document(io.BytesIO(content)).iter_inner_content()]
    except damage + slips as error:
        raise Unreadable(
            "invalid_file", f"{name!r} is damaged ({error}); open it in Word and save it again"
        ) from error


def _block(item: Any) -> str:
    if hasattr(item, "rows"):
        return _table(item)
    text = item.text.strip()
    style = (item.style.name or "") if text and item.style is not None else ""
    heading = re.fullmatch(r"Heading (\d)", style)
    if heading:
        return f"{'#' * int(heading.group(1))} {text}"
    if style == "Title":
        return f"# {text}"
    return f"- {text}" if style.startswith("List ") else text


def _table(table: Any) -> str:
    return "\n".join(row for row in map(_row, table.rows) if row.strip(" |"))


def _row(row: Any) -> str:
    """A merged cell is listed once for each column it spans; it is written once."""
    seen: list[Any] = []
    for cell in row.cells:
        if not seen or cell._tc is not seen[-1]._tc:
            seen.append(cell)
    return tables.row_text(cell.text for cell in seen)
