"""Finding a function by its name: ``module:callable`` or ``path.py:callable``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import SettingsError
from harness.text import nearest

_HOW = "write MODULE:FUNCTION or PATH.py:FUNCTION, for example app/support.py:answer"


def named_function(name: str) -> Any:
    """The callable of this name; modules are looked for in the working folder too.

    Raises:
        SettingsError: There is none, or it can't be imported.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise SettingsError(f"{name!r} names no function", hint=_HOW)
    found: Any = _module(place, name)
    for part in attribute.split("."):
        found = _part_of(found, part, name)
    if not callable(found):
        raise SettingsError(f"{name!r} is a {type(found).__name__}, which can't be called", hint=_HOW)
    return found


def _part_of(thing: Any, part: str, name: str) -> Any:
    try:
        return getattr(thing, part)
    except AttributeError as error:
        near = nearest(part, [each for each in dir(thing) if not each.startswith("_")])
        hint = f"did you mean {near!r}?" if near else _HOW
        raise SettingsError(f"{name!r}: there is no {part!r} in it", hint=hint) from error


def _module(place: str, name: str) -> ModuleType:
    try:
        return _from_file(Path(place)) if place.endswith(".py") else _imported(place)
    except Exception as error:
        raise SettingsError(
            f"{name!r} can't be imported: {type(error).__name__}: {error}",
            hint=_HOW if isinstance(error, ImportError | OSError) else None,
        ) from error


def _imported(module: str) -> ModuleType:
    _look_in(Path.cwd())
    return importlib.import_module(module)


def _from_file(path: Path) -> ModuleType:
    """The module of a file, whose neighbours it may import."""
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    _look_in(path.parent)
    name = f"harness_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
