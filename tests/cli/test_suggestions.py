"""What a shell offers when the Tab key is pressed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

import harness
from harness.cli import cli

SUITE = """
suite: shop
assistant: bot.yaml
conversations:
  - {id: once, turns: [{user: hello}]}
  - {id: twice, repeats: 2, turns: [{user: hello again}]}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> harness.SuiteRun:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("def answer(question):\n    return 'Hello!'\n")
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m}")
    (tmp_path / "shop.yaml").write_text(SUITE)
    return harness.evaluate("shop.yaml", target="function", target_function="app.py:answer")


def offered(*words: str) -> list[str]:
    """What is offered for the last word of a line."""
    shell = ShellComplete(cli, {}, "harness", "_HARNESS_COMPLETE")
    return [item.value for item in shell.get_completions([*words[:-1]], words[-1])]


@pytest.mark.parametrize(
    "words",
    [
        "report",
        "rescore",
        "run --resume",
        "plan --run",
        "score --run",
        "export",
        "gate",
        "gate --against",
        "compare",
    ],
)
def test_stored_runs_are_offered_where_a_run_is_named(run: harness.SuiteRun, words: str) -> None:
    assert offered(*words.split(), "") == ["latest", run.id]
    assert offered(*words.split(), run.id[:4]) == [run.id]


def test_files_are_offered_where_an_assistant_that_was_not_run_yet_may_be_compared(
    run: harness.SuiteRun,
) -> None:
    [item] = ShellComplete(cli, {}, "harness", "").get_completions(["compare", run.id], "prompts/n")
    assert (item.type, item.value) == ("file", "prompts/n")


def test_a_run_is_told_with_its_suites_and_outcomes(run: harness.SuiteRun) -> None:
    shell = ShellComplete(cli, {}, "harness", "_HARNESS_COMPLETE")
    [_, item] = shell.get_completions(["report"], "")
    assert item.help == "shop: 3 passed"


def test_the_trials_of_the_run_that_is_named_are_offered_as_shortly_as_is_clear(
    run: harness.SuiteRun,
) -> None:
    assert offered("score", "") == ["shop/once", "shop/twice@bot#1", "shop/twice@bot#2"]
    assert offered("score", "--run", run.id, "shop/t") == ["shop/twice@bot#1", "shop/twice@bot#2"]


@pytest.mark.parametrize(
    "words",
    [("score",), ("score", "--run", "nothing"), ("report", "--store", "nowhere.sqlite", "2")],
    ids=" ".join,
)
def test_nothing_is_offered_and_nothing_fails_where_no_run_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert offered(*words, "") == []
    assert list(tmp_path.iterdir()) == []


def test_targets_are_offered() -> None:
    assert offered("run", "--target", "re") == ["responses", "recording"]


def test_kinds_of_variations_are_offered_one_after_the_other() -> None:
    assert offered("perturb", "--kinds", "ty") == ["typos"]
    assert offered("perturb", "--kinds", "typos,s") == ["typos,spacing", "typos,synonyms"]
    assert "typos,typos" not in offered("perturb", "--kinds", "typos,")


def test_the_command_line_is_there_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "harness", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"harness {harness.__version__}\n"
