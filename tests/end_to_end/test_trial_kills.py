"""A run is killed at each step of a trial's life and goes on: every trial has one result, none is paid twice.

``make kills`` kills at later visits of each point too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import workflows
from harness.results import SuiteRun
from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.interface import ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, function_call
from harness.settings import load_settings

KILLED = Path(__file__).with_name("killed.py")
HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
VISITS = range(1, 7) if os.environ.get("KILL_SEEDS") else range(2, 3)
"""The visits of a point at which the process is killed, where a point is visited once a trial or more."""
ONCE = [
    "before an assistant is made",
    "after an assistant was made",
    "before the run is noted as ended",
    "after the run was noted as ended",
    "before everything made is deleted",
    "before a report is in its place",
]
EACH = [
    "after a thread was made",
    "in the middle of a stream",
    "while a function is answered",
    "after the last turn",
    "in the middle of a commit",
    "after a commit",
]
CONVERSATIONS = "abcd"
ASSISTANT = """\
name: Bot
model: m
tools: [{type: function, function: {name: look_up, parameters: {type: object, properties: {}}}}]
"""


class Till:
    """Counts what was paid for: each question that reached the model, by conversation."""

    def __init__(self) -> None:
        self.questions: Counter[str] = Counter()
        self._lock = threading.Lock()

    def model(self, request: ModelRequest) -> Any:
        last = request.messages[-1]
        if last.role != "user":
            return "It is as you say."
        with self._lock:
            self.questions[str(last.content)[0]] += 1
        return calls(function_call("look_up")) if "first" in str(last.content) else "So it is."


@pytest.fixture
def till() -> Till:
    return Till()


@pytest.fixture
def base_url(till: Till) -> Iterator[str]:
    """A server that outlives the runs."""
    with background(App(ServerOptions(models=ModelTable(default=Scripted(till.model))))) as url:
        yield url


@pytest.fixture
def project(tmp_path: Path) -> Path:
    turns = "[{user: '%s first'}, {user: '%s second'}]"
    rows = "\n".join(f"  - {{id: {name}, turns: {turns % (name, name)}}}" for name in CONVERSATIONS)
    stubs = "tools: {look_up: [{returns: found}]}"
    (tmp_path / "bot.yaml").write_text(ASSISTANT)
    (tmp_path / "suite.yaml").write_text(f"suite: s\nassistant: bot.yaml\n{stubs}\nconversations:\n{rows}\n")
    return tmp_path


def harness(project: Path, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=120, check=False, start_new_session=True
    )


def stored(project: Path) -> SuiteRun:
    return workflows.stored_run(load_settings({"store": str(project / ".harness" / "store.sqlite")}))


def names(record: SuiteRun) -> list[str]:
    return sorted(result.conversation for result in record.results)


def killed(project: Path, base_url: str, point: str, visit: int) -> bool:
    """Run the suite, one trial at a time, to be killed; whether it came to that."""
    where = ["--target", "assistants", "--base-url", base_url, "--concurrency", "1", "--no-progress"]
    command = [sys.executable, str(KILLED), point, str(visit), "run", "suite.yaml", *where]
    done = harness(project, command)
    assert done.returncode in (-signal.SIGKILL, 0), done.stderr
    return done.returncode != 0


def resumed(project: Path) -> None:
    done = harness(project, [*HARNESS, "run", "--resume", "latest", "--no-progress"])
    assert done.returncode == 0, done.stdout + done.stderr
    record = stored(project)
    assert record.status == "finished"
    assert names(record) == list(CONVERSATIONS)
    assert {result.outcome for result in record.results} == {"passed"}
    assert all(len(result.trace.turns) == 2 for result in record.results)


@pytest.mark.parametrize(
    ("point", "visit"), [*((p, 1) for p in ONCE), *((p, v) for p in EACH for v in VISITS)]
)
def test_a_run_that_is_killed_there_goes_on_with_each_trial_once_and_pays_for_none_that_was_stored(
    project: Path, base_url: str, till: Till, point: str, visit: int
) -> None:
    if not killed(project, base_url, point, visit):
        assert visit > len(CONVERSATIONS)  # there are no more visits of this point
        return
    kept, paid = names(stored(project)), till.questions.copy()
    resumed(project)
    again = till.questions - paid
    assert set(again) & set(kept) == set()
    for name in CONVERSATIONS:
        assert till.questions[name] == 2 or (name not in kept and till.questions[name] in (3, 4))
    # One trial was under way, and the result of the one before may have been on its way into the store.
    assert sum(till.questions.values()) <= 2 * len(CONVERSATIONS) + 4


def test_each_step_between_two_results_is_a_point_where_a_run_was_killed() -> None:
    points = KILLED.read_text("utf-8").split("POINTS:")[1]
    assert {point for point in [*ONCE, *EACH] if f'"{point}"' not in points} == set()
