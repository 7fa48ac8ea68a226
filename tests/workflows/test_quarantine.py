"""What is in quarantine runs and is shown, decides nothing while that holds, and counts again after it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import harness
from harness import workflows
from harness.cli import FAILED, NOTHING_TO_RUN, PASSED, USAGE, exit_code
from harness.clock import SYSTEM_CLOCK, Clock
from harness.results import SuiteRun
from harness.runner.events import TrialFinished
from harness.runner.executors.local import Stop
from harness.settings import load_settings
from harness.store.store import Store
from harness.workflows.baselines import green_before

APP = """
def answer(question):
    return "Yes." if "good" in question.text else "No idea."
"""
SUITE = """
suite: shop
assistant: bot.yaml
expect: {{answer: {{mentions: ["yes"]}}}}
conversations:
  - id: good
    turns: [{{user: a good question}}]
  - id: fine
    turns: [{{user: another good question}}]
  - id: shaky
    quarantine: {{until: {until}, reason: "the price list moves, #12"}}
    turns: [{{user: a hard question}}]
"""
LAST_DAY = date(2026, 6, 20)
TODAY = SYSTEM_CLOCK.now().date()
"""The day on which the tests began; midnight may pass, so nothing ends today or tomorrow."""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an application that answers one conversation rightly and one wrongly."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "bot.yaml").write_text("name: Bot\nmodel: small-1\n")
    (tmp_path / "shop.yaml").write_text(SUITE.format(until=LAST_DAY))
    return tmp_path


def on(day: date) -> Clock:
    """A clock that stands still at the last minute of a day."""
    now = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
    return Clock(now=lambda: now, monotonic=SYSTEM_CLOCK.monotonic)


def run_on(day: date, **settings: object) -> SuiteRun:
    flags = {"target": "function", "target_function": "app.py:answer", "store": "s.sqlite", **settings}
    job = workflows.Job(("shop.yaml",), load_settings(flags))
    return asyncio.run(workflows.start(job, workflows.Control(clock=on(day))))


def command(*words: str) -> int:
    return exit_code([*words, "--store", "s.sqlite"])


def ran(*words: str) -> int:
    flags = ("--target", "function", "--target-function", "app.py:answer", "--no-progress")
    return command("run", "shop.yaml", *flags, *words)


def from_today(days: int) -> date:
    return TODAY + timedelta(days=days)


def test_it_is_in_force_through_its_last_day_and_counts_the_day_after(shop):
    assert dict(run_on(LAST_DAY).deciding) == {"passed": 2}
    assert dict(run_on(LAST_DAY + timedelta(days=1)).deciding) == {"passed": 2, "failed": 1}


def test_a_stored_run_knows_it_without_reading_its_results(shop):
    run_id = run_on(LAST_DAY).id
    with Store.open("s.sqlite") as store:
        record = store.run(run_id)
        assert dict(record.deciding) == {"passed": 2}
        assert dict(record.outcomes) == {"passed": 2, "failed": 1}
        assert dict(record.results[2:].deciding) == {}
    [good, _, shaky] = record.results
    assert good.quarantine is None
    assert (shaky.quarantine.until, shaky.quarantine.in_force) == (LAST_DAY, True)


def test_the_exit_code_is_decided_without_it(shop, capsys):
    (shop / "shop.yaml").write_text(SUITE.format(until=from_today(10)))
    assert ran() == PASSED
    told = capsys.readouterr().out
    assert "2 of 2 conversations passed" in told
    assert "1 in quarantine" in told
    assert f"until {from_today(10)}: the price list moves, #12" in told


def test_one_that_is_over_counts_and_a_line_says_so(shop, capsys):
    (shop / "shop.yaml").write_text(SUITE.format(until=from_today(-2)))
    assert ran() == FAILED
    told = capsys.readouterr().out
    assert "Quarantine over, so they count again:" in told
    assert f"over on {from_today(-2)}" in told


def test_check_names_one_that_is_over_with_its_place(shop, capsys):
    (shop / "shop.yaml").write_text(SUITE.format(until=from_today(-2)))
    assert exit_code(["check", "shop.yaml"]) == USAGE
    assert f"shop.yaml:11:25: the quarantine was over on {from_today(-2)}" in capsys.readouterr().err
    (shop / "shop.yaml").write_text(SUITE.format(until=from_today(2)))
    assert exit_code(["check", "shop.yaml"]) == PASSED


def test_a_run_that_is_in_quarantine_as_a_whole_is_not_green(shop, capsys):
    (shop / "shop.yaml").write_text(SUITE.format(until=from_today(10)))
    assert ran("--only", "shaky") == NOTHING_TO_RUN
    assert "every conversation is in quarantine" in capsys.readouterr().out


def test_its_failures_do_not_end_a_run_early(shop):
    (shop / "shop.yaml").write_text(SUITE.format(until=from_today(10)))
    assert ran("--fail-fast", "--repeats", "3") == PASSED


def test_reports_show_it_with_its_result(shop):
    record = run_on(LAST_DAY)
    told = "until 2026-06-20: the price list moves, #12"
    assert told in workflows.render(record, "console")
    markdown = workflows.render(record, "markdown")
    assert "In quarantine, deciding nothing: 1" in markdown
    assert markdown.splitlines()[2].startswith("### ✅ 2 of 2")
    page = workflows.render(record, "html")
    assert "In quarantine: these decide nothing" in page
    assert "until 2026-06-20: the price list moves, #12" in page
    [kept] = json.loads(workflows.render(record, "json"))["quarantine"]
    assert kept["conversation"] == "shaky"
    assert kept["in_force"]
    assert kept["outcomes"] == {"failed": 1}


def test_reports_say_what_counts_again(shop):
    record = run_on(LAST_DAY + timedelta(days=1))
    assert "Counting again: 1" in workflows.render(record, "markdown")
    assert "Quarantine over: these count again" in workflows.render(record, "html")
    [kept] = json.loads(workflows.render(record, "json"))["quarantine"]
    assert not kept["in_force"]


def test_in_junit_a_failure_in_quarantine_is_skipped_and_told(shop):
    root = ET.fromstring(workflows.render(run_on(LAST_DAY), "junit"))
    assert {name: root.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "3",
        "failures": "0",
        "skipped": "1",
    }
    case = root.find(".//testcase[@name='shaky']")
    assert case.find("failure") is None
    assert "in quarantine until 2026-06-20: the price list moves" in case.find("skipped").get("message")
    assert case.find("properties/property[@name='quarantine']").get("value").startswith("until 2026-06-20")
    after = ET.fromstring(workflows.render(run_on(LAST_DAY + timedelta(days=1)), "junit"))
    assert after.get("failures") == "1"


def test_a_gate_leaves_it_out_and_says_so(shop, capsys):
    (shop / "gate.toml").write_text("[[rule]]\nat_least = 0.1\n")
    assert command("gate", run_on(LAST_DAY, repeats=5).id, "--rules", "gate.toml", "--json", "v.json") == 0
    reason = "1 conversation is in quarantine and left out: shop/shaky (until 2026-06-20: the price list"
    assert reason in capsys.readouterr().out
    verdict = json.loads(Path("v.json").read_text())
    assert any(each.startswith(reason) for each in verdict["reasons"])
    assert [each["conversation"] for each in verdict["quarantine"]["left_out"]] == ["shop/shaky"]
    (shop / "gate.toml").write_text("[[rule]]\nat_least = 0.9\n")
    late = run_on(LAST_DAY + timedelta(days=1), repeats=5).id
    assert command("gate", late, "--rules", "gate.toml", "--json", "v.json") != 0
    assert "1 conversation is back from quarantine: shop/shaky (over on 2026-06-20" in capsys.readouterr().out


def test_a_gate_whose_every_case_is_in_quarantine_compared_nothing(shop, capsys):
    (shop / "shop.yaml").write_text(
        SUITE.format(until=LAST_DAY).replace(
            "conversations:", "quarantine: {until: 2026-06-10, reason: all}\nconversations:"
        )
    )
    (shop / "gate.toml").write_text("[[rule]]\nat_least = 0.1\n\n[[rule]]\nmargin = 0.1\n")
    runs = [run_on(date(2026, 6, day), repeats=5).id for day in (9, 10)]
    assert command("gate", runs[1], "--against", runs[0], "--rules", "gate.toml") == 2
    assert "3 conversations are in quarantine and left out" in capsys.readouterr().out
    assert command("compare", *runs) == USAGE
    assert "nothing to compare" in capsys.readouterr().err


def test_a_comparison_leaves_it_out_on_both_sides_and_says_so(shop, capsys):
    before = run_on(LAST_DAY + timedelta(days=1), repeats=2).id
    after = run_on(LAST_DAY, repeats=2).id
    assert command("compare", before, after, "--json", "c.json") == PASSED
    assert "1 conversation is in quarantine and left out: shop/shaky" in capsys.readouterr().out
    [found] = json.loads(Path("c.json").read_text())["comparisons"]
    assert found["metrics"][0]["cases"] == 2
    assert found["conversations"]["missing"] == []


def test_a_run_whose_only_failures_are_in_quarantine_is_green(shop):
    first = run_on(LAST_DAY - timedelta(days=1)).id
    candidate = run_on(LAST_DAY)
    assert green_before(load_settings({"store": "s.sqlite"}), candidate) == first


def test_lists_and_single_lines_tell_it_apart(shop, capsys):
    (shop / "shop.yaml").write_text(SUITE.format(until=from_today(10)))
    assert ran("--quiet") == PASSED
    assert "1 failed, 2 passed (in quarantine: 1 failed)" in capsys.readouterr().out
    assert command("runs") == PASSED
    assert "1 failed, 2 passed (in quarantine: 1 failed)" in capsys.readouterr().out
    assert command("score", "shop/shaky") == PASSED
    assert f"quarantine until {from_today(10)}: the price list moves" in capsys.readouterr().out


def test_events_and_tables_mark_its_trials(shop):
    record = run_on(LAST_DAY)
    rows = list(csv.DictReader(io.StringIO(workflows.render(record, "csv"))))
    assert [row["quarantined"] for row in rows] == ["0", "0", "1"]
    assert harness.trials_frame(record)["quarantined"].tolist() == [False, False, True]
    assert ran("--events", "events.jsonl") == FAILED  # by now that quarantine is over
    ended = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
    assert [each["quarantined"] for each in ended if each["event"] == "trial_finished"] == [False] * 3


def test_a_run_that_goes_on_after_the_last_day_counts_what_it_plays_then(shop):
    stop = Stop()
    flags = {"target": "function", "target_function": "app.py:answer", "store": "s.sqlite", "repeats": 2}
    settings = load_settings({**flags, "concurrency": 1})

    def after_the_first_pass(event: object) -> None:
        if isinstance(event, TrialFinished) and event.result.trial_id.endswith("shaky@bot#1"):
            stop.set()

    control = workflows.Control([after_the_first_pass], stop, on(LAST_DAY))
    begun = asyncio.run(workflows.start(workflows.Job(("shop.yaml",), settings), control))
    assert begun.deciding.keys() == {"passed"}
    later = workflows.Control(clock=on(LAST_DAY + timedelta(days=1)))
    record = asyncio.run(workflows.resume(begun.id, settings, later))
    assert dict(record.deciding) == {"passed": 4, "failed": 1}


def test_scoring_anew_asks_the_suite_of_today(shop):
    source = run_on(LAST_DAY)
    later = workflows.Control(clock=on(LAST_DAY + timedelta(days=1)))
    found = asyncio.run(workflows.rescore(source.id, load_settings({"store": "s.sqlite"}), later))
    assert dict(found.run.deciding) == {"passed": 2, "failed": 1}
    assert dict(source.deciding) == {"passed": 2}
