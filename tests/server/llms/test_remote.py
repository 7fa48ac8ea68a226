"""Models behind chat completions: what is sent, what is understood, and all that can go wrong."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.llms.chat_format import Dialect, UnusableAnswer, chat_request, model_reply
from harness.server.llms.interface import (
    ChatMessage,
    FileInfo,
    ModelError,
    ModelReply,
    ModelRequest,
    SearchHit,
    ToolRequest,
)
from harness.server.llms.models import ModelTable
from harness.server.llms.remote import Remote

Start = Any
SEARCH = {"type": "file_search", "file_search": {}}
CODE = {"type": "code_interpreter"}
LOOKUP = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"type": "object"}, "strict": False},
}
MARKER = "【4:0†faq.pdf】"
HIT = SearchHit("file-1", "faq.pdf", 0.9, "Exports are CSV files.", MARKER, page=3)


def asked(*messages: ChatMessage, **fields: Any) -> ModelRequest:
    given = messages or (ChatMessage("user", "What format?"),)
    return ModelRequest(model="gpt-5.4", instructions="Be brief.", messages=given, **fields)


def remote(server: Any, **options: Any) -> tuple[Remote, list[float]]:
    """A model at the server, and the waits it makes."""
    waits: list[float] = []
    return Remote(server.base_url, sleep=waits.append, **options), waits


# --- what is sent -----------------------------------------------------------------------------------------


def test_a_question_is_sent_with_the_instructions_and_answered_with_its_usage(chat_server: Start) -> None:
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    server = chat_server(chat_server.said("CSV.", usage=usage))
    model, _ = remote(server, api_key="sk-secret")
    reply = model.complete(asked(options={"temperature": 0.2, "top_p": 1.0, "parallel_tool_calls": True}))
    assert reply == ModelReply(
        "CSV.",
        usage={"prompt_tokens": 12, "completion_tokens": 3, "cached_tokens": 8, "reasoning_tokens": 2},
    )
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["authorization"] == "Bearer sk-secret"
    assert server.requests == [
        {
            "model": "gpt-5.4",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What format?"},
            ],
            "temperature": 0.2,
            "top_p": 1.0,
        }
    ]


def test_hosted_tools_are_offered_as_functions_beside_the_users_own() -> None:
    body = chat_request(asked(tools=(SEARCH, CODE, LOOKUP)), Dialect())
    assert [tool["type"] for tool in body["tools"]] == ["function"] * 3
    functions = {tool["function"]["name"]: tool["function"] for tool in body["tools"]}
    assert functions["file_search"]["parameters"]["required"] == ["queries"]
    assert functions["code_interpreter"]["parameters"]["required"] == ["input"]
    assert all(len(functions[name]["description"]) <= 1024 for name in ("file_search", "code_interpreter"))
    assert functions["lookup"] == {"name": "lookup", "parameters": {"type": "object"}}


def test_a_function_that_is_called_like_a_hosted_tool_keeps_its_name() -> None:
    own = {"type": "function", "function": {"name": "file_search"}}
    request = asked(tools=(SEARCH, own), tool_choice={"type": "file_search"})
    body = chat_request(request, Dialect())
    assert [tool["function"]["name"] for tool in body["tools"]] == ["hosted_file_search", "file_search"]
    assert body["tool_choice"]["function"] == {"name": "hosted_file_search"}
    for name, kind in (("hosted_file_search", "file_search"), ("file_search", "function")):
        made = {"function": {"name": name, "arguments": '{"queries": ["x"]}'}}
        answer = {"choices": [{"message": {"tool_calls": [made]}}]}
        [call] = model_reply(answer, request).tool_requests
        assert (call.kind, call.arguments) == (kind, {"queries": ["x"]})


def test_found_passages_are_given_with_their_markers_and_the_request_to_copy_them() -> None:
    search = ToolRequest("call_s", "file_search", "file_search", {"queries": ["format"]})
    messages = (
        ChatMessage("user", "What format?"),
        ChatMessage("assistant", "", tool_requests=(search,)),
        ChatMessage("tool", "ignored", answers="call_s", hits=(HIT,)),
    )
    body = chat_request(asked(*messages, tools=(SEARCH,)), Dialect())
    _, _, assistant, tool = body["messages"]
    assert assistant["content"] is None
    [call] = assistant["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("call_s", "file_search")
    assert json.loads(call["function"]["arguments"]) == {"queries": ["format"]}
    assert (tool["role"], tool["tool_call_id"]) == ("tool", "call_s")
    assert tool["content"].startswith(f"{MARKER} (page 3)\nExports are CSV files.\n\nCite every statement")
    assert tool["content"].count(MARKER) == 2


def test_a_search_without_results_and_code_without_output_say_so() -> None:
    calls = (
        ToolRequest("a", "file_search", "file_search", {"queries": ["x"]}),
        ToolRequest("b", "code_interpreter", "code_interpreter", {"input": "pass"}),
        ToolRequest("c", "function", "lookup", {}),
    )
    outputs = (ChatMessage("tool", "", answers=identifier) for identifier in "abc")
    messages = (ChatMessage("user", "hi"), ChatMessage("assistant", "", tool_requests=calls), *outputs)
    body = chat_request(asked(*messages, tools=(SEARCH, CODE, LOOKUP)), Dialect())
    assert [message["content"] for message in body["messages"][-3:]] == [
        "No passage was found.",
        "[no output]",
        "",
    ]


def test_files_are_told_with_how_they_begin_and_what_code_made_with_how_to_link_it() -> None:
    code = ToolRequest("call_c", "code_interpreter", "code_interpreter", {"input": "plot()"})
    made = (("file-7", "chart.png", True), ("file-8", "out.csv", False))
    messages = (
        ChatMessage("user", "Plot it."),
        ChatMessage("assistant", "", tool_requests=(code,)),
        ChatMessage("tool", "done", answers="call_c", files=made),
    )
    files = (FileInfo("file-1", "sales.csv", "/mnt/data/file-1", "month,revenue\n"),)
    body = chat_request(asked(*messages, tools=(CODE,), files=files), Dialect())
    system, tool = body["messages"][0]["content"], body["messages"][-1]["content"]
    assert system.startswith("Be brief.\n\nFiles that code can read:\n- /mnt/data/file-1 (sales.csv)")
    assert "month,revenue" in system
    assert tool == (
        "done\n[made chart.png: shown to the user]\n[made out.csv: link it as sandbox:/mnt/data/out.csv]"
    )


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "code_interpreter"}, {"type": "function", "function": {"name": "code_interpreter"}}),
        (
            {"type": "function", "function": {"name": "lookup"}},
            {"type": "function", "function": {"name": "lookup"}},
        ),
    ],
)
def test_tool_choice_names_the_function(choice: Any, sent: Any) -> None:
    body = chat_request(asked(tools=(CODE, LOOKUP), tool_choice=choice), Dialect())
    assert body["tool_choice"] == sent


def test_what_belongs_to_tools_is_not_sent_without_them() -> None:
    body = chat_request(asked(options={"parallel_tool_calls": False}), Dialect())
    assert set(body) == {"model", "messages"}
    with_tools = chat_request(asked(tools=(LOOKUP,), options={"parallel_tool_calls": False}), Dialect())
    assert with_tools["parallel_tool_calls"] is False


def test_formats_limits_and_what_an_endpoint_refuses_follow_the_dialect() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {}}}
    request = asked(
        response_format=schema,
        max_completion_tokens=300,
        options={"temperature": 1.0, "top_p": 0.5, "reasoning_effort": "low"},
    )
    plain = chat_request(request, Dialect())
    assert (plain["response_format"], plain["max_completion_tokens"]) == (schema, 300)
    assert plain["reasoning_effort"] == "low"
    dialect = Dialect("llama3.1", "max_tokens", ("top_p", "reasoning_effort", "response_format"))
    other = chat_request(request, dialect)
    assert (other["model"], other["max_tokens"]) == ("llama3.1", 300)
    assert set(other) == {"model", "messages", "max_tokens", "temperature"}
    assert "response_format" not in chat_request(asked(response_format={"type": "text"}), Dialect())


# --- what is understood -----------------------------------------------------------------------------------


def test_tool_calls_come_back_in_order_as_requests(chat_server: Start) -> None:
    server = chat_server(
        chat_server.said(
            "Let me look.",
            chat_server.call("lookup", {"id": 7}, "call_a"),
            chat_server.call("file_search", {"queries": ["a", "b"]}, "call_b"),
            chat_server.call("code_interpreter", {"input": "print(1)"}, "call_c"),
        )
    )
    model, _ = remote(server)
    reply = model.complete(asked(tools=(SEARCH, CODE, LOOKUP)))
    assert reply.content == "Let me look."
    assert [(call.id, call.kind, call.arguments) for call in reply.tool_requests] == [
        ("call_a", "function", {"id": 7}),
        ("call_b", "file_search", {"queries": ["a", "b"]}),
        ("call_c", "code_interpreter", {"input": "print(1)"}),
    ]


@pytest.mark.parametrize(
    ("name", "written", "arguments"),
    [
        ("code_interpreter", "print(1)", {"input": "print(1)"}),
        ("code_interpreter", '{"code": "print(2)"}', {"input": "print(2)"}),
        ("file_search", '{"query": "one"}', {"queries": ["one"]}),
        ("file_search", '{"queries": "one"}', {"queries": ["one"]}),
        ("file_search", "just words", {"queries": ["just words"]}),
        ("file_search", "", {"queries": []}),
        ("lookup", "", {}),
        ("lookup", None, {}),
    ],
)
def test_arguments_that_small_models_get_slightly_wrong_are_understood(
    name: str, written: Any, arguments: dict[str, Any]
) -> None:
    call = {"id": None, "function": {"name": name, "arguments": written}}
    answer = {"choices": [{"message": {"content": None, "tool_calls": [call]}}]}
    [made] = model_reply(answer, asked(tools=(SEARCH, CODE, LOOKUP))).tool_requests
    assert (made.id, made.arguments) == ("", arguments)


def test_an_answer_cut_short_is_marked_and_its_last_call_dropped() -> None:
    call = {"id": "c", "function": {"name": "lookup", "arguments": '{"id": '}}
    answer = {
        "choices": [{"message": {"content": "So far", "tool_calls": [call]}, "finish_reason": "length"}]
    }
    assert model_reply(answer, asked(tools=(LOOKUP,))) == ModelReply("So far", was_cut=True)


def test_texts_in_parts_and_refusals_are_read() -> None:
    parts = {"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}]}
    refusal = {"choices": [{"message": {"content": None, "refusal": "No."}}]}
    assert model_reply(parts, asked()).content == "ab"
    assert model_reply(refusal, asked()).content == "No."


@pytest.mark.parametrize(
    "usage",
    [None, {}, {"prompt_tokens": 1}, {"prompt_tokens": -1, "completion_tokens": 2}, {"prompt_tokens": "1"}],
)
def test_usage_that_says_nothing_usable_leaves_the_counting_to_us(usage: Any) -> None:
    answer = {"choices": [{"message": {"content": "x"}}], "usage": usage}
    assert model_reply(answer, asked()).usage is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KNOWN = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "message": st.fixed_dictionaries(
                        {}, optional={"content": JSON, "refusal": JSON, "tool_calls": JSON | st.lists(JSON)}
                    )
                    | JSON,
                    "finish_reason": JSON,
                },
            )
            | JSON,
            max_size=2,
        )
        | JSON,
        "usage": JSON,
        "error": JSON,
    },
)


@given(KNOWN | JSON)
def test_no_answer_whatsoever_is_more_than_a_reply_or_one_of_two_errors(answer: Any) -> None:
    try:
        reply = model_reply(answer, asked(tools=(SEARCH, CODE, LOOKUP)))
    except (UnusableAnswer, ModelError):
        return
    assert isinstance(reply.content, str)
    assert all(isinstance(call.arguments, dict) for call in reply.tool_requests)


# --- what goes wrong --------------------------------------------------------------------------------------


def refusal(status: int, message: str = "no", code: str | None = None, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, {"error": {"message": message, "type": "x", "param": None, "code": code}}


def test_what_may_pass_is_tried_again_after_the_wait_that_is_asked_for(chat_server: Start) -> None:
    server = chat_server(
        refusal(429, retry_after="7"), refusal(503), chat_server.said("Here I am."), refusal(500)
    )
    model, waits = remote(server)
    assert model.complete(asked()).content == "Here I am."
    assert waits == [7.0, 1.0]


@pytest.mark.parametrize(
    ("answer", "code", "words", "tries"),
    [
        (refusal(429, "slow down"), "rate_limit_exceeded", "slow down", 3),
        (refusal(429, "pay first", "insufficient_quota"), "rate_limit_exceeded", "pay first", 1),
        (refusal(429, "tomorrow", retry_after="86400"), "rate_limit_exceeded", "tomorrow", 1),
        (refusal(500, "oops"), "server_error", "status 500: oops", 3),
        (refusal(503, "no more", x_should_retry="false"), "server_error", "no more", 1),
        (refusal(400, "too long"), "invalid_prompt", "too long", 1),
        (refusal(413, "too large"), "invalid_prompt", "too large", 1),
        (refusal(401, "bad key"), "server_error", "does not accept the key", 1),
        (refusal(404, "no such model"), "server_error", "no such model", 1),
        ((200, {}, b"{"), "server_error", "no JSON", 3),
        ((200, {"content-type": "text/html"}, b"<html>"), "server_error", "no JSON object", 3),
        ({"error": {"message": "upstream is down"}}, "server_error", "upstream is down", 3),
        ({"choices": []}, "server_error", "it has no choices", 3),
    ],
)
def test_every_failure_ends_with_its_code_and_names_the_model_and_the_endpoint(
    chat_server: Start, answer: Any, code: str, words: str, tries: int
) -> None:
    server = chat_server(answer)
    model, _ = remote(server, api_key="sk-secret")
    with pytest.raises(ModelError) as caught:
        model.complete(asked())
    assert caught.value.code == code
    assert words in caught.value.message
    assert f"'gpt-5.4' at {server.base_url}" in caught.value.message
    assert "sk-secret" not in caught.value.message
    assert len(server.requests) == tries


def test_a_server_that_hangs_up_is_tried_again(chat_server: Start) -> None:
    server = chat_server(chat_server.hang_up, chat_server.said("Sorry."))
    model, waits = remote(server)
    assert model.complete(asked()).content == "Sorry."
    assert waits == [0.5]


def test_a_server_that_is_not_there_or_too_slow_ends_as_server_error(chat_server: Start) -> None:
    gone = Remote("http://127.0.0.1:1/v1", tries=1)
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        gone.complete(asked())
    assert caught.value.code == "server_error"
    enough = threading.Event()
    slow, _ = remote(chat_server(lambda body: enough.wait(60)), timeout_s=0.05, tries=1)
    with pytest.raises(ModelError, match="did not answer in time"):
        slow.complete(asked())
    enough.set()


def test_arguments_nobody_can_read_are_asked_for_again(chat_server: Start) -> None:
    broken = chat_server.said(None, chat_server.call("lookup", '{"id": '))
    server = chat_server(broken, chat_server.said(None, chat_server.call("lookup", {"id": 1})))
    model, _ = remote(server)
    [call] = model.complete(asked(tools=(LOOKUP,))).tool_requests
    assert call.arguments == {"id": 1}


def test_a_withheld_answer_is_not_passed_off_as_one(chat_server: Start) -> None:
    model, _ = remote(chat_server(chat_server.said("So", finish="content_filter")))
    with pytest.raises(ModelError, match="content_filter"):
        model.complete(asked())


# --- an Assistants API over it ----------------------------------------------------------------------------


def converse(body: dict[str, Any]) -> Any:
    """What a real model would do: search, then answer with the marker it was given."""
    last = body["messages"][-1]
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if last["role"] == "user":
        arguments = json.dumps({"queries": [last["content"]]})
        function = {"name": "file_search", "arguments": arguments}
        message["tool_calls"] = [{"id": "call_9", "type": "function", "function": function}]
    else:
        marker = last["content"].split("】")[0] + "】"
        message["content"] = f"The warranty lasts 24 months {marker}."
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 64}}
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


def test_a_run_searches_cites_and_counts_through_the_endpoint(make_api: Any, chat_server: Start) -> None:
    server = chat_server(converse)
    model, _ = remote(server)
    api = make_api(models=ModelTable([("gpt-*", model)]))
    file = api.upload("guide.md", b"# Warranty\nThe warranty lasts 24 months.")
    store = api.post("/vector_stores", {"file_ids": [file["id"]]})
    assistant = api.assistant(
        model="gpt-5.4",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store["id"]]}},
    )
    thread = api.thread("How long is the warranty?")
    run = api.run(thread, assistant["id"])
    assert (run["status"], run["last_error"]) == ("completed", None)
    assert run["usage"]["prompt_tokens"] == 200
    assert run["usage"]["prompt_token_details"] == {"cached_tokens": 128}
    [part] = api.answer(thread)["content"]
    [annotation] = part["text"]["annotations"]
    assert annotation["file_citation"]["file_id"] == file["id"]
    assert "24 months." in server.requests[1]["messages"][-1]["content"]


def test_a_run_whose_endpoint_fails_ends_failed_with_the_code(make_api: Any, chat_server: Start) -> None:
    model, _ = remote(chat_server(refusal(429, "slow down")))
    api = make_api(models=ModelTable(default=model))
    run = api.run(api.thread("hi"), api.assistant()["id"])
    assert (run["status"], run["last_error"]["code"]) == ("failed", "rate_limit_exceeded")
    assert "slow down" in run["last_error"]["message"]


def test_an_answer_the_endpoint_cut_short_leaves_the_run_incomplete(
    make_api: Any, chat_server: Start
) -> None:
    model, _ = remote(chat_server(chat_server.said("Once upon a", finish="length")))
    api = make_api(models=ModelTable(default=model))
    thread = api.thread("Tell me a story.")
    run = api.run(thread, api.assistant()["id"])
    assert (run["status"], run["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_completion_tokens"},
    )
    assert api.answer(thread)["status"] == "incomplete"
