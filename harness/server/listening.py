"""The web server under the HTTP layer: how it listens, how long it waits for slow clients, how it ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from harness.server.errors import ApiError
from harness.server.wire import IdFactory

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SHUTDOWN_S = 10
"""How long open requests may go on once the server is told to end."""
LAST_WORDS_S = 2.0
"""How long before that runs and streams that still go on are ended, so that their clients are told."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a server listens and how patient it is.

    Attributes:
        host: Address.
        port: Port; 0 takes a free one.
        headers_s: Longest a client may take for the head of a request.
        shutdown_s: How long open requests may go on when the server ends.
    """

    host: str
    port: int
    headers_s: float
    shutdown_s: float = SHUTDOWN_S


def make_server(
    application: ASGIApp,
    listener: Listener,
    *,
    on_ready: Callable[[str], None] | None,
    on_last_words: Callable[[], None],
) -> uvicorn.Server:
    """A web server, not yet started.

    Args:
        application: What answers.
        listener: Where it listens.
        on_ready: Called with the base_url once requests are answered.
        on_last_words: Called shortly before the time of what still goes on is over.
    """
    # A stream that a fault on demand has cut is meant to be incomplete.
    logging.getLogger("uvicorn.error").addFilter(_is_no_cut_stream)
    config = uvicorn.Config(
        application,
        host=listener.host,
        port=listener.port,
        log_level="warning",
        access_log=False,
        ws="none",
        http=_protocol(listener.headers_s),
        timeout_graceful_shutdown=int(listener.shutdown_s),
    )
    return _Announcing(config, listener.shutdown_s, on_ready, on_last_words)


class _Announcing(uvicorn.Server):
    """A server that says when it is ready, and where, and when its time is nearly over."""

    def __init__(
        self,
        config: uvicorn.Config,
        shutdown_s: float,
        on_ready: Callable[[str], None] | None,
        on_last_words: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._last_words_after_s = max(0.0, shutdown_s - LAST_WORDS_S)
        self._on_ready = on_ready
        self._on_last_words = on_last_words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready(base_url(self.servers[0].sockets[0].getsockname()))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = asyncio.get_running_loop().call_later(self._last_words_after_s, self._on_last_words)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()


_Http: Any = AutoHTTPProtocol  # httptools' where it can be installed, which costs a fifth less; else h11's


class _Impatient(_Http):  # type: ignore[misc]
    """One connection, hung up on when its client begins a request and does not get to the end of its head.

    Attributes:
        headers_s: Longest a client may take for that.
    """

    headers_s: float
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(_Joining(transport, self.loop))
        self._timer = self.loop.call_later(self.headers_s, transport.close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.headers_s, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as everything is answered: in the error envelope."""
        refusal = msgspec.json.encode(ApiError(400, msg or "Invalid HTTP request received.").body())
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\n"
            f"x-request-id: {IdFactory().new('req_')}\r\ncontent-length: {len(refusal)}\r\n\r\n"
        )
        self.transport.write(head.encode() + refusal)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _protocol(headers_s: float) -> type[asyncio.Protocol]:
    """The protocol of connections whose clients may take so long for the head of a request."""
    return type("Impatient", (_Impatient,), {"headers_s": headers_s})


class _Joining:
    """A transport that sends the head of an answer together with its body: one packet, not two."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._unsent: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._unsent:
            data, self._unsent = b"".join(self._unsent), []
            self._transport.write(data)


def _is_no_cut_stream(record: logging.LogRecord) -> bool:
    return "without completing response" not in record.getMessage()


def base_url(address: tuple[Any, ...]) -> str:
    """What clients of a server on this socket address are pointed at."""
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}/v1"


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; uvicorn itself would log why it can't listen, and end the process.

    Raises:
        OSError: It cannot listen there.
    """
    [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from error
    return listener


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does: with what has to be done at its end, not in the middle.

    Raises:
        KeyboardInterrupt: Where the signal arrived.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
