"""Programs as users write them, and legal things that few programs do, with the real client over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai import AssistantEventHandler, AsyncAssistantEventHandler, AsyncOpenAI, OpenAI

from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

RETURNS = b"# Returns\n\nReturns are free for 30 days.\n"
WARRANTY = b"# Warranty\n\nLamps have a warranty of two years.\n"
SALES = b"month,revenue\nJanuary,10\nFebruary,20\nMarch,15\n"
CHART = """
import csv
import matplotlib.pyplot as plt
rows = list(csv.DictReader(open("/mnt/data/sales.csv")))
plt.bar([row["month"] for row in rows], [int(row["revenue"]) for row in rows])
plt.show()
print(max(rows, key=lambda row: int(row["revenue"]))["month"])
"""
AT_ONCE = 100


def function(name: str) -> Any:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


class Pausing:
    """A model that does what it is asked for, and waits where a test wants it to."""

    def __init__(self) -> None:
        self.asked, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, request: ModelRequest) -> ModelReply:
        said = next((each.content for each in reversed(request.messages) if each.role == "user"), "")
        outputs = [each for each in request.messages if each.role == "tool"]
        if said.startswith("wait") and request.messages[-1].role == "user":
            self.asked.set()
            assert self.may_go_on.wait(60)
            return ModelReply("That took long.")
        if outputs and request.messages[-1].role == "tool":
            found = [f"{hit.text.splitlines()[-1]}{hit.marker}" for each in outputs for hit in each.hits]
            return ModelReply(found[0] if found else " ".join(each.content for each in outputs).strip())
        if "order" in said:
            number = said.split()[-1]
            return calls(function_call("order_status", order=number), function_call("weather", order=number))
        if "chart" in said:
            return calls(run_code(CHART))
        return calls(file_search(said)) if said.endswith("?") else ModelReply(f"You said {said}")


@pytest.fixture(scope="module")
def model() -> Pausing:
    return Pausing()


@pytest.fixture(scope="module")
def base_url(model: Pausing) -> Iterator[str]:
    with background(App(ServerOptions(models=ModelTable(default=Scripted(model))))) as url:
        yield url


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=base_url, api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
def bot(client: OpenAI) -> Any:
    """A support assistant: documents and two functions."""
    store = client.vector_stores.create()
    client.vector_stores.file_batches.upload_and_poll(
        vector_store_id=store.id, files=[("returns.md", RETURNS), ("warranty.md", WARRANTY)]
    )
    return client.beta.assistants.create(
        model="gpt-5.4",
        tools=[
            {"type": "file_search"},
            {"type": "code_interpreter"},
            function("order_status"),
            function("weather"),
        ],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )


def outputs_of(run: Any) -> list[Any]:
    """What the user's own functions answer: the name of the function and the order."""
    return [
        {
            "tool_call_id": call.id,
            "output": f"{call.function.name} {json.loads(call.function.arguments)['order']}",
        }
        for call in run.required_action.submit_tool_outputs.tool_calls
    ]


def talk(client: OpenAI, bot: Any, thread_id: str, text: str) -> str:
    """One turn, with outputs for all functions."""
    client.beta.threads.messages.create(thread_id, role="user", content=text)
    run = client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=bot.id)
    while run.status == "requires_action":
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread_id, tool_outputs=outputs_of(run)
        )
    assert run.status == "completed"
    [message] = client.beta.threads.messages.list(thread_id, run_id=run.id).data
    value: str = message.content[-1].text.value
    return value


def waiting_thread(client: OpenAI) -> str:
    return client.beta.threads.create(messages=[{"role": "user", "content": "wait a while"}]).id


# programs


def test_a_support_bot_searches_and_calls_two_functions_in_one_thread(client: OpenAI, bot: Any) -> None:
    thread = client.beta.threads.create().id
    assert talk(client, bot, thread, "How long are returns free?").startswith("Returns are free for 30 days.")
    assert talk(client, bot, thread, "Where is order 12") == "order_status 12 weather 12"
    assert "two years.【" in talk(client, bot, thread, "What warranty do lamps have?")
    assert talk(client, bot, thread, "Thank you") == "You said Thank you"
    assert len(client.beta.threads.runs.list(thread).data) == 4
    roles = [message.role for message in client.beta.threads.messages.list(thread, order="asc")]
    assert roles == ["user", "assistant"] * 4


def test_a_data_bot_draws_a_chart_that_can_be_downloaded(client: OpenAI, bot: Any) -> None:
    sales = client.files.create(file=("sales.csv", SALES), purpose="assistants").id
    picture = client.files.create(file=("logo.png", b"\x89PNG"), purpose="vision").id
    attached = [{"file_id": sales, "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]}]
    parts = [
        {"type": "text", "text": "Draw a chart in this style."},
        {"type": "image_file", "image_file": {"file_id": picture}},
    ]
    message: Any = {"role": "user", "content": parts, "attachments": attached}
    run = client.beta.threads.create_and_run_poll(assistant_id=bot.id, thread={"messages": [message]})
    resources = client.beta.threads.retrieve(run.thread_id).tool_resources
    assert resources.code_interpreter.file_ids == [sales]
    assert len(resources.file_search.vector_store_ids) == 1
    image, text = client.beta.threads.messages.list(run.thread_id).data[0].content
    assert text.text.value == "February"
    chart = client.files.retrieve(image.image_file.file_id)
    assert (chart.purpose, client.files.content(chart.id).read()[:4]) == ("assistants_output", b"\x89PNG")
    [code] = (
        client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id).data[-1].step_details.tool_calls
    )
    assert [output.type for output in code.code_interpreter.outputs] == ["logs", "image"]
    with pytest.raises(openai.BadRequestError):
        client.files.content(sales)


class Listener(AssistantEventHandler):
    """Shows the answer as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = ""
        self.last: list[str] = []

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.shown += delta.value or ""
        assert snapshot.value == self.shown

    def on_message_done(self, message: Any) -> None:
        self.last.append(message.content[0].text.value if message.content else "")


def test_an_event_handler_shows_what_the_thread_then_holds(client: OpenAI, bot: Any) -> None:
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Are returns free?"}]).id
    handler = Listener()
    with client.beta.threads.runs.stream(
        thread_id=thread, assistant_id=bot.id, event_handler=handler
    ) as stream:
        stream.until_done()
    message = client.beta.threads.messages.list(thread).data[0]
    assert [handler.shown] == handler.last == [message.content[0].text.value]


def test_a_hundred_async_streams_at_once_show_each_its_own_answer(base_url: str, bot: Any) -> None:
    class Reader(AsyncAssistantEventHandler):
        def __init__(self) -> None:
            super().__init__()
            self.shown = ""

        async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
            self.shown += delta.value or ""

    async def one(client: AsyncOpenAI, number: int) -> str:
        said: Any = [{"role": "user", "content": f"number {number}"}]
        thread = await client.beta.threads.create(messages=said)
        reader = Reader()
        async with client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=bot.id, event_handler=reader
        ) as stream:
            await stream.until_done()
        return reader.shown

    async def all_at_once() -> list[str]:
        async with AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(AT_ONCE)))

    assert asyncio.run(all_at_once()) == [f"You said number {number}" for number in range(AT_ONCE)]


def test_a_hundred_threads_at_once_get_their_own_outputs_back(client: OpenAI, bot: Any) -> None:
    def one(number: int) -> str:
        return talk(client, bot, client.beta.threads.create().id, f"Where is order {number}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(one, range(AT_ONCE)))
    assert answers == [f"order_status {number} weather {number}" for number in range(AT_ONCE)]


# unusual and legal


def test_one_file_serves_many_stores_and_leaves_them_one_by_one(client: OpenAI) -> None:
    file = client.files.create(file=("warranty.md", WARRANTY), purpose="assistants").id
    stores = [client.vector_stores.create().id for _ in range(3)]
    for store in stores:
        client.vector_stores.files.create_and_poll(file, vector_store_id=store)
    client.vector_stores.files.delete(file, vector_store_id=stores[0])
    found = [len(client.vector_stores.search(store, query="warranty").data) for store in stores]
    assert found == [0, 1, 1]
    client.files.delete(file)
    assert [client.vector_stores.retrieve(store).file_counts.total for store in stores] == [0, 0, 0]


@pytest.fixture
def paused(model: Pausing) -> Iterator[Pausing]:
    """The model, which waits until the test lets it go on."""
    model.asked.clear()
    model.may_go_on.clear()
    yield model
    model.may_go_on.set()


def test_a_run_is_cancelled_in_the_middle_of_its_stream(client: OpenAI, bot: Any, paused: Pausing) -> None:
    thread = waiting_thread(client)
    heard = []
    with client.beta.threads.runs.stream(thread_id=thread, assistant_id=bot.id) as stream:
        for event in stream:
            heard.append(event.event)
            if event.event == "thread.run.in_progress":
                run = client.beta.threads.runs.cancel(event.data.id, thread_id=thread)
                assert run.status == "cancelling"
                paused.may_go_on.set()
    assert heard[-2:] == ["thread.run.cancelling", "thread.run.cancelled"]
    assert talk(client, bot, thread, "And now") == "You said And now"


def test_a_run_in_progress_locks_its_thread_until_it_has_ended(
    client: OpenAI, bot: Any, paused: Pausing
) -> None:
    thread = waiting_thread(client)
    run = client.beta.threads.runs.create(thread, assistant_id=bot.id)
    assert paused.asked.wait(60)
    assert client.beta.threads.runs.retrieve(run.id, thread_id=thread).status == "in_progress"
    with pytest.raises(openai.BadRequestError, match=f"while a run {run.id} is active\\."):
        client.beta.threads.messages.create(thread, role="user", content="me too")
    with pytest.raises(openai.BadRequestError, match='status "in_progress" do not accept tool outputs'):
        client.beta.threads.runs.submit_tool_outputs(run_id=run.id, thread_id=thread, tool_outputs=[])
    assert client.beta.threads.runs.cancel(run.id, thread_id=thread).status == "cancelling"
    with pytest.raises(openai.BadRequestError, match=f"already has an active run {run.id}\\."):
        client.beta.threads.runs.create(thread, assistant_id=bot.id)
    paused.may_go_on.set()
    assert client.beta.threads.runs.poll(run.id, thread_id=thread).status == "cancelled"
    assert talk(client, bot, thread, "And now") == "You said And now"


def test_other_threads_go_on_while_one_waits(client: OpenAI, bot: Any, paused: Pausing) -> None:
    slow = client.beta.threads.runs.create(waiting_thread(client), assistant_id=bot.id)
    assert paused.asked.wait(60)
    assert talk(client, bot, client.beta.threads.create().id, "Hello") == "You said Hello"
    paused.may_go_on.set()
    assert client.beta.threads.runs.poll(slow.id, thread_id=slow.thread_id).status == "completed"


def test_a_thread_that_is_deleted_while_it_streams_ends_its_stream(
    client: OpenAI, bot: Any, paused: Pausing
) -> None:
    thread = waiting_thread(client)
    heard = []
    for event in client.beta.threads.runs.create(thread, assistant_id=bot.id, stream=True):
        heard.append(event.event)
        if event.event == "thread.run.in_progress":
            assert client.beta.threads.delete(thread).deleted
            paused.may_go_on.set()
    assert heard[-1] == "thread.run.cancelled"


def test_of_many_runs_started_at_once_on_a_thread_one_is_made(
    client: OpenAI, bot: Any, paused: Pausing
) -> None:
    thread = waiting_thread(client)

    def start(_: int) -> str:
        try:
            return client.beta.threads.runs.create(thread, assistant_id=bot.id).status
        except openai.BadRequestError as refusal:
            return str(refusal.body["message"]).partition(" run_")[0]

    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(start, range(8)))
    assert answers == {"queued": 1, f"Thread {thread} already has an active run": 7}


def test_of_outputs_that_are_sent_many_times_at_once_one_is_taken(client: OpenAI, bot: Any) -> None:
    thread: Any = {"messages": [{"role": "user", "content": "Where is order 1"}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=bot.id, thread=thread)
    outputs = outputs_of(run)

    def submit(_: int) -> bool:
        try:
            client.beta.threads.runs.submit_tool_outputs(
                run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs
            )
        except openai.BadRequestError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(submit, range(8))) == 1
    assert client.beta.threads.runs.poll(run.id, thread_id=run.thread_id).status == "completed"


def test_a_run_on_a_thread_without_messages_is_answered(client: OpenAI, bot: Any) -> None:
    run = client.beta.threads.create_and_run_poll(assistant_id=bot.id)
    assert run.status == "completed"
    assert len(client.beta.threads.messages.list(run.thread_id).data) == 1
