"""TOML that people write: its data, and where in the file each value stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import SettingsError, Where

_Place = tuple[str | int, ...]
_TOKEN = re.compile(
    r'#[^\n]*|"""(?:\\.|[^\\])*?"""+|\'\'\'.*?\'\'\'+|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|[\[\]{}=\n]|[^\s#"\'\[\]{}=]+|\s',
    re.DOTALL,
)


class TomlFile(msgspec.Struct, frozen=True):
    """One TOML file, read.

    Attributes:
        path: Where it lies.
        text: What stands in it.
        data: The same as dicts, lists and plain values.
    """

    path: Path
    text: str
    data: dict[str, Any]

    def where(self, place: _Place, *, key: bool = False) -> Where:
        """Where the value at this place begins, or its key; of what has no place, the table around it."""
        known = dict(_places(self.text))
        while place and place not in known:
            place, key = place[:-1], False
        if not place:
            return Where(str(self.path))
        return self._position(known[place][0 if key else 1])

    def _position(self, offset: int) -> Where:
        before = self.text[:offset]
        return Where(str(self.path), before.count("\n") + 1, offset - before.rfind("\n"))


def read_toml(path: Path, *, code: str | None = None, hint: str | None = None) -> TomlFile:
    """A TOML file (UTF-8).

    Args:
        path: The file.
        code: Of the error, where it has one of its own.
        hint: What to do about it.

    Raises:
        FileNotFoundError: There is none.
        SettingsError: It can't be read, or is not TOML.
    """

    def refused(why: str, line: int | None = None) -> SettingsError:
        return SettingsError(why, code=code, hint=hint, where=Where(str(path), line))

    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        return TomlFile(path, text, tomllib.loads(text))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refused(f"it can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise refused("this is not UTF-8", line) from error
    except RecursionError as error:
        raise refused("this is not TOML: it is nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        raise refused(f"this is not TOML: {error}") from error
    except ValueError as error:
        raise refused("a number in it has thousands of digits") from error


# --- places: the standard library's reader keeps none -------------------------------------------------------


def _places(text: str) -> Iterator[tuple[_Place, tuple[int, int]]]:
    """The place of each table and of each key of a table, with the offsets of key and value."""
    table: _Place = ()
    counts: dict[_Place, int] = {}
    for tokens in _statements(text):
        if tokens[0].group() != "[":
            equals = next(at for at, token in enumerate(tokens) if token.group() == "=")
            yield (*table, *_keys(tokens[:equals])), (tokens[0].start(), tokens[equals + 1].start())
            continue
        many = tokens[1].group() == "["
        table = _current(_keys([token for token in tokens if token.group() not in "[]"]), counts, many=many)
        yield table, (tokens[0].start(), tokens[0].start())


def _current(keys: _Place, counts: dict[_Place, int], *, many: bool) -> _Place:
    """The place that a header's keys mean, where some of them name lists of tables; a new entry with many."""
    place: _Place = ()
    for at, key in enumerate(keys, start=1):
        place = (*place, key)
        if many and at == len(keys):
            counts[place] = counts.get(place, 0) + 1
        if place in counts:
            place = (*place, counts[place] - 1)
    return place


def _statements(text: str) -> Iterator[list[re.Match[str]]]:
    """The tokens of each header and of each pair of key and value, without spaces and comments."""
    tokens: list[re.Match[str]] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        said = token.group()
        depth += (said in "[{") - (said in "]}")
        if said == "\n" and depth == 0:
            if tokens:
                yield tokens
            tokens = []
        elif not said.isspace() and said[0] != "#":
            tokens.append(token)
    if tokens:
        yield tokens


def _keys(tokens: list[re.Match[str]]) -> _Place:
    """``a."b c"`` as its parts."""
    found: Any = tomllib.loads("".join(token.group() for token in tokens) + " = 0")
    keys: _Place = ()
    while isinstance(found, dict):
        [(key, found)] = found.items()
        keys = (*keys, key)
    return keys
