"""What every target does: the same tests in the process and over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TargetRefused
from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code
from harness.suite.assistants import load_variant
from harness.suite.records import Attachment, HistoryMessage, Variant
from harness.targets.assistants import AssistantsTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.http import Address, HttpWire
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn, Target
from harness.trace.records import TurnTrace

Line = str | ModelReply
MakeTarget = Callable[[list[Line] | Callable[[ModelRequest], Line]], Target]

ASSISTANT = """
name: Tester
model: scripted
instructions: Be exact.
tools:
  - type: file_search
  - type: code_interpreter
  - type: function
    function: {name: open_ticket, parameters: {type: object, properties: {subject: {type: string}}}}
knowledge: [guide.md]
"""


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    (tmp_path / "guide.md").write_text("# Guide\n\nThe warranty lasts 24 months. Returns take 30 days.\n")
    (tmp_path / "assistant.yaml").write_text(ASSISTANT)
    return load_variant(tmp_path / "assistant.yaml")


@pytest.fixture(params=["embedded", "assistants"])
def make_target(request: pytest.FixtureRequest) -> Iterator[MakeTarget]:
    """A target whose model says the given lines."""
    servers: list[Any] = []

    def make(lines: list[Line] | Callable[[ModelRequest], Line]) -> Target:
        options = ServerOptions(models=ModelTable(default=Scripted(lines)))
        if request.param == "embedded":
            return AssistantsTarget("embedded", EmbeddedWire(options), poll_s=0.01)
        server = background(App(options))
        base_url = server.__enter__()
        servers.append(server)
        return AssistantsTarget("assistants", HttpWire(Address(base_url, "any")), poll_s=0.01)

    yield make
    for server in servers:
        server.__exit__(None, None, None)


async def no_functions(call: FunctionCall) -> FunctionOutput:
    raise AssertionError(f"no function call was expected: {call}")


def talk(
    target: Target,
    variant: Variant,
    *turns: OutgoingTurn,
    answer: Callable[[FunctionCall], Awaitable[FunctionOutput]] = no_functions,
    history: tuple[HistoryMessage, ...] = (),
    deadline_s: float = 30.0,
) -> list[TurnTrace]:
    """One whole session, provisioned and torn down."""

    async def go() -> list[TurnTrace]:
        try:
            await target.provision(variant)
            session = await target.open(variant, history=history)
            traces = [await session.send(turn, answer, deadline_s=deadline_s) for turn in turns]
            await session.close()
            return traces
        finally:
            await target.tear_down()

    return asyncio.run(go())


def test_a_plain_answer_is_captured_with_its_usage(make_target: MakeTarget, variant: Variant) -> None:
    [turn] = talk(make_target(["Hello there."]), variant, OutgoingTurn("Hi"))
    assert (turn.status, turn.answer, turn.model) == ("completed", "Hello there.", "scripted")
    assert turn.usage and turn.usage.completion_tokens > 0
    assert [step.type for step in turn.steps] == ["message_creation"]
    assert turn.latency_s >= 0 and turn.wait_s == 0 and turn.error is None


def test_search_results_carry_their_text_and_citations_find_their_chunk(
    make_target: MakeTarget, variant: Variant
) -> None:
    def model(request: ModelRequest) -> Line:
        hits = request.messages[-1].hits
        return f"24 months {hits[0].marker}." if hits else calls(file_search("warranty"))

    [turn] = talk(make_target(model), variant, OutgoingTurn("How long is the warranty?"))
    assert turn.search_results[0].filename == "guide.md"
    assert "24 months" in (turn.search_results[0].text or "")
    [citation] = turn.citations
    assert turn.answer[citation.start : citation.end] == citation.marker
    assert citation.filename == "guide.md"
    assert citation.chunk == turn.search_results[0].text


def test_function_calls_are_answered_in_rounds_and_in_parallel(
    make_target: MakeTarget, variant: Variant
) -> None:
    first = calls(function_call("open_ticket", subject="a"), function_call("open_ticket", subject="b"))
    lines: list[Line] = [first, calls(function_call("open_ticket", subject="c")), "Done."]

    async def answer(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput(json.dumps({"seen": json.loads(call.arguments)["subject"]}))

    [turn] = talk(make_target(lines), variant, OutgoingTurn("Open them"), answer=answer)
    assert turn.status == "completed"
    outputs = [json.loads(call.output or "")["seen"] for call in turn.tool_calls]
    assert outputs == ["a", "b", "c"]
    assert all(call.latency_s is not None for call in turn.tool_calls)


def test_what_was_wrong_with_an_answer_to_a_function_stands_in_the_trace(
    make_target: MakeTarget, variant: Variant
) -> None:
    async def answer(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput('{"error": "no stub"}', error="no stub")

    lines: list[Line] = [calls(function_call("open_ticket")), "Sorry."]
    [turn] = talk(make_target(lines), variant, OutgoingTurn("Go"), answer=answer)
    assert [call.error for call in turn.tool_calls] == ["no stub"]
    assert turn.status == "completed"


def test_code_and_its_image_come_back(make_target: MakeTarget, variant: Variant, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('drawn')"
    turn = OutgoingTurn("Draw", ((tmp_path / "rows.csv", Attachment(file="rows.csv")),))
    [trace] = talk(make_target([calls(run_code(code)), "Here it is."]), variant, turn)
    [call] = trace.tool_calls
    assert call.arguments == code
    assert [output.type for output in call.outputs].count("image") == 1
    assert "drawn" in "".join(output.logs or "" for output in call.outputs)
    [image] = [file for message in trace.messages for file in message.files]
    assert image.kind == "image" and image.content_base64
    assert trace.user.attachments == ("rows.csv",)


def test_an_attachment_that_can_not_be_searched_is_refused_by_name(
    make_target: MakeTarget, variant: Variant, tmp_path: Path
) -> None:
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.7 and no more")
    attached = Attachment(file="torn.pdf", tools=("file_search",))
    turn = OutgoingTurn("What does it say?", ((tmp_path / "torn.pdf", attached),))
    with pytest.raises(TargetRefused, match=r"torn\.pdf") as caught:
        talk(make_target(["It says nothing."]), variant, turn)
    assert caught.value.code == "document-unreadable"


def test_a_failed_run_is_data_with_its_reason(make_target: MakeTarget, variant: Variant) -> None:
    [turn] = talk(make_target([]), variant, OutgoingTurn("Hi"))
    assert turn.status == "failed"
    assert "server_error" in (turn.error or "")


def test_an_incomplete_run_is_data_with_its_reason(make_target: MakeTarget, variant: Variant) -> None:
    limited = variant.model_copy(
        update={"assistant": variant.assistant.model_copy(update={"max_completion_tokens": 256})}
    )
    [turn] = talk(make_target(["word " * 2000]), limited, OutgoingTurn("Hi"))
    assert (turn.status, turn.error) == ("incomplete", "incomplete: max_completion_tokens")


def test_history_is_what_the_model_sees_before_the_first_turn(
    make_target: MakeTarget, variant: Variant
) -> None:
    history = tuple(
        HistoryMessage(role="user" if number % 2 == 0 else "assistant", content=f"message {number}")
        for number in range(40)
    )
    seen: list[str] = []

    def model(request: ModelRequest) -> Line:
        seen.extend(message.content for message in request.messages)
        return "ok"

    talk(make_target(model), variant, OutgoingTurn("now"), history=history)
    assert seen == [*(f"message {number}" for number in range(40)), "now"]


def test_a_turn_over_its_deadline_ends_as_timed_out_and_frees_the_thread(
    make_target: MakeTarget, variant: Variant
) -> None:
    async def never(call: FunctionCall) -> FunctionOutput:
        await asyncio.Event().wait()
        raise AssertionError

    lines: list[Line] = [calls(function_call("open_ticket")), "second answer"]
    target = make_target(lines)
    first, second = OutgoingTurn("one"), OutgoingTurn("two")

    async def go() -> list[TurnTrace]:
        try:
            await target.provision(variant)
            session = await target.open(variant)
            slow = await session.send(first, never, deadline_s=0.2)
            return [slow, await session.send(second, no_functions, deadline_s=30)]
        finally:
            await target.tear_down()

    slow, quick = asyncio.run(go())
    assert slow.status == "timed_out"
    assert (quick.status, quick.answer) == ("completed", "second answer")


def test_a_user_who_comes_back_gets_the_same_thread(make_target: MakeTarget, variant: Variant) -> None:
    target = make_target(lambda request: f"{len(request.messages)} messages")

    async def go() -> list[TurnTrace]:
        try:
            await target.provision(variant)
            traces = []
            for user in ("jo", "jo", "sam"):
                session = await target.open(variant, user_id=user)
                traces.append(await session.send(OutgoingTurn("hi"), no_functions, deadline_s=30))
                await session.close()
            return traces
        finally:
            await target.tear_down()

    traces = asyncio.run(go())
    assert [trace.answer for trace in traces] == ["1 messages", "3 messages", "1 messages"]
    assert traces[0].thread_id == traces[1].thread_id != traces[2].thread_id


def test_an_unreadable_document_is_refused_by_name_before_anything_runs(
    make_target: MakeTarget, variant: Variant, tmp_path: Path
) -> None:
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.4 broken")
    broken = variant.model_copy(update={"documents": (*variant.documents, tmp_path / "scan.pdf")})
    with pytest.raises(TargetRefused, match=r"scan\.pdf") as caught:
        talk(make_target(["never said"]), broken, OutgoingTurn("Hi"))
    assert caught.value.code == "document-unreadable"


def test_an_unknown_assistant_is_refused_by_id(make_target: MakeTarget, variant: Variant) -> None:
    nobody = variant.model_copy(update={"assistant_id": "asst_nobody"})
    with pytest.raises(TargetRefused, match="asst_nobody"):
        talk(make_target(["never said"]), nobody, OutgoingTurn("Hi"))


def test_tear_down_leaves_nothing_behind(variant: Variant) -> None:
    with background(App(ServerOptions(models=ModelTable(default=Scripted(["a"]))))) as base_url:
        talk(
            AssistantsTarget("assistants", HttpWire(Address(base_url, "any")), poll_s=0.01),
            variant,
            OutgoingTurn("Hi"),
        )

        async def left() -> list[int]:
            wire = HttpWire(Address(base_url, "any"))
            try:
                pages = [await wire.call("GET", path) for path in ("/assistants", "/files", "/vector_stores")]
                return [len(page["data"]) for page in pages]
            finally:
                await wire.close()

        assert asyncio.run(left()) == [0, 0, 0]


class CutWire(EmbeddedWire):
    """A server whose streams break off after so many events."""

    def __init__(self, options: ServerOptions, events: int) -> None:
        super().__init__(options)
        self.events = events

    async def stream(self, *arguments: Any, **named: Any) -> Any:
        left = self.events
        async for event in super().stream(*arguments, **named):
            if left == 0:
                return
            left -= 1
            yield event


@pytest.mark.parametrize("events", [0, 1, 4, 7])
def test_a_stream_that_breaks_off_is_finished_by_polling(variant: Variant, events: int) -> None:
    lines: list[Line] = [calls(function_call("open_ticket", subject="a")), "All done."]

    async def answer(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput("T-1")

    wire = CutWire(ServerOptions(models=ModelTable(default=Scripted(lines))), events)
    [turn] = talk(AssistantsTarget("cut", wire, poll_s=0.01), variant, OutgoingTurn("Go"), answer=answer)
    assert (turn.status, turn.answer) == ("completed", "All done.")
    assert [step.type for step in turn.steps] == ["tool_calls", "message_creation"]
    assert turn.tool_calls[0].output == "T-1"
    assert turn.usage is not None
