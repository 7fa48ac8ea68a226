"""The server's memory: every object, in the order in which they were made, under one lock."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from harness.server.errors import bad_request
from harness.server.wire import (
    Assistant,
    File,
    FileBatch,
    IdFactory,
    Message,
    PageQuery,
    Run,
    RunStep,
    Thread,
    VectorStore,
    VectorStoreFile,
)

Row = TypeVar("Row")

ACTIVE_STATUSES = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
"""While a run is in one of these, its thread is locked."""

_REMEMBERED_DELETIONS = 10_000


class Table(Generic[Row]):
    """Rows by id, in the order in which they were added.

    Many objects share one second, so a list is ordered by insertion. Where a deleted row stood is
    remembered (for the latest 10,000 deletions), because clients page on from rows they have just deleted.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._places: dict[str, int] = {}
        self._gone: dict[str, int] = {}
        self._next_place = 0

    def add(self, identifier: str, row: Row) -> Row:
        """Append a row; an id that is there already moves to the end."""
        self._rows.pop(identifier, None)
        self._places.pop(identifier, None)
        self._gone.pop(identifier, None)
        self._rows[identifier] = row
        self._places[identifier] = self._next_place
        self._next_place += 1
        return row

    def get(self, identifier: str) -> Row | None:
        """The row of this id, None when there is none."""
        return self._rows.get(identifier)

    def remove(self, identifier: str) -> Row | None:
        """Take a row out."""
        row = self._rows.pop(identifier, None)
        if row is not None:
            self._gone[identifier] = self._places.pop(identifier)
            if len(self._gone) > _REMEMBERED_DELETIONS:
                del self._gone[next(iter(self._gone))]
        return row

    def __iter__(self) -> Iterator[Row]:
        return iter(list(self._rows.values()))  # a copy: rows may come and go meanwhile

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._rows

    def last(self) -> Row | None:
        """The row that was added last."""
        return next(reversed(self._rows.values()), None)

    def page(self, query: PageQuery, keep: Callable[[Row], bool] | None = None) -> tuple[list[Row], bool]:
        """The rows of one page, and whether more follow (or, paging backwards, come before).

        Raises:
            ApiError: ``after`` or ``before`` is no id of this list.
        """
        low, high = self._bounds(query)
        rows = list(self._rows.values())[low:high]
        if keep is not None:
            rows = [row for row in rows if keep(row)]
        if query.descending:
            rows.reverse()
        if query.before is not None and query.after is None:
            return rows[-query.limit :], len(rows) > query.limit
        return rows[: query.limit], len(rows) > query.limit

    def _bounds(self, query: PageQuery) -> tuple[int, int]:
        """First and last position between the cursors, in order of insertion."""
        older, newer = (query.before, query.after) if query.descending else (query.after, query.before)
        if older is None and newer is None:
            return 0, len(self._rows)
        places = list(self._places.values())
        older_name, newer_name = ("before", "after") if query.descending else ("after", "before")
        low = 0 if older is None else bisect_right(places, self._place(older, older_name))
        high = len(places) if newer is None else bisect_left(places, self._place(newer, newer_name))
        return low, high

    def _place(self, identifier: str, param: str) -> int:
        place = self._places.get(identifier, self._gone.get(identifier))
        if place is None:
            raise bad_request(f"No object found with id '{identifier}' in this list.", param)
        return place


@dataclass(slots=True)
class CallNote:
    """What the server knows of a tool call beyond its wire form.

    Attributes:
        queries: What file_search looked for.
        number: First number of the citation markers of its results, ``【number:i†name】``.
        made: Files that code_interpreter made: id, name, whether it is an image.
        paths: Where the code sees those files, and their ids.
    """

    queries: tuple[str, ...] = ()
    number: int = 0
    made: tuple[tuple[str, str, bool], ...] = ()
    paths: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class StepRecord:
    """A run step, the notes on its tool calls by call id, and the usage it will report when it ends."""

    step: RunStep
    notes: dict[str, CallNote] = field(default_factory=dict)
    spent: dict[str, Any] | None = None

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The tool calls in wire form; empty for a message step."""
        calls: list[dict[str, Any]] = self.step.step_details.get("tool_calls", [])
        return calls


@dataclass(slots=True)
class RunRecord:
    """A run, its steps, and what its next completion needs to know.

    Attributes:
        completions: How often the model was asked so far.
        prompt_tokens: What these completions read, against max_prompt_tokens.
        completion_tokens: What they wrote, against max_completion_tokens.
        pending_images: Images made since the last message; the next message shows them.
        with_content: The creator asked for the content of search results in its events.
    """

    run: Run
    steps: Table[StepRecord] = field(default_factory=Table)
    completions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    pending_images: list[str] = field(default_factory=list)
    with_content: bool = False

    @property
    def active(self) -> bool:
        """Whether the run still locks its thread."""
        return self.run.status in ACTIVE_STATUSES


@dataclass(slots=True)
class ThreadRecord:
    """A thread with its messages and runs."""

    thread: Thread
    messages: Table[Message] = field(default_factory=Table)
    runs: Table[RunRecord] = field(default_factory=Table)

    @property
    def active_run(self) -> RunRecord | None:
        """The run that locks the thread; only the latest can."""
        latest = self.runs.last()
        return latest if latest is not None and latest.active else None


@dataclass(slots=True)
class FileRecord:
    """A file and its bytes."""

    file: File
    content: bytes


@dataclass(slots=True)
class StoreRecord:
    """A vector store with its files and batches."""

    store: VectorStore
    files: Table[VectorStoreFile] = field(default_factory=Table)
    batches: dict[str, BatchRecord] = field(default_factory=dict)


@dataclass(slots=True)
class BatchRecord:
    """A batch and its files, which are rows of their own: a file may be taken out of the store again."""

    batch: FileBatch
    files: Table[VectorStoreFile] = field(default_factory=Table)


class State:
    """Everything the server remembers.

    Whoever reads or changes it holds ``lock``; ``changed`` (on the same lock) is notified when indexing of
    a file ends. Nothing slow happens under the lock.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.ids = IdFactory(seed)
        self.assistants: Table[Assistant] = Table()
        self.threads: dict[str, ThreadRecord] = {}
        self.files: Table[FileRecord] = Table()
        self.stores: Table[StoreRecord] = Table()
