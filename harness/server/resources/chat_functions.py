"""``functions`` and ``function_call``: how chat completions spelt tools first, and many programs still do.

A request in these words is put into those of ``tools``, and its answer is put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.server.errors import bad_request
from harness.server.resources import shapes
from harness.server.resources.fields import Fields, not_supported, wrong_type
from harness.server.resources.retold import retold
from harness.server.wire import Reply

MOST_FUNCTIONS = 128
_CHOICES = ("none", "auto")


def are_used(body: dict[str, Any] | None) -> bool:
    """Whether a request speaks of functions in these words, itself or in its messages."""
    if not body:
        return False
    return any(body.get(name) is not None for name in ("functions", "function_call")) or any(
        isinstance(message, dict)
        and (message.get("role") == "function" or message.get("function_call") is not None)
        for message in _messages(body)
    )


def _messages(body: dict[str, Any]) -> list[Any]:
    messages = body.get("messages")
    return messages if isinstance(messages, list) else []


def as_tools(body: dict[str, Any]) -> dict[str, Any]:
    """The request in the words of ``tools``.

    Raises:
        ApiError: A function, the choice of one, or a message about one is wrong.
    """
    fields = Fields(body, tuple(body))
    if "tools" in fields or "tool_choice" in fields:
        raise bad_request("'functions' and 'tools' exclude each other: give one of them.", "functions")
    functions = [
        shapes.function(each, f"functions[{index}]")
        for index, each in enumerate(fields.items("functions", most=MOST_FUNCTIONS) or ())
    ]
    told = {name: value for name, value in body.items() if name not in ("functions", "function_call")}
    if isinstance(body.get("messages"), list):
        told["messages"] = _told_messages(body["messages"])
    if not functions and "functions" in fields:
        raise bad_request("Invalid 'functions': empty array. Expected at least one function.", "functions")
    if functions:
        told["tools"] = [{"type": "function", "function": each} for each in functions]
        told["tool_choice"] = _choice(fields, [each["name"] for each in functions])
        told["parallel_tool_calls"] = False
    return told


def _choice(fields: Fields, names: list[str]) -> Any:
    value, path = fields.raw("function_call", "auto"), "function_call"
    if isinstance(value, str):
        return fields.choice(path, _CHOICES, "auto")
    if not isinstance(value, dict):
        raise wrong_type(path, "'none', 'auto' or an object", value)
    name = Fields(value, ("name",), path).required_text("name")
    if name not in names:
        raise not_supported(f"{path}.name", name, names)
    return {"type": "function", "function": {"name": name}}


def _told_messages(messages: list[Any]) -> list[Any]:
    """The messages with calls and outputs as tools have them; an output belongs to the call before it."""
    told: list[Any] = []
    waiting: tuple[str, str] | None = None
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if isinstance(message, dict) and message.get("function_call") is not None:
            waiting = (_call_name(message, where), f"call_{index}")
            told.append(_calling(message, waiting[1]))
        elif isinstance(message, dict) and message.get("role") == "function":
            told.append(_output(message, where, waiting))
            waiting = None
        else:
            told.append(message)
    return told


def _call_name(message: dict[str, Any], where: str) -> str:
    path = f"{where}.function_call"
    call = Fields(message["function_call"], ("name", "arguments"), path)
    call.text("arguments")
    return call.required_text("name")


def _calling(message: dict[str, Any], call_id: str) -> dict[str, Any]:
    kept = {name: value for name, value in message.items() if name != "function_call"}
    call = {"id": call_id, "type": "function", "function": message["function_call"]}
    return {**kept, "tool_calls": [call]}


def _output(message: dict[str, Any], where: str, waiting: tuple[str, str] | None) -> dict[str, Any]:
    fields = Fields(message, ("role", "name", "content"), where)
    name = fields.required_text("name")
    if waiting is None or waiting[0] != name:
        raise bad_request(
            f"'{where}' has the role 'function', but the message before it does not call '{name}'.", where
        )
    return {"role": "tool", "tool_call_id": waiting[1], "content": fields.raw("content", "")}


def as_functions(reply: Reply) -> Reply:
    """The answer in these words: of several calls the first, since there can be only one."""
    return retold(reply, _answer, _chunk)


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "choices": [_told_choice(each, "message") for each in body["choices"]]}


def _chunk(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "choices" not in body:  # the error that ends a stream
        yield body
        return
    choices = [_told_choice(each, "delta") for each in body["choices"] if not _is_of_another_call(each)]
    if choices or not body["choices"]:
        yield {**body, "choices": choices}


def _is_of_another_call(choice: dict[str, Any]) -> bool:
    return any(call["index"] > 0 for call in choice["delta"].get("tool_calls", ()))


def _told_choice(choice: dict[str, Any], key: str) -> dict[str, Any]:
    said = dict(choice[key])
    calls = said.pop("tool_calls", None)
    if calls:
        said["function_call"] = calls[0]["function"]
    reason = "function_call" if choice["finish_reason"] == "tool_calls" else choice["finish_reason"]
    return {**choice, key: said, "finish_reason": reason}
