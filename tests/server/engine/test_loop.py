"""Runs from queued to their end: texts, tools, streams, and every way to end early."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from harness.server.llms.interface import ModelError, ModelReply, ModelRequest, ToolRequest
from harness.server.llms.scripted import calls, file_search, function_call, run_code
from harness.server.wire import INCLUDE_CONTENT

Api = Any
FUNCTION = {"type": "function", "function": {"name": "lookup"}}
SEARCH = {"type": "file_search"}
TEXT_RUN = """
    thread.run.created thread.run.queued thread.run.in_progress
    thread.run.step.created thread.run.step.in_progress
    thread.message.created thread.message.in_progress
    thread.message.delta thread.message.completed
    thread.run.step.completed thread.run.completed
""".split()


def names(events: list[tuple[str, Any]]) -> list[str]:
    """Names of the events, deltas in a row counted once."""
    listed = [name for name, _ in events]
    return [name for i, name in enumerate(listed) if not name.endswith("delta") or listed[i - 1] != name]


def submit(api: Api, run: dict[str, Any], **outputs: str) -> str:
    """Path of the run after its waiting calls were answered by function name."""
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    waiting = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    given = [{"tool_call_id": c["id"], "output": outputs[c["function"]["name"]]} for c in waiting]
    api.post(f"{path}/submit_tool_outputs", {"tool_outputs": given})
    return path


def store_with(api: Api, *texts: str) -> str:
    files = [api.upload(f"doc{number}.txt", text.encode())["id"] for number, text in enumerate(texts)]
    return api.post("/vector_stores", {"file_ids": files})["id"]


def test_a_text_run_streams_in_the_recorded_order(api: Api) -> None:
    events = api.stream(f"/threads/{api.thread('hi')}/runs", {"assistant_id": api.assistant()["id"]})
    assert names(events) == TEXT_RUN
    data = dict(events)
    assert data["thread.message.created"]["content"] == []
    assert data["thread.run.step.completed"]["expires_at"] == data["thread.run.created"]["expires_at"]
    assert data["thread.run.completed"]["expires_at"] is None
    assert data["thread.run.completed"]["usage"] == data["thread.run.step.completed"]["usage"]


def test_a_thread_and_run_in_one_call_streams_the_thread_first(api: Api) -> None:
    body = {
        "assistant_id": api.assistant()["id"],
        "thread": {"messages": [{"role": "user", "content": "hi"}]},
    }
    events = api.stream("/threads/runs", body)
    assert names(events) == ["thread.created", *TEXT_RUN]
    assert events[0][1]["id"] == events[1][1]["thread_id"]


def test_function_calls_stop_the_stream_at_requires_action_and_outputs_go_on_from_there(
    make_api: Any,
) -> None:
    api = make_api(
        [calls(function_call("lookup", city="Oslo"), function_call("lookup", city="Rome")), "Both."]
    )
    assistant = api.assistant(tools=[FUNCTION])
    first = api.stream(f"/threads/{api.thread('hi')}/runs", {"assistant_id": assistant["id"]})
    assert names(first) == [
        *TEXT_RUN[:5],
        "thread.run.step.delta",
        "thread.run.requires_action",
    ]
    run = first[-1][1]
    waiting = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [call["function"]["arguments"] for call in waiting] == ['{"city":"Oslo"}', '{"city":"Rome"}']
    assert run["usage"] is None
    assert run["expires_at"] == run["created_at"] + 600
    outputs = [{"tool_call_id": call["id"], "output": "ok"} for call in waiting]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
    second = api.stream(path, {"tool_outputs": outputs})
    assert names(second) == ["thread.run.step.completed", *TEXT_RUN[1:]]
    done = second[0][1]
    assert [call["function"]["output"] for call in done["step_details"]["tool_calls"]] == ["ok", "ok"]
    assert done["usage"]["total_tokens"] > 0


def test_the_open_step_shows_calls_without_outputs(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup"))])
    run = api.run(api.thread("hi"), api.assistant(tools=[FUNCTION])["id"])
    [step] = api.steps(run)
    assert (step["type"], step["status"], step["usage"]) == ("tool_calls", "in_progress", None)
    assert step["step_details"]["tool_calls"][0]["function"]["output"] is None


def test_started_at_is_set_again_when_the_run_goes_on(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup")), "Done."])
    run = api.run(api.thread("hi"), api.assistant(tools=[FUNCTION])["id"])
    api.time.forward(30)
    ended = api.get(submit(api, run, lookup="x"))
    assert ended["started_at"] == run["started_at"] + 30
    assert ended["status"] == "completed"


def test_several_rounds_of_functions_and_a_search_in_one_run(make_api: Any) -> None:
    api = make_api(
        [calls(function_call("lookup")), calls(file_search("moon"), function_call("lookup")), "Done."]
    )
    assistant = api.assistant(tools=[FUNCTION, SEARCH])
    run = api.run(api.thread("hi"), assistant["id"])
    again = api.get(submit(api, run, lookup="1"))
    assert again["status"] == "requires_action"
    ended = api.get(submit(api, again, lookup="2"))
    steps = api.steps(ended)
    assert [step["type"] for step in steps] == ["tool_calls", "tool_calls", "message_creation"]
    kinds = [call["type"] for call in steps[1]["step_details"]["tool_calls"]]
    assert kinds == ["file_search", "function"]
    assert {step["status"] for step in steps} == {"completed"}


def test_without_parallel_calls_only_the_first_is_made(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup"), function_call("lookup"))])
    run = api.run(api.thread("hi"), api.assistant(tools=[FUNCTION])["id"], parallel_tool_calls=False)
    assert len(run["required_action"]["submit_tool_outputs"]["tool_calls"]) == 1


def test_call_ids_of_the_model_are_kept_and_repeated_ones_replaced(make_api: Any) -> None:
    request = ToolRequest("call_own", "function", "lookup", {})
    api = make_api([calls(request, request)])
    run = api.run(api.thread("hi"), api.assistant(tools=[FUNCTION])["id"])
    ids = [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]
    assert ids[0] == "call_own"
    assert ids[1].startswith("call_")
    assert ids[1] != "call_own"


# file_search


def test_an_answer_cites_what_the_search_of_its_run_found(make_api: Any) -> None:
    def answer(request: ModelRequest) -> Any:
        last = request.messages[-1]
        if last.role == "user":
            return calls(file_search(last.content))
        return f"Cheese{last.hits[0].marker}, not 【9:9†ghost.txt】."

    api = make_api(answer)
    store = store_with(api, "The moon is made of cheese.", "Cars have four wheels.")
    resources = {"file_search": {"vector_store_ids": [store]}}
    assistant = api.assistant(tools=[SEARCH], tool_resources=resources)
    thread = api.thread("What is the moon made of?")
    run = api.run(thread, assistant["id"])
    text = api.answer(thread)["content"][0]["text"]
    [note] = text["annotations"]
    assert text["value"] == "Cheese【4:0†doc0.txt】, not 【9:9†ghost.txt】."
    assert text["value"][note["start_index"] : note["end_index"]] == note["text"] == "【4:0†doc0.txt】"
    results = api.steps(run)[0]["step_details"]["tool_calls"][0]["file_search"]["results"]
    assert results[0]["file_name"] == "doc0.txt"
    assert results[0]["file_id"] == note["file_citation"]["file_id"]
    assert "content" not in results[0]
    api.say(thread, "And the wheels of cars?")
    api.run(thread, assistant["id"])
    assert "【8:0†" in api.answer(thread)["content"][0]["text"]["value"]


def test_the_content_of_results_comes_only_when_it_is_included(make_api: Any) -> None:
    api = make_api([calls(file_search("moon")), "Yes."])
    resources = {"file_search": {"vector_store_ids": [store_with(api, "The moon is made of cheese.")]}}
    run = api.run(api.thread("moon?"), api.assistant(tools=[SEARCH], tool_resources=resources)["id"])
    wanted = {"include[]": "step_details.tool_calls[*].file_search.results[*].content"}
    listed = api.steps(run, **wanted)[0]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps/{listed['id']}"
    for step in (listed, api.get(path, **wanted)):
        [result] = step["step_details"]["tool_calls"][0]["file_search"]["results"]
        assert result["content"] == [{"type": "text", "text": "The moon is made of cheese."}]
    assert "content" not in str(api.get(path)["step_details"])
    status, error = api.refused("GET", path, include="everything")
    assert (status, error["param"]) == (400, "include")


def test_the_assistant_s_and_the_thread_s_store_are_searched_together(make_api: Any) -> None:
    api = make_api([calls(file_search("moon cheese")), "Yes."])
    resources = {"file_search": {"vector_store_ids": [store_with(api, "The moon is made of cheese.")]}}
    assistant = api.assistant(tools=[SEARCH], tool_resources=resources)
    attached = api.upload("attached.txt", b"Cheese from the moon is rare.")["id"]
    thread = api.thread()
    message = {"role": "user", "content": "moon?", "attachments": [{"file_id": attached, "tools": [SEARCH]}]}
    api.post(f"/threads/{thread}/messages", message)
    results = api.steps(api.run(thread, assistant["id"]))[0]["step_details"]["tool_calls"][0]
    found = results["file_search"]["results"]
    assert {result["file_name"] for result in found} == {"doc0.txt", "attached.txt"}
    assert [result["score"] for result in found] == sorted((r["score"] for r in found), reverse=True)


@pytest.mark.in_one_life
def test_what_happens_to_the_assistant_changes_nothing_about_a_run_that_has_begun(make_api: Any) -> None:
    api = make_api(lambda request: f"I saw {len(request.messages[-1].hits)} results.")
    resources = {"file_search": {"vector_store_ids": [store_with(api, "The moon is made of cheese.")]}}
    assistant = api.assistant(tools=[SEARCH], tool_resources=resources, instructions="Look.")["id"]
    thread = api.thread("the moon?")
    body = {"assistant_id": assistant, "stream": True, "tool_choice": SEARCH}
    reply = api.call("POST", f"/threads/{thread}/runs", body)
    for name, _ in reply.events:
        if name == "thread.run.created":
            api.delete(f"/assistants/{assistant}")
    assert api.answer(thread)["content"][0]["text"]["value"] == "I saw 1 results."
    [run] = api.get(f"/threads/{thread}/runs")["data"]
    assert (run["status"], run["assistant_id"], run["instructions"]) == ("completed", assistant, "Look.")
    assert api.refused("POST", f"/threads/{thread}/runs", {"assistant_id": assistant})[0] == 404


@pytest.mark.parametrize(
    ("model", "asked", "words", "found"),
    [
        ("gpt-5.4", {}, 5, 20),
        ("gpt-5.4", {"max_num_results": 25}, 5, 25),
        ("gpt-3.5-turbo", {}, 5, 5),
        ("gpt-3.5-turbo", {"max_num_results": 25}, 5, 25),
        ("gpt-5.4", {"max_num_results": 25}, 700, 22),  # 16,000 tokens: 22 chunks of about 700
        ("gpt-3.5-turbo", {"max_num_results": 25}, 700, 5),  # 4,000 tokens
    ],
)
def test_a_model_is_given_as_many_chunks_as_its_number_and_tokens_allow(
    make_api: Any, model: str, asked: dict[str, int], words: int, found: int
) -> None:
    api = make_api([calls(file_search("moon")), "Fine."])
    texts = [f"moon {number} " + "cheese " * words for number in range(26)]
    files = [api.upload(f"{number}.txt", text.encode())["id"] for number, text in enumerate(texts)]
    store = api.post("/vector_stores", {"file_ids": files})["id"]
    resources = {"file_search": {"vector_store_ids": [store]}}
    tools = [{"type": "file_search", "file_search": asked}]
    run = api.run(api.thread("x"), api.assistant(model=model, tools=tools, tool_resources=resources)["id"])
    [call] = api.steps(run)[0]["step_details"]["tool_calls"]
    assert len(call["file_search"]["results"]) == found


def test_a_search_in_a_step_has_the_recorded_form(make_api: Any) -> None:
    api = make_api([calls(file_search("moon")), "Fine."])
    store = store_with(api, "The moon is made of cheese.")
    resources = {"file_search": {"vector_store_ids": [store]}}
    run = api.run(api.thread("x"), api.assistant(tools=[SEARCH], tool_resources=resources)["id"])
    [file] = api.get(f"/vector_stores/{store}/files")["data"]
    [call] = api.steps(run, **{"include[]": INCLUDE_CONTENT})[0]["step_details"]["tool_calls"]
    [result] = call["file_search"]["results"]
    assert call == {
        "id": call["id"],
        "type": "file_search",
        "file_search": {
            "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0},
            "results": [
                {
                    "file_id": file["id"],
                    "file_name": result["file_name"],
                    "score": result["score"],
                    "attributes": {},
                    "content": [{"type": "text", "text": "The moon is made of cheese."}],
                }
            ],
        },
    }


def test_max_num_results_and_threshold_of_the_tool_are_kept(make_api: Any) -> None:
    api = make_api([calls(file_search("moon")), "Yes."])
    texts = [f"The moon, chapter {number}." for number in range(6)]
    resources = {"file_search": {"vector_store_ids": [store_with(api, *texts)]}}
    tool = {**SEARCH, "file_search": {"max_num_results": 2, "ranking_options": {"score_threshold": 0.1}}}
    run = api.run(api.thread("moon?"), api.assistant(tools=[tool], tool_resources=resources)["id"])
    searched = api.steps(run)[0]["step_details"]["tool_calls"][0]["file_search"]
    assert searched["ranking_options"] == {"ranker": "default_2024_08_21", "score_threshold": 0.1}
    assert len(searched["results"]) == 2
    assert all(result["score"] >= 0.1 for result in searched["results"])


def test_an_expired_store_fails_the_run(make_api: Any) -> None:
    api = make_api([calls(file_search("x"))])
    expiry = {"anchor": "last_active_at", "days": 1}
    store = api.post("/vector_stores", {"expires_after": expiry})["id"]
    resources = {"file_search": {"vector_store_ids": [store]}}
    assistant = api.assistant(tools=[SEARCH], tool_resources=resources)
    api.time.forward(2 * 86_400)
    run = api.run(api.thread("x"), assistant["id"])
    assert run["status"] == "failed"
    assert run["last_error"] == {"code": "server_error", "message": f"Vector store {store} is expired."}


def test_an_expired_store_fails_a_run_that_could_search_even_if_it_does_not(make_api: Any) -> None:
    api = make_api(["Fine."])
    store = api.post("/vector_stores", {"expires_after": {"anchor": "last_active_at", "days": 1}})["id"]
    resources = {"file_search": {"vector_store_ids": [store]}}
    assistant = api.assistant(tools=[SEARCH], tool_resources=resources)["id"]
    thread = api.thread("x")
    api.time.forward(86_400)
    failed = api.run(thread, assistant)
    assert failed["last_error"] == {"code": "server_error", "message": f"Vector store {store} is expired."}
    assert failed["failed_at"] == int(api.time.at.timestamp())
    assert api.run(thread, assistant, tools=[])["status"] == "completed"


def test_a_store_lives_on_while_runs_could_search_it(make_api: Any) -> None:
    api = make_api(["Fine."])
    store = api.post("/vector_stores", {"expires_after": {"anchor": "last_active_at", "days": 1}})["id"]
    resources = {"file_search": {"vector_store_ids": [store]}}
    assistant = api.assistant(tools=[SEARCH], tool_resources=resources)["id"]
    thread = api.thread("x")
    for _ in range(3):
        api.time.forward(80_000)
        assert api.run(thread, assistant)["status"] == "completed"
    now = int(api.time.at.timestamp())
    found = api.get(f"/vector_stores/{store}")
    assert (found["last_active_at"], found["expires_at"]) == (now, now + 86_400)


def test_a_forced_search_is_made_even_if_the_model_only_talks(make_api: Any) -> None:
    api = make_api(lambda request: f"I saw {len(request.messages[-1].hits)} results.")
    resources = {"file_search": {"vector_store_ids": [store_with(api, "The moon is made of cheese.")]}}
    assistant = api.assistant(tools=[SEARCH], tool_resources=resources)
    thread = api.thread("the moon?")
    run = api.run(thread, assistant["id"], tool_choice=SEARCH)
    assert [step["type"] for step in api.steps(run)] == ["tool_calls", "message_creation"]
    assert api.answer(thread)["content"][0]["text"]["value"] == "I saw 1 results."


def test_tool_choice_none_silences_every_tool(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup"), content="Just words.")])
    thread = api.thread("hi")
    run = api.run(thread, api.assistant(tools=[FUNCTION])["id"], tool_choice="none")
    assert run["status"] == "completed"
    assert api.answer(thread)["content"][0]["text"]["value"] == "Just words."


# code_interpreter, over a bench that the test plays itself


class Bench:
    """Takes what is laid on it and answers with a fixed outcome."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.files: dict[str, bytes] = {}
        self.closed = 0

    def open(self, key: str) -> Bench:
        return self

    def put(self, name: str, content: bytes) -> None:
        self.files[name] = content

    def run(self, code: str) -> Any:
        return self.outcome

    def close(self) -> None:
        self.closed += 1


def made(name: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, path=f"/mnt/data/{name}", content=name.encode())


def outcome(**given: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"logs": "", "images": (), "files": (), "error": None, **given})


def test_code_gets_the_files_and_its_images_and_files_come_back(make_api: Any) -> None:
    bench = Bench(outcome(logs="42\n", images=(made("plot.png"),), files=(made("out.csv"),)))
    lines = [calls(run_code("print(42)")), "See [the table](sandbox:/mnt/data/out.csv)."]
    api = make_api(lines, make_sandbox=lambda: bench)
    data = api.upload("sales.csv", b"a,b\n1,2\n")["id"]
    resources = {"code_interpreter": {"file_ids": [data]}}
    assistant = api.assistant(tools=[{"type": "code_interpreter"}], tool_resources=resources)
    thread = api.thread("Draw it.")
    run = api.run(thread, assistant["id"])
    assert bench.files == {"sales.csv": b"a,b\n1,2\n", data: b"a,b\n1,2\n"}
    [info] = api.model.requests[0].files
    assert (info.file_id, info.filename, info.head) == (data, "sales.csv", "a,b\n1,2\n")
    assert info.path == f"/mnt/data/{data}"
    call = api.steps(run)[0]["step_details"]["tool_calls"][0]["code_interpreter"]
    logs, image = call["outputs"]
    assert (call["input"], logs) == ("print(42)", {"type": "logs", "logs": "42\n"})
    shown, said = api.answer(thread)["content"]
    assert shown == {"type": "image_file", "image_file": {**image["image"], "detail": "auto"}}
    [note] = said["text"]["annotations"]
    assert note["text"] == "sandbox:/mnt/data/out.csv"
    listed = api.get(f"/files/{note['file_path']['file_id']}")
    assert (listed["filename"], listed["purpose"]) == ("out.csv", "assistants_output")
    assert api.call("GET", f"/files/{listed['id']}/content").content == b"out.csv"
    api.delete(f"/threads/{thread}")
    assert bench.closed == 1


def test_code_streams_its_source_and_then_its_outputs(make_api: Any) -> None:
    api = make_api(
        [calls(run_code("x = 1\nprint(x)")), "Done."], make_sandbox=lambda: Bench(outcome(logs="1\n"))
    )
    assistant = api.assistant(tools=[{"type": "code_interpreter"}])
    events = api.stream(f"/threads/{api.thread('go')}/runs", {"assistant_id": assistant["id"]})
    parts = [data["delta"] for name, data in events if name == "thread.run.step.delta"]
    calls_seen = [part["step_details"]["tool_calls"][0]["code_interpreter"] for part in parts]
    assert "".join(call.get("input", "") for call in calls_seen) == "x = 1\nprint(x)"
    assert calls_seen[-1] == {"outputs": [{"index": 0, "type": "logs", "logs": "1\n"}]}


def test_code_without_output_has_no_outputs(make_api: Any) -> None:
    api = make_api([calls(run_code("1 + 1")), "Done."], make_sandbox=lambda: Bench(outcome()))
    run = api.run(api.thread("go"), api.assistant(tools=[{"type": "code_interpreter"}])["id"])
    assert api.steps(run)[0]["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"] == []


# other endings


@pytest.mark.parametrize("code", ["server_error", "rate_limit_exceeded", "invalid_prompt"])
def test_a_model_that_gives_up_fails_the_run_with_its_code(make_api: Any, code: Any) -> None:
    def refuse(request: ModelRequest) -> str:
        raise ModelError(code, "no more today")

    api = make_api(refuse)
    run = api.run(api.thread("hi"), api.assistant()["id"])
    assert (run["status"], run["last_error"]) == ("failed", {"code": code, "message": "no more today"})
    assert run["failed_at"] is not None
    assert run["expires_at"] is None


def test_a_model_with_a_mistake_fails_its_run_and_frees_the_thread(make_api: Any) -> None:
    api = make_api(lambda request: {}["missing"])
    thread = api.thread("hi")
    events = api.stream(f"/threads/{thread}/runs", {"assistant_id": api.assistant()["id"]})
    assert names(events)[-1] == "thread.run.failed"
    assert events[-1][1]["last_error"] == {"code": "server_error", "message": "KeyError: 'missing'"}
    api.say(thread, "still there?")


def test_a_tool_that_the_run_does_not_have_fails_it_with_the_tools_it_has(make_api: Any) -> None:
    api = make_api([calls(function_call("delete_everything"))])
    run = api.run(api.thread("hi"), api.assistant(tools=[FUNCTION, SEARCH])["id"])
    assert run["status"] == "failed"
    assert "'delete_everything'" in run["last_error"]["message"]
    assert "['file_search', 'lookup']" in run["last_error"]["message"]


def test_a_model_that_never_ends_is_stopped(make_api: Any) -> None:
    api = make_api(lambda request: calls(file_search("again")))
    run = api.run(api.thread("hi"), api.assistant(tools=[SEARCH])["id"])
    assert run["status"] == "failed"
    assert "without an end" in run["last_error"]["message"]


def test_a_waiting_run_expires_when_it_is_looked_at_too_late(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup"))])
    thread = api.thread("hi")
    run = api.run(thread, api.assistant(tools=[FUNCTION])["id"])
    api.time.forward(599)
    assert api.get(f"/threads/{thread}/runs/{run['id']}")["status"] == "requires_action"
    api.time.forward(1)
    expired = api.get(f"/threads/{thread}/runs/{run['id']}")
    assert (expired["status"], expired["required_action"], expired["expires_at"]) == ("expired", None, None)
    [step] = api.steps(run)
    assert (step["status"], step["expired_at"]) == ("expired", int(api.time.at.timestamp()))
    api.say(thread, "too late")


def test_a_run_that_expires_while_the_model_thinks_ends_expired(make_api: Any) -> None:
    def think(request: ModelRequest) -> str:
        api.time.forward(601)
        return "too late"

    api = make_api(think)
    thread = api.thread("hi")
    assert api.run(thread, api.assistant()["id"])["status"] == "expired"
    assert api.answer(thread)["role"] == "user"


@pytest.mark.in_one_life
def test_a_cancel_while_the_model_thinks_ends_the_run_at_its_next_step(make_api: Any) -> None:
    answers = []

    def think(request: ModelRequest) -> str:
        [run] = api.get(f"/threads/{thread}/runs")["data"]
        answers.append(api.post(f"/threads/{thread}/runs/{run['id']}/cancel"))
        api.refused("POST", f"/threads/{thread}/messages", {"role": "user", "content": "wait"})
        return "never said"

    api = make_api(think)
    thread = api.thread("hi")
    events = api.stream(f"/threads/{thread}/runs", {"assistant_id": api.assistant()["id"]})
    assert answers[0]["status"] == "cancelling"
    assert names(events)[-2:] == ["thread.run.cancelling", "thread.run.cancelled"]
    assert events[-1][1]["cancelled_at"] is not None
    assert api.answer(thread)["role"] == "user"


@pytest.mark.in_one_life
def test_a_cancel_in_the_middle_of_a_message_leaves_it_incomplete(make_api: Any) -> None:
    api = make_api(["word " * 50])
    thread = api.thread("hi")
    reply = api.call(
        "POST", f"/threads/{thread}/runs", {"assistant_id": api.assistant()["id"], "stream": True}
    )
    seen, heard = [], ""
    for name, data in reply.events:
        seen.append(name)
        if name == "thread.message.delta":
            heard += data["delta"]["content"][0]["text"]["value"]
        if seen.count("thread.message.delta") == 2 and name == "thread.message.delta":
            run_id = api.get(f"/threads/{thread}/runs")["data"][0]["id"]
            api.post(f"/threads/{thread}/runs/{run_id}/cancel")
    assert seen[-4:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    assert seen.count("thread.message.delta") == 2
    answer = api.answer(thread)
    assert answer["incomplete_details"] == {"reason": "run_cancelled"}
    assert answer["content"] == [{"type": "text", "text": {"value": heard, "annotations": []}}]


@pytest.mark.in_one_life
def test_a_deleted_thread_takes_its_run_along(make_api: Any) -> None:
    def think(request: ModelRequest) -> str:
        api.delete(f"/threads/{thread}")
        return "to nobody"

    api = make_api(think)
    thread = api.thread("hi")
    events = api.stream(f"/threads/{thread}/runs", {"assistant_id": api.assistant()["id"]})
    assert names(events)[-1] == "thread.run.cancelled"
    api.refused("GET", f"/threads/{thread}")


@pytest.mark.in_one_life
def test_a_failure_after_the_thread_was_deleted_is_no_failure_of_the_server(
    make_api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def think(request: ModelRequest) -> str:
        api.delete(f"/threads/{thread}")
        raise RuntimeError("what it worked on is gone")

    api = make_api(think)
    thread = api.thread("hi")
    events = api.stream(f"/threads/{thread}/runs", {"assistant_id": api.assistant()["id"]})
    assert names(events)[-1] == "thread.run.cancelled"
    assert not caplog.records


# who does the work


def test_a_stream_that_is_given_up_still_comes_to_its_end(api: Api) -> None:
    thread = api.thread("hi")
    reply = api.call(
        "POST", f"/threads/{thread}/runs", {"assistant_id": api.assistant()["id"], "stream": True}
    )
    run = next(reply.events)[1]
    reply.events.close()
    assert api.get(f"/threads/{thread}/runs/{run['id']}")["status"] == "completed"


@pytest.mark.in_one_life
def test_a_stream_that_is_only_forgotten_still_comes_to_its_end(api: Api) -> None:
    thread = api.thread("hi")
    reply = api.call(
        "POST", f"/threads/{thread}/runs", {"assistant_id": api.assistant()["id"], "stream": True}
    )
    api.replies.clear()
    del reply
    assert api.get(f"/threads/{thread}/runs")["data"][0]["status"] == "completed"


@pytest.mark.in_one_life
def test_runs_are_answered_queued_and_worked_on_by_the_server_s_threads(make_api: Any) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def think(request: ModelRequest) -> str:
        begun.set()
        assert go_on.wait(60)
        return "done"

    api = make_api(think, eager=False)
    thread = api.thread("hi")
    run = api.post(f"/threads/{thread}/runs", {"assistant_id": api.assistant()["id"]})
    assert run["status"] == "queued"
    assert begun.wait(60)
    path = f"/threads/{thread}/runs/{run['id']}"
    assert api.get(path)["status"] == "in_progress"
    go_on.set()
    api.app.close()  # waits for what is being done
    assert api.get(path)["status"] == "completed"


@pytest.mark.in_one_life
def test_many_runs_at_once_keep_their_threads_apart(make_api: Any) -> None:
    together = threading.Barrier(8)

    def echo(request: ModelRequest) -> ModelReply:
        together.wait(60)
        return ModelReply(request.messages[-1].content)

    api = make_api(echo, eager=False, workers=8)
    assistant = api.assistant()["id"]
    threads = [api.thread(f"question {number}") for number in range(8)]
    for thread in threads:
        api.post(f"/threads/{thread}/runs", {"assistant_id": assistant})
    api.app.close()
    answers = [api.answer(thread) for thread in threads]
    assert {answer["role"] for answer in answers} == {"assistant"}
    said = [answer["content"][0]["text"]["value"] for answer in answers]
    assert said == [f"question {number}" for number in range(8)]
