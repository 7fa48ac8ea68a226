"""/runs: options, limits, cancelling, outputs."""

from __future__ import annotations

from typing import Any

import pytest

from harness.server.llms.scripted import calls, function_call

Api = Any
FUNCTION = {"type": "function", "function": {"name": "lookup"}}


def waiting(make_api: Any, *requests: Any) -> tuple[Api, dict[str, Any], str]:
    """A server, a run that waits for outputs, and its path."""
    api = make_api([calls(*(requests or [function_call("lookup")])), "Done."])
    run = api.run(api.thread("hi"), api.assistant(tools=[FUNCTION])["id"])
    return api, run, f"/threads/{run['thread_id']}/runs/{run['id']}"


def test_a_new_run_has_every_key(api: Api) -> None:
    assistant = api.assistant(instructions="Be kind.", tools=[FUNCTION])
    thread = api.thread("hi")
    run = api.post(f"/threads/{thread}/runs", {"assistant_id": assistant["id"]})
    now = int(api.time.at.timestamp())
    assert run == {
        "id": run["id"],
        "object": "thread.run",
        "created_at": now,
        "assistant_id": assistant["id"],
        "thread_id": thread,
        "status": "queued",
        "started_at": None,
        "expires_at": now + 600,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": None,
        "last_error": None,
        "model": "gpt-5.4",
        "instructions": "Be kind.",
        "tools": assistant["tools"],
        "tool_resources": {},
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "reasoning_effort": None,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "incomplete_details": None,
        "usage": None,
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }
    assert api.replies[-1].headers["openai-poll-after-ms"] == "20"
    assert api.replies[-1].headers["x-request-id"].startswith("req_")


def test_every_step_has_every_key_while_it_is_open_and_when_it_is_done(make_api: Any) -> None:
    api, run, path = waiting(make_api)
    now = int(api.time.at.timestamp())
    [step] = api.steps(run)
    call = {"id": step["step_details"]["tool_calls"][0]["id"], "type": "function"}
    called = {"name": "lookup", "arguments": "{}", "output": None}
    opened = {
        "id": step["id"],
        "object": "thread.run.step",
        "created_at": now,
        "run_id": run["id"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "type": "tool_calls",
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expired_at": None,
        "expires_at": now + 600,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "tool_calls", "tool_calls": [{**call, "function": called}]},
        "usage": None,
        "metadata": {},
    }
    assert step == opened
    api.time.forward(5)
    api.post(f"{path}/submit_tool_outputs", {"tool_outputs": [{"tool_call_id": call["id"], "output": "ok"}]})
    done, written = api.steps(run)
    answered = [{**call, "function": {**called, "output": "ok"}}]
    assert done == {
        **opened,
        "status": "completed",
        "completed_at": now + 5,
        "expires_at": None,
        "step_details": {"type": "tool_calls", "tool_calls": answered},
        "usage": done["usage"],
    }
    message = api.answer(run["thread_id"])["id"]
    creation = {"type": "message_creation", "message_creation": {"message_id": message}}
    assert (written["type"], written["step_details"]) == ("message_creation", creation)


def test_the_run_s_options_replace_the_assistant_s(api: Api) -> None:
    assistant = api.assistant(
        instructions="Be kind.", tools=[FUNCTION], temperature=0.2, response_format={"type": "text"}
    )
    run = api.run(
        api.thread("hi"),
        assistant["id"],
        instructions="Be quick.",
        tools=[],
        temperature=0,
        model="gpt-5.4-mini",
    )
    assert (run["instructions"], run["tools"], run["temperature"]) == ("Be quick.", [], 0.0)
    assert (run["model"], run["response_format"]) == ("gpt-5.4-mini", {"type": "text"})
    assert api.get(f"/assistants/{assistant['id']}") == assistant


def test_additional_messages_are_on_the_thread_before_the_run(api: Api) -> None:
    thread = api.thread("one")
    added = [{"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}]
    api.run(thread, api.assistant()["id"], additional_messages=added)
    said = [row["content"][0]["text"]["value"] for row in api.get(f"/threads/{thread}/messages")["data"]]
    assert said == ["Fine.", "three", "two", "one"]
    assert [message.content for message in api.model.requests[0].messages] == ["one", "two", "three"]


def test_a_run_with_its_thread_takes_resources_of_its_own(make_api: Any) -> None:
    api = make_api(["Fine."])
    store = api.post("/vector_stores", {})["id"]
    resources = {"file_search": {"vector_store_ids": [store]}}
    body = {
        "assistant_id": api.assistant()["id"],
        "thread": {"messages": [{"role": "user", "content": "hi"}], "metadata": {"k": "v"}},
        "tool_resources": resources,
    }
    run = api.post("/threads/runs", body)
    assert run["tool_resources"] == resources
    assert api.get(f"/threads/{run['thread_id']}")["metadata"] == {"k": "v"}
    assert api.get(f"/threads/{run['thread_id']}/runs/{run['id']}")["status"] == "completed"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"max_prompt_tokens": 255}, "max_prompt_tokens"),
        ({"max_completion_tokens": 256.5}, "max_completion_tokens"),
        ({"truncation_strategy": {"type": "last_messages"}}, "truncation_strategy.last_messages"),
        ({"truncation_strategy": {"type": "first"}}, "truncation_strategy.type"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
        ({"tool_choice": {"type": "file_search"}}, "tool_choice"),
        ({"tools": [{"type": "code_interpreter"}] * 21}, "tools"),
        ({"stream": "yes"}, "stream"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"thread": {}}, "thread"),
        ({"assistant_id": None}, "assistant_id"),
    ],
)
def test_a_wrong_option_is_named(api: Api, body: dict[str, Any], param: str) -> None:
    full = {"assistant_id": api.assistant(tools=[FUNCTION])["id"], **body}
    status, error = api.refused("POST", f"/threads/{api.thread('hi')}/runs", full)
    assert (status, error["param"]) == (400, param)


def test_a_wrong_request_for_a_stream_is_a_plain_error(api: Api) -> None:
    body = {"assistant_id": "asst_none", "stream": True}
    status, error = api.refused("POST", f"/threads/{api.thread('hi')}/runs", body)
    assert (status, error["message"]) == (404, "No assistant found with id 'asst_none'.")


def test_cancelling_what_nobody_works_on_is_done_at_once(make_api: Any) -> None:
    api, run, path = waiting(make_api)
    answer = api.post(f"{path}/cancel")
    assert (answer["status"], answer["required_action"]) == ("cancelling", None)
    ended = api.get(path)
    assert (ended["status"], ended["expires_at"]) == ("cancelled", None)
    assert ended["cancelled_at"] is not None
    assert [step["status"] for step in api.steps(run)] == ["cancelled"]
    assert ended["usage"]["prompt_tokens"] > 0
    status, error = api.refused("POST", f"{path}/cancel")
    assert (status, error["message"]) == (400, "Cannot cancel run with status 'cancelled'.")


def test_outputs_are_taken_only_while_they_are_waited_for(make_api: Any) -> None:
    api, run, path = waiting(make_api)
    call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    outputs = {"tool_outputs": [{"tool_call_id": call, "output": "42"}]}
    assert api.post(f"{path}/submit_tool_outputs", outputs)["status"] == "queued"
    assert api.get(path)["required_action"] is None
    status, error = api.refused("POST", f"{path}/submit_tool_outputs", outputs)
    assert status == 400
    assert error["message"] == 'Runs in status "completed" do not accept tool outputs.'


def test_all_outputs_must_come_at_once(make_api: Any) -> None:
    api, run, path = waiting(make_api, function_call("lookup"), function_call("lookup"))
    first, second = (call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"])
    for got in ([second], [first, first], [first, second, "call_x"], []):
        body = {"tool_outputs": [{"tool_call_id": one, "output": ""} for one in got]}
        status, error = api.refused("POST", f"{path}/submit_tool_outputs", body)
        assert status == 400
        assert error["message"] == f"Expected tool outputs for call_ids ['{first}', '{second}'], got {got}"
    assert api.get(path)["status"] == "requires_action"


def test_runs_and_steps_are_listed_newest_first(make_api: Any) -> None:
    api, run, path = waiting(make_api)
    call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    api.post(f"{path}/submit_tool_outputs", {"tool_outputs": [{"tool_call_id": call, "output": "1"}]})
    thread = run["thread_id"]
    later = api.run(thread, api.assistant()["id"])
    assert [row["id"] for row in api.get(f"/threads/{thread}/runs")["data"]] == [later["id"], run["id"]]
    kinds = [step["type"] for step in api.get(f"{path}/steps")["data"]]
    assert kinds == ["message_creation", "tool_calls"]
    assert {step["expires_at"] for step in api.steps(run)} == {None}


def test_what_is_not_there_is_named(api: Api) -> None:
    thread = api.thread("hi")
    run = api.run(thread, api.assistant()["id"])
    for path, message in [
        ("/threads/thread_no/runs", "No thread found with id 'thread_no'."),
        (f"/threads/{thread}/runs/run_no", "No run found with id 'run_no'."),
        (f"/threads/{thread}/runs/{run['id']}/steps/step_no", "No run step found with id 'step_no'."),
    ]:
        assert api.refused("GET", path) == (
            404,
            {"message": message, "type": "invalid_request_error", "param": None, "code": None},
        )
