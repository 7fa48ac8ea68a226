"""The time of day jumps while a trial runs: no duration is negative, and none is an hour too long."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.clock import Clock
from harness.plan import Plan, make_plan
from harness.results import TrialResult
from harness.runner.events import Provisioned, TrialFinished
from harness.runner.executors.local import Stop, run
from harness.runner.trial import TrialOptions
from harness.suite.records import AssistantFile, Conversation, Suite, Turn, Variant
from harness.targets.function import FunctionTarget

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)


def jumping(jumps_s: list[float]) -> Clock:
    """Each look at the time of day finds it moved by the next jump; with each look a second passes."""
    passed, jumped, left = 0.0, 0.0, list(jumps_s)

    def now() -> datetime:
        nonlocal passed, jumped
        passed += 1
        jumped += left.pop(0) if left else 0.0
        return NOON + timedelta(seconds=passed + jumped)

    def monotonic() -> float:
        nonlocal passed
        passed += 1
        return passed

    return Clock(now=now, monotonic=monotonic)


def plan() -> Plan:
    variant = Variant(name="bot", assistant=AssistantFile(name="Bot", model="m"), fingerprint="f")
    turns = (Turn(user="hi"), Turn(user="again"))
    talks = tuple(Conversation(id=name, turns=turns) for name in "ab")
    return make_plan([Suite(name="s", source=Path("s.yaml"), variant=variant, conversations=talks)])


def played(clock: Clock) -> tuple[list[TrialResult], list[float]]:
    async def go() -> tuple[list[TrialResult], list[float]]:
        target = FunctionTarget("function", lambda question: "fine", clock=clock)
        options = TrialOptions(lambda trial, trace: ())
        found: list[TrialResult] = []
        provisioned: list[float] = []
        async for event in run(plan(), target, options, concurrency=1, clock=clock, stop=Stop()):
            if isinstance(event, TrialFinished):
                found.append(event.result)
            if isinstance(event, Provisioned):
                provisioned.append(event.duration_s)
        return found, provisioned

    return asyncio.run(go())


HOUR_S = 3600.0


@given(st.lists(st.sampled_from([-HOUR_S, -1.0, 0.0, 0.5, HOUR_S, 24 * HOUR_S]), max_size=20))
def test_durations_are_those_of_a_clock_that_never_jumps(jumps_s: list[float]) -> None:
    still, steady = played(jumping([]))
    found, provisioned = played(jumping(jumps_s))
    assert provisioned == steady
    assert [each.latency_s for each in found] == [each.latency_s for each in still]
    assert [each.ended_at - each.started_at for each in found] == [
        each.ended_at - each.started_at for each in still
    ]
    assert all(each.latency_s > 0 and each.ended_at > each.started_at for each in found)
