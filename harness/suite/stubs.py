"""Stubs as a suite declares them: each answers in one way, and the functions they call are there and fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import SettingsError
from harness.suite.arguments import argument_mistakes, schema_problem, unknown_function
from harness.suite.assistants import digest_of_file
from harness.suite.check import Facts
from harness.suite.naming import named_function
from harness.suite.records import Stub
from harness.yamlfile.mistakes import Mistake
from harness.yamlfile.source import Place

Functions = Mapping[str, Callable[..., Any]]

_WAYS = ("returns", "returns_each", "call", "fails", "raw", "times_out")


def functions_of(
    stubs: Mapping[str, tuple[Stub, ...]], folder: Path, known: Functions
) -> dict[str, Callable[..., Any]]:
    """The Python functions that the stubs call, as far as they can be found.

    Args:
        stubs: As the suite declares them.
        folder: Of the suite: files and modules are looked for there.
        known: Functions that are at hand already, by the name that stubs call them by.
    """
    found: dict[str, Callable[..., Any]] = {}
    calls = {stub.call for answers in stubs.values() for stub in answers if stub.call is not None}
    for name in sorted(calls):
        if name in known:
            found[name] = known[name]
        elif _why_not(name, folder) is None:
            found[name] = named_function(name, folder)
    return found


def _why_not(name: str, folder: Path) -> SettingsError | None:
    """Why a function can't be called; None when it can."""
    try:
        named_function(name, folder)
    except SettingsError as error:
        return error
    return None


def check_stubs(
    stubs: Mapping[str, tuple[Stub, ...]], functions: Functions, facts: Facts | None, folder: Path
) -> Iterator[Mistake]:
    """Mistakes in the answers prepared for function calls; places count from the top of the suite.

    Args:
        stubs: As the suite declares them.
        functions: Those of ``functions_of``.
        facts: Of the assistant.
        folder: Of the suite.
    """
    for name, answers in stubs.items():
        schema = facts.functions.get(name) if facts is not None else None
        if facts is not None:
            yield from unknown_function(name, list(facts.functions), ("tools", name), at_key=True)
        if not answers:
            yield Mistake(("tools", name), f"no answer is prepared for {name!r}", "add {returns: ...}")
        for index, stub in enumerate(answers):
            place: Place = ("tools", name, index)
            yield from argument_mistakes(name, stub.when, (*place, "when"), schema)
            yield from _way_of_answering(stub, place)
            yield from _uses(stub, place)
            if stub.call is not None:
                yield from _call(name, stub.call, functions, schema, place, folder)
        yield from _never_asked(name, answers)


def _never_asked(name: str, answers: tuple[Stub, ...]) -> Iterator[Mistake]:
    """One mistake at the first answer that an earlier one leaves nothing to."""
    for index, earlier in enumerate(answers[:-1]):
        if earlier.answers_every_call:
            message = f"this answer of {name!r} is never given: an earlier one answers every call"
            hint = "move it up, or give the earlier one a when, nth or times"
            yield Mistake(("tools", name, index + 1), message, hint)
            return


def _way_of_answering(stub: Stub, place: Place) -> Iterator[Mistake]:
    given = [key for key in _WAYS if key in stub.model_fields_set]
    ways = [key for key in given if key == "returns" or getattr(stub, key) is not None]
    if not given:
        hint = "add returns: null for an empty answer"
        yield Mistake(place, f"a stub needs one of {', '.join(_WAYS)}", hint)
    elif len(ways) > 1:
        message = f"a stub answers in one way, not with {' and '.join(ways)} at once"
        yield Mistake((*place, ways[-1]), message, f"remove {' or '.join(ways)}")


def _uses(stub: Stub, place: Place) -> Iterator[Mistake]:
    if stub.times is not None and stub.returns_each is not None:
        message = f"returns_each answers as often as it has entries, here {len(stub.returns_each)} times"
        yield Mistake((*place, "times"), message, "remove times")
    if stub.nth is not None and (stub.times is not None or stub.returns_each is not None):
        message = f"call number {stub.nth} comes once in a conversation"
        yield Mistake((*place, "nth"), message, "remove nth, or remove times and returns_each")
    if stub.takes_s is not None and stub.times_out:
        message = "a stub that times out takes for ever"
        yield Mistake((*place, "takes_s"), message, "remove takes_s or times_out")


# --- functions that stubs call ------------------------------------------------------------------------------


def _call(
    name: str,
    call: str,
    functions: Functions,
    schema: dict[str, Any] | None,
    place: Place,
    folder: Path,
) -> Iterator[Mistake]:
    if call not in functions:
        error = _why_not(call, folder)
        yield Mistake((*place, "call"), str(error), error.hint if error else None)
    elif schema is not None and not schema_problem(schema):
        for message, hint in _misfits(name, call, functions[call], schema):
            yield Mistake((*place, "call"), message, hint)


def _misfits(
    name: str, call: str, function: Callable[..., Any], schema: dict[str, Any]
) -> Iterator[tuple[str, str | None]]:
    """How the parameters of a Python function differ from the arguments that the assistant gives."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in ones don't tell
        return
    properties, required = schema.get("properties") or {}, schema.get("required") or ()
    kinds = {parameter.kind for parameter in parameters.values()}
    by_name = {key: each for key, each in parameters.items() if each.kind in _BY_NAME}
    if inspect.Parameter.POSITIONAL_ONLY in kinds:
        yield f"{call!r} takes arguments by position, and they come by name", "remove the / of its parameters"
    for key in properties if inspect.Parameter.VAR_KEYWORD not in kinds else ():
        if key not in by_name:
            yield (
                f"{call!r} does not take {key!r}, an argument of {name!r}",
                f"add the parameter {key}, or **others",
            )
    for key, parameter in by_name.items():
        if parameter.default is inspect.Parameter.empty and key not in required:
            yield _never_given(name, call, key, optional=key in properties)


def _never_given(name: str, call: str, key: str, *, optional: bool) -> tuple[str, str]:
    if optional:
        message = f"{call!r} needs {key!r}, which a call of {name!r} may leave out"
        return message, f"give the parameter a default, or make {key} required in the assistant file"
    return f"{call!r} needs {key!r}, which is no argument of {name!r}", "remove it, or give it a default"


_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def digests_of_sources(functions: Functions) -> dict[str, str]:
    """A digest of the file that each function stands in; its name alone where there is no file."""
    return {name: _digest_of_source(function) for name, function in sorted(functions.items())}


def _digest_of_source(function: Callable[..., Any]) -> str:
    try:
        file = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:  # built in
        file = None
    path = Path(file) if file else None
    return digest_of_file(path) if path is not None and path.is_file() else ""
