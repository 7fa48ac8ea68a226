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

if TYPE_CHECKING:
    import uvicorn
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
    import uvicorn

    class Announcing(uvicorn.Server):
        """A server that says when it is ready, and where, and when its time is nearly over."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and on_ready is not None:
                on_ready(_base_url(self.servers[0].sockets[0].getsockname()))

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            left_s = max(0.0, listener.shutdown_s - LAST_WORDS_S)
            timer = asyncio.get_running_loop().call_later(left_s, on_last_words)
            try:
                await super().shutdown(sockets)
            finally:
                timer.cancel()

    # A stream that a fault on demand has cut is meant to be incomplete.
    logging.getLogger("uvicorn.error").addFilter(_is_no_cut_stream)
    config = uvicorn.Config(
        application,
        host=listener.host,
        port=listener.port,
        log_level="warning",
        access_log=False,
        ws="none",
        http=_impatient(listener.headers_s),
        timeout_graceful_shutdown=int(listener.shutdown_s),
    )
    return Announcing(config)


def _impatient(headers_s: float) -> type[asyncio.Protocol]:
    """HTTP that hangs up on clients who begin a request and do not get to the end of its head."""
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    base: Any = AutoHTTPProtocol

    class Joining:
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

    class Impatient(base):  # type: ignore[misc]
        """One connection."""

        _clock: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(Joining(transport, self.loop))
            self._clock = self.loop.call_later(headers_s, transport.close)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_clock()
            elif self._clock is None:
                self._clock = self.loop.call_later(headers_s, self.transport.close)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_clock()
            super().connection_lost(exc)

        def _stop_clock(self) -> None:
            if self._clock is not None:
                self._clock.cancel()
                self._clock = None

    return Impatient


def _is_no_cut_stream(record: logging.LogRecord) -> bool:
    return "without completing response" not in record.getMessage()


def _base_url(address: tuple[Any, ...]) -> str:
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"http://{host}:{address[1]}/v1"


def listening(host: str, port: int) -> socket.socket:
    """A listening socket; uvicorn itself would log why it can't listen, and end the process."""
    [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
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
