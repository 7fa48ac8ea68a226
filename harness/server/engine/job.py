"""One run that is being worked on."""

from __future__ import annotations

from dataclasses import dataclass

from harness.server.engine.machine import Engine
from harness.server.state import RunRecord, StepRecord, ThreadRecord


@dataclass(frozen=True, slots=True)
class Job:
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
