"""/responses: answers to items, which go on from a conversation or from the previous response."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from harness.server.engine import asking
from harness.server.engine.driving import ResponseEvents, RunEvents, later
from harness.server.engine.items import item_body
from harness.server.engine.machine import Engine
from harness.server.engine.responding import follow, next_ask, respond
from harness.server.engine.response_job import ResponseJob, response_body
from harness.server.errors import ApiError, bad_request
from harness.server.llms.interface import ModelError
from harness.server.resources import flat_shapes, items, lookup, shapes
from harness.server.resources.fields import Fields, not_supported, wrong_type
from harness.server.state import ConversationRecord, ItemRecord, ResponseRecord, Summary
from harness.server.table import Table
from harness.server.wire import (
    POLL_SOON,
    RESPONSE_FRAMING,
    Event,
    Reply,
    Request,
    Response,
    deleted,
    page,
    page_query,
    single,
)

MOST_INSTRUCTIONS = 256_000
_COUNTED = (
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
)
_FIELDS = (
    *_COUNTED,
    "background",
    "include",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "top_logprobs",
    "top_p",
    "user",
)
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
_LEAST_TOKENS = 16
_UNNAMED = "gpt-5"
"""Whose tokens are counted when no model is named."""


def create(engine: Engine, request: Request) -> Reply:
    """POST /responses: the finished response, its events, or, in the background, the queued response."""
    fields = Fields(request.body, _FIELDS)
    streams = fields.flag("stream", False)
    with engine.state.lock:
        record = _new(engine, fields, fields.required_text("model"))
        record.fate = request.fate
    _refuse_too_long(engine, record)
    with engine.state.lock:
        items.remember(engine, list(record.given))
        if record.response.store:
            engine.state.responses.add(record.response.id, record)
        queued = response_body(record)
    events = respond(ResponseJob(engine, record, streaming=streams or record.response.background))
    if streams:
        waited_for = RunEvents if record.response.background else partial(ResponseEvents, record=record)
        return Reply(200, events=waited_for(engine, events=events), framing=RESPONSE_FRAMING)
    if record.response.background:
        later(engine, events)
        return Reply(200, queued, headers=POLL_SOON)
    return Reply(200, _finished(engine, record, events))


def _finished(engine: Engine, record: ResponseRecord, events: Iterator[Event]) -> dict[str, Any]:
    for _ in events:
        pass
    with engine.state.lock:
        return response_body(record)


def _refuse_too_long(engine: Engine, record: ResponseRecord) -> None:
    """Refuse what cannot be asked, before anything is made.

    Raises:
        ApiError: The prompt does not fit into the window, or a file in it cannot be read.
    """
    try:
        asking.fit(next_ask(engine, record), engine.window(record.response.model))
    except asking.ContextTooLong as problem:
        raise ApiError(400, problem.message, param="input", code="context_length_exceeded") from problem
    except ModelError as problem:
        raise ApiError(400, problem.message, param="input", code=problem.code) from problem


def _new(engine: Engine, fields: Fields, model: str) -> ResponseRecord:
    """A queued response; call with the lock held.

    Raises:
        ApiError: A field is wrong, or names something that does not exist.
    """
    echoed, internal = flat_shapes.tools(engine, fields)
    choice, told_choice, internal = flat_shapes.allowed_tools(fields, internal)
    text, response_format = flat_shapes.text_format(fields)
    conversation, context = _context(engine, fields)
    given = _input(engine, fields, context)
    response = _response(engine, fields, model)
    response.tools, response.tool_choice, response.text = echoed, choice, text
    if conversation is not None:
        response.conversation = {"id": conversation.conversation.id}
    return ResponseRecord(
        response=response,
        context=_table(context),
        given=_table(given),
        tools=internal,
        tool_choice=told_choice,
        response_format=response_format,
        include=items.includes(fields.items("include") or ()),
        summary=_summary(engine, response.previous_response_id),
    )


def _table(records: Sequence[ItemRecord]) -> Table[ItemRecord]:
    rows: Table[ItemRecord] = Table()
    for each in records:
        rows.add(each.id, each)
    return rows


def _response(engine: Engine, fields: Fields, model: str) -> Response:
    background, store = fields.flag("background", False), fields.flag("store", True)
    if background and not store:
        raise bad_request(
            "'background' needs 'store' to be true: there would be nothing to poll.", "background"
        )
    Fields(fields.raw("stream_options"), ("include_obfuscation",), "stream_options")
    temperature, top_p = fields.number("temperature", 0, 2), fields.number("top_p", 0, 1)
    return Response(
        id=engine.state.ids.new("resp_"),
        created_at=engine.clock.unix(),
        status="queued" if background else "in_progress",
        background=background,
        instructions=fields.text("instructions", most=MOST_INSTRUCTIONS),
        max_output_tokens=fields.integer("max_output_tokens", _LEAST_TOKENS),
        max_tool_calls=fields.integer("max_tool_calls", 1),
        model=model,
        parallel_tool_calls=fields.flag("parallel_tool_calls", True),
        previous_response_id=fields.text("previous_response_id"),
        prompt_cache_key=fields.text("prompt_cache_key"),
        reasoning=_reasoning(fields),
        safety_identifier=fields.text("safety_identifier"),
        service_tier=fields.choice("service_tier", _TIERS, "auto") or "auto",
        store=store,
        temperature=1.0 if temperature is None else temperature,
        top_logprobs=fields.integer("top_logprobs", 0, 20) or 0,
        top_p=1.0 if top_p is None else top_p,
        truncation=fields.choice("truncation", ("auto", "disabled"), "disabled") or "disabled",
        user=fields.text("user"),
        metadata=fields.metadata() or {},
    )


def _reasoning(fields: Fields) -> dict[str, Any]:
    known = ("effort", "summary", "generate_summary")
    given = Fields(fields.raw("reasoning"), known, fields.path("reasoning"))
    effort = given.choice("effort", shapes.REASONING_EFFORTS)
    return {"effort": effort, "summary": given.choice("summary", ("auto", "concise", "detailed"))}


def _context(engine: Engine, fields: Fields) -> tuple[ConversationRecord | None, Sequence[ItemRecord]]:
    """The conversation, if there is one, and the items that came before."""
    previous = fields.text("previous_response_id")
    wanted = fields.raw("conversation")
    if wanted is None:
        return None, _before(engine, previous) if previous else ()
    if previous:
        raise ApiError(
            400,
            "'conversation' and 'previous_response_id' exclude each other: give one of them.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    if isinstance(wanted, dict):
        wanted = Fields(wanted, ("id",), fields.path("conversation")).required_text("id")
    elif not isinstance(wanted, str):
        raise wrong_type(fields.path("conversation"), "a string or an object", wanted)
    record = lookup.conversation(engine, wanted)
    return record, list(record.items)


def _summary(engine: Engine, previous: str | None) -> Summary | None:
    """What the previous response remembered of the talk."""
    record = engine.state.responses.get(previous) if previous else None
    return record.summary if record else None


def _before(engine: Engine, response_id: str) -> list[ItemRecord]:
    record = engine.state.responses.get(response_id)
    if record is None:
        raise ApiError(
            400,
            f"Previous response with id '{response_id}' not found.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    if record.active:
        raise bad_request(
            f"Response '{response_id}' is still {record.response.status}; go on from it when it has ended.",
            "previous_response_id",
        )
    return record.items()


def _input(engine: Engine, fields: Fields, context: Sequence[ItemRecord]) -> list[ItemRecord]:
    value, path = fields.raw("input"), fields.path("input")
    if isinstance(value, str):
        given = [items.message(engine, value)]
    elif isinstance(value, list):
        given = items.read_all(engine, value, path)
    elif value is None:
        given = []
    else:
        raise wrong_type(path, "a string or an array", value)
    if not given and not context:
        fields.require("input")
        raise bad_request(f"Invalid '{path}': there is nothing to answer.", path)
    items.refuse_duplicates(given, context, path)
    _refuse_loose_ends([*context, *given])
    return given


def _refuse_loose_ends(talk: Sequence[ItemRecord]) -> None:
    """Every function call must be answered before the model goes on, and every answer have its call."""
    called = [each.item["call_id"] for each in talk if each.item["type"] == "function_call"]
    answered = [each.item["call_id"] for each in talk if each.item["type"] == "function_call_output"]
    for call_id in answered:
        if call_id not in called:
            message = f"No tool call found for function call output with call_id {call_id}."
            raise bad_request(message, "input")
    for call_id in called:
        if call_id not in answered:
            raise bad_request(f"No tool output found for function call {call_id}.", "input")


def retrieve(engine: Engine, request: Request, response_id: str) -> Reply:
    """GET /responses/{response_id}; with ``stream=true`` the events of one in the background, again."""
    include, streams, position = items.query_includes(request), _streams(request), _position(request)
    with engine.state.lock:
        record = lookup.response(engine, response_id)
        if streams:
            return _again(engine, record, position)
        return Reply(200, response_body(record, include), headers=POLL_SOON)


def _streams(request: Request) -> bool:
    text = single(request.query, "stream") or "false"
    if text not in ("true", "false"):
        raise not_supported("stream", text, ("true", "false"))
    return text == "true"


def _position(request: Request) -> int:
    """From which event on a stream is asked for."""
    text = single(request.query, "starting_after")
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise bad_request(f"Invalid 'starting_after': expected a number, got {text!r}.", "starting_after")
    return int(text) + 1


def _again(engine: Engine, record: ResponseRecord, position: int) -> Reply:
    if not record.response.background:
        raise bad_request("Only responses in the background can be streamed again.", "stream")
    return Reply(200, events=follow(engine, record, position), framing=RESPONSE_FRAMING)


def delete(engine: Engine, request: Request, response_id: str) -> dict[str, Any]:
    """DELETE /responses/{response_id}; one that is being worked on stops."""
    with engine.state.lock:
        record = lookup.response(engine, response_id)
        if record.active:
            record.response.status = "cancelled"
        engine.state.responses.remove(response_id)
        engine.state.changed.notify_all()
    return deleted("response", response_id)


def cancel(engine: Engine, request: Request, response_id: str) -> dict[str, Any]:
    """POST /responses/{response_id}/cancel: of one in the background; an ended one stays as it is."""
    with engine.state.lock:
        record = lookup.response(engine, response_id)
        if not record.response.background:
            raise bad_request("Cannot cancel a synchronous response.")
        if record.active:
            record.response.status = "cancelled"
            record.close_open_items()
            engine.state.changed.notify_all()
        return response_body(record)


def input_items(engine: Engine, request: Request, response_id: str) -> dict[str, Any]:
    """GET /responses/{response_id}/input_items."""
    query, include = page_query(request.query), items.query_includes(request)
    with engine.state.lock:
        rows, more = lookup.response(engine, response_id).given.page(query)
        return page([item_body(row, include) for row in rows], more)


def input_tokens(engine: Engine, request: Request) -> dict[str, Any]:
    """POST /responses/input_tokens: what a request would cost to read; nothing is asked or kept."""
    fields = Fields(request.body, _COUNTED)
    with engine.state.lock:
        record = _new(engine, fields, fields.text("model") or _UNNAMED)
    try:
        prompt = asking.fit(replace(next_ask(engine, record), truncates=False), sys.maxsize)
    except ModelError as problem:
        raise ApiError(400, problem.message, param="input", code=problem.code) from problem
    return {"object": "response.input_tokens", "input_tokens": prompt.prompt_tokens}
