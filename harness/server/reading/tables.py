"""Tables as text that can be searched and quoted row by row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[-+]?[\d.,]+%?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_HEADER_SHARE = 0.5
"""A header names at least this share of its columns; an index column is often left without a name."""


def text_of(text: str) -> str:
    """Every row as ``column: value; column: value``, so that each chunk explains itself.

    Lines before the header, such as a title, stay as they are. Without a header row (its cells must be words)
    the cells stand between bars.
    """
    rows = _rows(text)
    if rows is None:
        return text
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    title = _title_lines(filled)
    lines = [row_text(filter(str.strip, row)) for row in filled[:title]]
    if len(filled) > title + 1 and _is_header(filled[title]):
        return "\n".join([*lines, *(_labelled(filled[title], row) for row in filled[title + 1 :])])
    return "\n".join([*lines, *map(row_text, filled[title:])])


def _title_lines(rows: Sequence[Sequence[str]]) -> int:
    """How many rows with one cell stand before the first row of several: what the table is about."""
    several = (place for place, row in enumerate(rows) if sum(1 for cell in row if cell.strip()) > 1)
    return next(several, 0)


def row_text(cells: Iterable[str]) -> str:
    """One row, its cells between bars and each on one line."""
    return " | ".join(" ".join(cell.split()) for cell in cells)


def _rows(text: str) -> list[list[str]] | None:
    try:
        return list(csv.reader(io.StringIO(text), delimiter=_delimiter(text)))
    except csv.Error:
        return None


def _delimiter(text: str) -> str:
    """The one that splits the first lines into the most cells, evenly."""
    lines = [line for line in text.split("\n")[:20] if line.strip()]

    def evenness(mark: str) -> tuple[int, int]:
        counts = [line.count(mark) for line in lines]
        return (min(counts, default=0), -_DELIMITERS.index(mark))

    return max(_DELIMITERS, key=evenness)


def _is_header(row: Sequence[str]) -> bool:
    cells = [cell.strip() for cell in row]
    named = [cell for cell in cells if cell]
    words = [cell for cell in named if not _is_number(cell)]
    enough = len(cells) > 1 and len(named) >= max(2, _HEADER_SHARE * len(cells)) and bool(words)
    return enough and all(_YEAR.fullmatch(cell) for cell in named if _is_number(cell))


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell))


def _labelled(header: Sequence[str], row: Sequence[str]) -> str:
    named = [
        f"{' '.join(name.split())}: {' '.join(value.split())}".removeprefix(": ")
        for name, value in zip(header, row, strict=False)
        if value.strip()
    ]
    extra = [" ".join(value.split()) for value in row[len(header) :] if value.strip()]
    return "; ".join(named + extra)
