"""All trials on this machine: asyncio, a bounded number at a time, turns in order within a trial."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from harness.clock import Clock
from harness.plan import Plan, Trial
from harness.runner.events import Event, Provisioned, RunFinished, RunStarted, TrialFinished, TrialStarted
from harness.runner.trial import TrialOptions, run_trial
from harness.targets.interface import Target


@dataclass(slots=True)
class Stop:
    """How a run is stopped from outside: ``set`` once and trials that have begun still finish."""

    requested: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self) -> None:
        """Begin no further trial."""
        self.requested.set()


async def run(
    plan: Plan, target: Target, options: TrialOptions, *, concurrency: int, clock: Clock, stop: Stop
) -> AsyncIterator[Event]:
    """Events of the whole suite run, in the order in which things happen; the last is ``RunFinished``.

    Raises:
        TargetError: A variant can't be provisioned; nothing was run then.
    """
    yield RunStarted(plan, clock.now())
    for variant in plan.variants:
        begun = clock.monotonic()
        await target.provision(variant)
        yield Provisioned(variant.name, clock.monotonic() - begun)
    waiting = iter(plan.trials)
    events: asyncio.Queue[Event | None] = asyncio.Queue()
    workers = [
        asyncio.create_task(_work(waiting, target, options, clock, stop, events))
        for _ in range(min(concurrency, len(plan.trials)))
    ]
    crew = asyncio.gather(*workers)
    crew.add_done_callback(lambda _: events.put_nowait(None))
    finished = 0
    try:
        while (event := await events.get()) is not None:
            finished += isinstance(event, TrialFinished)
            yield event
        await crew
    finally:
        await _dismiss(workers)
    yield RunFinished(clock.now(), interrupted=finished < len(plan.trials))


async def _work(
    waiting: Iterator[Trial],
    target: Target,
    options: TrialOptions,
    clock: Clock,
    stop: Stop,
    events: asyncio.Queue[Event | None],
) -> None:
    for trial in waiting:
        if stop.requested.is_set():
            return
        events.put_nowait(TrialStarted(trial))
        events.put_nowait(TrialFinished(await run_trial(trial, target, options, clock)))


async def _dismiss(workers: list[asyncio.Task[None]]) -> None:
    for worker in workers:
        worker.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*workers, return_exceptions=True)
