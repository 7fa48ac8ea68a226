"""/completions: a prompt, its text."""

from __future__ import annotations

from typing import Any

import pytest

from harness.server.llms.interface import ModelReply

Api = Any


def texts(body: dict[str, Any]) -> list[str]:
    return [choice["text"] for choice in body["choices"]]


def test_a_prompt_is_answered_like_the_only_message_of_a_chat(make_api: Any) -> None:
    api = make_api(["Fine."])
    body = api.post("/completions", {"model": "m", "prompt": "How are you?", "echo": True})
    assert body["id"].startswith("cmpl-")
    assert {**body, "id": "", "created": 0} == {
        "id": "",
        "object": "text_completion",
        "created": 0,
        "model": "m",
        "system_fingerprint": None,
        "choices": [{"text": "How are you?Fine.", "index": 0, "logprobs": None, "finish_reason": "stop"}],
        "usage": body["usage"],
    }
    assert body["usage"]["total_tokens"] == sum(
        body["usage"][name] for name in ("prompt_tokens", "completion_tokens")
    )
    [message] = api.model.requests[-1].messages
    assert (message.role, message.content) == ("user", "How are you?")


def test_several_prompts_are_answered_in_their_order(make_api: Any) -> None:
    api = make_api(lambda request: request.messages[-1].content.upper())
    body = api.post("/completions", {"model": "m", "prompt": ["one", "two"], "n": 2})
    assert texts(body) == ["ONE", "ONE", "TWO", "TWO"]
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2, 3]
    alone = [api.post("/completions", {"model": "m", "prompt": prompt, "n": 2}) for prompt in ("one", "two")]
    assert body["usage"]["total_tokens"] == sum(each["usage"]["total_tokens"] for each in alone)


def test_chunks_make_up_the_text_after_what_is_echoed(make_api: Any) -> None:
    api = make_api(["Never mind the weather."])
    sent = {"model": "m", "prompt": "Say: ", "echo": True, "stream": True, "max_tokens": 100}
    sent["stream_options"] = {"include_usage": True}
    chunks = [data for _, data in api.stream("/completions", sent)]
    assert "".join(text for chunk in chunks for text in texts(chunk)) == "Say: Never mind the weather."
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"] > 0) == ([], True)


def test_an_answer_is_cut_at_sixteen_tokens_unless_more_are_asked_for(make_api: Any) -> None:
    api = make_api([ModelReply("word " * 40)])
    [choice] = api.post("/completions", {"model": "m", "prompt": "x"})["choices"]
    assert (choice["finish_reason"], len(choice["text"].split())) == ("length", 16)
    [choice] = api.post("/completions", {"model": "m", "prompt": "x", "max_tokens": 200})["choices"]
    assert (choice["finish_reason"], len(choice["text"].split())) == ("stop", 40)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": ["a", "b"], "stream": True}, "prompt"),
        ({"prompt": "x", "suffix": "y"}, "suffix"),
        ({"prompt": "x", "logprobs": 2}, "logprobs"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "x", "messages": []}, "messages"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_asked(api: Api, body: dict[str, Any], param: str) -> None:
    status, error = api.refused("POST", "/completions", {"model": "m", **body})
    assert (status, error["param"]) == (400, param)
    assert not api.model.requests
