"""Tables as text that can be searched and quoted row by row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[-+]?[\d.,]+%?")


def text_of(text: str) -> str:
    """Every row as ``column: value; column: value``, so that each chunk explains itself.

    Without a header row (its cells must be words, all different) the cells stand between bars.
    """
    rows = _rows(text)
    if rows is None:
        return text
    filled = [row for row in rows if any(cell.strip() for cell in row)]
    if len(filled) > 1 and _is_header(filled[0]):
        return "\n".join(_labelled(filled[0], row) for row in filled[1:])
    return "\n".join(row_text(row) for row in filled)


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
    return len(cells) > 1 and all(cells) and len(set(cells)) == len(cells) and not any(map(_is_number, cells))


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell))


def _labelled(header: Sequence[str], row: Sequence[str]) -> str:
    named = [
        f"{name.strip()}: {' '.join(value.split())}"
        for name, value in zip(header, row, strict=False)
        if value.strip()
    ]
    extra = [" ".join(value.split()) for value in row[len(header) :] if value.strip()]
    return "; ".join(named + extra)
