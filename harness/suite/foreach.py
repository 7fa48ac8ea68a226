r"""``foreach``: one conversation for each row of a CSV or JSON Lines file.

``{{ column }}`` in any text of the template is replaced. A text that is nothing but one placeholder takes
the value's own type: in CSV ``true`` and ``false``, numbers, and null for an empty cell; JSON Lines values
stay what they are. Where only text makes sense, numbers and truth values are text. ``\{{`` stands for two
plain braces.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import Problem, SuiteError, Where
from harness.yamlfile.source import Place, missing_file, unreadable_file

_PLACEHOLDER = re.compile(r"\\\{\{|\{\{\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*\}\}")  # no group: two plain braces
_ESCAPED = "\\{{"
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?\Z")

KeepsText = Callable[[Place], bool]
"""Whether only text makes sense at a place, so that a cell such as ``42`` stays text there."""


class Row(msgspec.Struct, frozen=True):
    """One row of a table: its values by column, and its line in the file."""

    values: dict[str, Any]
    line: int


class Table(msgspec.Struct, frozen=True):
    """A CSV or JSON Lines file: its columns in order, its rows, and whether its values are typed."""

    file: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    typed: bool


# --- reading ----------------------------------------------------------------------------------------------


def read_table(path: Path, named_at: Where) -> Table:
    """The rows of a file.

    Args:
        path: Ends in .csv or .jsonl.
        named_at: Where the suite names it; a missing file is a mistake there.

    Raises:
        SuiteError: It is not there, is empty, or is neither CSV nor JSON Lines.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        message = f"foreach needs a .csv or .jsonl file, not {path.name!r}"
        raise SuiteError([Problem(message, named_at)])
    table = reader(str(path), _text_of(path, named_at))
    if not table.rows:
        raise SuiteError(
            [Problem(f"{str(path)!r} has no rows", named_at, "add a row, or remove the foreach")]
        )
    return table


def _text_of(path: Path, named_at: Where) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise SuiteError([missing_file(path, named_at)]) from None
    except UnicodeDecodeError as error:
        problem = Problem(f"not UTF-8 text: {error.reason}", Where(str(path)), "save the file as UTF-8")
        raise SuiteError([problem]) from error
    except (OSError, ValueError) as error:
        raise SuiteError([unreadable_file(path, error, named_at)]) from error


def _read_csv(file: str, text: str) -> Table:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    problems: list[Problem] = []
    columns: tuple[str, ...] = ()
    try:
        columns = tuple(cell.strip() for cell in next(reader, []))
        problems += _header_problems(file, columns)
        last_line = reader.line_num
        for cells in reader:
            line, last_line = last_line + 1, reader.line_num
            if not cells:
                continue
            if len(cells) != len(columns):
                message = f"{len(cells)} cells in this row, but {len(columns)} columns"
                hint = "a cell that holds a comma needs double quotes"
                problems.append(Problem(message, Where(file, line), hint))
            rows.append(Row(dict(zip(columns, cells, strict=False)), line))
    except csv.Error as error:
        problems.append(Problem(f"not valid CSV: {error}", Where(file, reader.line_num)))
    if problems:
        raise SuiteError(problems)
    return Table(file, columns, tuple(rows), typed=False)


def typed_values(table: Table) -> list[dict[str, Any]]:
    """The rows with numbers, truth values and null for what a CSV file spells as such."""
    if table.typed:
        return [dict(row.values) for row in table.rows]
    return [
        {key: _typed_cell(cell) if cell != "" else None for key, cell in row.values.items()}
        for row in table.rows
    ]


def _header_problems(file: str, columns: tuple[str, ...]) -> Iterator[Problem]:
    where = Where(file, 1)
    if columns and not all(columns):
        yield Problem("a column has no name", where, "the first row names the columns")
    for name in dict.fromkeys(column for column in columns if column and columns.count(column) > 1):
        yield Problem(f"the column {name!r} stands twice", where)
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t"):
        yield Problem("the cells are not separated by commas", where, "save the file with commas")


def _read_jsonl(file: str, text: str) -> Table:
    rows: list[Row] = []
    problems: list[Problem] = []
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = decode(line)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            problems.append(Problem(f"not valid JSON: {error}", Where(file, number), "one object a line"))
            continue
        if isinstance(value, dict):
            rows.append(Row(value, number))
        else:
            problems.append(Problem("not a JSON object", Where(file, number), "one object a line"))
    if problems:
        raise SuiteError(problems)
    columns = tuple(dict.fromkeys(name for row in rows for name in row.values))
    return Table(file, columns, tuple(rows), typed=True)


_READERS = {".csv": _read_csv, ".jsonl": _read_jsonl}


# --- filling the template ---------------------------------------------------------------------------------


def placeholders(template: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Every column that a template names, with the place of the text it stands in."""
    if isinstance(template, str):
        if "{{" in template:
            yield from ((place, name) for name in _PLACEHOLDER.findall(template) if name)
    elif isinstance(template, dict):
        for key, value in template.items():
            yield from placeholders(value, (*place, key))
    elif isinstance(template, list):
        for index, value in enumerate(template):
            yield from placeholders(value, (*place, index))


Fill = Callable[[Row], Any]
"""Makes a part of a conversation from the values of a row."""


@dataclass(frozen=True, slots=True)
class Template:
    """A conversation with placeholders; what holds none is the same object in all that is made of it.

    Where placeholders stand is found once, for a table has many rows.

    Attributes:
        content: The conversation as the file has it.
        typed: Whether the values of rows have types of their own.
        keeps_text: Where only text makes sense.
    """

    content: Any
    typed: bool
    keeps_text: KeepsText
    _fill: Fill | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_fill", self._filling(self.content, ()))

    def filled(self, row: Row) -> Any:
        """The conversation with the values of one row."""
        return self.content if self._fill is None else self._fill(row)

    def _filling(self, part: Any, place: Place) -> Fill | None:
        """What fills in a part; None of one without a placeholder."""
        if isinstance(part, str):
            return self._filling_text(part, place) if "{{" in part else None
        if isinstance(part, dict):
            return self._filling_parts(part, part.items(), place)
        if isinstance(part, list):
            return self._filling_parts(part, enumerate(part), place)
        return None

    def _filling_parts(self, whole: Any, parts: Iterable[tuple[Any, Any]], place: Place) -> Fill | None:
        found = [(key, self._filling(value, (*place, key))) for key, value in parts]
        filling = [(key, fill) for key, fill in found if fill is not None]

        def fill_each(row: Row) -> Any:
            made = whole.copy()
            for key, fill in filling:
                made[key] = fill(row)
            return made

        return fill_each if filling else None

    def _filling_text(self, text: str, place: Place) -> Fill:
        whole = _PLACEHOLDER.fullmatch(text.strip())
        if whole is None or whole.group(1) is None:
            return lambda row: _PLACEHOLDER.sub(lambda match: _replacement(match, row), text)
        name, value = whole.group(1), _value_of(self.typed, self.keeps_text(place))
        return lambda row: value(row.values.get(name))


def _value_of(typed: bool, keeps_text: bool) -> Callable[[Any], Any]:
    """What a text that is nothing but one placeholder becomes with a value of the table."""
    if typed:
        return _number_as_text if keeps_text else _as_it_is
    return _text_cell if keeps_text else _cell


def _as_it_is(value: Any) -> Any:
    return value


def _number_as_text(value: Any) -> Any:
    return as_text(value) if isinstance(value, int | float) else value


def _text_cell(cell: str | None) -> Any:
    return None if cell == "" else cell


def _cell(cell: str | None) -> Any:
    return None if cell == "" else _typed_cell(cell)


def _replacement(match: re.Match[str], row: Row) -> str:
    column = match.group(1)
    return "{{" if column is None else as_text(row.values.get(column))


def _typed_cell(cell: str | None) -> Any:
    if cell is None:
        return None
    lowered = cell.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    number = _NUMBER.match(cell.strip())
    if number is None:
        return cell
    return float(cell) if number.group(1) else int(cell)


def as_text(value: Any) -> str:
    """A value inside a longer text: text as it is, null as nothing, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def unescaped(data: Any) -> Any:
    r"""The data with ``\{{`` as two plain braces."""
    if isinstance(data, str):
        return data.replace(_ESCAPED, "{{")
    if isinstance(data, dict):
        return {key: unescaped(value) for key, value in data.items()}
    if isinstance(data, list):
        return [unescaped(value) for value in data]
    return data
