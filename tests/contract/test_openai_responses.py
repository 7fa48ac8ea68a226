"""The real openai client, sync, async and streaming, on responses, conversations and chat over loopback."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code

KEY = "sk-only-for-this-test"
TICKET: Any = {
    "type": "function",
    "name": "create_ticket",
    "parameters": {"type": "object", "properties": {"summary": {"type": "string"}}},
    "strict": False,
}
CODE: Any = {"type": "code_interpreter", "container": {"type": "auto"}}
PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('drawn')"


class Weather(BaseModel):
    """What structured answers are parsed into."""

    city: str
    degrees: int


def answer(request: ModelRequest) -> ModelReply:
    """Searches for questions, opens tickets and runs code when asked, otherwise repeats what it heard."""
    last = request.messages[-1]
    if isinstance(request.response_format, dict) and request.response_format["type"] == "json_schema":
        return ModelReply('{"city": "Oslo", "degrees": 7}')
    if last.role == "tool":
        said = f"{last.hits[0].text} {last.hits[0].marker}" if last.hits else last.content
        return ModelReply(f"Found: {said}")
    if last.content.endswith("?"):
        return calls(file_search(last.content))
    if "ticket" in last.content:
        return calls(function_call("create_ticket", summary=last.content))
    if "plot" in last.content:
        return calls(run_code(PLOT))
    return ModelReply(f"You said: {last.content}")


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    app = App(ServerOptions(models=ModelTable(default=Scripted(answer)), allow_unisolated_code=True))
    with background(app, api_key=KEY) as url:
        yield url


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=base_url, api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture
def moon(client: OpenAI) -> Any:
    """A file_search tool that knows about the moon."""
    store = client.vector_stores.create(name="kb")
    batch = client.vector_stores.file_batches.upload_and_poll(
        vector_store_id=store.id, files=[("moon.txt", b"The moon is made of cheese.")]
    )
    assert batch.file_counts.completed == 1
    return {"type": "file_search", "vector_store_ids": [store.id]}


def test_a_plain_response(client: OpenAI) -> None:
    made = client.responses.create(model="gpt-5.4", input="hello", instructions="Be kind.")
    assert (made.status, made.output_text) == ("completed", "You said: hello")
    assert made.usage is not None
    assert made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens
    assert client.responses.retrieve(made.id).output_text == made.output_text
    assert [item.type for item in client.responses.input_items.list(made.id)] == ["message"]
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError, match=f"Response with id '{made.id}' not found"):
        client.responses.retrieve(made.id)


def test_the_stream_helper_puts_the_response_together(client: OpenAI, moon: Any) -> None:
    include: Any = ["file_search_call.results"]
    with client.responses.stream(model="m", input="the moon?", tools=[moon], include=include) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    search, message = final.output
    assert search.type == "file_search_call"
    assert message.type == "message"
    assert search.results is not None
    assert search.results[0].text == "The moon is made of cheese."
    [note] = message.content[0].annotations
    assert note.type == "file_citation"
    assert note.filename == "moon.txt"
    assert "【" not in final.output_text
    assert final.output_text[: note.index].endswith("cheese.")


def test_raw_events_are_numbered_and_end_with_the_response(client: OpenAI) -> None:
    events = list(client.responses.create(model="m", input="one two three four five", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == "You said: one two three four five"
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == text


def test_the_stream_of_responses_has_names_and_no_done_line(base_url: str) -> None:
    lines = _lines(base_url, "/responses", {"model": "m", "input": "hi", "stream": True})
    assert {line.partition(":")[0] for line in lines if line} == {"event", "data"}
    assert lines[0] == "event: response.created"
    assert not any("[DONE]" in line for line in lines)


def test_the_stream_of_chat_has_data_only_and_a_done_line(base_url: str) -> None:
    messages = [{"role": "user", "content": "hi"}]
    lines = _lines(base_url, "/chat/completions", {"model": "m", "messages": messages, "stream": True})
    lines = [line for line in lines if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    assert json.loads(lines[0][6:])["object"] == "chat.completion.chunk"


def _lines(base_url: str, path: str, body: dict[str, Any]) -> list[str]:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{base_url}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        return reply.read().decode().splitlines()


def test_a_structured_answer_is_parsed(client: OpenAI) -> None:
    made = client.responses.parse(model="m", input="Weather in Oslo", text_format=Weather)
    assert made.output_parsed == Weather(city="Oslo", degrees=7)
    messages: Any = [{"role": "user", "content": "Weather in Oslo"}]
    completion = client.chat.completions.parse(model="m", messages=messages, response_format=Weather)
    assert completion.choices[0].message.parsed == Weather(city="Oslo", degrees=7)


def test_a_function_is_called_and_answered_by_the_previous_response(client: OpenAI) -> None:
    first = client.responses.create(model="m", input="Open a ticket.", tools=[TICKET])
    [call] = first.output
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"summary": "Open a ticket."}
    second = client.responses.create(
        model="m",
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "T-1"}],
        tools=[TICKET],
        previous_response_id=first.id,
    )
    assert second.output_text == "Found: T-1"


def test_output_items_can_be_sent_back_as_they_came(client: OpenAI) -> None:
    items: Any = [{"role": "user", "content": "Open a ticket."}]
    first = client.responses.create(model="m", input=items, tools=[TICKET], store=False)
    items += first.output
    [call] = first.output
    assert call.type == "function_call"
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "T-2"})
    second = client.responses.create(model="m", input=items, tools=[TICKET], store=False)
    items += [*second.output, {"role": "user", "content": "Thanks."}]
    assert client.responses.create(model="m", input=items, store=False).output_text == "You said: Thanks."


def test_a_chart_is_downloaded_from_its_container(client: OpenAI) -> None:
    made = client.responses.create(
        model="m", input="plot it", tools=[CODE], include=["code_interpreter_call.outputs"]
    )
    call, message = made.output
    assert call.type == "code_interpreter_call"
    assert message.type == "message"
    assert message.content[0].type == "output_text"
    [note] = message.content[0].annotations
    assert note.type == "container_file_citation"
    assert note.container_id == call.container_id
    image = client.containers.files.content.retrieve(note.file_id, container_id=note.container_id)
    assert image.content.startswith(b"\x89PNG")
    listed = client.containers.files.list(call.container_id)
    assert [file.id for file in listed] == [note.file_id]
    assert client.containers.retrieve(call.container_id).status == "running"
    client.containers.delete(call.container_id)


def test_a_file_is_uploaded_into_a_container(client: OpenAI) -> None:
    container = client.containers.create(name="mine")
    file = client.containers.files.create(container.id, file=("a.csv", b"x,y"))
    assert (file.path, file.source) == ("/mnt/data/a.csv", "user")
    assert client.containers.files.content.retrieve(file.id, container_id=container.id).content == b"x,y"


def test_a_conversation_is_gone_on_with(client: OpenAI) -> None:
    conversation = client.conversations.create(metadata={"user": "u1"})
    client.responses.create(model="m", input="one", conversation=conversation.id)
    client.responses.create(model="m", input="two", conversation=conversation.id)
    said = [item.content[0].text for item in client.conversations.items.list(conversation.id, order="asc")]  # type: ignore[union-attr]
    assert said == ["one", "You said: one", "two", "You said: two"]
    item: Any = {"type": "message", "role": "user", "content": "three"}
    added = client.conversations.items.create(conversation.id, items=[item])
    client.conversations.items.delete(str(added.data[0].id), conversation_id=conversation.id)
    pages = client.conversations.items.list(conversation.id, limit=1)
    assert len(list(pages)) == 4
    assert client.conversations.update(conversation.id, metadata={"user": "u2"}).metadata == {"user": "u2"}
    assert client.conversations.delete(conversation.id).deleted


def test_a_response_in_the_background_is_polled_and_its_stream_taken_up_again(client: OpenAI) -> None:
    stream = client.responses.create(model="m", input="slow work", background=True, stream=True)
    first = next(iter(stream))
    assert first.type == "response.created"
    stream.close()
    rest = list(client.responses.retrieve(first.response.id, stream=True, starting_after=0))
    assert [event.sequence_number for event in rest] == list(range(1, len(rest) + 1))
    assert rest[-1].type == "response.completed"
    made = client.responses.create(model="m", input="slow work", background=True)
    assert made.status in ("queued", "in_progress", "completed")
    events = list(client.responses.retrieve(made.id, stream=True))
    assert events[-1].type == "response.completed"
    assert client.responses.cancel(made.id).status == "completed"


def test_input_tokens_are_counted(client: OpenAI) -> None:
    counted = client.responses.input_tokens.count(model="gpt-5.4", input="hello")
    usage = client.responses.create(model="gpt-5.4", input="hello").usage
    assert usage is not None
    assert counted.input_tokens == usage.input_tokens


def test_many_async_responses_at_once_stay_apart(base_url: str) -> None:
    async def one(client: AsyncOpenAI, number: int) -> str:
        if number % 2:
            made = await client.responses.create(model="m", input=f"number {number}")
            return made.output_text
        async with client.responses.stream(model="m", input=f"number {number}") as stream:
            return (await stream.get_final_response()).output_text

    async def all_of_them() -> list[str]:
        async with AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(20)))

    assert asyncio.run(all_of_them()) == [f"You said: number {number}" for number in range(20)]


def test_chat_plain_streamed_and_with_tools(client: OpenAI) -> None:
    messages: Any = [{"role": "user", "content": "hello"}]
    assert client.chat.completions.create(model="m", messages=messages).choices[0].message.content == (
        "You said: hello"
    )
    options: Any = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model="m", messages=messages, stream=True, stream_options=options)
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "You said: hello"
    assert chunks[-1].usage is not None
    tool: Any = {"type": "function", "function": {name: TICKET[name] for name in ("name", "parameters")}}
    asked: Any = [{"role": "user", "content": "Open a ticket."}]
    with client.chat.completions.stream(model="m", messages=asked, tools=[tool]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    [call] = message.tool_calls
    answered: Any = [*asked, message, {"role": "tool", "tool_call_id": call.id, "content": "T-3"}]
    done = client.chat.completions.create(model="m", messages=answered, tools=[tool])
    assert done.choices[0].message.content == "Found: T-3"


def test_wrong_requests_raise_the_client_s_own_errors(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="m", input="hi", max_output_tokens=1)
    assert caught.value.param == "max_output_tokens"
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve("conv_unknown")
    with pytest.raises(openai.AuthenticationError):
        OpenAI(base_url=client.base_url, api_key="wrong", max_retries=0).responses.create(
            model="m", input="hi"
        )
