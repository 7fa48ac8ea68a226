"""Whole jobs from a program: the calls that a notebook makes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import harness

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
