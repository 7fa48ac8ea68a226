"""``functions`` and ``function_call``, as programs wrote them before there were tools."""

from __future__ import annotations

from typing import Any

import pytest

from harness.server.llms.scripted import calls, function_call

Api = Any
WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
ASKED = {"role": "user", "content": "How is the weather in Oslo?"}


def asked(api: Api, *messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": list(messages or (ASKED,)), "functions": [WEATHER], **fields}
    [choice] = api.post("/chat/completions", body)["choices"]
    return choice  # type: ignore[no-any-return]


def test_a_call_is_told_as_function_call_and_its_output_is_taken_back(make_api: Any) -> None:
    api = make_api([calls(function_call("weather", city="Oslo")), "Sunny."])
    choice = asked(api)
    assert choice["finish_reason"] == "function_call"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
        "function_call": {"name": "weather", "arguments": '{"city":"Oslo"}'},
    }
    output = {"role": "function", "name": "weather", "content": "sun"}
    assert asked(api, ASKED, choice["message"], output)["message"]["content"] == "Sunny."
    question, call, answer = api.model.requests[-1].messages
    assert (question.role, call.tool_requests[0].arguments) == ("user", {"city": "Oslo"})
    assert (answer.role, answer.content, answer.answers) == ("tool", "sun", call.tool_requests[0].id)


def test_the_model_is_told_of_functions_as_of_tools(make_api: Any) -> None:
    api = make_api([calls(function_call("weather"))])
    choice = asked(api, function_call={"name": "weather"})
    assert choice["finish_reason"] == "stop"  # as for a tool that is forced
    request = api.model.requests[-1]
    assert [tool["function"]["name"] for tool in request.tools] == ["weather"]
    assert request.tool_choice == {"type": "function", "function": {"name": "weather"}}
    assert request.options["parallel_tool_calls"] is False


def test_chunks_carry_the_name_once_and_pieces_of_the_arguments_of_one_call(make_api: Any) -> None:
    two = calls(function_call("weather", city="Oslo, Norway"), function_call("weather", city="Rome"))
    body = {"model": "m", "messages": [ASKED], "functions": [WEATHER], "stream": True}
    chunks = [data["choices"][0] for _, data in make_api([two]).stream("/chat/completions", body)]
    told = [
        chunk["delta"]["function_call"] for chunk in chunks if chunk["delta"].get("function_call") is not None
    ]
    assert [each["name"] for each in told if "name" in each] == ["weather"]
    assert "".join(each["arguments"] for each in told) == '{"city":"Oslo, Norway"}'
    assert chunks[-1]["finish_reason"] == "function_call"
    assert not any("tool_calls" in chunk["delta"] for chunk in chunks)


CALL = {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"functions": [{"name": "no good"}]}, "functions[0].name"),
        ({"functions": "weather"}, "functions"),
        ({"function_call": {"name": "other"}}, "function_call.name"),
        ({"function_call": "required"}, "function_call"),
        ({"function_call": 7}, "function_call"),
        ({"tools": [{"type": "function", "function": WEATHER}]}, "functions"),
        ({"messages": [ASKED, {"role": "function", "name": "weather", "content": "sun"}]}, "messages[1]"),
        ({"messages": [ASKED, CALL, {"role": "function", "content": "sun"}]}, "messages[2].name"),
        ({"messages": [ASKED, {**CALL, "function_call": {}}]}, "messages[1].function_call.name"),
        ({"messages": [ASKED, CALL]}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": None}, "messages"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_asked(api: Api, fields: dict[str, Any], param: str) -> None:
    body = {"model": "m", "messages": [ASKED], "functions": [WEATHER], **fields}
    status, error = api.refused("POST", "/chat/completions", body)
    assert (status, error["param"]) == (400, param)
    assert not api.model.requests
