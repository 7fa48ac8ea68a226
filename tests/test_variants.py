"""Several assistants in one run, assistants at a git revision, and users who ask to be forgotten."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

import harness
from harness import workflows
from harness.errors import SettingsError, TargetRefused
from harness.runner.events import Event, TrialFinished
from harness.runner.executors.local import Stop
from harness.settings import load_settings

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


# --- several assistants -----------------------------------------------------------------------------------


def variants_of(run: harness.SuiteRun) -> list[tuple[str, str]]:
    return [(result.conversation, result.variant) for result in run.results]


def test_every_conversation_is_run_with_each_assistant(folder: Path) -> None:
    (folder / "short.yaml").write_text("base: suites/bot.yaml\ninstructions: Be short.\n")
    run = harness.evaluate("suites", assistant=["suites/bot.yaml", "short.yaml"])
    assert variants_of(run) == [("a", "bot"), ("b", "bot"), ("a", "short"), ("b", "short")]
    assert len({result.fingerprint for result in run.results}) == 2


def test_assistants_of_one_file_name_are_told_apart_by_their_folders(folder: Path) -> None:
    for name in ("old", "new"):
        (folder / name).mkdir()
        (folder / name / "bot.yaml").write_text(f"base: ../suites/bot.yaml\ninstructions: Be {name}.\n")
    run = harness.evaluate("suites", assistant=["old/bot.yaml", "new/bot.yaml"], tags="smoke")
    assert variants_of(run) == [("a", "old-bot"), ("a", "new-bot")]


def test_two_assistants_with_the_same_content_are_both_run(folder: Path) -> None:
    (folder / "same.yaml").write_text("base: suites/bot.yaml\n")
    run = harness.evaluate("suites", assistant=["suites/bot.yaml", "same.yaml"], tags="smoke")
    assert variants_of(run) == [("a", "bot"), ("a", "same")]
    assert len({result.fingerprint for result in run.results}) == 1


def test_an_assistant_that_is_named_twice_is_refused(folder: Path) -> None:
    with pytest.raises(SettingsError, match="named twice"):
        harness.evaluate("suites", assistant=["suites/bot.yaml", "suites/bot.yaml"])


def git(*arguments: str) -> None:
    own = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *own, *arguments], check=True, capture_output=True, timeout=120)


@pytest.fixture
def repository(folder: Path) -> Path:
    """The same folder under git, with another assistant in the working tree."""
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    (folder / "suites" / "bot.yaml").write_text("{name: Bot, model: m, instructions: Be brief.}")
    return folder


def test_a_branch_and_the_working_tree_are_run_side_by_side(repository: Path) -> None:
    run = harness.evaluate("suites", assistant=["suites/bot.yaml@main", "suites/bot.yaml"], tags="smoke")
    assert variants_of(run) == [("a", "bot@main"), ("a", "bot")]
    assert len({result.fingerprint for result in run.results}) == 2


def stopping_after_one() -> workflows.Control:
    """A run that begins no further trial once one is finished."""
    stop = Stop()

    def listen(event: Event) -> None:
        if isinstance(event, TrialFinished):
            stop.set()

    return workflows.Control([listen], stop)


def test_a_resumed_run_goes_on_with_the_commit_it_began_with(repository: Path) -> None:
    settings = load_settings({"concurrency": 1, "repeats": 20})
    job = workflows.Job(("suites",), settings, ("suites/bot.yaml@main",))
    first = asyncio.run(workflows.start(job, stopping_after_one()))
    git("commit", "-q", "-a", "-m", "the branch moves on")
    whole = asyncio.run(workflows.resume(first.id, settings))
    assert (first.status, whole.status) == ("interrupted", "finished")
    assert len(first.results) < len(whole.results) == 40
    assert {result.variant for result in whole.results} == {"bot@main"}
    assert len({result.fingerprint for result in whole.results}) == 1


# --- users who ask to be forgotten ------------------------------------------------------------------------

FORGETTING = """
suite: f
assistant: bot.yaml
conversations:
  - id: a
    as: jo
    turns:
      - {user: hello, forget: true}
      - {user: hello again, returning: true}
"""


@pytest.mark.parametrize("target", ["embedded", "responses"])
def test_a_user_who_asked_for_it_is_forgotten_and_comes_back_as_somebody_new(
    folder: Path, target: str
) -> None:
    (folder / "suites" / "f.yaml").write_text(FORGETTING)
    [result] = harness.evaluate("suites/f.yaml", target=target).results
    assert result.trace is not None
    first, second = result.trace.turns
    assert first.deletion is not None and first.deletion.confirmed
    assert first.deletion.deleted == (first.thread_id,)
    assert second.thread_id != first.thread_id and second.deletion is None
    assert [score.passed for score in result.scores if score.check == "forget"] == [True]
    assert result.outcome == "passed"


@pytest.mark.parametrize("target", ["chat", "function"])
def test_targets_that_keep_nothing_refuse_to_forget_before_anything_is_run(folder: Path, target: str) -> None:
    (folder / "suites" / "f.yaml").write_text(FORGETTING)
    (folder / "app.py").write_text("def answer(question):\n    raise AssertionError('it was asked')\n")
    options = {"target_function": "app.py:answer"} if target == "function" else {}
    with pytest.raises(TargetRefused, match="forget") as caught:
        harness.evaluate("suites/f.yaml", target=target, **options)
    assert caught.value.code == "target-lacks"
    assert not (folder / ".harness").exists()
