"""The fields of a schema by dotted name: ``tools[]<function>.function.name``.

``[]`` stands for each item of an array, ``<kind>`` for objects whose ``type`` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.server.description.schema import NO_EFFECT, Schema

_REF = "#/components/schemas/"
_MOST_DEPTH = 8
"""Schemas may hold themselves, as filters do."""


@dataclass(frozen=True, slots=True)
class FieldOf:
    """One field.

    Attributes:
        name: Dotted name.
        no_effect: Why it changes nothing; None where it has an effect.
        open: It holds whatever it likes.
    """

    name: str
    no_effect: str | None
    open: bool


def fields_of(schema: Schema, schemas: Mapping[str, Schema]) -> Iterator[FieldOf]:
    """Every field of a schema, outer ones first; one that several kinds of objects have comes several times.

    Args:
        schema: Of a body or an answer.
        schemas: What references in it lead to.
    """
    return _inside(schema, "", schemas, _MOST_DEPTH)


def _inside(schema: Schema, name: str, schemas: Mapping[str, Schema], depth: int) -> Iterator[FieldOf]:
    if not depth:
        return
    for each in _variants(schema, schemas):
        for kind in _kinds(each) if name else [""]:
            yield from _properties(each, name + kind, schemas, depth)
        if "items" in each:
            yield from _inside(each["items"], f"{name}[]", schemas, depth - 1)


def _properties(schema: Schema, name: str, schemas: Mapping[str, Schema], depth: int) -> Iterator[FieldOf]:
    for own, inner in schema.get("properties", {}).items():
        path = f"{name}.{own}" if name else own
        yield FieldOf(path, inner.get(NO_EFFECT), _is_open(inner))
        yield from _inside(inner, path, schemas, depth - 1)


def _is_open(schema: Schema) -> bool:
    """Whether nothing is said of what is inside: any value, any object, any items."""
    if "anyOf" in schema:
        return any(_is_open(each) for each in schema["anyOf"])
    inside = set(schema) - {NO_EFFECT, "description"}
    return not inside or schema == {"type": "object"} or schema.get("items") == {}


def _variants(schema: Schema, schemas: Mapping[str, Schema]) -> Iterator[Schema]:
    if "$ref" in schema:
        yield from _variants(schemas[schema["$ref"].removeprefix(_REF)], schemas)
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _variants(each, schemas)
    else:
        yield schema


def _kinds(schema: Schema) -> list[str]:
    """How the objects of one variant are told from others: by their type, else not at all."""
    of_type = schema.get("properties", {}).get("type", {})
    of_type = next((each for each in of_type.get("anyOf", ()) if each != {"type": "null"}), of_type)
    names = [of_type["const"]] if "const" in of_type else of_type.get("enum", [])
    return [f"<{name}>" for name in names] or [""]
