"""/chat/completions: one completion of the same models, with nothing kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.app import App, Request, ServerOptions
from harness.server.llms.interface import ModelError, ModelReply
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call
from harness.server.wire import CHAT_FRAMING

Api = Any
LOOKUP = {"type": "function", "function": {"name": "lookup"}}
HELLO = [{"role": "user", "content": "hello"}]


def ask(api: Api, messages: Any = HELLO, **body: Any) -> dict[str, Any]:
    return api.post("/chat/completions", {"model": "gpt-5.4", "messages": messages, **body})


def stream(api: Api, **body: Any) -> list[dict[str, Any]]:
    events = api.stream("/chat/completions", {"model": "gpt-5.4", "messages": HELLO, **body})
    return [chunk for _, chunk in events]


def test_a_completion_has_every_key(api: Api) -> None:
    made = ask(api)
    message = {"role": "assistant", "content": "Fine.", "refusal": None, "annotations": []}
    assert made == {
        "id": made["id"],
        "object": "chat.completion",
        "created": int(api.time.at.timestamp()),
        "model": "gpt-5.4",
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": made["usage"],
    }
    assert made["id"].startswith("chatcmpl-")
    assert (
        made["usage"]["total_tokens"] == made["usage"]["prompt_tokens"] + made["usage"]["completion_tokens"]
    )
    assert made["usage"]["prompt_tokens_details"] == {"cached_tokens": 0}


def test_system_messages_are_the_instructions_and_the_rest_is_the_talk(api: Api) -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": [{"type": "text", "text": "three"}]},
    ]
    ask(api, messages, temperature=0.3)
    [request] = api.model.requests
    assert request.instructions == "Be kind.\n\nBe brief."
    said = [(message.role, message.content) for message in request.messages]
    assert said == [("user", "one"), ("assistant", "two"), ("user", "three")]
    assert request.options == {"temperature": 0.3}


def test_tool_calls_go_out_and_come_back_as_messages(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup", id=7)), "Done."])
    [choice] = ask(api, tools=[LOOKUP])["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    [call] = choice["message"]["tool_calls"]
    assert (call["type"], call["function"]) == ("function", {"name": "lookup", "arguments": '{"id":7}'})
    output = {"role": "tool", "tool_call_id": call["id"], "content": "42"}
    assert (
        ask(api, [*HELLO, choice["message"], output], tools=[LOOKUP])["choices"][0]["finish_reason"] == "stop"
    )
    question, request, answer = api.model.requests[-1].messages
    assert question.role == "user"
    assert (request.tool_requests[0].id, request.tool_requests[0].arguments) == (call["id"], {"id": 7})
    assert (answer.role, answer.answers, answer.content) == ("tool", call["id"], "42")


def test_allowed_tools_keep_the_others_from_the_model(api: Api) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    allowed = {"mode": "required", "tools": [{"type": "function", "function": {"name": "other"}}]}
    ask(api, tools=[LOOKUP, other], tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    [request] = api.model.requests
    assert [tool["function"]["name"] for tool in request.tools] == ["other"]
    assert request.tool_choice == "required"


def test_what_is_text_and_hints_on_caching_change_nothing(api: Api) -> None:
    harmless = {"logprobs": False, "top_logprobs": 0, "modalities": ["text"], "prompt_cache_options": {}}
    assert ask(api, **harmless)["choices"] == ask(api)["choices"]


def test_a_forced_function_ends_with_stop(make_api: Any) -> None:
    choice = {"type": "function", "function": {"name": "lookup"}}
    made = ask(make_api([calls(function_call("lookup"))]), tools=[LOOKUP], tool_choice=choice)
    assert made["choices"][0]["finish_reason"] == "stop"


def test_marks_for_caches_are_accepted_in_every_part(api: Api) -> None:
    mark = {"mode": "explicit"}
    part = {"type": "text", "text": "hello", "prompt_cache_breakpoint": mark}
    ask(api, [{"role": "user", "content": [part]}], prompt_cache_options={"mode": "explicit"})
    assert api.model.requests[0].messages[-1].content == "hello"


def test_without_parallel_calls_there_is_at_most_one(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup", n=1), function_call("lookup", n=2))])
    made = ask(api, tools=[LOOKUP], parallel_tool_calls=False)
    assert len(made["choices"][0]["message"]["tool_calls"]) == 1


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_answer_over_its_limit_ends_with_length(make_api: Any, name: str) -> None:
    made = ask(make_api(["many words " * 40]), **{name: 5})
    assert made["choices"][0]["finish_reason"] == "length"
    assert made["usage"]["completion_tokens"] == 5


def test_a_stop_sequence_ends_the_answer_before_it(make_api: Any) -> None:
    made = ask(make_api(["one two END three"]), stop=["END", "three"])
    assert made["choices"][0]["message"]["content"] == "one two "
    assert made["choices"][0]["finish_reason"] == "stop"


def test_several_choices_are_several_completions(make_api: Any) -> None:
    made = ask(make_api(["a", "b"]), n=2)
    said = [(choice["index"], choice["message"]["content"]) for choice in made["choices"]]
    assert said == [(0, "a"), (1, "b")]


def test_the_response_format_reaches_the_model(api: Api) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    ask(api, response_format=schema)
    assert api.model.requests[0].response_format == schema


def test_usage_as_counted_by_the_model_s_provider_is_taken_over(make_api: Any) -> None:
    counted = {"prompt_tokens": 100, "completion_tokens": 20, "cached_tokens": 60, "reasoning_tokens": 5}
    usage = ask(make_api([ModelReply("Hi.", usage=counted)]))["usage"]
    assert (usage["prompt_tokens"], usage["prompt_tokens_details"]) == (100, {"cached_tokens": 60})
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 5}


# streams


def test_chunks_begin_with_the_role_and_end_with_the_reason(make_api: Any) -> None:
    api = make_api(["one two three four five six"])
    chunks = stream(api)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(delta.get("content", "") for delta in deltas) == "one two three four five six"
    assert (deltas[-1], chunks[-1]["choices"][0]["finish_reason"]) == ({}, "stop")
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert all("usage" not in chunk for chunk in chunks)
    assert api.replies[-1].framing is CHAT_FRAMING


def test_usage_is_a_chunk_of_its_own_when_it_is_asked_for(api: Api) -> None:
    *others, last = stream(api, stream_options={"include_usage": True})
    assert (last["choices"], last["usage"]) == ([], ask(api)["usage"])
    assert all(chunk["usage"] is None for chunk in others)


def test_tool_calls_stream_their_id_and_name_once(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup", words="a b c d e f"), function_call("lookup", n=2))])
    chunks = stream(api, tools=[LOOKUP])
    built: dict[int, dict[str, str]] = {}
    for chunk in chunks:
        for part in chunk["choices"][0]["delta"].get("tool_calls", ()):
            call = built.setdefault(part["index"], {"id": "", "name": "", "arguments": ""})
            call["id"] += part.get("id", "")
            call["name"] += part["function"].get("name", "")
            call["arguments"] += part["function"]["arguments"]
    assert [call["name"] for call in built.values()] == ["lookup", "lookup"]
    assert json.loads(built[0]["arguments"]) == {"words": "a b c d e f"}
    assert len({call["id"] for call in built.values()}) == 2
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


@given(st.text())
def test_pieces_always_make_up_the_whole_answer(answer: str) -> None:
    options = ServerOptions(models=ModelTable(default=Scripted([answer], cycle=True)), eager=True, seed=1)
    with App(options) as app:
        body = {"model": "m", "messages": HELLO, "stream": True}
        events = app.handle(Request("POST", "/chat/completions", body)).events or ()
        deltas = [chunk["choices"][0]["delta"] for _, chunk in events]
    assert "".join(delta.get("content", "") for delta in deltas) == answer


# what is refused


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "sound"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}]}, "messages"),
        ({"model": None}, "model"),
        ({"tools": [{"type": "file_search"}]}, "tools[0].type"),
        ({"n": 0}, "n"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": 5}, "stop"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"functions": []}, "functions"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"logprobs": True}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 2}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities[1]"),
        ({"tools": [LOOKUP], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
    ],
)
def test_a_wrong_field_is_named(api: Api, body: dict[str, Any], param: str) -> None:
    status, error = api.refused("POST", "/chat/completions", {"model": "m", "messages": HELLO, **body})
    assert (status, error["param"]) == (400, param)


def test_every_tool_call_must_be_answered(api: Api) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": "{}"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    for after in ([], [{"role": "user", "content": "well?"}]):
        body = {"model": "m", "messages": [*HELLO, asked, *after]}
        status, error = api.refused("POST", "/chat/completions", body)
        assert (status, error["param"]) == (400, "messages")
        assert "call_1" in error["message"]


@pytest.mark.parametrize(
    ("code", "status"), [("server_error", 500), ("rate_limit_exceeded", 429), ("invalid_prompt", 400)]
)
def test_a_model_that_cannot_answer_is_an_error(make_api: Any, code: Any, status: int) -> None:
    def model(_: Any) -> Any:
        raise ModelError(code, "No.")

    api = make_api(model, cycle=False)
    body = {"model": "m", "messages": HELLO}
    answered, error = api.refused("POST", "/chat/completions", body)
    assert (answered, error["code"], error["message"]) == (status, code, "No.")
    assert api.refused("POST", "/chat/completions", {**body, "stream": True})[0] == status


def test_a_hosted_tool_cannot_be_called_here(make_api: Any) -> None:
    api = make_api([calls(file_search("x"))])
    status, error = api.refused(
        "POST", "/chat/completions", {"model": "m", "messages": HELLO, "tools": [LOOKUP]}
    )
    assert status == 500
    assert "file_search" in error["message"]


def test_a_talk_larger_than_the_window_is_refused(make_api: Any) -> None:
    api = make_api(context_tokens=50)
    messages = [{"role": "user", "content": "word " * 100}]
    status, error = api.refused("POST", "/chat/completions", {"model": "m", "messages": messages})
    assert (status, error["code"]) == (400, "context_length_exceeded")
