"""Results on their way into the store: written as they come, and kept in memory while the store is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from harness.backoff import growing_wait_s
from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import StoreError

if TYPE_CHECKING:
    from harness.store.store import Placed

ENOUGH = 10
"""How many results that wait are committed at once: ten cost a fifth of what ten commits would."""
MOST_AT_ONCE = 100
"""How many are committed together at most."""
MOST_WAITING = 200
"""How many may wait before the run does: beside trials that never wait, the thread hardly gets a turn."""
MOST_WAIT_S = 1.0
"""How long a result waits for others at most; a killed process loses what ended in its last second."""
_PASSING = frozenset({"store-locked", "store-unavailable", "store-full", "store-disk-error"})


class Keeper:
    """Takes results at once and writes them in a thread of its own, so that a slow database holds nobody up.

    Args:
        write: Commits some results, all or none of them; raises StoreError.
        patience_s: How long to keep trying while the store can't be written to.
        on_change: Told how many results wait and why, and at last of none without a reason.
        on_end: Called when it gives up: nothing that ends from now on can be kept.
        clock: What patience is measured by.
        sleep: How to wait between tries.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Placed]], None],
        *,
        patience_s: float,
        on_change: Callable[[int, str], None],
        on_end: Callable[[], None],
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._write = write
        self._patience_s = patience_s
        self._on_change = on_change
        self._on_end = on_end
        self._clock = clock
        self._sleep = sleep
        self._waiting: list[Placed] = []
        self._something = asyncio.Event()
        self._written = asyncio.Event()
        self._is_away = False
        self._is_last = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="harness-store")
        self._failure: StoreError | None = None

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write_all())
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._writer.cancel()
        await asyncio.wait([self._writer])
        self._thread.shutdown()

    def add(self, placed: Placed) -> None:
        """Take a result; it is written with the tenth that waits, and after a second at the latest."""
        self._waiting.append(placed)
        if len(self._waiting) >= ENOUGH:
            self._something.set()
        elif len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(MOST_WAIT_S, self._something.set)

    async def room(self) -> None:
        """Wait until few results wait; while the store is away all of them are kept, and nobody waits."""
        while len(self._waiting) > MOST_WAITING and not self._is_away and self._failure is None:
            self._written.clear()
            await self._written.wait()

    async def finish(self, last: Callable[[], None]) -> None:
        """Write what still waits, and then the last word on the run.

        Raises:
            StoreError: It can't be written; the message says how many results are lost.
        """
        self._is_last = True
        self._something.set()
        await self._writer
        if self._failure is None:
            await self._patiently(last)
            return
        with suppress(StoreError):  # it has been waited for long enough; the run may be noted as it is
            await self._in_thread(last)
        raise self._loss(self._failure)

    async def _write_all(self) -> None:
        while self._failure is None and not (self._is_last and not self._waiting):
            await self._something.wait()
            self._something.clear()
            while self._waiting and self._failure is None:
                await self._write_some()

    async def _write_some(self) -> None:
        some = self._waiting[:MOST_AT_ONCE]
        try:
            await self._patiently(lambda: self._write(some))
        except StoreError as error:
            self._failure = error
            self._on_end()
            return
        finally:
            self._written.set()
        del self._waiting[: len(some)]

    async def _patiently(self, work: Callable[[], None]) -> None:
        """Have something written, as often as it takes while the store may come back.

        Raises:
            StoreError: It did not come back in time, or what is wrong does not pass.
        """
        begun, number = self._clock.monotonic(), 0
        while True:
            try:
                await self._in_thread(work)
                break
            except StoreError as error:
                number += 1
                wait_s = growing_wait_s(number)
                is_late = self._clock.monotonic() + wait_s - begun > self._patience_s
                if error.code not in _PASSING or is_late:
                    raise
                self._is_away = True
                self._written.set()
                self._on_change(len(self._waiting), error.message)
                await self._sleep(wait_s)
        self._is_away = False
        if number:
            self._on_change(0, "")

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _loss(self, error: StoreError) -> StoreError:
        lost = len(self._waiting)
        if not lost:
            return error
        told = (
            f"results of {lost} trials that had ended are lost"
            if lost > 1
            else "the result of a trial is lost"
        )
        return StoreError(f"{error.message}; {told}", code=error.code, hint=error.hint)
