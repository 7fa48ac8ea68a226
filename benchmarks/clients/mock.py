"""A fast server that answers like chat completions and the Assistants API, always the same words.

    python -m benchmarks.clients.mock --latency-ms 200

It is a process of its own, so that its CPU is in no client's figures, and prints its base_url. A run that is
polled has ended when it is first asked for; one that is streamed brings its events at once, the answer a word
at a time. The latency comes before every answer. ``GET /v1/counts`` tells how many requests there were since
the last time, and how many were waiting for their answers at the same time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.clients.suites import MODEL

ANSWER = "An export takes about ten minutes; a link to the finished file is then sent to you by mail."
_USAGE = {"prompt_tokens": 24, "completion_tokens": 20, "total_tokens": 44}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_TEXT = {"type": "text", "text": {"value": ANSWER, "annotations": []}}
_NOW = 1_800_000_000
Json = dict[str, Any]


@dataclass(slots=True)
class Counts:
    """What was asked since the last look."""

    requests: int = 0
    in_flight: int = 0
    most_in_flight: int = 0

    def begin(self) -> None:
        """A request came in."""
        self.requests += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def taken(self) -> Json:
        """The counts, which begin anew."""
        told = {"requests": self.requests, "most_in_flight": self.most_in_flight}
        self.requests = self.most_in_flight = 0
        return told


class Connection(asyncio.Protocol):
    """One kept connection of a client; requests on it come one after the other."""

    def __init__(self, counts: Counts, latency_s: float) -> None:
        self._counts = counts
        self._latency_s = latency_s
        self._received = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when the whole request is there."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        method, path, _ = head.split(b" ", 2)
        route = path.decode().partition("?")[0].removeprefix("/v1")
        if route == "/counts":
            self._write(_json_answer(self._counts.taken()))
            return
        self._counts.begin()
        answer = answer_to(method.decode(), route, body)
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._end, answer)
        else:
            self._end(answer)

    def _end(self, answer: bytes) -> None:
        self._counts.in_flight -= 1
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(answer)


def answer_to(method: str, path: str, body: bytes) -> bytes:
    """The whole answer to a request, as it goes over the wire."""
    asked = json.loads(body) if body else {}
    for pattern, make in _ROUTES:
        if match := pattern.fullmatch(f"{method} {path}"):
            made = make(match, asked)
            return made if isinstance(made, bytes) else _json_answer(made)
    return _json_answer({"error": {"message": f"nothing is at {method} {path}", "type": "mock"}}, 404)


# --- what stands behind the routes ---------------------------------------------------------------------


_serial = iter(range(1, sys.maxsize))


def _id(kind: str) -> str:
    return f"{kind}_{next(_serial):024d}"


def _completion(_: re.Match[str], asked: Json) -> Json:
    message: Json = {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": _id("chatcmpl"),
        "object": "chat.completion",
        "created": _NOW,
        "model": asked.get("model"),
        "choices": [choice],
        "usage": _USAGE,
        "service_tier": "default",
        "system_fingerprint": None,
    }


def _assistant(_: re.Match[str], asked: Json) -> Json:
    kept = {name: asked.get(name) for name in ("name", "model", "instructions", "tools", "metadata")}
    return {"id": _id("asst"), "object": "assistant", "created_at": _NOW, **kept}


def _thread(_: re.Match[str], asked: Json) -> Json:
    return {"id": _id("thread"), "object": "thread", "created_at": _NOW, "metadata": {}, "tool_resources": {}}


def _question(match: re.Match[str], asked: Json) -> Json:
    content = [{"type": "text", "text": {"value": asked["content"], "annotations": []}}]
    return _message(_id("msg"), match["thread"], "user", content, None)


def _message(name: str, thread: str, role: str, content: list[Json], run: str | None) -> Json:
    return {
        "id": name,
        "object": "thread.message",
        "created_at": _NOW,
        "completed_at": _NOW,
        "status": "completed",
        "assistant_id": None if run is None else "asst_1",
        "thread_id": thread,
        "run_id": run,
        "role": role,
        "content": content,
        "attachments": [],
        "metadata": {},
    }


def _run(name: str, thread: str, status: str) -> Json:
    return {
        "id": name,
        "object": "thread.run",
        "created_at": _NOW,
        "assistant_id": "asst_1",
        "thread_id": thread,
        "status": status,
        "started_at": _NOW,
        "completed_at": _NOW if status == "completed" else None,
        "required_action": None,
        "last_error": None,
        "incomplete_details": None,
        "model": MODEL,
        "instructions": "Answer briefly.",
        "tools": [],
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "response_format": "auto",
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "usage": _USAGE if status == "completed" else None,
    }


def _step(run: str, thread: str, message: str, status: str) -> Json:
    return {
        "id": f"step_{run[4:]}",
        "object": "thread.run.step",
        "created_at": _NOW,
        "run_id": run,
        "assistant_id": "asst_1",
        "thread_id": thread,
        "type": "message_creation",
        "status": status,
        "completed_at": _NOW if status == "completed" else None,
        "cancelled_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "message_creation", "message_creation": {"message_id": message}},
        "usage": _USAGE if status == "completed" else None,
    }


def _begun(match: re.Match[str], asked: Json) -> Json | bytes:
    run, thread = _id("run"), match["thread"]
    if asked.get("stream"):
        return _stream_answer(_events(run, thread, f"msg_{run[4:]}"))
    return _run(run, thread, "queued")


def _events(run: str, thread: str, message: str) -> Iterator[tuple[str, Json]]:
    for status in ("created", "queued", "in_progress"):
        yield f"thread.run.{status}", _run(run, thread, "queued" if status == "created" else status)
    for status in ("created", "in_progress"):
        yield f"thread.run.step.{status}", _step(run, thread, message, "in_progress")
    for status in ("created", "in_progress"):
        yield f"thread.message.{status}", _message(message, thread, "assistant", [], run)
    for word in re.findall(r"\S+\s*", ANSWER):
        piece = {"index": 0, "type": "text", "text": {"value": word}}
        delta = {"id": message, "object": "thread.message.delta", "delta": {"content": [piece]}}
        yield "thread.message.delta", delta
    yield "thread.message.completed", _message(message, thread, "assistant", [_TEXT], run)
    yield "thread.run.step.completed", _step(run, thread, message, "completed")
    yield "thread.run.completed", _run(run, thread, "completed")


def _ended(match: re.Match[str], _: Json) -> Json:
    return _run(match["run"], match["thread"], "completed")


def _steps(match: re.Match[str], _: Json) -> Json:
    run = match["run"]
    return _page([_step(run, match["thread"], f"msg_{run[4:]}", "completed")])


def _messages(match: re.Match[str], _: Json) -> Json:
    return _page([_message(_id("msg"), match["thread"], "assistant", [_TEXT], _id("run"))])


def _page(rows: list[Json]) -> Json:
    return {
        "object": "list",
        "data": rows,
        "first_id": rows[0]["id"],
        "last_id": rows[-1]["id"],
        "has_more": False,
    }


def _deleted(match: re.Match[str], _: Json) -> Json:
    return {"id": match["object"], "object": "deleted", "deleted": True}


def _json_answer(body: Json, status: int = 200) -> bytes:
    return _answer(json.dumps(body).encode(), "application/json", status)


def _stream_answer(events: Iterator[tuple[str, Json]]) -> bytes:
    told = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    return _answer(f"{told}event: done\ndata: [DONE]\n\n".encode(), "text/event-stream")


def _answer(content: bytes, kind: str, status: int = 200) -> bytes:
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\nx-request-id: req_1\r\n"
    return f"{head}content-length: {len(content)}\r\n\r\n".encode() + content


_Make = Callable[[re.Match[str], Json], Json | bytes]
_ROUTES: list[tuple[re.Pattern[str], _Make]] = [
    (re.compile(pattern), make)
    for pattern, make in {
        r"POST /chat/completions": _completion,
        r"POST /threads/(?P<thread>[^/]+)/messages": _question,
        r"POST /threads/(?P<thread>[^/]+)/runs": _begun,
        r"GET /threads/(?P<thread>[^/]+)/runs/(?P<run>[^/]+)": _ended,
        r"GET /threads/(?P<thread>[^/]+)/runs/(?P<run>[^/]+)/steps": _steps,
        r"GET /threads/(?P<thread>[^/]+)/messages": _messages,
        r"POST /threads": _thread,
        r"POST /assistants": _assistant,
        r"DELETE /(threads|assistants)/(?P<object>[^/]+)": _deleted,
    }.items()
]


async def _serve(latency_s: float) -> None:
    counts = Counts()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(counts, latency_s), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.to_thread(sys.stdin.read)  # it ends with its standard input


def main() -> None:
    """Serve until the standard input is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    asyncio.run(_serve(parser.parse_args().latency_ms / 1000))


if __name__ == "__main__":
    main()
