"""Tabular files as far as their heads tell: columns by kind, and what they are called."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from harness.server.llms.interface import FileInfo
from harness.text import fold, late, stem

TABULAR = (".csv", ".tsv", ".xlsx", ".xls", ".json", ".jsonl")


class Table(msgspec.Struct, frozen=True):
    """A tabular file as far as it is known: its columns by kind."""

    file: FileInfo
    columns: tuple[str, ...]
    numeric: tuple[str, ...]
    dated: str | None
    categories: tuple[str, ...]
    values: frozenset[str]
    without_years: bool = False
    """Whether the dates are names of months and nothing else."""


def is_tabular(file: FileInfo) -> bool:
    """Whether a file holds a table, by its name."""
    return file.filename.casefold().endswith(TABULAR)


_MEASURES = (
    "revenue sale turnover income earning amount",
    "unit quantity qty sold sell volume piece item",
    "cost expense spending",
    "profit margin earning",
    "customer client user",
    "date month day time period",
)


def measure_synonyms(word: str) -> frozenset[str]:
    """Words that mean the same measure, by stem."""
    groups = [frozenset(stem(w) for w in line.split()) for line in _MEASURES]
    return frozenset().union(*(group for group in groups if word in group))


def told_as(column: str) -> str:
    """A column in words for a sentence: ``revenue_usd`` is "revenue in USD"."""
    words = in_words(column).split()
    if len(words) > 1 and words[-1].casefold() in ("usd", "eur", "gbp", "chf"):
        return f"{' '.join(words[:-1])} in {words[-1].upper()}"
    return " ".join(words)


def in_words(column: str) -> str:
    """The name of a column in words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", column).replace("_", " ").replace("-", " ").strip()


_NUMBER = late(r"^\s*[-+]?[$€£]?\s?\d[\d,. ]*%?\s*$")
_DATE = late(
    r"^\s*(?:\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?(?:[T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}[- "
    r"]?Q[1-4]|(?:[A-Z][a-z]{2,8})[ -]\d{2,4})\s*$"
)
_MONTH_NAME = late(
    r"(?i:january|february|march|april|may|june|july|august|september|october|november|december|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_DATE_NAMES = late(r"\b(?:date|month|day|week|quarter|period|year|time|timestamp|created|ordered)\b")


def table_of(file: FileInfo, head: str | None = None) -> Table:
    """The table a file's head shows; without columns when the head cannot be read."""
    rows = _rows(file, file.head if head is None else head)
    if len(rows) < 2:
        return Table(file, (), (), None, (), frozenset())
    columns = tuple(cell.strip().strip("\ufeff") for cell in rows[0])
    cells = {
        c: [row[i].strip() for row in rows[1:] if len(row) == len(columns) and row[i].strip()]
        for i, c in enumerate(columns)
    }
    dated = _dated(columns, cells)
    numeric = tuple(c for c in columns if c != dated and cells[c] and all(_NUMBER.match(v) for v in cells[c]))
    categories = tuple(c for c in columns if c not in numeric and c != dated and cells[c])
    values = frozenset(fold(v) for c in categories for v in cells[c] if len(v) > 1)
    without_years = dated is not None and all(_MONTH_NAME.fullmatch(value) for value in cells[dated])
    return Table(file, columns, numeric, dated, categories, values, without_years)


def _rows(file: FileInfo, head: str) -> list[list[str]]:
    lines = [line for line in head.splitlines() if line.strip()]
    if not lines:
        return []
    if head.lstrip()[:1] in ("[", "{"):
        return _rows_of_objects(head)
    if len(head) >= 1900:
        lines = lines[:-1] or lines  # the last line may be cut
    try:
        return [
            row
            for row in csv.reader(io.StringIO("\n".join(lines[:60])), delimiter=separator_of(lines[0]))
            if row
        ]
    except csv.Error:
        return []


def _rows_of_objects(head: str) -> list[list[str]]:
    """The flat objects of a JSON file's head as rows under the keys of the first."""
    objects = []
    for text in re.findall(r"\{[^{}]*\}", head)[:60]:
        with suppress(ValueError):
            objects.append(json.loads(text))
    if not objects or not objects[0]:
        return []
    keys = list(objects[0])
    return [keys, *([str(item.get(key, "")) for key in keys] for item in objects)]


def separator_of(line: str) -> str:
    """What parts the columns of a header line."""
    return max((",", ";", "\t", "|"), key=line.count)


def _dated(columns: Sequence[str], cells: dict[str, list[str]]) -> str | None:
    for column in columns:
        if cells[column] and all(_DATE.match(value) for value in cells[column]):
            return column
    for column in columns:
        named = bool(_DATE_NAMES.search(fold(in_words(column))))
        if (
            named
            and cells[column]
            and all(re.fullmatch(rf"(?:19|20)\d\d|{_MONTH_NAME.pattern}", v) for v in cells[column])
        ):
            return column
    return None
