"""Trials and suite runs to store, and both kinds of database to store them in."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from harness.cost.usage import Usage
from harness.results import Score, SuiteRun, TrialResult
from harness.trace.records import Message, Trace, TurnTrace

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


def _trial(conversation: str = "reset-password", repeat: int = 1, **changes: Any) -> TrialResult:
    trial_id = f"helpdesk/{conversation}@main#{repeat}"
    turn = TurnTrace(
        user=Message(role="user", text="How do I reset my password?"),
        messages=(Message(role="assistant", text="Open Settings ▸ Security. 🔑"),),
        status="completed",
        started_at=START,
        latency_s=1.25,
        usage=Usage(prompt_tokens=900, completion_tokens=40),
    )
    fields: dict[str, Any] = {
        "trial_id": trial_id,
        "suite": "helpdesk",
        "conversation": conversation,
        "cluster": "accounts",
        "variant": "main",
        "fingerprint": "f" * 64,
        "repeat": repeat,
        "outcome": "passed",
        "started_at": START,
        "ended_at": START + timedelta(seconds=2),
        "scores": (
            Score(check="status", scorer="limits", turn=0, value=True, passed=True),
            Score(
                check="grounded", scorer="grounding", turn=0, value=0.5, passed=False, reason="Half of it."
            ),
            Score(check="language", scorer="answers", turn=0, value="en", passed=None, reason="A label."),
        ),
        "usage": Usage(prompt_tokens=900, completion_tokens=40),
        "cost_usd": Decimal("0.0000000375"),
        "latency_s": 1.25,
        "trace": Trace(
            trial_id=trial_id, target="embedded", turns=(turn,), documents={"file_1": "guide.pdf"}
        ),
    }
    return TrialResult(**(fields | changes))


def _run(run_id: str = "20260504-093000-helpdesk", **changes: Any) -> SuiteRun:
    fields: dict[str, Any] = {
        "id": run_id,
        "started_at": START,
        "target": "embedded",
        "status": "running",
        "planned": 3,
        "settings": {"repeats": 3, "suites": ["suites/helpdesk.yaml"]},
    }
    return SuiteRun(**(fields | changes))


@pytest.fixture(scope="session")
def trial() -> Callable[..., TrialResult]:
    """Makes a trial; keyword arguments replace fields."""
    return _trial


@pytest.fixture(scope="session")
def run() -> Callable[..., SuiteRun]:
    """Makes a suite run without results; keyword arguments replace fields."""
    return _run


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL (without database) of a PostgreSQL server that lives as long as the tests."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries or not shutil.which("initdb", path=str(binaries[-1])):
        pytest.skip("no PostgreSQL server binaries under /usr/lib/postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = _unprivileged_user(folder)
    data = folder / "data"

    def run_as_user(*command: str) -> None:
        path = str(binaries[-1] / command[0])
        subprocess.run([path, *command[1:]], check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    port = _free_port()
    options = f"-p {port} -k {folder} -c listen_addresses= -c fsync=off"
    try:
        run_as_user(
            "initdb", "-D", str(data), "-U", "tester", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"
        )
        run_as_user(
            "pg_ctl", "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "-t", "300", "start"
        )
        try:
            yield f"postgresql://tester@/{{database}}?host={folder}&port={port}"
        finally:
            run_as_user("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _unprivileged_user(folder: Path) -> str | None:
    """PostgreSQL refuses to run as root; None when these tests don't."""
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, "nobody")
    return "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def postgresql(postgresql_server: str) -> str:
    """The URL of an empty PostgreSQL database."""
    import psycopg

    name = f"store_{os.urandom(4).hex()}"
    admin = postgresql_server.format(database="postgres")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgresql_server.format(database=name)


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store can be made: a SQLite file and, where a server can be started, PostgreSQL."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql"))
    return str(tmp_path / "deep" / "store.sqlite")
