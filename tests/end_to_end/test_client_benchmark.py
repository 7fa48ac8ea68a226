"""The rig that measures clients works, at a size that says nothing about speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.clients import peers

ROOT = Path(__file__).parents[2]
SMALL = ["--rounds", "1", "--samples", "4", "--conversations", "2", "--concurrency", "2"]


def measured(*arguments: str) -> dict[str, dict[str, str]]:
    """The table that the rig prints: the columns of each client."""
    command = [sys.executable, "-m", "benchmarks.clients", *arguments, *SMALL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in done.stdout.splitlines()
        if "|" in line
    ]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def column(table: dict[str, dict[str, str]], name: str) -> dict[str, str]:
    return {client: row[name] for client, row in table.items()}


def test_every_client_asks_each_question_once_and_as_many_at_a_time_as_wanted() -> None:
    table = measured("W1L", "--latency-ms", "1000")
    assert column(table, "requests") == {"floor": "4", "harness": "4", "limit": "4"}
    assert column(table, "most at once") == {"floor": "2", "harness": "2", "limit": "2"}
    assert all(float(row["CPU s"]) > 0 and float(row["peak MB"]) > 0 for row in table.values())
    assert float(table["harness"]["KB a sample"]) > 0


def test_a_streamed_conversation_needs_half_the_requests_of_a_polled_one() -> None:
    table = measured("W2")
    # The floor: an assistant; a thread with five requests for each of three turns. The others: a thread with
    # two requests a turn that is deleted at its end; the harness also makes an assistant and deletes it.
    assert column(table, "requests") == {"floor": "33", "harness": "18", "limit": "16"}


def test_an_unknown_workload_is_refused_with_those_there_are() -> None:
    command = [sys.executable, "-m", "benchmarks.clients", "W3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "no such workload: W3; there are W1 W2 W1L W2L" in done.stderr


@pytest.mark.parametrize("tool", ["promptfoo", "inspect"])
def test_a_tool_that_is_not_there_is_named_before_anything_is_measured(tool: str, tmp_path: Path) -> None:
    missing = tmp_path / tool
    command = [sys.executable, "-m", "benchmarks.clients", "W1", f"--{tool}", str(missing)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is no program {missing}" in done.stderr


def test_promptfoo_is_given_a_test_a_turn_and_plays_threads_one_at_a_time(tmp_path: Path) -> None:
    command = peers.promptfoo("promptfoo", "threads", 2, "http://127.0.0.1:1/v1", tmp_path, 50)
    tests = json.loads((tmp_path / "promptfoo.json").read_text("utf-8"))["tests"]
    talks = [test["metadata"]["conversation"] for test in tests]
    assert len(talks) == 6 and len(set(talks)) == 2
    assert command[command.index("-j") + 1] == "1"


def test_inspect_is_given_all_turns_of_a_conversation_in_one_sample(tmp_path: Path) -> None:
    command = peers.inspect("inspect", "threads", 2, "http://127.0.0.1:1/v1", tmp_path, 50)
    rows = json.loads((tmp_path / "questions.json").read_text("utf-8"))
    assert [len(row["turns"]) for row in rows] == [3, 3]
    compile((tmp_path / "task.py").read_text("utf-8"), "task.py", "exec")
    assert command[command.index("--max-samples") + 1] == "50"
