"""The exit code on a busy machine: never red when all passed, never green when one failed or was lost.

``make verdicts`` runs a suite 200 times, half of them with a trial that fails.
"""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

RUNS = int(os.environ.get("VERDICTS", "8")) // 2
SIDE_BY_SIDE = 4
HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
SUITE = """\
suite: s
assistant: bot.yaml
expect: {answer: {mentions: [fine]}}
conversations:
  - {id: a, turns: [{user: hello}]}
  - {id: b, turns: [{user: hello}, {user: and you?}]}
"""
WRONG = """\
  - {id: wrong, turns: [{user: bad}]}
"""
ANSWER = "def answer(question):\n    return 'bad' if question.text == 'bad' else 'fine'\n"


def _burn(is_over: object) -> None:
    while not is_over.is_set():  # type: ignore[attr-defined]
        sum(range(100_000))


@pytest.fixture(scope="module")
def busy_machine() -> Iterator[None]:
    """Every core has something else to do as well."""
    context = multiprocessing.get_context("spawn")
    is_over = context.Event()
    burners = [
        context.Process(target=_burn, args=(is_over,), daemon=True) for _ in range(os.cpu_count() or 1)
    ]
    for burner in burners:
        burner.start()
    yield
    is_over.set()
    for burner in burners:
        burner.join()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m}")
    (tmp_path / "app.py").write_text(ANSWER)
    (tmp_path / "right.yaml").write_text(SUITE)
    (tmp_path / "wrong.yaml").write_text(SUITE + WRONG)
    return tmp_path


def harness(project: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [*HARNESS, "run", *arguments, "-q"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def run(project: Path, suite: str, number: int) -> tuple[int, str]:
    own = ["--store", f"{suite}-{number}.sqlite", "--out", f"{suite}-{number}.html"]
    function = ["--target", "function", "--target-function", "app.py:answer"]
    return harness(project, f"{suite}.yaml", *function, "--repeats", "5", "--concurrency", "10", *own)


@pytest.mark.parametrize(("suite", "code"), [("right", 0), ("wrong", 1)])
def test_the_exit_code_is_that_of_the_trials_each_time(
    project: Path, busy_machine: None, suite: str, code: int
) -> None:
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        done = list(pool.map(lambda number: run(project, suite, number), range(RUNS)))
    assert [each for each in done if each[0] != code] == []


def test_a_result_that_something_took_out_of_the_store_makes_no_run_green(project: Path) -> None:
    assert run(project, "right", 0)[0] == 0
    with sqlite3.connect(project / "right-0.sqlite") as store:
        store.execute("PRAGMA foreign_keys = ON")
        store.execute(
            "CREATE TRIGGER lose AFTER UPDATE ON suite_runs BEGIN DELETE FROM trials WHERE position = 3; END"
        )
    store.close()
    resume = ["--resume", "latest", "--store", "right-0.sqlite", "--out", "again.html"]
    code, said = harness(project, *resume)
    assert code == 3, said
    assert "[results-lost]" in said
    assert "9 results of its 10 trials" in said
