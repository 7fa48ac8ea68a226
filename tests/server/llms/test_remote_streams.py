"""Streams of remote models, passed on piece by piece to the real client over HTTP."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import openai
import pytest

from harness.server import http as door
from harness.server.app import App, ServerOptions
from harness.server.llms.chat_format import Dialect
from harness.server.llms.models import ModelTable
from harness.server.llms.remote import Remote

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

USAGE = {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28}
LOOKUP = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}},
}
TEXT_RUN = [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
    "done",
]


@contextmanager
def client_of(endpoint: Any, **options: Any) -> Iterator[openai.OpenAI]:
    """A client of a server whose only model is at this endpoint."""
    model = Remote(endpoint.base_url, sleep=lambda seconds: None, **options)
    with (
        door.background(App(ServerOptions(models=ModelTable(default=model)))) as base_url,
        openai.OpenAI(base_url=base_url, api_key="any", max_retries=0, timeout=120) as client,
    ):
        yield client


def started(client: openai.OpenAI, text: str = "What format?", **assistant: Any) -> tuple[str, str]:
    """A thread with a question, and an assistant."""
    thread = client.beta.threads.create(messages=[{"role": "user", "content": text}])
    return thread.id, client.beta.assistants.create(model="gpt-5.4", **assistant).id


def run_stream(client: openai.OpenAI, thread_id: str, assistant_id: str, **options: Any) -> Any:
    return client.beta.threads.runs.create(
        thread_id=thread_id, assistant_id=assistant_id, stream=True, **options
    )


def once_each(names: list[str]) -> list[str]:
    return [name for name, _ in itertools.groupby(names)]


# --- runs -------------------------------------------------------------------------------------------------


def test_the_words_of_a_run_arrive_before_the_model_has_ended(chat_server: Any) -> None:
    go_on = threading.Event()

    def wait() -> None:
        assert go_on.wait(60)

    endpoint = chat_server(chat_server.streamed("Exports ", "are ", wait, "CSV.", usage=USAGE))
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        heard, names = "", []
        for event in run_stream(client, thread, assistant):
            names.append(event.event)
            if event.event == "thread.message.delta":
                heard += event.data.delta.content[0].text.value
                if heard == "Exports are ":
                    go_on.set()  # only what came before the end can have let the model go on
            last = event
        assert heard == "Exports are CSV."
        assert once_each(names) == TEXT_RUN[:-1]
        assert (last.data.usage.prompt_tokens, last.data.usage.completion_tokens) == (21, 7)
        [message] = client.beta.threads.messages.list(thread, limit=1).data
        assert message.content[0].text.value == "Exports are CSV."
        [step] = client.beta.threads.runs.steps.list(last.data.id, thread_id=thread).data
        assert step.usage.total_tokens == 28
    assert endpoint.requests[0]["stream"] is True
    assert endpoint.requests[0]["stream_options"] == {"include_usage": True}


def test_a_run_that_is_not_streamed_asks_for_a_whole_answer(chat_server: Any) -> None:
    endpoint = chat_server(chat_server.said("CSV."))
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        run = client.beta.threads.runs.create_and_poll(
            thread_id=thread, assistant_id=assistant, poll_interval_ms=10
        )
    assert run.status == "completed"
    assert "stream" not in endpoint.requests[0]


@pytest.mark.parametrize(
    ("omit", "sent"), [(("stream_options",), {"stream": True}), (("stream", "stream_options"), {})]
)
def test_what_an_endpoint_refuses_of_streams_is_not_sent(
    chat_server: Any, omit: Any, sent: dict[str, Any]
) -> None:
    answer = chat_server.streamed("CSV.") if sent else chat_server.said("CSV.")
    endpoint = chat_server(answer)
    with client_of(endpoint, dialect=Dialect(omit=omit)) as client:
        thread, assistant = started(client)
        events = list(run_stream(client, thread, assistant))
    assert events[-1].event == "thread.run.completed"
    [request] = endpoint.requests
    assert {name: request[name] for name in ("stream", "stream_options") if name in request} == sent


def test_an_endpoint_that_knows_no_streams_is_understood_all_the_same(chat_server: Any) -> None:
    endpoint = chat_server(chat_server.said("All at once.", usage=USAGE))
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        events = list(run_stream(client, thread, assistant))
        assert once_each([event.event for event in events]) == TEXT_RUN[:-1]
        [message] = client.beta.threads.messages.list(thread, limit=1).data
    assert message.content[0].text.value == "All at once."


def test_arguments_of_parallel_calls_arrive_as_step_deltas_and_outputs_go_on_from_there(
    chat_server: Any,
) -> None:
    piece = chat_server.function_delta
    calls = chat_server.streamed(
        "One moment.",
        piece(0, "", name="lookup", identifier="call_a"),
        piece(0, '{"na'),
        piece(0, 'me": "Jo"}'),
        piece(1, "", name="lookup", identifier="call_b"),
        piece(1, '{"name":'),
        piece(1, ' "Al"}'),
        finish="tool_calls",
        usage=USAGE,
    )
    endpoint = chat_server(calls, chat_server.streamed("Both ", "known."))
    with client_of(endpoint) as client:
        thread, assistant = started(client, tools=[LOOKUP])
        names: list[str] = []

        class Handler(openai.AssistantEventHandler):
            def on_event(self, event: Any) -> None:
                names.append(event.event)

        with client.beta.threads.runs.stream(
            thread_id=thread, assistant_id=assistant, event_handler=Handler()
        ) as stream:
            stream.until_done()
            run = stream.current_run
            [told] = [step for step in stream.get_final_run_steps() if step.type == "tool_calls"]
        assert run is not None
        assert once_each(names) == [
            *TEXT_RUN[:10],
            "thread.run.step.created",
            "thread.run.step.in_progress",
            "thread.run.step.delta",
            "thread.run.requires_action",
        ]
        waiting = run.required_action.submit_tool_outputs.tool_calls
        assert [(call.id, call.function.arguments) for call in waiting] == [
            ("call_a", '{"name": "Jo"}'),
            ("call_b", '{"name": "Al"}'),
        ]
        assert [(call.id, call.function.arguments) for call in told.step_details.tool_calls] == [
            (call.id, call.function.arguments) for call in waiting
        ]
        outputs = [{"tool_call_id": call.id, "output": "known"} for call in waiting]
        ended = list(
            client.beta.threads.runs.submit_tool_outputs(
                run.id, thread_id=thread, tool_outputs=outputs, stream=True
            )
        )
        assert ended[-1].event == "thread.run.completed"
        assert ended[-1].data.usage.prompt_tokens >= 21
    sent = endpoint.requests[1]["messages"][2]["tool_calls"]
    assert [call["function"]["arguments"] for call in sent] == ['{"name": "Jo"}', '{"name": "Al"}']


def searched(client: openai.OpenAI) -> tuple[str, str]:
    """A thread and an assistant with a document."""
    store = client.vector_stores.create(name="docs")
    client.vector_stores.files.upload_and_poll(
        vector_store_id=store.id, file=("faq.txt", b"Exports are CSV files."), poll_interval_ms=10
    )
    return started(
        client,
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )


def test_a_marker_that_is_cut_in_pieces_is_one_delta_with_its_annotation(chat_server: Any) -> None:
    search = chat_server.function_delta(0, '{"queries": ["format"]}', name="file_search", identifier="call_s")
    answer = chat_server.streamed("They are CSV 【", "4:0†", "faq.", "txt】", " and 【9:9†", "x】 ends.")
    endpoint = chat_server(chat_server.streamed(search, finish="tool_calls"), answer)
    with client_of(endpoint) as client:
        thread, assistant = searched(client)
        events = list(run_stream(client, thread, assistant))
        deltas = [event.data for event in events if event.event == "thread.message.delta"]
        parts = [delta.delta.content[0].text for delta in deltas]
        [message] = client.beta.threads.messages.list(thread, limit=1).data
    text = message.content[0].text
    assert "".join(part.value for part in parts) == text.value
    assert text.value == "They are CSV 【4:0†faq.txt】 and 【9:9†x】 ends."
    [annotation] = text.annotations
    assert text.value[annotation.start_index : annotation.end_index] == annotation.text == "【4:0†faq.txt】"
    [noted] = [part for part in parts if part.annotations]
    assert noted.value == "【4:0†faq.txt】"
    assert (noted.annotations[0].index, noted.annotations[0].start_index) == (0, annotation.start_index)


def test_a_stream_that_breaks_fails_the_run_and_keeps_what_was_said_as_incomplete(chat_server: Any) -> None:
    endpoint = chat_server(chat_server.streamed("Half an ", "answer", chat_server.hang_up))
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        events = list(run_stream(client, thread, assistant))
        [message] = client.beta.threads.messages.list(thread, limit=1).data
    assert [event.event for event in events[-3:]] == [
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
    ]
    assert events[-1].data.last_error.code == "server_error"
    assert "broke off" in events[-1].data.last_error.message
    assert (message.status, message.incomplete_details.reason) == ("incomplete", "run_failed")
    assert message.content[0].text.value == "Half an answer"
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "part",
    [
        {"error": {"message": "out of memory"}},
        b"data: {no json\n\n",
        b'data: {"choices": [7]}\n\n',
        b'data: {"choices": [{"delta": {"tool_calls": [1]}}]}\n\n',
    ],
)
def test_nonsense_in_the_middle_of_a_stream_fails_the_run(chat_server: Any, part: Any) -> None:
    endpoint = chat_server(chat_server.streamed("So ", part))
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        [*_, last] = run_stream(client, thread, assistant)
    assert (last.event, last.data.last_error.code) == ("thread.run.failed", "server_error")


def test_before_the_first_word_a_failed_try_is_repeated(chat_server: Any) -> None:
    endpoint = chat_server(
        (503, {}, {"error": {"message": "loading"}}),
        chat_server.streamed(chat_server.hang_up),
        chat_server.streamed("Now.", usage=USAGE),
    )
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        [*_, last] = run_stream(client, thread, assistant)
    assert last.event == "thread.run.completed"
    assert len(endpoint.requests) == 3


def test_a_model_that_falls_silent_is_not_waited_for_without_end(chat_server: Any) -> None:
    go_on = threading.Event()
    endpoint = chat_server(chat_server.streamed("Er, ", lambda: go_on.wait(60) and None))
    with client_of(endpoint, pause_s=0.3) as client:
        thread, assistant = started(client)
        [*_, last] = run_stream(client, thread, assistant)
        go_on.set()
    assert last.event == "thread.run.failed"
    assert "fell silent in the middle" in last.data.last_error.message


def test_a_model_that_never_begins_is_not_waited_for_without_end(chat_server: Any) -> None:
    go_on = threading.Event()

    def late(body: dict[str, Any]) -> Any:
        go_on.wait(60)
        return chat_server.streamed("Late.")

    endpoint = chat_server(late)
    with client_of(endpoint, timeout_s=0.3, tries=1) as client:
        thread, assistant = started(client)
        [*_, last] = run_stream(client, thread, assistant)
        go_on.set()
    assert last.event == "thread.run.failed"
    assert "did not answer in time" in last.data.last_error.message


def endless() -> Iterator[str]:
    while True:
        yield "and on "


def test_cancelling_a_run_hangs_up_on_its_model(chat_server: Any) -> None:
    endpoint = chat_server(chat_server.streamed())
    endpoint.answers[0].parts = endless()
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        names: list[str] = []
        for event in run_stream(client, thread, assistant):
            names.append(event.event)
            if names.count("thread.message.delta") == 3 and event.event == "thread.message.delta":
                [run] = client.beta.threads.runs.list(thread).data
                client.beta.threads.runs.cancel(run.id, thread_id=thread)
        assert endpoint.hung_up.wait(60)
        [message] = client.beta.threads.messages.list(thread, limit=1).data
    assert names[-4:] == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    assert message.content[0].text.value.startswith("and on and on ")


def test_a_run_that_is_cancelled_while_its_model_is_silent_ends_at_once(chat_server: Any) -> None:
    go_on = threading.Event()
    endpoint = chat_server(chat_server.streamed("Er, ", lambda: go_on.wait(60) and None))
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        for event in run_stream(client, thread, assistant):
            if event.event == "thread.run.created":
                run_id = event.data.id
            if event.event == "thread.message.delta":
                client.beta.threads.runs.cancel(run_id, thread_id=thread)
        assert not go_on.is_set()
        go_on.set()
    assert event.event == "thread.run.cancelled"


def test_a_completion_limit_that_the_endpoint_ignores_is_kept(chat_server: Any) -> None:
    endpoint = chat_server(chat_server.streamed())
    endpoint.answers[0].parts = endless()
    with client_of(endpoint) as client:
        thread, assistant = started(client)
        events = list(run_stream(client, thread, assistant, max_completion_tokens=300))
        assert endpoint.hung_up.wait(60)
        [message] = client.beta.threads.messages.list(thread, limit=1).data
    told = "".join(
        event.data.delta.content[0].text.value for event in events if event.event == "thread.message.delta"
    )
    assert events[-1].event == "thread.run.incomplete"
    assert events[-1].data.usage.completion_tokens == 300
    assert message.content[0].text.value == told


def test_a_call_that_was_cut_short_is_not_carried_out(chat_server: Any) -> None:
    piece = chat_server.function_delta
    endpoint = chat_server(
        chat_server.streamed(piece(0, '{"na', name="lookup", identifier="call_a"), finish="length")
    )
    with client_of(endpoint) as client:
        thread, assistant = started(client, tools=[LOOKUP])
        [*_, last] = run_stream(client, thread, assistant)
        [message] = client.beta.threads.messages.list(thread).data
    assert (last.event, last.data.incomplete_details.reason) == (
        "thread.run.incomplete",
        "max_completion_tokens",
    )
    assert message.role == "user"


def test_a_function_nobody_offered_fails_the_run_before_its_arguments_are_told(chat_server: Any) -> None:
    piece = chat_server.function_delta
    endpoint = chat_server(chat_server.streamed(piece(0, "{}", name="rm", identifier="c")))
    with client_of(endpoint) as client:
        thread, assistant = started(client, tools=[LOOKUP])
        events = list(run_stream(client, thread, assistant))
    assert events[-1].event == "thread.run.failed"
    assert "asked for the tool 'rm'" in events[-1].data.last_error.message
    assert "thread.run.step.delta" not in [event.event for event in events]


# --- responses and chat completions -----------------------------------------------------------------------


def test_the_words_of_a_response_arrive_before_the_model_has_ended(chat_server: Any) -> None:
    go_on = threading.Event()
    endpoint = chat_server(
        chat_server.streamed("Exports ", lambda: go_on.wait(60) and None, "are CSV.", usage=USAGE)
    )
    with client_of(endpoint) as client:
        names, heard = [], ""
        with client.responses.stream(model="gpt-5.4", input="What format?") as stream:
            for event in stream:
                names.append(event.type)
                if event.type == "response.output_text.delta":
                    heard += event.delta
                    go_on.set()
            final = stream.get_final_response()
    assert heard == final.output_text == "Exports are CSV."
    assert final.usage is not None
    assert final.usage.total_tokens == 28
    assert once_each(names) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_response_streams_its_calls_one_after_the_other(chat_server: Any) -> None:
    piece = chat_server.function_delta
    endpoint = chat_server(
        chat_server.streamed(
            "One moment.",
            piece(0, '{"n":', name="lookup", identifier="call_a"),
            piece(0, " 1}"),
            piece(1, "{}", name="lookup", identifier="call_b"),
            finish="tool_calls",
        )
    )
    tool: Any = {"type": "function", "name": "lookup", "parameters": {"type": "object"}, "strict": False}
    with client_of(endpoint) as client:
        events = list(client.responses.create(model="m", input="hi", tools=[tool], stream=True))
    names = [event.type.removeprefix("response.") for event in events]
    call = ["output_item.added", "function_call_arguments.delta"]
    end = ["function_call_arguments.done", "output_item.done"]
    assert once_each(names)[8:] == [*call, *end, *call, *end, "completed"]
    output = events[-1].response.output
    assert [item.type for item in output] == ["message", "function_call", "function_call"]
    assert [item.arguments for item in output[1:]] == ['{"n": 1}', "{}"]


def test_a_response_cites_by_position_however_its_markers_were_cut(chat_server: Any) -> None:
    search = chat_server.function_delta(0, '{"queries": ["format"]}', name="file_search", identifier="call_s")

    def answer(body: dict[str, Any]) -> Any:
        marker = body["messages"][-1]["content"].split("\n")[0]
        return chat_server.streamed("They are CSV ", marker[:3], marker[3:], ". So", " ", marker, " ends.")

    endpoint = chat_server(chat_server.streamed(search, finish="tool_calls"), answer)
    with client_of(endpoint) as client:
        store = client.vector_stores.create(name="docs")
        client.vector_stores.files.upload_and_poll(
            vector_store_id=store.id, file=("faq.txt", b"Exports are CSV files."), poll_interval_ms=10
        )
        tool: Any = {"type": "file_search", "vector_store_ids": [store.id]}
        events = list(client.responses.create(model="m", input="What format?", tools=[tool], stream=True))
    told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    final = events[-1].response
    assert told == final.output_text == "They are CSV. So ends."
    [part] = final.output[-1].content
    assert [each.index for each in part.annotations] == [12, 16]
    noted = [event.annotation for event in events if event.type.endswith("annotation.added")]
    assert [each.index for each in noted] == [12, 16]


def test_hanging_up_on_a_response_or_a_chat_completion_hangs_up_on_its_model(chat_server: Any) -> None:
    for ask in (
        lambda client: client.responses.create(model="m", input="hi", stream=True),
        lambda client: client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], stream=True
        ),
    ):
        endpoint = chat_server(chat_server.streamed())
        endpoint.answers[0].parts = endless()
        with client_of(endpoint) as client:
            stream = ask(client)
            for _, _ in zip(stream, range(8), strict=False):
                pass
            stream.close()
            assert endpoint.hung_up.wait(60)


def test_chunks_of_a_chat_completion_are_the_models_own(chat_server: Any) -> None:
    go_on = threading.Event()
    endpoint = chat_server(chat_server.streamed("a ST", lambda: go_on.wait(60) and None, "OP b", usage=USAGE))
    with client_of(endpoint) as client:
        texts, last = [], None
        for chunk in client.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            stop="STOP",
            stream_options={"include_usage": True},
        ):
            texts += [choice.delta.content for choice in chunk.choices if choice.delta.content]
            if texts:
                go_on.set()
            last = chunk
    assert texts == ["a "]  # the S and the T might have been, and were, the beginning of the end
    assert last is not None
    assert last.usage is not None
    assert last.usage.total_tokens == 28


def test_chunks_of_calls_add_up_to_the_calls(chat_server: Any) -> None:
    piece = chat_server.function_delta
    endpoint = chat_server(
        chat_server.streamed(
            piece(0, '{"n":', name="lookup", identifier="call_a"), piece(0, " 1}"), finish="tool_calls"
        )
    )
    with (
        client_of(endpoint) as client,
        client.chat.completions.stream(
            model="m", messages=[{"role": "user", "content": "hi"}], tools=[LOOKUP]
        ) as stream,
    ):
        stream.until_done()
        final = stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("call_a", "lookup", '{"n": 1}')
    assert final.choices[0].finish_reason == "tool_calls"


def test_a_chat_completion_that_fails_at_once_is_an_error_answer_and_later_an_error_event(
    chat_server: Any,
) -> None:
    refusing = chat_server((429, {"x-should-retry": "false"}, {"error": {"message": "busy"}}))
    breaking = chat_server(chat_server.streamed("Half ", chat_server.hang_up))
    messages: Any = [{"role": "user", "content": "hi"}]
    with client_of(refusing) as client, pytest.raises(openai.RateLimitError):
        client.chat.completions.create(model="m", messages=messages, stream=True)
    with client_of(breaking) as client:
        heard = []
        with pytest.raises(openai.APIError, match="broke off"):
            for chunk in client.chat.completions.create(model="m", messages=messages, stream=True):
                heard += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    assert heard == ["Half "]


@pytest.mark.parametrize("numbered", [True, False])
def test_calls_that_come_at_once_or_without_numbers_are_understood(chat_server: Any, numbered: bool) -> None:
    calls = [
        {"id": f"c{i}", "function": {"name": "lookup", "arguments": json.dumps({"n": i})}} for i in (1, 2)
    ]
    given = [{"index": i, **call} if numbered else call for i, call in enumerate(calls)]
    endpoint = chat_server(chat_server.streamed({"tool_calls": given}, finish="tool_calls"))
    with client_of(endpoint) as client:
        thread, assistant = started(client, tools=[LOOKUP])
        [*_, last] = run_stream(client, thread, assistant)
    waiting = last.data.required_action.submit_tool_outputs.tool_calls
    assert [(call.id, call.function.arguments) for call in waiting] == [
        ("c1", '{"n": 1}'),
        ("c2", '{"n": 2}'),
    ]
