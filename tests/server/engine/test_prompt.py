"""What the model is given: history, tool outputs, and what the limits leave of them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.cost import tokens
from harness.server.llms.interface import ModelReply
from harness.server.llms.scripted import calls, file_search, function_call

Api = Any
FUNCTION = {"type": "function", "function": {"name": "lookup"}}


def contents(request: Any) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in request.messages]


def test_the_model_sees_the_talk_in_order_and_the_run_s_options(api: Api) -> None:
    assistant = api.assistant(instructions="Be kind.", temperature=0.5, reasoning_effort="low")
    thread = api.thread("one", "two")
    api.run(thread, assistant["id"])
    api.say(thread, "three")
    api.run(thread, assistant["id"], additional_instructions="Be brief.", model="gpt-5.4-mini")
    first, second = api.model.requests
    assert contents(first) == [("user", "one"), ("user", "two")]
    assert first.instructions == "Be kind."
    assert contents(second) == [("user", "one"), ("user", "two"), ("assistant", "Fine."), ("user", "three")]
    assert (second.instructions, second.model) == ("Be kind.\n\nBe brief.", "gpt-5.4-mini")
    assert second.options == {
        "temperature": 0.5,
        "top_p": 1.0,
        "reasoning_effort": "low",
        "parallel_tool_calls": True,
    }


def test_tool_outputs_come_back_with_the_request_that_asked_for_them(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup", id=7), content="One moment."), "Done."])
    assistant = api.assistant(tools=[FUNCTION])
    run = api.run(api.thread("question"), assistant["id"])
    [call] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    api.post(f"{path}/submit_tool_outputs", {"tool_outputs": [{"tool_call_id": call["id"], "output": "42"}]})
    messages = api.model.requests[-1].messages
    assert [message.role for message in messages] == ["user", "assistant", "assistant", "tool"]
    assert messages[1].content == "One moment."
    assert messages[2].tool_requests[0].arguments == {"id": 7}
    assert (messages[3].answers, messages[3].content) == (call["id"], "42")


def test_last_messages_keeps_the_latest_of_the_thread(api: Api) -> None:
    thread = api.thread(*(f"message {number}" for number in range(6)))
    strategy = {"type": "last_messages", "last_messages": 2}
    api.run(thread, api.assistant()["id"], truncation_strategy=strategy)
    assert contents(api.model.requests[0]) == [("user", "message 4"), ("user", "message 5")]


def test_a_prompt_over_its_limit_loses_the_middle_first_and_never_the_question(api: Api) -> None:
    words = [f"number {number} " + "word " * 60 for number in range(12)]
    run = api.run(api.thread(*words), api.assistant()["id"], max_prompt_tokens=300)
    kept = [content for _, content in contents(api.model.requests[0])]
    assert kept[0] == words[0]
    assert kept[1:] == words[-len(kept) + 1 :]
    assert 2 < len(kept) < 12
    assert run["usage"]["prompt_tokens"] <= 300


def test_a_question_that_does_not_fit_leaves_the_run_incomplete(api: Api) -> None:
    run = api.run(api.thread("word " * 400), api.assistant()["id"], max_prompt_tokens=256)
    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert not api.model.requests


def test_a_question_larger_than_the_context_window_fails_the_run(make_api: Any) -> None:
    api = make_api(context_tokens=300)
    run = api.run(api.thread("word " * 400), api.assistant()["id"])
    assert run["status"] == "failed"
    assert run["last_error"]["code"] == "invalid_prompt"
    assert "300 tokens" in run["last_error"]["message"]


def test_prompt_limits_count_over_all_completions_of_a_run(make_api: Any) -> None:
    api = make_api(lambda request: calls(function_call("lookup")))
    assistant = api.assistant(tools=[FUNCTION], instructions="word " * 150)
    run = api.run(api.thread("question"), assistant["id"], max_prompt_tokens=350)
    [call] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    outputs = [{"tool_call_id": call["id"], "output": "ok"}]
    api.post(f"{path}/submit_tool_outputs", {"tool_outputs": outputs})
    ended = api.get(path)
    assert (ended["status"], ended["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})


def test_a_completion_over_its_limit_is_cut_there(make_api: Any) -> None:
    api = make_api(["many words " * 400])
    thread = api.thread("question")
    run = api.run(thread, api.assistant()["id"], max_completion_tokens=256)
    answer = api.answer(thread)
    text = answer["content"][0]["text"]["value"]
    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["usage"]["completion_tokens"] == 256 == tokens.count(text)
    assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "max_tokens"})
    assert api.model.requests[0].max_completion_tokens == 256


def test_completion_limits_count_over_all_completions_of_a_run(make_api: Any) -> None:
    lines = [calls(function_call("lookup", text="word " * 200)), "more words " * 100]
    api = make_api(lines)
    run = api.run(api.thread("q"), api.assistant(tools=[FUNCTION])["id"], max_completion_tokens=300)
    [call] = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    api.post(f"{path}/submit_tool_outputs", {"tool_outputs": [{"tool_call_id": call["id"], "output": ""}]})
    ended = api.get(path)
    assert (ended["status"], ended["usage"]["completion_tokens"]) == ("incomplete", 300)
    assert ended["incomplete_details"] == {"reason": "max_completion_tokens"}
    first, second = api.steps(run)
    assert first["usage"]["completion_tokens"] > 200
    assert api.model.requests[1].max_completion_tokens == 300 - first["usage"]["completion_tokens"]
    assert second["usage"]["completion_tokens"] == 300 - first["usage"]["completion_tokens"]


def test_a_forced_tool_is_forced_only_once(make_api: Any) -> None:
    lines = [calls(function_call("lookup")), "Done."]
    api = make_api(lines)
    choice = {"type": "function", "function": {"name": "lookup"}}
    run = api.run(api.thread("q"), api.assistant(tools=[FUNCTION])["id"], tool_choice=choice)
    assert run["tool_choice"] == choice
    call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    api.post(path, {"tool_outputs": [{"tool_call_id": call["id"], "output": ""}]})
    assert [request.tool_choice for request in api.model.requests] == [choice, "auto"]


def test_usage_is_counted_exactly_and_summed_over_the_steps(make_api: Any) -> None:
    api = make_api([calls(file_search("x")), "The answer is here."])
    run = api.run(api.thread("q"), api.assistant(tools=[{"type": "file_search"}])["id"])
    steps = api.steps(run)
    assert steps[1]["usage"]["completion_tokens"] == tokens.count("The answer is here.")
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert run["usage"][key] == sum(step["usage"][key] for step in steps)


def test_usage_as_counted_by_the_model_s_provider_is_taken_over(make_api: Any) -> None:
    counted = {"prompt_tokens": 100, "completion_tokens": 20, "cached_tokens": 60, "reasoning_tokens": 5}
    api = make_api([ModelReply("Hi.", usage=counted)])
    usage = api.run(api.thread("q"), api.assistant()["id"])["usage"]
    assert usage == {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_token_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }


@pytest.mark.parametrize("encoding_of", ["gpt-5.4", "gpt-4"])
def test_tokens_are_counted_with_the_encoding_of_the_run_s_model(make_api: Any, encoding_of: str) -> None:
    text = "Überraschung 東京 indivisible"
    run = (api := make_api([text])).run(api.thread("q"), api.assistant(model=encoding_of)["id"])
    assert run["usage"]["completion_tokens"] == tokens.count(text, encoding_of)
