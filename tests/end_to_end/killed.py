"""`harness` that kills itself with SIGKILL the n-th time it comes to a named point: POINT N ARGUMENT..."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import harness.reporters.interface
import harness.runner.executors.local
import harness.store.store
import harness.workflows.keeping
from harness.cli import main
from harness.runner.tools import StubBook
from harness.store.store import Store
from harness.targets.assistants import AssistantsTarget
from harness.targets.http import HttpWire


def at(owner: Any, name: str, *, after: bool) -> Callable[[Callable[[], None]], None]:
    """Comes to the point before or after what is called by this name."""

    def install(arrive: Callable[[], None]) -> None:
        original = getattr(owner, name)

        def plain(*arguments: Any, **named: Any) -> Any:
            if not after:
                arrive()
            result = original(*arguments, **named)
            if after:
                arrive()
            return result

        async def waited(*arguments: Any, **named: Any) -> Any:
            if not after:
                arrive()
            result = await original(*arguments, **named)
            if after:
                arrive()
            return result

        is_async = original.__code__.co_flags & 0x80
        setattr(owner, name, waited if is_async else plain)

    return install


def in_a_stream(arrive: Callable[[], None]) -> None:
    """Comes to the point at the third event of each stream."""
    original = HttpWire.stream

    async def stream(self: HttpWire, *arguments: Any, **named: Any) -> Any:
        number = 0
        async for event in original(self, *arguments, **named):
            number += 1
            if number == 3:
                arrive()
            yield event

    HttpWire.stream = stream


POINTS: dict[str, Callable[[Callable[[], None]], None]] = {
    "before an assistant is made": at(AssistantsTarget, "provision", after=False),
    "after an assistant was made": at(AssistantsTarget, "provision", after=True),
    "after a thread was made": at(AssistantsTarget, "open", after=True),
    "in the middle of a stream": in_a_stream,
    "while a function is answered": at(StubBook, "answer", after=False),
    "after the last turn": at(harness.runner.executors.local, "run_trial", after=True),
    "in the middle of a commit": at(harness.store.store, "_insert_trials", after=True),
    "after a commit": at(Store, "add_trials", after=True),
    "before the run is noted as ended": at(Store, "finish_run", after=False),
    "after the run was noted as ended": at(Store, "finish_run", after=True),
    "before everything made is deleted": at(AssistantsTarget, "tear_down", after=False),
    "before a report is in its place": at(harness.reporters.interface.Path, "replace", after=False),
}


def kill_at(point: str, nth: int) -> None:
    left = nth

    def arrive() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    # Each result is on its way as soon as it is there.
    harness.workflows.keeping.ENOUGH = harness.workflows.keeping.MOST_AT_ONCE = 1
    POINTS[point](arrive)


if __name__ == "__main__":
    kill_at(sys.argv[1], int(sys.argv[2]))
    sys.argv[1:3] = []
    main()
