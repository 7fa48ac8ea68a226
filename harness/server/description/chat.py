"""Chat completions."""

from __future__ import annotations

from harness.server.description import shapes
from harness.server.description.records import Operation, Section
from harness.server.description.schema import (
    ANYTHING,
    COUNT,
    FLAG,
    NULL,
    TIME,
    Schema,
    always,
    choice,
    either,
    gives,
    listed,
    nullable,
    ref,
    takes,
    text,
    unused,
    whole,
)

_NO_TOKENS = "probabilities of tokens are not known"
_NO_CACHE = "nothing is cached between requests"
_NO_MODERATION = "nobody here looks at who asks"
_KEPT_NOWHERE = "completions are not kept"
_NOT_TOLD = "models behind the server are not told it"

_OTHERS = {"text": ANYTHING, "refusal": ANYTHING, "image_url": ANYTHING, "file": ANYTHING}


def _part(name: str, schema: Schema) -> Schema:
    others = {other: anything for other, anything in _OTHERS.items() if other != name}
    others["prompt_cache_breakpoint"] = unused(ANYTHING, _NO_CACHE)
    return takes({"type": always(name), name: schema}, **others)


_PART = either(
    _part("text", text()),
    _part("refusal", text()),
    _part(
        "image_url",
        takes(
            {"url": text(least=1)}, detail=unused(ANYTHING, "images are told to models by name, not shown")
        ),
    ),
    _part(
        "file",
        takes(
            file_id=text(),
            filename=text(),
            file_data=unused(ANYTHING, "files are told to models by name, not read"),
        ),
    ),
)
_CONTENT = either(text(), listed(_PART))
_CALL_IN = takes(
    {"id": text(least=1), "function": takes({"name": text(least=1)}, arguments=text())},
    type=always("function"),
    index=ANYTHING,
)
_BESIDE = {
    "name": unused(ANYTHING, _NOT_TOLD),
    "refusal": text(),
    "annotations": unused(ANYTHING, _NOT_TOLD),
    "audio": unused(ANYTHING, _NOT_TOLD),
    "function_call": takes({"name": text(least=1)}, arguments=text()),
}
_MESSAGE_IN = either(
    takes(
        {"role": choice("system", "developer", "user"), "content": _CONTENT},
        **_BESIDE,
        tool_calls=ANYTHING,
        tool_call_id=ANYTHING,
    ),
    takes(
        {"role": always("assistant")},
        content=_CONTENT,
        tool_calls=listed(_CALL_IN),
        tool_call_id=ANYTHING,
        **_BESIDE,
    ),
    takes({"role": always("function"), "name": text(least=1)}, content=_CONTENT),
    takes(
        {"role": always("tool"), "content": _CONTENT, "tool_call_id": text(least=1)},
        tool_calls=ANYTHING,
        **_BESIDE,
    ),
)
_TOOL = takes({"type": always("function"), "function": shapes.FUNCTION_IN}, file_search=ANYTHING)
_FUNCTION_CHOICE = takes({"type": always("function"), "function": takes({"name": text(least=1)})})
_ALLOWED = takes({"tools": listed(_FUNCTION_CHOICE)}, mode=choice("auto", "required"))
_TOOL_CHOICE = either(
    choice("none", "auto", "required"),
    _FUNCTION_CHOICE,
    takes({"type": always("allowed_tools"), "allowed_tools": _ALLOWED}),
)
_BODY = takes(
    {"messages": listed(_MESSAGE_IN, least=1), "model": text(least=1)},
    function_call=either(choice("none", "auto"), takes({"name": text(least=1)})),
    functions=listed(shapes.FUNCTION_IN, least=1, most=128),
    frequency_penalty=unused(ANYTHING, _NOT_TOLD),
    logit_bias=unused(ANYTHING, _NO_TOKENS),
    logprobs=unused({"type": "boolean", "const": False}, f"{_NO_TOKENS}; true is refused"),
    max_completion_tokens=whole(1),
    max_tokens=whole(1),
    metadata=unused(ANYTHING, _KEPT_NOWHERE),
    modalities=unused(listed(always("text")), "answers are texts; sound is refused"),
    n=whole(1, 128),
    parallel_tool_calls=shapes.option(FLAG),
    prediction=unused(ANYTHING, _NOT_TOLD),
    presence_penalty=unused(ANYTHING, _NOT_TOLD),
    prompt_cache_key=unused(ANYTHING, _NO_CACHE),
    prompt_cache_options=unused(ANYTHING, _NO_CACHE),
    prompt_cache_retention=unused(ANYTHING, _NO_CACHE),
    reasoning_effort=shapes.option(shapes.EFFORT),
    response_format=shapes.RESPONSE_FORMAT_IN,
    safety_identifier=unused(ANYTHING, _NO_MODERATION),
    seed=unused(ANYTHING, _NOT_TOLD),
    service_tier=unused(ANYTHING, "there is one way to be served"),
    stop=either(text(least=1), listed(text(least=1), most=4)),
    store=unused(ANYTHING, _KEPT_NOWHERE),
    stream=FLAG,
    stream_options=takes(include_usage=FLAG, include_obfuscation=unused(ANYTHING, "streams are not padded")),
    temperature=shapes.option(shapes.TEMPERATURE),
    tool_choice=_TOOL_CHOICE,
    tools=listed(_TOOL, most=128),
    top_logprobs=unused(whole(0, 0), f"{_NO_TOKENS}; any number of them is refused"),
    top_p=shapes.option(shapes.TOP_P),
    user=unused(ANYTHING, _NO_MODERATION),
    verbosity=unused(ANYTHING, _NOT_TOLD),
)

_MESSAGE_OUT = gives(
    {
        "role": always("assistant"),
        "content": nullable(text()),
        "refusal": NULL,
        "annotations": listed(ANYTHING),
    },
    tool_calls=listed(shapes.FUNCTION_CALL_OUT, least=1),
    function_call=gives({"name": text(least=1), "arguments": text()}),
)
_REASON = choice("stop", "length", "tool_calls", "function_call", "content_filter")
_CHOICE = gives({"index": COUNT, "message": _MESSAGE_OUT, "logprobs": NULL, "finish_reason": _REASON})
_USAGE = gives(
    {
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "total_tokens": COUNT,
        "prompt_tokens_details": gives({"cached_tokens": COUNT}),
        "completion_tokens_details": gives({"reasoning_tokens": COUNT}),
    }
)
_HEAD = {
    "id": text(pattern="^chatcmpl-"),
    "created": TIME,
    "model": text(least=1),
    "service_tier": text(),
    "system_fingerprint": NULL,
}
_COMPLETION = gives(
    {"object": always("chat.completion"), **_HEAD, "choices": listed(_CHOICE, least=1), "usage": _USAGE}
)
_CALL_DELTA = gives(
    {"index": COUNT, "function": gives({"arguments": text()}, name=text(least=1))},
    id=text(least=1),
    type=always("function"),
)
_DELTA = gives(
    {},
    role=always("assistant"),
    content=nullable(text()),
    refusal=NULL,
    tool_calls=listed(_CALL_DELTA, least=1),
    function_call=gives({"arguments": text()}, name=text(least=1)),
)
_CHUNK = gives(
    {
        "object": always("chat.completion.chunk"),
        **_HEAD,
        "choices": listed(
            gives({"index": COUNT, "delta": _DELTA, "logprobs": NULL, "finish_reason": nullable(_REASON)})
        ),
    },
    usage=nullable(_USAGE),
)

_OLD_HEAD = {
    "id": text(pattern="^cmpl-"),
    "object": always("text_completion"),
    "created": TIME,
    "model": text(least=1),
    "system_fingerprint": NULL,
}


def _old_choice(reason: Schema) -> Schema:
    return gives({"text": text(), "index": COUNT, "logprobs": NULL, "finish_reason": reason})


_OLD_ANSWER = gives({**_OLD_HEAD, "choices": listed(_old_choice(_REASON), least=1), "usage": _USAGE})
_OLD_CHUNK = gives({**_OLD_HEAD, "choices": listed(_old_choice(nullable(_REASON)))}, usage=nullable(_USAGE))
_OLD_BODY = takes(
    {
        "model": text(least=1),
        "prompt": either(text(least=1), listed(text(least=1), least=1, most=64)),
    },
    best_of=unused(ANYTHING, "each answer is the best there is"),
    echo=FLAG,
    frequency_penalty=unused(ANYTHING, _NOT_TOLD),
    logit_bias=unused(ANYTHING, _NO_TOKENS),
    logprobs=unused(whole(0, 0), f"{_NO_TOKENS}; any number of them is refused"),
    max_tokens=whole(1),
    n=whole(1, 128),
    presence_penalty=unused(ANYTHING, _NOT_TOLD),
    seed=unused(ANYTHING, _NOT_TOLD),
    stop=either(text(least=1), listed(text(least=1), most=4)),
    stream=FLAG,
    stream_options=takes(include_usage=FLAG, include_obfuscation=unused(ANYTHING, "streams are not padded")),
    suffix=unused(always(""), "models behind the server are made for chats; a suffix is refused"),
    temperature=shapes.option(shapes.TEMPERATURE),
    top_p=shapes.option(shapes.TOP_P),
    user=unused(ANYTHING, _NO_MODERATION),
)

SECTION = Section(
    title="Chat completions",
    operations=(
        Operation(
            "POST",
            "/chat/completions",
            "Complete a chat; nothing is kept.",
            gives=_COMPLETION,
            body=_BODY,
            events={"": either(_CHUNK, ref("Error"))},
            refuses=(429, 500),
            not_done={
                "audio": "answers are texts",
                "messages[].tool_calls[]<custom>": "only functions are called",
                "moderation": _NO_MODERATION,
                "tool_choice<custom>": "only functions are called",
                "messages[].content[]<input_audio>": "models behind the server are given texts",
                "tools[]<custom>": "only functions are called",
                "web_search_options": "the server has no such tool",
            },
        ),
        Operation(
            "POST",
            "/completions",
            "Complete texts, each as if it were the only message of a chat.",
            gives=_OLD_ANSWER,
            body=_OLD_BODY,
            events={"": either(_OLD_CHUNK, ref("Error"))},
            refuses=(429, 500),
        ),
    ),
    schemas={},
    not_done={
        "GET /chat/completions": _KEPT_NOWHERE,
        "GET /chat/completions/{}": _KEPT_NOWHERE,
        "POST /chat/completions/{}": _KEPT_NOWHERE,
        "DELETE /chat/completions/{}": _KEPT_NOWHERE,
        "GET /chat/completions/{}/messages": _KEPT_NOWHERE,
    },
)
