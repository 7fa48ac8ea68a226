"""/threads/{thread_id}/runs: executions of an assistant on a thread."""

from __future__ import annotations

from typing import Any

from harness.server.engine import driving, states
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError, bad_request
from harness.server.resources import assistants, lookup, messages, shapes, threads, tool_resources
from harness.server.resources.fields import Fields, not_supported
from harness.server.state import RunRecord, ThreadRecord
from harness.server.wire import (
    INCLUDE_CONTENT,
    POLL_SOON,
    Assistant,
    Event,
    Reply,
    Request,
    Run,
    body,
    fresh,
    listed,
    page,
    page_query,
)

MOST_TOOLS = 20
_RUN_FIELDS = (
    "assistant_id",
    "model",
    "instructions",
    "tools",
    "metadata",
    "temperature",
    "top_p",
    "reasoning_effort",
    "stream",
    "max_prompt_tokens",
    "max_completion_tokens",
    "truncation_strategy",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
)
_ON_THREAD = (*_RUN_FIELDS, "additional_instructions", "additional_messages")
_WITH_THREAD = (*_RUN_FIELDS, "thread", "tool_resources")
_LEAST_TOKENS = 256


def includes_content(request: Request) -> bool:
    """Whether the request asks for the content of search results.

    Raises:
        ApiError: It asks for something that does not exist.
    """
    wanted = listed(request.query, "include")
    for name in wanted:
        if name != INCLUDE_CONTENT:
            raise not_supported("include", name, (INCLUDE_CONTENT,))
    return bool(wanted)


def create(engine: Engine, request: Request, thread_id: str) -> Reply:
    """POST /threads/{thread_id}/runs."""
    fields = Fields(request.body, _ON_THREAD)
    with_content = includes_content(request)
    with engine.state.lock:
        thread = lookup.thread(engine, thread_id)
        assistant = lookup.assistant(engine, fields.required_text("assistant_id"))
        run = _new_run(engine, fields, assistant, thread_id)
        added = messages.drafts(engine, fields, "additional_messages")
        _refuse_when_locked(thread)
        attached = [one for each in added for one in each.attachments]
        tool_resources.check_room(thread.thread.tool_resources, attached)
        for each in added:
            messages.put(engine, thread, each)
        made = RunRecord(run, with_content=with_content, fate=request.fate)
        made.resources = fresh(assistant.tool_resources)
        record = thread.runs.add(run.id, made)
        opening = _opening(record)
    return _answer(engine, request, thread, record, fields, opening)


def create_with_thread(engine: Engine, request: Request) -> Reply:
    """POST /threads/runs: a thread and a run on it."""
    fields = Fields(request.body, _WITH_THREAD)
    with_content = includes_content(request)
    with engine.state.lock:
        assistant = lookup.assistant(engine, fields.required_text("assistant_id"))
        run = _new_run(engine, fields, assistant, "")
        own = tool_resources.read(engine, fields)
        thread = threads.make(engine, fields.mapping("thread"), "thread")
        run.thread_id = thread.thread.id
        run.tool_resources = own.apply(engine, {})
        made = RunRecord(run, with_content=with_content, fate=request.fate)
        made.resources = fresh(run.tool_resources or assistant.tool_resources)
        record = thread.runs.add(run.id, made)
        opening = [("thread.created", body(thread.thread)), *_opening(record)]
    return _answer(engine, request, thread, record, fields, opening)


def _refuse_when_locked(thread: ThreadRecord) -> None:
    active = thread.active_run
    if active is not None:
        raise bad_request(f"Thread {thread.thread.id} already has an active run {active.run.id}.")


def _opening(record: RunRecord) -> list[Event]:
    return [states.run_event(record, "created"), states.run_event(record, "queued")]


def _answer(
    engine: Engine,
    request: Request,
    thread: ThreadRecord,
    record: RunRecord,
    fields: Fields,
    opening: list[Event],
) -> Reply:
    """The run as queued, executed in the background; or its events, if a stream was asked for."""
    if fields.flag("stream", False):
        at_once = driving.comes_at_once(engine, record)
        # Of a run that takes its time the pieces are made in any case: where it is stopped, they are kept.
        events = driving.stream(engine, thread, record, opening, deltas=request.deltas or not at_once)
        return Reply(200, events=events, at_once=at_once)
    queued = body(record.run)
    driving.execute(engine, thread, record)
    return Reply(200, queued, headers=POLL_SOON)


def _new_run(engine: Engine, fields: Fields, assistant: Assistant, thread_id: str) -> Run:
    """A queued run: the assistant's options, replaced by those of the request."""
    now = engine.clock.unix()
    tools = shapes.tools(fields, most=MOST_TOOLS)
    tools = fresh(assistant.tools) if tools is None else tools
    fields.flag("stream", False)
    return Run(
        id=engine.state.ids.new("run_"),
        created_at=now,
        assistant_id=assistant.id,
        thread_id=thread_id,
        expires_at=now + states.RUN_S,
        model=fields.text("model") or assistant.model,
        instructions=_instructions(fields, assistant),
        tools=tools,
        metadata=fields.metadata() or {},
        temperature=_first(fields.number("temperature", 0, 2), assistant.temperature),
        top_p=_first(fields.number("top_p", 0, 1), assistant.top_p),
        reasoning_effort=fields.choice(
            "reasoning_effort", shapes.REASONING_EFFORTS, assistant.reasoning_effort
        ),
        max_completion_tokens=fields.integer("max_completion_tokens", _LEAST_TOKENS),
        max_prompt_tokens=fields.integer("max_prompt_tokens", _LEAST_TOKENS),
        truncation_strategy=shapes.truncation_strategy(fields),
        response_format=_first(shapes.response_format(fields), fresh(assistant.response_format)),
        tool_choice=shapes.tool_choice(fields, tools),
        parallel_tool_calls=fields.flag("parallel_tool_calls", True),
    )


def _first(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given


def _instructions(fields: Fields, assistant: Assistant) -> str | None:
    most = assistants.MOST_INSTRUCTIONS
    own = _first(fields.text("instructions", most=most), assistant.instructions)
    more = fields.text("additional_instructions", most=most)
    return "\n\n".join(part for part in (own, more) if part) or None


def list_all(engine: Engine, request: Request, thread_id: str) -> dict[str, Any]:
    """GET /threads/{thread_id}/runs."""
    query = page_query(request.query)
    with engine.state.lock:
        rows, more = lookup.thread(engine, thread_id).runs.page(query)
        return page([body(row.run) for row in rows], more)


def retrieve(engine: Engine, request: Request, thread_id: str, run_id: str) -> Reply:
    """GET /threads/{thread_id}/runs/{run_id}."""
    with engine.state.lock:
        _, record = lookup.run(engine, thread_id, run_id)
        return Reply(200, body(record.run), headers=POLL_SOON)


def update(engine: Engine, request: Request, thread_id: str, run_id: str) -> dict[str, Any]:
    """POST /threads/{thread_id}/runs/{run_id}: its metadata."""
    metadata = Fields(request.body, ("metadata",)).metadata()
    with engine.state.lock:
        _, record = lookup.run(engine, thread_id, run_id)
        if metadata is not None:
            record.run.metadata = metadata
        return body(record.run)


def cancel(engine: Engine, request: Request, thread_id: str, run_id: str) -> Reply:
    """POST /threads/{thread_id}/runs/{run_id}/cancel.

    What nobody works on (queued, waiting for outputs) is cancelled at once, though the answer still says
    ``cancelling``; a run in progress ends at its next step.
    """
    with engine.state.lock:
        thread, record = lookup.run(engine, thread_id, run_id)
        status = record.run.status
        if not record.active:
            raise bad_request(f"Cannot cancel run with status '{status}'.")
        if status != "cancelling":
            states.move(record, "cancelling")
            record.run.required_action = None
        answer = body(record.run)
        if status in ("queued", "requires_action"):
            states.end(thread, record, "cancelled", engine.clock.unix())
        engine.state.changed.notify_all()
        return Reply(200, answer, headers=POLL_SOON)


def submit_tool_outputs(engine: Engine, request: Request, thread_id: str, run_id: str) -> Reply:
    """POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs: all outputs at once."""
    fields = Fields(request.body, ("tool_outputs", "stream"))
    fields.flag("stream", False)
    fields.require("tool_outputs")
    outputs = [
        _output(each, f"tool_outputs[{i}]") for i, each in enumerate(fields.items("tool_outputs") or ())
    ]
    with engine.state.lock:
        thread, record = lookup.run(engine, thread_id, run_id)
        if record.run.status != "requires_action":
            raise bad_request(f'Runs in status "{record.run.status}" do not accept tool outputs.')
        _check_outputs(record, [call_id for call_id, _ in outputs])
        opening = states.take_outputs(record, dict(outputs), engine.clock.unix())
    return _answer(engine, request, thread, record, fields, opening)


def _output(given: Any, where: str) -> tuple[str, str]:
    fields = Fields(given, ("tool_call_id", "output"), where)
    return fields.required_text("tool_call_id"), fields.text("output") or ""


def _check_outputs(record: RunRecord, got: list[str]) -> None:
    action = record.run.required_action or {}
    expected = [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]]
    if sorted(got) != sorted(expected):
        raise ApiError(400, f"Expected tool outputs for call_ids {expected}, got {got}", param="tool_outputs")
