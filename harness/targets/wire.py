"""How a target's requests travel: the few verbs that every client of such an API needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from harness.trace.records import Attempt

Json = dict[str, Any]


class Wire(Protocol):
    """Sends requests of one API; paths are given without the base, e.g. ``/threads``.

    Every verb raises ``TargetUnavailable``, ``TargetTimeout``, ``TargetRateLimited`` or ``TargetRefused``,
    and appends the tries that failed to ``attempts``, when a list is given.
    """

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
        ...

    def stream(
        self, path: str, body: Json, *, attempts: list[Attempt] | None = None
    ) -> AsyncIterator[tuple[str, Json]]:
        """POST, then the server-sent events as ``(name, data)`` until the server says done.

        Deltas may be left out: they hold nothing that the completed objects lack.
        A server that answers with the finished object instead brings one event, named as that object.
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
