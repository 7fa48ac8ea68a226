"""Function calls: those that must happen, with the right arguments, and those that must not.

``calls`` gives one score for each expected call (``calls.NAME``) and one, ``calls.schema``, that says
whether the arguments of every call made fit the JSON Schema of their function. ``never_calls`` gives one
score for each forbidden function. At the conversation the calls of all turns count.

Evidence of ``calls.NAME``: ``matched`` (ids of the calls that are as expected), ``others`` (id, turn,
arguments and the first mismatch of every other call of that function).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.results import Score
from harness.scorers.interface import Check, Scene
from harness.suite.matching import Mismatch, matches_object
from harness.suite.records import CallExpectation
from harness.trace.records import ToolCall

_SHOWN = 300  # characters of arguments that evidence keeps


@dataclass(frozen=True, slots=True)
class Call:
    """One function call of the trace, its arguments read."""

    turn: int
    call: ToolCall
    arguments: dict[str, Any]
    problem: str | None  # why the arguments are not what the function's schema asks for


class ToolScorer:
    """Function calls, their arguments by matcher and by JSON Schema."""

    name = "tools"
    keys = frozenset({"calls", "never_calls"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score for each expected or forbidden function, and one for the schemas."""
        made = function_calls(check, scene)
        if check.key == "never_calls":
            return [_never(check, name, made) for name in check.value]
        return [*(_expected(check, call, made) for call in check.value), _schemas(check, made)]


def function_calls(check: Check, scene: Scene) -> list[Call]:
    """The function calls of the check's turns, in order."""
    schemas = {function.name: function.parameters for function in scene.assistant.functions}
    first = check.turn or 0
    return [
        _read(turn, call, schemas.get(call.name))
        for turn, trace in enumerate(scene.turns(check), start=first)
        for call in trace.tool_calls
        if call.type == "function"
    ]


def _read(turn: int, call: ToolCall, schema: dict[str, Any] | None) -> Call:
    try:
        arguments = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError) as error:
        return Call(turn, call, {}, f"the arguments are not JSON: {error}")
    if not isinstance(arguments, dict):
        return Call(turn, call, {}, "the arguments are JSON, but no object")
    return Call(turn, call, arguments, schema_problem(arguments, schema) if schema else None)


def schema_problem(value: Any, schema: dict[str, Any]) -> str | None:
    """How a value differs from a JSON Schema, the deepest difference first; None when it fits.

    References to other documents are never fetched.
    """
    from jsonschema import SchemaError
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        kind = validator_for(schema)
        kind.check_schema(schema)
        problem = best_match(kind(schema, registry=Registry()).iter_errors(value))
    except SchemaError as error:
        return f"the JSON Schema itself is not valid: {_short(error.message)}"
    except (Unresolvable, RecursionError) as error:
        return f"the JSON Schema cannot be applied: {_short(str(error))}"
    return f"{problem.json_path}: {_short(problem.message)}" if problem else None


def _expected(check: Check, expected: CallExpectation, made: Sequence[Call]) -> Score:
    same = [call for call in made if call.call.name == expected.tool]
    mismatches = [(call, _mismatch(expected, call)) for call in same]
    matched = [call for call, mismatch in mismatches if mismatch is None]
    others = [(call, mismatch) for call, mismatch in mismatches if mismatch is not None]
    enough = bool(matched) if expected.times is None else len(matched) == expected.times
    return Score(
        check=f"calls.{expected.tool}",
        scorer=ToolScorer.name,
        turn=check.turn,
        value=enough,
        passed=enough,
        reason="" if enough else _reason(expected, matched, others, made),
        evidence={
            "expected": expected.model_dump(mode="json", by_alias=True),
            "matched": [call.call.id for call in matched],
            "others": [_shown(call, mismatch) for call, mismatch in others],
        },
    )


def _mismatch(expected: CallExpectation, call: Call) -> str | None:
    """The first difference from the expectation, or None; arguments that break the schema never fit."""
    found: Mismatch | None = matches_object(expected.with_, call.arguments)
    if call.problem and (found is None or not call.arguments):
        return call.problem
    return found.message if found else None


def _reason(
    expected: CallExpectation,
    matched: Sequence[Call],
    others: Sequence[tuple[Call, str]],
    made: Sequence[Call],
) -> str:
    wanted = "at least once" if expected.times is None else f"{expected.times} times"
    fitting = " with these arguments" if expected.with_ else ""
    reason = f"{expected.tool} should be called {wanted}{fitting}, it was called {len(matched)} times"
    if others:
        call, mismatch = min(others, key=lambda other: _distance(expected, other[0]))
        return f"{reason}; the nearest other call {call.call.id} (turn {call.turn + 1}): {mismatch}"
    if matched:
        return reason
    names = ", ".join(sorted({call.call.name for call in made}))
    return f"{reason}; functions called: {names or 'none'}"


def _distance(expected: CallExpectation, call: Call) -> int:
    """How many of the expected arguments are not as expected."""
    return sum(
        matches_object({key: value}, call.arguments) is not None for key, value in expected.with_.items()
    )


def _schemas(check: Check, made: Sequence[Call]) -> Score:
    wrong = [call for call in made if call.problem]
    first = wrong[0] if wrong else None
    reason = f"{first.call.name} ({first.call.id}): {first.problem}" if first else ""
    return Score(
        check="calls.schema",
        scorer=ToolScorer.name,
        turn=check.turn,
        value=not wrong,
        passed=not wrong,
        reason=reason,
        evidence={"calls": len(made), "wrong": [_shown(call, call.problem or "") for call in wrong]},
    )


def _never(check: Check, name: str, made: Sequence[Call]) -> Score:
    found = [call for call in made if call.call.name == name]
    reason = f"{name} must not be called, it was in turn {found[0].turn + 1}" if found else ""
    return Score(
        check=f"never_calls.{name}",
        scorer=ToolScorer.name,
        turn=check.turn,
        value=not found,
        passed=not found,
        reason=reason,
        evidence={"calls": [_shown(call, "") for call in found]},
    )


def _shown(call: Call, mismatch: str) -> dict[str, Any]:
    shown = {"id": call.call.id, "turn": call.turn, "arguments": _short(call.call.arguments)}
    return {**shown, "mismatch": mismatch} if mismatch else shown


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
