"""Answers of one endpoint in the words of another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from harness.server.wire import Event, Reply, StoppableEvents

Retell = Callable[[dict[str, Any]], Iterable[dict[str, Any]]]
"""Makes none, one or several bodies of one."""


class RetoldEvents(StoppableEvents):
    """The events of a stream, each in other words."""

    def __init__(self, events: Iterator[Event], retell: Retell) -> None:
        self._events = events
        self._retell = retell
        self._ready: deque[Event] = deque()

    def __iter__(self) -> RetoldEvents:
        return self

    def __next__(self) -> Event:
        while not self._ready:
            name, data = next(self._events)
            self._ready.extend((name, told) for told in self._retell(data))
        return self._ready.popleft()

    def stop(self) -> None:
        """Nobody reads on."""
        if isinstance(self._events, StoppableEvents):
            self._events.stop()

    def close(self) -> None:
        """Leave what is not read any more to the stream itself."""
        close = getattr(self._events, "close", None)
        if close is not None:
            close()


def retold(reply: Reply, answer: Callable[[dict[str, Any]], dict[str, Any]], chunk: Retell) -> Reply:
    """A reply whose body, or whose events, are told in other words."""
    if reply.events is not None:
        return replace(reply, events=RetoldEvents(reply.events, chunk))
    return replace(reply, body=answer(reply.body or {}))
