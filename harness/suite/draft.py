"""A suite file on its way to a record: foreach written out, validated, every value with its place."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from harness.errors import Problem, SuiteError
from harness.suite.check import check_conversation, facts_of
from harness.suite.expecting import NOTHING_EXPECTED
from harness.suite.foreach import Row, Table, Template, placeholders, read_table, unescaped
from harness.suite.quarantine import expired_quarantines, quarantine_mistakes
from harness.suite.records import Conversation, Suite, SuiteFile
from harness.suite.rubrics import check_judged, check_rubrics
from harness.suite.stubs import check_stubs
from harness.yamlfile.mistakes import Mistake, annotation_at, did_you_mean, mistakes_in, shown
from harness.yamlfile.source import Place, Source


class _Origin(msgspec.Struct, frozen=True):
    """Where a conversation comes from: an entry of the file, and for foreach a row of a table.

    ``sketch`` marks a template whose table can't be used: its shape is checked, but it is no conversation.
    """

    entry: int
    table: Table | None = None
    row: Row | None = None
    sketch: bool = False


class Draft(msgspec.Struct):
    """A suite file on its way to a record; knows for every value where in the file it stands."""

    source: Source
    folder: Path
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    origins: list[_Origin] = msgspec.field(default_factory=list)
    removed: dict[Place, list[int]] = msgspec.field(default_factory=dict)

    def expand(self) -> Iterator[Problem]:
        """Write out the foreach entries; yields what is wrong with them."""
        self.data = dict(self.source.data)
        entries = self.data.get("conversations")
        if not isinstance(entries, list):
            return
        if not entries:
            where = self.source.where(("conversations",))
            yield Problem("the suite has no conversations", where, "add one: {id: ..., turns: [{user: ...}]}")
        conversations: list[Any] = []
        self.data["conversations"] = conversations
        for index, entry in enumerate(entries):
            if isinstance(entry, dict) and "foreach" in entry:
                yield from self._expand_entry(index, entry, conversations)
                continue
            yield from self._stray_placeholders(index, entry)
            self.origins.append(_Origin(index))
            conversations.append(written_out(entry))

    def _stray_placeholders(self, index: int, entry: Any) -> Iterator[Problem]:
        for place, name in placeholders(entry):
            message = f"{{{{ {name} }}}} has no value: this conversation has no foreach"
            hint = r"add foreach: file.csv, or write \{{ for two plain braces"
            yield Problem(message, self.source.where(("conversations", index, *place)), hint)

    def _expand_entry(self, index: int, entry: dict[str, Any], conversations: list[Any]) -> Iterator[Problem]:
        template = {key: value for key, value in entry.items() if key != "foreach"}
        table, problems = self._table(index, entry["foreach"])
        if table is not None:
            problems += self._column_problems(index, template, table)
        yield from problems
        if table is None or problems:
            self.origins.append(_Origin(index, sketch=True))
            conversations.append(_with_nulls_written_out(template))
            return
        for row, filled in filled_rows(template, table):
            self.origins.append(_Origin(index, table, row))
            conversations.append(filled)

    def _table(self, index: int, file: Any) -> tuple[Table | None, list[Problem]]:
        where = self.source.where(("conversations", index, "foreach"))
        if not isinstance(file, str) or not file:
            return None, [Problem(f"foreach must be a .csv or .jsonl file, not {shown(file)}", where)]
        try:
            return read_table(Path(os.path.normpath(self.folder / file)), where), []
        except SuiteError as error:
            return None, list(error.problems)

    def _column_problems(self, index: int, template: Any, table: Table) -> list[Problem]:
        used = list(placeholders(template))
        columns = list(table.columns)
        if not used:
            where = self.source.where(("conversations", index, "foreach"))
            hint = did_you_mean("", columns, label="columns")
            return [Problem("foreach without any {{ column }}: every row would say the same", where, hint)]
        return [
            Problem(
                f"{table.file!r} has no column {name!r}",
                self.source.where(("conversations", index, *place)),
                did_you_mean(name, columns, label="columns"),
            )
            for place, name in used
            if name not in columns
        ]

    def validated(self, report: Callable[[Iterable[Problem]], None]) -> SuiteFile | None:
        """The record.

        What does not fit is reported, then left out, so that the meaning of the rest can be checked too.
        """
        for attempt in range(_MAX_PRUNINGS):
            try:
                return SuiteFile.model_validate_json(
                    as_json(self.data), strict=True, by_alias=True, by_name=False
                )
            except ValidationError as error:
                mistakes = list(
                    mistakes_in(error, SuiteFile, self.data, spelling=self._spelling, more_keys=_MORE_KEYS)
                )
            if attempt == 0:
                report(self._problems(mistake for mistake in mistakes if not self._is_unfilled(mistake)))
            if any(not mistake.place and not mistake.missing for mistake in mistakes):
                return None
            if attempt == 0:
                self.data = json.loads(json.dumps(self.data))  # rows share what their template says
            self._leave_out(mistakes)
        return None

    def _spelling(self, place: Place) -> str | None:
        original, origin = self._in_file(place)
        return self.source.text(original) if origin is None or origin.row is None else None

    def _is_unfilled(self, mistake: Mistake) -> bool:
        """Whether the mistake is only that a template's placeholder has no value yet."""
        _, origin = self._in_file(mistake.place)
        if origin is None or not origin.sketch or mistake.at_key or mistake.missing:
            return False
        return any(True for _ in placeholders(_value_at(self.data, mistake.place)))

    def _leave_out(self, mistakes: list[Mistake]) -> None:
        for mistake in sorted(mistakes, key=lambda mistake: mistake.place, reverse=True):
            place = mistake.place
            if mistake.missing in _STAND_INS or (place and place[-1] in _STAND_INS and not mistake.missing):
                key = mistake.missing or place[-1]
                block = _value_at(self.data, place if mistake.missing else place[:-1])
                if isinstance(block, dict):
                    block[key] = _STAND_INS[str(key)]
            elif place:
                self._remove(place)

    def _remove(self, place: Place) -> None:
        parent, last = _value_at(self.data, place[:-1]), place[-1]
        if isinstance(parent, dict):
            parent.pop(last, None)
        elif isinstance(parent, list) and isinstance(last, int) and last < len(parent):
            original = self._before_removals(place)
            del parent[last]
            self.removed.setdefault(original[:-1], []).append(int(original[-1]))

    def _before_removals(self, place: Place) -> Place:
        original: Place = ()
        for step in place:
            if isinstance(step, int):
                for gone in sorted(self.removed.get(original, ())):
                    step += gone <= step
            original = (*original, step)
        return original

    def _in_file(self, place: Place) -> tuple[Place, _Origin | None]:
        """The place in the file itself, and the conversation's origin when it is in one."""
        place = self._before_removals(place)
        if len(place) > 1 and place[0] == "conversations" and self.origins and isinstance(place[1], int):
            origin = self.origins[place[1]]
            return ("conversations", origin.entry, *place[2:]), origin
        return place, None

    def _problems(self, mistakes: Iterable[Mistake]) -> Iterator[Problem]:
        """The mistakes with their places in files; one that every row of a foreach repeats comes once."""
        rows: dict[Problem, list[_Origin]] = {}
        broken = {(problem.where.line if problem.where else None) for problem in self.source.problems}
        for mistake in mistakes:
            place, origin = self._in_file(mistake.place)
            place = self._where_it_stands(place)
            where = self.source.where(place, key=mistake.at_key)
            if where.line not in broken:
                found = rows.setdefault(Problem(mistake.message, where, mistake.hint), [])
                found += [origin] if origin and self._comes_from_a_row(place, origin) else []
        for problem, origins in rows.items():
            yield _naming_rows(problem, origins)

    def _comes_from_a_row(self, place: Place, origin: _Origin) -> bool:
        """Whether a value was filled in from a table, so that the row must be named to find it."""
        return origin.row is not None and any(True for _ in placeholders(_value_at(self.source.data, place)))

    def _where_it_stands(self, place: Place) -> Place:
        """What a turn does not say itself it has from the suite's defaults."""
        inherited = ("expect", *place[5:])
        if len(place) > 2 and place[2] == "escalation" and not self.source.has(place[:3]):
            return place[2:]
        is_of_turn = len(place) > 5 and place[2] == "turns" and place[4] == "expect"
        return (
            inherited if is_of_turn and not self.source.has(place) and self.source.has(inherited) else place
        )

    def check(self, suite: Suite, today: date) -> Iterator[Problem]:
        """What is wrong with the meaning of what was written."""
        return self._problems(self._meaning(suite, today))

    def expired(self, suite: Suite, today: date) -> Iterator[Problem]:
        """Quarantines that are over."""
        return self._problems(expired_quarantines(suite, today))

    def _meaning(self, suite: Suite, today: date) -> Iterator[Mistake]:
        facts = facts_of(suite.variant)
        yield from quarantine_mistakes(suite, today)
        yield from check_stubs(suite.stubs, suite.functions, facts, self.folder)
        yield from check_rubrics(suite.rubrics)
        first: dict[str, Place] = {}
        for index, conversation in enumerate(suite.conversations):
            place: Place = ("conversations", index)
            _, origin = self._in_file(place)
            if origin is None or origin.sketch:
                continue
            yield from self._same_id(conversation, place, first)
            for mistake in check_conversation(conversation, facts, self.folder):
                yield _below(place, mistake)
            for mistake in check_judged(conversation, suite.rubrics):
                yield _below(place, mistake)

    def _same_id(
        self, conversation: Conversation, place: Place, first: dict[str, Place]
    ) -> Iterator[Mistake]:
        if conversation.id == _STAND_INS["id"]:
            return
        earlier = first.setdefault(conversation.id, place)
        if earlier is not place:
            original, _ = self._in_file((*earlier, "id"))
            line = self.source.where(original).line
            message = f"the conversation id {conversation.id!r} is used twice"
            yield Mistake((*place, "id"), message, f"the first is in line {line}; ids are unique in a suite")


def written_out(entry: Any) -> Any:
    """An entry of the file that makes one conversation, as its record is made of it."""
    return _with_nulls_written_out(unescaped(entry))


def is_unfilled(entry: Any) -> bool:
    """Whether a placeholder stands in an entry that has no table."""
    return any(True for _ in placeholders(entry))


def columns_used(template: Any) -> set[str]:
    """The columns that the placeholders of a template name."""
    return {name for _, name in placeholders(template)}


def filled_rows(template: Any, table: Table) -> Iterator[tuple[Row, Any]]:
    """Each row of a table with the conversation that a template makes of it."""
    form = Template(
        _with_nulls_written_out(template),
        table.typed,
        keeps_text=lambda place: annotation_at(Conversation, place) is str,
    )
    for row in table.rows:
        yield row, _with_nulls_written_out(form.filled(row))


def as_json(data: Any) -> bytes | str:
    """The data for its validation; json spells what msgspec can't: half a surrogate pair, a huge number."""
    try:
        return msgspec.json.encode(data)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(data)


_MAX_PRUNINGS = 6
_MORE_KEYS: Mapping[type[BaseModel], tuple[str, ...]] = {Conversation: ("foreach",)}
# What stands for a value that is missing or wrong while the rest of its block is checked; never sent.
_STAND_INS = {"suite": "?", "id": "?", "user": "?"}


def _naming_rows(problem: Problem, origins: list[_Origin]) -> Problem:
    first = next(iter(origins), None)
    if first is None or first.row is None or first.table is None:
        return problem
    more = len(origins) - 1
    rows = f" (and {more} more row{'s' * (more != 1)})" if more else ""
    return Problem(
        f"{problem.message}, from {first.table.file}:{first.row.line}{rows}", problem.where, problem.hint
    )


def _below(place: Place, mistake: Mistake) -> Mistake:
    return Mistake((*place, *mistake.place), mistake.message, mistake.hint, mistake.at_key, mistake.missing)


def _value_at(data: Any, place: Place) -> Any:
    for step in place:
        if isinstance(data, dict):
            data = data.get(str(step))
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data


def _with_nulls_written_out(entry: Any) -> Any:
    """``expect: null`` in a turn switches every default off; on a conversation it says nothing."""
    if not isinstance(entry, dict):
        return entry
    if "expect" in entry and entry["expect"] is None:
        entry = entry | {"expect": {}}
    turns = entry.get("turns")
    if isinstance(turns, list) and any(map(_switches_off, turns)):
        off = {"expect": NOTHING_EXPECTED}
        entry = entry | {"turns": [turn | off if _switches_off(turn) else turn for turn in turns]}
    return entry


def _switches_off(turn: Any) -> bool:
    return isinstance(turn, dict) and "expect" in turn and turn["expect"] is None
