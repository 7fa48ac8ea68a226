"""The server's memory: every object, in the order in which they were made, under one lock."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from harness.server.errors import bad_request
from harness.server.wire import (
    Assistant,
    Container,
    ContainerFile,
    Conversation,
    Fate,
    File,
    FileBatch,
    IdFactory,
    Message,
    PageQuery,
    Response,
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
        fate: How the run is to end, where a fault on demand has decided that.
    """

    run: Run
    steps: Table[StepRecord] = field(default_factory=Table)
    completions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    pending_images: list[str] = field(default_factory=list)
    with_content: bool = False
    fate: Fate | None = None

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


@dataclass(slots=True, weakref_slot=True)
class ItemRecord:
    """One item of a response or conversation, and what the server knows of it beyond its wire form.

    Attributes:
        item: The wire form with everything in it; results and outputs are left out when it is shown.
        said: The text of an assistant message as the model wrote it, with citation markers.
        completion: Which completion of its response asked for this call; None for what a client gave.
        note: What is known of a call of a hosted tool.
        files: Files that a message holds, by id.
        texts: Their texts, as far as they have been read.
    """

    item: dict[str, Any]
    said: str | None = None
    completion: int | None = None
    note: CallNote = field(default_factory=CallNote)
    files: dict[str, FileRecord] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.item["id"])


@dataclass(slots=True)
class ConversationRecord:
    """A conversation with its items."""

    conversation: Conversation
    items: Table[ItemRecord] = field(default_factory=Table)


@dataclass(slots=True)
class ContainerRecord:
    """A container and its files.

    Attributes:
        has_session: Whether an interpreter was started for it and not ended yet.
        running: How many pieces of code run in it now.
    """

    container: Container
    files: Table[ContainerFileRecord] = field(default_factory=Table)
    has_session: bool = False
    running: int = 0

    def expires_at(self) -> int:
        """When nobody can use it any more, unless someone does before."""
        minutes: int = self.container.expires_after["minutes"]
        return self.container.last_active_at + minutes * 60


@dataclass(slots=True)
class ContainerFileRecord:
    """A file in a container, its bytes, and the id of the uploaded file that it is a copy of."""

    file: ContainerFile
    content: bytes
    copy_of: str | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.file.path.rpartition("/")[2]


@dataclass(slots=True)
class ResponseRecord:
    """A response, what it answers, and what its next completion needs to know.

    Attributes:
        context: The items that were there before: of the conversation or of the previous responses.
        given: The items of its own request.
        tools: As the Assistants API spells them, which is how models are given them.
        tool_choice: Spelt likewise.
        response_format: Spelt likewise.
        include: The parts of items that its creator asked to see.
        conversation: Where its items go when it is complete.
        container_id: Where its code runs; None before it is needed, and without code_interpreter.
        output: The items it has made so far.
        completions: How often the model was asked so far.
        spent: The usage of these completions.
        pending_images: Container, file and name of images made since the last message.
        events: What was streamed so far, of a response in the background that can be streamed again.
        fate: How the response is to end, where a fault on demand has decided that.
    """

    response: Response
    context: tuple[ItemRecord, ...]
    given: Table[ItemRecord]
    tools: list[dict[str, Any]]
    tool_choice: Any
    response_format: Any
    include: frozenset[str] = frozenset()
    conversation: ConversationRecord | None = None
    container_id: str | None = None
    output: list[ItemRecord] = field(default_factory=list)
    completions: int = 0
    spent: list[dict[str, Any]] = field(default_factory=list)
    pending_images: list[tuple[str, str, str]] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    fate: Fate | None = None

    @property
    def active(self) -> bool:
        """Whether it is still being worked on, or waits for that."""
        return self.response.status in ("queued", "in_progress")

    def items(self) -> list[ItemRecord]:
        """Everything that was said and done up to now."""
        return [*self.context, *self.given, *self.output]

    def close_open_items(self) -> None:
        """What was being made when the response ended stays incomplete."""
        for each in self.output:
            if each.item["status"] == "in_progress":
                each.item["status"] = "incomplete"


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
        self.responses: dict[str, ResponseRecord] = {}
        self.conversations: dict[str, ConversationRecord] = {}
        self.containers: Table[ContainerRecord] = Table()
        # For references by id; an item lives as long as a response or conversation has it.
        self.items: WeakValueDictionary[str, ItemRecord] = WeakValueDictionary()
