"""/assistants: configured assistants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.server.engine.machine import Engine
from harness.server.resources import lookup, shapes, tool_resources
from harness.server.resources.fields import Fields
from harness.server.wire import Assistant, Request, body, deleted, page, page_query

_FIELDS = (
    "model",
    "name",
    "description",
    "instructions",
    "tools",
    "tool_resources",
    "metadata",
    "temperature",
    "top_p",
    "response_format",
    "reasoning_effort",
)
MOST_TOOLS = 128
MOST_INSTRUCTIONS = 256_000


def create(engine: Engine, request: Request) -> dict[str, Any]:
    """POST /assistants."""
    fields = Fields(request.body, _FIELDS)
    model = fields.required_text("model")
    given = _given(fields)
    resources = tool_resources.read(engine, fields)
    with engine.state.lock:
        assistant = Assistant(
            id=engine.state.ids.new("asst_"), created_at=engine.clock.unix(), **{**given, "model": model}
        )
        assistant.tool_resources = resources.apply(engine, {})
        if any(tool["type"] == "code_interpreter" for tool in assistant.tools):
            assistant.tool_resources.setdefault("code_interpreter", {"file_ids": []})  # recorded
        engine.state.assistants.add(assistant.id, assistant)
        return body(assistant)


def _given(fields: Fields) -> dict[str, Any]:
    """The fields that were given, checked, without tool_resources."""
    readers: dict[str, Callable[[], Any]] = {
        "model": lambda: fields.required_text("model") if "model" in fields else None,
        "name": lambda: fields.text("name", most=256),
        "description": lambda: fields.text("description", most=512),
        "instructions": lambda: fields.text("instructions", most=MOST_INSTRUCTIONS),
        "tools": lambda: shapes.tools(fields, most=MOST_TOOLS),
        "metadata": fields.metadata,
        "temperature": lambda: fields.number("temperature", 0, 2),
        "top_p": lambda: fields.number("top_p", 0, 1),
        "response_format": lambda: shapes.response_format(fields),
        "reasoning_effort": lambda: fields.choice("reasoning_effort", shapes.REASONING_EFFORTS),
    }
    values = {name: reader() for name, reader in readers.items()}
    return {name: value for name, value in values.items() if value is not None}


def list_all(engine: Engine, request: Request) -> dict[str, Any]:
    """GET /assistants."""
    with engine.state.lock:
        rows, more = engine.state.assistants.page(page_query(request.query))
        return page([body(row) for row in rows], more)


def retrieve(engine: Engine, request: Request, assistant_id: str) -> dict[str, Any]:
    """GET /assistants/{assistant_id}."""
    with engine.state.lock:
        return body(lookup.assistant(engine, assistant_id))


def update(engine: Engine, request: Request, assistant_id: str) -> dict[str, Any]:
    """POST /assistants/{assistant_id}: what is not given stays, also the stores when tools change."""
    with engine.state.lock:
        lookup.assistant(engine, assistant_id)
    fields = Fields(request.body, _FIELDS)
    given = _given(fields)
    resources = tool_resources.read(engine, fields)
    with engine.state.lock:
        assistant = lookup.assistant(engine, assistant_id)
        for name, value in given.items():
            setattr(assistant, name, value)
        assistant.tool_resources = resources.apply(engine, assistant.tool_resources)
        return body(assistant)


def delete(engine: Engine, request: Request, assistant_id: str) -> dict[str, Any]:
    """DELETE /assistants/{assistant_id}."""
    with engine.state.lock:
        lookup.assistant(engine, assistant_id)
        engine.state.assistants.remove(assistant_id)
        return deleted("assistant.deleted", assistant_id)
