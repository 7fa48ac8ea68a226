"""Time that tests let pass: in a loop of their own, or in a usual one at the moment that they choose."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from harness.clock import Clock

_T = TypeVar("_T")
_BEGIN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes only when there is nothing else to do: waits of hours take no time.

    Time jumps to what is due next; where nothing ever will be, the test fails instead of hanging.
    """

    def __init__(self) -> None:
        super().__init__()
        self._passed_s = 0.0
        really_select = self._selector.select

        def select(timeout: float | None = None) -> Any:
            events = really_select(0)
            if not events and timeout is None:
                raise AssertionError("everything waits for something that never happens")
            self._passed_s += timeout or 0.0
            return events

        self._selector.select = select

    def time(self) -> float:
        return self._passed_s


def monotonic() -> float:
    """Seconds since the loop began; 0 outside of it."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


CLOCK = Clock(now=lambda: _BEGIN + timedelta(seconds=monotonic()), monotonic=monotonic)


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """What the work brings, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def jump(seconds: float) -> None:
    """Let so much time pass at once in the running loop: deadlines come when a test wants them to."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


def jumper(seconds: float) -> Callable[[], object]:
    """What lets so much time pass in the loop that runs now, called from whatever thread."""
    loop = asyncio.get_running_loop()
    return lambda: loop.call_soon_threadsafe(jump, seconds)
