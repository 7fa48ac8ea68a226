"""Who drives a run or a response: the server's own threads, or whoever reads its events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness.server.engine.job import Job
from harness.server.engine.loop import work
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError
from harness.server.llms.interface import answers_at_once
from harness.server.state import ResponseRecord, RunRecord, ThreadRecord
from harness.server.wire import Event, StoppableEvents


def execute(engine: Engine, thread: ThreadRecord, record: RunRecord) -> None:
    """Have a queued run executed; its progress can be polled."""
    later(engine, work(Job(engine, thread, record, streaming=False), []))


def stream(
    engine: Engine, thread: ThreadRecord, record: RunRecord, opening: list[Event], *, deltas: bool = True
) -> RunEvents:
    """The events of a queued run; reading them drives it in the reader's thread."""
    return RunEvents(engine, work(Job(engine, thread, record, streaming=deltas), opening))


def comes_at_once(engine: Engine, record: RunRecord) -> bool:
    """Whether a run has nothing to wait for: a scripted model, and no search or code."""
    own = all(tool["type"] == "function" for tool in record.run.tools)
    return own and answers_at_once(engine.models.find(record.run.model))


def later(engine: Engine, events: Iterator[Event]) -> None:
    """Have the engine do what these events tell of, when nobody reads them."""

    def read_all() -> None:
        with contextlib.suppress(ApiError):  # the state file cannot be written; a later call sees to the end
            for _ in events:
                pass

    engine.run_later(read_all)


class RunEvents(Iterator[Event]):
    """The events of a run or a response, as they happen.

    A reader that goes away early leaves the rest of the work to the engine, so that no thread stays locked
    and no response unfinished.
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
        except (StopIteration, ApiError):
            self._done = True
            raise

    def close(self) -> None:
        """Let the engine finish what nobody reads any more."""
        if not self._done:
            self._done = True
            later(self._engine, self._events)
            self._engine.settle()

    def __del__(self) -> None:
        with contextlib.suppress(RuntimeError):  # at the interpreter's exit no thread can be started
            self.close()


class ResponseEvents(RunEvents, StoppableEvents):
    """The events of a response that only its reader waits for: hanging up cancels it, as when hosted."""

    def __init__(self, engine: Engine, record: ResponseRecord, events: Iterator[Event]) -> None:
        super().__init__(engine, events)
        self._record = record

    def stop(self) -> None:
        """Cancel the response, unless it has ended."""
        with self._engine.state.lock:
            if self._record.active:
                self._engine.state.responses.mark(self._record)
                self._record.response.status = "cancelled"
                self._record.close_open_items()
