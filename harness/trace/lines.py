r"""Plain data as lines of text that diff well, and back, fast and strictly.

What is written is YAML 1.2, of which only this is used: blocks and lists indented by two spaces, one field a
line, short lists of plain values on one line, values as JSON spells them, and texts of several lines as
``|`` blocks. A text that such a block would not show exactly (control characters, blanks at line ends)
stands in quotes, one of its lines on each, ended by ``\``. The same data is always the same text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 60
"""Blocks and lists inside each other."""

_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Bare, these are truth values or nothing to many a reader of YAML.
_LOOK_ALIKES = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
# What a reader can't see or an editor may change: controls, line ends of other systems, byte order marks,
# marks that turn the direction of writing, halves of surrogate pairs.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff0-\ufffb\ufffe\uffff"
    "\ud800-\udfff]"
)
_BLANK_END = re.compile(r"[ \t](?:\n|\Z)")
_LONGEST_SHORT_LIST = 80
_PLAIN = (str, int, float, bool, type(None))


def written(data: Mapping[str, Any]) -> str:
    """The data as text, its keys in the order they have."""
    return "\n".join(_block(data, "")) + "\n"


def _block(data: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in data.items():
        yield from _field(f"{indent}{_key(key)}:", value, indent + "  ")


def _field(head: str, value: Any, indent: str) -> Iterator[str]:
    """A key, or the dash of a list, and what follows it."""
    if isinstance(value, str):
        yield from _text(head, value, indent)
    elif isinstance(value, Mapping) and value:
        yield head
        yield from _block(value, indent)
    elif isinstance(value, list | tuple):
        yield from _list(head, value, indent)
    else:
        yield f"{head} {json.dumps(value, allow_nan=False)}"


def _list(head: str, values: Sequence[Any], indent: str) -> Iterator[str]:
    short = _short_list(values)
    if short is not None:
        yield f"{head} {short}"
        return
    yield head
    for value in values:
        yield from _entry(value, indent)


def _entry(value: Any, indent: str) -> Iterator[str]:
    """One entry of a list; a block begins on the line of the dash."""
    if isinstance(value, Mapping) and value:
        lines = _block(value, indent + "  ")
        yield f"{indent}- {next(lines).lstrip(' ')}"
        yield from lines
    else:
        yield from _field(f"{indent}-", value, indent + "  ")


def _key(key: str) -> str:
    return key if _BARE_KEY.match(key) and key.lower() not in _LOOK_ALIKES else _quoted(key)


def _quoted(text: str) -> str:
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _short_list(values: Sequence[Any]) -> str | None:
    """The list on one line; None when it is too long for that, or holds more than plain values."""
    if not all(isinstance(value, _PLAIN) for value in values):
        return None
    parts = (_quoted(value) if isinstance(value, str) else json.dumps(value) for value in values)
    text = f"[{', '.join(parts)}]"
    return text if len(text) <= _LONGEST_SHORT_LIST else None


def _text(head: str, text: str, indent: str) -> Iterator[str]:
    if "\n" not in text:
        yield f"{head} {_quoted(text)}"
    elif _fits_a_block(text):
        yield f"{head} |" if text.endswith("\n") else f"{head} |-"
        yield from (indent + line if line else "" for line in text.removesuffix("\n").split("\n"))
    else:
        yield from _quoted_lines(head, text, indent)


def _fits_a_block(text: str) -> bool:
    """Whether a block shows the text exactly, whatever reads it and whatever an editor does to line ends."""
    if text[0] in " \t\n" or text.endswith("\n\n") or "\n\t" in text:
        return False
    return _HIDDEN.search(text) is None and _BLANK_END.search(text) is None


def _quoted_lines(head: str, text: str, indent: str) -> Iterator[str]:
    lines = text.split("\n")
    pieces = [f"{_quoted(line)[1:-1]}\\n" for line in lines[:-1]]
    if lines[-1]:
        pieces.append(_quoted(lines[-1])[1:-1])
    first, *others = pieces
    followed = [f'{head} "{first}', *(indent + _unindented(piece) for piece in others)]
    yield from (line + "\\" for line in followed[:-1])
    yield followed[-1] + '"'


def _unindented(piece: str) -> str:
    """A blank at the beginning, spelt so that it is no indentation."""
    return f"\\u0020{piece[1:]}" if piece.startswith(" ") else piece


# --- reading --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Flaw:
    """A line that can't be read: its number from 1, what is wrong, what to do."""

    line: int
    message: str
    hint: str | None = None


@dataclass(slots=True)
class Read:
    """What stands in a text.

    Attributes:
        data: As far as its lines can be read.
        flaws: Every line that can't be, in order.
    """

    data: dict[str, Any]
    flaws: list[Flaw]
    _lines: dict[tuple[int, str | int], int]

    def line(self, place: Sequence[str | int]) -> int:
        """The line, from 1, at which the value at this place stands, or as much of the way as is there."""
        found = 1
        here: Any = self.data
        for step in place:
            line = self._lines.get((id(here), step))
            if line is None:
                break
            found, here = line, here[step]
        return found


def read(text: str) -> Read:
    """The data that ``written`` made this text of; lines that it would not write are flaws.

    Empty lines and those that begin with ``#`` are passed over.
    """
    reader = _Reader(text.split("\n"))
    data = reader.block(0)
    return Read(data, reader.flaws, reader.places)


_FIELD = re.compile(r' *(?:([A-Za-z_][A-Za-z0-9_]*)|("(?:[^"\\]|\\.)*")):(?: (.+))?\Z')
_ENTRY = re.compile(r" *-(?: (.+))?\Z")
_OPEN_QUOTE = re.compile(r'"(?:[^"\\]|\\.)*\\\Z')
_CONFLICT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: |\Z)")
_RECORD_AGAIN = "take the line from an undamaged copy, or record again"


class _Unreadable(ValueError):
    """A value that can't be read."""


def _no_constant(name: str) -> Any:
    raise _Unreadable(f"{name} is no number that can be kept")


_decode = json.JSONDecoder(parse_constant=_no_constant).decode


@dataclass(slots=True)
class _Reader:
    """Goes down the lines once."""

    lines: list[str]
    at: int = 0
    flaws: list[Flaw] = field(default_factory=list)
    places: dict[tuple[int, str | int], int] = field(default_factory=dict)

    def block(self, indent: int) -> dict[str, Any]:
        """Fields that stand at this column, up to the first line further left."""
        found: dict[str, Any] = {}
        while self._is_at(indent):
            number, line = self.at, self.lines[self.at]
            match = _FIELD.match(line)
            key = _key_of(match) if match else None
            if match is None or key is None:
                self._flawed(indent, *_what_is_wrong(line, "a field"))
                continue
            value = self._value(match[3], indent)
            if key in found:
                self.flaws.append(Flaw(number + 1, f"{key!r} stands twice in this block", _RECORD_AGAIN))
                continue
            found[key] = value
            self.places[id(found), key] = number + 1
        return found

    def _list(self, indent: int) -> list[Any]:
        """Entries whose dashes stand at this column."""
        found: list[Any] = []
        while self._is_at(indent):
            number, line = self.at, self.lines[self.at]
            match = _ENTRY.match(line)
            if match is None:
                self._flawed(indent, *_what_is_wrong(line, "an entry of a list"))
                continue
            rest = match[1]
            if rest and _FIELD.match(rest):
                self.lines[self.at] = f"{'':{indent + 2}}{rest}"
                value: Any = self.block(indent + 2)
            else:
                value = self._value(rest, indent)
            self.places[id(found), len(found)] = number + 1
            found.append(value)
        return found

    def _is_at(self, indent: int) -> bool:
        """Whether the next line stands at this column; those further right belong to nothing."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            bare = line.lstrip(" ")
            if not bare or bare[0] == "#":
                self.at += 1
                continue
            width = len(line) - len(bare)
            if width == indent:
                return True
            if width < indent:
                return False
            self._flawed(indent, *_what_is_wrong(line, "part of the block above: it is indented too far"))
        return False

    def _flawed(self, indent: int, message: str, hint: str) -> None:
        """Note what is wrong with the line, and pass over it and what is indented below it."""
        self.flaws.append(Flaw(self.at + 1, message, hint))
        self.at += 1
        while self.at < len(self.lines) and self.lines[self.at].startswith(" " * (indent + 1)):
            self.at += 1

    def _value(self, rest: str | None, indent: int) -> Any:
        number = self.at
        self.at += 1
        if rest is None:
            return self._below(indent + 2, number)
        if rest in ("|", "|-"):
            return self._literal(" " * (indent + 2), rest)
        try:
            return _decode(self._joined(rest) if _OPEN_QUOTE.match(rest) else rest)
        except (json.JSONDecodeError, _Unreadable, RecursionError) as error:
            shown = rest if len(rest) <= 40 else f"{rest[:40]}…"
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            self.flaws.append(Flaw(number + 1, f"{shown} is no value: {reason}", _RECORD_AGAIN))
            return None

    def _below(self, indent: int, number: int) -> Any:
        """The block or list under a key or dash that has nothing beside it."""
        if indent > 2 * MAX_DEPTH:
            self.at -= 1
            self._flawed(indent - 2, f"blocks and lists are nested more than {MAX_DEPTH} deep", _RECORD_AGAIN)
            return None
        if not self._is_at(indent):
            self.flaws.append(Flaw(number + 1, "nothing follows", _RECORD_AGAIN))
            return None
        is_list = _ENTRY.match(self.lines[self.at])
        return self._list(indent) if is_list else self.block(indent)

    def _literal(self, indent: str, style: str) -> str:
        begin = self.at
        lines, width = self.lines, len(indent)
        while self.at < len(lines) and (not lines[self.at] or lines[self.at].startswith(indent)):
            self.at += 1
        while self.at > begin and not lines[self.at - 1]:
            self.at -= 1
        if self.at == begin:
            self.flaws.append(Flaw(begin, "nothing follows", _RECORD_AGAIN))
        text = "\n".join(line[width:] for line in lines[begin : self.at])
        return text + "\n" if style == "|" else text

    def _joined(self, rest: str) -> str:
        """A text in quotes that goes on over several lines."""
        parts = [rest[:-1]]
        while self.at < len(self.lines):
            part = self.lines[self.at].lstrip(" ")
            self.at += 1
            goes_on = (len(part) - len(part.rstrip("\\"))) % 2 == 1
            parts.append(part[:-1] if goes_on else part)
            if not goes_on:
                break
        return "".join(parts)


def _key_of(match: re.Match[str]) -> str | None:
    """The key of a field; None when its quotes hold what JSON does not know."""
    try:
        return match[1] or str(_decode(match[2]))
    except json.JSONDecodeError:
        return None


def _what_is_wrong(line: str, wanted: str) -> tuple[str, str]:
    if _CONFLICT.match(line):
        return "a merge conflict that is not resolved", "resolve it, or take one side and record again"
    bare = line.strip()
    shown = bare if len(bare) <= 40 else f"{bare[:40]}…"
    return f"{shown!r} is not {wanted}", _RECORD_AGAIN
