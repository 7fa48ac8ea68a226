"""What the model is given: the thread's messages and this run's tool outputs, fitted into the limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from harness.cost import tokens
from harness.server.engine.citations import marker
from harness.server.llms.interface import (
    ChatMessage,
    FileInfo,
    ModelError,
    ModelReply,
    ModelRequest,
    SearchHit,
    ToolRequest,
)
from harness.server.state import CallNote, RunRecord, StepRecord, ThreadRecord
from harness.server.wire import Message, Run

# What the chat format adds around every message, and before the answer: as OpenAI counts for its chat models.
_TOKENS_A_MESSAGE = 3
_TOKENS_BEFORE_ANSWER = 3


class PromptLimitReached(Exception):
    """The prompt tokens that the run may use don't hold even the latest message."""


class CompletionLimitReached(Exception):
    """No completion tokens are left for this completion."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to the model and what it costs to read."""

    request: ModelRequest
    prompt_tokens: int


def build(
    thread: ThreadRecord, record: RunRecord, files: Sequence[FileInfo], *, context_tokens: int
) -> Prompt:
    """The next completion's request.

    Raises:
        PromptLimitReached: max_prompt_tokens is used up.
        CompletionLimitReached: max_completion_tokens is used up.
        ModelError: Even the latest message alone is larger than the model's window.
    """
    run = record.run
    left = _left(run.max_completion_tokens, record.completion_tokens)
    if left == 0:
        raise CompletionLimitReached
    history = _history(thread, run)
    rounds = [message for step in record.steps for message in _round(thread, step)]
    fixed = _fixed_tokens(run) + sum(message_tokens(message, run.model) for message in rounds)
    history, read = _fit(history, fixed, record, context_tokens)
    request = ModelRequest(
        model=run.model,
        instructions=run.instructions or "",
        messages=(*history, *rounds),
        tools=tuple(run.tools),
        tool_choice=_tool_choice(record),
        files=files,
        max_completion_tokens=left,
        response_format=run.response_format,
        options=_options(run),
    )
    return Prompt(request, read)


def _left(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(0, limit - used)


def _tool_choice(record: RunRecord) -> Any:
    """A forced tool is forced once; afterwards the model is free, or it would never answer."""
    choice = record.run.tool_choice
    forced = isinstance(choice, dict) or choice == "required"
    return "auto" if forced and record.completions else choice


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
        return ToolRequest(
            call["id"], "function", function["name"], msgspec.json.decode(function["arguments"])
        )
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


def _fit(
    history: list[ChatMessage], fixed: int, record: RunRecord, context_tokens: int
) -> tuple[list[ChatMessage], int]:
    """The messages that fit, and how many tokens the prompt then has.

    The latest message always stays and the first as long as possible: what is dropped lies between them.
    """
    model = record.run.model
    limit = _left(record.run.max_prompt_tokens, record.prompt_tokens)
    room = context_tokens if limit is None else min(limit, context_tokens)
    sizes = [message_tokens(message, model) for message in history]
    read = fixed + sum(sizes)
    while read > room and len(history) > 1:
        position = 1 if len(history) > 2 else 0
        read -= sizes.pop(position)
        history = history[:position] + history[position + 1 :]
    if read <= room:
        return history, read
    if limit is not None and read > limit:
        raise PromptLimitReached
    raise ModelError(
        "invalid_prompt",
        f"The prompt has {read} tokens, more than the context window of {context_tokens} tokens.",
    )


def _fixed_tokens(run: Run) -> int:
    declared = count(msgspec.json.encode(run.tools).decode(), run.model) if run.tools else 0
    instructed = count(run.instructions, run.model) + _TOKENS_A_MESSAGE if run.instructions else 0
    return declared + instructed + _TOKENS_BEFORE_ANSWER


def message_tokens(message: ChatMessage, model: str) -> int:
    """How many prompt tokens one message of the talk is."""
    asked = sum(_request_tokens(request, model) for request in message.tool_requests)
    if message.hits:
        # Chunk by chunk: chunks come back in later searches and are counted only once.
        said = sum(count(hit.text, model) + count(hit.marker, model) for hit in message.hits)
    else:
        said = count(message.content, model)
    return said + asked + _TOKENS_A_MESSAGE


def _request_tokens(request: ToolRequest, model: str) -> int:
    return count(request.name, model) + count(msgspec.json.encode(request.arguments).decode(), model)


def completion_tokens(reply: ModelReply, model: str) -> int:
    """How many tokens the model wrote, as its provider counted or, failing that, as we count."""
    if reply.usage is not None:
        return reply.usage["completion_tokens"]
    return count(reply.content, model) + sum(
        _request_tokens(request, model) for request in reply.tool_requests
    )


@lru_cache(maxsize=4096)
def count(text: str, model: str) -> int:
    """Exact tokens of a text, remembered: instructions, tools and chunks are counted again and again."""
    return tokens.count(text, model) if text else 0


def cut(reply: ModelReply, left: int, model: str) -> ModelReply:
    """The reply as far as the tokens that are left allow; tool calls are lost as a whole."""
    encoding = tokens.encoding(tokens.encoding_name(model))
    kept = encoding.decode(encoding.encode_ordinary(reply.content)[:left]).rstrip("\ufffd")
    return replace(reply, content=kept, tool_requests=())
