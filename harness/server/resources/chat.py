"""/chat/completions: one completion of the same models, with nothing kept."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from harness.server.engine.asking import Ask
from harness.server.engine.machine import Engine
from harness.server.errors import bad_request
from harness.server.llms.interface import ChatMessage, ToolRequest
from harness.server.resources import chat_answer, chat_functions, shapes
from harness.server.resources.chat_events import ChatEvents
from harness.server.resources.fields import Fields, not_supported, wrong_type
from harness.server.resources.items import check_arguments
from harness.server.wire import CHAT_FRAMING, Reply, Request

MOST_TOOLS = 128
MOST_CHOICES = 128
_FIELDS = (
    "messages",
    "model",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "modalities",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
)
_ROLES = ("system", "developer", "user", "assistant", "tool")


def create(engine: Engine, request: Request) -> Reply:
    """POST /chat/completions: a completion, or its chunks."""
    if chat_functions.are_used(request.body):
        asked = replace(request, body=chat_functions.as_tools(request.body or {}))
        return chat_functions.as_functions(create(engine, asked))
    fields = Fields(request.body, _FIELDS)
    streams, count = fields.flag("stream", False), fields.integer("n", 1, MOST_CHOICES) or 1
    options = Fields(fields.raw("stream_options"), ("include_usage", "include_obfuscation"), "stream_options")
    if "stream_options" in fields and not streams:
        raise bad_request("'stream_options' is only allowed when 'stream' is true.", "stream_options")
    with_usage = options.flag("include_usage", False)
    _refuse_what_no_model_gives(fields)
    ask, stops = _ask(fields), _stops(fields)
    head = {
        "id": engine.state.ids.new("chatcmpl-"),
        "object": "chat.completion.chunk" if streams else "chat.completion",
        "created": engine.clock.unix(),
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": None,
    }
    if streams:
        events = ChatEvents(engine, ask, stops, head, count, with_usage=with_usage)
        return Reply(200, events=events, framing=CHAT_FRAMING)
    completions = [chat_answer.completed(engine, ask) for _ in range(count)]
    choices = [chat_answer.choice(engine, ask, i, each, stops) for i, each in enumerate(completions)]
    spent = chat_answer.total([each.usage for each in completions])
    return Reply(200, {**head, "choices": choices, "usage": spent})


def _refuse_what_no_model_gives(fields: Fields) -> None:
    """Refuse to leave out in silence what a program will look for in the answer.

    Raises:
        ApiError: Log probabilities or sound are asked for.
    """
    if fields.flag("logprobs", False):
        raise bad_request("'logprobs' is not supported: the models here tell no probabilities.", "logprobs")
    if fields.integer("top_logprobs", 0, 20):
        raise bad_request("'top_logprobs' is only allowed when 'logprobs' is true.", "top_logprobs")
    for index, kind in enumerate(fields.ids("modalities") or ()):
        if kind != "text":
            raise not_supported(f"modalities[{index}]", kind, ("text",))


# the question


def _ask(fields: Fields) -> Ask:
    instructions, talk = _talk(fields)
    tools = shapes.tools(fields, most=MOST_TOOLS) or []
    for index, tool in enumerate(tools):
        if tool["type"] != "function":
            raise not_supported(f"tools[{index}].type", tool["type"], ("function",))
    choice, tools = _choice_of_tools(fields, tools)
    options = {
        "temperature": fields.number("temperature", 0, 2),
        "top_p": fields.number("top_p", 0, 1),
        "reasoning_effort": fields.choice("reasoning_effort", shapes.REASONING_EFFORTS),
        "parallel_tool_calls": fields.flag("parallel_tool_calls", True) if tools else None,
    }
    last = max((index for index, said in enumerate(talk) if said.role == "user"), default=-1) + 1
    return Ask(
        model=fields.required_text("model"),
        instructions=instructions,
        history=talk[:last],
        rounds=talk[last:],
        tools=tools,
        tool_choice=choice,
        response_format=shapes.response_format(fields) or {"type": "text"},
        options={name: value for name, value in options.items() if value is not None},
        completion_left=fields.integer("max_completion_tokens", 1) or fields.integer("max_tokens", 1),
        truncates=False,
    )


def _choice_of_tools(fields: Fields, tools: list[dict[str, Any]]) -> tuple[Any, list[dict[str, Any]]]:
    """What the model must do with its tools, and those of them that it may use."""
    value = fields.raw("tool_choice")
    if not isinstance(value, dict) or value.get("type") != "allowed_tools":
        choice = shapes.tool_choice(fields, tools)  # read, and refused, also where there are no tools
        return choice if tools else "none", tools
    path = fields.path("tool_choice")
    where = f"{path}.allowed_tools"
    named = Fields(value, ("type", "allowed_tools"), path).require("allowed_tools")
    given = Fields(named, ("mode", "tools"), where)
    given.require("tools")
    wanted = [
        shapes.tool_choice(Fields({"tool_choice": each}, ("tool_choice",), f"{where}.tools[{index}]"), tools)
        for index, each in enumerate(given.items("tools") or ())
    ]
    names = [each["function"]["name"] for each in wanted if isinstance(each, dict)]
    allowed = [tool for tool in tools if tool["function"]["name"] in names]
    return given.choice("mode", ("auto", "required"), "auto"), allowed


def _talk(fields: Fields) -> tuple[str, list[ChatMessage]]:
    """What system and developer messages say, and the other messages."""
    fields.require("messages")
    given = fields.items("messages") or []
    if not given:
        raise bad_request("Invalid 'messages': empty array. Expected at least one message.", "messages")
    told: list[str] = []
    talk: list[ChatMessage] = []
    for index, each in enumerate(given):
        role, message = _message(each, f"messages[{index}]")
        if role in ("system", "developer"):
            told.append(message.content)
        else:
            talk.append(message)
    _refuse_loose_ends(talk)
    return "\n\n".join(text for text in told if text), talk


def _message(given: Any, where: str) -> tuple[str, ChatMessage]:
    known = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "annotations", "audio")
    fields = Fields(given, (*known, "function_call"), where)
    fields.require("role")
    role = fields.choice("role", _ROLES) or "user"
    calls = _tool_calls(fields) if role == "assistant" else ()
    text = fields.text("refusal") or "" if calls or "refusal" in fields else None
    content = _content(fields, text)
    if role == "tool":
        return role, ChatMessage("tool", content, answers=fields.required_text("tool_call_id"))
    if role == "assistant":
        return role, ChatMessage("assistant", content, tool_requests=calls)
    return role, ChatMessage("user", content)


def _content(fields: Fields, otherwise: str | None) -> str:
    """The text of a message; images and files in it are named."""
    path = fields.path("content")
    value = fields.require("content") if otherwise is None else fields.raw("content", otherwise)
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise wrong_type(path, "a string or an array", value)
    return "\n".join(_part(part, f"{path}[{index}]") for index, part in enumerate(value))


def _part(given: Any, where: str) -> str:
    known = ("type", "text", "refusal", "image_url", "file", "prompt_cache_breakpoint")
    fields = Fields(given, known, where)
    fields.require("type")
    kind = fields.choice("type", ("text", "refusal", "image_url", "file"))
    if kind in ("text", "refusal"):
        fields.require(kind)
        return fields.text(kind) or ""
    if kind == "image_url":
        image = Fields(fields.require("image_url"), ("url", "detail"), f"{where}.image_url")
        return f"[image {image.required_text('url')}]"
    file = Fields(fields.require("file"), ("file_id", "file_data", "filename"), f"{where}.file")
    return f"[file {file.text('filename') or file.text('file_id') or 'file'}]"


def _tool_calls(fields: Fields) -> tuple[ToolRequest, ...]:
    given, path = fields.items("tool_calls") or [], fields.path("tool_calls")
    return tuple(_tool_call(each, f"{path}[{index}]") for index, each in enumerate(given))


def _tool_call(given: Any, where: str) -> ToolRequest:
    fields = Fields(given, ("id", "type", "function", "index"), where)
    fields.choice("type", ("function",))
    function = Fields(fields.require("function"), ("name", "arguments"), f"{where}.function")
    arguments = check_arguments(function.text("arguments") or "{}", f"{where}.function.arguments")
    return ToolRequest(fields.required_text("id"), "function", function.required_text("name"), arguments)


def _refuse_loose_ends(talk: list[ChatMessage]) -> None:
    """Every tool call must be answered by the messages that follow it, and every answer follow its call."""
    waiting: list[str] = []
    for message in talk:
        if message.role == "tool":
            if message.answers not in waiting:
                raise bad_request(
                    "Messages with role 'tool' must follow a message with the 'tool_calls' they answer; "
                    f"there is none with the id '{message.answers}'.",
                    "messages",
                )
            waiting.remove(message.answers)
            continue
        _refuse_unanswered(waiting)
        waiting = [request.id for request in message.tool_requests]
    _refuse_unanswered(waiting)


def _refuse_unanswered(waiting: list[str]) -> None:
    if waiting:
        raise bad_request(
            "A message with 'tool_calls' must be followed by messages with role 'tool' for each of them. "
            f"Not answered: {', '.join(waiting)}.",
            "messages",
        )


def _stops(fields: Fields) -> list[str]:
    value = fields.raw("stop")
    given = [] if value is None else [value] if isinstance(value, str) else value
    if (
        not isinstance(given, list)
        or len(given) > 4
        or not all(isinstance(one, str) and one for one in given)
    ):
        raise wrong_type("stop", "a string or an array of up to 4 strings", value)
    return list(given)
