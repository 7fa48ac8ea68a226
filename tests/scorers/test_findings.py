"""Findings about function calls stand among the scores and decide nothing."""

from __future__ import annotations

from datetime import UTC, datetime

from harness.runner.trial import outcome
from harness.scorers.findings import stub_findings
from harness.trace.records import Message, RunStep, ToolCall, Trace, TurnTrace


def trace(*calls: ToolCall) -> Trace:
    step = RunStep(id="s", type="tool_calls", status="completed", tool_calls=calls)
    turn = TurnTrace(
        user=Message(role="user", text="x"),
        status="completed",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        latency_s=1.0,
        steps=(step,),
    )
    return Trace(trial_id="t", target="embedded", turns=(turn, turn))


def test_each_call_that_was_not_answered_as_it_should_is_a_finding_at_its_turn() -> None:
    good = ToolCall(id="1", type="function", name="f", output="{}")
    bad = ToolCall(id="2", type="function", name="g", arguments='{"x":1}', error="no stub of 'g'")
    found = list(stub_findings(trace(good, bad)))
    assert [(score.check, score.turn, score.reason) for score in found] == [
        ("stubs.g", 0, "no stub of 'g'"),
        ("stubs.g", 1, "no stub of 'g'"),
    ]
    assert found[0].evidence == {"call": "2", "arguments": '{"x":1}'}
    assert outcome(tuple(found), None) == "skipped"
