"""Everything the server sends is of the types that the openai client declares, checked strictly.

The client itself checks nothing: it hands out whatever came, and a missing field is met only when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from openai.types import FileObject, VectorStore, VectorStoreSearchResponse
from openai.types.beta import Assistant, AssistantStreamEvent, Thread
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.conversations import Conversation, ConversationItem
from openai.types.responses import Response, ResponseItem, ResponseStreamEvent
from openai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch
from pydantic import TypeAdapter

from harness.server.app import App, Request, ServerOptions, Upload
from harness.server.llms.interface import ModelError, ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

DRAW = (
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nopen('/mnt/data/t.csv', 'w').write('a')"
)
LOOKUP = {"name": "lookup", "description": "Looks up.", "parameters": {"type": "object", "properties": {}}}
ASKED = ["words", "search", "code", "call", "everything", "long", "failure"]


def answer(request: ModelRequest) -> ModelReply:
    """Does what the user's word says, and then says what came of it."""
    said = next(message.content for message in reversed(request.messages) if message.role == "user")
    wanted = {
        "search": calls(file_search("moon")),
        "code": calls(run_code(DRAW)),
        "call": calls(function_call("lookup", n=1), function_call("lookup", n=2)),
        "everything": calls(
            file_search("moon"), run_code("1"), function_call("lookup"), content="Let me see."
        ),
        "long": ModelReply("word " * 500),
    }
    if said == "failure":
        raise ModelError("rate_limit_exceeded", "Too much.")
    if request.messages[-1].role == "user" and said in wanted:
        return wanted[said]
    return ModelReply("The moon 【4:0†moon.txt】, see sandbox:/mnt/data/t.csv here.")


@cache
def adapter(kind: Any) -> TypeAdapter[Any]:
    """What checks a type of the client; the unions of events are large."""
    return TypeAdapter(kind)


class Server:
    """A server whose answers are checked as they come."""

    def __init__(self) -> None:
        self.app = App(ServerOptions(models=ModelTable(default=Scripted(answer)), eager=True))

    def get(self, kind: Any, path: str) -> Any:
        return self._checked(kind, self.app.handle(Request("GET", path)).body)

    def post(self, kind: Any, path: str, body: dict[str, Any]) -> Any:
        return self._checked(kind, self.app.handle(Request("POST", path, body)).body)

    def rows(self, kind: Any, path: str) -> list[Any]:
        listed: Any = self.app.handle(Request("GET", path)).body
        return [self._checked(kind, row) for row in listed["data"]]

    def stream(self, kind: Any, path: str, body: dict[str, Any], *, named: bool = False) -> list[Any]:
        events = self.app.handle(Request("POST", path, {**body, "stream": True})).events
        assert events is not None
        return [
            self._checked(kind, {"event": name, "data": data} if named else data) for name, data in events
        ]

    def upload(self, name: str, content: bytes) -> Any:
        upload = Upload(name, content, {"purpose": "assistants"})
        return self._checked(FileObject, self.app.handle(Request("POST", "/files", upload=upload)).body)

    def _checked(self, kind: Any, body: Any) -> Any:
        adapter(kind).validate_python(body)
        return body


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.app.close()


@pytest.fixture(scope="module")
def store(server: Server) -> str:
    """A vector store that knows about the moon."""
    file = server.upload("moon.txt", b"The moon is made of cheese.")["id"]
    life = {"anchor": "last_active_at", "days": 1}
    identifier: str = server.post(
        VectorStore, "/vector_stores", {"name": "n", "file_ids": [file], "expires_after": life}
    )["id"]
    return identifier


def test_vector_stores_their_files_and_what_is_found(server: Server, store: str) -> None:
    path = f"/vector_stores/{store}"
    assert server.get(VectorStore, path)["file_counts"]["completed"] == 1
    [row] = server.rows(VectorStoreFile, f"{path}/files")
    found = server.post(Any, f"{path}/search", {"query": "moon"})
    [hit] = [server._checked(VectorStoreSearchResponse, each) for each in found["data"]]
    assert hit["file_id"] == row["id"]
    batch = server.post(Any, f"{path}/file_batches", {"file_ids": [row["id"]]})
    assert batch["object"] == "vector_store.file_batch"  # as recorded; the client's type says files_batch
    server._checked(VectorStoreFileBatch, {**batch, "object": "vector_store.files_batch"})


@pytest.mark.parametrize("text", ASKED)
def test_runs_their_events_steps_and_messages(server: Server, store: str, text: str) -> None:
    tools = [{"type": "file_search"}, {"type": "code_interpreter"}, {"type": "function", "function": LOOKUP}]
    resources = {"file_search": {"vector_store_ids": [store]}}
    given = {"model": "m", "instructions": "Help.", "tools": tools, "tool_resources": resources}
    assistant = server.post(Assistant, "/assistants", given)["id"]
    body = {"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": text}]}}
    events = server.stream(
        AssistantStreamEvent, "/threads/runs", {**body, "max_completion_tokens": 256}, named=True
    )
    run = events[-1]["data"]
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"
    if run["status"] == "requires_action":
        waiting = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "ok"} for call in waiting]
        server.stream(
            AssistantStreamEvent, f"{path}/submit_tool_outputs", {"tool_outputs": outputs}, named=True
        )
    ended = {"long": "incomplete", "failure": "failed"}.get(text, "completed")
    assert server.get(Run, path)["status"] == ended
    assert len(server.rows(RunStep, f"{path}/steps")) == {"words": 1, "long": 1, "failure": 0}.get(
        text, 3 if text == "everything" else 2
    )
    assert server.rows(Message, f"/threads/{run['thread_id']}/messages")
    server.get(Thread, f"/threads/{run['thread_id']}")


@pytest.mark.parametrize("text", ASKED)
def test_responses_their_events_and_items(server: Server, store: str, text: str) -> None:
    conversation = server.post(Conversation, "/conversations", {"metadata": {"k": "v"}})["id"]
    tools = [
        {"type": "file_search", "vector_store_ids": [store]},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "function", **LOOKUP, "strict": False},
    ]
    include = ["file_search_call.results", "code_interpreter_call.outputs"]
    body = {"model": "m", "input": text, "tools": tools, "include": include, "conversation": conversation}
    events = server.stream(ResponseStreamEvent, "/responses", {**body, "max_output_tokens": 256})
    ended = {"long": "incomplete", "failure": "failed"}.get(text, "completed")
    assert events[-1]["type"] == f"response.{ended}"
    identifier = events[-1]["response"]["id"]
    assert server.get(Response, f"/responses/{identifier}")["status"] == ended
    assert server.rows(ResponseItem, f"/responses/{identifier}/input_items")
    kept = server.rows(ConversationItem, f"/conversations/{conversation}/items")
    assert bool(kept) == (text != "failure")


@pytest.mark.parametrize("text", ["words", "call"])
def test_chat_completions_and_their_chunks(server: Server, text: str) -> None:
    tools = [{"type": "function", "function": LOOKUP}]
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "tools": tools}
    made = server.post(ChatCompletion, "/chat/completions", body)
    assert made["choices"][0]["finish_reason"] == ("stop" if text == "words" else "tool_calls")
    with_usage = {**body, "stream_options": {"include_usage": True}}
    chunks = server.stream(ChatCompletionChunk, "/chat/completions", with_usage)
    assert chunks[-1]["usage"] == made["usage"]
