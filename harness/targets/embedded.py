"""The embedded server, called directly in this process: no sockets, no HTTP, no key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from harness.errors import TargetRateLimited, TargetRefused, TargetUnavailable
from harness.server.app import App, Reply, Request, ServerOptions, Upload
from harness.targets.wire import Json
from harness.trace.records import Attempt


class EmbeddedWire:
    """Requests handed to the server's handlers."""

    def __init__(self, options: ServerOptions | None = None) -> None:
        self._app = App(options or ServerOptions())

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
        reply = _accepted(self._app.handle(Request(method, path, body=body, query=_query(query))))
        return reply.body or {}

    async def stream(
        self, path: str, body: Json, *, attempts: list[Attempt] | None = None
    ) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the events. The run is driven in a thread: a model or chart may take its time."""
        path, _, query = path.partition("?")
        request = Request("POST", path, body=body, query=_query(_parsed(query)))
        reply = _accepted(self._app.handle(request))
        for event in await asyncio.to_thread(list, reply.events or ()):
            yield event

    async def upload(self, filename: str, content: bytes, purpose: str) -> Json:
        """Upload a file; its API object."""
        upload = Upload(filename, content, {"purpose": purpose})
        reply = _accepted(self._app.handle(Request("POST", "/files", upload=upload)))
        return reply.body or {}

    async def download(self, file_id: str) -> bytes:
        """The bytes of a file."""
        reply = _accepted(self._app.handle(Request("GET", f"/files/{file_id}/content")))
        return reply.content or b""

    async def close(self) -> None:
        """Stop the server's workers and drop its state."""
        self._app.close()


def _accepted(reply: Reply) -> Reply:
    """The reply; an error answer becomes the exception that HTTP would have brought."""
    if reply.status < 400:
        return reply
    message = ((reply.body or {}).get("error") or {}).get("message") or f"status {reply.status}"
    if reply.status == 429:
        raise TargetRateLimited(f"the embedded server refuses for now: {message}")
    if reply.status < 500:
        raise TargetRefused(f"the embedded server refused: {message}")
    raise TargetUnavailable(f"the embedded server failed: {message}")


def _parsed(query: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in query.split("&") if pair)


def _query(query: Mapping[str, Any] | None) -> dict[str, list[str]]:
    return {key: [str(value)] for key, value in (query or {}).items()}
