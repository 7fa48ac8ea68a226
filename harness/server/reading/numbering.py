"""Numbers and bullets of Word lists: the file says how to count, the counting is left to the reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.server.reading.office import child, local, value

_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MOST_LEVELS = 9


@dataclass(frozen=True, slots=True)
class _Level:
    """How one level of a list is numbered: ``text`` has ``%1`` where the number of level 1 goes."""

    form: str = "decimal"
    text: str = ""
    start: int = 1


class Numbering:
    """Counts through a document's lists, paragraph by paragraph.

    Args:
        root: The numbering part; None for a document without one.
    """

    def __init__(self, root: Any) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, str] = {}
        self._starts: dict[str, dict[int, int]] = {}
        self._counts: dict[str, list[int | None]] = {}
        for element in () if root is None else root:
            if local(element) == "abstractNum":
                self._levels[value(element, "abstractNumId") or ""] = dict(_levels(element))
            elif local(element) == "num":
                self._add_list(element)

    def _add_list(self, element: Any) -> None:
        key = value(element, "numId") or ""
        base = child(element, "abstractNumId")
        self._lists[key] = "" if base is None else value(base, "val") or ""
        self._starts[key] = {
            _whole(value(each, "ilvl")): _whole(value(start, "val"))
            for each in element
            if local(each) == "lvlOverride" and (start := child(each, "startOverride")) is not None
        }

    def mark(self, key: str, depth: int) -> str:
        """What stands before the next paragraph of a list at this depth: a dash, its number, or nothing."""
        if key not in self._lists or not 0 <= depth < _MOST_LEVELS:
            return ""
        levels = self._levels.get(self._lists[key], {})
        level = levels.get(depth, _Level())
        if level.form == "bullet":
            return "-"
        self._count(key, depth, levels)
        return re.sub(
            r"%([1-9])", lambda place: self._number(key, int(place[1]) - 1, levels), level.text
        ).strip()

    def _count(self, key: str, depth: int, levels: dict[int, _Level]) -> None:
        # Lists of one definition count on together, unless a list starts anew.
        again = self._starts[key].pop(depth, None)
        counts = self._counts.setdefault(self._lists[key], [None] * _MOST_LEVELS)
        before = counts[depth]
        first = levels.get(depth, _Level()).start if again is None else again
        counts[depth] = first if before is None or again is not None else before + 1
        counts[depth + 1 :] = [None] * (_MOST_LEVELS - depth - 1)

    def _number(self, key: str, depth: int, levels: dict[int, _Level]) -> str:
        level = levels.get(depth, _Level())
        counted = self._counts[self._lists[key]][depth]
        return _formatted(level.start if counted is None else counted, level.form)


def _levels(abstract: Any) -> list[tuple[int, _Level]]:
    return [(_whole(value(each, "ilvl")), _level(each)) for each in abstract if local(each) == "lvl"]


def _level(element: Any) -> _Level:
    form, text, start = (child(element, name) for name in ("numFmt", "lvlText", "start"))
    return _Level(
        "decimal" if form is None else value(form, "val") or "decimal",
        "" if text is None else value(text, "val") or "",
        1 if start is None else _whole(value(start, "val")),
    )


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else 0


def _formatted(number: int, form: str) -> str:
    if form.endswith("Letter") and number > 0:
        letters = "abcdefghijklmnopqrstuvwxyz"[(number - 1) % 26] * min(1 + (number - 1) // 26, 10)
        return letters.upper() if form.startswith("upper") else letters
    if form.endswith("Roman") and 0 < number < 4000:
        return _roman(number).upper() if form.startswith("upper") else _roman(number)
    return "" if form == "none" else str(number)


def _roman(number: int) -> str:
    written = ""
    for size, letters in _ROMAN:
        count, number = divmod(number, size)
        written += letters * count
    return written
