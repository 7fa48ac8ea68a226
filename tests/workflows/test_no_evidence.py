"""Runs that broke off, were cut short or repeat what is known prove nothing, and that is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import exit_code
from harness.store.store import Store

APP = """
import json, pathlib

seen = {}

def answer(question):
    plan = json.loads(pathlib.Path("plan.json").read_text())
    seen[question.text] = seen.get(question.text, 0) + 1
    ends = plan.get(question.text.split()[0], "right")
    if ends == "breaks" or (ends == "breaks later" and question.history):
        return 42  # no answer
    return "wrong" if ends == "wrong" else "fine"
"""
MATCHES = "expect: {answer: {matches: fine}}"
TALKS = "\n".join(
    f"  - {{id: c{n}, turns: [{{user: c{n} hello}}, {{user: c{n} again, {MATCHES}}}]}}" for n in range(40)
)
SUITE = f"""\
suite: s
assistant: bot.yaml
expect: {{answer: {{mentions: [fine]}}}}
conversations:
{TALKS}
"""
BROKEN = {f"c{n}": "breaks later" for n in range(15)}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("bot.yaml").write_text("{name: Bot, model: m}")
    Path("s.yaml").write_text(SUITE)
    Path("app.py").write_text(APP)
    return tmp_path


def run(plan: dict[str, str], *more: str) -> str:
    """The id of a run in which these conversations end so."""
    Path("plan.json").write_text(json.dumps(plan))
    target = [] if "--replay" in more else ["--target", "function", "--target-function", "app.py:answer"]
    exit_code(["run", "s.yaml", *target, "--repeats", "4", "-q", "--store", "runs.sqlite", *more])
    return newest()


def newest() -> str:
    with Store.open("runs.sqlite") as store:
        return store.runs(1)[0].id


def gate(*words: str) -> int:
    return exit_code(["gate", *words, "--margin", "0.1", "--store", "runs.sqlite"])


def judged(run_id: str, *rules: str) -> int:
    Path("gate.toml").write_text("\n".join(f"[[rule]]\n{rule}" for rule in rules))
    return exit_code(["gate", run_id, "--rules", "gate.toml", "--store", "runs.sqlite"])


def test_what_ended_in_errors_is_missing_on_either_side_and_for_every_rule(lab, capsys):
    whole, broken, again = run({}), run(BROKEN), run({})
    assert gate(again, "--against", whole) == 0
    assert gate(broken, "--against", whole) == 2
    assert "15 cases (s/c0, " in capsys.readouterr().out
    assert gate(whole, "--against", broken) == 2
    assert "of the baseline's trials are missing, more than 10 %: no pass" in capsys.readouterr().out
    for rule in ("at_least = 0.5", "metric = 'score'\nat_least = 0.5", "metric = 'latency_s'\nat_most = 900"):
        assert judged(whole, rule) == 0
        assert judged(broken, rule) == 2
    for check in ("answer.mentions", "answer.matches", "status"):
        assert judged(whole, f"check = '{check}'\nat_least = 0.5") == 0
        assert judged(broken, f"check = '{check}'\nat_least = 0.5") == 2


def test_a_table_of_broken_trials_has_none_of_their_numbers(lab, capsys):
    broken = run(BROKEN)
    assert exit_code(["export", broken, "--out", "t.csv", "--store", "runs.sqlite"]) == 0
    capsys.readouterr()
    assert exit_code(["stats", "--csv", "t.csv"]) == 0
    assert "25 cases, 100 trials, 60 more without a judgement" in capsys.readouterr().out


def test_where_everything_broke_there_is_nothing_to_plan_or_compare_with(lab, capsys):
    whole, broken = run({}), run({f"c{n}": "breaks" for n in range(40)})
    for sides in ((whole, "--against", broken), (broken, "--against", whole)):
        assert gate(*sides) == 2
    assert "so nothing was compared" in capsys.readouterr().out
    assert exit_code(["plan", "--run", broken, "--store", "runs.sqlite"]) == 4
    assert "not one trial of the pilot was judged" in capsys.readouterr().err


def test_a_run_that_was_cut_short_proves_nothing_on_either_side(lab, capsys):
    whole, cut = run({}), run({"c30": "wrong"}, "--fail-fast", "--concurrency", "1")
    for sides in ((whole, "--against", cut), (cut, "--against", whole)):
        assert gate(*sides) == 2
        assert f"the run {cut} is not finished (failures reached: 31 of 160" in capsys.readouterr().out
    assert judged(cut, "at_least = 0.5") == 2


def test_answers_from_a_recording_and_trials_scored_anew_are_no_second_evidence(lab, capsys):
    whole = run({}, "--record", "answers.jsonl")
    replayed = run({}, "--replay", "answers.jsonl")
    assert exit_code(["rescore", whole, "--no-progress", "--store", "runs.sqlite"]) == 0
    anew = newest()
    for other, told in ((replayed, "were answered from a recording"), (anew, "the same trials, scored anew")):
        assert gate(other, "--against", whole) == 2
        capsys.readouterr()
        assert exit_code(["compare", whole, other, "--store", "runs.sqlite"]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith("undecided: ")
        assert told in shown
