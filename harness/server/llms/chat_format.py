"""A model request as a chat completion request, and a chat completion as a model reply.

Chat completions know only functions, so the hosted tools are offered as functions: the server carries them
out and hands their results back as function outputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from harness.server.llms.interface import (
    ChatMessage,
    FileInfo,
    Kind,
    ModelError,
    ModelReply,
    ModelRequest,
    ToolRequest,
)

Json = dict[str, Any]

_SEARCH = {
    "description": (
        "Searches the documents of this conversation and returns the passages that fit best, each after its "
        "citation marker. Use it before answering anything the documents may answer. Ask with whole "
        "questions or key phrases; several queries are searched together."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "queries": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "maxItems": 5,
                "description": "What to look for, in the language of the documents.",
            }
        },
        "required": ["queries"],
        "additionalProperties": False,
    },
}
_CODE = {
    "description": (
        "Runs Python and returns what it prints. Variables are kept between calls, files lie under "
        "/mnt/data, pandas and matplotlib are installed, there is no network. Figures that are drawn are "
        "shown to the user with your next message. To hand over a file you wrote, link it as "
        "sandbox:/mnt/data/NAME."
    ),
    "parameters": {
        "type": "object",
        "properties": {"input": {"type": "string", "description": "The Python source to run."}},
        "required": ["input"],
        "additionalProperties": False,
    },
}
_HOSTED: dict[Kind, Json] = {"file_search": _SEARCH, "code_interpreter": _CODE}
_NO_RESULTS = "No passage was found."
_MOST_FILES_SHOWN = 20


class UnusableAnswer(Exception):
    """What came back is no chat completion, or asks for a tool in a way that nobody can follow."""


class Dialect(msgspec.Struct, frozen=True):
    """What differs between endpoints.

    Attributes:
        model: The name the endpoint knows the model by; None passes on the name that the run asked for.
        limit_field: How the endpoint calls the limit on what the model writes.
        omit: Options that the endpoint refuses and that are therefore never sent; without ``stream`` it is
            asked for whole answers alone.
    """

    model: str | None = None
    limit_field: str = "max_completion_tokens"
    omit: Collection[str] = ()


# --- the request ------------------------------------------------------------------------------------------


def chat_request(request: ModelRequest, dialect: Dialect) -> Json:
    """The body of ``POST /chat/completions`` for a model request."""
    names = _names(request)
    body: Json = {"model": dialect.model or request.model, "messages": _messages(request, names)}
    options = dict(request.options)
    parallel = options.pop("parallel_tool_calls", True)
    if request.tools:
        body["tools"] = [_tool(tool, names) for tool in request.tools]
        body["tool_choice"] = _tool_choice(request.tool_choice, names)
        if not parallel:  # true is every endpoint's default, and some know only that
            body["parallel_tool_calls"] = False
    if isinstance(request.response_format, dict) and request.response_format["type"] != "text":
        body["response_format"] = request.response_format
    if request.max_completion_tokens is not None:
        body[dialect.limit_field] = request.max_completion_tokens
    body |= options
    return {name: value for name, value in body.items() if name not in dialect.omit}


def streaming(body: Json, dialect: Dialect) -> Json:
    """The same request for a stream, with usage at its end where the endpoint allows asking for it."""
    options = {} if "stream_options" in dialect.omit else {"stream_options": {"include_usage": True}}
    return {**body, "stream": True, **options}


def tool_names(request: ModelRequest) -> dict[str, Kind]:
    """What the hosted tools are called in a request, and which tool each is."""
    return {name: kind for kind, name in _names(request).items()}


def _names(request: ModelRequest) -> dict[Kind, str]:
    """What the hosted tools are called in this request; a function of the user's own keeps its name."""
    taken = {tool["function"]["name"] for tool in request.tools if tool["type"] == "function"}
    names: dict[Kind, str] = {}
    for kind in _HOSTED:
        name: str = kind
        while name in taken:
            name = f"hosted_{name}"
        names[kind] = name
    return names


def _tool(tool: Mapping[str, Any], names: Mapping[Kind, str]) -> Json:
    if tool["type"] == "function":
        # strict is off by default, and endpoints that do not know it refuse it.
        given = {name: value for name, value in tool["function"].items() if name != "strict" or value}
        return {"type": "function", "function": given}
    return {"type": "function", "function": {"name": names[tool["type"]], **_HOSTED[tool["type"]]}}


def _tool_choice(choice: Any, names: Mapping[Kind, str]) -> Any:
    if not isinstance(choice, dict):
        return choice
    if choice["type"] == "function":
        return {"type": "function", "function": {"name": choice["function"]["name"]}}
    return {"type": "function", "function": {"name": names[choice["type"]]}}


def _messages(request: ModelRequest, names: Mapping[Kind, str]) -> list[Json]:
    system = "\n\n".join(part for part in (request.instructions, _about_files(request.files)) if part)
    made: list[Json] = [{"role": "system", "content": system}] if system else []
    asked: dict[str, ToolRequest] = {}
    for message in request.messages:
        asked |= {each.id: each for each in message.tool_requests}
        made.append(_message(message, asked, names))
    return made


def _message(message: ChatMessage, asked: Mapping[str, ToolRequest], names: Mapping[Kind, str]) -> Json:
    if message.role == "tool":
        request = asked.get(message.answers or "")
        content = _output(message, request.kind if request else "function")
        return {"role": "tool", "tool_call_id": message.answers, "content": content}
    if not message.tool_requests:
        return {"role": message.role, "content": message.content}
    calls = [_call(request, names) for request in message.tool_requests]
    return {"role": "assistant", "content": message.content or None, "tool_calls": calls}


def _call(request: ToolRequest, names: Mapping[Kind, str]) -> Json:
    name = request.name if request.kind == "function" else names[request.kind]
    function = {"name": name, "arguments": request.arguments_text}
    return {"id": request.id, "type": "function", "function": function}


def _output(message: ChatMessage, kind: Kind) -> str:
    """What a tool brought, as the model reads it."""
    if kind == "file_search":
        return _results(message)
    if kind == "code_interpreter":
        return "\n".join(_code_output(message))
    return message.content


def _results(message: ChatMessage) -> str:
    if not message.hits:
        return _NO_RESULTS
    passages = [
        f"{hit.marker}{'' if hit.page is None else f' (page {hit.page})'}\n{hit.text}" for hit in message.hits
    ]
    example = message.hits[0].marker
    passages.append(
        "Cite every statement that rests on a passage: copy the marker that stands before the passage, such "
        f"as {example}, character by character to the end of the sentence. Invent no markers."
    )
    return "\n\n".join(passages)


def _code_output(message: ChatMessage) -> Iterator[str]:
    if message.content:
        yield message.content
    for _, name, is_image in message.files:
        where = "shown to the user" if is_image else f"link it as sandbox:/mnt/data/{name}"
        yield f"[made {name}: {where}]"
    if not message.content and not message.files:
        yield "[no output]"


def _about_files(files: Collection[FileInfo]) -> str:
    """The files that code can read, with how they begin."""
    if not files:
        return ""
    lines = ["Files that code can read:"]
    for file in list(files)[:_MOST_FILES_SHOWN]:
        lines.append(f"- {file.path} ({file.filename})")
        if file.head:
            lines.append(f"  It begins:\n{file.head}")
    left = len(files) - _MOST_FILES_SHOWN
    return "\n".join([*lines, f"- and {left} more under /mnt/data"] if left > 0 else lines)


# --- the answer -------------------------------------------------------------------------------------------


def model_reply(answer: object, request: ModelRequest) -> ModelReply:
    """The reply in a chat completion.

    Raises:
        UnusableAnswer: It is none, or its tool calls can't be read; asking again may help.
        ModelError: The provider withheld the answer.
    """
    choice = _first_choice(answer)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise UnusableAnswer("its choice has no message")
    ended = choice.get("finish_reason")
    if ended == "content_filter":
        raise ModelError("server_error", "The model's provider withheld the answer (content_filter).")
    cut = ended == "length"
    kinds = tool_names(request)
    # Of a message that was cut short, the last call is cut too, and with it what the model had in mind.
    calls = () if cut else tuple(_tool_request(call, kinds) for call in _list(message.get("tool_calls")))
    content = _text(message.get("content")) or _text(message.get("refusal"))
    return ModelReply(content, calls, _usage(answer), was_cut=cut)


def _first_choice(answer: object) -> Json:
    if not isinstance(answer, dict):
        raise UnusableAnswer("it is no JSON object")
    choices = answer.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    error = answer.get("error")  # some gateways report the failure of what is behind them with status 200
    told = error.get("message") if isinstance(error, dict) else error
    raise UnusableAnswer(f"it reports: {told}" if told else "it has no choices")


def _text(content: object) -> str:
    """The text of a message, which some endpoints give in parts."""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text") or "") for part in _list(content) if isinstance(part, dict))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _tool_request(call: object, kinds: Mapping[str, Kind]) -> ToolRequest:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise UnusableAnswer("it has a tool call without a function")
    name, written = str(function.get("name") or ""), function.get("arguments")
    kind = kinds.get(name, "function")
    identifier = call.get("id")
    identifier = identifier if isinstance(identifier, str) else ""
    if kind == "file_search":
        return ToolRequest(identifier, kind, kind, _search_arguments(written))
    if kind == "code_interpreter":
        return ToolRequest(identifier, kind, kind, _code_arguments(written))
    arguments = _object(written)
    if arguments is None:
        raise UnusableAnswer(f"its call of {name!r} has arguments that are no JSON object: {written!r:.200}")
    spelt = written if isinstance(written, str) and written.strip() else ""
    return ToolRequest(identifier, "function", name, arguments, spelt)


def _object(written: object) -> Json | None:
    """Arguments as an object; nothing at all counts as an empty one."""
    if isinstance(written, dict):
        return written
    if not isinstance(written, str):
        return None if written else {}
    try:
        value = msgspec.json.decode(written) if written.strip() else {}
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _search_arguments(written: object) -> Json:
    """Queries, also from models that send one text or forget the JSON around it."""
    given = _object(written)
    found = str(written or "") if given is None else given.get("queries") or given.get("query")
    queries = [found] if isinstance(found, str) else _list(found)
    return {"queries": [str(query) for query in queries if query]}


def _code_arguments(written: object) -> Json:
    """Source, also from models that send it bare or call it ``code``."""
    given = _object(written)
    found = str(written or "") if given is None else given.get("input") or given.get("code")
    return {"input": found if isinstance(found, str) else ""}


def _usage(answer: object) -> dict[str, int] | None:
    """Tokens as the provider counted them; None when it does not say."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(usage, dict):
        return None
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    if prompt is None or completion is None:
        return None
    counted = {"prompt_tokens": prompt, "completion_tokens": completion}
    for name, details in (
        ("cached_tokens", "prompt_tokens_details"),
        ("reasoning_tokens", "completion_tokens_details"),
    ):
        more = usage.get(details)
        count = _count(more, name) if isinstance(more, dict) else None
        if count is not None:
            counted[name] = count
    return counted


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
