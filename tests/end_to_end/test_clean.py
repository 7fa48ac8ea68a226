"""Runs that are killed at a server, and ``harness clean`` after them: the server is empty again."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli import exit_code
from harness.server.app import App, Reply, Request, ServerOptions
from harness.server.http import background
from harness.targets.ledger import Entry, Intent, Kind, Ledger, Place

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
KEY = "sk-test"
Run = Callable[..., "Done"]
SUITE = """\
suite: s
assistant: bot.yaml
repeats: 20
conversations:
  - id: a
    as: jo
    turns:
      - {user: "How long is the warranty?", attach: [{file: rows.csv, tools: [code_interpreter]}]}
      - {user: "And returns?", returning: true}
"""
BOT = """\
name: Bot
model: m
instructions: Answer from the documents.
tools: [{type: file_search}, {type: code_interpreter}]
knowledge: [guide.md]
"""


class Server(App):
    """A server that counts calls, and does something before or after the one that is waited for."""

    def __init__(self) -> None:
        super().__init__(ServerOptions())
        self.wanted: tuple[str, str, int, str] | None = None
        self.reached = threading.Event()
        self.may_go_on = threading.Event()
        self.seen = 0
        self.threads: set[str] = set()

    def stop_at(self, method: str, path: str, number: int, when: str) -> None:
        """Hold the n-th call of this path, before it is handled or before it is answered."""
        self.wanted = (method, path, number, when)

    def handle(self, request: Request) -> Reply:
        when = self._when(request)
        if when == "before":
            self._hold()
        reply = super().handle(request)
        if (request.method, request.path) in {("POST", "/threads"), ("POST", "/conversations")}:
            self.threads.add((reply.body or {})["id"])
        if when == "after":
            self._hold()
        return reply

    def _when(self, request: Request) -> str | None:
        if self.wanted is None or self.wanted[1] != _shape(request.path) or request.method != self.wanted[0]:
            return None
        self.seen += 1
        return self.wanted[3] if self.seen == self.wanted[2] else None

    def _hold(self) -> None:
        self.reached.set()
        assert self.may_go_on.wait(120)

    def left(self) -> list[str]:
        """Everything that is at the server."""
        lists = [
            super(Server, self).handle(Request("GET", path))
            for path in ("/assistants", "/files", "/vector_stores")
        ]
        found = [row["id"] for reply in lists for row in (reply.body or {})["data"]]
        talks = [(f"/{kind}/{each}", each) for each in self.threads for kind in ("threads", "conversations")]
        return found + [
            each
            for path, each in sorted(talks)
            if super(Server, self).handle(Request("GET", path)).status == 200
        ]


def _shape(path: str) -> str:
    """A path with a star for each id."""
    return "/".join(
        "*" if "_" in part and any(c.isdigit() for c in part) else part for part in path.split("/")
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "suite.yaml").write_text(SUITE, "utf-8")
    (tmp_path / "bot.yaml").write_text(BOT, "utf-8")
    (tmp_path / "guide.md").write_text(
        "# Guide\n\nThe warranty lasts 24 months. Returns take 30 days.\n", "utf-8"
    )
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n", "utf-8")
    return tmp_path


@pytest.fixture
def server() -> Iterator[tuple[Server, str]]:
    app = Server()
    with background(app, api_key=KEY) as base_url:
        yield app, base_url


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command in this process, in the folder of the project."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def command(*arguments: str) -> Done:
        capsys.readouterr()
        code = exit_code(list(arguments))
        return Done(code, *capsys.readouterr())

    return command


@contextmanager
def running(folder: Path, base_url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A run at the server; killed at the end of the block, however that ends."""
    command = [
        *HARNESS,
        "run",
        "suite.yaml",
        "--base-url",
        base_url,
        "--no-progress",
        "--concurrency",
        "1",
        *options,
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(
        command, cwd=folder, env={**os.environ, "OPENAI_API_KEY": KEY}, text=True, **pipes
    ) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def killed(server: tuple[Server, str], project: Path, target: str) -> None:
    """A run that SIGKILL ends at the moment the server was told to stop at; its request is handled still."""
    app, base_url = server
    with running(project, base_url, "--target", target) as process:
        assert app.reached.wait(120), process.communicate()
        process.send_signal(signal.SIGKILL)
        process.wait()
        app.may_go_on.set()


def entries(project: Path) -> list[Entry]:
    with Ledger(project / ".harness" / "ledger.sqlite") as ledger:
        return ledger.entries()


MOMENTS = [
    ("assistants", "POST", "/files", 1, "before"),
    ("assistants", "POST", "/files", 1, "after"),
    ("assistants", "POST", "/vector_stores", 1, "after"),
    ("assistants", "POST", "/vector_stores/*/file_batches", 1, "after"),
    ("assistants", "POST", "/assistants", 1, "before"),
    ("assistants", "POST", "/assistants", 1, "after"),
    ("assistants", "POST", "/threads/*/messages", 1, "after"),
    ("assistants", "POST", "/threads/*/runs", 3, "before"),
    ("responses", "POST", "/vector_stores", 1, "after"),
    ("responses", "POST", "/responses", 2, "after"),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: " ".join(map(str, moment)))
def test_after_a_kill_clean_leaves_the_server_empty(
    project: Path, run: Run, server: tuple[Server, str], moment: tuple[str, str, str, int, str]
) -> None:
    target, *call = moment
    app, _ = server
    app.stop_at(*call)  # type: ignore[arg-type]
    killed(server, project, target)
    dry = run("clean")
    before = app.left()
    assert dry.returncode == 0, dry.stderr
    assert all(each in dry.stdout for each in before)
    done = run("clean", "--yes")
    assert (done.returncode, app.left()) == (0, []), done.stdout + done.stderr
    assert f"{len(before)} object{'' if len(before) == 1 else 's'} deleted" in done.stdout
    assert all(entry.id is None for entry in entries(project))


def test_a_thread_whose_id_never_came_back_is_told_and_stays(
    project: Path, run: Run, server: tuple[Server, str]
) -> None:
    app, _ = server
    app.stop_at("POST", "/threads", 1, "after")
    killed(server, project, "assistants")
    done = run("clean", "--yes")
    assert "its id never came back" in done.stdout
    assert set(app.left()) == app.threads
    assert [(entry.kind, entry.id) for entry in entries(project)] == [("thread", None)]


def test_what_a_run_that_goes_on_has_made_is_left_alone(
    project: Path, run: Run, server: tuple[Server, str]
) -> None:
    app, base_url = server
    app.stop_at("POST", "/threads/*/runs", 1, "before")
    with running(project, base_url, "--target", "assistants"):
        assert app.reached.wait(120)
        before = app.left()
        done = run("clean", "--yes")
        assert "its run goes on" in done.stdout
        assert "0 objects deleted" in done.stdout
        assert app.left() == before != []
        app.may_go_on.set()


def test_what_is_kept_is_deleted_only_when_that_is_asked_for(
    project: Path, run: Run, server: tuple[Server, str]
) -> None:
    app, base_url = server
    options = ["--target", "assistants", "--base-url", base_url, "--repeats", "1", "--no-progress"]
    done = run("run", "suite.yaml", *options, "--keep-assistants", "--keep-users")
    assert "harness clean" not in done.stdout, done.stdout
    assert len(app.left()) == 4  # the document, its vector store, the assistant, the user's thread
    cleaned = run("clean", "--yes")
    assert "kept for later runs" in cleaned.stdout and "kept for the user" in cleaned.stdout
    assert "left alone: 4 kept on purpose (--kept deletes those too)" in cleaned.stdout
    assert len(app.left()) == 4
    everything = run("clean", "--yes", "--kept")
    assert app.left() == [] and "left alone" not in everything.stdout


def test_a_run_whose_server_deletes_nothing_says_how_to_clean_up(
    project: Path, run: Run, server: tuple[Server, str]
) -> None:
    app, base_url = server

    def refusing(request: Request) -> Reply:
        if request.method == "DELETE":
            error = {"message": "no", "type": "invalid_request_error", "param": None, "code": None}
            return Reply(status=403, body={"error": error})
        return App.handle(app, request)

    app.handle = refusing  # type: ignore[method-assign]
    options = ["--target", "assistants", "--base-url", base_url, "--repeats", "1", "--no-progress"]
    done = run("run", "suite.yaml", *options)
    assert "5 objects may still be at the target. Delete with: harness clean --yes" in done.stdout, (
        done.stdout
    )
    cleaned = run("clean", "--yes")
    assert cleaned.returncode == 1
    assert "not deleted: thread thread_" in cleaned.stderr
    assert len(entries(project)) == 5


# --- choosing ---------------------------------------------------------------------------------------------


def begin(project: Path, base_url: str, *made: tuple[str, Kind, str], key: str = KEY) -> None:
    """Entries of runs that have ended, as (run, kind, id)."""
    place = Place(base_url, hashlib.sha256(key.encode()).hexdigest()[:12])
    with Ledger(project / ".harness" / "ledger.sqlite") as ledger:
        for run_id, kind, object_id in made:
            ledger.made(ledger.intend(run_id, place, Intent(kind)), object_id)


def test_runs_addresses_and_ages_choose_what_is_deleted(
    project: Path, run: Run, server: tuple[Server, str]
) -> None:
    _, base_url = server
    begin(project, base_url, ("run-1", "thread", "thread_1"), ("run-2", "thread", "thread_2"))
    run("clean", "--yes", "--older-than", "1h")
    run("clean", "--yes", "--base-url", "http://127.0.0.1:1/v1")
    assert len(entries(project)) == 2
    run("clean", "--yes", "--run", "run-1")
    assert [entry.id for entry in entries(project)] == ["thread_2"]


def test_what_was_made_with_another_key_is_told_and_left(
    project: Path, run: Run, server: tuple[Server, str]
) -> None:
    _, base_url = server
    begin(project, base_url, ("run-1", "thread", "thread_1"), key="sk-other")
    done = run("clean", "--yes")
    assert "made with another API key" in done.stdout
    assert len(entries(project)) == 1


def test_an_address_that_does_not_answer_is_told_and_nothing_is_lost(
    project: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.backoff.growing_wait_s", lambda number: 0.0)
    begin(project, "http://127.0.0.1:1/v1", ("run-1", "thread", "thread_1"))
    done = run("clean", "--yes")
    assert done.returncode == 1
    assert "not looked at: http://127.0.0.1:1/v1: nothing answers" in done.stderr
    assert len(entries(project)) == 1


def test_without_a_ledger_there_is_nothing_to_clean_and_none_is_made(project: Path, run: Run) -> None:
    done = run("clean")
    assert (done.returncode, done.stdout) == (0, "nothing is left over\n")
    assert not (project / ".harness").exists()


@pytest.mark.parametrize("age", ["7", "d", "1y", "-1d", "1.5h"])
def test_an_age_that_is_none_is_refused_with_examples(run: Run, age: str) -> None:
    done = run("clean", f"--older-than={age}")
    assert done.returncode == 4
    assert "30m, 12h, 7d" in done.stderr


def test_objects_that_nobody_wrote_down_are_found_by_their_marks(
    project: Path, run: Run, server: tuple[Server, str]
) -> None:
    app, base_url = server
    begin(project, base_url)
    with Ledger(project / ".harness" / "ledger.sqlite") as ledger:
        marks = {"harness_run": "run-1", "harness_ledger": ledger.id}
    for metadata in (marks, {**marks, "harness_ledger": "another"}):
        App.handle(app, Request("POST", "/assistants", body={"model": "m", "metadata": metadata}))
    done = run("clean", "--yes", "--base-url", base_url)
    assert "1 object deleted" in done.stdout, done.stdout + done.stderr
    assert len(app.left()) == 1
