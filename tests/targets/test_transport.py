"""How requests are carried: by connections that are kept, whole or as a stream, and how that ends."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from virtual_time import jump

from harness.errors import TargetTimeout, TargetUnavailable
from harness.targets.http import Address, HttpWire
from harness.targets.transport import http_package, transport_to
from harness.targets.wire import Json

OBJECT = b'{"id": "thread_1"}'
LOOPBACK = Path(__file__).with_name("loopback.pem")
"""A certificate for 127.0.0.1, and its key."""


class Raw:
    """A server on a bare socket: each request gets the next answer, and None hangs up without a word.

    After its first answer one that is ``silent`` says nothing any more, and one that ``closes`` hangs up. One
    that is ``encrypted`` shows a certificate that nobody trusts by itself.
    """

    def __init__(
        self,
        answers: list[bytes | None],
        *,
        silent: bool = False,
        closes: bool = False,
        encrypted: bool = False,
    ) -> None:
        self.answers = answers
        self.silent = silent
        self.closes = closes
        self.connections = 0
        self.received: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if encrypted else "http"
        self.url = f"{scheme}://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        if encrypted:
            secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            secure.load_cert_chain(LOOPBACK)
            self.socket = secure.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except ssl.SSLError:
                continue  # whoever came did not trust us
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := _request(connection):
                self.received.append(request)
                answer = self.answers.pop(0) if self.answers else None
                if self.silent:
                    connection.sendall(answer or b"")
                    connection.recv(1)  # until the client has had enough
                    return
                if answer is None:
                    return
                connection.sendall(answer)
                if self.closes:
                    return


def _request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (chunk := connection.recv(65536)):
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(content: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}content-length: {len(content)}\r\n\r\n"
    return head.encode() + content


def stream(*events: tuple[str, Any], length: int = 0) -> bytes:
    told = "".join(f"event: {name}\ndata: {_data(data)}\n\n" for name, data in events).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {len(told) + length}\r\n\r\n"
    )
    return head.encode() + told


def _data(data: Any) -> str:
    return data if data == "[DONE]" else json.dumps(data)


@pytest.fixture
def serve() -> Iterator[Callable[..., Raw]]:
    made: list[Raw] = []

    def make(*answers: bytes | None, **named: Any) -> Raw:
        made.append(Raw(list(answers), **named))
        return made[-1]

    yield make
    for each in made:
        each.socket.shutdown(socket.SHUT_RDWR)  # who waits for the next connection would not see it closed
        each.socket.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between tries."""
    monkeypatch.setattr("harness.backoff.growing_wait_s", lambda number: 0.0)


def calls(url: str, number: int = 1, *, timeout_s: float = 30.0, method: str = "POST") -> list[Json]:
    async def go() -> list[Json]:
        wire = HttpWire(Address(url, "key"), timeout_s=timeout_s)
        try:
            return [await wire.call(method, "/threads") for _ in range(number)]
        finally:
            await wire.close()

    return asyncio.run(go())


def streams(url: str, number: int = 1) -> list[tuple[str, Json]]:
    async def go() -> list[tuple[str, Json]]:
        wire = HttpWire(Address(url, "key"), timeout_s=30)
        try:
            return [event for _ in range(number) async for event in wire.stream("/threads/t/runs", {})]
        finally:
            await wire.close()

    return asyncio.run(go())


def test_requests_one_after_the_other_share_a_connection(serve: Any) -> None:
    server = serve(*[answer(OBJECT)] * 3)
    assert calls(server.url, 3) == [{"id": "thread_1"}] * 3
    assert server.connections == 1


def test_a_stream_that_was_read_leaves_its_connection_to_the_next(serve: Any) -> None:
    server = serve(*[stream(("thread.run.completed", {"id": "run_1"}), ("done", "[DONE]"))] * 2)
    assert streams(server.url, 2) == [("thread.run.completed", {"id": "run_1"})] * 2
    assert server.connections == 1


def test_a_compressed_answer_is_read(serve: Any) -> None:
    server = serve(answer(gzip.compress(OBJECT), more="content-encoding: gzip\r\n"))
    assert calls(server.url) == [{"id": "thread_1"}]


def test_text_that_only_the_slower_parser_takes_is_read(serve: Any) -> None:
    server = serve(answer(b'{"text": "\\ud83d"}'))
    assert calls(server.url) == [{"text": "\ud83d"}]


def test_a_server_that_hangs_up_is_unavailable_and_not_late(serve: Any) -> None:
    server = serve(*[None] * 8)
    with pytest.raises(TargetUnavailable, match="nothing answers"):
        calls(server.url)
    assert len(server.received) == 4


def test_a_server_that_hangs_up_once_is_asked_again(serve: Any) -> None:
    server = serve(answer(OBJECT), None, answer(OBJECT))
    assert calls(server.url, 2) == [{"id": "thread_1"}] * 2
    assert server.connections == 2


def test_a_server_that_says_nothing_is_late(serve: Any) -> None:
    server = serve(silent=True)
    with pytest.raises(TargetTimeout):
        calls(server.url, timeout_s=0.05)


def test_an_answer_that_is_no_http_is_unavailable(serve: Any) -> None:
    server = serve(*[b"SSH-2.0-OpenSSH_9.6\r\n\r\n"] * 4)
    with pytest.raises(TargetUnavailable):
        calls(server.url)


def test_a_stream_that_is_cut_is_unavailable(serve: Any) -> None:
    server = serve(stream(("thread.run.created", {"id": "run_1"}), length=10), closes=True)
    with pytest.raises(TargetUnavailable, match="cut the stream"):
        streams(server.url)


def test_a_stream_that_falls_silent_is_late(serve: Any) -> None:
    server = serve(stream(("thread.run.created", {"id": "run_1"}), length=10), silent=True)

    async def go() -> None:
        wire = HttpWire(Address(server.url, "key"), timeout_s=30)
        try:
            async for _ in wire.stream("/threads/t/runs", {}):
                jump(31)
        finally:
            await wire.close()

    with pytest.raises(TargetTimeout, match="nothing for too long"):
        asyncio.run(go())


def test_an_event_that_is_no_object_is_unavailable(serve: Any) -> None:
    with pytest.raises(TargetUnavailable, match="no JSON object"):
        streams(serve(stream(("thread.run.created", "hello"))).url)


def test_an_error_in_a_stream_is_told_in_its_words(serve: Any) -> None:
    error = {"error": {"message": "the model is gone", "type": "server_error"}}
    with pytest.raises(TargetUnavailable, match="failed: the model is gone"):
        streams(serve(stream(("error", error))).url)


def test_an_error_that_an_object_tells_of_itself_is_part_of_it(serve: Any) -> None:
    run = {"id": "run_1", "object": "thread.run", "status": "failed", "error": {"message": "out of memory"}}
    assert streams(serve(stream(("thread.run.failed", run))).url) == [("thread.run.failed", run)]


def test_deltas_are_left_out_of_streams(serve: Any) -> None:
    events = [("thread.message.delta", {"id": "m"}), ("thread.message.completed", {"id": "m"})]
    assert streams(serve(stream(*events)).url) == [("thread.message.completed", {"id": "m"})]


def test_events_without_a_name_are_called_by_their_type(serve: Any) -> None:
    content = b'data: {"type": "response.created", "response": {}}\n\n'
    server = serve(answer(content, "text/event-stream"))
    assert streams(server.url) == [("response.created", {"type": "response.created", "response": {}})]


def test_through_a_proxy_requests_go_by_the_clients_own_transport(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(answer(OBJECT))
    monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
    monkeypatch.delenv("no_proxy", raising=False)
    assert calls("http://assistants.example/v1") == [{"id": "thread_1"}]
    assert proxy.received[0].startswith(b"POST http://assistants.example/v1/threads ")


def test_an_address_that_is_excepted_from_the_proxy_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert transport_to("http://127.0.0.1:8080/v1") is not None
    assert transport_to("http://assistants.example/v1") is None


def test_tests_can_not_reach_the_network_this_way_either() -> None:
    with pytest.raises(pytest.fail.Exception, match="tried to reach the network"):
        calls("http://203.0.113.7/v1")


def test_an_encrypted_connection_trusts_what_the_environment_says(
    serve: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(answer(OBJECT), answer(OBJECT), encrypted=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(LOOPBACK))
    assert calls(server.url, 2) == [{"id": "thread_1"}] * 2
    assert server.connections == 1


def test_an_encrypted_connection_trusts_nobody_unknown(
    serve: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    server = serve(answer(OBJECT), encrypted=True)
    with pytest.raises(TargetUnavailable, match="certificate"):
        calls(server.url)
    assert not server.received


def test_over_plain_http_nobody_reads_certificates(
    serve: Callable[..., Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(**_: Any) -> ssl.SSLContext:
        raise AssertionError("a context was made")

    monkeypatch.setattr(http_package(), "create_ssl_context", read)
    assert calls(serve(answer(OBJECT)).url) == [{"id": "thread_1"}]
