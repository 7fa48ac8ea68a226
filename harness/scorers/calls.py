"""The tool calls of a trace as scorers look at them: arguments read, held against what is wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from harness.scorers.interface import Check, Scene
from harness.suite.fitting import schema_mismatch
from harness.suite.matching import matches_object
from harness.suite.records import WantedCall
from harness.trace.records import ToolCall

_SHOWN = 300  # characters of arguments that evidence keeps

Schemas = dict[str, dict[str, Any]]


class Call(msgspec.Struct, frozen=True):
    """One tool call of the trace, its arguments read.

    Attributes:
        turn: Index of its turn.
        batch: The turn and run step it belongs to: what a model asks for together is one step.
        call: As the trace has it.
        arguments: Of a function; empty for file_search and code_interpreter, and when they can't be read.
        problem: Why the arguments are not what the function's schema asks for.
    """

    turn: int
    batch: tuple[int, int]
    call: ToolCall
    arguments: dict[str, Any]
    problem: str | None


def tool_calls(check: Check, scene: Scene) -> list[Call]:
    """All tool calls of the check's turns, in order."""
    schemas = known_schemas(scene)
    first = check.turn or 0
    return [
        _read(turn, (turn, number), call, schemas.get(call.name))
        for turn, trace in enumerate(scene.turns(check), start=first)
        for number, step in enumerate(trace.steps)
        for call in step.tool_calls
    ]


def function_calls(check: Check, scene: Scene) -> list[Call]:
    """The function calls of the check's turns, in order."""
    return [call for call in tool_calls(check, scene) if call.call.type == "function"]


def known_schemas(scene: Scene) -> Schemas:
    """JSON Schemas of arguments by function, as far as the assistant's file tells them."""
    return {function.name: function.parameters for function in scene.assistant.functions}


def _read(turn: int, batch: tuple[int, int], call: ToolCall, schema: dict[str, Any] | None) -> Call:
    if call.type != "function":
        return Call(turn, batch, call, {}, None)
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        return Call(turn, batch, call, {}, f"the arguments are not JSON: {error}")
    if not isinstance(arguments, dict):
        return Call(turn, batch, call, {}, "the arguments are JSON, but no object")
    return Call(turn, batch, call, arguments, schema_mismatch(arguments, schema) if schema else None)


def mismatch(wanted: WantedCall, call: Call) -> str | None:
    """The first difference from what is wanted, or None; arguments that break the schema never fit."""
    found = matches_object(wanted.with_, call.arguments, exact=wanted.exact)
    if call.problem and (found is None or not call.arguments):
        return call.problem
    if found is not None or wanted.json_schema is None:
        return found.message if found else None
    differs = schema_mismatch(call.arguments, wanted.json_schema)
    return f"the arguments do not fit the JSON Schema of the suite: {differs}" if differs else None


def wants_arguments(wanted: WantedCall) -> bool:
    """Whether more is asked for than that the function is called."""
    return bool(wanted.with_) or wanted.exact or wanted.json_schema is not None


def distance(wanted: WantedCall, call: Call) -> int:
    """How many of the expected arguments are not as expected."""
    return sum(
        matches_object({key: value}, call.arguments) is not None for key, value in wanted.with_.items()
    )


def shown(call: Call, mismatch: str = "") -> dict[str, Any]:
    """A call as evidence shows it."""
    body = {"id": call.call.id, "turn": call.turn, "arguments": _short(call.call.arguments)}
    return {**body, "mismatch": mismatch} if mismatch else body


def names(calls: Sequence[Call]) -> str:
    """The tools that were called, each once, for a reason."""
    return ", ".join(sorted({call.call.name for call in calls})) or "none"


def wrong_arguments(calls: Sequence[Call]) -> Iterator[Call]:
    """The calls whose arguments are not what their function takes."""
    return (call for call in calls if call.problem)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
