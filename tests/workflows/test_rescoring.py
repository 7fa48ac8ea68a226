"""A stored run is scored anew without a request, and what changed is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from harness import workflows
from harness.cli import FAILED, NOTHING_TO_RUN, PASSED, USAGE, exit_code
from harness.errors import HarnessError, StoreError
from harness.settings import load_settings
from harness.store.store import Store
from harness.workflows import Rescored

SUITE = """
suite: desk
assistant: assistant.yaml
tools: {open_ticket: [{returns: {ticket_id: T-1}}]}
conversations:
  - id: ticket
    turns:
      - user: open a ticket
        expect: {calls: [{tool: open_ticket}], answer: {mentions: [T-1]}}
      - {user: thanks}
  - id: hours
    turns: [{user: When are you open?, expect: {answer: {mentions: [heard]}}}]
  - id: broken
    turns: [{user: break, expect: {answer: {mentions: [x]}}}]
"""
ASSISTANT = """
name: Desk
model: m
tools: [{type: function, function: {name: open_ticket}}]
"""
APPLICATION = """
async def answer(question):
    if "ticket" in question.text:
        return "done: " + await question.call("open_ticket", {})
    return 7 if question.text == "break" else "You were heard by our team."
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of three conversations, of which one errored; the application is gone afterwards."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "assistant.yaml").write_text(ASSISTANT)
    (tmp_path / "app.py").write_text(APPLICATION)
    workflows.evaluate(
        "suite.yaml", target="function", target_function="app.py:answer", store="store.sqlite", repeats=2
    )
    (tmp_path / "app.py").unlink()
    return tmp_path


def rescored(run: str = "latest") -> Rescored:
    return asyncio.run(workflows.rescore(run, load_settings({"store": "store.sqlite"})))


def change(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


def runs() -> list[Any]:
    with Store.open("store.sqlite") as store:
        return store.runs()


def test_nothing_changes_when_nothing_was_changed_and_the_original_stays(desk: Path) -> None:
    [original] = runs()
    found = rescored()
    assert found.changes == ()
    assert found.source == original.id
    assert found.run.settings["rescored_from"] == original.id
    assert {result.outcome for result in found.run.results} == {"passed"}
    assert all(result.replayed for result in found.run.results)
    assert [run.id for run in runs()] == [found.run.id, original.id]
    assert runs()[1] == original


def test_trials_that_ended_in_an_error_are_left_out_by_name(desk: Path) -> None:
    found = rescored()
    assert set(found.left_out) == {"desk/broken@assistant#1", "desk/broken@assistant#2"}
    assert found.run.planned == len(found.run.results) == 4


def test_a_changed_expectation_changes_its_scores_and_no_others(desk: Path) -> None:
    change(desk, "suite.yaml", "mentions: [heard]", "mentions: [seen]")
    found = rescored()
    assert [(each.trial_id, each.turn, each.check) for each in found.changes] == [
        ("desk/hours@assistant#1", 0, "answer.mentions"),
        ("desk/hours@assistant#2", 0, "answer.mentions"),
    ]
    change_of_first = found.changes[0]
    assert change_of_first.before and change_of_first.before.passed is True
    assert change_of_first.after and change_of_first.after.passed is False


def test_a_new_expectation_was_not_asked_before(desk: Path) -> None:
    change(desk, "suite.yaml", "{user: thanks}", "{user: thanks, expect: {never_calls: [open_ticket]}}")
    [first, _] = rescored().changes
    assert (first.before, first.check, first.turn) == (None, "never_calls.open_ticket", 1)


def test_what_is_sent_must_be_what_was_sent(desk: Path) -> None:
    change(desk, "suite.yaml", "user: thanks", "user: thank you")
    change(desk, "suite.yaml", "id: hours", "id: opening-hours")
    found = rescored()
    assert "turn 2 is another than was recorded" in found.left_out["desk/ticket@assistant#1"]
    assert (
        found.left_out["desk/hours@assistant#2"] == "its conversation or assistant is no longer in the suites"
    )
    assert {result.outcome for result in found.run.results} == {"errored"}


def test_a_changed_assistant_can_not_be_scored_by_old_answers(desk: Path) -> None:
    change(desk, "assistant.yaml", "model: m", "model: n")
    assert all(
        "the assistant 'assistant' has changed" in why
        for trial, why in rescored().left_out.items()
        if "broken" not in trial
    )


def test_a_changed_hand_over_phrase_is_no_change_of_what_is_sent(desk: Path) -> None:
    (desk / "assistant.yaml").write_text(ASSISTANT + "escalation: {phrases: [You were heard by our team]}\n")
    change(desk, "suite.yaml", "{answer: {mentions: [heard]}}", "{escalates: true}")
    found = rescored()
    assert {each.after.passed for each in found.changes if each.after} == {True}
    assert {result.outcome for result in found.run.results} == {"passed"}


def test_a_rescored_run_can_be_scored_anew_but_not_gone_on_with(desk: Path) -> None:
    first = rescored()
    second = rescored()
    assert second.source == first.run.id
    with pytest.raises(StoreError, match=f"was scored anew from {first.source}") as caught:
        asyncio.run(workflows.resume(first.run.id, load_settings({"store": "store.sqlite"})))
    assert caught.value.code == "run-rescored"


def test_a_run_of_errors_has_nothing_to_score(desk: Path) -> None:
    change(desk, "suite.yaml", "id: ticket", "id: a")
    change(desk, "suite.yaml", "id: hours", "id: b")
    with pytest.raises(HarnessError) as caught:
        rescored()
    assert caught.value.code == "nothing-to-run"


def test_the_command_tells_what_changed_and_exits_as_a_run(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--store", "store.sqlite", "--no-progress"]
    assert exit_code(["rescore", *common]) == PASSED
    told = capsys.readouterr().out
    assert "2 trials of" in told and "0 scores changed" in told and "no new evidence" in told
    change(desk, "suite.yaml", "mentions: [heard]", "mentions: [seen]")
    assert exit_code(["rescore", *common, "--junit", "out.xml", "--out", "r.html"]) == FAILED
    told = capsys.readouterr().out
    assert "desk/hours@assistant#1 turn 1, answer.mentions: passed (1.0) -> failed (0.0)" in told
    assert (desk / "out.xml").exists() and (desk / "r.html").exists()
    (desk / "suite.yaml").write_text(SUITE.replace("ticket\n", "a\n").replace("id: hours", "id: b"))
    assert exit_code(["rescore", *common]) == NOTHING_TO_RUN
    assert exit_code(["rescore", "nowhere", *common]) == USAGE


def test_the_history_leaves_replays_out(desk: Path) -> None:
    rescored()
    with Store.open("store.sqlite") as store:
        assert len(store.history("desk", "hours")) == 2
        assert len(store.history("desk", "hours", replayed=True)) == 4
