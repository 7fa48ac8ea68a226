"""A suite run: every trial ends in exactly one result, whatever happens on the way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from harness.clock import SYSTEM_CLOCK
from harness.errors import TargetUnavailable
from harness.plan import Plan, Trial
from harness.results import Score, TrialResult
from harness.runner.events import Event, RunFinished, RunStarted, TrialFinished, TrialStarted
from harness.runner.executors.local import Stop, run
from harness.runner.trial import TrialOptions
from harness.scorers.checks import score_trace
from harness.server.llms.scripted import calls, function_call
from harness.targets.interface import Target
from harness.trace.records import Trace

THREE = """
conversations:
  - {id: a, turns: [{user: one}, {user: two}]}
  - {id: b, turns: [{user: one, expect: {answer: {mentions: [echo]}}}]}
  - {id: c, turns: [{user: one, expect: {answer: {mentions: [nothing like it]}}}]}
"""


def score(trial: Trial, trace: Trace) -> tuple[Score, ...]:
    return score_trace(trial.conversation, trial.variant.assistant, trace)


def events_of(
    plan: Plan,
    target: Target,
    *,
    concurrency: int = 4,
    stop_after: int | None = None,
    at_once: Callable[[Event], bool] = lambda event: False,
    **options: Any,
) -> list[Event]:
    async def go() -> list[Event]:
        stop, events = Stop(), []
        trial_options = TrialOptions(**{"deadline_s": 30.0, "score": score, **options})
        try:
            async for event in run(
                plan, target, trial_options, concurrency=concurrency, clock=SYSTEM_CLOCK, stop=stop
            ):
                events.append(event)
                if sum(isinstance(each, TrialFinished) for each in events) == stop_after:
                    stop.set()
                if at_once(event):
                    stop.at_once()
        finally:
            await target.tear_down()
        return events

    return asyncio.run(go())


def results(events: list[Event]) -> dict[str, TrialResult]:
    return {event.result.trial_id: event.result for event in events if isinstance(event, TrialFinished)}


def test_every_trial_of_the_plan_ends_once(make_suite_plan: Any, make_target: Any) -> None:
    plan = make_suite_plan(THREE, repeats=3)
    events = events_of(plan, make_target(lambda request: "echo"))
    assert sorted(results(events)) == sorted(trial.id for trial in plan.trials)
    assert isinstance(events[0], RunStarted)
    assert events[-1] == RunFinished(events[-1].at, "finished")  # type: ignore[union-attr]


def test_outcomes_follow_from_scores(make_suite_plan: Any, make_target: Any) -> None:
    found = results(events_of(make_suite_plan(THREE), make_target(lambda request: "echo")))
    assert {trial_id: result.outcome for trial_id, result in found.items()} == {
        "s/a@assistant#1": "passed",
        "s/b@assistant#1": "passed",
        "s/c@assistant#1": "failed",
    }


def test_usage_and_cost_are_those_of_all_turns(make_suite_plan: Any, make_target: Any) -> None:
    found = results(events_of(make_suite_plan(THREE), make_target(lambda request: "echo")))
    two_turns, one_turn = found["s/a@assistant#1"], found["s/b@assistant#1"]
    assert two_turns.usage and one_turn.usage and two_turns.cost_usd and one_turn.cost_usd
    assert two_turns.usage.completion_tokens == 2 * one_turn.usage.completion_tokens
    assert two_turns.cost_usd > one_turn.cost_usd > 0


def test_repeats_have_fresh_threads(make_suite_plan: Any, make_target: Any) -> None:
    plan = make_suite_plan("conversations: [{id: a, as: jo, turns: [{user: hi}]}]", repeats=4)
    found = results(events_of(plan, make_target(lambda request: f"{len(request.messages)} messages")))
    assert {result.trace.turns[0].answer for result in found.values()} == {"1 messages"}


def test_a_returning_user_finds_the_earlier_talk(make_suite_plan: Any, make_target: Any) -> None:
    suite = "conversations: [{id: a, as: jo, turns: [{user: hi}, {user: back, returning: true}]}]"
    target = make_target(lambda request: f"{len(request.messages)} messages")
    [result] = results(events_of(make_suite_plan(suite), target)).values()
    assert [(turn.answer, turn.returning) for turn in result.trace.turns] == [
        ("1 messages", False),
        ("3 messages", True),
    ]


def test_stubs_answer_in_order_and_a_call_without_one_is_a_finding(
    make_suite_plan: Any, make_target: Any
) -> None:
    suite = """
tools:
  open_ticket:
    - {when: {subject: a}, times: 1, returns: {id: T-1}}
    - {when: {subject: a}, fails: "down"}
conversations: [{id: c, turns: [{user: go}]}]
"""
    subjects = iter(["a", "a", "b"])

    def model(request: Any) -> Any:
        subject = next(subjects, None)
        return calls(function_call("open_ticket", subject=subject)) if subject else "done"

    [result] = results(events_of(make_suite_plan(suite), make_target(model))).values()
    outputs = [(call.output, bool(call.error)) for call in result.trace.turns[0].tool_calls]
    assert outputs[:2] == [('{"id":"T-1"}', False), ('{"error":"down"}', False)]
    assert outputs[2][1] and "no stub" in outputs[2][0]
    [finding] = [score for score in result.scores if score.scorer == "stubs"]
    assert (finding.check, finding.turn, finding.value, finding.passed) == (
        "stubs.open_ticket",
        0,
        None,
        None,
    )
    assert "no stub of 'open_ticket'" in finding.reason
    assert result.outcome == "passed"


def test_a_target_that_fails_half_way_makes_an_errored_trial_that_keeps_what_was_reached(
    make_suite_plan: Any, make_target: Any
) -> None:
    target = make_target(lambda request: "echo")
    opened = target.open

    async def open_once(*arguments: Any, **named: Any) -> Any:
        session = await opened(*arguments, **named)
        send, sent = session.send, []

        async def send_once(*a: Any, **n: Any) -> Any:
            if sent:
                raise TargetUnavailable("gone")
            sent.append(1)
            return await send(*a, **n)

        session.send = send_once
        return session

    target.open = open_once
    found = results(events_of(make_suite_plan(THREE), target))
    broken = found["s/a@assistant#1"]
    assert (broken.outcome, broken.error, len(broken.trace.turns)) == ("errored", "gone", 1)
    assert all(score.value is None for score in broken.scores if score.turn == 1)
    assert broken.cost_usd is None and "broke off" in broken.cost_reason
    assert found["s/b@assistant#1"].outcome == "passed"


def test_a_stop_lets_trials_under_way_finish_and_begins_no_more(
    make_suite_plan: Any, make_target: Any
) -> None:
    plan = make_suite_plan(THREE, repeats=20)
    events = events_of(plan, make_target(lambda request: "echo"), concurrency=2, stop_after=5)
    begun = [event.trial.id for event in events if isinstance(event, TrialStarted)]
    assert sorted(results(events)) == sorted(begun)
    assert 5 <= len(begun) < len(plan.trials)
    assert events[-1].status == "interrupted"  # type: ignore[union-attr]


def test_a_stop_at_once_ends_the_run_in_order_without_the_trials_under_way(
    make_suite_plan: Any, make_target: Any
) -> None:
    go_on = threading.Event()

    def model(request: Any) -> str:
        assert go_on.wait(60)
        return "echo"

    target = make_target(model)
    close = target.tear_down

    async def tear_down() -> None:
        go_on.set()  # the answer comes after the stop
        await close()

    target.tear_down = tear_down
    events = events_of(
        make_suite_plan(THREE), target, concurrency=2, at_once=lambda event: isinstance(event, TrialStarted)
    )
    assert results(events) == {}
    assert events[-1] == RunFinished(events[-1].at, "interrupted")  # type: ignore[union-attr]


def test_a_stop_at_once_does_not_wait_for_documents_to_be_indexed(
    make_suite_plan: Any, make_target: Any
) -> None:
    target = make_target(lambda request: "echo")

    async def never(variant: Any) -> None:
        await asyncio.Event().wait()

    target.provision = never
    events = events_of(make_suite_plan(THREE), target, at_once=lambda event: isinstance(event, RunStarted))
    assert [type(event) for event in events] == [RunStarted, RunFinished]
    assert events[-1].status == "interrupted"  # type: ignore[union-attr]


def test_never_more_trials_at_once_than_asked(make_suite_plan: Any, make_target: Any) -> None:
    plan = make_suite_plan(THREE, repeats=5)
    under_way, most = 0, 0
    for event in events_of(plan, make_target(lambda request: "echo"), concurrency=3):
        under_way += type(event).__name__ == "TrialStarted"
        under_way -= type(event).__name__ == "TrialFinished"
        most = max(most, under_way)
    assert most == 3


def test_a_plan_runs_whole_passes_one_after_the_other(make_suite_plan: Callable[..., Plan]) -> None:
    plan = make_suite_plan(THREE, repeats=2)
    assert [trial.repeat for trial in plan.trials] == [1, 1, 1, 2, 2, 2]
    assert replace(plan, trials=plan.trials[:2]).extent().turns == 3
