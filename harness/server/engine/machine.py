"""What runs need to get done: memory, models, tools, time, and threads to work in."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.clock import Clock
from harness.server.engine.library import Library
from harness.server.engine.workshop import Workshop
from harness.server.llms.models import ModelTable
from harness.server.state import RunRecord, State, ThreadRecord
from harness.server.wire import Event

if TYPE_CHECKING:
    from harness.server.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Job:
    """One run that is being worked on, and whether someone reads its deltas."""

    engine: Engine
    thread: ThreadRecord
    record: RunRecord
    streaming: bool


class Engine:
    """Executes runs and indexes files, in its own threads or in the caller's.

    Args:
        state: The server's memory.
        models: Which model answers to which name.
        clock: Where time comes from.
        eager: Work is done before the request that asks for it is answered, in the caller's thread.
        workers: How many runs are executed at once when nobody streams them.
        context_tokens: The window that truncation fits prompts into.
        index_wait_s: How long a run waits for files of its thread that are being indexed.
        make_sandbox: Makes the sandbox for code_interpreter; None for the ordinary one.
    """

    def __init__(
        self,
        state: State,
        *,
        models: ModelTable,
        clock: Clock,
        eager: bool = False,
        workers: int = 16,
        context_tokens: int = 128_000,
        index_wait_s: float = 60.0,
        make_sandbox: Callable[[], Sandbox] | None = None,
    ) -> None:
        self.state = state
        self.models = models
        self.clock = clock
        self.eager = eager
        self.context_tokens = context_tokens
        self.index_wait_s = index_wait_s
        self.library = Library(state, clock, self._do_indexing)
        self.workshop = Workshop(make_sandbox)
        self._workers = workers
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._closed = False
        self._pending = _Pending()

    def settle(self) -> None:
        """Do what the caller's request asked for, when work is eager: after its locks, before its answer."""
        self._pending.settle()

    def execute(self, thread: ThreadRecord, record: RunRecord) -> None:
        """Have a queued run executed; its progress can be polled."""
        from harness.server.engine.loop import work

        self._drain(work(Job(self, thread, record, streaming=False), []))

    def stream(self, thread: ThreadRecord, record: RunRecord, opening: list[Event]) -> RunEvents:
        """The events of a queued run; reading them drives it in the reader's thread."""
        from harness.server.engine.loop import work

        return RunEvents(self, work(Job(self, thread, record, streaming=True), opening))

    def _drain(self, events: Iterator[Event]) -> None:
        self._do("run", self._workers, lambda: _read_all(events))

    def _do_indexing(self, task: Callable[[], None]) -> None:
        # Apart from the runs: those may wait for indexing, and must not keep it from starting.
        self._do("indexing", 2, task)

    def _do(self, kind: str, workers: int, task: Callable[[], None]) -> None:
        if self.eager:
            self._pending.add(task)
            return
        with self.state.lock:
            if self._closed:
                return
            pool = self._pools.get(kind)
            if pool is None:
                pool = self._pools[kind] = ThreadPoolExecutor(workers, thread_name_prefix=f"harness-{kind}")
            pool.submit(task)

    def close(self) -> None:
        """Wait for what is being done, drop what has not begun, close the sandbox."""
        with self.state.lock:
            self._closed = True
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.shutdown(wait=True, cancel_futures=True)
        self.workshop.close()


def _read_all(events: Iterator[Event]) -> None:
    for _ in events:
        pass


class _Pending(threading.local):
    """Work that a thread's request has asked for and that is done before its answer."""

    def __init__(self) -> None:
        self._tasks: list[Callable[[], None]] = []

    def add(self, task: Callable[[], None]) -> None:
        self._tasks.append(task)

    def settle(self) -> None:
        while self._tasks:
            self._tasks.pop(0)()


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
            self._engine._drain(self._events)
            self._engine.settle()

    def __del__(self) -> None:
        with contextlib.suppress(RuntimeError):  # at the interpreter's exit no thread can be started
            self.close()
