"""What the requests of one piece of work met on their way, and deadlines that do not count their waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

import msgspec

from harness.clock import Clock
from harness.trace.records import Attempt

_current: ContextVar[RequestLog | None] = ContextVar("harness_request_log", default=None)


class RequestLog(msgspec.Struct):
    """Tries that failed, and seconds waited for limits and between tries.

    Attributes:
        attempts: The tries that failed, each with the wait that followed it.
        waited_s: Seconds in which something waited; several that wait at a time count once.
        on_failure: Told of each try that failed, before the next one is waited for.
    """

    attempts: list[Attempt] = msgspec.field(default_factory=list)
    waited_s: float = 0.0
    on_failure: Callable[[Attempt], None] | None = None
    _around: RequestLog | None = None
    _deadline: asyncio.Timeout | None = None
    _waiting: int = 0
    _since: float = 0.0
    _left_s: float = 0.0

    def failed(self, attempt: Attempt) -> None:
        """A try failed; the work around this one is told as well."""
        for log in (self, *self._logs_around()):
            log.attempts.append(attempt)
            if log.on_failure is not None:
                log.on_failure(attempt)

    @contextmanager
    def waiting(self, clock: Clock) -> Iterator[None]:
        """What is done inside is waiting: deadlines stand still, also those of the work around this one."""
        logs = [self, *self._logs_around()]
        begun = clock.monotonic()
        for log in logs:
            log._begin_wait(begun)
        try:
            yield
        finally:
            ended = clock.monotonic()
            for log in logs:
                log._end_wait(ended)

    def _logs_around(self) -> Iterator[RequestLog]:
        log = self._around
        while log is not None:
            yield log
            log = log._around

    def _begin_wait(self, now: float) -> None:
        self._waiting += 1
        if self._waiting == 1:
            self._since = now
            self._stop_deadline()

    def _end_wait(self, now: float) -> None:
        self._waiting -= 1
        if self._waiting == 0:
            self.waited_s += now - self._since
            self._resume_deadline()

    def _stop_deadline(self) -> None:
        when = self._deadline.when() if self._deadline else None
        if self._deadline is not None and when is not None and not self._deadline.expired():
            self._left_s = when - asyncio.get_running_loop().time()
            self._deadline.reschedule(None)

    def _resume_deadline(self) -> None:
        if self._deadline is not None and self._deadline.when() is None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._left_s)


@contextmanager
def logged(log: RequestLog) -> Iterator[RequestLog]:
    """Every request that is made inside is told to this log."""
    log._around = _current.get()
    token = _current.set(log)
    try:
        yield log
    finally:
        _current.reset(token)
        log._around = None


@asynccontextmanager
async def deadline(within_s: float, log: RequestLog | None = None) -> AsyncIterator[asyncio.Timeout]:
    """As ``asyncio.timeout``, but waiting for rate limits and for next tries is not counted.

    Raises:
        TimeoutError: The work took longer; the timeout says that it ``expired``.
    """
    log = log or RequestLog()
    with logged(log):
        try:
            async with asyncio.timeout(within_s) as log._deadline:
                yield log._deadline
        finally:
            log._deadline = None


def current_log() -> RequestLog:
    """The log of the work that is being done; one that nobody reads where there is none."""
    return _current.get() or RequestLog()
