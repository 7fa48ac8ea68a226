"""harness flaky and harness drift tell what stored runs say together, from real runs on many days."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from harness import workflows
from harness.cli import PASSED, USAGE, exit_code
from harness.clock import SYSTEM_CLOCK, Clock
from harness.results import SuiteRun
from harness.settings import load_settings

APP = """
from pathlib import Path

def answer(question):
    wrong = Path("wrong").read_text().split()
    return "No idea." if question.text in wrong else "Yes."
"""
SUITE = """
suite: shop
assistant: bot.yaml
expect: {answer: {mentions: ["yes"]}}
conversations:
  - {id: one, turns: [{user: one}]}
  - {id: two, turns: [{user: two}]}
  - id: three
    turns: [{user: three}]
"""
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder on the git branch main, with an application that is told what to answer wrongly."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "bot.yaml").write_text("name: Bot\nmodel: small-1\n")
    (tmp_path / "shop.yaml").write_text(SUITE)
    on_branch("main")
    return tmp_path


def on_branch(name: str) -> None:
    subprocess.run(["git", "init", "-q", "-b", name], check=True)
    Path(".git/HEAD").write_text(f"ref: refs/heads/{name}\n")


def run(day: int, wrong: str = "", suite: str = "shop.yaml", **settings: object) -> SuiteRun:
    """A run so many days after the first, in which these conversations fail."""
    Path("wrong").write_text(wrong)
    now = FIRST + timedelta(days=day)
    flags = {"target": "function", "target_function": "app.py:answer", "store": "s.sqlite", **settings}
    clock = Clock(now=lambda: now, monotonic=SYSTEM_CLOCK.monotonic)
    job = workflows.Job((suite,), load_settings(flags))
    return asyncio.run(workflows.start(job, workflows.Control(clock=clock)))


def command(*words: str) -> int:
    return exit_code([*words, "--store", "s.sqlite"])


def test_what_is_flaky_is_listed_with_since_when(shop, capsys):
    for day, wrong in enumerate(["", "two", "", "two", "three"]):
        run(day, wrong, repeats=2)
    assert command("flaky", "--json", "f.json") == PASSED
    head, _, _, _, first, second = capsys.readouterr().out.splitlines()
    assert head == "2 of 3 conversations flaky in 5 runs (2026-03-01 to 2026-03-05)"
    assert first.split() == "shop/two@bot 6/10 60% (13% to 94%) 2 of 5 runs 2026-03-02 2026-03-04".split()
    assert second.startswith("shop/three@bot")
    told = json.loads((shop / "f.json").read_text())
    assert [each["conversation"] for each in told["conversations"]] == ["two", "three", "one"]
    assert told["conversations"][0]["since"]["at"] == "2026-03-02T12:00:00+00:00"
    assert not told["conversations"][2]["flaky"]


def test_only_the_latest_runs_or_those_of_a_branch_are_looked_at(shop, capsys):
    run(0)
    run(1, "one")
    on_branch("topic")
    run(2)
    run(3, "two")
    assert command("flaky", "--last", "2") == PASSED
    assert "shop/two@bot" in (told := capsys.readouterr().out)
    assert "shop/one@bot" not in told
    assert command("flaky", "--branch", "main") == PASSED
    assert "shop/one@bot" in (told := capsys.readouterr().out)
    assert "shop/two@bot" not in told
    assert command("flaky", "--branch", "mian") == USAGE
    assert "Branches: main, topic." in capsys.readouterr().err


def test_an_unknown_suite_is_refused_with_the_nearest_one(shop, capsys):
    run(0)
    assert command("flaky", "--suite", "shpo") == USAGE
    told = capsys.readouterr().err
    assert "[no-evidence]" in told
    assert "Did you mean 'shop'?" in told


def test_a_run_from_a_recording_is_no_evidence(shop):
    run(0, "two", record="r.yaml")
    for day in range(1, 4):
        run(day, target="recording", recording="r.yaml")
    assert command("flaky", "--json", "f.json") == PASSED
    assert len(json.loads((shop / "f.json").read_text())["runs"]) == 1


def test_what_is_flaky_with_two_assistants_is_suggested_for_quarantine_once(shop, capsys):
    for day, wrong in enumerate(["", "two", "", "two"]):
        if day == 2:
            (shop / "shop.yaml").write_text(SUITE.replace("bot.yaml", "other.yaml"))
            (shop / "other.yaml").write_text("name: Other\nmodel: small-1\n")
        run(day, wrong)
    assert command("flaky", "--suggest") == PASSED
    told = capsys.readouterr().out
    assert ("shop/two@bot" in told, "shop/two@other" in told) == (True, True)
    assert told.count("# suite shop, conversation two: beside its id") == 1


def test_the_suggested_lines_put_it_into_quarantine(shop, capsys):
    run(0)
    run(1, "three")
    assert command("flaky", "--suggest") == PASSED
    *_, comment, line = capsys.readouterr().out.splitlines()
    assert comment == "# suite shop, conversation three: beside its id"
    (shop / "shop.yaml").write_text(SUITE.replace("  - id: three\n", f"  - id: three\n    {line}\n"))
    assert exit_code(["check", "shop.yaml"]) == PASSED
    now = SYSTEM_CLOCK.now()
    assert run((now - FIRST).days, "three").deciding.keys() == {"passed"}
    assert command("flaky", "--suggest") == PASSED
    told = capsys.readouterr().out
    [until] = re.findall(r"until: ([\d-]+)", line)
    assert f"until {until}" in told
    assert timedelta(days=13) <= date.fromisoformat(until) - now.date() <= timedelta(days=14)
    assert "# suite" not in told


def test_drift_ends_with_two_while_there_are_too_few_runs(shop, capsys):
    for day in range(10):
        run(day, "one" if day % 2 else "")
    assert command("drift") == 2
    assert "too few runs: shop@bot at function on the branch main" in capsys.readouterr().out


def test_drift_ends_with_zero_without_and_with_one_after_an_alarm(shop, capsys):
    for day in range(11):
        run(day, "one" if day % 2 else "", repeats=3)
    assert command("drift", "--suite", "shop") == 0
    for day in range(11, 15):
        run(day, "one two three", repeats=3)
    assert command("drift", "--json", "d.json") == 1
    told = capsys.readouterr().out
    assert "alarm: shop@bot at function on the branch main" in told
    chart = json.loads((shop / "d.json").read_text())
    assert chart["runs"][chart["step"]["at"]]["at"].startswith("2026-03-12")
    assert command("drift", "--threshold", "1000") == 0


def test_drift_watches_one_branch_and_counts_the_runs_of_others(shop, capsys):
    run(0)
    on_branch("topic")
    run(1)
    assert command("drift", "--json", "d.json") == 2
    assert json.loads((shop / "d.json").read_text())["left_out"] == {"another branch": 1}
    assert command("drift", "--branch", "main") == 2
    assert "on the branch main" in capsys.readouterr().out


def test_of_several_suites_one_must_be_named_and_that_is_no_verdict(shop, capsys):
    (shop / "other.yaml").write_text(SUITE.replace("suite: shop", "suite: other"))
    run(0)
    run(1, suite="other.yaml")
    assert command("drift") == 64
    assert "several suites: other, shop" in capsys.readouterr().err
    assert command("drift", "--suite", "nothing") == 64
    assert exit_code(["drift", "--store", "nowhere.sqlite"]) == 64


@pytest.mark.parametrize("threshold", ["nan", "inf"])
def test_a_threshold_that_nothing_is_ever_above_gives_no_verdict(shop, capsys, threshold):
    assert command("drift", "--threshold", threshold) == 64
    assert f"--threshold {threshold} is no number above 0" in capsys.readouterr().err
