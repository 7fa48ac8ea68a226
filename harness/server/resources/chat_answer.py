"""Chat completions: what a model has answered, as clients get it."""

from __future__ import annotations

import re
from typing import Any

from harness.server.engine import asking, hosted
from harness.server.engine.asking import Ask, Completion
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError
from harness.server.llms.interface import ModelError, ToolRequest
from harness.server.wire import total_usage

_STATUS = {"invalid_prompt": 400, "rate_limit_exceeded": 429, "server_error": 500}


def completed(engine: Engine, ask: Ask) -> Completion:
    """One completion.

    Raises:
        ApiError: The model cannot answer, or the prompt does not fit into its window.
    """
    try:
        completion = asking.complete(engine, ask)
        check_calls(ask, completion)
    except ModelError as problem:
        raise refusal(problem) from problem
    return completion


def check_calls(ask: Ask, completion: Completion) -> None:
    """Refuse calls of functions that were not offered.

    Raises:
        ModelError: There are some.
    """
    for request in completion.reply.tool_requests:
        hosted.check(ask.tools, request)


def refusal(problem: ModelError) -> ApiError:
    """The error answer for a model that cannot answer."""
    if isinstance(problem, asking.ContextTooLong):
        return ApiError(400, problem.message, param="messages", code="context_length_exceeded")
    status = _STATUS[problem.code]
    kind = "server_error" if status == 500 else "invalid_request_error"
    return ApiError(status, problem.message, code=problem.code, type=kind)


def choice(engine: Engine, ask: Ask, index: int, completion: Completion, stops: list[str]) -> dict[str, Any]:
    """One of the answers that were asked for."""
    reply = completion.reply
    calls = [_call(engine, request) for request in reply.tool_requests]
    content = until(reply.content, stops)
    said = content or (None if calls else "")
    message: dict[str, Any] = {"role": "assistant", "content": said, "refusal": None, "annotations": []}
    if calls:
        message["tool_calls"] = calls
    reason = "length" if completion.was_cut and content == reply.content else "stop"
    if calls and not isinstance(ask.tool_choice, dict):
        reason = "tool_calls"  # a call of the function that was forced ends with stop, as hosted
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": reason,
    }


def _call(engine: Engine, request: ToolRequest) -> dict[str, Any]:
    return {
        "id": request.id or engine.state.ids.new("call_"),
        "type": "function",
        "function": {"name": request.name, "arguments": request.arguments_text},
    }


def until(text: str, stops: list[str]) -> str:
    """The text up to the first of the stop sequences."""
    return re.split("|".join(map(re.escape, stops)), text, maxsplit=1)[0] if stops else text


def total(spent: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Usage as chat completions spell it: ``prompt_tokens_details``, here with its s."""
    added = total_usage(spent)
    return {
        "prompt_tokens": added["prompt_tokens"],
        "completion_tokens": added["completion_tokens"],
        "total_tokens": added["total_tokens"],
        "prompt_tokens_details": added["prompt_token_details"],
        "completion_tokens_details": added["completion_tokens_details"],
    }
