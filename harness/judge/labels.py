"""Answers that people have labelled, read from a CSV file: one a row, for a judge to be measured against."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import Problem, SettingsError, Where, mistakes_told
from harness.judge.material import Material
from harness.suite.records import Rubric
from harness.text import did_you_mean

CODE = "labels-invalid"
_ALWAYS = ("label", "answer")
COLUMNS = (
    *_ALWAYS,
    "id",
    "rubric",
    "user",
    "talk",
    "passages",
    "calls",
    "instructions",
    "against",
    "reference",
    "note",
)
"""Of a file of labelled answers; the first two must be there."""
_CELL = re.compile(r'"((?:[^"]|"")*)"(?=,|\r|\n|\Z)|([^,"\r\n]*)(?=,|\r|\n|\Z)')
_MOST_TOLD = 50


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell with its place in the file, lines and columns counted from 1."""

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One answer with the label that people gave it.

    Attributes:
        name: Its id, or its line in the file.
        label: One of the rubric's.
        material: What the judge is shown.
    """

    name: str
    label: str
    material: Material


def read_labels(path: Path, name: str, rubric: Rubric) -> list[LabelledRow]:
    """The labelled rows of a file that are about a rubric.

    Args:
        path: A CSV file; its first row names the columns.
        name: The rubric's name; with a column ``rubric`` only its rows are meant.
        rubric: What the labels must be of.

    Raises:
        SettingsError: With every mistake, as file:line:column (code ``labels-invalid``).
    """
    reader = _Labels(str(path), name, rubric)
    found = reader.read(_text_of(path))
    if reader.problems:
        raise _refusal(reader.problems)
    if not found:
        about = f"no row is about the rubric {name!r}" if reader.rows else "there are no rows"
        raise _refusal([Problem(about, Where(str(path)), "add rows: label,user,answer")])
    return found


def _text_of(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise _refusal([Problem("there is no such file", Where(str(path)))]) from error
    except UnicodeDecodeError as error:
        hint = "save the file as UTF-8"
        raise _refusal([Problem(f"not UTF-8 text: {error.reason}", Where(str(path)), hint)]) from error
    except OSError as error:
        raise _refusal([Problem(f"cannot be read: {error.strerror}", Where(str(path)))]) from error


def _refusal(problems: Sequence[Problem]) -> SettingsError:
    return SettingsError(mistakes_told(problems, most=_MOST_TOLD), code=CODE)


class _Labels:
    """A file of labels on its way to rows; collects what is wrong with it."""

    def __init__(self, file: str, name: str, rubric: Rubric) -> None:
        self.problems: list[Problem] = []
        self.rows = 0
        self._file = file
        self._name = name
        self._rubric = rubric

    def read(self, text: str) -> list[LabelledRow]:
        """The rows about the rubric, as far as they are right."""
        try:
            lines = list(cells_of(text))
        except BrokenCell as error:
            message = "a quote stands in a cell that is not quoted as a whole"
            self._mistake(
                message, error.cell, 'write the cell in quotes, and each quote in it twice: "a ""b"""'
            )
            return []
        header = lines[0] if lines else []
        self._check_header(header)
        columns = [cell.text.strip() for cell in header]
        self.rows = len(lines) - 1
        found = (self._row(dict(zip(columns, row, strict=False)), row, len(columns)) for row in lines[1:])
        return [row for row in found if row is not None]

    def _mistake(self, message: str, at: Cell | None = None, hint: str | None = None) -> None:
        where = Where(self._file, at.line, at.column) if at else Where(self._file, 1, 1)
        self.problems.append(Problem(message, where, hint))

    def _check_header(self, header: Sequence[Cell]) -> None:
        names = [cell.text.strip() for cell in header]
        for index, (cell, name) in enumerate(zip(header, names, strict=True)):
            if name not in COLUMNS:
                hint = did_you_mean(name, COLUMNS, label="columns")
                self._mistake(f"there is no column {name!r}", cell, hint)
            elif name in names[:index]:
                self._mistake(f"the column {name!r} stands twice", cell)
        for name, why in self._needed().items():
            if name not in names:
                self._mistake(
                    f"the column {name!r} is missing: {why}", None, "the first row names the columns"
                )

    def _needed(self) -> dict[str, str]:
        needed = {"label": "what people decided", "answer": "what they judged"}
        if self._rubric.compares:
            needed["against"] = "the rubric compares the answer with another one"
        return needed | {name: f"the rubric shows {name}" for name in self._rubric.shows}

    def _row(self, row: Mapping[str, Cell], cells: Sequence[Cell], width: int) -> LabelledRow | None:
        if len(cells) != width:
            hint = "a cell that holds a comma needs double quotes"
            self._mistake(f"{len(cells)} cells in this row, but {width} columns", cells[0], hint)
            return None
        if "rubric" in row and row["rubric"].text.strip() not in ("", self._name):
            return None
        before = len(self.problems)
        label = row["label"].text.strip() if "label" in row else ""
        if "label" in row and label not in self._rubric.names:
            hint = f"labels of {self._name!r}: {', '.join(self._rubric.names)}; leave rows out that have none"
            self._mistake(f"{label!r} is no label of the rubric {self._name!r}", row["label"], hint)
        for name in ("answer", *(("against",) if self._rubric.compares else ())):
            if name in row and not row[name].text.strip():
                self._mistake(f"the {name} is empty", row[name], "there is nothing to judge: remove the row")
        material = self._material(row)
        if len(self.problems) > before or "label" not in row:
            return None
        named = row["id"].text.strip() if "id" in row else ""
        return LabelledRow(named or f"line {cells[0].line}", label, material)

    def _material(self, row: Mapping[str, Cell]) -> Material:
        def text(name: str) -> str | None:
            return row[name].text if name in row and row[name].text.strip() else None

        talk = list(self._talk(row.get("talk")))
        if user := text("user"):
            talk.append(("user", user))
        wanted = [name for name in dict.fromkeys(self._rubric.shows) if name in row]
        shown = tuple((name, self._shown(name, row[name])) for name in wanted)
        against = text("against") if self._rubric.compares else None
        return Material(tuple(talk), text("answer") or "", shown, against, text("reference"))

    def _talk(self, cell: Cell | None) -> Iterator[tuple[str, str]]:
        for each in self._list(cell, "talk"):
            match each:
                case {"role": "user" | "assistant" as who, "content": str() as says}:
                    yield who, says
                case _:
                    hint = (
                        'write [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]'
                    )
                    self._mistake("talk is no list of messages with role and content", cell, hint)
                    return

    def _shown(self, name: str, cell: Cell) -> Any:
        if name == "instructions":
            return cell.text
        if name == "passages" and not cell.text.lstrip().startswith("["):
            return [{"document": "", "text": cell.text}] if cell.text.strip() else []
        return [self._as_passage(each) if name == "passages" else each for each in self._list(cell, name)]

    @staticmethod
    def _as_passage(given: Any) -> Any:
        return {"document": "", "text": given} if isinstance(given, str) else given

    def _list(self, cell: Cell | None, name: str) -> list[Any]:
        if cell is None or not cell.text.strip():
            return []
        try:
            found = json.loads(cell.text)
        except ValueError as error:
            self._mistake(f"{name} is no JSON: {error}", cell, "write a JSON list, quotes doubled")
            return []
        if not isinstance(found, list):
            self._mistake(f"{name} must be a JSON list, not {type(found).__name__}", cell)
            return []
        return found


# --- cells with their places ----------------------------------------------------------------------------


class BrokenCell(ValueError):
    """A cell whose quotes don't fit."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(cell)
        self.cell = cell


def cells_of(text: str) -> Iterator[list[Cell]]:
    """The rows of a CSV text; empty lines are none.

    Raises:
        BrokenCell: A quote stands where none may stand.
    """
    at, line, start, row = 0, 1, 0, []
    while at <= len(text):
        match = _CELL.match(text, at)
        cell = Cell("", line, at - start + 1)
        if match is None:
            raise BrokenCell(cell)
        quoted, plain = match.groups()
        row.append(Cell(plain if quoted is None else quoted.replace('""', '"'), cell.line, cell.column))
        line, start = _moved(match[0], match.start(), line, start)
        at = match.end()
        if text[at : at + 1] == ",":
            at += 1
            continue
        if len(row) > 1 or match[0]:
            yield row
        row = []
        at += 2 if text[at : at + 2] == "\r\n" else 1
        line, start = line + 1, at


def _moved(cell: str, begins: int, line: int, start: int) -> tuple[int, int]:
    """Line and its first character after a cell, which may hold line breaks."""
    breaks = list(re.finditer(r"\r\n|\r|\n", cell))
    return (line + len(breaks), begins + breaks[-1].end()) if breaks else (line, start)
