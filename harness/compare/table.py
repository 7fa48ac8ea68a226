"""A bare table of trials, one row each: read from CSV with every mistake named by its place."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.errors import Problem, TableError, Where
from harness.text import nearest

COLUMNS = ("case_id", "cluster", "variant", "trial", "passed", "score", "cost_usd", "latency_s")
OUTCOME, ERRORED = "outcome", "errored"
"""A column that tables of stored runs have too: what ended in an error has no numbers."""
METRICS = ("passed", "score", "cost_usd", "latency_s")
BASELINE, CANDIDATE = "baseline", "candidate"
_PROBLEMS_SHOWN = 100
_JUDGED = {"1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0, "true": 1.0, "false": 0.0, "": math.nan}


class Trial(NamedTuple):
    """One row: one conversation, one variant, one repeat. NaN is a value that is not there.

    Attributes:
        case_id: The conversation.
        cluster: Conversations that share a topic or document; its own id where the table does not say.
        variant: The version of the assistant.
        trial: The pass over the suite: trials of different cases with the same label ran in the same pass.
        passed: 1 or 0; NaN for a trial that was not judged (missing data, never a failure).
        score: 0 to 1.
        cost_usd: What it cost.
        latency_s: How long it took.
    """

    case_id: str
    cluster: str
    variant: str
    trial: str
    passed: float = math.nan
    score: float = math.nan
    cost_usd: float = math.nan
    latency_s: float = math.nan


def read_table(path: Path, *, needed: Sequence[str], variants: Sequence[str] = ()) -> list[Trial]:
    """The trials of a CSV file (UTF-8, a header with the names of the columns, in any order).

    Args:
        path: The file.
        needed: Columns that must be there, besides ``case_id``.
        variants: The only variants that count, each of which must occur; none means that any will do.

    Raises:
        TableError: The file can't be read or has mistakes; all of them are in ``problems``.
    """
    return _Reading(str(path), tuple(needed), tuple(variants)).trials(_text(path))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        problem = Problem("this is not UTF-8", Where(str(path), line), "Save the table as CSV in UTF-8.")
        raise TableError([problem]) from error
    except OSError as error:
        why = error.strerror or str(error)
        hint = "Name a CSV file with one row a trial."
        raise TableError([Problem(f"it can't be read: {why}", Where(str(path)), hint)]) from error


class _Reading(msgspec.Struct):
    """One file on its way to trials, with the mistakes found so far."""

    file: str
    needed: tuple[str, ...]
    variants: tuple[str, ...]
    problems: list[Problem] = msgspec.field(default_factory=list)
    seen: dict[tuple[str, str, str], int] = msgspec.field(default_factory=dict)
    clusters: dict[str, tuple[str, int]] = msgspec.field(default_factory=dict)
    ordinals: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)

    def trials(self, text: str) -> list[Trial]:
        lines = self._lines(text)
        header = next(lines, (0, []))[1]
        places = self._places(header)
        if self.problems:
            raise TableError(self.problems)
        found = [self._trial(line, row, places, len(header)) for line, row in lines]
        trials = [trial for trial in found if trial is not None]
        self._look_at_whole(trials)
        if self.problems:
            raise TableError(self._shown())
        return trials

    def _lines(self, text: str) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._say(
                    f"this is not CSV: {error}", line, 1, "Put fields with quotes or commas in double quotes."
                )
                return
            if row:
                yield line, row

    def _places(self, header: list[str]) -> dict[str, int]:
        names = [name.strip() for name in header]
        if not any(names):
            self._say("the table is empty", 1, 1, f"Its first line names the columns: {', '.join(COLUMNS)}.")
            return {}
        for place, name in enumerate(names):
            if name in COLUMNS and name in names[:place]:
                self._say(f"the column {name!r} stands here a second time", 1, _column(header, place))
        for name in dict.fromkeys(("case_id", *self.needed)):
            if name not in names:
                self._say(f"there is no column {name!r}", 1, 1, self._missing_column(name, names))
        return {name: place for place, name in enumerate(names) if name in (*COLUMNS, OUTCOME)}

    def _missing_column(self, name: str, names: list[str]) -> str:
        alike = next((each for each in names if each.lower() == name), None)
        near = alike or nearest(name, names)
        there = ", ".join(repr(each) for each in names[:20])
        if len(names) == 1 and name in re.split("[;\t|]", names[0]):
            return "Separate the fields by commas."
        return (f"Did you mean {near!r}? " if near else "") + f"The first line has {there}."

    def _trial(self, line: int, row: list[str], places: dict[str, int], width: int) -> Trial | None:
        if len(row) != width:
            self._say(f"{len(row)} fields where the first line has {width}", line, 1)
            return None
        known = len(self.problems)
        told = {name: row[place].strip() for name, place in places.items()}
        case, variant = told["case_id"], told.get("variant", "")
        if "variant" in places and not self._counts(line, row, places, variant):
            return None
        cluster = told.get("cluster") or case
        trial = told["trial"] if "trial" in told else self._next(case, variant)
        self._look_at_key(line, row, places, (case, variant, trial), cluster)
        numbers = {name: self._number(line, row, places, name) for name in METRICS}
        if len(self.problems) > known:
            return None
        if told.get(OUTCOME) == ERRORED:
            return Trial(case, cluster, variant, trial)
        return Trial(case, cluster, variant, trial, **numbers)

    def _counts(self, line: int, row: list[str], places: dict[str, int], variant: str) -> bool:
        if not self.variants or variant in self.variants:
            return True
        allowed = " or ".join(repr(each) for each in self.variants)
        near = nearest(variant, self.variants)
        hint = (f"Did you mean {near!r}? " if near else "") + (
            "Name other variants with --baseline and --candidate."
        )
        self._say(f"variant {variant!r} is not {allowed}", line, _column(row, places["variant"]), hint)
        return False

    def _next(self, case: str, variant: str) -> str:
        self.ordinals[case, variant] = self.ordinals.get((case, variant), 0) + 1
        return str(self.ordinals[case, variant])

    def _look_at_key(
        self, line: int, row: list[str], places: dict[str, int], key: tuple[str, str, str], cluster: str
    ) -> None:
        case, variant, trial = key
        if not case:
            self._say("the case_id is empty", line, _column(row, places["case_id"]))
        if not trial:
            self._say("the trial is empty", line, _column(row, places["trial"]), "Number the passes 1, 2, 3.")
        first = self.seen.setdefault(key, line)
        if first != line:
            which = f"trial {trial!r} of case {case!r}" + (f" and variant {variant!r}" if variant else "")
            self._say(f"{which} stands on line {first} already", line, 1, "Give each trial its own number.")
        before, said = self.clusters.setdefault(case, (cluster, line))
        if before != cluster:
            where = _column(row, places["cluster"])
            self._say(
                f"case {case!r} is in cluster {cluster!r} here and in {before!r} on line {said}", line, where
            )

    def _number(self, line: int, row: list[str], places: dict[str, int], name: str) -> float:
        if name not in places:
            return math.nan
        text = row[places[name]].strip()
        value = _JUDGED.get(text.lower()) if name == "passed" else _number(text)
        if value is None or not _allowed(name, value):
            self._say(f"{name} {text!r} is not {_ALLOWED[name]}", line, _column(row, places[name]), _EMPTY)
            return math.nan
        return value

    def _look_at_whole(self, trials: Sequence[Trial]) -> None:
        if not trials and not self.problems:
            self._say("there are no trials in this table", 1, 1, "Put one row a trial under the first line.")
        present = {trial.variant for trial in trials}
        if not self.problems:
            for variant in self.variants:
                if variant not in present:
                    self._say(f"there is no trial of the variant {variant!r}", 1, 1)

    def _say(self, message: str, line: int, column: int, hint: str | None = None) -> None:
        self.problems.append(Problem(message, Where(self.file, line, column), hint))

    def _shown(self) -> list[Problem]:
        left = len(self.problems) - _PROBLEMS_SHOWN
        more = [Problem(f"{left} more mistakes", Where(self.file))] if left > 0 else []
        return self.problems[:_PROBLEMS_SHOWN] + more


_ALLOWED = {
    "passed": "1 or 0",
    "score": "a number from 0 to 1",
    "cost_usd": "a number of dollars from 0 up",
    "latency_s": "a number of seconds from 0 up",
}
_LARGEST = 1e15
"""Sums of such costs and seconds still are numbers; nothing costs so much."""
_EMPTY = "Leave the field empty where the value is not known."


def _number(text: str) -> float | None:
    if not text:
        return math.nan
    if "_" in text or not text.isascii():  # numbers to Python, and to nobody else
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= _LARGEST else None


def _allowed(name: str, value: float) -> bool:
    return math.isnan(value) or (0 <= value <= 1 if name == "score" else value >= 0)


def _column(row: Sequence[str], place: int) -> int:
    """Where the field begins in its line, from 1, quotes counted where they were needed."""
    return 1 + sum(_written(text) + 1 for text in row[:place])


def _written(text: str) -> int:
    quoted = any(mark in text for mark in ',"\r\n')
    return len(text) + (2 + text.count('"') if quoted else 0)


def variants_in(trials: Iterable[Trial]) -> list[str]:
    """The variants of a table in the order of their first trial."""
    return list(dict.fromkeys(trial.variant for trial in trials))
