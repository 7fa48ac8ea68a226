"""The store goes away while a run is under way: the run waits, loses nothing, or says what is lost."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import workflows
from harness.errors import StoreError
from harness.results import SuiteRun
from harness.runner.events import Event, ResultsWait, RunFinished, TrialFinished
from harness.settings import load_settings
from harness.store.store import Store

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
SUITE = """\
suite: s
assistant: bot.yaml
conversations: [{id: a, turns: [{user: hello}]}, {id: b, turns: [{user: hello}, {user: again}]}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m, instructions: Be kind.}")
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path


def played(project: Path, store: str, listener: Callable[[Event], None], repeats: int) -> SuiteRun:
    settings = load_settings({"store": store, "repeats": repeats, "concurrency": 2})
    job = workflows.Job((str(project / "suite.yaml"),), settings)
    return asyncio.run(workflows.start(job, workflows.Control([listener])))


def check_whole(record: SuiteRun, planned: int) -> None:
    """Every trial has one result, and the run its end."""
    assert record.status == "finished"
    assert record.planned == planned
    assert Counter(result.trial_id for result in record.results).most_common(1)[0][1] == 1
    assert len(record.results) == planned
    assert {result.outcome for result in record.results} == {"passed"}


def test_trials_go_on_while_another_process_writes_to_the_store(project: Path) -> None:
    path, ended = project / "store.sqlite", []
    locks: list[sqlite3.Connection] = []

    def listen(event: Event) -> None:
        if not isinstance(event, TrialFinished):
            return
        ended.append(event)
        if len(ended) == 1:
            locks.append(sqlite3.connect(path, isolation_level=None))
            locks[0].execute("BEGIN IMMEDIATE")
        if len(ended) == 10:  # nine trials have ended while nothing could be written
            locks[0].execute("ROLLBACK")
            locks[0].close()

    check_whole(played(project, str(path), listen, repeats=6), planned=12)


# --- a disk that fills -----------------------------------------------------------------------------------


def harness(project: Path, *arguments: str, largest_file: int | None = None) -> Any:
    def limited() -> None:
        if largest_file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    environment = {**os.environ, "HARNESS_STORE_PATIENCE_S": "0"}
    return subprocess.run(
        [*HARNESS, *arguments],
        cwd=project,
        env=environment,
        preexec_fn=limited,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_run_that_could_not_even_begin_is_none_to_go_on_with(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: Store, run: SuiteRun) -> None:
        raise StoreError("no space is left", code="store-full", hint="Free some disk space.")

    monkeypatch.setattr(Store, "begin_run", full)
    with pytest.raises(StoreError, match="no space") as caught:
        played(project, str(project / "store.sqlite"), lambda event: None, 1)
    assert caught.value.hint == "Free some disk space."


def test_a_disk_that_fills_is_one_clear_error_that_says_what_is_lost_and_the_run_goes_on_later(
    project: Path,
) -> None:
    arguments = ["run", "suite.yaml", "--repeats", "100", "--no-progress"]
    done = harness(project, *arguments, largest_file=250_000)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "[store-full]" in done.stderr or "[store-disk-error]" in done.stderr
    assert "lost" in done.stderr
    assert "harness run --resume" in done.stderr
    assert "Traceback" not in done.stderr
    settings = load_settings({"store": str(project / ".harness" / "store.sqlite")})
    kept = workflows.stored_run(settings)
    assert 0 < len(kept.results) < 200
    again = harness(project, "run", "--resume", "latest", "--no-progress")
    assert again.returncode == 0, again.stdout + again.stderr
    check_whole(workflows.stored_run(settings), planned=200)


# --- a database server that is started again -------------------------------------------------------------


class Server:
    """A PostgreSQL server of its own."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        self._user = None if os.geteuid() else "nobody"
        if self._user:
            shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._do(
            "initdb", "-D", "data", "-U", "tester", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"
        )
        self.url = f"postgresql://tester@/postgres?host={folder}&port={self._port}"

    def start(self) -> None:
        options = f"-p {self._port} -k {self._folder} -c listen_addresses= -c fsync=off"
        self._do("pg_ctl", "-D", "data", "-o", options, "-l", "log", "-w", "-t", "300", "start")

    def stop(self) -> None:
        self._do("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")

    def _do(self, command: str, *arguments: str) -> None:
        path = str(self._binaries / command)
        subprocess.run(
            [path, *arguments], check=True, user=self._user, cwd=self._folder, stdout=subprocess.DEVNULL
        )


@pytest.fixture
def postgresql() -> Iterator[Server]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found or not shutil.which("initdb", path=str(found[-1])):
        pytest.skip("no PostgreSQL server binaries under /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = Server(found[-1], folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def test_a_database_that_is_started_again_meanwhile_has_every_result_once(
    project: Path, postgresql: Server
) -> None:
    told: list[Event] = []

    def listen(event: Event) -> None:
        told.append(event)
        if isinstance(event, TrialFinished) and sum(isinstance(each, TrialFinished) for each in told) == 3:
            postgresql.stop()
        elif isinstance(event, ResultsWait) and event.reason and is_first_wait():
            postgresql.start()

    def is_first_wait() -> bool:
        return sum(isinstance(each, ResultsWait) for each in told) == 1

    check_whole(played(project, postgresql.url, listen, repeats=10), planned=20)
    waits = [event for event in told if isinstance(event, ResultsWait)]
    assert waits[0].reason and waits[-1] == ResultsWait(0, "")
    assert isinstance(told[-1], (RunFinished, ResultsWait))
