"""One completion: what a model is asked, fitted into the limits, and what comes back of it.

Runs, responses and chat completions all ask their models here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from harness.server.engine.counting import TextBudget, completion_tokens, cut, fixed_tokens, message_tokens
from harness.server.engine.machine import Engine
from harness.server.llms.interface import (
    ChatMessage,
    ErrorCode,
    FileInfo,
    ModelError,
    ModelReply,
    ModelRequest,
    Piece,
    TextPiece,
    ToolRequest,
    streams,
)
from harness.server.wire import Fate, total_usage, usage

MOST_COMPLETIONS = 64
"""Whoever asks a model more often than this for one answer is going round in circles."""


class PromptLimitReached(Exception):
    """The prompt tokens that may be used don't hold even the latest message."""


class CompletionLimitReached(Exception):
    """No completion tokens are left for this completion."""


class ContextTooLong(ModelError):
    """The prompt is larger than the model's window."""

    def __init__(self, read: int, room: int) -> None:
        super().__init__(
            "invalid_prompt",
            f"The prompt has {read} tokens, more than the context window of {room} tokens.",
        )


class Ask(msgspec.Struct, frozen=True):
    """What a model is to be asked, before it is fitted into the limits.

    Attributes:
        model: The name that was asked for.
        instructions: The system instructions.
        history: What was said so far, the question last; what does not fit is dropped from its middle.
        rounds: Tool calls and their outputs since the question; never dropped.
        tools: As the Assistants API spells them.
        tool_choice: As the Assistants API spells it.
        files: What code_interpreter can read.
        response_format: As the Assistants API spells it.
        options: temperature, top_p, reasoning_effort and parallel_tool_calls, where given.
        prompt_left: Prompt tokens that may still be read, None without a limit.
        completion_left: Completion tokens that may still be written, None without a limit.
        truncates: Whether messages may be dropped to make the prompt fit.
    """

    model: str
    instructions: str
    history: Sequence[ChatMessage]
    rounds: Sequence[ChatMessage] = ()
    tools: Sequence[dict[str, Any]] = ()
    tool_choice: Any = "auto"
    files: Sequence[FileInfo] = ()
    response_format: Any = "auto"
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    prompt_left: int | None = None
    completion_left: int | None = None
    truncates: bool = True


class Prompt(msgspec.Struct, frozen=True):
    """A request to the model and what it costs to read."""

    request: ModelRequest
    prompt_tokens: int


class Completion(msgspec.Struct, frozen=True):
    """What one asking of the model brought: the reply, its usage, and whether it was cut short."""

    reply: ModelReply
    usage: dict[str, Any]
    was_cut: bool

    def with_more(self, spent: dict[str, Any] | None) -> Completion:
        """The same completion with what else was spent for it."""
        return self if spent is None else replace(self, usage=total_usage([self.usage, spent]))


def left(limit: int | None, used: int) -> int | None:
    """What is left of a limit, None without one."""
    return None if limit is None else max(0, limit - used)


def forced_once(choice: Any, completions: int) -> Any:
    """A forced tool is forced once; afterwards the model is free, or it would never answer."""
    forced = isinstance(choice, dict) or choice == "required"
    return "auto" if forced and completions else choice


def refuse_circles(completions: int) -> None:
    """Stop asking a model that never comes to an answer.

    Raises:
        ModelError: It has been asked too often.
    """
    if completions >= MOST_COMPLETIONS:
        raise ModelError("server_error", f"The model was asked {MOST_COMPLETIONS} times without an end.")


def complete(engine: Engine, ask: Ask) -> Completion:
    """Ask the model once, within the limits.

    Raises:
        PromptLimitReached: No prompt tokens are left.
        CompletionLimitReached: No completion tokens are left.
        ModelError: The prompt does not fit into the window, or the model cannot answer.
    """
    prompt = fit(ask, engine.window(ask.model))
    return _completion(prompt, engine.models.find(ask.model).complete(prompt.request))


def complete_live(engine: Engine, ask: Ask) -> Generator[Piece, None, Completion]:
    """Ask the model once, giving the pieces of its reply as they come, as far as it can be had in pieces.

    What the pieces add up to is the beginning of the reply that comes at the end. Closing it hangs up.

    Raises:
        PromptLimitReached: No prompt tokens are left.
        CompletionLimitReached: No completion tokens are left.
        ModelError: The prompt does not fit into the window, or the model cannot answer, or broke off.
    """
    prompt = fit(ask, engine.window(ask.model))
    model = engine.models.find(ask.model)
    if not streams(model) or _may_replace_text(ask.tool_choice):
        return _completion(prompt, model.complete(prompt.request))
    reply = yield from _limited(model.stream(prompt.request), prompt.request)
    return _completion(prompt, reply)


def _may_replace_text(choice: Any) -> bool:
    """Whether what the model says may have to give way to a search that it was told to make."""
    return isinstance(choice, dict) and choice.get("type") == "file_search"


def _limited(
    pieces: Generator[Piece, None, ModelReply], request: ModelRequest
) -> Generator[Piece, None, ModelReply]:
    """The pieces that the request allows: no calls that it rules out, no words beyond its limit."""
    most_calls = 0 if request.tool_choice == "none" else None
    if request.options.get("parallel_tool_calls") is False:
        most_calls = 0 if most_calls == 0 else 1
    budget = TextBudget(request.max_completion_tokens, request.model)
    with contextlib.closing(pieces):
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                return cast(ModelReply, end.value)
            if isinstance(piece, TextPiece):
                allowed = budget.allow(piece.text)
                if allowed:
                    yield TextPiece(allowed)
                if budget.spent:
                    return ModelReply(budget.text, was_cut=True)
            elif piece is None or most_calls is None or piece.position < most_calls:
                yield piece


def _completion(prompt: Prompt, reply: ModelReply) -> Completion:
    """The reply within the limits of its request, and what it cost."""
    request = prompt.request
    reply = _with_forced_tool(reply, request)
    read, written = prompt.prompt_tokens, completion_tokens(reply, request.model)
    counted = reply.usage or {}
    if reply.usage is not None:
        read = reply.usage["prompt_tokens"]
    limit = request.max_completion_tokens
    was_cut = reply.was_cut
    if limit is not None and written > limit:
        reply, written, was_cut = cut(reply, limit, request.model), limit, True
    spent = usage(read, written, counted.get("cached_tokens", 0), counted.get("reasoning_tokens", 0))
    return Completion(reply, spent, was_cut)


def refuse_doomed(fate: Fate | None) -> None:
    """Stop where a fault on demand wants failure.

    Raises:
        ModelError: It does.
    """
    if fate is not None and fate.status == "failed":
        raise ModelError(cast(ErrorCode, fate.code), "A fault on demand: this was made to fail.")


def halved(completion: Completion, model: str) -> Completion:
    """The completion as if its tokens had run out half way."""
    spent = completion.usage
    written = spent["completion_tokens"] // 2
    details = spent["prompt_token_details"], spent["completion_tokens_details"]
    less = usage(spent["prompt_tokens"], written, details[0]["cached_tokens"], details[1]["reasoning_tokens"])
    return Completion(cut(completion.reply, written, model), less, was_cut=True)


def _with_forced_tool(reply: ModelReply, request: ModelRequest) -> ModelReply:
    """The reply with what tool_choice demands, as far as that can be had without the model."""
    choice = request.tool_choice
    if choice == "none":
        return replace(reply, tool_requests=())
    if request.options.get("parallel_tool_calls") is False:
        reply = replace(reply, tool_requests=reply.tool_requests[:1])
    forced = isinstance(choice, dict) and choice.get("type") == "file_search"
    if forced and not any(asked.kind == "file_search" for asked in reply.tool_requests):
        queries = [last_question(request.messages)]
        search = ToolRequest("", "file_search", "file_search", {"queries": queries})
        return replace(reply, content="", tool_requests=(search,))
    return reply


def last_question(messages: Sequence[ChatMessage]) -> str:
    """What the user said last; empty when nothing."""
    return next((message.content for message in reversed(messages) if message.role == "user"), "")


def fit(ask: Ask, context_tokens: int) -> Prompt:
    """The request to the model.

    Raises:
        PromptLimitReached: No prompt tokens are left.
        CompletionLimitReached: No completion tokens are left.
        ContextTooLong: What may not be dropped is larger than the model's window.
    """
    if ask.completion_left == 0:
        raise CompletionLimitReached
    fixed = fixed_tokens(ask.instructions, ask.tools, ask.model)
    fixed += sum(message_tokens(message, ask.model) for message in ask.rounds)
    history, read = _fitting(ask, fixed, context_tokens)
    request = ModelRequest(
        model=ask.model,
        instructions=ask.instructions,
        messages=(*history, *ask.rounds),
        tools=tuple(ask.tools),
        tool_choice=ask.tool_choice,
        files=ask.files,
        max_completion_tokens=ask.completion_left,
        response_format=ask.response_format,
        options=ask.options,
    )
    return Prompt(request, read)


def _fitting(ask: Ask, fixed: int, context_tokens: int) -> tuple[list[ChatMessage], int]:
    """The messages that fit, and how many tokens the prompt then has.

    The latest message always stays and the first as long as possible: what is dropped lies between them.
    """
    limit, history = ask.prompt_left, list(ask.history)
    room = context_tokens if limit is None else min(limit, context_tokens)
    sizes = [message_tokens(message, ask.model) for message in history]
    read = fixed + sum(sizes)
    while ask.truncates and read > room and len(history) > 1:
        position = 1 if len(history) > 2 else 0
        read -= sizes.pop(position)
        history = history[:position] + history[position + 1 :]
    if read <= room:
        return history, read
    if limit is not None and read > limit:
        raise PromptLimitReached
    raise ContextTooLong(read, context_tokens)
