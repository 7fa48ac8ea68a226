"""Filters over file attributes, as the API spells them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from harness.server.errors import bad_request

Attributes = Mapping[str, str | float | bool]

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda value, allowed: value in allowed,
    "nin": lambda value, refused: value not in refused,
}
_MEMBERSHIP = ("in", "nin")
_MAX_DEPTH = 20


def matches(condition: Mapping[str, Any] | None, attributes: Attributes) -> bool:
    """Whether a file with these attributes passes.

    Args:
        condition: None (everything passes), ``{"type": "eq", "key": ..., "value": ...}`` (also ne, gt, gte,
            lt, lte, in, nin), or ``{"type": "and", "filters": [...]}`` (also or).
        attributes: The file's. One that is missing passes only ``ne`` and ``nin``.

    Raises:
        ApiError: The condition is not of that form (400, param ``filters``).
    """
    return condition is None or _passes(condition, attributes, _MAX_DEPTH)


def _passes(condition: Any, attributes: Attributes, depth: int) -> bool:
    if not isinstance(condition, Mapping) or depth == 0:
        raise bad_request(f"A filter must be an object, nested at most {_MAX_DEPTH} deep.", "filters")
    kind = condition.get("type")
    if kind in ("and", "or"):
        results = [_passes(inner, attributes, depth - 1) for inner in _list_of(condition, "filters")]
        return all(results) if kind == "and" else any(results)
    if not isinstance(kind, str) or kind not in _COMPARISONS:
        allowed = ", ".join((*_COMPARISONS, "and", "or"))
        raise bad_request(f"{kind!r} is not a filter type; allowed are {allowed}.", "filters")
    return _compares(str(kind), condition, attributes)


def _compares(kind: str, condition: Mapping[str, Any], attributes: Attributes) -> bool:
    key = condition.get("key")
    if not isinstance(key, str) or "value" not in condition:
        raise bad_request(f"A filter of type {kind!r} needs a 'key' (text) and a 'value'.", "filters")
    wanted = _list_of(condition, "value") if kind in _MEMBERSHIP else condition["value"]
    if key not in attributes:
        return kind in ("ne", "nin")
    try:
        return bool(_COMPARISONS[kind](attributes[key], wanted))
    except TypeError:
        return False  # a number is neither above nor below a word


def _list_of(condition: Mapping[str, Any], name: str) -> list[Any]:
    value = condition.get(name)
    if not isinstance(value, list):
        raise bad_request(f"A filter of type {condition['type']!r} needs a list {name!r}.", "filters")
    return value
