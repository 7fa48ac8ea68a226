"""Short words for JSON Schema: what a request may hold and what an answer always holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]
Properties = Mapping[str, Schema]

NO_EFFECT = "x-no-effect"
"""Keyword of a field that is accepted and changes nothing; its value says why."""

ANYTHING: Schema = {}
FLAG: Schema = {"type": "boolean"}
NULL: Schema = {"type": "null"}
TIME: Schema = {"type": "integer", "minimum": 0, "description": "Unix time in seconds."}
COUNT: Schema = {"type": "integer", "minimum": 0}
JSON_OBJECT: Schema = {"type": "object"}


def text(*, most: int | None = None, least: int = 0, pattern: str | None = None) -> Schema:
    """A string."""
    bounds = {"maxLength": most, "minLength": least or None, "pattern": pattern}
    return {"type": "string", **{name: bound for name, bound in bounds.items() if bound is not None}}


def whole(low: int | None = None, high: int | None = None) -> Schema:
    """An integer between two bounds."""
    return {"type": "integer", **_between(low, high)}


def number(low: float | None = None, high: float | None = None) -> Schema:
    """A number between two bounds."""
    return {"type": "number", **_between(low, high)}


def _between(low: float | None, high: float | None) -> dict[str, float]:
    bounds = {"minimum": low, "maximum": high}
    return {name: bound for name, bound in bounds.items() if bound is not None}


def choice(*values: str) -> Schema:
    """One of a few strings."""
    return {"type": "string", "enum": list(values)}


def always(value: str) -> Schema:
    """This string and no other."""
    return {"type": "string", "const": value}


def listed(of: Schema, *, least: int = 0, most: int | None = None) -> Schema:
    """An array of one kind of items."""
    made: Schema = {"type": "array", "items": of}
    if least:
        made["minItems"] = least
    if most is not None:
        made["maxItems"] = most
    return made


def either(*schemas: Schema) -> Schema:
    """A value of one of several kinds."""
    return {"anyOf": list(schemas)}


def nullable(schema: Schema) -> Schema:
    """A value or null."""
    return schema if not schema else either(schema, NULL)


def unused(schema: Schema, why: str) -> Schema:
    """A field that is checked and changes nothing."""
    return {**schema, NO_EFFECT: why}


def ref(name: str) -> Schema:
    """A schema of the document by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def takes(required: Properties | None = None, **optional: Schema) -> Schema:
    """An object in a request; null means not given, so unknown fields are refused unless they are null."""
    made: Schema = {
        "type": "object",
        "properties": {**(required or {}), **{name: _optional(one) for name, one in optional.items()}},
        "additionalProperties": NULL,
    }
    if required:
        made["required"] = list(required)
    return made


def _optional(schema: Schema) -> Schema:
    if NO_EFFECT not in schema:
        return nullable(schema)
    kept = {name: value for name, value in schema.items() if name != NO_EFFECT}
    return {**nullable(kept), NO_EFFECT: schema[NO_EFFECT]}


def gives(properties: Properties, **sometimes: Schema) -> Schema:
    """An object in an answer: exactly these keys, some of them only sometimes there."""
    return {
        "type": "object",
        "properties": {**properties, **sometimes},
        "required": list(properties),
        "additionalProperties": False,
    }


def a_page_of(row: Schema) -> Schema:
    """A page of a list; an empty one has null ids."""
    return gives(
        {
            "object": always("list"),
            "data": listed(row),
            "first_id": nullable(text()),
            "last_id": nullable(text()),
            "has_more": FLAG,
        }
    )


def deleted(kind: str) -> Schema:
    """The answer to a successful DELETE."""
    return gives({"id": text(), "object": always(kind), "deleted": {"type": "boolean", "const": True}})


def _pairs(value: Schema) -> Schema:
    return {
        "type": "object",
        "maxProperties": 16,
        "propertyNames": {"maxLength": 64},
        "additionalProperties": value,
    }


METADATA = _pairs(text(most=512))
ATTRIBUTES = _pairs(either(text(most=512), number(), FLAG))
