"""/threads/{thread_id}/messages."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.server.engine.machine import Engine
from harness.server.errors import bad_request
from harness.server.resources import lookup, tool_resources
from harness.server.resources.fields import Fields, too_long, wrong_type
from harness.server.state import ThreadRecord
from harness.server.wire import Message, Request, body, deleted, page, page_query, single

MOST_CHARACTERS = 256_000
_ROLES = ("user", "assistant")
_PARTS = ("text", "image_file", "image_url")
_DETAILS = ("auto", "low", "high")
_ATTACHMENT_TOOLS = ("code_interpreter", "file_search")


class Draft(msgspec.Struct, frozen=True):
    """A message that has been checked, but is on no thread yet."""

    role: str
    content: list[dict[str, Any]]
    attachments: list[dict[str, Any]]
    metadata: dict[str, str]


def draft(engine: Engine, given: Any, where: str = "") -> Draft:
    """Check a message of a request.

    Raises:
        ApiError: A field is wrong, or an attached file does not exist.
    """
    fields = Fields(given, ("role", "content", "attachments", "metadata"), where)
    fields.require("role")
    return Draft(
        role=fields.choice("role", _ROLES) or "user",
        content=_content(engine, fields),
        attachments=_attachments(engine, fields),
        metadata=fields.metadata() or {},
    )


def drafts(engine: Engine, fields: Fields, name: str) -> list[Draft]:
    """Check a list of messages."""
    given = fields.items(name) or []
    return [draft(engine, each, f"{fields.path(name)}[{index}]") for index, each in enumerate(given)]


def _content(engine: Engine, fields: Fields) -> list[dict[str, Any]]:
    value, path = fields.require("content"), fields.path("content")
    if isinstance(value, str):
        return [_text_part(value, path)]
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array", value)
    if not value:
        raise bad_request("Message content must be non-empty.", path)
    return [_part(engine, part, f"{path}[{index}]") for index, part in enumerate(value)]


def _text_part(text: str, path: str) -> dict[str, Any]:
    if not text:
        raise bad_request("Message content must be non-empty.", path)
    if len(text) > MOST_CHARACTERS:
        raise too_long(path, MOST_CHARACTERS, len(text))
    return {"type": "text", "text": {"value": text, "annotations": []}}


def _part(engine: Engine, part: Any, where: str) -> dict[str, Any]:
    fields = Fields(part, ("type", *_PARTS), where)
    fields.require("type")
    kind = fields.choice("type", _PARTS)
    if kind == "text":
        fields.require("text")
        return _text_part(fields.text("text") or "", f"{where}.text")
    key = "file_id" if kind == "image_file" else "url"
    image = Fields(fields.require(str(kind)), (key, "detail"), f"{where}.{kind}")
    reference = image.required_text(key)
    if kind == "image_file":
        with engine.state.lock:
            lookup.file(engine, reference)
    return {"type": kind, str(kind): {key: reference, "detail": image.choice("detail", _DETAILS, "auto")}}


def _attachments(engine: Engine, fields: Fields) -> list[dict[str, Any]]:
    given = fields.items("attachments") or []
    return [_attachment(engine, each, f"{fields.path('attachments')}[{i}]") for i, each in enumerate(given)]


def _attachment(engine: Engine, given: Any, where: str) -> dict[str, Any]:
    fields = Fields(given, ("file_id", "tools"), where)
    file_id = fields.required_text("file_id")
    with engine.state.lock:
        lookup.file(engine, file_id)
    kinds = []
    for index, tool in enumerate(fields.items("tools") or ()):
        each = Fields(tool, ("type",), f"{where}.tools[{index}]")
        each.require("type")
        kinds.append({"type": each.choice("type", _ATTACHMENT_TOOLS)})
    return {"file_id": file_id, "tools": kinds}


def put(engine: Engine, record: ThreadRecord, wanted: Draft) -> Message:
    """Put a checked message on a thread, its attachments into the thread's tools; lock held."""
    now = engine.clock.unix()
    message = Message(
        id=engine.state.ids.new("msg_"),
        created_at=now,
        thread_id=record.thread.id,
        completed_at=now,
        role=wanted.role,
        content=wanted.content,
        attachments=wanted.attachments,
        metadata=wanted.metadata,
    )
    if wanted.attachments:
        resources = record.thread.tool_resources
        record.thread.tool_resources = tool_resources.attach(engine, resources, wanted.attachments)
    return record.messages.add(message.id, message)


def create(engine: Engine, request: Request, thread_id: str) -> dict[str, Any]:
    """POST /threads/{thread_id}/messages; refused while a run is active."""
    with engine.state.lock:
        record = lookup.thread(engine, thread_id)
        wanted = draft(engine, request.body)
        _refuse_when_locked(record)
        tool_resources.check_room(record.thread.tool_resources, wanted.attachments)
        return body(put(engine, record, wanted))


def _refuse_when_locked(record: ThreadRecord) -> None:
    active = record.active_run
    if active is not None:
        raise bad_request(f"Can't add messages to {record.thread.id} while a run {active.run.id} is active.")


def list_all(engine: Engine, request: Request, thread_id: str) -> dict[str, Any]:
    """GET /threads/{thread_id}/messages, optionally of one run."""
    query, run_id = page_query(request.query), single(request.query, "run_id")
    with engine.state.lock:
        record = lookup.thread(engine, thread_id)
        keep = None if run_id is None else (lambda message: message.run_id == run_id)
        rows, more = record.messages.page(query, keep)
        return page([body(row) for row in rows], more)


def retrieve(engine: Engine, request: Request, thread_id: str, message_id: str) -> dict[str, Any]:
    """GET /threads/{thread_id}/messages/{message_id}."""
    with engine.state.lock:
        return body(lookup.message(engine, thread_id, message_id)[1])


def update(engine: Engine, request: Request, thread_id: str, message_id: str) -> dict[str, Any]:
    """POST /threads/{thread_id}/messages/{message_id}: its metadata, also while a run is active."""
    metadata = Fields(request.body, ("metadata",)).metadata()
    with engine.state.lock:
        _, message = lookup.message(engine, thread_id, message_id)
        if metadata is not None:
            message.metadata = metadata
        return body(message)


def delete(engine: Engine, request: Request, thread_id: str, message_id: str) -> dict[str, Any]:
    """DELETE /threads/{thread_id}/messages/{message_id}."""
    with engine.state.lock:
        record, _ = lookup.message(engine, thread_id, message_id)
        record.messages.remove(message_id)
        record.summary = None  # it may tell of this message
        return deleted("thread.message.deleted", message_id)
