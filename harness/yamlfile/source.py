"""A YAML file as plain data that knows the place of every key and value.

Values follow YAML 1.2, as editors read it, not the 1.1 rules many parsers still use: only ``true`` and
``false`` are truth values (``yes``, ``no``, ``on`` and ``off`` are text), dates are text, and a number with
leading zeros is text, because it is a name: a postcode, an order number.
Anchors, aliases and merge keys (``<<``) work.
"""

from __future__ import annotations

import codecs
import math
import re
import stat
from collections.abc import Callable
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.errors import Problem, SuiteError, Where
from harness.text import nearest

Place = tuple[str | int, ...]
"""The way to a value from the top of a file: keys and list indexes, as in ``("conversations", 0, "id")``."""

MAX_DEPTH = 100
MAX_VALUES = 2_000_000  # far above any real file; a few nested aliases can stand for billions

_PREFIX = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+|(?:0|[1-9][0-9]*)\.?)(?:[eE][-+]?[0-9]+)?\Z")
_MAX_DIGITS = 300  # longer ones are no quantities, and Python refuses to convert the longest
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")


class Source(msgspec.Struct, frozen=True):
    """One YAML file, read.

    Attributes:
        file: Its path as messages show it.
        data: dicts with text keys, lists, text, numbers, truth values, None.
        root: The tree the data was made from; None for an empty file.
        problems: Mistakes that leave the rest readable, such as a key that stands twice.
    """

    file: str
    data: Any
    root: Node | None
    problems: tuple[Problem, ...] = ()

    def where(self, place: Place, *, key: bool = False) -> Where:
        """Where the value at this place begins, or its key; of what is not there, the block around it."""
        node, found = self.root, None
        for step in place:
            pair = _child(node, step)
            if pair is None:
                return _where(self.file, node)
            found, node = pair
        return _where(self.file, found if key and found is not None else node)

    def has(self, place: Place) -> bool:
        """Whether the file itself holds something at this place."""
        node = self.root
        for step in place:
            pair = _child(node, step)
            if pair is None:
                return False
            node = pair[1]
        return True

    def text(self, place: Place) -> str | None:
        """The characters of an unquoted number, truth value or null, as the author wrote them."""
        node = self.root
        for step in place:
            pair = _child(node, step)
            if pair is None:
                return None
            node = pair[1]
        return node.value if isinstance(node, ScalarNode) else None


def read_source(path: Path) -> Source:
    """The file as data with places.

    Raises:
        SuiteError: It is not there, can't be read, is not UTF-8 text or not YAML.
    """
    return parse_source(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The characters of a file.

    Raises:
        SuiteError: It is not there, can't be read or is not UTF-8 text.
    """
    try:
        raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError:
        raise SuiteError([missing_file(path, None)]) from None
    except (OSError, ValueError) as error:
        raise SuiteError([unreadable_file(path, error, None)]) from error
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise SuiteError([_not_utf8(str(path), raw, error)]) from error


def parse_source(text: str, file: str) -> Source:
    """YAML text as data with places; ``file`` is the name messages show.

    Raises:
        SuiteError: It is not YAML.
    """
    if _deep(text):
        raise SuiteError([_too_deep(Where(file))])
    try:
        root: Node | None = yaml.compose(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise SuiteError([_syntax_problem(text, file, error)]) from error
    builder = _Builder(file)
    data = builder.build(root, 0) if root is not None else None
    return Source(file, data, root, tuple(builder.problems))


def kind_of(path: Path) -> str | None:
    """``file``, ``folder`` or ``empty`` (a file without a byte); None when nothing readable is there."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    return "file" if status.st_size else "empty"


def missing_file(path: Path, where: Where | None) -> Problem:
    """The mistake of naming a file that is not there, with the file most like it in that folder."""
    hint = None if kind_of(path.parent) == "folder" else "the folder does not exist either"
    if near := nearest_file(path):
        hint = f"did you mean {near!r}? It lies in the same folder"
    return Problem(f"no file {str(path)!r}", where or Where(str(path)), hint)


def unreadable_file(path: Path, error: OSError | ValueError, where: Where | None) -> Problem:
    """The mistake of naming something that can't be read: a folder, a file without permission."""
    reason = "it is a folder" if kind_of(path) == "folder" else getattr(error, "strerror", None) or str(error)
    return Problem(f"cannot read {str(path)!r}: {reason}", where or Where(str(path)))


def nearest_file(path: Path) -> str | None:
    """The name most like this one in the same folder."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except (OSError, ValueError):
        return None
    return nearest(path.name, names)


# --- from nodes to data -----------------------------------------------------------------------------------


class _Builder(msgspec.Struct):
    """Makes data of nodes, and writes down what is wrong on the way."""

    file: str
    problems: dict[Problem, None] = msgspec.field(default_factory=dict)
    values: int = 0
    open: set[int] = msgspec.field(default_factory=set)

    def build(self, node: Node, depth: int) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        self._guard(node, depth)
        self.open.add(id(node))
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, depth)
            return [self.build(child, depth + 1) for child in node.value]
        finally:
            self.open.discard(id(node))

    def _guard(self, node: Node, depth: int) -> None:
        self.values += len(node.value)
        where = _where(self.file, node)
        if id(node) in self.open:
            raise SuiteError([Problem("an alias stands inside the value it repeats", where)])
        if depth > MAX_DEPTH:
            raise SuiteError([_too_deep(where)])
        if self.values > MAX_VALUES:
            raise SuiteError([Problem(f"aliases make more than {MAX_VALUES:,} values of this file", where)])
        if node.tag not in _COLLECTION_TAGS:
            self._problem(f"the tag {_short_tag(node.tag)} has no meaning here", node, "leave the tag out")

    def _scalar(self, node: ScalarNode) -> Any:
        kind, value = node.tag, node.value
        if kind == _STR:
            return value
        convert = _CONVERT.get(kind)
        if convert is None:
            self._problem(f"the tag {_short_tag(kind)} has no meaning here", node, "leave the tag out")
            return value
        try:
            return convert(value)
        except (ValueError, KeyError):
            self._problem(f"{value!r} is not what its tag {_short_tag(kind)} says", node, "leave the tag out")
            return value

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        """The block as a dict; ``node`` keeps exactly the pairs that are in it, merged ones included."""
        pairs: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                self._merge(value, merged, depth)
            elif self._usable_key(key, pairs):
                pairs[key.value] = (key, value)
        for name, pair in merged.items():
            pairs.setdefault(name, pair)
        node.value = list(pairs.values())
        return {name: self.build(value, depth + 1) for name, (_, value) in pairs.items()}

    def _usable_key(self, key: Node, pairs: dict[str, tuple[Node, Node]]) -> bool:
        if not isinstance(key, ScalarNode):
            hint = (
                'text that begins with {{ needs quotes: "{{ column }}"'
                if _looks_like_placeholder(key)
                else None
            )
            self._problem("a key must be text, not a block or list", key, hint)
            return False
        if key.tag != _STR:
            self._problem(
                f"a key must be text, not {key.value or 'nothing'}", key, f"write '{key.value}' in quotes"
            )
            return False
        if key.value in pairs:
            first = _where(self.file, pairs[key.value][0])
            self._problem(
                f"the key {key.value!r} stands twice in this block", key, f"the first is in line {first.line}"
            )
            return False
        return True

    def _merge(self, node: Node, merged: dict[str, tuple[Node, Node]], depth: int) -> None:
        blocks = node.value if isinstance(node, SequenceNode) else [node]
        for block in blocks:
            if not isinstance(block, MappingNode):
                self._problem("<< must be followed by an alias of a block, or a list of such", block)
                continue
            self.build(block, depth + 1)  # leaves the block's own pairs checked and merged
            for key, value in block.value:
                if isinstance(key, ScalarNode):
                    merged.setdefault(key.value, (key, value))

    def _problem(self, message: str, node: Node, hint: str | None = None) -> None:
        problem = Problem(message, _where(self.file, node), hint)
        self.problems[problem] = None  # once, though an aliased block is built each time it is used


def _looks_like_placeholder(key: Node) -> bool:
    return isinstance(key, MappingNode) and len(key.value) == 1


def _integer(text: str) -> int | str:
    if len(text) > _MAX_DIGITS:
        return text
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text


def _null(text: str) -> None:
    if not _NULL.match(text):
        raise ValueError(text)


_STR, _MERGE = _PREFIX + "str", _PREFIX + "merge"
_COLLECTION_TAGS = {_PREFIX + "map", _PREFIX + "seq"}
_CONVERT: dict[str, Callable[[str], Any]] = {
    _PREFIX + "int": _integer,
    _PREFIX + "float": _float,
    _PREFIX + "bool": _TRUTH.__getitem__,
    _PREFIX + "null": _null,
    _MERGE: str,
}


@cache
def _loader() -> type[Any]:
    """The parser in C where PyYAML has it (seven times faster), with the YAML 1.2 rules for plain values."""
    base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("Loader", (base,), {"yaml_implicit_resolvers": {}})
    rules: tuple[tuple[str, re.Pattern[str], list[str]], ...] = (
        ("null", _NULL, [*"~nN", ""]),
        ("bool", re.compile("(?:" + "|".join(_TRUTH) + r")\Z"), [*"tTfF"]),
        ("int", _INTEGER, [*"-+0123456789"]),
        ("float", _FLOAT, [*"-+.0123456789"]),
        ("merge", re.compile(r"<<\Z"), ["<"]),
    )
    for kind, pattern, first in rules:
        loader.add_implicit_resolver(_PREFIX + kind, pattern, first)  # type: ignore[attr-defined]
    return loader


# --- places -----------------------------------------------------------------------------------------------


def _child(node: Node | None, step: str | int) -> tuple[Node, Node] | None:
    """The key (the entry itself in a list) and the value of one step down."""
    if isinstance(node, MappingNode):
        return next(((key, value) for key, value in node.value if key.value == step), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _where(file: str, node: Node | None) -> Where:
    if node is None:
        return Where(file, 1, 1)
    return Where(file, node.start_mark.line + 1, node.start_mark.column + 1)


# --- what is wrong with the text itself -------------------------------------------------------------------

_BRACKET = re.compile(r"[\[\]{}]")
_NESTED_DASHES = re.compile(r"(?:[-?:][ \t]+){100}|^ {1000}", re.MULTILINE)


def _deep(text: str) -> bool:
    """Whether the text nests so deep that composing it could exhaust the stack of the parser in C."""
    steps = (1 if bracket in "[{" else -1 for bracket in _BRACKET.findall(text))
    if max(accumulate(steps), default=0) <= MAX_DEPTH and not _NESTED_DASHES.search(text):
        return False
    depth = 0
    try:
        for event in yaml.parse(text, Loader=_loader()):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                return True
    except yaml.YAMLError:
        return False  # composing stops at the same mistake
    return False


def _too_deep(where: Where) -> Problem:
    return Problem(f"blocks and lists are nested more than {MAX_DEPTH} deep", where)


def _syntax_problem(text: str, file: str, error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        return _forbidden_character(text, file)
    reason = str(getattr(error, "problem", None) or error)
    marks = [getattr(error, "problem_mark", None), getattr(error, "context_mark", None)]
    if _LACKS_COLON in reason:
        marks.reverse()  # where the line begins, not where the parser gave up
    mark = next((mark for mark in marks if mark), None)
    where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file)
    line = "".join(text.splitlines()[mark.line : mark.line + 1]) if mark else ""
    for sign, message, hint in _SYNTAX:
        if sign in reason and ("\t" in line or "tab" not in message):
            return Problem(message, where, hint)
    return Problem(f"not valid YAML: {reason}", where)


_LACKS_COLON = "expected ':'"
# What libyaml says (and the parser in Python, where its words differ), and what it means to an author.
_SYNTAX = (
    ("tab character", "a tab in the indentation", "indent with spaces"),
    ("cannot start any token", "a tab in the indentation", "indent with spaces"),
    (
        "mapping values are not allowed",
        "a ': ' where no key can stand",
        "text that holds ': ' needs quotes; keys of one block begin in the same column",
    ),
    ("cannot start any token", "text cannot begin with this character", "put the text in quotes"),
    (_LACKS_COLON, "a line without ': ' where a key must stand", "write key: value"),
    ("expected key", "not a key of this block", "keys of one block begin in the same column"),
    ("expected <block end>", "not a part of this block", "entries of one block begin in the same column"),
    (
        "expected '-' indicator",
        "a list goes on with something else",
        "each entry begins with '- ' in the same column",
    ),
    ("unexpected end of stream", "the file ends inside a quoted text", "close the quotes"),
    ("node content", "a value is missing here, or a bracket was not closed", None),
    ("another document", "a second document begins here", "one file holds one document: remove the ---"),
    ("undefined alias", "an alias of nothing", "text that begins with * needs quotes"),
    (
        "unknown escape",
        "not an escape in double quotes",
        "put the text in single quotes, or write \\\\ for a backslash",
    ),
)


def _forbidden_character(text: str, file: str) -> Problem:
    match = yaml.reader.Reader.NON_PRINTABLE.search(text)
    position = match.start() if match else 0
    character = text[position : position + 1]
    where = _position(text, position, file)
    return Problem(
        f"the character {character!r} cannot stand in YAML",
        where,
        "remove it, or write it as \\x.. in double quotes",
    )


def _not_utf8(file: str, raw: bytes, error: UnicodeDecodeError) -> Problem:
    before = raw[: error.start].decode()
    return Problem(
        f"not UTF-8 text: byte {raw[error.start]:#04x}",
        _position(before, len(before), file),
        "save the file as UTF-8",
    )


def _position(text: str, offset: int, file: str) -> Where:
    line_start = text.rfind("\n", 0, offset) + 1
    return Where(file, text.count("\n", 0, offset) + 1, offset - line_start + 1)


def _short_tag(tag: str) -> str:
    return "!!" + tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else tag
