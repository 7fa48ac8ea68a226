"""Findings: what nobody asked about and a reader should know. They neither pass nor fail anything."""

from __future__ import annotations

from collections.abc import Iterator

from harness.results import Score
from harness.trace.records import ToolCall, Trace

STUBS = "stubs"
"""The scorer that findings about function calls are given under."""


def stub_findings(trace: Trace) -> Iterator[Score]:
    """One finding for each function call that the suite's stubs could not answer as they should.

    The suite has a gap, or a function of its author failed: the assistant was told of an error that nobody
    meant it to meet, and what came of it could not be judged. Evidence: ``call`` (its id), ``arguments``.
    """
    for index, turn in enumerate(trace.turns):
        for call in turn.tool_calls:
            if call.type == "function" and call.error is not None:
                yield _finding(index, call, call.error)


def _finding(turn: int, call: ToolCall, error: str) -> Score:
    return Score(
        check=f"{STUBS}.{call.name}",
        scorer=STUBS,
        turn=turn,
        value=None,
        passed=None,
        reason=error,
        evidence={"call": call.id, "arguments": call.arguments},
    )
