"""A suite run whose conversations are played when somebody asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import workflows
from harness.clock import SYSTEM_CLOCK
from harness.errors import StoreError, TargetError
from harness.plan import make_plan
from harness.settings import Settings, load_settings
from harness.suite.records import Suite

ASSISTANT = "{name: plain, model: extractive, instructions: You help.}\n"
SUITE = """suite: small
assistant: plain.yaml
conversations:
  - {id: one, turns: [{user: Hello, expect: {status: completed}}]}
  - {id: two, turns: [{user: Hello again, expect: {answer: {mentions: [Zanzibar]}}}]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plain.yaml").write_text(ASSISTANT, "utf-8")
    (tmp_path / "small.yaml").write_text(SUITE, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def opened(settings: Settings, run_id: str = "a-run") -> tuple[workflows.PiecewiseRun, list[Suite]]:
    job = workflows.Job(("small.yaml",), settings)
    suites = workflows.load(job)
    plan = make_plan(suites, repeats=settings.repeats)
    return workflows.PiecewiseRun(job, suites, plan, workflows.Part(run_id), suites), suites


def test_conversations_are_played_one_by_one_and_stored_as_one_run(folder: Path) -> None:
    settings = load_settings({"repeats": 2})
    run, suites = opened(settings)
    first, second, *_ = make_plan(suites, repeats=2).trials
    assert [result.outcome for result in run.play([second])] == ["failed"]
    assert [result.outcome for result in run.play([first])] == ["passed"]
    run.close()
    record = workflows.conclude(settings, "a-run", None, SYSTEM_CLOCK.now())
    assert (record.status, record.planned) == ("interrupted", 4)
    assert [result.conversation for result in record.results] == ["one", "two"]


def test_two_parts_carry_out_the_same_run(folder: Path) -> None:
    settings = load_settings({})
    parts = [opened(settings)[0], opened(settings)[0]]
    trials = make_plan(opened(settings, "another")[1]).trials
    for part, trial in zip(parts, trials, strict=True):
        part.play([trial])
    for part in parts:
        part.close()
    assert workflows.stored_run(settings, "a-run").status == "running"  # whoever shared it out ends it
    record = workflows.conclude(settings, "a-run", None, SYSTEM_CLOCK.now())
    assert (record.status, len(record.results)) == ("finished", 2)


def test_an_assistant_that_can_not_be_made_ready_is_told_to_everyone_who_asks(folder: Path) -> None:
    settings = load_settings({"target": "assistants", "base_url": "http://127.0.0.1:9/v1", "max_tries": 1})
    run, suites = opened(settings)
    for trial in make_plan(suites).trials:
        with pytest.raises(TargetError, match=r"127\.0\.0\.1:9"):
            run.play([trial])
    run.close()
    assert workflows.stored_run(settings, "a-run").planned == 2


def test_a_run_that_can_not_begin_says_so_to_who_asks_and_is_closed_in_peace(folder: Path) -> None:
    settings = load_settings({"store": "small.yaml"})  # a file that is no database
    run, suites = opened(settings)
    with pytest.raises(StoreError):
        run.play(make_plan(suites).trials)
    run.close()


def test_a_run_that_can_not_begin_is_no_secret_when_nobody_asked(folder: Path) -> None:
    run, _ = opened(load_settings({"store": "small.yaml"}))
    with pytest.raises(StoreError):
        run.close()


def test_a_limit_of_failures_ends_the_run_for_all_that_comes_later(folder: Path) -> None:
    settings = load_settings({"max_failures": 1})
    run, suites = opened(settings)
    first, second = make_plan(suites).trials
    assert run.why_ended == ""
    run.play([second])
    assert run.play([first]) == []
    assert run.status == "failures_reached" and "as many failures" in run.why_ended
    run.close(at_once=True)
    ended = workflows.conclude(settings, "a-run", run.status, SYSTEM_CLOCK.now())
    assert ended.status == "failures_reached"


def test_trials_that_nobody_planned_are_counted_and_recorded(folder: Path) -> None:
    settings = load_settings({"record": "talks.yaml"})
    run, suites = opened(settings)
    planned = make_plan(suites).trials
    further = make_plan(suites, repeats=3).trials[-1]
    run.add([further])
    for trial in (*planned, further):
        run.play([trial])
    workflows.more_planned(settings, "a-run", 1)
    run.close()
    record = workflows.conclude(settings, "a-run", None, SYSTEM_CLOCK.now())
    assert (record.status, record.planned, len(record.results)) == ("finished", 3, 3)
    assert (folder / "talks.yaml").read_text("utf-8").count("repeat") >= 3
