"""Who drives a run: the server's own threads, or whoever reads its events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness.server.engine.job import Job
from harness.server.engine.loop import work
from harness.server.engine.machine import Engine
from harness.server.state import RunRecord, ThreadRecord
from harness.server.wire import Event


def execute(engine: Engine, thread: ThreadRecord, record: RunRecord) -> None:
    """Have a queued run executed; its progress can be polled."""
    _finish(engine, work(Job(engine, thread, record, streaming=False), []))


def stream(engine: Engine, thread: ThreadRecord, record: RunRecord, opening: list[Event]) -> RunEvents:
    """The events of a queued run; reading them drives it in the reader's thread."""
    return RunEvents(engine, work(Job(engine, thread, record, streaming=True), opening))


def _finish(engine: Engine, events: Iterator[Event]) -> None:
    def read_all() -> None:
        for _ in events:
            pass

    engine.run_later(read_all)


class RunEvents(Iterator[Event]):
    """The events of a run, as they happen.

    A reader that goes away early leaves the rest of the run to the engine, so that the thread does not
    stay locked.
    """

    def __init__(self, engine: Engine, events: Iterator[Event]) -> None:
        self._engine = engine
        self._events = events
        self._done = False

    def __iter__(self) -> RunEvents:
        return self

    def __next__(self) -> Event:
        try:
            return next(self._events)
        except StopIteration:
            self._done = True
            raise

    def close(self) -> None:
        """Let the engine finish what nobody reads any more."""
        if not self._done:
            self._done = True
            _finish(self._engine, self._events)
            self._engine.settle()

    def __del__(self) -> None:
        with contextlib.suppress(RuntimeError):  # at the interpreter's exit no thread can be started
            self.close()
