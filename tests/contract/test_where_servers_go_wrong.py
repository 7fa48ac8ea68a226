"""Faults that other servers of this API have, each as the client's user would meet it.

Every test here fails with its fault: lists the wrong way round, ids sent twice, ranges counted in bytes ...
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx
import openai
import pytest
from openai import AssistantEventHandler, OpenAI

from harness.clock import Clock
from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FUNCTION = {"type": "function", "function": {"name": "lookup"}}
SEARCH = {"type": "file_search"}
INCLUDE = "step_details.tool_calls[*].file_search.results[*].content"
ONE_MOMENT = Clock(now=lambda: datetime(2026, 3, 1, tzinfo=UTC), monotonic=time.monotonic)
"""All objects are made in the same second, so that only the order of making can tell them apart."""


def answer(request: ModelRequest) -> ModelReply:
    """Does what the user's first word says; an answer to tool outputs cites the first hit of a search."""
    last = request.messages[-1]
    if last.role == "tool":
        cited = f"Größe „XL“ – {last.hits[0].marker} – gibt es." if last.hits else "Done."
        return ModelReply(cited)
    requests = {
        "search": [file_search("sizes")],
        "call": [function_call("lookup", word="one two three four"), function_call("lookup", word="five")],
        "code": [run_code("print('out')")],
    }.get(last.content.partition(" ")[0])
    return calls(*requests) if requests and request.tools else ModelReply(f"You said {last.content}.")


@pytest.fixture(scope="module")
def model() -> Scripted:
    return Scripted(answer)


@pytest.fixture(scope="module")
def base_url(model: Scripted) -> Iterator[str]:
    with background(App(ServerOptions(models=ModelTable(default=model), clock=ONE_MOMENT))) as url:
        yield url


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=base_url, api_key="any", max_retries=2) as made:
        yield made


@pytest.fixture
def store(client: OpenAI) -> str:
    """A vector store that knows about sizes."""
    made = client.vector_stores.create()
    client.vector_stores.files.upload_and_poll(
        vector_store_id=made.id, file=("grössen.txt", "Größe XL gibt es.".encode())
    )
    return made.id


@pytest.fixture
def assistant(client: OpenAI, store: str) -> Any:
    return client.beta.assistants.create(
        model="gpt-5.4",
        tools=[SEARCH, FUNCTION, {"type": "code_interpreter"}],
        tool_resources={"file_search": {"vector_store_ids": [store]}},
    )


def asked(client: OpenAI, assistant: Any, text: str, **options: Any) -> Any:
    """A run that has come to its end, or waits for outputs."""
    thread = {"messages": [{"role": "user", "content": text}]}
    return client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread, **options)


def streamed(client: OpenAI, assistant: Any, text: str) -> list[Any]:
    thread = {"messages": [{"role": "user", "content": text}]}
    return list(client.beta.threads.create_and_run(assistant_id=assistant.id, thread=thread, stream=True))


# lists


def test_the_first_message_of_a_list_is_the_latest_answer(client: OpenAI, assistant: Any) -> None:
    run = asked(client, assistant, "hello")
    messages = client.beta.threads.messages.list(run.thread_id)
    assert messages.data[0].role == "assistant"
    assert messages.data[0].content[0].text.value == "You said hello."


Lists = dict[str, tuple[Callable[..., Any], list[str]]]


def made_lists(client: OpenAI, store: str) -> Lists:
    """Lists that clients page through, and the ids in them in the order of their making."""
    assistants = [client.beta.assistants.create(model="m").id for _ in range(7)]
    files = [client.files.create(file=(f"{n}.txt", b"x"), purpose="user_data").id for n in range(7)]
    stores = [client.vector_stores.create().id for _ in range(7)]
    for file_id in files:
        client.vector_stores.files.create_and_poll(file_id, vector_store_id=stores[0])
    thread = client.beta.threads.create().id
    messages = [client.beta.threads.messages.create(thread, role="user", content=str(n)).id for n in range(7)]
    conversation = client.conversations.create().id
    said = [{"type": "message", "role": "user", "content": str(n)} for n in range(7)]
    items = client.conversations.items.create(conversation, items=said)
    return {
        "assistants": (client.beta.assistants.list, assistants),
        "files": (lambda **page: client.files.list(purpose="user_data", **page), files),
        "stores": (client.vector_stores.list, stores),
        "store files": (lambda **page: client.vector_stores.files.list(stores[0], **page), files),
        "messages": (lambda **page: client.beta.threads.messages.list(thread, **page), messages),
        "items": (
            lambda **page: client.conversations.items.list(conversation, **page),
            [item.id for item in items.data],
        ),
    }


def test_lists_of_one_second_are_paged_in_the_order_of_their_making(client: OpenAI, store: str) -> None:
    for name, (listed, made) in made_lists(client, store).items():
        ours = set(made)
        newest_first = [row.id for row in listed(limit=2) if row.id in ours]
        assert newest_first == made[::-1], name
        assert [row.id for row in listed(limit=3, order="asc") if row.id in ours] == made, name


# assistants and runs


def test_tools_are_changed_without_losing_what_is_attached(
    client: OpenAI, assistant: Any, store: str
) -> None:
    changed = client.beta.assistants.update(assistant.id, tools=[SEARCH, FUNCTION])
    assert changed.tool_resources.file_search.vector_store_ids == [store]


def test_a_completed_run_and_each_of_its_steps_have_a_usage(client: OpenAI, assistant: Any) -> None:
    for run in (asked(client, assistant, "search"), streamed(client, assistant, "search")[-1].data):
        assert run.status == "completed"
        steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
        assert sum(step.usage.total_tokens for step in steps) == run.usage.total_tokens > 0


def test_no_tools_in_a_run_means_none(client: OpenAI, assistant: Any, model: Scripted) -> None:
    run = asked(client, assistant, "call nobody", tools=[])
    assert (run.status, run.tools) == ("completed", [])
    assert model.requests[-1].tools == ()


def test_a_locked_thread_is_a_bad_request_that_is_sent_once_and_can_be_parsed(
    client: OpenAI, assistant: Any, base_url: str
) -> None:
    run = asked(client, assistant, "call me")
    sent: list[httpx.Request] = []
    http = httpx.Client(event_hooks={"request": [sent.append]})
    with OpenAI(base_url=base_url, api_key="any", http_client=http) as retrying:
        with pytest.raises(openai.BadRequestError) as message:
            retrying.beta.threads.messages.create(run.thread_id, role="user", content="me too")
        with pytest.raises(openai.BadRequestError) as other_run:
            retrying.beta.threads.runs.create(run.thread_id, assistant_id=assistant.id)
    assert len(sent) == 2
    words = "Can't add messages to (thread_[A-Za-z0-9]+) while a run (run_[A-Za-z0-9]+) is active\\."
    found = re.fullmatch(words, message.value.body["message"])
    assert found is not None
    assert found.groups() == (run.thread_id, run.id)
    words = f"Thread {run.thread_id} already has an active run {run.id}."
    assert other_run.value.body["message"] == words


# streams


def test_the_calls_of_a_stream_have_the_ids_that_are_waited_for(client: OpenAI, assistant: Any) -> None:
    class Collector(AssistantEventHandler):
        def __init__(self) -> None:
            super().__init__()
            self.built: dict[str, str] = {}

        def on_tool_call_done(self, tool_call: Any) -> None:
            self.built[tool_call.id] = tool_call.function.arguments

    thread = client.beta.threads.create(messages=[{"role": "user", "content": "call me"}])
    handler = Collector()
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        stream.until_done()
        run, [step] = stream.current_run, stream.get_final_run_steps()
    waiting = run.required_action.submit_tool_outputs.tool_calls
    assert [call.id for call in step.step_details.tool_calls] == [call.id for call in waiting]
    assert [call.function.name for call in step.step_details.tool_calls] == ["lookup", "lookup"]
    expected = {call.id: call.function.arguments for call in waiting}
    assert handler.built.items() <= expected.items()
    assert '{"word":"five"}' in handler.built.values()


@pytest.mark.parametrize("text", ["hello", "search", "call me", "code"])
def test_every_delta_follows_the_creation_of_what_it_adds_to(
    client: OpenAI, assistant: Any, text: str
) -> None:
    created: set[str] = set()
    deltas = 0
    for event in streamed(client, assistant, text):
        if event.event in ("thread.run.step.created", "thread.message.created"):
            created.add(event.data.id)
        if event.event.endswith(".delta"):
            deltas += 1
            assert event.data.id in created
            delta = event.data.delta
            entries = delta.content if hasattr(delta, "content") else delta.step_details.tool_calls
            assert all(isinstance(entry.index, int) for entry in entries)
    assert deltas


# answers


def test_a_citation_stands_in_the_text_where_it_says_in_characters(client: OpenAI, assistant: Any) -> None:
    run = asked(client, assistant, "search")
    text = client.beta.threads.messages.list(run.thread_id).data[0].content[0].text
    [note] = text.annotations
    assert text.value[note.start_index : note.end_index] == note.text == "【4:0†grössen.txt】"
    assert text.value.replace(note.text, "[1]") == "Größe „XL“ – [1] – gibt es."


def test_results_come_with_their_text_only_when_it_is_included(client: OpenAI, assistant: Any) -> None:
    run = asked(client, assistant, "search")
    for include, expected in (([], None), ([INCLUDE], "Größe XL gibt es.")):
        steps = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, include=include)
        [result] = steps.data[-1].step_details.tool_calls[0].file_search.results
        assert (result.content and result.content[0].text) == expected
        assert result.file_name == "grössen.txt"


def test_a_streamed_text_of_a_response_is_told_whole_at_its_end(client: OpenAI) -> None:
    events = list(client.responses.create(model="m", input="hello", stream=True))
    [done] = [event for event in events if event.type == "response.output_text.done"]
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert done.text == "".join(pieces) == "You said hello."


# vector stores


@pytest.mark.parametrize(
    ("name", "content"), [("a.pdf", b"not a pdf"), ("b.bin", b"\0\1\2"), ("c.docx", b"PK"), ("d.txt", b"")]
)
def test_an_unreadable_file_fails_alone_in_its_batch(client: OpenAI, name: str, content: bytes) -> None:
    store = client.vector_stores.create().id
    batch = client.vector_stores.file_batches.upload_and_poll(
        vector_store_id=store, files=[("good.txt", b"Good."), (name, content)]
    )
    assert (batch.file_counts.completed, batch.file_counts.failed) == (1, 1)
    [hit] = client.vector_stores.search(store, query="good").data
    assert hit.filename == "good.txt"


def test_a_batch_has_its_own_kind_of_id_and_counts_its_files(client: OpenAI, store: str) -> None:
    files = [client.files.create(file=(f"{n}.txt", b"x"), purpose="assistants").id for n in range(3)]
    batch = client.vector_stores.file_batches.create_and_poll(store, file_ids=files)
    assert batch.id.startswith("vsfb_")
    assert (batch.file_counts.completed, batch.file_counts.total) == (3, 3)


def test_what_is_not_in_a_store_is_not_found(client: OpenAI, store: str) -> None:
    stranger = client.files.create(file=("a.txt", b"x"), purpose="assistants").id
    for file_id in (stranger, "file-none"):
        with pytest.raises(openai.NotFoundError):
            client.vector_stores.files.retrieve(file_id, vector_store_id=store)


# errors


def test_errors_tell_the_client_message_type_param_and_code(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as thread:
        client.beta.threads.retrieve("thread_none")
    message = "No thread found with id 'thread_none'."
    nothing = {"type": "invalid_request_error", "param": None, "code": None}
    assert thread.value.body == {"message": message, **nothing}
    with pytest.raises(openai.NotFoundError) as file:
        client.files.retrieve("file-none")
    assert file.value.body == {"message": "No such File object: file-none", **nothing, "param": "id"}
    assert file.value.response.json()["detail"] == {"message": "No such File object: file-none", "code": None}
    with pytest.raises(openai.BadRequestError) as body:
        client.beta.assistants.create(model="m", temperature=3)
    assert (body.value.type, body.value.param) == ("invalid_request_error", "temperature")
    for refused in (thread, file, body):
        assert refused.value.request_id.startswith("req_")
