"""Requests over real HTTP against a server that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harness.errors import TargetError, TargetRateLimited, TargetRefused, TargetUnavailable
from harness.targets.http import Address, HttpWire
from harness.targets.request_log import RequestLog, logged

# One answer: status, headers, body.
Answer = tuple[int, dict[str, str], Any]


class Script:
    """A server that gives the scripted answers in turn, and remembers what it was asked."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[bytes] = []

    def handler(self) -> type[BaseHTTPRequestHandler]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                script.bodies.append(self.rfile.read(length))
                script.requests.append((self.command, self.path, dict(self.headers)))
                status, headers, body = script.answers.pop(0)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                headers = {"content-type": "application/json", **headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *arguments: Any) -> None:
                pass

        return Handler


@pytest.fixture
def serve() -> Iterator[Callable[[list[Answer]], tuple[str, Script]]]:
    servers: list[ThreadingHTTPServer] = []

    def start(answers: list[Answer]) -> tuple[str, Script]:
        script = Script(answers)
        server = ThreadingHTTPServer(("127.0.0.1", 0), script.handler())
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/v1", script

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _call(base_url: str, log: RequestLog | None = None) -> dict[str, Any]:
    async def go() -> dict[str, Any]:
        wire = HttpWire(Address(base_url, "key"))
        try:
            with logged(log or RequestLog()):
                return await wire.call("POST", "/threads")
        finally:
            await wire.close()

    return asyncio.run(go())


def _with_wire(base_url: str, scenario: Callable[[HttpWire], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        wire = HttpWire(Address(base_url, "key"))
        try:
            return await scenario(wire)
        finally:
            await wire.close()

    return asyncio.run(go())


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "x", "param": None, "code": None}}


def test_a_request_carries_the_beta_header_and_the_key(serve: Any) -> None:
    base_url, script = serve([(200, {}, {"id": "thread_1"})])
    assert _call(base_url) == {"id": "thread_1"}
    method, path, headers = script.requests[0]
    assert (method, path) == ("POST", "/v1/threads")
    assert headers["openai-beta"] == "assistants=v2"
    assert headers["authorization"] == "Bearer key"


def test_refusals_for_now_are_tried_again_as_the_server_asks_and_remembered(serve: Any) -> None:
    busy = (429, {"retry-after-ms": "1"}, _error("slow down"))
    base_url, script = serve([busy, (500, {"retry-after": "0.001"}, _error("oops")), (200, {}, {"id": "t"})])
    log = RequestLog()
    assert _call(base_url, log) == {"id": "t"}
    assert [(a.number, a.wait_s) for a in log.attempts] == [(1, 0.001), (2, 0.001)]
    assert log.waited_s >= 0.002
    assert len(script.requests) == 3


def test_a_server_that_keeps_refusing_ends_as_rate_limited(serve: Any) -> None:
    base_url, script = serve([(429, {"retry-after-ms": "1"}, _error("slow down"))] * 9)
    with pytest.raises(TargetRateLimited, match=r"slow down.*; tried 4 times$"):
        _call(base_url)
    assert len(script.requests) == 4


def test_a_wait_longer_than_a_minute_is_not_waited_for(serve: Any) -> None:
    base_url, script = serve([(429, {"retry-after": "3600"}, _error("tomorrow"))])
    with pytest.raises(TargetRateLimited, match=r"it asks for a wait of 3600 s, and max_wait_s is 60$"):
        _call(base_url)
    assert len(script.requests) == 1


def test_should_retry_false_is_obeyed(serve: Any) -> None:
    base_url, script = serve([(500, {"x-should-retry": "false"}, _error("done already"))])
    with pytest.raises(TargetUnavailable, match="done already"):
        _call(base_url)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ((401, {}, _error("Incorrect API key provided")), TargetRefused, "wrong-api-key"),
        ((404, {}, _error("No assistant found with id 'asst_x'.")), TargetRefused, "target-refused"),
        (
            (200, {"content-type": "text/html"}, b"<html>hello</html>"),
            TargetUnavailable,
            "target-unavailable",
        ),
    ],
)
def test_every_other_answer_becomes_one_clear_error(
    serve: Any, answer: Answer, error: type[TargetError], code: str
) -> None:
    base_url, _ = serve([answer])
    with pytest.raises(error) as caught:
        _call(base_url)
    assert caught.value.code == code
    assert base_url in str(caught.value)


def test_a_key_that_azure_refuses_is_told_with_the_variable_it_is_read_from(serve: Any) -> None:
    base_url, script = serve([(401, {}, _error("Access denied"))])

    async def go() -> None:
        wire = HttpWire(Address(base_url.removesuffix("/v1"), "wrong", "2025-04-01-preview"))
        try:
            await wire.call("POST", "/chat/completions", {"model": "mine"})
        finally:
            await wire.close()

    with pytest.raises(TargetRefused) as caught:
        asyncio.run(go())
    assert "AZURE_OPENAI_API_KEY" in str(caught.value.hint)
    _, path, headers = script.requests[0]
    assert path == "/openai/deployments/mine/chat/completions?api-version=2025-04-01-preview"
    assert headers["api-key"] == "wrong" and "openai-beta" not in headers


@pytest.mark.parametrize(("path", "name"), [("/threads/t/runs", "thread.run"), ("/responses", "response")])
def test_a_server_that_does_not_stream_brings_the_finished_object(serve: Any, path: str, name: str) -> None:
    base_url, _ = serve([(200, {}, {"object": name, "id": "x_1", "status": "completed"})])

    async def go() -> list[Any]:
        wire = HttpWire(Address(base_url, "key"))
        try:
            return [event async for event in wire.stream(path, {"stream": True})]
        finally:
            await wire.close()

    assert asyncio.run(go()) == [(name, {"object": name, "id": "x_1", "status": "completed"})]


@pytest.mark.parametrize("status", [400, 422, 501])
def test_a_server_that_refuses_to_stream_is_asked_without_from_then_on(serve: Any, status: int) -> None:
    refusal = {"error": {"message": "Unrecognized request argument supplied: stream", "param": "stream"}}
    found = {"id": "run_1", "object": "thread.run", "status": "queued"}
    url, script = serve([(status, {}, refusal), (200, {}, found), (200, {}, found)])

    async def scenario(wire: HttpWire) -> list[Any]:
        wanted = "/threads/t/runs?include[]=x", {"stream": True, "assistant_id": "a"}
        return [event for _ in range(2) async for event in wire.stream(*wanted)]

    assert _with_wire(url, scenario) == [("thread.run", found)] * 2
    assert {path for _, path, _ in script.requests} == {"/v1/threads/t/runs?include%5B%5D=x"}
    assert [json.loads(body).get("stream") for body in script.bodies] == [True, None, None]


def test_what_else_a_server_refuses_is_refused_and_streams_are_asked_for_again(serve: Any) -> None:
    refusal = {"error": {"message": "No assistant with this id", "param": "assistant_id"}}
    done = b"event: thread.run.completed\ndata: {}\n\ndata: [DONE]\n\n"
    url, script = serve([(400, {}, refusal), (200, {"content-type": "text/event-stream"}, done)])

    async def scenario(wire: HttpWire) -> list[Any]:
        with pytest.raises(TargetRefused, match="No assistant"):
            [event async for event in wire.stream("/threads/t/runs", {"stream": True})]
        return [name async for name, _ in wire.stream("/threads/t/runs", {"stream": True})]

    assert _with_wire(url, scenario) == ["thread.run.completed"] and len(script.requests) == 2


def test_a_server_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.backoff.growing_wait_s", lambda number: 0.0)
    with pytest.raises(TargetUnavailable, match=r"127\.0\.0\.1:1/v1") as caught:
        _call("http://127.0.0.1:1/v1")
    assert "harness serve" in str(caught.value.hint)


def test_all_tries_of_a_post_carry_one_key_and_say_how_many_there_were(serve: Any) -> None:
    busy = (503, {"retry-after-ms": "1"}, _error("busy"))
    base_url, script = serve([busy, busy, (200, {}, {"id": "a"}), (200, {}, {"id": "b"})])
    _call(base_url)
    _call(base_url)
    keys = [headers["idempotency-key"] for _, _, headers in script.requests]
    assert len(set(keys[:3])) == 1 and keys[3] != keys[0]
    assert [headers["x-stainless-retry-count"] for _, _, headers in script.requests] == ["0", "1", "2", "0"]


def test_a_quota_that_is_used_up_is_not_waited_for(serve: Any) -> None:
    error = {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}
    base_url, script = serve([(429, {}, error)])
    with pytest.raises(TargetRateLimited, match="quota"):
        _call(base_url)
    assert len(script.requests) == 1


def test_the_limits_that_a_server_tells_are_kept_to(serve: Any) -> None:
    told = {
        "x-ratelimit-limit-requests": "10",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "300ms",
    }
    base_url, script = serve([(200, told, {"id": "a"}), (200, {}, {"id": "b"})])
    log = RequestLog()

    async def go() -> None:
        wire = HttpWire(Address(base_url, "key"))
        try:
            with logged(log):
                await wire.call("GET", "/threads/a")
                await wire.call("GET", "/threads/b")
        finally:
            await wire.close()

    asyncio.run(go())
    assert log.waited_s >= 0.03 and log.attempts == []
    assert len(script.requests) == 2
