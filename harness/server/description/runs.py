"""Runs and the steps of runs."""

from __future__ import annotations

from harness.server.description import shapes
from harness.server.description.records import Operation, Section, include, paging
from harness.server.description.schema import (
    COUNT,
    FLAG,
    TIME,
    a_page_of,
    always,
    choice,
    either,
    gives,
    listed,
    nullable,
    number,
    ref,
    takes,
    text,
    whole,
)
from harness.server.description.threads import MESSAGE_DELTA, THREAD_IN

_INCLUDE = include("step_details.tool_calls[*].file_search.results[*].content")
_STATUS = choice(
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
)
_FIELDS = {
    "model": text(),
    "instructions": text(most=256_000),
    "tools": listed(shapes.TOOL_IN, most=20),
    "metadata": ref("Metadata"),
    "temperature": shapes.option(shapes.TEMPERATURE),
    "top_p": shapes.option(shapes.TOP_P),
    "reasoning_effort": shapes.option(shapes.EFFORT),
    "stream": FLAG,
    "max_prompt_tokens": whole(256),
    "max_completion_tokens": whole(256),
    "truncation_strategy": shapes.TRUNCATION_IN,
    "tool_choice": shapes.TOOL_CHOICE_IN,
    "parallel_tool_calls": FLAG,
    "response_format": shapes.RESPONSE_FORMAT_IN,
}
_ASSISTANT_ID = {"assistant_id": text(least=1)}
_ON_THREAD = takes(
    _ASSISTANT_ID,
    **_FIELDS,
    additional_instructions=text(most=256_000),
    additional_messages=listed(ref("NewMessage")),
)
_WITH_THREAD = takes(_ASSISTANT_ID, **_FIELDS, thread=THREAD_IN, tool_resources=shapes.TOOL_RESOURCES_IN)
_OUTPUTS = takes(
    {"tool_outputs": listed(takes({"tool_call_id": text(least=1)}, output=text()))},
    stream=FLAG,
)

_ACTION = gives(
    {
        "type": always("submit_tool_outputs"),
        "submit_tool_outputs": gives({"tool_calls": listed(shapes.FUNCTION_CALL_OUT, least=1)}),
    }
)
_LAST_ERROR = gives({"code": choice(*shapes.ERROR_CODES), "message": text()})
_RUN = gives(
    {
        "id": text(pattern="^run_"),
        "object": always("thread.run"),
        "created_at": TIME,
        "assistant_id": text(pattern="^asst_"),
        "thread_id": text(pattern="^thread_"),
        "status": _STATUS,
        "started_at": nullable(TIME),
        "expires_at": nullable(TIME),
        "cancelled_at": nullable(TIME),
        "failed_at": nullable(TIME),
        "completed_at": nullable(TIME),
        "required_action": nullable(_ACTION),
        "last_error": nullable(_LAST_ERROR),
        "model": text(least=1),
        "instructions": nullable(text()),
        "tools": listed(shapes.TOOL_OUT),
        "tool_resources": shapes.TOOL_RESOURCES_OUT,
        "metadata": ref("Metadata"),
        "temperature": number(0, 2),
        "top_p": number(0, 1),
        "reasoning_effort": nullable(shapes.EFFORT),
        "max_completion_tokens": nullable(whole(256)),
        "max_prompt_tokens": nullable(whole(256)),
        "truncation_strategy": shapes.TRUNCATION_OUT,
        "incomplete_details": nullable(
            gives({"reason": choice("max_completion_tokens", "max_prompt_tokens")})
        ),
        "usage": nullable(ref("Usage")),
        "response_format": shapes.RESPONSE_FORMAT_OUT,
        "tool_choice": shapes.TOOL_CHOICE_OUT,
        "parallel_tool_calls": FLAG,
    }
)

_RESULT = gives(
    {"file_id": text(), "file_name": text(), "score": number(0, 1), "attributes": {"type": "object"}},
    content=listed(gives({"type": always("text"), "text": text()})),
)
_SEARCHED = gives(
    {
        "ranking_options": gives({"ranker": text(), "score_threshold": number(0, 1)}),
        "results": listed(_RESULT),
    }
)
_CODE_OUTPUT = either(
    gives({"type": always("logs"), "logs": text()}),
    gives({"type": always("image"), "image": gives({"file_id": text()})}),
)
_TOOL_CALL = either(
    gives(
        {
            "id": text(least=1),
            "type": always("function"),
            "function": gives({"name": text(least=1), "arguments": text(), "output": nullable(text())}),
        }
    ),
    gives(
        {
            "id": text(least=1),
            "type": always("code_interpreter"),
            "code_interpreter": gives({"input": text(), "outputs": listed(_CODE_OUTPUT)}),
        }
    ),
    gives({"id": text(least=1), "type": always("file_search"), "file_search": _SEARCHED}),
)
_DETAILS = either(
    gives(
        {"type": always("message_creation"), "message_creation": gives({"message_id": text(pattern="^msg_")})}
    ),
    gives({"type": always("tool_calls"), "tool_calls": listed(_TOOL_CALL)}),
)
_STEP = gives(
    {
        "id": text(pattern="^step_"),
        "object": always("thread.run.step"),
        "created_at": TIME,
        "run_id": text(pattern="^run_"),
        "assistant_id": text(pattern="^asst_"),
        "thread_id": text(pattern="^thread_"),
        "type": choice("message_creation", "tool_calls"),
        "status": choice("in_progress", "cancelled", "failed", "completed", "expired"),
        "cancelled_at": nullable(TIME),
        "completed_at": nullable(TIME),
        "expired_at": nullable(TIME),
        "expires_at": nullable(TIME),
        "failed_at": nullable(TIME),
        "last_error": nullable(
            gives({"code": choice("server_error", "rate_limit_exceeded"), "message": text()})
        ),
        "step_details": _DETAILS,
        "usage": nullable(ref("Usage")),
        "metadata": ref("Metadata"),
    }
)
_CALL_DELTA = {
    "type": "object",
    "properties": {"index": COUNT, "type": choice("function", "code_interpreter", "file_search")},
    "required": ["index", "type"],
}
_STEP_DELTA = gives(
    {
        "id": text(pattern="^step_"),
        "object": always("thread.run.step.delta"),
        "delta": gives(
            {
                "step_details": gives(
                    {"type": always("tool_calls"), "tool_calls": listed(_CALL_DELTA, least=1)}
                )
            }
        ),
    }
)

_RUN_EVENTS = ("created", *_STATUS["enum"])
_STEP_EVENTS = ("created", "in_progress", "completed", "failed", "cancelled", "expired")
_MESSAGE_EVENTS = ("created", "in_progress", "completed", "incomplete")
_EVENTS = {
    **{f"thread.run.{name}": ref("Run") for name in _RUN_EVENTS},
    **{f"thread.run.step.{name}": ref("RunStep") for name in _STEP_EVENTS},
    **{f"thread.message.{name}": ref("Message") for name in _MESSAGE_EVENTS},
    "thread.run.step.delta": _STEP_DELTA,
    "thread.message.delta": MESSAGE_DELTA,
}

_RUNS = "/threads/{thread}/runs"
_ONE = f"{_RUNS}/{{run}}"
_STEPS = f"{_ONE}/steps"

SECTION = Section(
    title="Runs and run steps",
    operations=(
        Operation(
            "POST",
            "/threads/runs",
            "Make a thread and a run on it.",
            gives=ref("Run"),
            body=_WITH_THREAD,
            query=_INCLUDE,
            events={"thread.created": ref("Thread"), **_EVENTS},
        ),
        Operation("GET", _RUNS, "The runs of a thread.", gives=a_page_of(ref("Run")), query=paging()),
        Operation(
            "POST",
            _RUNS,
            "Run an assistant on a thread; refused while another run is active.",
            gives=ref("Run"),
            body=_ON_THREAD,
            query=_INCLUDE,
            events=_EVENTS,
        ),
        Operation("GET", _ONE, "One run.", gives=ref("Run")),
        Operation(
            "POST",
            _ONE,
            "Change the metadata of a run.",
            gives=ref("Run"),
            body=takes(metadata=ref("Metadata")),
            may_be_empty=True,
        ),
        Operation("POST", f"{_ONE}/cancel", "Cancel an active run.", gives=ref("Run")),
        Operation(
            "POST",
            f"{_ONE}/submit_tool_outputs",
            "Answer the function calls that a run waits for, all at once.",
            gives=ref("Run"),
            body=_OUTPUTS,
            events=_EVENTS,
        ),
        Operation(
            "GET",
            _STEPS,
            "The steps of a run.",
            gives=a_page_of(ref("RunStep")),
            query=(*paging(), *_INCLUDE),
        ),
        Operation("GET", f"{_STEPS}/{{step}}", "One step.", gives=ref("RunStep"), query=_INCLUDE),
    ),
    schemas={"Run": _RUN, "RunStep": _STEP, "Usage": shapes.USAGE},
)
