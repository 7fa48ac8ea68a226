"""What every target does: the same tests in the process, over real HTTP, and with Azure's client."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from virtual_time import jump, jumper

from harness.cost.usage import Usage
from harness.errors import TargetRefused, TargetUnavailable
from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ChatMessage, ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code
from harness.suite.assistants import load_variant
from harness.suite.records import Attachment, HistoryMessage, Variant
from harness.targets.assistants import AssistantsTarget
from harness.targets.chat import ChatTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.function import Answer, FunctionTarget, Question
from harness.targets.http import Address, HttpWire
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn, Target
from harness.targets.responses import ResponsesTarget
from harness.targets.wire import Wire
from harness.trace.records import TurnTrace

Line = str | ModelReply
Lines = list[Line] | Callable[[ModelRequest], Line]
MakeTarget = Callable[[Lines], Target]

ASSISTANTS = ("embedded", "assistants", "assistants-azure")
RESPONSES = ("responses", "responses-http", "responses-azure")
CHAT = ("chat", "chat-http", "chat-azure")
FUNCTIONS = ("function", "function-sync")
WITH_FILES = (*ASSISTANTS, *RESPONSES)
ALL = (*WITH_FILES, *CHAT, *FUNCTIONS)

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


PLAIN_ASSISTANT = """
name: Tester
model: scripted
instructions: Be exact.
tools:
  - type: function
    function: {name: open_ticket, parameters: {type: object, properties: {subject: {type: string}}}}
"""

with_files = pytest.mark.parametrize("kind", WITH_FILES)


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    """An assistant with documents, search and code."""
    (tmp_path / "guide.md").write_text("# Guide\n\nThe warranty lasts 24 months. Returns take 30 days.\n")
    (tmp_path / "assistant.yaml").write_text(ASSISTANT)
    return load_variant(tmp_path / "assistant.yaml")


@pytest.fixture
def plain(tmp_path: Path) -> Variant:
    """An assistant with a function and nothing else, as every target has it."""
    (tmp_path / "plain.yaml").write_text(PLAIN_ASSISTANT)
    return load_variant(tmp_path / "plain.yaml")


@pytest.fixture(params=ALL)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of target; tests of files name the kinds that have them."""
    return str(request.param)


@pytest.fixture
def make_target(kind: str) -> Iterator[MakeTarget]:
    """A target whose model says the given lines."""
    with targets(kind) as make:
        yield make


@contextmanager
def targets(kind: str) -> Iterator[Callable[[Lines], Target]]:
    """What makes targets of this kind; their servers end with the block."""
    with ExitStack() as servers:

        def make(lines: Lines) -> Target:
            if kind in FUNCTIONS:
                return FunctionTarget("function", application(Scripted(lines), sync=kind == "function-sync"))
            options = ServerOptions(models=ModelTable(default=Scripted(lines)))
            if kind in ("embedded", "responses", "chat"):
                return over(kind, EmbeddedWire(options))
            return over(kind, HttpWire(_address(kind, servers.enter_context(background(App(options))))))

        yield make


def _address(kind: str, base_url: str) -> Address:
    if kind.endswith("-azure"):
        return Address(base_url.removesuffix("/v1"), "any", "2025-04-01-preview")
    return Address(base_url, "any")


def over(kind: str, wire: Wire) -> Target:
    """The target of this kind that speaks through a wire."""
    if kind in RESPONSES:
        return ResponsesTarget(kind, wire, poll_s=0.01)
    return ChatTarget(kind, wire) if kind in CHAT else AssistantsTarget(kind, wire, poll_s=0.01)


def application(model: Scripted, *, sync: bool) -> Callable[[Question], object]:
    """An application that has a scripted model of its own and calls the suite's functions."""

    async def answer(question: Question) -> Answer:
        while (reply := model.complete(_asked(question))).tool_requests:
            for each in reply.tool_requests:
                await question.call(each.name, each.arguments)
        return _answer(reply, question)

    def answer_now(question: Question) -> dict[str, object]:
        while (reply := model.complete(_asked(question))).tool_requests:
            for each in reply.tool_requests:
                question.call_now(each.name, each.arguments)
        done = _answer(reply, question)
        return {"text": done.text, "usage": done.usage, "model": done.model}

    return answer_now if sync else answer


def _asked(question: Question) -> ModelRequest:
    earlier = [
        ChatMessage("user" if said.role == "user" else "assistant", said.text) for said in question.history
    ]
    return ModelRequest(question.model, question.instructions, [*earlier, ChatMessage("user", question.text)])


def _answer(reply: ModelReply, question: Question) -> Answer:
    usage = Usage(prompt_tokens=len(question.text.split()), completion_tokens=len(reply.content.split()))
    return Answer(text=reply.content, usage=usage, model=question.model)


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


def test_a_plain_answer_is_captured_with_its_usage(make_target: MakeTarget, plain: Variant) -> None:
    [turn] = talk(make_target(["Hello there."]), plain, OutgoingTurn("Hi"))
    assert (turn.status, turn.answer, turn.model) == ("completed", "Hello there.", "scripted")
    assert turn.usage and turn.usage.completion_tokens > 0
    assert [step.type for step in turn.steps] == ["message_creation"]
    assert turn.latency_s >= 0 and turn.wait_s == 0 and turn.error is None


@with_files
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
    make_target: MakeTarget, plain: Variant
) -> None:
    first = calls(function_call("open_ticket", subject="a"), function_call("open_ticket", subject="b"))
    lines: list[Line] = [first, calls(function_call("open_ticket", subject="c")), "Done."]

    async def answer(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput(json.dumps({"seen": json.loads(call.arguments)["subject"]}))

    [turn] = talk(make_target(lines), plain, OutgoingTurn("Open them"), answer=answer)
    assert turn.status == "completed"
    outputs = [json.loads(call.output or "")["seen"] for call in turn.tool_calls]
    assert outputs == ["a", "b", "c"]
    assert all(call.latency_s is not None for call in turn.tool_calls)


def test_what_was_wrong_with_an_answer_to_a_function_stands_in_the_trace(
    make_target: MakeTarget, plain: Variant
) -> None:
    async def answer(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput('{"error": "no stub"}', error="no stub")

    lines: list[Line] = [calls(function_call("open_ticket")), "Sorry."]
    [turn] = talk(make_target(lines), plain, OutgoingTurn("Go"), answer=answer)
    assert [call.error for call in turn.tool_calls] == ["no stub"]
    assert turn.status == "completed"


@with_files
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


@with_files
def test_an_attachment_that_can_not_be_searched_is_refused_by_name(
    make_target: MakeTarget, variant: Variant, tmp_path: Path
) -> None:
    (tmp_path / "torn.pdf").write_bytes(b"%PDF-1.7 and no more")
    attached = Attachment(file="torn.pdf", tools=("file_search",))
    turn = OutgoingTurn("What does it say?", ((tmp_path / "torn.pdf", attached),))
    with pytest.raises(TargetRefused, match=r"torn\.pdf") as caught:
        talk(make_target(["It says nothing."]), variant, turn)
    assert caught.value.code == "document-unreadable"


@with_files
def test_a_failed_run_is_data_with_its_reason(make_target: MakeTarget, plain: Variant) -> None:
    [turn] = talk(make_target([]), plain, OutgoingTurn("Hi"))
    assert turn.status == "failed"
    assert "server_error" in (turn.error or "")
    assert turn.answer == ""


@pytest.mark.parametrize("kind", CHAT)
def test_a_completion_that_fails_on_the_server_is_missing_data(
    make_target: MakeTarget, plain: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.backoff.growing_wait_s", lambda number: 0.0)
    with pytest.raises(TargetUnavailable, match="0 lines"):
        talk(make_target([]), plain, OutgoingTurn("Hi"))


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_what_a_function_raises_is_data(make_target: MakeTarget, plain: Variant) -> None:
    [turn] = talk(make_target([]), plain, OutgoingTurn("Hi"))
    assert turn.status == "failed"
    assert turn.error and turn.error.startswith("ModelError: ")
    assert turn.messages == ()


@pytest.mark.parametrize("kind", (*WITH_FILES, *CHAT))
def test_an_incomplete_run_is_data_with_its_reason(
    make_target: MakeTarget, plain: Variant, kind: str
) -> None:
    limited = plain.model_copy(
        update={"assistant": plain.assistant.model_copy(update={"max_completion_tokens": 256})}
    )
    [turn] = talk(make_target(["word " * 2000]), limited, OutgoingTurn("Hi"))
    limit = "max_output_tokens" if kind in RESPONSES else "max_completion_tokens"
    assert (turn.status, turn.error) == ("incomplete", f"incomplete: {limit}")
    assert turn.usage and turn.usage.completion_tokens <= 256
    assert turn.answer.startswith("word word")


def test_history_is_what_the_model_sees_before_the_first_turn(
    make_target: MakeTarget, plain: Variant
) -> None:
    history = tuple(
        HistoryMessage(role="user" if number % 2 == 0 else "assistant", content=f"message {number}")
        for number in range(40)
    )
    seen: list[str] = []

    def model(request: ModelRequest) -> Line:
        seen.extend(message.content for message in request.messages)
        return "ok"

    talk(make_target(model), plain, OutgoingTurn("now"), history=history)
    assert seen == [*(f"message {number}" for number in range(40)), "now"]


def test_a_turn_over_its_deadline_ends_as_timed_out_and_frees_the_thread(
    make_target: MakeTarget, plain: Variant
) -> None:
    async def never(call: FunctionCall) -> FunctionOutput:
        jump(31)
        await asyncio.Event().wait()
        raise AssertionError

    lines: list[Line] = [calls(function_call("open_ticket")), "second answer"]
    target = make_target(lines)
    first, second = OutgoingTurn("one"), OutgoingTurn("two")

    async def go() -> list[TurnTrace]:
        try:
            await target.provision(plain)
            session = await target.open(plain)
            slow = await session.send(first, never, deadline_s=30)
            return [slow, await session.send(second, no_functions, deadline_s=30)]
        finally:
            await target.tear_down()

    slow, quick = asyncio.run(go())
    assert slow.status == "timed_out"
    assert (quick.status, quick.answer) == ("completed", "second answer")


@pytest.mark.parametrize("kind", sorted({*ALL} - {"function"}))  # async code that blocks, blocks us too
def test_a_target_that_hangs_is_not_waited_for_beyond_the_deadline(
    make_target: MakeTarget, plain: Variant
) -> None:
    release = threading.Event()

    async def go() -> TurnTrace:
        deadline_comes = jumper(31)

        def hangs(request: ModelRequest) -> Line:
            deadline_comes()
            release.wait(60)
            return "too late"

        target = make_target(hangs)
        await target.provision(plain)
        session = await target.open(plain)
        trace = await session.send(OutgoingTurn("Hi"), no_functions, deadline_s=30)
        assert not release.is_set()
        release.set()
        await target.tear_down()
        return trace

    trace = asyncio.run(go())
    assert trace.status == "timed_out"
    assert trace.usage is None


def test_a_user_who_comes_back_gets_the_same_thread(make_target: MakeTarget, plain: Variant) -> None:
    target = make_target(lambda request: f"{len(request.messages)} messages")

    async def go() -> list[TurnTrace]:
        try:
            await target.provision(plain)
            traces = []
            for user in ("jo", "jo", "sam"):
                session = await target.open(plain, user_id=user)
                traces.append(await session.send(OutgoingTurn("hi"), no_functions, deadline_s=30))
                await session.close()
            return traces
        finally:
            await target.tear_down()

    traces = asyncio.run(go())
    assert [trace.answer for trace in traces] == ["1 messages", "3 messages", "1 messages"]
    assert traces[0].thread_id == traces[1].thread_id != traces[2].thread_id


@with_files
def test_an_unreadable_document_is_refused_by_name_before_anything_runs(
    make_target: MakeTarget, variant: Variant, tmp_path: Path
) -> None:
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.4 broken")
    broken = variant.model_copy(update={"documents": (*variant.documents, tmp_path / "scan.pdf")})
    with pytest.raises(TargetRefused, match=r"scan\.pdf") as caught:
        talk(make_target(["never said"]), broken, OutgoingTurn("Hi"))
    assert caught.value.code == "document-unreadable"


def test_an_answer_that_is_taken_to_come_too_late_ends_the_turn_at_once_and_frees_the_thread(
    make_target: MakeTarget, plain: Variant
) -> None:
    async def never(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput("{}", takes_s=math.inf)

    target = make_target([calls(function_call("open_ticket")), "second answer"])
    turns = OutgoingTurn("one"), OutgoingTurn("two")
    late, next_ = talk(target, plain, *turns, answer=never, deadline_s=3600.0)
    assert (late.status, late.latency_s) == ("timed_out", 3600.0)
    assert [call.name for call in late.tool_calls] == ["open_ticket"]
    assert (
        late.error == "it did not end within its deadline of 3600 s: nobody answered the call of open_ticket"
    )
    assert (next_.status, next_.answer) == ("completed", "second answer")


def test_time_that_a_function_is_taken_to_work_counts_as_latency(
    make_target: MakeTarget, plain: Variant
) -> None:
    async def slow(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput("{}", takes_s=40.0)

    lines: list[Line] = [calls(function_call("open_ticket"), function_call("open_ticket")), "Done."]
    [turn] = talk(make_target(lines), plain, OutgoingTurn("Go"), answer=slow, deadline_s=3600.0)
    assert turn.status == "completed"
    assert turn.latency_s >= 80.0
    assert [call.latency_s for call in turn.tool_calls] == [40.0, 40.0]


@pytest.mark.parametrize("kind", (*WITH_FILES, *CHAT))
def test_an_assistant_that_asks_for_functions_without_end_is_given_up_and_the_talk_goes_on(
    make_target: MakeTarget, plain: Variant
) -> None:
    async def fine(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput("{}")

    lines: list[Line] = [*(calls(function_call("open_ticket")) for _ in range(4)), "Now I am done."]
    turns = OutgoingTurn("Go", most_rounds=3), OutgoingTurn("And?")
    looping, next_ = talk(make_target(lines), plain, *turns, answer=fine)
    assert looping.status == "requires_action"
    assert "more than 3 times" in (looping.error or "")
    assert [call.output for call in looping.tool_calls][:3] == ["{}", "{}", "{}"]
    assert (next_.status, next_.answer) == ("completed", "Now I am done.")


def test_an_unknown_assistant_is_refused_by_id(make_target: MakeTarget, plain: Variant) -> None:
    nobody = plain.model_copy(update={"assistant_id": "asst_nobody"})
    with pytest.raises(TargetRefused, match="asst_nobody"):
        talk(make_target(["never said"]), nobody, OutgoingTurn("Hi"))


@pytest.mark.parametrize("kind", ["assistants", "responses"])
def test_tear_down_leaves_nothing_behind(variant: Variant, tmp_path: Path, kind: str) -> None:
    (tmp_path / "more.md").write_text("# More\n\nMore words.\n")
    file = Attachment(file="more.md", tools=("file_search", "code_interpreter"))
    with background(App(ServerOptions(models=ModelTable(default=Scripted(["a"]))))) as base_url:
        target = over(kind, HttpWire(Address(base_url, "any")))
        [turn] = talk(target, variant, OutgoingTurn("Hi", ((tmp_path / "more.md", file),)))

        async def left() -> list[int]:
            wire = HttpWire(Address(base_url, "any"))
            try:
                talked = "threads" if kind == "assistants" else "conversations"
                with pytest.raises(TargetRefused):
                    await wire.call("GET", f"/{talked}/{turn.thread_id}")
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


@pytest.mark.parametrize(
    ("kind", "events"), [*(("embedded", n) for n in (0, 1, 4, 7)), *(("responses", n) for n in (1, 2, 5))]
)
def test_a_stream_that_breaks_off_is_finished_by_polling(plain: Variant, kind: str, events: int) -> None:
    lines: list[Line] = [calls(function_call("open_ticket", subject="a")), "All done."]

    async def answer(call: FunctionCall) -> FunctionOutput:
        return FunctionOutput("T-1")

    wire = CutWire(ServerOptions(models=ModelTable(default=Scripted(lines))), events)
    [turn] = talk(over(kind, wire), plain, OutgoingTurn("Go"), answer=answer)
    assert (turn.status, turn.answer) == ("completed", "All done.")
    assert [step.type for step in turn.steps] == ["tool_calls", "message_creation"]
    assert turn.tool_calls[0].output == "T-1"
    assert turn.usage is not None
