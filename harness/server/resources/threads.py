"""/threads: conversations. There is no list of them, as on the hosted API."""

from __future__ import annotations

from typing import Any

from harness.server.engine import states
from harness.server.engine.machine import Engine
from harness.server.resources import lookup, messages, tool_resources
from harness.server.resources.fields import Fields
from harness.server.state import ThreadRecord
from harness.server.wire import Request, Thread, body, deleted


def make(engine: Engine, given: Any, where: str = "") -> ThreadRecord:
    """Make a thread with its first messages; nothing is made when a part of it is wrong.

    Raises:
        ApiError: A field is wrong, or a file or store does not exist.
    """
    fields = Fields(given, ("messages", "tool_resources", "metadata"), where)
    with engine.state.lock:
        wanted = messages.drafts(engine, fields, "messages")
        resources = tool_resources.read(engine, fields, of_thread=True)
        metadata = fields.metadata() or {}
        _check_room(resources, wanted)
        thread = Thread(id=engine.state.ids.new("thread_"), created_at=engine.clock.unix(), metadata=metadata)
        thread.tool_resources = resources.apply(engine, {})
        record = engine.state.threads.add(thread.id, ThreadRecord(thread))
        for each in wanted:
            messages.put(engine, record, each)
        return record


def _check_room(resources: tool_resources.ToolResources, wanted: list[messages.Draft]) -> None:
    present = {"code_interpreter": {"file_ids": resources.code_files or []}}
    tool_resources.check_room(present, [one for each in wanted for one in each.attachments])


def create(engine: Engine, request: Request) -> dict[str, Any]:
    """POST /threads; an empty body is legal."""
    return body(make(engine, request.body).thread)


def retrieve(engine: Engine, request: Request, thread_id: str) -> dict[str, Any]:
    """GET /threads/{thread_id}."""
    with engine.state.lock:
        return body(lookup.thread(engine, thread_id).thread)


def update(engine: Engine, request: Request, thread_id: str) -> dict[str, Any]:
    """POST /threads/{thread_id}: metadata and tool_resources."""
    with engine.state.lock:
        record = lookup.thread(engine, thread_id)
        fields = Fields(request.body, ("metadata", "tool_resources"))
        metadata = fields.metadata()
        resources = tool_resources.read(engine, fields, of_thread=True)
        if metadata is not None:
            record.thread.metadata = metadata
        record.thread.tool_resources = resources.apply(engine, record.thread.tool_resources)
        return body(record.thread)


def delete(engine: Engine, request: Request, thread_id: str) -> dict[str, Any]:
    """DELETE /threads/{thread_id}, also while a run is active: the run is cancelled."""
    with engine.state.lock:
        record = lookup.thread(engine, thread_id)
        active = record.active_run
        if active is not None:
            if active.run.status != "cancelling":
                states.move(active, "cancelling")
            states.end(record, active, "cancelled", engine.clock.unix())
        engine.state.threads.remove(thread_id)
    engine.workshop.leave(thread_id)
    return deleted("thread.deleted", thread_id)
