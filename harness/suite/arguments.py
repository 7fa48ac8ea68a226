"""What a suite expects of function calls, held against the functions' own JSON Schemas."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from harness.suite.matching import MATCHERS, is_matcher, shape_problems
from harness.suite.records import WantedCall
from harness.yamlfile.mistakes import Mistake, did_you_mean, shown
from harness.yamlfile.source import Place


def unknown_function(
    name: str, functions: Sequence[str], place: Place, *, at_key: bool = False
) -> Iterator[Mistake]:
    """The mistake of naming a function that the assistant does not have."""
    if name not in functions:
        hint = did_you_mean(name, list(functions), label="functions of the assistant")
        yield Mistake(place, f"the assistant has no function {name!r}", hint, at_key=at_key)


def call_mistakes(
    call: WantedCall, place: Place, functions: dict[str, dict[str, Any]] | None
) -> Iterator[Mistake]:
    """Mistakes in what a call should look like.

    Args:
        call: What is wanted.
        place: Where it stands.
        functions: JSON Schemas of arguments by function; None when the assistant's are not known.
    """
    if functions is not None:
        yield from unknown_function(call.tool, list(functions), (*place, "tool"))
    schema = (functions or {}).get(call.tool)
    yield from argument_mistakes(call.tool, call.with_, (*place, "with"), schema)
    if call.json_schema is not None and (problem := schema_problem(call.json_schema)):
        yield Mistake((*place, "json_schema"), f"not a JSON Schema: {problem}")


def argument_mistakes(
    function: str, wanted: dict[str, Any], place: Place, schema: dict[str, Any] | None
) -> Iterator[Mistake]:
    """Mistakes in expected arguments: the shape of matchers, names, and values the schema rules out.

    ``schema`` is the function's own; None when it is not known.
    """
    for name, expected in wanted.items():
        for path, message in _shape_problems(expected):
            yield Mistake((*place, name, *_steps(path)), message)
    properties = (schema or {}).get("properties")
    if schema is None or not isinstance(properties, dict) or schema_problem(schema):
        return
    for name, expected in wanted.items():
        if name in properties:
            yield from _ruled_out(function, name, expected, properties[name], (*place, name))
        elif _is_closed(schema):
            hint = did_you_mean(name, list(properties), label="arguments")
            yield Mistake((*place, name), f"{function!r} has no argument {name!r}", hint, at_key=True)


def _shape_problems(expected: Any) -> list[tuple[str, str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of expressions that a later Python may read in another way
        try:
            return list(shape_problems(expected))
        except (OverflowError, RecursionError) as error:
            return [("", f"a regular expression cannot be used: {error}")]


_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


def _steps(path: str) -> Place:
    """``lines[0].amount`` as the way down from the argument."""
    return tuple(int(index) if index else key for index, key in _STEP.findall(path))


def _is_closed(schema: dict[str, Any]) -> bool:
    """Whether the named properties are meant to be all, though JSON Schema allows more by default."""
    open_ended = ("patternProperties", "$ref", "allOf", "anyOf", "oneOf", "if")
    return not schema.get("additionalProperties") and not any(key in schema for key in open_ended)


def _ruled_out(function: str, name: str, expected: Any, schema: Any, place: Place) -> Iterator[Mistake]:
    if not isinstance(schema, dict):
        return
    for steps, value in _plain_values(expected):
        if isinstance(value, dict) and value and not _allows(schema, value):
            key = next(iter(value))
            hint = did_you_mean(str(key), sorted(MATCHERS), label="matchers")
            yield Mistake((*place, *steps, key), f"{key!r} is no matcher", hint, at_key=True)
        elif "enum" in schema and value not in schema["enum"]:
            allowed = [str(choice) for choice in schema["enum"]]
            message = f"{name} of {function!r} is never {shown(value)}"
            yield Mistake((*place, *steps), message, did_you_mean(str(value), allowed, label="allowed"))
        elif not _has_type(value, schema.get("type")):
            message = f"{name} of {function!r} is {_type_names(schema['type'])}, never {shown(value)}"
            yield Mistake((*place, *steps), message, _type_hint(value, schema["type"]))


def _allows(schema: dict[str, Any], value: Any) -> bool:
    return _has_type(value, schema.get("type")) and ("enum" not in schema or value in schema["enum"])


def _plain_values(expected: Any) -> Iterator[tuple[Place, Any]]:
    """The values that are compared as they are: the value itself, or those of one_of."""
    if not is_matcher(expected):
        yield (), expected
        return
    if "exact" in expected:
        yield ("exact",), expected["exact"]
    choices = expected.get("one_of")
    for index, choice in enumerate(choices if isinstance(choices, list | tuple) else ()):
        if not isinstance(choice, dict) or not set(choice) & MATCHERS:
            yield ("one_of", index), choice


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
    "null": (type(None),),
}


def _has_type(value: Any, wanted: Any) -> bool:
    names = wanted if isinstance(wanted, list) else [wanted]
    known = [name for name in names if name in _TYPES]
    if not known:
        return True
    if isinstance(value, bool):
        return "boolean" in known
    if isinstance(value, float) and value.is_integer() and "integer" in known:
        return True
    return any(isinstance(value, _TYPES[name]) for name in known)


def _type_names(wanted: Any) -> str:
    return " or ".join(wanted if isinstance(wanted, list) else [str(wanted)])


def _type_hint(value: Any, wanted: Any) -> str | None:
    if "string" in wanted and isinstance(value, bool | int | float):
        return f'put it in quotes: "{shown(value)}"'
    return None


# --- expressions and schemas ------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def regex_problem(pattern: str) -> str | None:
    """Why a regular expression can't be used; None when it can."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of expressions that a later Python may read in another way
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            return str(error)
    return None


def schema_problem(schema: dict[str, Any]) -> str | None:
    """Why a JSON Schema is none; None when it is one."""
    return _schema_problem(json.dumps(schema))


@lru_cache(maxsize=1024)
def _schema_problem(text: str) -> str | None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    schema = json.loads(text)
    dialect = schema.get("$schema")
    if dialect is not None and not isinstance(dialect, str):
        return "$schema must be text"
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        place = ".".join(str(step) for step in error.absolute_path)
        return f"{place}: {error.message}" if place else error.message
    return None
