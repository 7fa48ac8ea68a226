"""The embedded server, called directly in this process: no sockets, no HTTP, no key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from harness.backoff import MOST_TRIES, wait_before_retry
from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import TargetRateLimited, TargetRefused, TargetUnavailable
from harness.server.app import App, Reply, Request, ServerOptions, Upload
from harness.server.wire import Event, StreamDropped
from harness.targets.wire import Json
from harness.trace.records import Attempt


class EmbeddedWire:
    """Requests handed to the server's handlers; what is refused for now is tried again, as over HTTP.

    Args:
        options: How the server is set up.
        clock: What waits are measured by.
    """

    def __init__(self, options: ServerOptions | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._app = App(options or ServerOptions())
        self._clock = clock

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        attempts: list[Attempt] | None = None,
    ) -> Json:
        """One request, its JSON answer."""
        reply = await self._persist(Request(method, path, body=body, query=_query(query)), attempts)
        return reply.body or {}

    async def stream(
        self, path: str, body: Json, *, attempts: list[Attempt] | None = None
    ) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the events. The run is driven in a thread: a model or chart may take its time."""
        path, _, query = path.partition("?")
        reply = await self._persist(Request("POST", path, body=body, query=_query(_parsed(query))), attempts)
        events, dropped = await asyncio.to_thread(_drained, reply.events or iter(()))
        for event in events:
            yield event
        if dropped:
            raise TargetUnavailable("the embedded server failed: the stream was cut")

    async def upload(self, filename: str, content: bytes, purpose: str) -> Json:
        """Upload a file; its API object."""
        upload = Upload(filename, content, {"purpose": purpose})
        reply = await self._persist(Request("POST", "/files", upload=upload), None)
        return reply.body or {}

    async def download(self, path: str) -> bytes:
        """The bytes at a path."""
        reply = await self._persist(Request("GET", path), None)
        return reply.content or b""

    async def close(self) -> None:
        """Stop the server's workers and drop its state."""
        self._app.close()

    async def _persist(self, request: Request, attempts: list[Attempt] | None) -> Reply:
        """The first reply that is no refusal for now; every one that is becomes an attempt."""
        number = 1
        while True:
            reply = await self._handled(request)
            if reply.status < 400:
                return reply
            wait_s = self._wait_s(reply, number)
            if attempts is not None:
                named = f"{request.method} {request.path}"
                attempts.append(
                    Attempt(
                        request=named,
                        number=number,
                        error=_told(reply),
                        wait_s=wait_s or 0.0,
                        status=reply.status,
                    )
                )
            if wait_s is None:
                raise _error(reply)
            await asyncio.sleep(wait_s)
            number += 1

    async def _handled(self, request: Request) -> Reply:
        # A fault may hold an answer back, and a model may take its time, and with it everyone else.
        if self._app.has_faults or request.path == "/chat/completions":
            return await asyncio.to_thread(self._app.handle, request)
        return self._app.handle(request)

    def _wait_s(self, reply: Reply, number: int) -> float | None:
        if number >= MOST_TRIES:
            return None
        return wait_before_retry(number, reply.status, reply.headers, self._clock.now())


def _drained(events: Iterator[Event]) -> tuple[list[Event], bool]:
    """The events to the end of the stream, and whether it was cut there."""
    read: list[Event] = []
    try:
        for event in events:
            read.append(event)
    except StreamDropped:
        return read, True
    return read, False


def _told(reply: Reply) -> str:
    return ((reply.body or {}).get("error") or {}).get("message") or f"status {reply.status}"


def _error(reply: Reply) -> TargetRateLimited | TargetRefused | TargetUnavailable:
    """The exception that HTTP would have brought."""
    if reply.status == 429:
        return TargetRateLimited(f"the embedded server keeps refusing for now: {_told(reply)}")
    if reply.status < 500:
        return TargetRefused(f"the embedded server refused: {_told(reply)}")
    return TargetUnavailable(f"the embedded server failed: {_told(reply)}")


def _parsed(query: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in query.split("&") if pair)


def _query(query: Mapping[str, Any] | None) -> dict[str, list[str]]:
    return {
        key: [str(each) for each in value] if isinstance(value, list) else [str(value)]
        for key, value in (query or {}).items()
    }
