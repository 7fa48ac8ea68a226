"""Scorers of installed packages, as suite files name them: what they are called, and which options they take.

A package declares a scorer as an entry point of the group ``harness.scorers``, in one of three forms:

- a function: what it gets first is the ``View``; its further parameters, with their types, are the options
- a pydantic model with a method ``score(view)``: its fields are the options
- an object, or a class without arguments, with ``name``, ``keys`` and ``score(check, scene)``: it has no
  options, and also judges what the suite already says under these keys

The first two are named in a suite under ``scorers``. What is wrong with one of them is told where a suite
names it; a package that is broken stops nobody who does not use it.
"""

from __future__ import annotations

import inspect
import json
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, get_type_hints

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from harness.yamlfile.described import descriptions
from harness.yamlfile.mistakes import Mistake, did_you_mean, mistakes_in
from harness.yamlfile.source import Place

GROUP = "harness.scorers"
_MEMBERS = ("name", "keys", "score")
_ARGUMENT = re.compile(r"^ {4,}(\w+)(?: \([^)]*\))?: (.+)$", re.MULTILINE)
_USABLE_NAME = re.compile(r"[A-Za-z][\w-]*")


class Plugin(msgspec.Struct, frozen=True):
    """One installed scorer.

    Attributes:
        name: The entry point's name: what suites call it by.
        package: The package and its version.
        made: The function, the model or the object; None when it can't be used.
        options: What the suite may say of it; None for an object, which takes none.
        problem: Why it can't be used; empty when it can.
        traceback: Of what went wrong while it was loaded; empty when nothing did.
    """

    name: str
    package: str
    made: Any = None
    options: type[BaseModel] | None = None
    problem: str = ""
    traceback: str = ""


@cache
def installed() -> Mapping[str, Plugin]:
    """All installed scorers by name, each loaded."""
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return {entry.name: load_plugin(entry) for entry in found}


def load_plugin(entry: EntryPoint) -> Plugin:
    """The scorer an entry point names; one that can't be used says why."""
    package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
    try:
        made, options = _formed(entry.name, entry.load())
    except _Unusable as problem:
        return Plugin(entry.name, package, problem=str(problem))
    except Exception as failure:  # noqa: BLE001 - of somebody else's code: it becomes a finding about it
        told = f"it cannot be loaded: {type(failure).__name__}: {failure}"
        return Plugin(entry.name, package, problem=told, traceback=traceback.format_exc())
    return Plugin(entry.name, package, made, options)


class _Unusable(Exception):
    """What was loaded is no scorer."""


def _formed(name: str, loaded: Any) -> tuple[Any, type[BaseModel] | None]:
    """What makes scores, and its options."""
    if isinstance(loaded, type) and issubclass(loaded, BaseModel):
        _refuse_unnamable(name)
        if not callable(getattr(loaded, "score", None)):
            raise _Unusable("the model has no method score(view)")
        strict = create_model(loaded.__name__, __base__=loaded, __doc__=loaded.__doc__)
        strict.model_config = ConfigDict(**{**loaded.model_config, "extra": "forbid"})
        strict.model_rebuild(force=True)
        return strict, strict
    if not isinstance(loaded, type) and _has_all_members(loaded):
        return loaded, None
    if inspect.isfunction(loaded) and inspect.signature(loaded).parameters:
        _refuse_unnamable(name)
        return loaded, _options_of(loaded)
    made = loaded() if callable(loaded) else loaded
    if not _has_all_members(made):
        raise _Unusable(
            "it is no function that takes a view, no model with score(view), and has no name, keys and score"
        )
    return made, None


def _refuse_unnamable(name: str) -> None:
    if not _USABLE_NAME.fullmatch(name):
        raise _Unusable(f"a suite can't call it {name!r}: a name is made of letters, digits, - and _")


def _has_all_members(thing: Any) -> bool:
    return all(hasattr(thing, name) for name in _MEMBERS)


def _options_of(function: Callable[..., Any]) -> type[BaseModel]:
    """The function's parameters after the first, as a record that refuses other keys."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    hints = get_type_hints(function, include_extras=True)
    told = dict(_ARGUMENT.findall(inspect.getdoc(function) or ""))
    fields: dict[str, Any] = {}
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise _Unusable(f"its parameter {parameter} can't be given by name")
        if parameter.name not in hints:
            raise _Unusable(f"its option {parameter.name!r} has no type")
        default = ... if parameter.default is parameter.empty else parameter.default
        described = Field(default, description=told.get(parameter.name))
        fields[parameter.name] = (hints[parameter.name], described)
    try:
        return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
    except PydanticUserError as error:
        raise _Unusable(f"its options can't be checked: {error.message}") from error


# --- what a suite says of them ----------------------------------------------------------------------------


def scorer_mistakes(asked: Mapping[str, Any], place: Place) -> Iterator[Mistake]:
    """What is wrong with the scorers a suite names; places count from its ``scorers`` down."""
    nameable = [name for name, plugin in installed().items() if plugin.options or plugin.problem]
    for name, given in asked.items():
        plugin, here = installed().get(name), (*place, name)
        if plugin is None or name not in nameable:
            hint = did_you_mean(name, nameable, label="installed")
            yield Mistake(here, f"no installed scorer is called {name!r}", hint, at_key=True)
        elif plugin.problem:
            message = f"the scorer {name!r} of {plugin.package} cannot be used: {plugin.problem}"
            yield Mistake(here, message, "update or uninstall the package", at_key=True)
        elif given is not False:
            yield from _option_mistakes(plugin, {} if given is True else given, here)


def _option_mistakes(plugin: Plugin, given: Mapping[str, Any], place: Place) -> Iterator[Mistake]:
    assert plugin.options is not None
    try:
        plugin.options.model_validate_json(json.dumps(given), strict=True)
    except ValidationError as error:
        for each in mistakes_in(error, plugin.options, dict(given)):
            message = _OF_THE_FILE.sub(f"the options of {place[-1]!r}", each.message)
            yield Mistake((*place, *each.place), message, each.hint, each.at_key, each.missing)


_OF_THE_FILE = re.compile(r"^the file(?= (?:has|must)\b)|(?<= in )the file$")


def options_given(plugin: Plugin, given: Any) -> BaseModel:
    """The options of a scorer as its own record.

    Raises:
        ValidationError: They don't fit; ``harness check`` says so beforehand.
    """
    assert plugin.options is not None
    return plugin.options.model_validate_json(json.dumps({} if given is True else given), strict=True)


def schemas_of_options() -> dict[str, dict[str, Any]]:
    """JSON Schemas of the options of all installed scorers that can be used, by name, for editors."""
    return {
        name: _schema(name, plugin.options)
        for name, plugin in installed().items()
        if plugin.options is not None
    }


def _schema(name: str, options: type[BaseModel]) -> dict[str, Any]:
    schema = options.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
    for key, text in descriptions(options).items():
        schema["properties"][key].setdefault("description", text)
    return schema
