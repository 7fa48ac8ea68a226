"""Trials of a run on their way into the store: some at a time, none later than a second after its end."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from harness.errors import StoreError
from harness.results import TrialResult
from harness.store.store import Placed, Store

MOST_TRIALS = 10
MOST_WAIT_S = 1.0


class Batches:
    """Adds the trials of one run to its store, several in one transaction; use it as a context manager.

    A trial is committed with the tenth that waits, after a second at the latest, and whatever else happens
    at the end: a killed process loses what ended in its last second. One transaction for ten trials costs a
    fifth of ten, and a database far away is asked a tenth as often.

    Must be used inside a running event loop, which the second is measured by.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._waiting: list[Placed] = []
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.flush()

    def add(self, result: TrialResult, position: int) -> None:
        """Takes a trial that ended, with its place in the plan.

        Raises:
            StoreError: Those that wait can't be written; they still wait, and are tried again at the end.
        """
        self._waiting.append((result, position))
        if len(self._waiting) >= MOST_TRIALS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(MOST_WAIT_S, self._flush_in_time)

    def flush(self) -> None:
        """Commits what waits.

        Raises:
            StoreError: It can't be written.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._store.add_trials(self._run_id, self._waiting)
            self._waiting = []

    def _flush_in_time(self) -> None:
        """What can't be written now stays; the next trial, or the end of the run, brings the error."""
        try:
            self.flush()
        except StoreError:
            self._timer = asyncio.get_running_loop().call_later(MOST_WAIT_S, self._flush_in_time)
