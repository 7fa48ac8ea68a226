"""The server as a whole: routes, errors, the thread lock under any order of calls, HTTP as direct calls."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.server.app import ROUTES, App, Request, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, function_call

Api = Any
FUNCTION = {"type": "function", "function": {"name": "lookup"}}
TERMINAL = {"completed", "incomplete", "failed", "expired", "cancelled"}


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/threads/thread_1/nowhere", "/models/a/b/c/d/e/f", "", "//"]
)
def test_unknown_paths_are_answered_with_the_envelope(api: Api, path: str) -> None:
    status, error = api.refused("GET", path)
    assert (status, error["code"]) == (404, "unknown_url")
    assert error["message"] == f"Invalid URL (GET /v1{path})"


def test_a_known_path_with_another_method_is_not_allowed(api: Api) -> None:
    status, error = api.refused("PUT", "/assistants")
    assert (status, error["message"]) == (405, "Not allowed to PUT on /v1/assistants.")


def test_every_route_is_reached_and_answers_what_is_not_there_without_failing(api: Api) -> None:
    for method, pattern, _ in ROUTES:
        path = re.sub(r"\{(\w+)\}", lambda match: f"{PREFIXES[match[1]]}none", pattern)
        reply = api.call(method, path)
        assert reply.status in (200, 400, 404), (method, path, reply.body)
        if reply.status != 200:
            assert reply.body["error"]["type"] == "invalid_request_error"


PREFIXES = {
    "assistant": "asst_",
    "batch": "vsfb_",
    "container": "cntr_",
    "conversation": "conv_",
    "file": "file-",
    "item": "msg_",
    "message": "msg_",
    "model": "model-",
    "response": "resp_",
    "run": "run_",
    "step": "step_",
    "store": "vs_",
    "thread": "thread_",
}


def test_request_ids_are_never_given_twice(api: Api) -> None:
    for _ in range(50):
        api.call("GET", "/nowhere")
    ids = [reply.headers["x-request-id"] for reply in api.replies]
    assert len(set(ids)) == 50


def test_the_same_seed_gives_the_same_ids(make_api: Any) -> None:
    first, second = make_api(), make_api()
    assert first.assistant() == second.assistant()
    assert make_api(seed=8).assistant()["id"] != first.assistant()["id"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = """
    model name description instructions tools tool_resources metadata temperature top_p response_format
    reasoning_effort assistant_id thread messages additional_messages additional_instructions stream
    max_prompt_tokens max_completion_tokens truncation_strategy tool_choice parallel_tool_calls role content
    attachments tool_outputs file_ids files file_id attributes chunking_strategy expires_after query filters
    max_num_results ranking_options type function file_search code_interpreter static
    input items conversation previous_response_id include text background store truncation reasoning
    max_output_tokens max_tool_calls memory_limit n stop stream_options max_tokens id
""".split()
# Objects that are nearly right get further into the server than ones made of nothing but chance.
KINDS = """
    message function_call function_call_output file_search_call code_interpreter_call reasoning
    item_reference input_text output_text input_image input_file function file_search code_interpreter auto
""".split()
PARTS = """
    role content text name arguments call_id output queries results code container_id outputs summary
    vector_store_ids container parameters strict file_id file_data filename image_url filters file_ids
""".split()
NEARLY = st.recursive(
    JSON | st.sampled_from(["user", "assistant", "system", "{}", "call_1", "eA=="]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(
            lambda kind, parts: {"type": kind, **parts},
            st.sampled_from(KINDS),
            st.dictionaries(st.sampled_from(PARTS), inner, max_size=4),
        )
    ),
    max_leaves=12,
)
POSTS = [pattern for method, pattern, _ in ROUTES if method == "POST" and pattern != "/files"]


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.sampled_from(POSTS), st.dictionaries(st.sampled_from(FIELDS), JSON | NEARLY, max_size=5), st.data())
def test_no_body_whatsoever_breaks_the_server(
    world: World, pattern: str, body: dict[str, Any], data: st.DataObject
) -> None:
    if data.draw(st.booleans(), label="complete"):
        body = {**world.complete(pattern), **body}
    reply = world.app.handle(Request("POST", world.path(pattern), body))
    assert reply.status in (200, 400, 404)
    if reply.events is not None:
        assert list(reply.events)


class World:
    """A server with one object of each kind, so that requests get past the question whether it exists."""

    def __init__(self) -> None:
        models = ModelTable(default=Scripted(["Fine."], cycle=True))
        self.app = App(ServerOptions(models=models, eager=True, seed=1))
        self.ids = {
            "assistant": self.make("/assistants", model="m"),
            "thread": self.make("/threads", messages=[{"role": "user", "content": "hi"}]),
            "store": self.make("/vector_stores"),
            "batch": "vsfb_none",
            "step": "step_none",
            "file": "file-none",
            "response": self.make("/responses", model="m", input="hi"),
            "conversation": self.make("/conversations"),
            "container": self.make("/containers", name="c"),
        }
        self.ids["message"] = self.make(self.path("/threads/{thread}/messages"), role="user", content="x")
        run = self.make(self.path("/threads/{thread}/runs"), assistant_id=self.ids["assistant"])
        self.ids["run"] = run

    def make(self, path: str, **body: Any) -> str:
        made = self.app.handle(Request("POST", path, body)).body
        assert made is not None
        return str(made["id"])

    def path(self, pattern: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda match: self.ids[match[1]], pattern)

    def complete(self, pattern: str) -> dict[str, Any]:
        """What a request to this path needs at least."""
        needs: dict[str, dict[str, Any]] = {
            "/assistants": {"model": "m"},
            "/threads/runs": {"assistant_id": self.ids["assistant"]},
            "/threads/{thread}/runs": {"assistant_id": self.ids["assistant"]},
            "/threads/{thread}/messages": {"role": "user", "content": "x"},
            "/vector_stores/{store}/search": {"query": "x"},
            "/responses": {"model": "m", "input": "x"},
            "/responses/input_tokens": {"input": "x"},
            "/conversations/{conversation}/items": {"items": []},
            "/containers": {"name": "c"},
            "/chat/completions": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
        }
        return needs.get(pattern, {})


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.app.close()


# the same calls, directly and over HTTP

SCRIPT: list[tuple[str, str, Any]] = [
    ("POST", "/assistants", {"model": "m", "tools": [FUNCTION], "metadata": {"k": "ü"}}),
    ("POST", "/threads", None),
    ("POST", "/threads/{1}/messages", {"role": "user", "content": "Wie geht's?"}),
    ("POST", "/threads/{1}/runs", {"assistant_id": "{0}"}),
    ("GET", "/threads/{1}/runs/{3}", None),
    ("POST", "/threads/{1}/messages", {"role": "user", "content": "locked?"}),
    ("POST", "/threads/{1}/runs/{3}/cancel", None),
    ("GET", "/threads/{1}/runs/{3}/steps", None),
    ("POST", "/threads/{1}/runs", {"assistant_id": "{0}", "stream": True}),
    ("GET", "/threads/{1}/messages", None),
    ("GET", "/threads/thread_none", None),
    ("PUT", "/assistants", None),
    ("GET", "/nowhere/at/all", None),
    ("POST", "/vector_stores", {"name": "kb", "expires_after": {"anchor": "last_active_at", "days": 3}}),
    ("GET", "/files/file-none", None),
    ("DELETE", "/assistants/{0}", None),
]


def filled(value: Any, ids: list[str]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\d+)\}", lambda match: ids[int(match[1])], value)
    return {key: filled(inner, ids) for key, inner in value.items()} if isinstance(value, dict) else value


def over_http(base_url: str, method: str, path: str, body: Any) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(base_url + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(call) as answer:
            text = answer.read().decode()
            streamed = answer.headers["content-type"].startswith("text/event-stream")
            return answer.status, parsed(text) if streamed else json.loads(text)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.loads(refused.read())


def parsed(stream: str) -> list[Any]:
    """Names and data of server-sent events; the end mark is checked and left out."""
    events = [block.split("\n") for block in stream.split("\n\n") if block]
    assert events.pop() == ["event: done", "data: [DONE]"]
    return [[name.removeprefix("event: "), json.loads(data.removeprefix("data: "))] for name, data in events]


def test_direct_calls_and_http_give_equal_answers(make_api: Any) -> None:
    def lines(request: ModelRequest) -> ModelReply:
        asked = sum(message.role == "user" for message in request.messages)
        return (
            calls(function_call("lookup", n=asked))
            if request.messages[-1].role == "user"
            else ModelReply("x")
        )

    direct, served = make_api(lines), make_api(lines)
    ids: list[str] = []
    with background(served.app) as base_url:
        for method, path, body in SCRIPT:
            path, body = filled(path, ids), filled(body, ids)
            reply = direct.call(method, path, body)
            here = reply.body if reply.events is None else [list(event) for event in reply.events]
            assert over_http(base_url, method, path, body) == (reply.status, here)
            ids.append(here.get("id", "") if isinstance(here, dict) else "")
