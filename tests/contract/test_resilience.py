"""A target whose server fails on demand: what passes is waited for, the rest ends typed, never in a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import TargetRateLimited, TargetUnavailable
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
from harness.trace.records import TurnTrace

MakeTarget = Callable[..., Target]
RUNS = "/threads/*/runs"
SOON = {"retry_after_s": 0.001}

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


@pytest.fixture(params=["embedded", "assistants"])
def make_target(request: pytest.FixtureRequest) -> Iterator[MakeTarget]:
    """A target whose server meets these faults and whose model says these lines."""
    servers: list[Any] = []

    def make(*faults: dict[str, Any], lines: Any = ("Fine.",)) -> Target:
        file = parse_faults({"faults": list(faults)}, called_paths())
        model = Scripted(list(lines), cycle=True)
        options = ServerOptions(models=ModelTable(default=model), faults=file)
        if request.param == "embedded":
            return AssistantsTarget("embedded", EmbeddedWire(options), poll_s=0.01)
        server = background(App(options))
        servers.append(server)
        return AssistantsTarget("assistants", HttpWire(Address(server.__enter__(), "any")), poll_s=0.01)

    yield make
    for server in servers:
        server.__exit__(None, None, None)


async def answer(call: FunctionCall) -> FunctionOutput:
    return FunctionOutput('{"found": true}')


def talk(target: Target, variant: Variant) -> TurnTrace:
    async def go() -> TurnTrace:
        try:
            await target.provision(variant)
            session = await target.open(variant)
            trace = await session.send(OutgoingTurn("Hi"), answer, deadline_s=30.0)
            await session.close()
            return trace
        finally:
            await target.tear_down()

    return asyncio.run(go())


def test_a_refusal_for_now_is_waited_for_and_stands_among_the_attempts(
    make_target: MakeTarget, variant: Variant
) -> None:
    fault = {"path": RUNS, "method": "POST", "status": 429, "retry_after_s": 0.02, "nth": [1, 2]}
    turn = talk(make_target(fault), variant)
    assert (turn.status, turn.answer) == ("completed", "Fine.")
    assert [(attempt.number, attempt.wait_s) for attempt in turn.attempts] == [(1, 0.02), (2, 0.02)]
    assert all("429" in (attempt.error or "") for attempt in turn.attempts)
    assert turn.wait_s >= 0.04  # as the clock saw it: asked for twice 0.02


@pytest.mark.parametrize(
    ("status", "error"), [(429, TargetRateLimited), (500, TargetUnavailable), (503, TargetUnavailable)]
)
def test_what_keeps_failing_ends_with_its_type_after_four_tries(
    make_target: MakeTarget, variant: Variant, status: int, error: type[Exception]
) -> None:
    target = make_target({"path": RUNS, "method": "POST", "status": status, **SOON})
    with pytest.raises(error, match="fault on demand"):
        talk(target, variant)


@pytest.mark.parametrize("after", [1, 2, 4, 7])
def test_a_cut_stream_is_followed_by_polling_to_the_same_answer(
    make_target: MakeTarget, variant: Variant, after: int
) -> None:
    turn = talk(make_target({"drop_stream_after": after}), variant)
    assert (turn.status, turn.answer) == ("completed", "Fine.")
    assert turn.usage is not None and turn.usage.completion_tokens > 0
    assert [step.type for step in turn.steps] == ["message_creation"]


def test_function_calls_survive_a_stream_that_is_cut_in_both_rounds(
    make_target: MakeTarget, variant: Variant
) -> None:
    lines = [calls(function_call("lookup", id=1)), "Found."]
    turn = talk(make_target({"drop_stream_after": 3}, lines=lines), variant)
    assert (turn.status, turn.answer) == ("completed", "Found.")
    assert [call.output for call in turn.tool_calls] == ['{"found": true}']


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        (
            {"run": "failed", "code": "rate_limit_exceeded"},
            "failed",
            "rate_limit_exceeded: A fault on demand",
        ),
        ({"run": "expired"}, "expired", None),
        ({"run": "incomplete"}, "incomplete", "incomplete: max_completion_tokens"),
    ],
)
def test_runs_that_end_badly_are_traced_as_they_ended(
    make_target: MakeTarget, variant: Variant, fault: dict[str, Any], status: str, error: str | None
) -> None:
    turn = talk(make_target(fault), variant)
    assert turn.status == status
    assert (turn.error or "").startswith(error or "")
