"""`harness serve` as a process: how it ends, and what it does with clients that dawdle."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]


class SlowModel:
    """A chat-completions endpoint that says one word and then waits until it is let go."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                try:
                    self._say({"delta": {"content": "Well, "}})
                    model.go_on.wait(60)
                    self._say({"delta": {"content": "then."}, "finish_reason": "stop"})
                except OSError:
                    pass

            def _say(self, choice: dict[str, Any]) -> None:
                self.wfile.write(b"data: %b\n\n" % json.dumps({"choices": [choice]}).encode())

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def model() -> Iterator[SlowModel]:
    model = SlowModel()
    yield model
    model.close()


class Server:
    """A server process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.connections: list[http.client.HTTPConnection] = []
        command = [*HARNESS, "serve", "--port", "0", *options]
        self.process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.port = int(self.process.stderr.readline().split()[2].split(":")[2].split("/")[0])

    def post(self, path: str, body: dict[str, Any]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        self.connections.append(connection)
        connection.request("POST", f"/v1{path}", json.dumps(body))
        return connection.getresponse()

    def make(self, path: str, body: dict[str, Any]) -> str:
        return str(json.loads(self.post(path, body).read())["id"])

    def stream(self, model: str, text: str, **assistant: Any) -> Any:
        """The open stream of a run."""
        made = self.make("/assistants", {"model": model, **assistant})
        thread = self.make("/threads", {"messages": [{"role": "user", "content": text}]})
        return self.post(f"/threads/{thread}/runs", {"assistant_id": made, "stream": True})

    def ended(self) -> int:
        return self.process.wait(timeout=120)


@pytest.fixture
def serve(tmp_path: Path, model: SlowModel) -> Iterator[Callable[..., Server]]:
    (tmp_path / "models.yaml").write_text(
        f'models: [{{match: slow, remote: {{base_url: "http://127.0.0.1:{model.server.server_port}/v1"}}}},'
        ' {match: "*", extractive: true}]',
        "utf-8",
    )
    running: list[Server] = []

    def start(*options: str) -> Server:
        running.append(Server(tmp_path, "--models", "models.yaml", *options))
        return running[-1]

    yield start
    for server in running:
        server.process.kill()
        server.process.wait()
        for connection in server.connections:
            connection.close()
        assert server.process.stderr is not None
        server.process.stderr.close()


def read_until(stream: Any, end: bytes) -> None:
    while line := stream.readline():
        if line.startswith(end):
            return
    pytest.fail(f"the stream ended without {end!r}")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_that_ends_in_time_ends_as_ever(
    serve: Callable[..., Server], model: SlowModel, how: signal.Signals
) -> None:
    server = serve()
    stream = server.stream("slow", "Well?")
    read_until(stream, b"event: thread.message.delta")
    server.process.send_signal(how)
    model.go_on.set()
    rest = stream.read()
    assert b"event: thread.run.completed" in rest
    assert rest.endswith(b"event: done\ndata: [DONE]\n\n")
    assert server.ended() == 0


def test_a_stream_that_does_not_end_in_time_is_told_and_holds_nobody_up(
    serve: Callable[..., Server],
) -> None:
    server = serve("--shutdown-s", "3")
    stream = server.stream("slow", "Well?")
    read_until(stream, b"event: thread.message.delta")
    server.process.send_signal(signal.SIGTERM)
    rest = stream.read()
    assert b"event: thread.message.incomplete" in rest
    assert b"event: thread.run.failed" in rest
    assert b"The server was shut down" in rest
    assert rest.endswith(b"event: done\ndata: [DONE]\n\n")
    assert server.ended() == 0


def test_a_run_that_nobody_streams_and_a_model_that_hangs_hold_nobody_up(
    serve: Callable[..., Server],
) -> None:
    server = serve("--shutdown-s", "1")
    made = server.make("/assistants", {"model": "slow"})
    thread = server.make("/threads", {"messages": [{"role": "user", "content": "Well?"}]})
    server.make(f"/threads/{thread}/runs", {"assistant_id": made})
    server.process.send_signal(signal.SIGTERM)
    assert server.ended() == 0


def descendants(pid: int) -> list[int]:
    found, open_ends = [], [pid]
    while open_ends:
        parent = open_ends.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            children = [int(child) for child in task.read_text().split()]
            found += children
            open_ends += children
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="relies on /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_no_sandbox_process_outlives_its_server(serve: Callable[..., Server], how: signal.Signals) -> None:
    server = serve()
    tools = [{"type": "code_interpreter"}]
    stream = server.stream("any", "What is 12 * 12 + 1?", tools=tools)
    assert b"145" in stream.read()
    watches = [os.pidfd_open(pid) for pid in descendants(server.process.pid)]
    assert watches
    server.process.send_signal(how)
    server.ended()
    for watch in watches:
        assert select.select([watch], [], [], 120)[0], "an interpreter outlived its server by 120 s"
        os.close(watch)


def test_a_server_that_ends_takes_nothing_new(serve: Callable[..., Server]) -> None:
    server = serve()
    stream = server.stream("slow", "Well?")
    read_until(stream, b"event: thread.message.delta")
    server.process.send_signal(signal.SIGTERM)
    for _ in iter(lambda: _can_connect(server.port), False):
        pass


def _can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True
