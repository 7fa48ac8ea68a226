"""The real openai client, sync, async and streaming, against the embedded server on loopback."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AssistantEventHandler, AsyncAssistantEventHandler, AsyncOpenAI, OpenAI

from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call

# Every Assistants method of the client is marked as deprecated; that it still works is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OLD_PYTHON = "HARNESS_TEST_OPENAI_1_65"
TICKET = {
    "type": "function",
    "function": {"name": "create_ticket", "parameters": {"type": "object", "properties": {}}},
}
KEY = "sk-only-for-this-test"


def assistant_model(request: ModelRequest) -> ModelReply:
    """Searches for questions, opens tickets when asked, otherwise repeats what it heard."""
    last = request.messages[-1]
    if last.role == "tool":
        said = f"{last.hits[0].text.splitlines()[0]}{last.hits[0].marker}" if last.hits else last.content
        return ModelReply(f"Found: {said}")
    if last.content.endswith("?"):
        return calls(file_search(last.content))
    if "tickets" in last.content:
        return calls(
            function_call("create_ticket", summary="one"), function_call("create_ticket", summary="two")
        )
    if "ticket" in last.content:
        return calls(function_call("create_ticket", summary=last.content))
    return ModelReply(f"You said: {last.content}")


@pytest.fixture(scope="session")
def base_url() -> Iterator[str]:
    app = App(ServerOptions(models=ModelTable(default=Scripted(assistant_model)), allow_unisolated_code=True))
    with background(app, api_key=KEY) as url:
        yield url


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=base_url, api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture
def assistant(client: OpenAI) -> Any:
    """An assistant that knows about the moon."""
    store = client.vector_stores.create(name="kb")
    batch = client.vector_stores.file_batches.upload_and_poll(
        vector_store_id=store.id, files=[("moon.txt", b"The moon is made of cheese.")]
    )
    assert batch.file_counts.completed == 1
    return client.beta.assistants.create(
        model="gpt-5.4",
        instructions="Answer from the documents.",
        tools=[{"type": "file_search"}, TICKET],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )


def texts(client: OpenAI, thread_id: str) -> list[str]:
    """All messages of a thread, newest first."""
    return [message.content[0].text.value for message in client.beta.threads.messages.list(thread_id)]


def outputs(run: Any) -> list[Any]:
    waiting = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": call.function.arguments} for call in waiting]


def test_create_and_poll_ends_with_an_answer_and_its_citation(client: OpenAI, assistant: Any) -> None:
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content="What is the moon made of?")
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "completed"
    text = client.beta.threads.messages.list(thread.id).data[0].content[0].text
    [note] = text.annotations
    assert text.value == "Found: The moon is made of cheese.【4:0†moon.txt】"
    assert text.value[note.start_index : note.end_index] == note.text
    assert client.files.retrieve(note.file_citation.file_id).filename == "moon.txt"
    wanted = "step_details.tool_calls[*].file_search.results[*].content"
    steps = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id, include=[wanted], order="asc")
    [result] = steps.data[0].step_details.tool_calls[0].file_search.results
    assert result.content[0].text == "The moon is made of cheese."
    assert sum(step.usage.total_tokens for step in steps) == run.usage.total_tokens


def test_outputs_are_submitted_and_polled(client: OpenAI, assistant: Any) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Open two tickets."}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "requires_action"
    assert len(outputs(run)) == 2
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        thread_id=thread.id, run_id=run.id, tool_outputs=outputs(run)
    )
    assert run.status == "completed"
    assert texts(client, thread.id)[0] == 'Found: {"summary":"two"}'


class Handler(AssistantEventHandler):
    """Notes what it is told, and submits outputs in a stream of its own, as the guides showed."""

    def __init__(self, client: OpenAI) -> None:
        super().__init__()
        self.client = client
        self.heard: list[str] = []
        self.text = ""
        self.calls_done: list[Any] = []
        self.citations: list[str] = []

    def on_event(self, event: Any) -> None:
        self.heard.append(event.event)
        if event.event == "thread.run.requires_action":
            follower = Handler(self.client)
            with self.client.beta.threads.runs.submit_tool_outputs_stream(
                thread_id=event.data.thread_id,
                run_id=event.data.id,
                tool_outputs=outputs(event.data),
                event_handler=follower,
            ) as stream:
                stream.until_done()
            self.heard += follower.heard
            self.text += follower.text

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.text += delta.value or ""
        self.citations += [note.text for note in delta.annotations or ()]

    def on_tool_call_done(self, tool_call: Any) -> None:
        self.calls_done.append(tool_call)


def test_event_handlers_put_the_stream_together(client: OpenAI, assistant: Any) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "What is the moon made of?"}])
    handler = Handler(client)
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        stream.until_done()
        [message] = stream.get_final_messages()
        run, steps = stream.current_run, stream.get_final_run_steps()
    assert handler.text == message.content[0].text.value == texts(client, thread.id)[0]
    assert handler.citations == ["【4:0†moon.txt】"]
    assert {(call.type, call.id) for call in handler.calls_done} == {  # told more than once by the client
        ("file_search", steps[0].step_details.tool_calls[0].id)
    }
    assert run is not None
    assert run.status == "completed"
    assert [step.type for step in steps] == ["tool_calls", "message_creation"]


def test_a_handler_that_submits_outputs_sees_the_run_to_its_end(client: OpenAI, assistant: Any) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Open two tickets."}])
    handler = Handler(client)
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        stream.until_done()
    assert handler.heard[-1] == "thread.run.completed"
    assert handler.text == 'Found: {"summary":"two"}'
    [step] = [
        step
        for run in client.beta.threads.runs.list(thread.id)
        for step in client.beta.threads.runs.steps.list(run.id, thread_id=thread.id)
        if step.type == "tool_calls"
    ]
    ids = [call.id for call in step.step_details.tool_calls]
    assert len(set(ids)) == 2
    assert all(identifier.count("call_") == 1 for identifier in ids)


def test_create_and_run_streams_the_thread_first(client: OpenAI, assistant: Any) -> None:
    events = client.beta.threads.create_and_run(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello."}]}, stream=True
    )
    names = [event.event for event in events]
    assert (names[0], names[-1]) == ("thread.created", "thread.run.completed")
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hello."}]}
    )
    assert run.status == "completed"


def test_the_async_client_does_the_same(base_url: str, assistant: Any) -> None:
    class Listener(AsyncAssistantEventHandler):
        def __init__(self) -> None:
            super().__init__()
            self.text = ""

        async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            self.text += delta.value or ""

    async def talk(client: AsyncOpenAI, number: int) -> str:
        threads = client.beta.threads
        thread = await threads.create(messages=[{"role": "user", "content": f"Number {number}."}])
        run = await threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        assert run.status == "completed"
        await threads.messages.create(thread.id, role="user", content=f"Again {number}.")
        listener = Listener()
        async with threads.runs.stream(
            thread_id=thread.id, assistant_id=assistant.id, event_handler=listener
        ) as stream:
            await stream.until_done()
        newest = await threads.messages.list(thread.id, limit=1)
        assert newest.data[0].content[0].text.value == listener.text
        return listener.text

    async def all_at_once() -> list[str]:
        async with AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
            return await asyncio.gather(*(talk(client, number) for number in range(12)))

    assert asyncio.run(all_at_once()) == [f"You said: Again {number}." for number in range(12)]


def test_more_than_a_hundred_messages_are_paged_without_loss_or_repetition(client: OpenAI) -> None:
    said = [f"message {number}" for number in range(123)]
    thread = client.beta.threads.create(messages=[{"role": "user", "content": text} for text in said[:40]])
    for text in said[40:]:
        client.beta.threads.messages.create(thread.id, role="user", content=text)
    for limit in (100, 7):
        listed = client.beta.threads.messages.list(thread.id, limit=limit)
        assert [message.content[0].text.value for message in listed] == said[::-1]
    oldest_first = client.beta.threads.messages.list(thread.id, order="asc")
    assert [message.content[0].text.value for message in oldest_first] == said


def test_an_update_of_tools_keeps_what_is_attached(client: OpenAI, assistant: Any) -> None:
    before = assistant.tool_resources.file_search.vector_store_ids
    tools = [{"type": "file_search"}, {"type": "code_interpreter"}, TICKET]
    updated = client.beta.assistants.update(assistant.id, tools=tools)
    assert updated.tool_resources.file_search.vector_store_ids == before
    assert [tool.type for tool in updated.tools] == ["file_search", "code_interpreter", "function"]
    assert client.beta.assistants.retrieve(assistant.id) == updated


def test_attachments_are_indexed_for_their_thread(client: OpenAI) -> None:
    searcher = client.beta.assistants.create(model="gpt-5.4", tools=[{"type": "file_search"}])
    file = client.files.create(file=("stars.txt", io.BytesIO(b"Stars are hot.")), purpose="assistants")
    assert client.files.wait_for_processing(file.id).status == "processed"
    thread = client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": "Are stars hot?",
                "attachments": [{"file_id": file.id, "tools": [{"type": "file_search"}]}],
            }
        ]
    )
    client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=searcher.id)
    assert texts(client, thread.id)[0] == "Found: Stars are hot.【4:0†stars.txt】"


def test_a_vector_store_from_upload_to_content(client: OpenAI) -> None:
    store = client.vector_stores.create(name="sky", expires_after={"anchor": "last_active_at", "days": 1})
    row = client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id,
        file=("sun.md", io.BytesIO(b"# Sun\n\nThe sun is a star.")),
        attributes={"n": 1},
    )
    assert (row.status, row.attributes) == ("completed", {"n": 1})
    [hit] = client.vector_stores.search(store.id, query="sun").data
    assert (hit.filename, hit.attributes) == ("sun.md", {"n": 1})
    [part] = client.vector_stores.files.content(row.id, vector_store_id=store.id).data
    assert "The sun is a star." in str(part.text)
    assert client.vector_stores.files.delete(row.id, vector_store_id=store.id).deleted
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0
    assert client.vector_stores.delete(store.id).deleted


def test_a_batch_with_a_bad_file_indexes_the_good_ones(client: OpenAI) -> None:
    store = client.vector_stores.create()
    files = [("good.txt", b"Good."), ("bad.pdf", b"not a pdf"), ("fine.html", b"<p>Fine.</p>")]
    batch = client.vector_stores.file_batches.upload_and_poll(vector_store_id=store.id, files=files)
    counts = batch.file_counts
    assert (batch.status, counts.completed, counts.failed, counts.total) == ("completed", 2, 1, 3)
    rows = client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store.id, filter="failed")
    [failed] = rows.data
    assert failed.last_error is not None
    assert failed.last_error.code == "invalid_file"


def test_errors_arrive_as_the_client_s_own_classes(client: OpenAI, assistant: Any, base_url: str) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.beta.assistants.retrieve("asst_none")
    assert missing.value.body["message"] == "No assistant found with id 'asst_none'."
    assert missing.value.request_id is not None
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Open a ticket."}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    with pytest.raises(openai.BadRequestError, match=f"while a run {run.id} is active\\."):
        client.beta.threads.messages.create(thread.id, role="user", content="me too")
    with pytest.raises(openai.BadRequestError, match=f"already has an active run {run.id}\\."):
        client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert client.beta.threads.runs.cancel(run.id, thread_id=thread.id).status == "cancelling"
    assert client.beta.threads.runs.poll(run.id, thread_id=thread.id).status == "cancelled"
    stranger = OpenAI(base_url=base_url, api_key="sk-wrong", max_retries=0)
    with stranger, pytest.raises(openai.AuthenticationError) as refused:
        stranger.models.list()
    assert refused.value.code == "invalid_api_key"


def test_azure_s_client_finds_assistants_and_deployments(base_url: str, assistant: Any) -> None:
    endpoint = base_url.removesuffix("/v1")
    options = {"azure_endpoint": endpoint, "api_key": KEY, "api_version": "2024-05-01-preview"}
    with openai.AzureOpenAI(**options, max_retries=0) as azure:
        thread = azure.beta.threads.create(messages=[{"role": "user", "content": "Hello."}])
        run = azure.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        assert run.status == "completed"
        said = azure.chat.completions.create(model="mine", messages=[{"role": "user", "content": "Hello."}])
        assert (said.model, said.choices[0].message.content) == ("mine", "You said: Hello.")
    with openai.AzureOpenAI(**options, azure_deployment="mine", max_retries=0) as azure:
        said = azure.chat.completions.create(model="x", messages=[{"role": "user", "content": "Hello."}])
        assert said.model == "mine"
        assert azure.beta.assistants.retrieve(assistant.id) == assistant
    with OpenAI(base_url=f"{endpoint}/openai/v1/", api_key=KEY, max_retries=0) as newer:
        assert newer.responses.create(model="mine", input="Hello.").output_text == "You said: Hello."


def test_files_travel_both_ways(client: OpenAI) -> None:
    content = bytes(range(256))
    file = client.files.create(file=("all.bin", content), purpose="user_data")
    assert client.files.content(file.id).read() == content
    assert file.id in {row.id for row in client.files.list(purpose="user_data")}
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


EXPECTED = {
    "batch": ["completed", 1, 1],
    "answer": "Found: The Aurora lamp has a warranty of 36 months.[1]",
    "cited": "manual.txt",
    "run": ["completed", True],
    "store_kept": True,
    "waits": "requires_action",
    "after_outputs": "completed",
    "ticket": 'Found: {"id": "T-1", "summary": "Please open a ticket."}',
    "attached": True,
    "streamed": "You said: Here are the numbers.",
    "messages": 6,
    "gone": "No thread found with id 'THREAD'.",
}


def run_program(python: str, base_url: str) -> dict[str, Any]:
    """What the tutorial program prints when this Python runs it against the server."""
    program = Path(__file__).with_name("tutorial_program.py")
    environment = {**os.environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": KEY}
    done = subprocess.run(
        [python, "-W", "ignore", str(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def test_a_program_written_for_the_hosted_api_runs_unchanged(base_url: str) -> None:
    seen = run_program(sys.executable, base_url)
    assert seen.pop("openai") == openai.__version__
    assert seen == EXPECTED


def test_it_also_runs_with_openai_1_65(base_url: str) -> None:
    python = os.environ.get(OLD_PYTHON)
    if not python:
        pytest.skip(f"set {OLD_PYTHON} to a Python that has openai 1.65")
    seen = run_program(python, base_url)
    assert seen.pop("openai").startswith("1.65.")
    assert seen == EXPECTED


def test_embeddings_come_as_numbers_whatever_form_they_travelled_in(client: OpenAI) -> None:
    packed = client.embeddings.create(model="text-embedding-3-small", input=["Export data.", "Hello"])
    plain = client.embeddings.create(
        model="text-embedding-3-small", input=["Export data.", "Hello"], encoding_format="float"
    )
    assert [len(row.embedding) for row in packed.data] == [384, 384]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-7)
    assert packed.usage == plain.usage
    short = client.embeddings.create(model="text-embedding-3-small", input=[[9906]], dimensions=8)
    assert len(short.data[0].embedding) == 8
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="text-embedding-3-small", input="Hello", dimensions=1536)
    assert refused.value.param == "dimensions"
