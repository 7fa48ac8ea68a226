"""A chat-completions server on this machine that says what a test wants and remembers its requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

HANG_UP = object()
"""An answer that is none: the connection is closed."""


@dataclass
class Streamed:
    """A streamed completion: texts and deltas in order; what can be called is called where it stands."""

    parts: Iterable[Any]
    finish: str | None = "stop"
    usage: dict[str, Any] | None = None
    ends: bool = True


def streamed(*parts: Any, **more: Any) -> Streamed:
    """A streamed completion of these parts."""
    return Streamed(parts, **more)


def function_delta(index: int, arguments: str, *, name: str = "", identifier: str = "") -> dict[str, Any]:
    """A piece of a function call; the first one has a name and an id."""
    function = {"arguments": arguments, **({"name": name} if name else {})}
    head = {"id": identifier, "type": "function"} if identifier else {}
    return {"tool_calls": [{"index": index, **head, "function": function}]}


@dataclass
class ChatServer:
    """Answers are bodies, texts, bytes, ``(status, headers, body)``, streams, or functions of the request.

    ``hung_up`` is set when a client went away in the middle of a stream.
    """

    answers: list[Any]
    base_url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)

    def answer_to(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Any:
        self.paths.append(path)
        self.headers.append(headers)
        self.requests.append(body)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return answer(body) if callable(answer) else answer


def said(content: Any = None, *calls: dict[str, Any], finish: str | None = None, **more: Any) -> Any:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = list(calls)
    reason = finish or ("tool_calls" if calls else "stop")
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], **more}


def call(name: str, arguments: Any, identifier: str = "call_1") -> dict[str, Any]:
    """A tool call; arguments that are no text are written as JSON."""
    written = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": written}}


def _chunks_of(answer: Streamed) -> Iterator[Any]:
    yield _event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
    for part in answer.parts:
        made = part() if callable(part) else part
        if made is None:
            continue
        if isinstance(made, str):
            made = {"content": made}
        if isinstance(made, dict):
            whole = "choices" in made or "error" in made
            made = _event(made if whole else {"choices": [{"index": 0, "delta": made}]})
        yield made
    if answer.finish:
        yield _event({"choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish}]})
    if answer.usage:
        yield _event({"choices": [], "usage": answer.usage})
    if answer.ends:
        yield b"data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps(data).encode()


def _handler(script: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = script.answer_to(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            if answer is HANG_UP:
                self.close_connection = True
                return
            if isinstance(answer, Streamed):
                self._stream(answer)
                return
            status, headers, content = answer if isinstance(answer, tuple) else (200, {}, answer)
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def _stream(self, answer: Streamed) -> None:
            self.protocol_version = "HTTP/1.1"
            self.close_connection = True
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.send_header("connection", "close")
            self.end_headers()
            try:
                for event in _chunks_of(answer):
                    if event is HANG_UP:
                        return
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
                self.wfile.write(b"0\r\n\r\n")
            except OSError:
                script.hung_up.set()

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


@pytest.fixture
def chat_server() -> Iterator[Callable[..., ChatServer]]:
    """Starts servers; the last of the given answers is repeated."""
    running: list[ThreadingHTTPServer] = []

    def start(*answers: Any) -> ChatServer:
        script = ChatServer(list(answers))
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
        server.daemon_threads = True
        running.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        script.base_url = f"http://127.0.0.1:{server.server_port}/v1"
        return script

    start.said, start.call, start.hang_up = said, call, HANG_UP  # type: ignore[attr-defined]
    start.streamed, start.function_delta = streamed, function_delta  # type: ignore[attr-defined]
    yield start
    for server in running:
        server.shutdown()
        server.server_close()
