"""What travels: requests, replies, the API's objects with every key, pages and events.

The objects are mutable records whose fields stand in the order of the recorded traffic of the hosted
API; ``body`` makes a fresh dict of one, so that nothing a caller holds is part of the server's memory.
"""

from __future__ import annotations

import random
import secrets
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

import msgspec

from harness.server.errors import ApiError

Event = tuple[str, dict[str, Any]]
"""Name and data of one server-sent event."""

INCLUDE_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


class StreamDropped(Exception):
    """Raised between two events: the connection is cut here, though the run goes on."""


class StoppableEvents(Iterator[Event]):
    """Events that nobody needs once their reader has gone: what makes them then stops, too."""

    @abstractmethod
    def stop(self) -> None:
        """Nobody reads on; may be called while another thread reads."""


class Fate(msgspec.Struct, frozen=True):
    """How a run or response is to end, whatever its model says.

    Attributes:
        status: The terminal status.
        code: ``last_error``'s code of a failed run, the reason of an incomplete one; empty when expired.
    """

    status: Literal["failed", "expired", "incomplete"]
    code: str


class Upload(msgspec.Struct, frozen=True):
    """One file of a multipart request, with the form fields beside it."""

    filename: str
    content: bytes
    fields: Mapping[str, str]


class Request(msgspec.Struct, frozen=True):
    """One call of the API.

    Attributes:
        method: ``GET``, ``POST`` or ``DELETE``.
        path: Without the version prefix, for example ``/threads/thread_x/messages``.
        body: The JSON object that was sent, None for an empty body.
        query: Every value of every query parameter.
        headers: Names in lower case.
        upload: The uploaded file of a multipart request.
        fate: How a run or response that this call creates is to end; set by faults alone.
        deltas: Whether the reader of a run's events wants its message piece by piece, too.
    """

    method: str
    path: str
    body: dict[str, Any] | None = None
    query: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    upload: Upload | None = None
    fate: Fate | None = None
    deltas: bool = True


class Framing(msgspec.Struct, frozen=True):
    """How a stream of events is written.

    Attributes:
        named: Whether every event carries its name beside its data.
        end: What tells clients that the stream is complete; empty where the last event does.
    """

    named: bool
    end: bytes


RUN_FRAMING = Framing(named=True, end=b"event: done\ndata: [DONE]\n\n")
RESPONSE_FRAMING = Framing(named=True, end=b"")
CHAT_FRAMING = Framing(named=False, end=b"data: [DONE]\n\n")


class Reply(msgspec.Struct, frozen=True):
    """The answer to one call: a JSON body, bytes, or a stream of events and how it is written.

    Attributes:
        at_once: Whether no event of the stream has to be waited for: no model, search or code takes its time.
    """

    status: int
    body: dict[str, Any] | None = None
    content: bytes | None = None
    content_type: str | None = None
    events: Iterator[Event] | None = None
    framing: Framing = RUN_FRAMING
    at_once: bool = False
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> Reply:
        """The same answer with these headers; ``replace`` would take longer than many a handler."""
        return Reply(
            self.status,
            self.body,
            self.content,
            self.content_type,
            self.events,
            self.framing,
            self.at_once,
            headers,
        )


POLL_SOON = {"openai-poll-after-ms": "20"}
"""Header of what is being worked on: the SDK asks again so soon, and only after a second without it."""


_DRAWN_AT_ONCE = 255


class IdFactory:
    """New ids: the prefix of their kind and 24 letters and digits; the same seed gives the same ids."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = None if seed is None else random.Random(seed)
        self._spare: list[str] = []

    def new(self, prefix: str) -> str:
        """An id such as ``msg_5f...``; the prefix carries its own ``_`` or ``-``."""
        return prefix + (self._drawn() if self._random is None else f"{self._random.getrandbits(96):024x}")

    def _drawn(self) -> str:
        """The next ending that nobody can guess; the system is asked for many at a time, for that is slow."""
        try:
            return self._spare.pop()
        except IndexError:
            drawn = secrets.token_hex(12 * (_DRAWN_AT_ONCE + 1))
            endings = [drawn[start : start + 24] for start in range(0, len(drawn), 24)]
            self._spare += endings[1:]
            return endings[0]


class Assistant(msgspec.Struct, kw_only=True, weakref=True):
    """A configured assistant."""

    id: str
    object: str = "assistant"
    created_at: int
    name: str | None = None
    description: str | None = None
    model: str
    instructions: str | None = None
    tools: list[dict[str, Any]] = []
    top_p: float | None = 1.0
    temperature: float | None = 1.0
    reasoning_effort: str | None = None
    tool_resources: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    response_format: Any = "auto"


class Thread(msgspec.Struct, kw_only=True):
    """One conversation."""

    id: str
    object: str = "thread"
    created_at: int
    metadata: dict[str, str] = {}
    tool_resources: dict[str, Any] = {}


class Message(msgspec.Struct, kw_only=True, weakref=True):
    """One message on a thread."""

    id: str
    object: str = "thread.message"
    created_at: int
    assistant_id: str | None = None
    thread_id: str
    run_id: str | None = None
    status: str = "completed"
    incomplete_details: dict[str, str] | None = None
    incomplete_at: int | None = None
    completed_at: int | None = None
    role: str
    content: list[dict[str, Any]] = []
    attachments: list[dict[str, Any]] = []
    metadata: dict[str, str] = {}


class Run(msgspec.Struct, kw_only=True):
    """One execution of an assistant on a thread."""

    id: str
    object: str = "thread.run"
    created_at: int
    assistant_id: str
    thread_id: str
    status: str = "queued"
    started_at: int | None = None
    expires_at: int | None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    required_action: dict[str, Any] | None = None
    last_error: dict[str, str] | None = None
    model: str
    instructions: str | None = None
    tools: list[dict[str, Any]] = []
    tool_resources: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    reasoning_effort: str | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    truncation_strategy: dict[str, Any]
    incomplete_details: dict[str, str] | None = None
    usage: dict[str, Any] | None = None
    response_format: Any = "auto"
    tool_choice: Any = "auto"
    parallel_tool_calls: bool = True


class RunStep(msgspec.Struct, kw_only=True):
    """One step of a run: a message that is written, or tool calls."""

    id: str
    object: str = "thread.run.step"
    created_at: int
    run_id: str
    assistant_id: str
    thread_id: str
    type: str
    status: str = "in_progress"
    cancelled_at: int | None = None
    completed_at: int | None = None
    expired_at: int | None = None
    expires_at: int | None = None
    failed_at: int | None = None
    last_error: dict[str, str] | None = None
    step_details: dict[str, Any]
    usage: dict[str, Any] | None = None
    metadata: dict[str, str] = {}


class File(msgspec.Struct, kw_only=True):
    """An uploaded or generated file."""

    object: str = "file"
    id: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    expires_at: int | None = None
    status: str = "processed"
    status_details: str | None = None


class VectorStore(msgspec.Struct, kw_only=True):
    """A set of files that file_search looks through."""

    id: str
    object: str = "vector_store"
    created_at: int
    name: str | None = None
    description: str | None = None
    usage_bytes: int = 0
    file_counts: dict[str, int] = {}
    status: str = "completed"
    expires_after: dict[str, Any] | None = None
    expires_at: int | None = None
    last_active_at: int | None = None
    metadata: dict[str, str] = {}


class VectorStoreFile(msgspec.Struct, kw_only=True, weakref=True):
    """A file inside a vector store; it keeps the file's id."""

    id: str
    object: str = "vector_store.file"
    usage_bytes: int = 0
    created_at: int
    vector_store_id: str
    status: str = "in_progress"
    last_error: dict[str, str] | None = None
    chunking_strategy: dict[str, Any]
    attributes: dict[str, Any] = {}


class FileBatch(msgspec.Struct, kw_only=True):
    """Files that were put into a vector store together."""

    id: str
    object: str = "vector_store.file_batch"
    created_at: int
    status: str = "in_progress"
    vector_store_id: str
    file_counts: dict[str, int] = {}


class Response(msgspec.Struct, kw_only=True):
    """One answer of the Responses API; its output is kept as items and put in when it is shown."""

    id: str
    object: str = "response"
    created_at: int
    completed_at: int | None = None
    status: str
    background: bool = False
    error: dict[str, str] | None = None
    incomplete_details: dict[str, str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    model: str
    output: list[dict[str, Any]] = []
    parallel_tool_calls: bool = True
    previous_response_id: str | None = None
    conversation: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    reasoning: dict[str, Any] = {}
    safety_identifier: str | None = None
    service_tier: str = "auto"
    store: bool = True
    temperature: float = 1.0
    text: dict[str, Any] = {}
    tool_choice: Any = "auto"
    tools: list[dict[str, Any]] = []
    top_logprobs: int = 0
    top_p: float = 1.0
    truncation: str = "disabled"
    usage: dict[str, Any] | None = None
    user: str | None = None
    metadata: dict[str, str] = {}


class Conversation(msgspec.Struct, kw_only=True):
    """What was said and done over many responses."""

    id: str
    object: str = "conversation"
    created_at: int
    metadata: dict[str, str] = {}


class Container(msgspec.Struct, kw_only=True):
    """A place where code runs and keeps its variables and files."""

    id: str
    object: str = "container"
    created_at: int
    status: str = "running"
    expires_after: dict[str, Any]
    last_active_at: int
    memory_limit: str = "1g"
    name: str


class ContainerFile(msgspec.Struct, kw_only=True):
    """A file in a container: put there by a user, or made by code."""

    id: str
    object: str = "container.file"
    created_at: int
    bytes: int
    container_id: str
    path: str
    source: str


def body(record: msgspec.Struct) -> dict[str, Any]:
    """The record as a fresh JSON object with all keys."""
    return cast(dict[str, Any], msgspec.to_builtins(record))


def fresh(value: Any) -> Any:
    """A deep copy of a JSON value."""
    return msgspec.to_builtins(value)


def deleted(kind: str, identifier: str) -> dict[str, Any]:
    """The answer to a successful DELETE."""
    return {"id": identifier, "object": kind, "deleted": True}


def usage(prompt: int, completion: int, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """A usage object, spelt as on the wire: ``prompt_token_details`` without the s."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_token_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def total_usage(usages: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
    """The sum of step usages, which is the usage of their run."""
    known = [each for each in usages if each is not None]
    return usage(
        sum(each["prompt_tokens"] for each in known),
        sum(each["completion_tokens"] for each in known),
        sum(each["prompt_token_details"]["cached_tokens"] for each in known),
        sum(each["completion_tokens_details"]["reasoning_tokens"] for each in known),
    )


def response_usage(spent: dict[str, Any]) -> dict[str, Any]:
    """A usage object as the Responses API spells it."""
    return {
        "input_tokens": spent["prompt_tokens"],
        "input_tokens_details": {**spent["prompt_token_details"], "cache_write_tokens": 0},
        "output_tokens": spent["completion_tokens"],
        "output_tokens_details": dict(spent["completion_tokens_details"]),
        "total_tokens": spent["total_tokens"],
    }


class PageQuery(msgspec.Struct, frozen=True):
    """Which part of a list is asked for."""

    limit: int = 20
    descending: bool = True
    after: str | None = None
    before: str | None = None


def page_query(query: Mapping[str, Sequence[str]], *, limit: int = 20, most: int = 100) -> PageQuery:
    """The paging parameters of a request.

    Raises:
        ApiError: A limit outside 1 to ``most``, or an order that is neither asc nor desc.
    """
    order = single(query, "order") or "desc"
    if order not in ("asc", "desc"):
        raise ApiError(
            400,
            f"Invalid value: {order!r}. Supported values are: 'asc' and 'desc'.",
            param="order",
            code="invalid_value",
        )
    return PageQuery(
        _limit(query, limit, most), order == "desc", single(query, "after"), single(query, "before")
    )


def single(query: Mapping[str, Sequence[str]], name: str) -> str | None:
    """The last value of a query parameter; None when absent or empty."""
    values = query.get(name)
    return values[-1] or None if values else None


def listed(query: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """Every value of a query parameter that may come several times, with and without its brackets."""
    return [*query.get(f"{name}[]", ()), *query.get(name, ())]


def _limit(query: Mapping[str, Sequence[str]], default: int, most: int) -> int:
    text = single(query, "limit")
    if text is None:
        return default
    if not (text.isascii() and text.lstrip("-").isdigit() and len(text) < 10):
        raise ApiError(
            400, f"Invalid 'limit': expected an integer, got {text!r}.", param="limit", code="invalid_type"
        )
    if not 1 <= int(text) <= most:
        side, bound = ("below min", ">= 1") if int(text) < 1 else ("above max", f"<= {most}")
        raise ApiError(
            400,
            f"Invalid 'limit': integer {side}imum value. Expected a value {bound}, but got {text} instead.",
            param="limit",
            code=f"integer_{side.replace(' ', '_')}_value",
        )
    return int(text)


def page(data: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """A list object; an empty one has null ids, as recorded."""
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }
