"""JSON as lines that say where they belong, so that each chunk explains itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_MOST_GROWTH = 4
"""Paths may make the text this many times as long; JSON that nests deeper than that is left as it is."""


class _Object(list[tuple[str, Any]]):
    """The members of an object in their order, those with one name twice included."""


def text_of(text: str, *, lines: bool = False) -> str:
    """Every value behind its path: ``plans[0].price: 49``; an object of plain values is one line.

    Numbers stay as they are written. What is no JSON stays as it is.

    Args:
        text: The JSON.
        lines: Whether each line is a value of its own.
    """
    try:
        values = [_parsed(line) for line in text.split("\n") if line.strip()] if lines else [_parsed(text)]
        written = _within(
            _MOST_GROWTH * len(text) + 1000, (row for value in values for row in _rows("", value))
        )
    except (ValueError, RecursionError):
        return text
    return text if written is None else written


def _parsed(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=str)


def _within(most: int, rows: Iterator[str]) -> str | None:
    """The rows as one text; None where it would be longer than asked."""
    kept: list[str] = []
    length = 0
    for row in rows:
        kept.append(row)
        length += len(row) + 1
        if length > most:
            return None
    return "\n".join(kept)


def _rows(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, _Object):
        yield from _object_rows(path, value)
    elif isinstance(value, list):
        yield from _list_rows(path, value)
    else:
        yield _labelled(path, _plain(value))


def _object_rows(path: str, members: _Object) -> Iterator[str]:
    if all(_is_plain(value) for _, value in members):
        yield _labelled(path, "; ".join(f"{key}: {_plain(value)}" for key, value in members) or "{}")
        return
    for key, value in members:
        yield from _rows(f"{path}.{key}" if path else key, value)


def _list_rows(path: str, items: list[Any]) -> Iterator[str]:
    if all(_is_plain(item) for item in items):
        yield _labelled(path, ", ".join(map(_plain, items)) or "[]")
        return
    for place, item in enumerate(items):
        yield from _rows(f"{path}[{place}]", item)


def _labelled(path: str, text: str) -> str:
    return f"{path}: {text}" if path else text


def _is_plain(value: Any) -> bool:
    return not isinstance(value, list)


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return {True: "true", False: "false", None: "null"}[value]
