"""What the model is given in a run: the thread's messages and this run's tool outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from harness.server.engine.asking import Ask, forced_once, left
from harness.server.engine.citations import marker
from harness.server.llms.interface import ChatMessage, FileInfo, SearchHit, ToolRequest
from harness.server.state import CallNote, RunRecord, StepRecord, ThreadRecord
from harness.server.wire import Message, Run


def build(thread: ThreadRecord, record: RunRecord, files: Sequence[FileInfo]) -> Ask:
    """What the next completion of a run is asked."""
    run = record.run
    return Ask(
        model=run.model,
        instructions=run.instructions or "",
        history=_history(thread, run),
        rounds=[message for step in record.steps for message in _round(thread, step)],
        tools=run.tools,
        tool_choice=forced_once(run.tool_choice, record.completions),
        files=files,
        response_format=run.response_format,
        options=_options(run),
        prompt_left=left(run.max_prompt_tokens, record.prompt_tokens),
        completion_left=left(run.max_completion_tokens, record.completion_tokens),
    )


def _options(run: Run) -> dict[str, Any]:
    options = {
        "temperature": run.temperature,
        "top_p": run.top_p,
        "reasoning_effort": run.reasoning_effort,
        "parallel_tool_calls": run.parallel_tool_calls,
    }
    return {name: value for name, value in options.items() if value is not None}


def _history(thread: ThreadRecord, run: Run) -> list[ChatMessage]:
    """The thread's messages without this run's own, which come with its rounds."""
    messages = [_chat_message(message) for message in thread.messages if message.run_id != run.id]
    if run.truncation_strategy["type"] == "last_messages":
        return messages[-run.truncation_strategy["last_messages"] :]
    return messages


def _chat_message(message: Message) -> ChatMessage:
    return ChatMessage("user" if message.role == "user" else "assistant", text_of(message.content))


def text_of(content: Iterable[dict[str, Any]]) -> str:
    """The content parts of a message as one text; an image is named."""
    parts = []
    for part in content:
        if part["type"] == "text":
            parts.append(part["text"]["value"])
        elif part["type"] == "image_file":
            parts.append(f"[image {part['image_file']['file_id']}]")
        elif part["type"] == "image_url":
            parts.append(f"[image {part['image_url']['url']}]")
    return "\n".join(parts)


def _round(thread: ThreadRecord, step: StepRecord) -> list[ChatMessage]:
    """What a step of this run adds to the talk: a message, or tool calls and their outputs."""
    if step.step.type == "message_creation":
        identifier = step.step.step_details["message_creation"]["message_id"]
        message = thread.messages.get(identifier)
        return [] if message is None else [_chat_message(message)]
    requests = tuple(_tool_request(call, step.notes.get(call["id"])) for call in step.calls)
    outputs = [_tool_output(call, step.notes.get(call["id"])) for call in step.calls]
    return [ChatMessage("assistant", "", tool_requests=requests), *outputs]


def _tool_request(call: dict[str, Any], note: CallNote | None) -> ToolRequest:
    if call["type"] == "function":
        function = call["function"]
        written = function["arguments"]
        arguments = msgspec.json.decode(written)
        return ToolRequest(call["id"], "function", function["name"], arguments, written)
    if call["type"] == "file_search":
        queries = list(note.queries) if note else []
        return ToolRequest(call["id"], "file_search", "file_search", {"queries": queries})
    source = {"input": call["code_interpreter"]["input"]}
    return ToolRequest(call["id"], "code_interpreter", "code_interpreter", source)


def _tool_output(call: dict[str, Any], note: CallNote | None) -> ChatMessage:
    if call["type"] == "function":
        return ChatMessage("tool", call["function"]["output"] or "", answers=call["id"])
    if call["type"] == "file_search":
        hits = hits_of(call, note)
        content = "\n\n".join(f"{hit.marker}\n{hit.text}" for hit in hits)
        return ChatMessage("tool", content, answers=call["id"], hits=hits)
    outputs = call["code_interpreter"]["outputs"]
    logs = "\n".join(output["logs"] for output in outputs if output["type"] == "logs")
    return ChatMessage("tool", logs, answers=call["id"], files=note.made if note else ())


def hits_of(call: dict[str, Any], note: CallNote | None) -> tuple[SearchHit, ...]:
    """The results of a search with the markers that cite them."""
    number = note.number if note else 0
    return tuple(
        SearchHit(
            file_id=result["file_id"],
            filename=result["file_name"],
            score=result["score"],
            text=result["content"][0]["text"],
            marker=marker(number, index, result["file_name"]),
            page=result["attributes"].get("page"),
        )
        for index, result in enumerate(call["file_search"]["results"])
    )


def hits_of_run(record: RunRecord) -> list[SearchHit]:
    """Everything file_search found in this run."""
    return [
        hit
        for step in record.steps
        for call in step.calls
        if call["type"] == "file_search"
        for hit in hits_of(call, step.notes.get(call["id"]))
    ]


def search_number(thread: ThreadRecord) -> int:
    """The number of the next search: its place, from 1, in the whole talk of the thread.

    The instructions count as one, every message as one, every round of tool calls as two (request and
    outputs): the first search of a thread is number 4 and that of the next question 8, as recorded.
    """
    rounds = sum(1 for run in thread.runs for step in run.steps if step.step.type == "tool_calls")
    return 1 + len(thread.messages) + 2 * rounds
