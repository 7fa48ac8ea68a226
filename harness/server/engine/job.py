"""One run that is being worked on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.server.engine import states
from harness.server.engine.machine import Engine
from harness.server.state import RunRecord, StepRecord, ThreadRecord
from harness.server.wire import Event


class RunOver(Exception):
    """The run ended while it was being worked on: cancelled, expired, or its thread deleted."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__()
        self.events = events


class Job(msgspec.Struct, frozen=True):
    """A run with its thread, the engine that works on it, and whether someone reads its deltas."""

    engine: Engine
    thread: ThreadRecord
    record: RunRecord
    streaming: bool

    def mark(self, step: StepRecord | None = None) -> None:
        """Say that the run, and one of its steps, is being changed; call with the lock held."""
        self.thread.runs.mark(self.record)
        if step is not None:
            self.record.steps.mark(step)

    def check(self, last_words: Callable[[], None] | None = None) -> None:
        """Stop here if the run was cancelled, has expired, or is over for another reason.

        Args:
            last_words: What is still to be kept when the run ends here.

        Raises:
            RunOver: With the events that tell.
            ModelError: The server ends.
        """
        with self.engine.state.lock:
            now = self.engine.clock.unix()
            if last_words is not None and (self._ends(now) or self.engine.halted):
                last_words()
            self.engine.refuse_halted()
            states.look(self.engine.state, self.thread, now)
            if self.record.run.status == "cancelling":
                attempted = states.run_event(self.record)
                raise RunOver([attempted, *states.end(self.thread, self.record, "cancelled", now)])
            if not self.record.active:
                raise RunOver([states.run_event(self.record)])

    def _ends(self, now: int) -> bool:
        run = self.record.run
        return run.status == "cancelling" or (run.expires_at is not None and now >= run.expires_at)
