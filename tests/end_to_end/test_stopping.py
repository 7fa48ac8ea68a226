"""Ctrl-C as real signals to a real process, also while documents are indexed and while a server hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness import workflows
from harness.results import SuiteRun
from harness.settings import load_settings

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
SUITE = """\
suite: s
assistant: bot.yaml
conversations:
  - {id: a, turns: [{user: hello}]}
  - {id: b, turns: [{user: hello}]}
  - {id: c, turns: [{user: hello}]}
"""


class HangingApi:
    """An Assistants API that answers everything but the requests that it is told to leave open."""

    def __init__(self) -> None:
        self.hangs = ""
        self.is_asked = threading.Event()
        self.go_on = threading.Event()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                request = f"{self.command} {self.path.partition('?')[0].removeprefix('/v1')}"
                if request == api.hangs:
                    api.is_asked.set()
                    api.go_on.wait(120)
                body = json.dumps(_answer(request)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _reply

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


def _answer(request: str) -> dict[str, Any]:
    if request == "POST /threads/t/runs":
        return {"id": "r", "object": "thread.run", "status": "completed"}
    if request.startswith("GET"):
        return {"data": [], "has_more": False}
    return {"id": "t", "object": "thing"}


@pytest.fixture
def api() -> Iterator[HangingApi]:
    api = HangingApi()
    yield api
    api.close()


@pytest.fixture
def start(tmp_path: Path, api: HangingApi) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """A run of three trials, one at a time, against the API that hangs at this request, when it does."""
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m}")
    (tmp_path / "suite.yaml").write_text(SUITE)
    begun: list[subprocess.Popen[str]] = []

    def go(hangs: str) -> subprocess.Popen[str]:
        api.hangs = hangs
        where = ["--target", "assistants", "--base-url", api.base_url]
        command = [*HARNESS, "run", "suite.yaml", *where, "--concurrency", "1", "--no-progress"]
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        begun.append(process)
        assert api.is_asked.wait(60)
        return process

    yield go
    for process in begun:
        process.kill()
        process.communicate()


def stored(folder: Path) -> SuiteRun:
    return workflows.stored_run(load_settings({"store": str(folder / ".harness" / "store.sqlite")}))


def interrupted(process: subprocess.Popen[str], until: str) -> None:
    """Send Ctrl-C, and wait until the process has said so."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    for line in process.stderr:
        if until in line:
            return
    pytest.fail(f"the process ended without {until!r}")


def test_the_first_lets_what_is_under_way_finish_and_begins_no_more(
    start: Any, api: HangingApi, tmp_path: Path
) -> None:
    process = start("POST /threads/t/runs")
    interrupted(process, "trials under way are finishing")
    api.go_on.set()
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "interrupted; 2 of 3 trials are left" in out
    assert "report: " in out
    assert [result.conversation for result in stored(tmp_path).results] == ["a"]


def test_the_second_does_not_wait_for_a_server_that_hangs(start: Any, tmp_path: Path) -> None:
    process = start("POST /threads/t/runs")
    interrupted(process, "trials under way are finishing")
    interrupted(process, "stopping at once")
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "3 of 3 trials are left" in out
    assert stored(tmp_path).status == "interrupted"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_one_ends_a_run_whose_assistant_is_being_made(
    start: Any, tmp_path: Path, how: signal.Signals
) -> None:
    process = start("POST /assistants")
    process.send_signal(how)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 2, out
    assert "3 of 3 trials are left" in out
    assert stored(tmp_path).status == "interrupted"


def test_the_third_ends_the_process_there_and_then_and_the_run_goes_on_later(
    start: Any, api: HangingApi, tmp_path: Path
) -> None:
    process = start("DELETE /assistants/t")  # tidying up, after the last trial
    interrupted(process, "trials under way are finishing")
    interrupted(process, "stopping at once")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode not in (0, 1)
    api.go_on.set()
    again = [*HARNESS, "run", "--resume", "latest", "--no-progress"]
    environment = {**os.environ, "OPENAI_BASE_URL": api.base_url}
    done = subprocess.run(
        again, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(result.conversation for result in stored(tmp_path).results) == ["a", "b", "c"]
