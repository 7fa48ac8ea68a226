"""Finding a function by its name: ``module:callable`` or ``path.py:callable``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import SettingsError
from harness.text import nearest

_HOW = "write MODULE:FUNCTION or PATH.py:FUNCTION, for example app/support.py:answer"


def named_function(name: str, folder: Path | None = None) -> Any:
    """The callable of this name; files and modules are looked for in the folder, or the working folder.

    Raises:
        SettingsError: There is none, or it can't be imported.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise SettingsError(f"{name!r} names no function", hint=_HOW)
    found: Any = _module(place, name, folder or Path.cwd())
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


def _module(place: str, name: str, folder: Path) -> ModuleType:
    try:
        if place.endswith(".py"):
            return module_of_file(folder / place)
        _look_in(folder)
        return importlib.import_module(place)
    except Exception as error:
        raise SettingsError(
            f"{name!r} can't be imported: {type(error).__name__}: {error}",
            hint=_HOW if isinstance(error, ImportError | OSError) else None,
        ) from error


def module_of_file(path: Path) -> ModuleType:
    """The module of a file, whose neighbours it may import; executed again only when the file has changed.

    Raises:
        OSError: There is no such file, or it can't be read.
        ImportError: It is no Python file.
    """
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    _look_in(path.parent)
    name = f"harness_file_{path.stem}_{_digest(str(path).encode())}"
    content = _digest(path.read_bytes())
    known = sys.modules.get(name)
    if known is not None and getattr(known, _CONTENT, None) == content:
        return known
    return _executed(path, name, content)


def _executed(path: Path, name: str, content: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _CONTENT, content)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


_CONTENT = "__harness_content__"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _look_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
