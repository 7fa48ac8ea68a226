"""Whether a value is what a suite expects of it: plain values and matchers.

A matcher is an object whose keys are all matcher names; several keys in one must all hold:

===================================  =================================================================
``{one_of: [...]}``                  any of these, each a value or a matcher
``{matches: regex}``                 text in which the regular expression is found
``{contains: x}``                    text that has this text, or a list that has this item
``{min: n, max: n}``                 a number in this range
``{approx: n, within: d}``           a number at most ``d`` away, or ``5%`` of ``n``; a millionth part
``{exact: x}``                       this value as JSON, objects without any other key
``{json_schema: {...}}``             a value that fits the schema
``{not: x}``                         anything but this value or what this matcher matches
``{absent: true}``                   no value at all
``{any: true}``                      any value
===================================  =================================================================

Any other object matches an object that has at least these keys; a list matches a list of the same length,
item by item; everything else must be equal as JSON (``1`` equals ``1.0``, ``true`` never equals ``1``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from harness.suite.fitting import schema_mismatch
from harness.text import fold, nearest

MATCHERS = frozenset(
    {"one_of", "matches", "contains", "min", "max", "approx", "within", "exact", "json_schema"}
    | {"not", "absent", "any"}
)

_SHOWN = 120  # characters of a value that a message quotes
_SEARCHED = 200_000  # characters of a text that a regular expression looks at
_ROUNDING = 1e-6  # of a number: as near as approx wants it unless it says otherwise
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*\Z")


class _Missing:
    """Stands for a value that is not there."""


_MISSING = _Missing()


class Mismatch(msgspec.Struct, frozen=True):
    """The first difference between an expectation and a value.

    Attributes:
        path: Where, ``lines[0].amount``; empty for the value itself.
        expected: What was expected, in words: ``'high' or 'urgent'``.
        actual: What is there, as JSON, or ``nothing``.
    """

    path: str
    expected: str
    actual: str

    @property
    def message(self) -> str:
        """One sentence with the place, the value and what was expected."""
        return f"{self.path or 'the value'} is {self.actual}, expected {self.expected}"

    def __str__(self) -> str:
        return self.message


def matches(expected: Any, actual: Any, path: str = "") -> Mismatch | None:
    """None when the value is as expected, otherwise the first difference.

    Args:
        expected: A plain value or a matcher, as it stands in the suite file.
        actual: The value, as parsed from JSON.
        path: What messages call the value.
    """
    if is_matcher(expected):
        return _matches_all(expected, actual, path)
    if isinstance(expected, Mapping):
        return matches_object(expected, actual, path)
    if isinstance(expected, list | tuple):
        return _matches_list(list(expected), actual, path)
    return None if _equal(expected, actual) else _differs(path, describe(expected), actual)


def matches_object(
    expected: Mapping[str, Any], actual: Any, path: str = "", *, exact: bool = False
) -> Mismatch | None:
    """Like :func:`matches` for the arguments of a call: the keys are names, never matchers.

    Keys that are not expected may be there too, unless ``exact``.
    """
    if not isinstance(actual, Mapping):
        return _differs(path, describe(expected), actual)
    more = sorted(map(str, set(actual) - set(expected))) if exact else []
    if more:
        return Mismatch(f"{path}.{more[0]}" if path else more[0], "no such key", _quoted(actual[more[0]]))
    for key, value in expected.items():
        mismatch = matches(value, actual.get(key, _MISSING), f"{path}.{key}" if path else str(key))
        if mismatch:
            return mismatch
    return None


def is_matcher(expected: Any) -> bool:
    """Whether this is an object made of matcher names only."""
    return isinstance(expected, Mapping) and bool(expected) and set(expected) <= MATCHERS


def describe(expected: Any) -> str:
    """What an expectation asks for, in words: ``'high' or 'urgent'``."""
    if is_matcher(expected):
        return " and ".join(_DESCRIBE[key](value) for key, value in expected.items() if key in _DESCRIBE)
    return _quoted(expected)


def shape_problems(expected: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """What is wrong with the way an expectation is written, as pairs of path and message.

    The suite's check calls this before anything runs; what it lets pass never makes :func:`matches` fail.
    """
    if is_matcher(expected):
        yield from _matcher_problems(expected, path)
    elif isinstance(expected, Mapping):
        yield from _mixed_keys(expected, path)
        for key, value in expected.items():
            yield from shape_problems(value, f"{path}.{key}" if path else str(key))
    elif isinstance(expected, list | tuple):
        for index, value in enumerate(expected):
            yield from shape_problems(value, f"{path}[{index}]")


# --- comparing -----------------------------------------------------------------------------------------


def _matches_all(matcher: Mapping[str, Any], actual: Any, path: str) -> Mismatch | None:
    there = not isinstance(actual, _Missing)
    holds = not there if "absent" in matcher else there and _all_hold(matcher, actual)
    return None if holds else _differs(path, describe(matcher), actual)


def _all_hold(matcher: Mapping[str, Any], actual: Any) -> bool:
    near = "approx" not in matcher or _is_near(matcher["approx"], matcher.get("within"), actual)
    return near and all(_HOLDS[key](value, actual) for key, value in matcher.items() if key in _HOLDS)


def _is_near(wanted: Any, within: Any, actual: Any) -> bool:
    if not _is_number(actual):
        return False
    try:
        return _distance_is_at_most(within, float(wanted), float(actual))
    except OverflowError:  # a whole number beyond what a double holds
        return bool(wanted == actual)


def _distance_is_at_most(within: Any, wanted: float, actual: float) -> bool:
    if within is None:
        return math.isclose(wanted, actual, rel_tol=_ROUNDING)
    percent = _PERCENT.match(within) if isinstance(within, str) else None
    distance = abs(wanted) * float(percent[1]) / 100 if percent else float(within)
    # What is written in decimals has no exact double: 0.3 is 0.1 away from 0.2.
    return abs(actual - wanted) <= distance * (1 + 1e-9) or wanted == actual


def _matches_list(expected: list[Any], actual: Any, path: str) -> Mismatch | None:
    if not isinstance(actual, list | tuple):
        return _differs(path, describe(expected), actual)
    if len(actual) != len(expected):
        items = f"a list of {len(expected)} item{'' if len(expected) == 1 else 's'}"
        return _differs(path, items, actual)
    pairs = enumerate(zip(expected, actual, strict=True))
    found = (matches(item, value, f"{path}[{index}]") for index, (item, value) in pairs)
    return next((mismatch for mismatch in found if mismatch), None)


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return bool(expected == actual)


def _differs(path: str, expected: str, actual: Any) -> Mismatch:
    return Mismatch(path, expected, "missing" if isinstance(actual, _Missing) else _quoted(actual))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one_of(choices: Any, actual: Any) -> bool:
    return any(matches(choice, actual) is None for choice in choices)


def _regex(pattern: Any, actual: Any) -> bool:
    return isinstance(actual, str) and re.search(pattern, actual[:_SEARCHED]) is not None


def _contains(part: Any, actual: Any) -> bool:
    if isinstance(actual, str):
        return isinstance(part, str) and fold(part) in fold(actual)
    return isinstance(actual, list | tuple) and any(matches(part, item) is None for item in actual)


def _at_least(least: Any, actual: Any) -> bool:
    return _is_number(actual) and bool(actual >= least)


def _at_most(most: Any, actual: Any) -> bool:
    return _is_number(actual) and bool(actual <= most)


def _same(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(actual, Mapping):
        return set(wanted) == set(actual) and all(_same(wanted[key], actual[key]) for key in wanted)
    if isinstance(wanted, list | tuple) and isinstance(actual, list | tuple):
        return len(wanted) == len(actual) and all(map(_same, wanted, actual))
    return _equal(wanted, actual)


def _fits(schema: Any, actual: Any) -> bool:
    return schema_mismatch(actual, schema) is None


def _differs_from(unwanted: Any, actual: Any) -> bool:
    return matches(unwanted, actual) is not None


def _anything(_: Any, actual: Any) -> bool:
    return not isinstance(actual, _Missing)


_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "one_of": _one_of,
    "matches": _regex,
    "contains": _contains,
    "min": _at_least,
    "max": _at_most,
    "exact": _same,
    "json_schema": _fits,
    "not": _differs_from,
    "any": _anything,
}
_DESCRIBE: dict[str, Callable[[Any], str]] = {
    "one_of": lambda choices: " or ".join(describe(choice) for choice in choices),
    "matches": lambda pattern: f"text that matches {pattern!r}",
    "contains": lambda part: f"something that contains {describe(part)}",
    "min": lambda least: f"a number of at least {least}",
    "max": lambda most: f"a number of at most {most}",
    "approx": lambda near: f"a number near {near}",
    "within": lambda distance: f"within {distance}",
    "exact": lambda value: f"exactly {_quoted(value)}",
    "json_schema": lambda schema: f"a value that fits the JSON Schema {_quoted(schema)}",
    "not": lambda unwanted: f"anything but {describe(unwanted)}",
    "absent": lambda _: "no value",
    "any": lambda _: "any value",
}


def _quoted(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


# --- shapes --------------------------------------------------------------------------------------------


def _matcher_problems(matcher: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for key, value in matcher.items():
        place = f"{path}.{key}" if path else key
        problem = _SHAPES[key](value)
        if problem:
            yield place, problem
        elif key == "one_of":
            for index, choice in enumerate(value):
                yield from shape_problems(choice, f"{place}[{index}]")
        elif key == "not":
            yield from shape_problems(value, place)
    yield from _empty_range(matcher, path)
    yield from _ill_combined(matcher, path)


def _empty_range(matcher: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    if not {"min", "max"} <= set(matcher):
        return
    least, most = matcher["min"], matcher["max"]
    if _is_number(least) and _is_number(most) and least > most:
        yield path, f"no number is at least {least} and at most {most}: exchange min and max"


def _ill_combined(matcher: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    if "within" in matcher and "approx" not in matcher:
        yield path, "within says how near approx must be, and there is no approx"
    if "absent" in matcher and len(matcher) > 1:
        yield path, "what is absent has no value to compare: absent stands alone"


def _mixed_keys(expected: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """A matcher with a misspelt key would silently be read as a plain object."""
    used = sorted(set(map(str, expected)) & MATCHERS)
    for key in expected if used else ():
        near = None if key in MATCHERS else nearest(str(key), MATCHERS)
        if near:
            allowed = ", ".join(sorted(MATCHERS))
            yield path, f"{key!r} is no matcher; did you mean {near!r}? (matchers: {allowed})"


def _one_of_shape(value: Any) -> str | None:
    if isinstance(value, list | tuple) and value:
        return None
    return f"one_of takes a list with at least one value, not {_quoted(value)}"


def _regex_shape(value: Any) -> str | None:
    if not isinstance(value, str):
        return f"matches takes a regular expression as text, not {_quoted(value)}"
    try:
        re.compile(value)
    except re.error as error:
        return f"matches has a regular expression that cannot be read, {value!r}: {error}"
    return None


def _contains_shape(value: Any) -> str | None:
    return "contains takes text or a value, not an empty text" if value == "" else None


def _number_shape(value: Any) -> str | None:
    return None if _is_number(value) else f"min and max take a number, not {_quoted(value)}"


def _true_shape(key: str) -> Callable[[Any], str | None]:
    return lambda value: None if value is True else f"{key} takes true, not {_quoted(value)}"


def _approx_shape(value: Any) -> str | None:
    return None if _is_number(value) else f"approx takes a number, not {_quoted(value)}"


def _within_shape(value: Any) -> str | None:
    if (_is_number(value) and value >= 0) or (isinstance(value, str) and _PERCENT.match(value)):
        return None
    return f"within takes a number of at least 0 or a percentage like 5%, not {_quoted(value)}"


def _schema_shape(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return f"json_schema takes a JSON Schema, not {_quoted(value)}"
    problem = schema_mismatch(None, dict(value)) or ""
    return problem if problem.startswith("the JSON Schema") else None


_SHAPES: dict[str, Callable[[Any], str | None]] = {
    "one_of": _one_of_shape,
    "matches": _regex_shape,
    "contains": _contains_shape,
    "min": _number_shape,
    "max": _number_shape,
    "approx": _approx_shape,
    "within": _within_shape,
    "exact": lambda _: None,
    "json_schema": _schema_shape,
    "not": lambda _: None,
    "absent": _true_shape("absent"),
    "any": _true_shape("any"),
}
