"""Reading request bodies: one reader a kind of value, each naming the field that is wrong.

An explicit null means "not given", as clients of the hosted API rely on.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from harness.server.errors import ApiError, bad_request

_LARGEST = 2**53 - 1
"""The largest whole number that every JSON reader keeps exactly."""
_KIND_NAMES = {str: "a string", bool: "a boolean", list: "an array", dict: "an object"}


class Fields:
    """The given fields of a JSON object; unknown ones are refused.

    Args:
        body: The object; None stands for an empty one.
        known: Every field it may have.
        where: Name of the object inside its request, for error messages.
    """

    def __init__(self, body: Any, known: Collection[str], where: str = "") -> None:
        if body is not None and not isinstance(body, dict):
            raise wrong_type(where or "body", "an object", body)
        self._where = f"{where}." if where else ""
        self._values = {name: value for name, value in (body or {}).items() if value is not None}
        for name in self._values:
            if name not in known:
                path = self._where + name
                raise ApiError(400, f"Unknown parameter: '{path}'.", param=path, code="unknown_parameter")

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def path(self, name: str) -> str:
        """The field's name as error messages spell it."""
        return self._where + name

    def raw(self, name: str, default: Any = None) -> Any:
        """The value as it was sent."""
        return self._values.get(name, default)

    def require(self, name: str) -> Any:
        """The value of a field that must be there.

        Raises:
            ApiError: It is missing.
        """
        if name not in self._values:
            raise ApiError(
                400,
                f"Missing required parameter: '{self.path(name)}'.",
                param=self.path(name),
                code="missing_required_parameter",
            )
        return self._values[name]

    def _typed(self, name: str, kind: type) -> Any:
        value = self._values.get(name)
        if value is not None and not isinstance(value, kind):
            raise wrong_type(self.path(name), _KIND_NAMES[kind], value)
        return value

    def text(self, name: str, *, most: int | None = None) -> str | None:
        """A string of at most ``most`` characters."""
        value: str | None = self._typed(name, str)
        if value is not None and most is not None and len(value) > most:
            raise too_long(self.path(name), most, len(value))
        return value

    def required_text(self, name: str, *, most: int | None = None) -> str:
        """A string that must be there and not be empty."""
        self.require(name)
        value = self.text(name, most=most)
        if not value:
            raise bad_request(f"Invalid '{self.path(name)}': expected a non-empty string.", self.path(name))
        return value

    def choice(self, name: str, allowed: Collection[str], default: str | None = None) -> str | None:
        """One of a few strings."""
        value = self._values.get(name, default)
        if value is not None and (not isinstance(value, str) or value not in allowed):
            raise not_supported(self.path(name), value, allowed)
        return value

    def flag(self, name: str, default: bool) -> bool:
        """A boolean."""
        value = self._typed(name, bool)
        return default if value is None else bool(value)

    def number(self, name: str, low: float, high: float) -> float | None:
        """A number between two bounds."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong_type(self.path(name), "a decimal", value)
        _within(self.path(name), "decimal", value, low, high)
        return float(value)

    def integer(self, name: str, low: int, high: int = _LARGEST) -> int | None:
        """A whole number between two bounds."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(self.path(name), "an integer", value)
        _within(self.path(name), "integer", value, low, high)
        return value

    def items(self, name: str, *, most: int | None = None, of: str = "an object") -> list[Any] | None:
        """An array of at most ``most`` items, none of them null; ``of`` says in a refusal what they are."""
        value: list[Any] | None = self._typed(name, list)
        if value is not None and most is not None and len(value) > most:
            raise ApiError(
                400,
                f"Invalid '{self.path(name)}': array too long. Expected an array with maximum length {most}, "
                f"but got an array with length {len(value)} instead.",
                param=self.path(name),
                code="array_above_max_length",
            )
        if value is not None and None in value:
            raise wrong_type(f"{self.path(name)}[{value.index(None)}]", of, None)
        return value

    def ids(self, name: str, *, most: int | None = None) -> list[str] | None:
        """An array of ids."""
        value = self.items(name, most=most, of="a string")
        for index, item in enumerate(value or ()):
            if not isinstance(item, str):
                raise wrong_type(f"{self.path(name)}[{index}]", "a string", item)
        return value

    def mapping(self, name: str) -> dict[str, Any] | None:
        """A JSON object."""
        value: dict[str, Any] | None = self._typed(name, dict)
        return value

    def metadata(self) -> dict[str, str] | None:
        """Up to 16 pairs of strings; None when not given."""
        pairs = self.mapping("metadata")
        if pairs is None:
            return None
        _check_pairs(self.path("metadata"), pairs)
        for key, value in pairs.items():
            if not isinstance(value, str):
                raise wrong_type(f"{self.path('metadata')}.{key}", "a string", value)
        return dict(pairs)

    def attributes(self) -> dict[str, Any] | None:
        """Up to 16 pairs whose values are strings, numbers or booleans; None when not given."""
        pairs = self.mapping("attributes")
        if pairs is None:
            return None
        _check_pairs(self.path("attributes"), pairs)
        for key, value in pairs.items():
            if not isinstance(value, str | int | float):
                raise wrong_type(f"{self.path('attributes')}.{key}", "a string, number or boolean", value)
        return dict(pairs)


def _check_pairs(path: str, pairs: Mapping[str, Any]) -> None:
    if len(pairs) > 16:
        raise ApiError(
            400,
            f"Invalid '{path}': too many properties. Expected an object with at most 16 properties, "
            f"but got an object with {len(pairs)} properties instead.",
            param=path,
            code="object_above_max_properties",
        )
    for key, value in pairs.items():
        if len(key) > 64:
            raise too_long(f"{path} key", 64, len(key), param=path)
        if isinstance(value, str) and len(value) > 512:
            raise too_long(f"{path}.{key}", 512, len(value))


def _within(path: str, kind: str, value: float, low: float, high: float) -> None:
    if value < low or value != value:
        raise ApiError(
            400,
            f"Invalid '{path}': {kind} below minimum value. "
            f"Expected a value >= {low}, but got {value} instead.",
            param=path,
            code=f"{kind}_below_min_value",
        )
    if value > high:
        raise ApiError(
            400,
            f"Invalid '{path}': {kind} above maximum value. "
            f"Expected a value <= {high}, but got {value} instead.",
            param=path,
            code=f"{kind}_above_max_value",
        )


def wrong_type(path: str, wanted: str, value: Any) -> ApiError:
    """A 400 about a value of the wrong kind."""
    return ApiError(
        400,
        f"Invalid type for '{path}': expected {wanted}, but got {_kind(value)} instead.",
        param=path,
        code="invalid_type",
    )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    for kind, name in _KIND_NAMES.items():
        if isinstance(value, kind):
            return name
    return "an integer" if isinstance(value, int) else "a decimal"


def too_long(path: str, most: int, length: int, *, param: str | None = None) -> ApiError:
    """A 400 about a string that is too long."""
    return ApiError(
        400,
        f"Invalid '{path}': string too long. Expected a string with maximum length {most}, "
        f"but got a string with length {length} instead.",
        param=param or path,
        code="string_above_max_length",
    )


def not_supported(path: str, value: Any, allowed: Collection[str]) -> ApiError:
    """A 400 about a value that is none of the allowed ones."""
    *most, last = [f"'{name}'" for name in allowed]
    listed = f"{', '.join(most)} and {last}" if most else last
    shown = f"'{value}'" if isinstance(value, str) else _kind(value)
    return ApiError(
        400,
        f"Invalid value: {shown}. Supported values are: {listed}.",
        param=path,
        code="invalid_value",
    )


_PREFIXED = re.compile(r"[A-Za-z0-9_-]{1,512}")


def check_prefix(param: str, identifier: str, prefix: str) -> None:
    """Refuse an id that cannot be of its kind.

    Raises:
        ApiError: It has another prefix, or signs that no id has.
    """
    if not identifier.startswith(prefix) or not _PREFIXED.fullmatch(identifier):
        shown = identifier[:64]
        raise ApiError(
            400,
            f"Invalid '{param}': '{shown}'. Expected an ID that begins with '{prefix.rstrip('_-')}'.",
            param=param,
            code="invalid_value",
        )
