"""The server's memory: every object, in the order in which they were made, under one lock."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from harness.server.table import PASSING, Content, Table
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
    Response,
    Run,
    RunStep,
    Thread,
    VectorStore,
    VectorStoreFile,
)

if TYPE_CHECKING:
    from harness.server.rows import Rows

ACTIVE_STATUSES = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
"""While a run is in one of these, its thread is locked."""


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


@dataclass(slots=True, weakref_slot=True)
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


@dataclass(slots=True, weakref_slot=True)
class RunRecord:
    """A run, its steps, and what its next completion needs to know.

    Attributes:
        completions: How often the model was asked so far.
        prompt_tokens: What these completions read, against max_prompt_tokens.
        completion_tokens: What they wrote, against max_completion_tokens.
        pending_images: Images made since the last message; the next message shows them.
        with_content: The creator asked for the content of search results in its events.
        fate: How the run is to end, where a fault on demand has decided that.
        resources: What its tools work on beside the thread's: the assistant's files and stores as they were
            when the run was made, or what the run was given in their place.
    """

    run: Run
    steps: Table[StepRecord] = field(default_factory=Table)
    completions: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    pending_images: list[str] = field(default_factory=list)
    with_content: bool = False
    fate: Fate | None = None
    resources: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether the run still locks its thread."""
        return self.run.status in ACTIVE_STATUSES


@dataclass(frozen=True, slots=True)
class Summary:
    """What is remembered of the older messages of a talk.

    Attributes:
        count: How many messages, from the first on.
        digest: What tells whether they are still the same.
        user: What the user said in them, or all of it where a model has summarised.
        assistant: What the assistant said in them.
    """

    count: int
    digest: str
    user: str
    assistant: str

    @property
    def text(self) -> str:
        """The whole summary."""
        return "\n".join(part for part in (self.user, self.assistant) if part)


@dataclass(slots=True, weakref_slot=True)
class ThreadRecord:
    """A thread with its messages and runs, and the summary of messages that a model cannot read any more."""

    thread: Thread
    messages: Table[Message] = field(default_factory=Table)
    runs: Table[RunRecord] = field(default_factory=Table)
    summary: Summary | None = None

    @property
    def active_run(self) -> RunRecord | None:
        """The run that locks the thread; only the latest can."""
        latest = self.runs.last()
        return latest if latest is not None and latest.active else None


@dataclass(slots=True, weakref_slot=True)
class FileRecord:
    """A file and its bytes."""

    file: File
    kept: Content

    @property
    def content(self) -> bytes:
        """Its bytes."""
        return self.kept.read()


@dataclass(slots=True, weakref_slot=True)
class StoreRecord:
    """A vector store with its files and batches."""

    store: VectorStore
    files: Table[VectorStoreFile] = field(default_factory=Table)
    batches: Table[BatchRecord] = field(default_factory=Table)


@dataclass(slots=True, weakref_slot=True)
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
        files: Files that a message holds.
        texts: Their texts by id, as far as they have been read.
    """

    item: dict[str, Any]
    said: str | None = None
    completion: int | None = None
    note: CallNote = field(default_factory=CallNote)
    files: Table[FileRecord] = field(default_factory=Table)
    texts: dict[str, str] = field(default_factory=dict, metadata=PASSING)

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.item["id"])


@dataclass(slots=True, weakref_slot=True)
class ConversationRecord:
    """A conversation with its items, and the summary of those that a model cannot read any more."""

    conversation: Conversation
    items: Table[ItemRecord] = field(default_factory=Table)
    summary: Summary | None = None


@dataclass(slots=True, weakref_slot=True)
class ContainerRecord:
    """A container and its files.

    Attributes:
        has_session: Whether an interpreter was started for it and not ended yet.
        running: How many pieces of code run in it now.
    """

    container: Container
    files: Table[ContainerFileRecord] = field(default_factory=Table)
    has_session: bool = field(default=False, metadata=PASSING)
    running: int = field(default=0, metadata=PASSING)

    def expires_at(self) -> int:
        """When nobody can use it any more, unless someone does before."""
        minutes: int = self.container.expires_after["minutes"]
        return self.container.last_active_at + minutes * 60


@dataclass(slots=True, weakref_slot=True)
class ContainerFileRecord:
    """A file in a container, its bytes, and the id of the uploaded file that it is a copy of."""

    file: ContainerFile
    kept: Content
    copy_of: str | None = None

    @property
    def content(self) -> bytes:
        """Its bytes."""
        return self.kept.read()

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.file.path.rpartition("/")[2]


@dataclass(slots=True, weakref_slot=True)
class EventRecord:
    """One streamed event, kept to be streamed again; its id in a table is its sequence number."""

    name: str
    data: dict[str, Any]


@dataclass(slots=True, weakref_slot=True)
class ResponseRecord:
    """A response, what it answers, and what its next completion needs to know.

    Attributes:
        context: The items that were there before: of the conversation or of the previous responses.
        given: The items of its own request.
        tools: As the Assistants API spells them, which is how models are given them.
        tool_choice: Spelt likewise.
        response_format: Spelt likewise.
        include: The parts of items that its creator asked to see.
        container_id: Where its code runs; None before it is needed, and without code_interpreter.
        output: The items it has made so far.
        completions: How often the model was asked so far.
        spent: The usage of these completions.
        pending_images: Container, file and name of images made since the last message.
        events: What was streamed so far, of a response in the background that can be streamed again.
        fate: How the response is to end, where a fault on demand has decided that.
        summary: Of items that its model cannot read any more.
    """

    response: Response
    context: Table[ItemRecord]
    given: Table[ItemRecord]
    tools: list[dict[str, Any]]
    tool_choice: Any
    response_format: Any
    include: frozenset[str] = frozenset()
    container_id: str | None = None
    output: Table[ItemRecord] = field(default_factory=Table)
    completions: int = 0
    spent: list[dict[str, Any]] = field(default_factory=list)
    pending_images: list[tuple[str, str, str]] = field(default_factory=list)
    events: Table[EventRecord] = field(default_factory=Table)
    fate: Fate | None = None
    summary: Summary | None = None

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
                self.output.mark(each)


KINDS: tuple[type, ...] = (
    Assistant,
    Message,
    VectorStoreFile,
    ThreadRecord,
    RunRecord,
    StepRecord,
    FileRecord,
    StoreRecord,
    BatchRecord,
    ItemRecord,
    ConversationRecord,
    ContainerRecord,
    ContainerFileRecord,
    EventRecord,
    ResponseRecord,
)
"""Everything that stands in a table, and so in a state file."""
_ITEM_PARTS = ("given", "output", "items")


class State:
    """Everything the server remembers.

    Whoever reads or changes it holds ``lock``; ``changed`` (on the same lock) is notified when indexing of
    a file ends. Nothing slow happens under the lock. What is not known to have been read with ``get`` or
    ``last`` of its table under the same hold of the lock is marked there when it is changed.

    Args:
        seed: The same seed gives the same ids; None gives random ones.
        rows: The state file that everything is kept in, saved whenever the lock is let go; None keeps
            everything in memory.
    """

    def __init__(self, seed: int | None = None, rows: Rows | None = None) -> None:
        self.rows = rows
        self.lock = threading.RLock() if rows is None else rows.lock
        # A lock of our own has what a Condition needs of its lock.
        self.changed = threading.Condition(self.lock)  # type: ignore[arg-type]
        self.ids = IdFactory(seed)
        self.assistants: Table[Assistant] = self._table("assistants")
        self.threads: Table[ThreadRecord] = self._table("threads")
        self.files: Table[FileRecord] = self._table("files")
        self.stores: Table[StoreRecord] = self._table("stores")
        self.responses: Table[ResponseRecord] = self._table("responses")
        self.conversations: Table[ConversationRecord] = self._table("conversations")
        self.containers: Table[ContainerRecord] = self._table("containers")
        # For references by id; an item lives as long as a response or conversation has it.
        self._items: WeakValueDictionary[str, ItemRecord] = WeakValueDictionary()

    def _table(self, name: str) -> Table[Any]:
        return Table() if self.rows is None else self.rows.table(name)

    def remember_item(self, record: ItemRecord) -> None:
        """Let later requests refer to this item by id."""
        self._items[record.id] = record

    def item(self, identifier: str) -> ItemRecord | None:
        """The item of this id, as long as a response or conversation has it."""
        found = self._items.get(identifier)
        if found is None and self.rows is not None:
            found = self.rows.find(_ITEM_PARTS, identifier)
        return found

    def unfinished(self) -> list[Any]:
        """What was being worked on when the server that wrote the state file ended."""
        return [] if self.rows is None else self.rows.busy()

    def erased(self) -> None:
        """Something was deleted from the state file by another way than its tables."""
        if self.rows is not None:
            self.rows.erased()

    def close(self) -> None:
        """Let go of the state file."""
        if self.rows is not None:
            self.rows.close()


def is_busy(row: Any) -> bool:
    """Whether a row is still being worked on."""
    if isinstance(row, VectorStoreFile):
        return row.status == "in_progress"
    return isinstance(row, RunRecord | ResponseRecord) and row.active


def open_state(path: Path, seed: int | None = None) -> State:
    """A state that is kept in a file, which is made if there is none.

    Raises:
        SettingsError: The file cannot be used; the message says why.
    """
    from harness.server.rows import Rows

    return State(seed, Rows(path, KINDS, is_busy))
