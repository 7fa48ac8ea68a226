"""The embedded server over HTTP: CPU of its process a run, many runs at once, and how soon a stream begins.

    python -m benchmarks.server

The model is scripted, so what is measured is the server. A run is six requests on one kept connection: create
the thread, a message and the run, poll the run until it has ended, list its steps and the messages. The
server is a process of its own, whose CPU is read from the system; the clients' is not in it. The same six
requests are also made to the handlers directly. A stream's first event and a bare request are timed
alternately on raw sockets, each on a connection of its own.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.server import http as door
from harness.server.app import App, Request, ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted

_RUNS = 300
_AT_ONCE = 200
_STREAMS = 200
_QUESTION = {"role": "user", "content": "How long does an export take?"}
_SERVE = "from benchmarks.server import serve; serve()"
Call = Callable[[str, str, dict[str, Any] | None], dict[str, Any]]


def _app(*, eager: bool = False) -> App:
    model = Scripted(["An export takes about ten minutes."], cycle=True)
    return App(ServerOptions(models=ModelTable(default=model), eager=eager))


def serve() -> None:
    """What the server's process does; it ends with its standard input."""
    with door.background(_app()) as base_url:
        print(base_url, flush=True)
        sys.stdin.read()


@contextmanager
def _serving() -> Iterator[tuple[int, int]]:
    """A server process: its id and port."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", _SERVE], text=True, **pipes) as process:  # type: ignore[call-overload]
        yield process.pid, int(process.stdout.readline().split(":")[2].split("/")[0])
        process.stdin.close()


def _client(port: int) -> Call:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        connection.request(method, f"/v1{path}", None if body is None else json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {content.decode()}")
        return json.loads(content)  # type: ignore[no-any-return]

    return call


def _direct(app: App) -> Call:
    def call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return app.handle(Request(method, path, body)).body or {}

    return call


def _converse(call: Call, assistant: str, *, pause_s: float = 0.002) -> int:
    """One run and what a polling client asks around it; how many requests that were."""
    thread = call("POST", "/threads", {})["id"]
    call("POST", f"/threads/{thread}/messages", _QUESTION)
    path = f"/threads/{thread}/runs"
    run = call("POST", path, {"assistant_id": assistant})
    polls = 0
    while run["status"] in ("queued", "in_progress"):
        time.sleep(pause_s if polls else 0.001)
        run = call("GET", f"{path}/{run['id']}", None)
        polls += 1
    if run["status"] != "completed":
        raise RuntimeError(f"run {run['status']}: {run['last_error']}")
    call("GET", f"{path}/{run['id']}/steps", None)
    call("GET", f"/threads/{thread}/messages", None)
    return 5 + polls


def _cpu_s(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _over_http(pid: int, port: int) -> None:
    call = _client(port)
    assistant = call("POST", "/assistants", {"model": "m"})["id"]
    for _ in range(20):
        _converse(call, assistant)
    before = _cpu_s(pid)
    requests = sum(_converse(call, assistant) for _ in range(_RUNS))
    cpu_ms = (_cpu_s(pid) - before) / _RUNS * 1000
    print(f"over HTTP: {cpu_ms:.2f} ms CPU of the server a run ({requests / _RUNS:.1f} requests)")


def _by_handlers() -> None:
    with _app(eager=True) as app:
        call = _direct(app)
        assistant = call("POST", "/assistants", {"model": "m"})["id"]
        for _ in range(20):
            _converse(call, assistant)
        before = time.process_time()
        for _ in range(_RUNS):
            _converse(call, assistant)
        cpu_ms = (time.process_time() - before) / _RUNS * 1000
    print(f"handlers called directly: {cpu_ms:.2f} ms CPU a run, a millisecond of waiting in it")


def _at_once(pid: int, port: int) -> None:
    assistant = _client(port)("POST", "/assistants", {"model": "m"})["id"]
    before, begun = _cpu_s(pid), time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        work = [pool.submit(_converse, _client(port), assistant, pause_s=0.25) for _ in range(_AT_ONCE)]
        requests = sum(each.result() for each in work)  # raises if one was refused or did not complete
    wall_s, cpu_s = time.perf_counter() - begun, _cpu_s(pid) - before
    print(
        f"{_AT_ONCE} runs at once: all completed in {wall_s:.2f} s, {cpu_s:.2f} s CPU of the server, "
        f"{requests} requests, none refused"
    )


def _timed(port: int, request: bytes, until: bytes) -> float:
    """Milliseconds from the sending of a request to the arrival of this part of its answer."""
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begun = time.perf_counter()
        raw.sendall(request)
        received = b""
        while until not in received:
            received += raw.recv(65536)
        took_ms = (time.perf_counter() - begun) * 1000
        while raw.recv(65536):
            pass
    return took_ms


def _request(method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} /v1{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def _first_events(port: int) -> None:
    call = _client(port)
    assistant = call("POST", "/assistants", {"model": "m"})["id"]
    streams, bare = [], []
    for _ in range(_STREAMS):
        thread = call("POST", "/threads", {"messages": [_QUESTION]})["id"]
        run = _request("POST", f"/threads/{thread}/runs", {"assistant_id": assistant, "stream": True})
        streams.append(_timed(port, run, b"thread.run.created"))
        bare.append(_timed(port, _request("GET", f"/threads/{thread}"), b"thread"))
    first, request = statistics.median(streams), statistics.median(bare)
    print(
        f"first event of a streamed run: median {first:.1f} ms, p95 {_p95(streams):.1f} ms; "
        f"a bare request {request:.1f} ms, p95 {_p95(bare):.1f} ms; ratio {first / request:.1f}"
    )


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


def main() -> None:
    """Print the figures."""
    with _serving() as (pid, port):
        _over_http(pid, port)
        _at_once(pid, port)
        _first_events(port)
    _by_handlers()


if __name__ == "__main__":
    main()
