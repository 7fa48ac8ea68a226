"""A real server that refuses, breaks off and loses answers: all ends typed, and nothing is said twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TargetError, TargetUnavailable
from harness.server.app import App, ServerOptions, called_paths
from harness.server.faults import parse_faults
from harness.server.http import background
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, function_call
from harness.suite.assistants import load_variant
from harness.suite.records import Variant
from harness.targets.assistants import AssistantsTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.http import Address, HttpWire
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn, Target
from harness.targets.limits import Limits
from harness.targets.responses import ResponsesTarget
from harness.targets.traffic import Traffic
from harness.targets.wire import Wire
from harness.trace.records import TurnTrace

Faults = list[dict[str, Any]]
MakeWire = Callable[..., Wire]
SOON = {"retry_after_s": 0.001}
LOST: dict[str, Any] = {"method": "POST", "status": 500, "after_work": True, **SOON}

ASSISTANT = """
name: Tester
model: scripted
instructions: Be exact.
tools:
  - type: function
    function: {name: lookup, parameters: {type: object}}
"""


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    (tmp_path / "assistant.yaml").write_text(ASSISTANT)
    return load_variant(tmp_path / "assistant.yaml")


@pytest.fixture(params=["in-process", "http"])
def make_wire(request: pytest.FixtureRequest) -> Iterator[MakeWire]:
    """A wire to a server that meets these faults and whose model says these lines."""
    with ExitStack() as servers:

        def make(faults: Faults, lines: Any = ("Fine.",), **limits: Any) -> Wire:
            file = parse_faults({"faults": faults}, called_paths())
            models = ModelTable(default=Scripted(list(lines), cycle=True))
            options = ServerOptions(models=models, faults=file)
            traffic = Traffic(Limits(**limits))
            if request.param == "in-process":
                return EmbeddedWire(options, traffic=traffic)
            url = servers.enter_context(background(App(options)))
            return HttpWire(Address(url, "any"), traffic=traffic)

        yield make


async def answer(call: FunctionCall) -> FunctionOutput:
    return FunctionOutput('{"found": true}')


async def play(target: Target, variant: Variant, *texts: str) -> list[TurnTrace]:
    session = await target.open(variant)
    turns = [await session.send(OutgoingTurn(text), answer, deadline_s=30.0) for text in texts]
    return turns


async def made(wire: Wire, thread: str) -> tuple[list[str], int]:
    """What the user said on a thread, and how many runs it had."""
    messages = await wire.call("GET", f"/threads/{thread}/messages", query={"order": "asc"})
    runs = await wire.call("GET", f"/threads/{thread}/runs")
    said = [row["content"][0]["text"]["value"] for row in messages["data"] if row["role"] == "user"]
    return said, len(runs["data"])


@pytest.mark.parametrize(
    "fault",
    [
        {"path": "/threads/*/messages", "nth": 1},
        {"path": "/threads/*/messages", "nth": [2, 3]},
        {"path": "/threads/*/runs", "nth": 1},
        {"path": "/threads/*/runs", "nth": 2},
        {"path": "/threads/*/runs/*/submit_tool_outputs", "nth": 1},
    ],
    ids=lambda fault: f"{fault['path'].rsplit('/', 1)[-1]} {fault['nth']}",
)
def test_what_was_done_though_its_answer_was_lost_is_not_done_again(
    make_wire: MakeWire, variant: Variant, fault: dict[str, Any]
) -> None:
    lines = [calls(function_call("lookup", id=1)), "Found."]
    wire = make_wire([{**LOST, **fault}], lines)

    async def go() -> tuple[list[TurnTrace], tuple[list[str], int]]:
        target = AssistantsTarget("target", wire, poll_s=0.01)
        await target.provision(variant)
        turns = await play(target, variant, "Hi", "Hi")
        seen = await made(wire, str(turns[0].thread_id))
        await target.tear_down()
        return turns, seen

    turns, (said, runs) = asyncio.run(go())
    assert [(turn.status, turn.answer) for turn in turns] == [("completed", "Found.")] * 2
    assert [[call.output for call in turn.tool_calls] for turn in turns] == [['{"found": true}']] * 2
    assert (said, runs) == (["Hi", "Hi"], 2)
    assert any(turn.attempts for turn in turns)


def test_a_stream_that_is_cut_before_its_first_event_leads_to_its_run(
    make_wire: MakeWire, variant: Variant
) -> None:
    wire = make_wire([{"drop_stream_after": 0, "nth": 1}])

    async def go() -> tuple[list[TurnTrace], tuple[list[str], int]]:
        target = AssistantsTarget("target", wire, poll_s=0.01)
        await target.provision(variant)
        turns = await play(target, variant, "Hi")
        seen = await made(wire, str(turns[0].thread_id))
        await target.tear_down()
        return turns, seen

    turns, seen = asyncio.run(go())
    assert [(turn.status, turn.answer) for turn in turns] == [("completed", "Fine.")]
    assert seen == (["Hi"], 1)


def test_a_response_that_was_made_though_its_answer_was_lost_is_an_error_and_not_said_twice(
    make_wire: MakeWire, variant: Variant
) -> None:
    wire = make_wire([{**LOST, "path": "/responses", "nth": 2}])

    async def go() -> list[dict[str, Any]]:
        target = ResponsesTarget("target", wire, poll_s=0.01)
        await target.provision(variant)
        session = await target.open(variant)
        await session.send(OutgoingTurn("One"), answer, deadline_s=30.0)
        with pytest.raises(TargetUnavailable, match="lost on the way"):
            await session.send(OutgoingTurn("Two"), answer, deadline_s=30.0)
        talk = session._talk.conversation_id
        items = await wire.call("GET", f"/conversations/{talk}/items")
        await target.tear_down()
        return list(items["data"])

    items = asyncio.run(go())
    assert sum(item.get("role") == "user" for item in items) == 2


def test_a_response_that_was_never_made_is_asked_for_again(make_wire: MakeWire, variant: Variant) -> None:
    wire = make_wire([{"path": "/responses", "status": 500, "nth": [1, 3], **SOON}])

    async def go() -> list[TurnTrace]:
        target = ResponsesTarget("target", wire, poll_s=0.01)
        await target.provision(variant)
        turns = await play(target, variant, "One", "Two")
        await target.tear_down()
        return turns

    turns = asyncio.run(go())
    assert [(turn.status, len(turn.attempts)) for turn in turns] == [("completed", 1), ("completed", 1)]


@pytest.mark.parametrize("path", ["/threads", "/files", "/assistants"])
def test_a_post_that_is_sent_again_carries_the_key_of_the_first(make_wire: MakeWire, path: str) -> None:
    wire = make_wire([{**LOST, "path": path, "nth": 1}])

    async def go() -> tuple[str, int]:
        try:
            if path == "/files":
                made = await wire.upload("notes.txt", b"Some notes.", "assistants")
            else:
                made = await wire.call("POST", path, {"model": "m"} if path == "/assistants" else {})
            if path == "/threads":
                return made["id"], 1
            return made["id"], len((await wire.call("GET", path))["data"])
        finally:
            await wire.close()

    made, count = asyncio.run(go())
    assert made and count == 1


def test_every_talk_ends_typed_at_a_server_that_does_everything_wrong(
    make_wire: MakeWire, variant: Variant
) -> None:
    faults: Faults = [
        {"rate": 0.05, "status": 429, **SOON},
        {"rate": 0.02, "status": 500, **SOON},
        {"rate": 0.02, "method": "POST", "path": "/threads/*/**", "status": 502, "after_work": True, **SOON},
        {"rate": 0.05, "drop_stream_after": 0},
        {"rate": 0.05, "drop_stream_after": 3},
    ]
    wire = make_wire(faults, concurrency=8)
    ended: list[TargetError | list[TurnTrace]] = []

    async def talk(target: Target) -> None:
        try:
            ended.append(await play(target, variant, "One", "Two", "Three"))
        except TargetError as error:
            ended.append(error)

    async def go() -> list[tuple[list[str], int]]:
        target = AssistantsTarget("target", wire, poll_s=0.01)
        await target.provision(variant)
        await asyncio.gather(*(talk(target) for _ in range(60)))
        whole = [each for each in ended if isinstance(each, list)]
        seen = [await made(wire, str(turns[0].thread_id)) for turns in whole]
        await target.tear_down()
        return seen

    seen = asyncio.run(go())
    assert len(ended) == 60
    assert len(seen) >= 58  # four tries fail at once for about one request in 100,000
    assert all(each == (["One", "Two", "Three"], 3) for each in seen)
    whole = [turn for each in ended if isinstance(each, list) for turn in each]
    assert all((turn.status, turn.answer) == ("completed", "Fine.") for turn in whole)
    assert sum(bool(turn.attempts) for turn in whole) > 10
