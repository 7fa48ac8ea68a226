"""How a target's requests travel: the few verbs that every client of such an API needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

Json = dict[str, Any]

Lost = Callable[[], Awaitable[Json | None]]
"""Finds the object that an earlier try of a POST made whose answer was lost; None when there is none."""


class Wire(Protocol):
    """Sends requests of one API; paths are given without the base, e.g. ``/threads``.

    Every verb raises ``TargetUnavailable``, ``TargetTimeout``, ``TargetRateLimited`` or ``TargetRefused``,
    and tells the ``RequestLog`` of the work it is part of about tries that failed and about waits. A POST
    whose answer was lost is sent again with the same idempotency key, after ``lost`` has found nothing.
    """

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
        ...

    def stream(self, path: str, body: Json, *, lost: Lost | None = None) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the server-sent events as ``(name, data)`` until the server says done.

        Deltas may be left out: they hold nothing that the completed objects lack.
        A server that answers with the object instead brings one event, named as that object, and so does
        what ``lost`` finds.
        """
        ...

    async def upload(self, filename: str, content: bytes, purpose: str) -> Json:
        """Upload a file; its API object."""
        ...

    async def download(self, path: str) -> bytes:
        """The bytes at a path, such as ``/files/ID/content``."""
        ...

    async def close(self) -> None:
        """Let go of connections and of everything held in memory."""
        ...


def as_event(found: Json) -> tuple[str, Json]:
    """A whole object in place of its events."""
    return str(found.get("object") or ""), found
