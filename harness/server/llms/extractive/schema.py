"""JSON Schemas: their references put in place, and values that they allow."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from harness.text import fold

_MOST_NODES = 2_000
"""Beyond it the rest of a schema is left open: references of references can make any size of a few lines."""
_MOST_OF_ONE = 2
"""How often a reference may stand within itself: what contains itself ends there."""
_MOST_ITEMS = 100
_NAMES = (None, "string")
_FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "email": "user@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Context(msgspec.Struct, frozen=True):
    """What is known of an answer besides its text."""

    escalated: bool = False
    found: bool = False
    sources: Sequence[str] = msgspec.field(default_factory=tuple)


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without references and alternatives: of several the first is taken, null as a type.

    What is no schema at all, such as properties in a list, is left out.
    """
    return _Plain(schema).of(schema, ()) or {}


class _Plain:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = _MOST_NODES

    def of(self, schema: Any, within: tuple[str, ...]) -> dict[str, Any] | None:
        """The plain form of a part; None where it contains itself without end."""
        self._left -= 1
        if not isinstance(schema, Mapping) or self._left < 0:
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if within.count(reference) >= _MOST_OF_ONE:
                return None
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            return self.of({**self._target(reference), **beside}, (*within, reference))
        made = {name: value for name, value in schema.items() if name not in ("$defs", "definitions")}
        return self._chosen(self._merged(made, within), within)

    def _target(self, reference: str) -> Mapping[str, Any]:
        found: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def _merged(self, schema: dict[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        """With what ``allOf`` adds, and plain properties and items."""
        parts = [self.of(part, within) or {} for part in _listed(schema.pop("allOf", ()))]
        for part in parts:
            properties = {**_mapping(schema.get("properties")), **_mapping(part.get("properties"))}
            required = [*_listed(schema.get("required")), *_listed(part.get("required"))]
            schema = {**part, **schema}
            if properties:
                schema.update(properties=properties, required=required)
        if "properties" in schema:
            made = {name: self.of(spec, within) for name, spec in _mapping(schema["properties"]).items()}
            schema["properties"] = {name: spec for name, spec in made.items() if spec is not None}
        if isinstance(schema.get("items"), Mapping):
            schema["items"] = self.of(schema["items"], within)
        return schema

    def _chosen(self, schema: dict[str, Any], within: tuple[str, ...]) -> dict[str, Any] | None:
        given = _listed(schema.pop("anyOf", None)) or _listed(schema.pop("oneOf", None))
        if not given:
            return schema
        options = [option for option in (self.of(each, within) for each in given) if option is not None]
        values = [option for option in options if option.get("type") != "null"]
        nullable = len(values) < len(options)
        if not values:
            return {**schema, "type": "null"} if nullable else None
        chosen = {**values[0], **schema}
        if nullable and isinstance(chosen.get("type"), str):
            chosen["type"] = [chosen["type"], "null"]
        return chosen


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def value_for(name: str, schema: Mapping[str, Any], text: str, context: Context) -> Any:
    """A value that a plain schema allows, made of a text as far as that can be."""
    declared = schema.get("type")
    kinds = declared if isinstance(declared, list) else [declared]
    if "const" in schema:
        return schema["const"]
    choices = _listed(schema.get("enum"))
    if choices:
        return next((choice for choice in choices if fold(str(choice)) in fold(text)), choices[0])
    if "object" in kinds or "properties" in schema:
        specs = _mapping(schema.get("properties")).items()
        return {key: value_for(key, spec, text, context) for key, spec in specs if isinstance(spec, Mapping)}
    if "boolean" in kinds:
        people = re.search(r"escalat|human|hand|transfer", fold(name))
        return context.escalated if people else context.found
    if "integer" in kinds or "number" in kinds:
        return _number_for(text, schema, kinds)
    if "array" in kinds:
        return _array_for(name, schema, text, context)
    if "null" in kinds and "string" not in kinds:
        return None
    return _text_for(text, schema)


def _text_for(text: str, schema: Mapping[str, Any]) -> str:
    most = schema.get("maxLength")
    shown = text[: max(most, 0)] if isinstance(most, int) else text
    return _FORMATS.get(str(schema.get("format")), shown)


def _number_for(text: str, schema: Mapping[str, Any], kinds: Sequence[Any]) -> int | float | None:
    match = re.search(r"(?<![\w.])\d[\d,]{0,14}(?:\.\d{1,6})?(?!\d)", re.sub(r"【[^】]*】", " ", text))
    value = float(match.group().replace(",", "")) if match else None
    low, high = _bound(schema, "minimum", -math.inf), _bound(schema, "maximum", math.inf)
    if value is None or not low <= value <= high:
        return None if "null" in kinds else _nearest_to_zero(low, high, "integer" in kinds)
    return int(value) if value.is_integer() or "integer" in kinds else value


def _bound(schema: Mapping[str, Any], name: str, otherwise: float) -> float:
    value = schema.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise


def _nearest_to_zero(low: float, high: float, is_whole: bool) -> int | float:
    if low <= 0 <= high:
        return 0
    nearest = low if low > 0 else high
    return (math.ceil(nearest) if low > 0 else math.floor(nearest)) if is_whole else nearest


def _array_for(name: str, schema: Mapping[str, Any], text: str, context: Context) -> list[Any]:
    items, least = schema.get("items"), schema.get("minItems")
    count = min(least, _MOST_ITEMS) if isinstance(least, int) else 0
    takes_names = not {"enum", "const"} & set(_mapping(items)) and _mapping(items).get("type") in _NAMES
    if takes_names and re.search(r"source|citation|document|file|reference", fold(name)) and not count:
        return list(context.sources)
    if not isinstance(items, Mapping):
        return []
    return [value_for(name, items, text, context)] * max(count, int(bool(text)))
