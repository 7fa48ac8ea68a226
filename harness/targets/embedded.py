"""The embedded server, called directly in this process: no sockets, no HTTP, no key."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from harness.errors import TargetMissing, TargetRateLimited, TargetRefused, TargetUnavailable
from harness.server.app import App, Reply, Request, ServerOptions, Upload
from harness.server.wire import Event, StreamDropped
from harness.targets.outgoing import Outgoing, TryFailed, may_be_done
from harness.targets.traffic import Traffic
from harness.targets.wire import Json, Lost, as_event


class EmbeddedWire:
    """Requests handed to the server's handlers; what is refused for now is tried again, as over HTTP.

    Args:
        options: How the server is set up.
        traffic: The limits that requests keep to.
    """

    def __init__(self, options: ServerOptions | None = None, *, traffic: Traffic | None = None) -> None:
        self._app = App(options or ServerOptions())
        self._traffic = traffic or Traffic()

    async def call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        lost: Lost | None = None,
    ) -> Json:
        """One request, its JSON answer."""
        request = Request(method, path, body=body, query=_query(query), headers=self._headers(method))

        async def attempt(number: int) -> Json:
            return (await self._reply(request)).body or {}

        return await self._traffic.send(Outgoing(method, path, body, lost), attempt)

    async def stream(
        self, path: str, body: Json, *, lost: Lost | None = None
    ) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the events. What a model, a search or code may take its time for is done in a thread."""
        path, _, query = path.partition("?")
        request = Request("POST", path, body=body, query=_query(_parsed(query)), deltas=False)

        async def attempt(number: int) -> Reply | Json:
            return await self._reply(request)

        outgoing: Outgoing[Reply | Json] = Outgoing("POST", path, body, lost)
        passage = await self._traffic.begin(outgoing, attempt)
        try:
            events, dropped = await _events(passage.answer)
        finally:
            passage.end()
        for name, data in events:
            passage.saw(data)
            yield name, data
        if not dropped:
            return
        if events or lost is None or (found := await lost()) is None:
            raise TargetUnavailable("the embedded server failed: the stream was cut")
        yield as_event(found)

    async def upload(self, filename: str, content: bytes, purpose: str) -> Json:
        """Upload a file; its API object."""
        upload = Upload(filename, content, {"purpose": purpose})
        request = Request("POST", "/files", upload=upload, headers=self._headers("POST"))

        async def attempt(number: int) -> Json:
            return (await self._reply(request)).body or {}

        return await self._traffic.send(Outgoing("POST", "/files"), attempt)

    async def download(self, path: str) -> bytes:
        """The bytes at a path."""

        async def attempt(number: int) -> bytes:
            return (await self._reply(Request("GET", path))).content or b""

        return await self._traffic.send(Outgoing("GET", path), attempt)

    async def close(self) -> None:
        """Stop the server's workers and drop its state."""
        self._app.close()

    def _headers(self, method: str) -> dict[str, str]:
        """Only faults on demand lose answers here; remembering them all for those would cost time."""
        if method != "POST" or not self._app.has_faults:
            return {}
        return {"idempotency-key": f"harness-{secrets.token_hex(16)}"}

    async def _reply(self, request: Request) -> Reply:
        """The reply to one try."""
        reply = await self._handled(request)
        if reply.status < 400:
            return reply
        done = may_be_done(request.method, reply.status)
        raise TryFailed(
            _error(reply), _told(reply), status=reply.status, headers=reply.headers, may_be_done=done
        )

    async def _handled(self, request: Request) -> Reply:
        # A fault may hold an answer back, and a model may take its time, and with it everyone else.
        if self._app.has_faults or request.path == "/chat/completions":
            return await asyncio.to_thread(self._app.handle, request)
        return self._app.handle(request)


async def _events(answer: Reply | Json) -> tuple[list[Event], bool]:
    """All events of an answer, and whether it was cut; an object that was found is one event."""
    if isinstance(answer, dict):
        return [as_event(answer)], False
    events = answer.events or iter(())
    if answer.at_once:
        await asyncio.sleep(0)  # other trials, the store and Ctrl-C have their turn
        return _drained(events)
    return await asyncio.to_thread(_drained, events)


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
    if reply.status == 404:
        return TargetMissing(f"the embedded server refused: {_told(reply)}")
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
