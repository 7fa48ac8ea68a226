"""JSON Schemas of answers and arguments, as programs make them from their types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from harness.server.llms.extractive.schema import Context, plain, value_for

STEP = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string"},
        "next": {"anyOf": [{"$ref": "#/$defs/Step"}, {"type": "null"}]},
    },
    "required": ["explanation", "next"],
    "additionalProperties": False,
}
TREE = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["label", "children"],
    "additionalProperties": False,
}
SCHEMAS = {
    "a definition": {
        "type": "object",
        "properties": {
            "steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}},
            "n": {"type": "integer"},
        },
        "required": ["steps", "n"],
        "$defs": {"Step": STEP},
    },
    "a tree": TREE,
    "alternatives": {
        "type": "object",
        "properties": {
            "age": {"anyOf": [{"type": "integer", "minimum": 18}, {"type": "null"}]},
            "kind": {"oneOf": [{"const": "a"}, {"const": "b"}]},
            "when": {"type": "string", "format": "date"},
        },
        "required": ["age", "kind", "when"],
    },
    "several at once": {
        "allOf": [
            {"$ref": "#/definitions/a"},
            {"properties": {"y": {"type": "number", "maximum": -1}}, "required": ["y"]},
        ],
        "type": "object",
        "definitions": {"a": {"properties": {"x": {"enum": ["red", "blue"]}}, "required": ["x"]}},
    },
    "lists": {"type": "array", "minItems": 2, "items": {"type": "boolean"}},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
@pytest.mark.parametrize("text", ["It takes 3 days.", "", "-"])
def test_a_value_is_one_that_the_schema_allows(schema: dict[str, Any], text: str) -> None:
    value = value_for("answer", plain(schema), text, Context())
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def test_the_text_is_where_text_is_wanted_and_a_choice_is_the_one_it_names() -> None:
    schema = {"properties": {"answer": {"type": "string"}, "colour": {"enum": ["red", "blue"]}}}
    value = value_for("reply", plain(schema), "The lamp is blue.", Context())
    assert value == {"answer": "The lamp is blue.", "colour": "blue"}


def test_references_that_multiply_end_soon() -> None:
    levels = {
        str(n): {"properties": {k: {"$ref": f"#/$defs/{n + 1}"} for k in "abcdefgh"}} for n in range(30)
    }
    assert plain({"$ref": "#/$defs/0", "$defs": levels})["properties"].keys() == set("abcdefgh")


simple = st.sampled_from(
    [
        {"type": "string"},
        {"type": "integer"},
        {"type": "number", "minimum": 2, "maximum": 5},
        {"type": ["boolean", "null"]},
        {"enum": ["low", "high"]},
        {"$ref": "#/$defs/Point"},
    ]
)
schemas = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda first, other: {"anyOf": [first, other]}, inner, inner),
        st.builds(
            lambda properties: {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            },
            st.dictionaries(st.sampled_from(["answer", "sources", "handed_over", "n"]), inner, max_size=3),
        ),
    ),
    max_leaves=8,
)
POINT = {"type": "object", "properties": {"x": {"type": "integer", "maximum": 7}}, "required": ["x"]}
junk = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.sampled_from(["object", "array"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                "type enum const items properties required anyOf allOf $ref minimum minItems".split()
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(schemas, st.text(max_size=20))
def test_every_schema_of_this_kind_gets_an_allowed_value(schema: dict[str, Any], text: str) -> None:
    whole = {**schema, "$defs": {"Point": POINT}}
    value = value_for("answer", plain(whole), text, Context(sources=["a.pdf"]))
    Draft202012Validator(whole).validate(value)


@given(st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf", "enum", "minItems"]), junk))
def test_what_is_no_schema_breaks_nothing(schema: dict[str, Any]) -> None:
    value_for("answer", plain(schema), "text", Context())
