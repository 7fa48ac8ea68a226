"""Trials that never wait for anything leave the store its turn."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from harness import workflows
from harness.runner.events import Event, TrialFinished
from harness.settings import load_settings
from harness.workflows.keeping import MOST_WAITING

SUITE = """\
suite: quick
assistant: assistant.yaml
conversations:
  - id: echo
    turns: [{user: "Hello?", expect: {answer: {mentions: [Hello]}}}]
"""
ANSWER = "def answer(question):\n    return question.text\n"


def test_what_ended_is_in_the_store_but_for_the_latest_results(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "assistant.yaml").write_text("name: Echo\nmodel: none\ninstructions: Say it again.\n")
    (tmp_path / "application.py").write_text(ANSWER)
    store = tmp_path / "store.sqlite"
    flags = {
        "target": "function",
        "target_function": f"{tmp_path / 'application.py'}:answer",
        "repeats": 1_000,
        "store": str(store),
        "ledger": str(tmp_path / "ledger.sqlite"),
    }
    behind: list[int] = []
    ended = 0

    def listen(event: Event) -> None:
        nonlocal ended
        ended += isinstance(event, TrialFinished)
        if isinstance(event, TrialFinished) and ended % 250 == 0:
            with sqlite3.connect(store) as connection:
                behind.append(ended - connection.execute("select count(*) from trials").fetchone()[0])
            connection.close()

    job = workflows.Job((str(tmp_path / "suite.yaml"),), load_settings(flags))
    record = asyncio.run(workflows.start(job, workflows.Control([listen])))
    assert record.outcomes == {"passed": 1_000}
    assert len(behind) == 4 and max(behind) <= MOST_WAITING + 1
