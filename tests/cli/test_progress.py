"""What is shown of a run while it goes on, with a clock that the test holds."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.cli.event_lines import EventLines
from harness.cli.progress import Display, Lines, progress
from harness.cli.tally import Tally
from harness.clock import Clock
from harness.errors import ReportError
from harness.plan import Plan, Trial
from harness.results import Score, TrialResult
from harness.runner.events import Event, Provisioned, RunFinished, RunStarted, TrialFinished, TrialStarted
from harness.suite.records import AssistantFile, Conversation, Suite, Turn, Variant
from harness.targets.traffic import TrafficState
from harness.trace.records import Message, Trace, TurnTrace

NOW = datetime(2026, 1, 2, tzinfo=UTC)
VARIANT = Variant(name="bot", assistant=AssistantFile(name="Bot", model="m"), fingerprint="f")


@dataclass
class Hands:
    """A clock that stands still until the test moves it."""

    at_s: float = 1000.0

    def clock(self) -> Clock:
        return Clock(now=lambda: NOW + timedelta(seconds=self.at_s - 1000), monotonic=lambda: self.at_s)


@pytest.fixture
def hands() -> Hands:
    return Hands()


def plan(count: int) -> Plan:
    conversations = tuple(Conversation(id=f"c{n}", turns=(Turn(user="hi"),)) for n in range(count))
    suite = Suite(name="s", source=Path("s.yaml"), variant=VARIANT, conversations=conversations)
    return Plan(tuple(Trial(suite, each, VARIANT, 1) for each in conversations))


def ended(trial: Trial, outcome: Any = "passed", wait_s: float = 0.0, **fields: Any) -> TrialFinished:
    turn = TurnTrace(
        user=Message(role="user", text="hi"),
        status="completed",
        started_at=NOW,
        latency_s=1.5,
        wait_s=wait_s,
    )
    failed = Score(check="grounded", scorer="x", turn=0, value=False, passed=False, reason="no")
    result = TrialResult(
        trial_id=trial.id,
        suite="s",
        conversation=trial.conversation.id,
        variant="bot",
        fingerprint="f",
        repeat=1,
        outcome=outcome,
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=2),
        scores=(failed,) if outcome == "failed" else (),
        latency_s=1.5,
        trace=Trace(trial_id=trial.id, target="t", turns=(turn,)),
        **{"cost_usd": Decimal("0.01"), **fields},
    )
    return TrialFinished(result)


def test_the_time_left_is_told_at_the_pace_of_this_process_alone(hands: Hands) -> None:
    tally, trials = Tally(hands.clock()), plan(8).trials
    tally.take(RunStarted(Plan(trials), NOW, already=100))
    assert tally.left_s() is None
    for trial in trials[:2]:
        tally.take(TrialStarted(trial))
        hands.at_s += 10
        tally.take(ended(trial))
    assert (tally.done, tally.planned, tally.left_s()) == (102, 108, 60.0)


def test_trials_beyond_the_plan_are_added_to_it_and_no_time_is_left_below_nothing(hands: Hands) -> None:
    tally, trials = Tally(hands.clock()), plan(3).trials
    tally.take(RunStarted(Plan(trials[:1]), NOW))
    for trial in trials:
        tally.take(TrialStarted(trial))
        hands.at_s += 10
        tally.take(ended(trial))
    assert (tally.done, tally.planned, tally.left_s()) == (3, 3, 0.0)


def test_what_hangs_is_named_with_how_long_longest_first(hands: Hands) -> None:
    tally, trials = Tally(hands.clock()), plan(5).trials
    tally.take(RunStarted(Plan(trials), NOW))
    for trial in trials:
        tally.take(TrialStarted(trial))
        hands.at_s += 10
    tally.take(ended(trials[0]))
    assert tally.slowest(2) == [("s/c1@bot#1", 40.0), ("s/c2@bot#1", 30.0)]
    assert tally.under_way == 4


def test_an_unknown_cost_is_not_counted_as_nothing_and_hides_not_what_is_known(hands: Hands) -> None:
    tally, trials = Tally(hands.clock()), plan(3).trials
    for event in (ended(trials[0]), ended(trials[1], "failed", cost_usd=None), ended(trials[2], wait_s=3)):
        tally.take(event)
    assert str(tally) == "2 passed, 1 failed, $0.02 + cost of 1 trial unknown, waited 3.0 s"


def lines_of(hands: Hands, events: list[Event]) -> tuple[Lines, list[str]]:
    written: list[str] = []
    lines = Lines(written.append, hands.clock())
    for event in events:
        lines(event)
    return lines, written


def test_a_log_has_every_failure_with_its_reason_and_about_twenty_signs_of_life(hands: Hands) -> None:
    trials = plan(200).trials
    events: list[Event] = [RunStarted(Plan(trials), NOW), Provisioned("bot", 1.25)]
    events += [TrialStarted(trials[0]), ended(trials[0], "failed")]
    events += [ended(trials[1], "errored", error="nothing\nanswers")]
    events += [ended(trial) for trial in trials[2:]]
    _, written = lines_of(hands, events)
    assert written[0] == "assistant bot ready after 1.2 s"
    assert written[1].startswith("1/200 failed  s/c0@bot#1: grounded  (1 failed, $0.01")
    assert written[2].startswith("2/200 errored s/c1@bot#1: nothing answers")
    assert 20 <= len(written) <= 25


def test_a_log_says_in_a_silence_that_the_run_goes_on_and_what_it_waits_for(hands: Hands) -> None:
    trials = plan(4).trials
    lines, written = lines_of(hands, [RunStarted(Plan(trials), NOW), TrialStarted(trials[0])])
    lines.still_there()
    assert written == []  # it has just begun
    hands.at_s += 31
    lines.still_there()
    lines.still_there()
    assert written == ["0/4 1 under way: s/c0@bot#1 for 31 s"]


def test_what_holds_requests_up_is_shown_while_something_does(hands: Hands) -> None:
    state = TrafficState(2, 8, 0, 0.0, 0.0, 0, 0)
    trials = plan(2).trials
    started = RunStarted(Plan(trials), NOW, traffic=lambda: state)
    lines, written = lines_of(hands, [started, TrialStarted(trials[0])])
    hands.at_s += 31
    lines.still_there()
    assert written.pop() == "0/2 1 under way: s/c0@bot#1 for 31 s"
    state = TrafficState(1, 4, 3, 12.0, 30.0, 5, 5)
    hands.at_s += 31
    lines.still_there()
    held = "1 request under way of 4 at a time, 3 waiting, refused 5 times, the server wants none for 12 s"
    assert written == [f"0/2 1 under way: s/c0@bot#1 for 62 s; {held}"]
    events: list[str] = []
    tell = EventLines(events.append, hands.clock())
    for event in (started, ended(trials[0])):
        tell(event)
    told = {"in_flight": 1, "limit": 4, "waiting": 3, "refused": 5, "retries": 5}
    assert json.loads(events[-1])["requests"] == told


def test_a_log_says_where_a_run_goes_on(hands: Hands) -> None:
    _, written = lines_of(hands, [RunStarted(plan(3), NOW, already=7)])
    assert written == ["going on: 7 of 10 trials have their result"]


def test_events_for_machines_are_one_object_a_line_with_the_fields_that_the_docs_name(hands: Hands) -> None:
    trials, written = plan(2).trials, []
    listener = EventLines(written.append, hands.clock())
    told: list[Event] = [RunStarted(Plan(trials), NOW, run_id="r-1"), Provisioned("bot", 1.0)]
    told += [TrialStarted(trials[0]), ended(trials[0], wait_s=0.5), TrialStarted(trials[1])]
    told += [ended(trials[1], "errored", error="gone", cost_usd=None), RunFinished(NOW, "finished")]
    for event in told:
        hands.at_s += 1
        listener(event)
    objects = [json.loads(line) for line in written]
    names = ["run_started", "provisioned", "trial_started", "trial_finished"]
    assert [each["event"] for each in objects] == [*names, "trial_started", "trial_finished", "run_finished"]
    documented = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
    for each in objects:
        assert (each["version"], each["run"]) == (1, "r-1")
        assert {name for name in each if f"`{name}`" not in documented} == set()
    assert objects[-1] | {"at": None} == {
        "event": "run_finished",
        "escalation": None,
        "version": 1,
        "run": "r-1",
        "at": None,
        "status": "finished",
        "duration_s": 7.0,
        "done": 2,
        "planned": 2,
        "outcomes": {"passed": 1, "errored": 1},
        "run_cost_usd": "0.01",
        "run_cost_unknown": 1,
        "run_wait_s": 0.5,
        "left_s": 0.0,
        "requests": None,
    }


def test_a_file_of_events_is_begun_anew_and_goes_on_with_the_run(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "events.jsonl"
    for appends in (False, False, True):
        with progress("off", file, appends=appends) as listeners:
            for listener in listeners:
                listener(RunStarted(plan(1), NOW))
    assert len(file.read_text("utf-8").splitlines()) == 2


def test_a_file_of_events_that_can_not_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("no folder")
    with (
        pytest.raises(ReportError, match="events cannot be written") as caught,
        progress("off", tmp_path / "taken" / "events.jsonl"),
    ):
        pass
    assert caught.value.code == "report-not-written"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_run_goes_on_when_its_events_can_not_be_written_any_more(capsys: Any) -> None:
    with progress("off", Path("/dev/full")) as listeners:
        for _ in range(3):
            listeners[0](RunStarted(plan(1), NOW))
    assert capsys.readouterr().err.count("no more events are written") == 1


def test_the_live_display_shows_counts_cost_time_left_and_what_hangs(hands: Hands) -> None:
    display, trials = Display(Tally(hands.clock())), plan(4).trials
    console = Console(file=io.StringIO(), width=140)
    console.print(display)
    for event in (RunStarted(Plan(trials), NOW), *map(TrialStarted, trials[:2])):
        display(event)
    hands.at_s += 20
    display(ended(trials[0]))
    console.print(display)
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "indexing documents" in shown
    assert "1/4 1 passed, $0.01 about 60 s left" in shown
    assert "20 s  s/c1@bot#1" in shown
