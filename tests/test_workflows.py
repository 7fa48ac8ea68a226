"""Whole jobs from a program: the calls that a notebook makes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import workflows
from harness.results import TrialResult
from harness.runner.events import Event, Provisioned, RunStarted, TrialFinished
from harness.runner.executors.local import Stop
from harness.settings import load_settings
from harness.trace.records import TurnTrace
from harness.workflows.going_on import going_on
from harness.workflows.jobs import recalled

SUITE = """
suite: s
assistant: bot.yaml
conversations:
  - {id: a, tags: [smoke], turns: [{user: hello}]}
  - {id: b, turns: [{user: hello}]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "s.yaml").write_text(SUITE)
    (tmp_path / "suites" / "bot.yaml").write_text("{name: Bot, model: m, instructions: Be kind.}")
    return tmp_path


def test_suites_are_evaluated_inside_a_running_event_loop_as_in_a_notebook(folder: Path) -> None:
    async def cell() -> harness.SuiteRun:
        return harness.evaluate("suites")

    run = asyncio.run(cell())
    assert [result.conversation for result in run.results] == ["a", "b"]


def test_one_tag_may_stand_alone_and_no_suite_means_the_usual_folder(folder: Path) -> None:
    assert [result.conversation for result in harness.evaluate(tags="smoke").results] == ["a"]


def test_without_suites_and_their_folder_there_is_nothing_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(harness.HarnessError) as caught:
        harness.evaluate()
    assert caught.value.code == "nothing-to-run"


FAILING = "faults: [{run: failed, nth: 1}]"


def with_faults(folder: Path, name: str, faults: str | None) -> None:
    """A suite of one conversation, with a file of faults."""
    named = f"faults: {faults}\n" if faults else ""
    text = (
        f"suite: {name}\nassistant: bot.yaml\n{named}conversations: [{{id: a, turns: [{{user: hello}}]}}]\n"
    )
    (folder / "suites" / f"{name}.yaml").write_text(text)


def test_a_suite_meets_the_faults_that_it_names(folder: Path) -> None:
    (folder / "suites" / "failing.yaml").write_text(FAILING)
    with_faults(folder, "flaky", "failing.yaml")
    [result] = harness.evaluate("suites/flaky.yaml").results
    assert result.trace is not None
    assert result.trace.turns[0].status == "failed"


def test_a_file_of_faults_for_the_run_takes_the_place_of_what_a_suite_names(folder: Path) -> None:
    (folder / "suites" / "failing.yaml").write_text(FAILING)
    (folder / "none.yaml").write_text("faults: [{run: failed, nth: 1000}]")
    with_faults(folder, "flaky", "failing.yaml")
    [result] = harness.evaluate("suites/flaky.yaml", faults="none.yaml").results
    assert result.trace is not None
    assert result.trace.turns[0].status == "completed"


def test_suites_that_want_different_faults_are_not_run_together(folder: Path) -> None:
    (folder / "suites" / "failing.yaml").write_text(FAILING)
    with_faults(folder, "flaky", "failing.yaml")
    with pytest.raises(harness.HarnessError, match="want different faults on demand") as caught:
        harness.evaluate("suites/flaky.yaml", "suites/s.yaml")
    assert "one after the other" in str(caught.value.hint)


def test_a_file_of_faults_that_is_not_there_is_named_with_its_place(folder: Path) -> None:
    with_faults(folder, "flaky", "nowhere.yaml")
    with pytest.raises(harness.HarnessError, match=r"nowhere\.yaml") as caught:
        harness.evaluate("suites/flaky.yaml")
    assert "flaky.yaml:3:" in str(caught.value)


def test_a_run_tells_how_its_requests_stand_and_what_each_part_of_it_waited_for(folder: Path) -> None:
    (folder / "busy.yaml").write_text(
        "faults:\n"
        "  - {path: /assistants, method: POST, nth: 1, status: 429, retry_after_s: 0.02}\n"
        "  - {path: /threads, method: POST, nth: 1, status: 503, retry_after_s: 0.02}\n"
        "  - {path: /threads/*/runs, method: POST, nth: 2, status: 429, retry_after_s: 0.02}\n"
    )
    events: list[Event] = []
    settings = load_settings({"faults": "busy.yaml", "concurrency": 1}, environment={})
    control = workflows.Control([events.append])
    run = asyncio.run(workflows.start(workflows.Job(("suites",), settings), control))
    started = next(event for event in events if isinstance(event, RunStarted))
    ready = next(event for event in events if isinstance(event, Provisioned))
    assert started.traffic is not None
    state = started.traffic()
    assert (state.refused, state.retries, state.in_flight, state.waiting) == (2, 3, 0, 0)
    assert state.waited_s >= 0.06 and ready.waited_s >= 0.02
    tries = {r.conversation: [a.request.split("/")[-1] for a in _only_turn(r).attempts] for r in run.results}
    assert tries == {"a": ["threads"], "b": ["runs"]}
    assert all(result.wait_s >= 0.02 for result in run.results)


def _only_turn(result: TrialResult) -> TurnTrace:
    assert result.trace is not None
    return result.trace.turns[0]


def test_the_limits_of_a_run_may_be_others_when_it_goes_on(folder: Path) -> None:
    stop = workflows.Control()
    stop.stop.set()
    settings = load_settings({"requests_per_minute": 600, "max_tries": 2}, environment={})
    begun = asyncio.run(workflows.start(workflows.Job(("suites",), settings), stop))
    assert begun.settings["requests_per_minute"] == 600
    now = load_settings({"max_tries": 7}, environment={})
    job = recalled(begun, now, {"max_tries"})
    assert (job.settings.requests_per_minute, job.settings.max_tries) == (600, 7)


# --- suites in Python --------------------------------------------------------------------------------------

TALKS = """
from harness import Suite

s = Suite("talks", assistant="bot.yaml")


@s.conversation(tags=["smoke"])
async def greets(talk):
    answer = await talk.say("hello")
    talk.check("answered", bool(answer.text))


@s.conversation(rows=[{"id": "x"}, {"id": "y"}])
async def asks(talk):
    await talk.say("hello")
"""


def made() -> harness.Suite:
    """The same as a program makes it, without a file."""
    names: dict[str, Any] = {}
    exec(compile(TALKS, "<cell 3>", "exec"), names)
    suite = names["s"]
    assert isinstance(suite, harness.Suite)
    return suite


def test_python_suites_are_selected_by_tag_and_id_like_others(folder: Path) -> None:
    (folder / "suites" / "talks.py").write_text(TALKS)
    by_tag = harness.evaluate("suites", tags="smoke")
    assert [result.trial_id for result in by_tag.results] == ["s/a@bot#1", "talks/greets@bot#1"]
    by_id = harness.evaluate("suites", only=["talks/asks-*"])
    assert [result.conversation for result in by_id.results] == ["asks-x", "asks-y"]


def test_a_suite_made_in_a_notebook_is_evaluated_with_paths_from_the_working_folder(folder: Path) -> None:
    (folder / "bot.yaml").write_text("{name: Bot, model: m}")
    run = harness.evaluate(made(), "suites/s.yaml")
    assert [result.suite for result in run.results] == ["s", "s", "talks", "talks", "talks"]
    assert {result.outcome for result in run.results} == {"passed"}


def test_mistakes_of_a_suite_made_in_a_notebook_name_it(folder: Path) -> None:
    with pytest.raises(harness.HarnessError, match=r"notebook.*no file 'bot.yaml'"):
        harness.evaluate(made())


def test_several_assistants_are_run_on_every_conversation_under_their_names(folder: Path) -> None:
    (folder / "other.yaml").write_text("{name: Bot, model: m, instructions: Be curt.}")
    named = {"now": "suites/bot.yaml", "curt": folder / "other.yaml"}
    run = harness.evaluate("suites", assistant=named, tags="smoke")
    assert [result.variant for result in run.results] == ["now", "curt"]
    listed = harness.evaluate("suites", assistant=["suites/bot.yaml", "other.yaml"], tags="smoke")
    assert [result.variant for result in listed.results] == ["bot", "other"]
    frame = harness.trials_frame(listed)
    assert frame["variant"].tolist() == ["bot", "other"] and frame["wait_s"].eq(0).all()


def test_progress_is_shown_on_request_and_off_by_default(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.evaluate("suites")
    assert capsys.readouterr().err == ""
    harness.evaluate("suites", progress=True)
    assert "2 passed" in capsys.readouterr().err


def interrupted(folder: Path, suites: str = "suites/talks.py") -> str:
    """The id of a run of which some trials are in and some are left."""
    stop = Stop()

    def listen(event: Event) -> None:
        if isinstance(event, TrialFinished):
            stop.set()

    (folder / "suites" / "talks.py").write_text(TALKS)
    job = workflows.Job((suites,), load_settings({"concurrency": 1}))
    run = asyncio.run(workflows.start(job, workflows.Control([listen], stop)))
    assert run.status == "interrupted" and 0 < len(run.results) < 3
    return run.id


def test_a_run_of_a_python_suite_goes_on_where_it_was_interrupted(folder: Path) -> None:
    run = asyncio.run(workflows.resume(interrupted(folder), load_settings({})))
    assert [result.conversation for result in run.results] == ["greets", "asks-x", "asks-y"]


def test_a_run_of_a_python_suite_that_has_changed_does_not_go_on(folder: Path) -> None:
    run_id = interrupted(folder)
    (folder / "suites" / "talks.py").write_text(TALKS.replace('say("hello")', 'say("goodbye")'))
    with pytest.raises(harness.HarnessError, match="suite talks") as caught:
        asyncio.run(workflows.resume(run_id, load_settings({})))
    assert caught.value.code == "suite-changed"


def test_a_run_that_another_process_works_on_does_not_go_on_twice(folder: Path) -> None:
    run_id, settings = interrupted(folder), load_settings({})
    with going_on(settings, run_id), pytest.raises(harness.HarnessError, match="another process") as caught:
        asyncio.run(workflows.resume(run_id, settings))
    assert caught.value.code == "run-going-on"
    with going_on(settings, run_id, is_part=True), going_on(settings, run_id, is_part=True):
        pass  # parts of one run go on side by side
    assert asyncio.run(workflows.resume(run_id, settings)).status == "finished"
    assert {each.name for each in (folder / ".harness").iterdir()} == {"store.sqlite"}


def test_a_run_whose_suite_a_program_made_can_only_be_run_again(folder: Path) -> None:
    (folder / "bot.yaml").write_text("{name: Bot, model: m}")
    run = harness.evaluate(made())
    with pytest.raises(harness.HarnessError, match="a program made these suites: talks") as caught:
        asyncio.run(workflows.resume(run.id, load_settings({})))
    assert caught.value.code == "suite-made-in-program"


def test_what_evaluate_raises_has_no_context_of_how_it_was_run(folder: Path) -> None:
    with pytest.raises(harness.HarnessError) as caught:
        harness.evaluate("nowhere/at-all.yaml")
    assert caught.value.__context__ is None
