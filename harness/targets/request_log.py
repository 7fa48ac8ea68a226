"""What the requests of one turn met on their way, gathered wherever in the turn they are made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from harness.trace.records import Attempt

_current: ContextVar[RequestLog | None] = ContextVar("harness_request_log", default=None)


@dataclass(slots=True)
class RequestLog:
    """Tries that failed, and seconds waited for limits and between tries.

    While it waits, a deadline that is set here stands still: a server's rate limit is no slowness of the
    assistant.

    Attributes:
        attempts: The tries that failed, each with the wait that followed it.
        waited_s: Seconds in which something waited.
        deadline: Of the work whose requests these are; None where it has none.
    """

    attempts: list[Attempt] = field(default_factory=list)
    waited_s: float = 0.0
    deadline: asyncio.Timeout | None = None
    _waiting: int = 0
    _since: float = 0.0
    _left_s: float = 0.0

    def begin_wait(self, now: float) -> None:
        """A request waits from now on; several may wait at a time, which counts once."""
        self._waiting += 1
        if self._waiting == 1:
            self._since = now
            self._stop_deadline()

    def end_wait(self, now: float) -> None:
        """It goes on."""
        self._waiting -= 1
        if self._waiting == 0:
            self.waited_s += now - self._since
            self._resume_deadline()

    def _stop_deadline(self) -> None:
        when = self.deadline.when() if self.deadline else None
        if self.deadline is not None and when is not None and not self.deadline.expired():
            self._left_s = when - asyncio.get_running_loop().time()
            self.deadline.reschedule(None)

    def _resume_deadline(self) -> None:
        if self.deadline is not None and self.deadline.when() is None:
            self.deadline.reschedule(asyncio.get_running_loop().time() + self._left_s)


@contextmanager
def logged(log: RequestLog) -> Iterator[RequestLog]:
    """Every request that is made inside is told to this log."""
    token = _current.set(log)
    try:
        yield log
    finally:
        _current.reset(token)


def current_log() -> RequestLog:
    """The log of the work that is being done; one that nobody reads where there is none."""
    return _current.get() or RequestLog()
