"""/responses: what is asked, kept, streamed, and how it can end."""

from __future__ import annotations

import base64
import re
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.app import App, Request, ServerOptions
from harness.server.engine import containers
from harness.server.llms.interface import ModelError, ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code

Api = Any
LOOKUP = {"type": "function", "name": "lookup", "parameters": {"type": "object", "properties": {}}}
CODE = {"type": "code_interpreter", "container": {"type": "auto"}}
TEXT_EVENTS = """
    response.created response.in_progress response.output_item.added response.content_part.added
    response.output_text.delta response.output_text.done response.content_part.done
    response.output_item.done response.completed
""".split()
RESULTS = "file_search_call.results"
OUTPUTS = "code_interpreter_call.outputs"


def ask(api: Api, given: Any = "hi", **body: Any) -> dict[str, Any]:
    return api.post("/responses", {"model": "gpt-5.4", "input": given, **body})


def names(events: list[tuple[str, Any]]) -> list[str]:
    """Names of the events, deltas in a row counted once."""
    listed = [name for name, _ in events]
    return [name for i, name in enumerate(listed) if not name.endswith("delta") or listed[i - 1] != name]


def text(response: dict[str, Any]) -> str:
    return response["output"][-1]["content"][0]["text"]


def contents(request: ModelRequest) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in request.messages]


def store_with(api: Api, *texts: str) -> dict[str, Any]:
    """A file_search tool over documents with these texts."""
    files = [api.upload(f"doc{number}.txt", text.encode())["id"] for number, text in enumerate(texts)]
    store = api.post("/vector_stores", {"file_ids": files})["id"]
    return {"type": "file_search", "vector_store_ids": [store]}


def quoting(request: ModelRequest) -> Any:
    """Searches, then quotes the first hit twice with its marker."""
    last = request.messages[-1]
    if last.role != "tool":
        return calls(file_search("tea"))
    first = last.hits[0]
    return f"One {first.marker}. Two{first.marker} {first.marker} end"


def test_a_response_has_every_key(api: Api) -> None:
    made = ask(api, instructions="Be kind.", metadata={"k": "v"}, temperature=0)
    now = int(api.time.at.timestamp())
    [message] = made["output"]
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": "Fine."}
    assert message == {
        "id": message["id"],
        "type": "message",
        "status": "completed",
        "content": [part],
        "role": "assistant",
    }
    assert made == {
        "id": made["id"],
        "object": "response",
        "created_at": now,
        "completed_at": now,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": "Be kind.",
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "gpt-5.4",
        "output": [message],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "conversation": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": True,
        "temperature": 0.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": made["usage"],
        "user": None,
        "metadata": {"k": "v"},
    }
    assert made["usage"]["total_tokens"] == made["usage"]["input_tokens"] + made["usage"]["output_tokens"]
    assert made["id"].startswith("resp_")
    assert api.get(f"/responses/{made['id']}") == made


def test_a_response_is_answered_by_the_same_models_as_a_run(api: Api) -> None:
    ask(api, "one", instructions="Be kind.", temperature=0.5, reasoning={"effort": "low"})
    [request] = api.model.requests
    assert (request.model, request.instructions, contents(request)) == (
        "gpt-5.4",
        "Be kind.",
        [("user", "one")],
    )
    assert request.options == {
        "temperature": 0.5,
        "top_p": 1.0,
        "reasoning_effort": "low",
        "parallel_tool_calls": True,
    }


# going on


def test_the_next_response_knows_what_was_said_before_but_not_the_instructions(api: Api) -> None:
    first = ask(api, "one", instructions="Be kind.")
    second = ask(api, "two", previous_response_id=first["id"])
    ask(api, "three", previous_response_id=second["id"])
    request = api.model.requests[-1]
    said = [
        ("user", "one"),
        ("assistant", "Fine."),
        ("user", "two"),
        ("assistant", "Fine."),
        ("user", "three"),
    ]
    assert (contents(request), request.instructions) == (said, "")


def test_two_responses_may_go_on_from_the_same_one(api: Api) -> None:
    first = ask(api, "one")
    for said in ("left", "right"):
        ask(api, said, previous_response_id=first["id"])
        assert contents(api.model.requests[-1])[-1] == ("user", said)
        assert len(api.model.requests[-1].messages) == 3


def test_a_response_that_was_not_stored_cannot_be_gone_on_from(api: Api) -> None:
    made = ask(api, store=False)
    assert api.refused("GET", f"/responses/{made['id']}")[0] == 404
    body = {"model": "m", "input": "x", "previous_response_id": made["id"]}
    status, error = api.refused("POST", "/responses", body)
    assert (status, error["code"]) == (400, "previous_response_not_found")
    assert error["message"] == f"Previous response with id '{made['id']}' not found."


def test_system_and_developer_messages_add_to_the_instructions(api: Api) -> None:
    given = [
        {"role": "developer", "content": "Answer in one word."},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
        },
        {"role": "assistant", "content": "Yes."},
        {"type": "message", "role": "user", "content": "c"},
    ]
    ask(api, given, instructions="Be kind.")
    [request] = api.model.requests
    assert request.instructions == "Be kind.\n\nAnswer in one word."
    assert contents(request) == [("user", "a\nb"), ("assistant", "Yes."), ("user", "c")]


def test_output_can_be_sent_back_as_input_when_nothing_is_stored(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup", id=7)), "Done."])
    first = ask(api, "question", tools=[LOOKUP], store=False)
    [call] = first["output"]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
    given = [{"role": "user", "content": "question"}, call, output]
    assert text(ask(api, given, tools=[LOOKUP], store=False)) == "Done."
    assert [message.role for message in api.model.requests[-1].messages] == ["user", "assistant", "tool"]


# function calls


def test_function_calls_complete_the_response_and_their_outputs_start_the_next(make_api: Any) -> None:
    two = calls(function_call("lookup", id=1), function_call("lookup", id=2))
    api = make_api([two, "Both."])
    first = ask(api, "question", tools=[LOOKUP])
    assert first["status"] == "completed"
    one, other = first["output"]
    assert one == {
        "id": one["id"],
        "type": "function_call",
        "status": "completed",
        "arguments": '{"id":1}',
        "call_id": one["call_id"],
        "name": "lookup",
    }
    outputs = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": f"value {number}"}
        for number, call in enumerate((one, other))
    ]
    second = ask(api, outputs, tools=[LOOKUP], previous_response_id=first["id"])
    assert text(second) == "Both."
    messages = api.model.requests[-1].messages
    assert [message.role for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [request.arguments for request in messages[1].tool_requests] == [{"id": 1}, {"id": 2}]
    assert [(message.answers, message.content) for message in messages[2:]] == [
        (one["call_id"], "value 0"),
        (other["call_id"], "value 1"),
    ]


def test_a_question_sent_again_before_the_output_is_answered_with_that_output(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup", id=1), function_call("lookup", id=2)), "Done."])
    first = ask(api, "question", tools=[LOOKUP])
    outputs = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": call["arguments"]}
        for call in first["output"]
    ]
    again = [{"role": "user", "content": "question"}, *outputs]
    ask(api, again, tools=[LOOKUP], previous_response_id=first["id"])
    messages = api.model.requests[-1].messages
    assert [message.role for message in messages] == ["user", "user", "assistant", "tool", "tool"]
    assert [message.content for message in messages[3:]] == ['{"id":1}', '{"id":2}']


def test_calls_and_outputs_must_belong_together(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup"))])
    first = ask(api, tools=[LOOKUP])
    call_id = first["output"][0]["call_id"]
    body = {"model": "m", "input": "never mind", "previous_response_id": first["id"]}
    status, error = api.refused("POST", "/responses", body)
    assert (status, error["message"]) == (400, f"No tool output found for function call {call_id}.")
    loose = [{"type": "function_call_output", "call_id": "call_x", "output": "1"}]
    status, error = api.refused("POST", "/responses", {"model": "m", "input": loose})
    assert (status, error["param"]) == (400, "input")
    assert "call_x" in error["message"]


def test_flat_tools_are_echoed_with_their_defaults_and_given_to_the_model_nested(api: Api) -> None:
    search = store_with(api, "Tea.")
    made = ask(api, tools=[LOOKUP, search, CODE])
    function, searched, code = made["tools"]
    assert function == {**LOOKUP, "description": None, "strict": True}
    assert searched == {
        **search,
        "filters": None,
        "max_num_results": 20,
        "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
    }
    assert code == CODE
    [request] = api.model.requests
    assert [tool["type"] for tool in request.tools] == ["function", "file_search", "code_interpreter"]
    assert request.tools[0]["function"]["name"] == "lookup"


def test_a_forced_function_is_forced_once_and_echoed_flat(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup")), "Done."])
    choice = {"type": "function", "name": "lookup"}
    first = ask(api, tools=[LOOKUP], tool_choice=choice)
    assert first["tool_choice"] == choice
    assert api.model.requests[0].tool_choice == {"type": "function", "function": {"name": "lookup"}}


def test_a_forced_search_is_made_even_if_the_model_would_not(make_api: Any) -> None:
    api = make_api(["Tea is hot."])
    made = ask(api, "tea", tools=[store_with(api, "Tea.")], tool_choice={"type": "file_search"})
    assert [item["type"] for item in made["output"]] == ["file_search_call", "message"]
    assert made["output"][0]["queries"] == ["tea"]


def test_allowed_tools_keep_the_others_from_the_model(api: Api) -> None:
    other = {**LOOKUP, "name": "other"}
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "other"}]}
    made = ask(api, tools=[LOOKUP, other], tool_choice=choice)
    assert made["tool_choice"] == choice
    [request] = api.model.requests
    assert [tool["function"]["name"] for tool in request.tools] == ["other"]
    assert request.tool_choice == "required"


def test_structured_output_is_asked_of_the_model_in_its_own_form(make_api: Any) -> None:
    api = make_api(['{"n": 1}'])
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    wanted = {"type": "json_schema", "name": "count", "schema": schema}
    made = ask(api, text={"format": wanted})
    assert made["text"]["format"] == {**wanted, "description": None, "strict": True}
    assert api.model.requests[0].response_format["json_schema"]["schema"] == schema


# file_search


def test_citations_are_positions_in_a_text_without_markers(make_api: Any) -> None:
    api = make_api(quoting, cycle=False)
    made = ask(api, "tea?", tools=[store_with(api, "Tea is served hot.")])
    part = made["output"][-1]["content"][0]
    assert part["text"] == "One. Two end"
    assert [note["index"] for note in part["annotations"]] == [3, 8, 8]
    assert {note["type"] for note in part["annotations"]} == {"file_citation"}
    assert part["annotations"][0]["filename"] == "doc0.txt"


def test_results_come_only_when_they_are_asked_for(make_api: Any) -> None:
    api = make_api(quoting, cycle=False)
    tools = [store_with(api, "Tea is served hot.")]
    without, included = ask(api, "tea?", tools=tools), ask(api, "tea?", tools=tools, include=[RESULTS])
    assert without["output"][0]["results"] is None
    [result] = included["output"][0]["results"]
    assert set(result) == {"file_id", "filename", "score", "attributes", "text"}
    assert result["text"] == "Tea is served hot."
    later = api.get(f"/responses/{without['id']}", include=RESULTS)
    assert later["output"][0]["results"][0]["text"] == "Tea is served hot."


def test_max_num_results_and_filters_limit_a_search(make_api: Any) -> None:
    api = make_api([calls(file_search("tea")), "Done."])
    tool = store_with(api, "Tea one.", "Tea two.", "Tea three.")
    store = tool["vector_store_ids"][0]
    [first, *_] = api.get(f"/vector_stores/{store}/files")["data"]
    api.post(f"/vector_stores/{store}/files/{first['id']}", {"attributes": {"kind": "kept"}})

    def found(**options: Any) -> list[str]:
        made = ask(api, "tea", tools=[{**tool, **options}], include=[RESULTS])
        return [result["file_id"] for result in made["output"][0]["results"]]

    assert len(found()) == 3
    assert len(found(max_num_results=2)) == 2
    assert found(filters={"type": "eq", "key": "kind", "value": "kept"}) == [first["id"]]


def test_what_was_found_for_an_earlier_question_is_not_told_again(make_api: Any) -> None:
    api = make_api(quoting, cycle=False)
    tools = [store_with(api, "Tea is served hot.")]
    first = ask(api, "tea?", tools=tools)
    ask(api, "and cold?", tools=tools, previous_response_id=first["id"])
    request = next(each for each in reversed(api.model.requests) if each.messages[-1].role == "user")
    assert [message.role for message in request.messages] == ["user", "assistant", "user"]
    assert "【" in request.messages[1].content


def test_a_search_before_a_function_call_can_still_be_cited_after_it(make_api: Any) -> None:
    def model(request: ModelRequest) -> Any:
        asked = [one.name for message in request.messages for one in message.tool_requests]
        if not asked:
            return calls(file_search("tea"))
        if asked == ["file_search"]:
            return calls(function_call("lookup"))
        [hit] = [hit for message in request.messages for hit in message.hits]
        return f"Hot {hit.marker}"

    api = make_api(model, cycle=False)
    tools = [store_with(api, "Tea is served hot."), LOOKUP]
    first = ask(api, "tea?", tools=tools)
    assert [item["type"] for item in first["output"]] == ["file_search_call", "function_call"]
    output = {"type": "function_call_output", "call_id": first["output"][1]["call_id"], "output": "x"}
    second = ask(api, [output], tools=tools, previous_response_id=first["id"])
    assert second["output"][0]["content"][0]["annotations"][0]["index"] == 3


QUESTIONS = ("How do I export my data?", "What is the capital of France?", "In which format?")


def test_the_reference_assistant_answers_the_same_as_on_a_thread(make_api: Any) -> None:
    api = make_api(models=ModelTable())
    document = "Export: open Settings and choose Export. The export format is CSV. Exports take a minute."
    tool = store_with(api, document)
    instructions = "Answer questions about the product from the documents."
    resources = {"file_search": {"vector_store_ids": tool["vector_store_ids"]}}
    assistant = api.assistant(
        instructions=instructions, tools=[{"type": "file_search"}], tool_resources=resources
    )
    thread, conversation = api.thread(), api.post("/conversations")["id"]
    for question in QUESTIONS:
        api.say(thread, question)
        api.run(thread, assistant["id"])
        on_thread = api.answer(thread)["content"][0]["text"]
        made = ask(api, question, instructions=instructions, tools=[tool], conversation=conversation)
        part = made["output"][-1]["content"][0]
        assert re.sub(r" ?【[^】]*】", "", on_thread["value"]) == part["text"]
        assert len(on_thread["annotations"]) == len(part["annotations"])


# code_interpreter

PLOT = """
import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.show()
open('/mnt/data/out.csv', 'w').write('a,b')
print('made')
"""


def coder(request: ModelRequest) -> Any:
    last = request.messages[-1]
    return "See sandbox:/mnt/data/out.csv now." if last.role == "tool" else calls(run_code(PLOT))


def test_code_runs_in_a_container_and_its_files_are_cited_and_downloaded(make_api: Any) -> None:
    api = make_api(coder, cycle=False)
    made = ask(api, "plot", tools=[CODE], include=[OUTPUTS])
    call, message = made["output"]
    assert (call["type"], call["code"]) == ("code_interpreter_call", PLOT)
    assert [output["type"] for output in call["outputs"]] == ["logs", "image"]
    assert call["outputs"][1]["url"].startswith("data:image/png;base64,")
    image, linked = message["content"][0]["annotations"]
    assert (image["type"], image["start_index"], image["end_index"]) == ("container_file_citation", 0, 0)
    said = message["content"][0]["text"]
    assert said[linked["start_index"] : linked["end_index"]] == "sandbox:/mnt/data/out.csv"
    path = f"/containers/{call['container_id']}/files/{linked['file_id']}"
    assert api.call("GET", f"{path}/content").content == b"a,b"
    assert api.get(path)["source"] == "assistant"
    assert api.get(f"/responses/{made['id']}")["output"][0]["outputs"] is not None


@pytest.mark.in_one_life
def test_an_automatic_container_goes_on_with_the_talk_and_a_named_one_is_used(make_api: Any) -> None:
    lines = [
        calls(run_code("x = 7")),
        "a",
        calls(run_code("print(x)")),
        "b",
        calls(run_code("print(x)")),
        "c",
    ]
    api = make_api(lines)
    first = ask(api, "one", tools=[CODE])
    second = ask(api, "two", tools=[CODE], previous_response_id=first["id"], include=[OUTPUTS])
    container = first["output"][0]["container_id"]
    assert second["output"][0]["container_id"] == container
    assert second["output"][0]["outputs"] == [{"type": "logs", "logs": "7\n"}]
    named = ask(api, "three", tools=[{**CODE, "container": container}], include=[OUTPUTS])
    assert named["output"][0]["outputs"] == [{"type": "logs", "logs": "7\n"}]


def test_files_of_the_input_lie_in_the_container(make_api: Any) -> None:
    api = make_api([calls(run_code("print(open('/mnt/data/a.csv').read())")), "Read."])
    file = api.upload("a.csv", b"x,y")["id"]
    content = [{"type": "input_file", "file_id": file}, {"type": "input_text", "text": "sum it"}]
    made = ask(api, [{"role": "user", "content": content}], tools=[CODE], include=[OUTPUTS])
    assert made["output"][0]["outputs"] == [{"type": "logs", "logs": "x,y\n"}]
    request = api.model.requests[0]
    assert [info.filename for info in request.files] == ["a.csv"]
    assert request.messages[0].content == "[file a.csv]\nsum it"


def test_without_code_the_model_reads_the_text_of_a_file_that_is_sent_along(api: Api) -> None:
    data = "data:text/plain;base64," + base64.b64encode(b"Tea is hot.").decode()
    content = [{"type": "input_file", "filename": "../tea.txt", "file_data": data}]
    ask(api, [{"role": "user", "content": content}])
    assert api.model.requests[0].messages[0].content == "[file tea.txt]\nTea is hot."


def test_a_file_without_text_is_refused_before_anything_is_made(api: Api) -> None:
    data = base64.b64encode(b"\0\1\2").decode()
    content = [{"type": "input_file", "filename": "x.bin", "file_data": data}]
    body = {"model": "m", "input": [{"role": "user", "content": content}]}
    status, error = api.refused("POST", "/responses", body)
    assert (status, error["param"]) == (400, "input")
    assert "x.bin" in error["message"]


def test_a_container_expires_after_twenty_minutes_without_use(api: Api) -> None:
    container = api.post("/containers", {"name": "mine"})
    api.time.forward(20 * 60)
    assert api.get(f"/containers/{container['id']}")["status"] == "expired"
    body = {"model": "m", "input": "x", "tools": [{**CODE, "container": container["id"]}]}
    status, error = api.refused("POST", "/responses", body)
    assert (status, error["message"]) == (400, f"Container with id '{container['id']}' is expired.")


def test_containers_hold_uploads_and_copies_until_they_are_deleted(api: Api) -> None:
    file = api.upload("a.csv", b"x,y")["id"]
    container = api.post("/containers", {"name": "mine", "file_ids": [file], "memory_limit": "4g"})
    path = f"/containers/{container['id']}"
    assert container["expires_after"] == {"anchor": "last_active_at", "minutes": 20}
    [copy] = api.get(f"{path}/files")["data"]
    assert (copy["path"], copy["source"], copy["bytes"]) == ("/mnt/data/a.csv", "user", 3)
    assert api.post(f"{path}/files", {"file_id": file}) == copy
    assert api.delete(f"{path}/files/{copy['id']}")["deleted"]
    assert api.get(f"{path}/files")["data"] == []
    assert [row["id"] for row in api.get("/containers")["data"]] == [container["id"]]
    assert api.delete(path) == {"id": container["id"], "object": "container.deleted", "deleted": True}
    assert api.refused("GET", path)[0] == 404


def test_containers_are_listed_by_name_and_never_have_a_network(api: Api) -> None:
    closed = {"type": "disabled"}
    first = api.post("/containers", {"name": "one", "network_policy": closed})
    api.post("/containers", {"name": "two"})
    assert [row["id"] for row in api.get("/containers", name="one")["data"]] == [first["id"]]
    code = {"type": "code_interpreter", "container": {"type": "auto", "network_policy": closed}}
    assert api.post("/responses", {"model": "m", "input": "hi", "tools": [code]})["status"] == "completed"
    open_body = {"name": "three", "network_policy": {"type": "allowlist", "allowed_domains": ["a.b"]}}
    assert api.refused("POST", "/containers", open_body)[0] == 400


def test_marks_for_caches_are_accepted_in_every_part(api: Api) -> None:
    part = {"type": "input_text", "text": "hello", "prompt_cache_breakpoint": {"mode": "explicit"}}
    body = {
        "model": "m",
        "input": [{"role": "user", "content": [part]}],
        "prompt_cache_options": {"ttl": "30m"},
    }
    assert api.post("/responses", body)["status"] == "completed"


@pytest.mark.in_one_life
def test_of_too_many_containers_the_longest_unused_lose_their_variables_but_no_files(
    make_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MOST_IDLE_SESSIONS", 1)
    write = calls(run_code("x = 1; open('/mnt/data/kept.txt', 'w').write('kept')"))
    look = calls(run_code("print('x' in globals(), open('/mnt/data/kept.txt').read())"))
    api = make_api([write, "a", write, "b", write, "c", look, "d", look, "e"])
    used = []
    for _ in range(3):
        used.append(ask(api, tools=[CODE])["output"][0]["container_id"])
        api.time.forward(1)
    printed = []
    for container in (used[2], used[0]):
        made = ask(api, tools=[{**CODE, "container": container}], include=[OUTPUTS])
        printed.append(made["output"][0]["outputs"][0]["logs"])
    assert printed == ["True kept\n", "False kept\n"]


# items that come back from clients


def test_calls_of_hosted_tools_that_clients_send_back_are_told_with_their_results(api: Api) -> None:
    result = {"file_id": "file-1", "filename": "tea.txt", "score": 0.5, "attributes": {}, "text": "Hot."}
    given = [
        {"role": "user", "content": "tea?"},
        {"type": "reasoning", "summary": []},
        {
            "type": "file_search_call",
            "id": "fs_1",
            "queries": ["tea"],
            "results": [result],
            "status": "completed",
        },
        {
            "type": "code_interpreter_call",
            "id": "ci_1",
            "code": "print(1)",
            "container_id": "cntr_1",
            "outputs": [{"type": "logs", "logs": "1"}, {"type": "image", "url": "data:,"}],
        },
    ]
    ask(api, given, store=False)
    _, asked, found, printed = api.model.requests[0].messages
    assert [request.kind for request in asked.tool_requests] == ["file_search", "code_interpreter"]
    assert found.hits[0].text == "Hot."
    assert printed.content == "1"


def test_images_refusals_and_outputs_in_parts_are_told_as_text(api: Api) -> None:
    picture = api.upload("a.png", b"x", purpose="vision")["id"]
    parts = [
        {"type": "input_image", "image_url": "https://example.org/a.png"},
        {"type": "input_image", "file_id": picture, "detail": "low"},
    ]
    given = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "4"}]},
    ]
    ask(api, given)
    said = [message.content for message in api.model.requests[0].messages]
    assert said == [f"[image https://example.org/a.png]\n[image {picture}]", "No.", "", "4"]


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_image"}, ""),
        ({"type": "input_image", "file_id": "file-none"}, None),
        ({"type": "input_file"}, ""),
        ({"type": "input_file", "file_url": "https://example.org/a.pdf"}, ".file_url"),
        ({"type": "input_file", "file_data": "no base64!"}, ".file_data"),
        ({"type": "input_text"}, ".text"),
        (5, ""),
    ],
)
def test_a_wrong_part_of_a_message_is_named(api: Api, part: Any, param: str | None) -> None:
    body = {"model": "m", "input": [{"role": "user", "content": [part]}]}
    status, error = api.refused("POST", "/responses", body)
    expected = (404, "id") if param is None else (400, f"input[0].content[0]{param}")
    assert (status, error["param"]) == expected


# limits and ends


def test_an_answer_over_its_limit_is_incomplete(make_api: Any) -> None:
    api = make_api(["many words " * 40])
    made = ask(api, max_output_tokens=16)
    assert (made["status"], made["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert made["output"][0]["status"] == "incomplete"
    assert made["usage"]["output_tokens"] == 16


def test_the_limit_of_the_output_counts_over_all_completions(make_api: Any) -> None:
    api = make_api([calls(file_search("tea")), "many words " * 40])
    made = ask(api, tools=[store_with(api, "Tea.")], max_output_tokens=20)
    assert made["status"] == "incomplete"
    assert [item["status"] for item in made["output"]] == ["completed", "incomplete"]
    assert made["usage"]["output_tokens"] == 20
    assert api.model.requests[-1].max_completion_tokens < 20


def test_hosted_calls_over_max_tool_calls_are_ignored(make_api: Any) -> None:
    def model(request: ModelRequest) -> Any:
        hosted = any(tool["type"] == "file_search" for tool in request.tools)
        return calls(file_search("a"), file_search("b")) if hosted else "Done."

    api = make_api(model, cycle=False)
    made = ask(api, tools=[store_with(api, "Tea.")], max_tool_calls=3)
    kinds = [item["type"] for item in made["output"]]
    assert kinds == ["file_search_call"] * 3 + ["message"]


@pytest.mark.parametrize("said", ["", "I would look again."])
def test_a_model_that_goes_on_calling_after_max_tool_calls_is_asked_once_more_and_then_the_response_ends(
    make_api: Any, said: str
) -> None:
    api = make_api([calls(file_search("tea"), content=said)])
    made = ask(api, tools=[store_with(api, "Tea.")], max_tool_calls=2)
    assert len(api.model.requests) == 3
    assert made["status"] == "completed"
    assert [item["type"] for item in made["output"]].count("file_search_call") == 2
    assert made["output"][-1]["content"][0]["text"] == said


def test_a_model_that_cannot_answer_fails_the_response(make_api: Any) -> None:
    def model(request: ModelRequest) -> Any:
        raise ModelError("rate_limit_exceeded", "Slow down.")

    made = ask(make_api(model, cycle=False))
    assert (made["status"], made["output"]) == ("failed", [])
    assert made["error"] == {"code": "rate_limit_exceeded", "message": "Slow down."}
    assert made["completed_at"] is None


def test_a_call_of_a_tool_that_is_not_there_fails_the_response(make_api: Any) -> None:
    made = ask(make_api([calls(function_call("other"))]), tools=[LOOKUP])
    assert made["status"] == "failed"
    assert "'other'" in made["error"]["message"]


def test_a_talk_larger_than_the_window_is_refused_or_truncated(make_api: Any) -> None:
    api = make_api(context_tokens=300)
    given = [{"role": "user", "content": f"{number} " + "word " * 60} for number in range(12)]
    status, error = api.refused("POST", "/responses", {"model": "m", "input": given})
    assert (status, error["code"], error["param"]) == (400, "context_length_exceeded", "input")
    assert ask(api, given, truncation="auto")["status"] == "completed"
    kept = contents(api.model.requests[-1])
    assert kept[0][1] == given[0]["content"]
    assert kept[-1][1] == given[-1]["content"]
    assert len(kept) < 12


def test_input_tokens_are_what_the_response_then_reads(api: Api) -> None:
    asked = {"model": "gpt-5.4", "input": "How many?", "instructions": "Count.", "tools": [LOOKUP]}
    counted = api.post("/responses/input_tokens", asked)
    assert counted == {
        "object": "response.input_tokens",
        "input_tokens": api.post("/responses", asked)["usage"]["input_tokens"],
    }
    assert len(api.model.requests) == 1


# streams


def stream(api: Api, given: Any = "hi", **body: Any) -> list[tuple[str, dict[str, Any]]]:
    return api.stream("/responses", {"model": "gpt-5.4", "input": given, **body})


def test_a_text_streams_in_the_recorded_order(api: Api) -> None:
    events = stream(api)
    assert names(events) == TEXT_EVENTS
    assert [data["sequence_number"] for _, data in events] == list(range(len(events)))
    assert all(data["type"] == name for name, data in events)
    assert events[0][1]["response"]["status"] == "in_progress"
    assert events[0][1]["response"]["output"] == []
    assert events[-1][1]["response"] == api.get(f"/responses/{events[-1][1]['response']['id']}")


def test_a_search_streams_its_stages_and_each_citation_after_its_text(make_api: Any) -> None:
    api = make_api(quoting, cycle=False)
    events = stream(api, "tea?", tools=[store_with(api, "Tea is served hot.")])
    assert names(events)[2:8] == [
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
        "response.output_item.added",
    ]
    said = ""
    for name, data in events:
        if name == "response.output_text.delta":
            said += data["delta"]
        elif name == "response.output_text.annotation.added":
            assert data["annotation"]["index"] == len(said)
    assert said == "One. Two end"


def test_code_streams_before_it_runs(make_api: Any) -> None:
    events = stream(make_api([calls(run_code("print(1)")), "Done."]), "run", tools=[CODE])
    assert names(events)[2:10] == [
        "response.output_item.added",
        "response.code_interpreter_call.in_progress",
        "response.code_interpreter_call_code.delta",
        "response.code_interpreter_call_code.done",
        "response.code_interpreter_call.interpreting",
        "response.code_interpreter_call.completed",
        "response.output_item.done",
        "response.output_item.added",
    ]


def test_a_function_call_streams_its_arguments(make_api: Any) -> None:
    events = stream(make_api([calls(function_call("lookup", words="a b c d e f"))]), tools=[LOOKUP])
    assert names(events)[2:] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    deltas = [data["delta"] for name, data in events if name.endswith(".delta")]
    assert "".join(deltas) == '{"words":"a b c d e f"}'
    assert events[2][1]["item"]["arguments"] == ""


@pytest.mark.parametrize(
    ("line", "last"),
    [("many words " * 40, "response.incomplete"), (ModelReply(tool_requests=()), "response.completed")],
)
def test_a_stream_ends_with_how_the_response_ended(make_api: Any, line: Any, last: str) -> None:
    assert stream(make_api([line]), max_output_tokens=16)[-1][0] == last


def test_a_failure_is_the_last_event_of_its_stream(make_api: Any) -> None:
    events = stream(make_api([calls(function_call("other"))]), tools=[LOOKUP])
    assert names(events) == ["response.created", "response.in_progress", "response.failed"]
    assert events[-1][1]["response"]["error"]["code"] == "server_error"


def test_a_stream_that_nobody_reads_to_its_end_is_finished_all_the_same(api: Api) -> None:
    reply = api.call("POST", "/responses", {"model": "m", "input": "hi", "stream": True})
    response_id = next(reply.events)[1]["response"]["id"]
    reply.events.close()
    assert api.get(f"/responses/{response_id}")["status"] == "completed"


@given(
    st.lists(st.sampled_from(["word ", "【4:0†doc0.txt】", " ", ".", "【9:9†x】", "\n", "ü"]), max_size=12)
)
def test_streamed_pieces_always_make_up_the_text_and_positions_lie_in_it(parts: list[str]) -> None:
    lines = iter([calls(file_search("tea")), "".join(parts)])
    model = Scripted(lambda _: next(lines))
    with App(ServerOptions(models=ModelTable(default=model), eager=True, seed=1)) as app:
        store = app.handle(Request("POST", "/vector_stores", {})).body
        assert store is not None
        tool = {"type": "file_search", "vector_store_ids": [store["id"]]}
        body = {"model": "m", "input": "q", "tools": [tool], "stream": True}
        events = list(app.handle(Request("POST", "/responses", body)).events or ())
    part = events[-1][1]["response"]["output"][-1]["content"][0]
    deltas = [data["delta"] for name, data in events if name == "response.output_text.delta"]
    assert "".join(deltas) == part["text"]
    assert all(0 <= note["index"] <= len(part["text"]) for note in part["annotations"])


# background


def test_a_response_in_the_background_is_queued_then_polled(api: Api) -> None:
    queued = ask(api, background=True)
    assert (queued["status"], queued["output"], queued["usage"]) == ("queued", [], None)
    assert api.replies[-1].headers["openai-poll-after-ms"] == "20"
    done = api.get(f"/responses/{queued['id']}")
    assert (done["status"], text(done)) == ("completed", "Fine.")
    assert api.post(f"/responses/{queued['id']}/cancel") == done


def test_its_stream_can_be_read_again_from_any_event(api: Api) -> None:
    events = stream(api, background=True)
    assert names(events)[:3] == ["response.created", "response.queued", "response.in_progress"]
    path = f"/responses/{events[-1][1]['response']['id']}"
    assert list(api.call("GET", path, stream="true").events) == events
    assert list(api.call("GET", path, stream="true", starting_after=4).events) == events[5:]
    assert list(api.call("GET", path, stream="true", starting_after=99).events) == []
    assert api.refused("GET", path, stream="true", starting_after="x")[0] == 400


def test_cancelling_stops_a_response_in_the_background() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow(request: ModelRequest) -> str:
        asked.set()
        assert go_on.wait(60)
        return "Too late."

    with App(ServerOptions(models=ModelTable(default=Scripted(slow)))) as app:
        body = {"model": "m", "input": "hi", "background": True}
        made = app.handle(Request("POST", "/responses", body)).body
        assert made is not None
        path = f"/responses/{made['id']}"
        assert asked.wait(60)
        cancelled = app.handle(Request("POST", f"{path}/cancel")).body
        assert cancelled is not None
        assert cancelled["status"] == "cancelled"
        again = app.handle(Request("GET", path, query={"stream": ["true"]}))
        go_on.set()
        assert [name for name, _ in again.events or ()] == [
            "response.created",
            "response.queued",
            "response.in_progress",
        ]
    after = app.handle(Request("GET", path)).body
    assert after is not None
    assert (after["status"], after["output"]) == ("cancelled", [])


def test_only_background_responses_are_cancelled_or_streamed_again(api: Api) -> None:
    path = f"/responses/{ask(api)['id']}"
    status, error = api.refused("POST", f"{path}/cancel")
    assert (status, error["message"]) == (400, "Cannot cancel a synchronous response.")
    assert api.refused("GET", path, stream="true")[0] == 400
    status, error = api.refused(
        "POST", "/responses", {"model": "m", "input": "x", "background": True, "store": False}
    )
    assert (status, error["param"]) == (400, "background")


# what is kept


def test_input_items_are_listed_newest_first_with_all_their_parts(api: Api) -> None:
    given = [{"role": "user", "content": "one"}, {"role": "user", "content": "two"}]
    path = f"/responses/{ask(api, given)['id']}/input_items"
    listed = api.get(path)
    newest, oldest = listed["data"]
    part = {"type": "input_text", "text": "two"}
    whole = {"id": newest["id"], "type": "message", "status": "completed", "role": "user", "content": [part]}
    assert newest == whole
    assert [row["id"] for row in api.get(path, order="asc")["data"]] == [oldest["id"], newest["id"]]
    assert api.get(path, limit=1)["has_more"]
    assert api.get(path, after=newest["id"])["data"] == [oldest]


def test_a_deleted_response_is_gone(api: Api) -> None:
    made = ask(api)
    assert api.delete(f"/responses/{made['id']}") == {"id": made["id"], "object": "response", "deleted": True}
    status, error = api.refused("GET", f"/responses/{made['id']}")
    assert (status, error["message"]) == (404, f"Response with id '{made['id']}' not found.")


def test_items_can_be_referred_to_by_id_and_not_sent_twice(api: Api) -> None:
    first = ask(api, "one")
    reference = {"type": "item_reference", "id": first["output"][0]["id"]}
    ask(api, [{"role": "user", "content": "a"}, reference, {"role": "user", "content": "b"}])
    assert contents(api.model.requests[-1]) == [("user", "a"), ("assistant", "Fine."), ("user", "b")]
    body = {"model": "m", "input": [reference], "previous_response_id": first["id"]}
    assert "Duplicate item" in api.refused("POST", "/responses", body)[1]["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": []}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "text5"}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": "unheard_of"}]}, "input[0].type"),
        ({"input": [{"type": "item_reference", "id": "msg_x"}]}, "input[0].id"),
        (
            {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "[1]"}]},
            "input[0].arguments",
        ),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "name": "a b"}]}, "tools[0].name"),
        ({"tools": [{"type": "file_search"}]}, "tools[0].vector_store_ids"),
        ({"tools": [{"type": "code_interpreter"}]}, "tools[0].container"),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "own"}}]}, "tools[0].container.type"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"max_output_tokens": 15}, "max_output_tokens"),
        ({"include": ["everything"]}, "include"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"truncation": "middle"}, "truncation"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"conversation": "thread_x"}, "conversation_id"),
        ({"temperature": 3}, "temperature"),
        ({"prompt": {"id": "pmpt_x"}}, "prompt"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_asked(api: Api, body: dict[str, Any], param: str) -> None:
    status, error = api.refused("POST", "/responses", {"model": "m", "input": "hi", **body})
    assert status in (400, 404)
    assert error["param"] == param
    assert not api.model.requests


def test_an_unknown_vector_store_or_container_is_a_404(api: Api) -> None:
    for tool in (
        {"type": "file_search", "vector_store_ids": ["vs_x"]},
        {"type": "code_interpreter", "container": "cntr_x"},
    ):
        assert api.refused("POST", "/responses", {"model": "m", "input": "x", "tools": [tool]})[0] == 404
