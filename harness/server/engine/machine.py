"""What runs need to get done: memory, models, tools, time, and threads to work in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from harness.clock import Clock
from harness.server.engine.vector_stores import VectorStores
from harness.server.engine.workshop import Workshop
from harness.server.errors import ApiError
from harness.server.llms.interface import ModelError
from harness.server.llms.models import ModelTable
from harness.server.state import State

if TYPE_CHECKING:
    from harness.server.sandbox import Sandbox


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
        close_wait_s: How long runs in progress may go on when the engine is closed.
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
        close_wait_s: float = 5.0,
        make_sandbox: Callable[[], Sandbox] | None = None,
    ) -> None:
        self.state = state
        self.models = models
        self.clock = clock
        self.eager = eager
        self.context_tokens = context_tokens
        self.index_wait_s = index_wait_s
        self.close_wait_s = close_wait_s
        self.vector_stores = VectorStores(state, clock, self.index_later)
        self.workshop = Workshop(make_sandbox, clock=clock)
        self._workers = workers
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._closed = False
        self._halted = False
        self._under_way: set[Future[None]] = set()
        self._pending = _Pending()
        self._left_open: list[Callable[[], object]] = []

    def window(self, model: str) -> int:
        """How many tokens the model of a name can read."""
        return self.models.window(model) or self.context_tokens

    @property
    def closed(self) -> bool:
        """Whether nothing more will be worked on."""
        return self._closed

    @property
    def halted(self) -> bool:
        """Whether what still goes on must end at its next step."""
        return self._halted

    def halt(self) -> None:
        """End what still goes on at its next step."""
        with self.state.changed:
            self._halted = True
            self.state.changed.notify_all()

    def refuse_halted(self) -> None:
        """Stop here when the server ends.

        Raises:
            ModelError: It does.
        """
        if self._halted:
            raise ModelError("server_error", "The server was shut down before this was done.")

    def end_later(self, end: Callable[[], object]) -> None:
        """Have work whose end the state file refused ended by a later call."""
        with self.state.lock:
            self._left_open.append(end)

    def end_left_open(self) -> None:
        """End what could not be ended before; what still cannot be waits for the next call.

        Nobody watches the disk: like a run that expires, such work ends when someone looks.
        """
        if not self._left_open:
            return
        with self.state.lock:
            ends, self._left_open = self._left_open, []
        for end in ends:
            try:
                end()
            except ApiError:
                self.end_later(end)

    def settle(self) -> None:
        """Do what the caller's request asked for, when work is eager: after its locks, before its answer."""
        self._pending.settle()

    def run_later(self, task: Callable[[], None]) -> None:
        """Have a run worked on."""
        self._do("run", self._workers, task)

    def index_later(self, task: Callable[[], None]) -> None:
        """Have a file indexed; apart from the runs, which may wait for it and must not hold it up."""
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
            work = pool.submit(task)
            self._under_way.add(work)
            work.add_done_callback(self._under_way.discard)

    def close(self) -> None:
        """Wait for what is being done, drop what has not begun, close the sandbox.

        What waits for a model that does not answer is waited for no longer than ``close_wait_s``.
        """
        with self.state.lock:
            self._closed = True
            pools = list(self._pools.values())
            self._pools.clear()
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        wait(set(self._under_way), timeout=self.close_wait_s)
        self.halt()
        self.workshop.close()
        self.vector_stores.close()
        self.state.close()


class _Pending(threading.local):
    """Work that a thread's request has asked for and that is done before its answer."""

    def __init__(self) -> None:
        self._tasks: list[Callable[[], None]] = []

    def add(self, task: Callable[[], None]) -> None:
        self._tasks.append(task)

    def settle(self) -> None:
        while self._tasks:
            self._tasks.pop(0)()
