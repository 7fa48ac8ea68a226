"""Suite files without mistakes, read a few conversations at a time: a long one takes little memory.

Only a mistake needs the place of every value. So a file is read here first, and at the first sign of a
mistake, or of anything written in an unusual way, this gives up: the loader then reads the whole file with
all places and says everything that is wrong with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from harness.errors import SuiteError
from harness.suite.check import Facts, check_conversation
from harness.suite.defaults import Defaults
from harness.suite.draft import as_json, columns_used, filled_rows, is_unfilled, written_out
from harness.suite.foreach import read_table
from harness.suite.quarantine import is_in_order
from harness.suite.records import Conversation, Rubric, SuiteFile
from harness.suite.rubrics import check_judged
from harness.yamlfile.pieces import Pieces, cut
from harness.yamlfile.source import Source, parse_source, read_text

_LIST = "conversations"
_NOTHING: dict[str, Any] = {}  # what a turn expects that says nothing of it


class NotPlain(Exception):
    """A file can't be read a few conversations at a time, or is not right."""


class Stream(msgspec.Struct, frozen=True):
    """A suite file whose conversations are read one after the other.

    Attributes:
        source: Everything else in it, each value with its place.
        file: The same as a record, without conversations.
        pieces: The text of the conversations.
    """

    source: Source
    file: SuiteFile
    pieces: Pieces

    def conversations(self, facts: Facts | None, folder: Path, today: date) -> Iterator[Conversation]:
        """The conversations, checked and with the suite's defaults.

        Raises:
            NotPlain: One is not right, or its quarantine is over.
        """
        defaults, ids, tags = Defaults.of(self.file), set[str](), set[str]()
        for entry in self._entries(folder):
            conversation = _record(entry, defaults)
            if (
                not is_in_order(conversation.quarantine, today)
                or conversation.id in ids
                or _is_wrong(conversation, facts, folder, self.file.rubrics)
            ):
                raise NotPlain
            ids.add(conversation.id)
            tags.update(conversation.tags)
            yield conversation
        quarantine = self.file.quarantine
        if not is_in_order(quarantine, today) or (quarantine and not tags.issuperset(quarantine.tags)):
            raise NotPlain

    def _entries(self, folder: Path) -> Iterator[Any]:
        """What the file says of each conversation, those of tables among them."""
        for text, count in self.pieces:
            piece = _parsed(text, self.source.file)
            if not isinstance(piece.data, list) or len(piece.data) != count:
                raise NotPlain
            for entry in piece.data:
                if isinstance(entry, dict) and "foreach" in entry:
                    yield from _rows(entry, folder, piece)
                elif is_unfilled(entry):
                    raise NotPlain
                else:
                    yield written_out(entry)


def open_stream(path: Path) -> Stream:
    """A suite file, ready for its conversations to be read.

    Raises:
        NotPlain: It is not written in the usual way, or not right.
    """
    try:
        text = read_text(path)
    except SuiteError as error:
        raise NotPlain from error
    pieces = cut(text, _LIST)
    if pieces is None:
        raise NotPlain
    source = _parsed(pieces.frame, str(path))
    if not _is_frame(source, text.count("\n", 0, pieces.starts[0])):
        raise NotPlain
    return Stream(source, _file(source.data), pieces)


def _is_frame(source: Source, line_of_first: int) -> bool:
    """Whether the list that was cut out is the suite's own, and no part of a quoted text."""
    if not isinstance(source.data, dict) or source.data.get(_LIST, "") is not None:
        return False
    key = source.where((_LIST,), key=True)
    return key.column == 1 and key.line is not None and key.line <= line_of_first


def _parsed(text: str, file: str) -> Source:
    try:
        source = parse_source(text, file)
    except SuiteError as error:
        raise NotPlain from error
    if source.problems:
        raise NotPlain
    return source


def _file(data: dict[str, Any]) -> SuiteFile:
    try:
        return SuiteFile.model_validate_json(
            as_json({**data, _LIST: []}), strict=True, by_alias=True, by_name=False
        )
    except ValidationError as error:
        raise NotPlain from error


def _rows(entry: dict[str, Any], folder: Path, piece: Source) -> Iterator[Any]:
    """The conversations that a table makes of an entry."""
    named = entry["foreach"]
    if not isinstance(named, str) or not named:
        raise NotPlain
    template = {key: value for key, value in entry.items() if key != "foreach"}
    try:
        table = read_table(Path(os.path.normpath(folder / named)), piece.where(()))
    except SuiteError as error:
        raise NotPlain from error
    used = columns_used(template)
    if not used or not used <= set(table.columns):
        raise NotPlain
    for _, filled in filled_rows(template, table):
        yield filled


def _record(entry: Any, defaults: Defaults) -> Conversation:
    """The conversation of an entry, with the suite's defaults.

    What its turns expect is made apart: most turns of a suite expect the same few things.
    """
    turns = entry.get("turns") if isinstance(entry, dict) else None
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise NotPlain
    bare = [{key: value for key, value in turn.items() if key != "expect"} for turn in turns]
    try:
        made = Conversation.model_validate_json(
            as_json(entry | {"turns": bare}), strict=True, by_alias=True, by_name=False
        )
        defaults.fill_in_with(made, [as_json(turn.get("expect", _NOTHING)) for turn in turns])
    except ValidationError as error:
        raise NotPlain from error
    return made


def _is_wrong(
    conversation: Conversation, facts: Facts | None, folder: Path, rubrics: dict[str, Rubric]
) -> bool:
    for _ in check_conversation(conversation, facts, folder):
        return True
    return any(True for _ in check_judged(conversation, rubrics))
