"""All trials on this machine: asyncio, a bounded number at a time, turns in order within a trial."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any

import msgspec

from harness.clock import Clock
from harness.errors import BudgetExhausted
from harness.plan import Plan, Trial
from harness.results import RunStatus
from harness.runner.deadlines import in_time
from harness.runner.events import (
    Event,
    Provisioned,
    RunFinished,
    RunStarted,
    TrialFinished,
    TrialStarted,
    TrialUnpaid,
)
from harness.runner.trial import TrialOptions, run_trial
from harness.targets.interface import Target
from harness.targets.request_log import RequestLog, logged

_MOST_UNHEARD = 100


class Stop(msgspec.Struct):
    """How a run is stopped early: ``set`` lets trials that have begun finish, ``at_once`` does not."""

    requested: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    now: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    status: RunStatus = "interrupted"

    def set(self, status: RunStatus = "interrupted") -> None:
        """Begin no further trial; the run ends with this status, the first that is given."""
        if not self.requested.is_set():
            self.status = status
        self.requested.set()

    def at_once(self) -> None:
        """Give up what is under way too; trials that are cut short have no result."""
        self.requested.set()
        self.now.set()


async def run(
    plan: Plan,
    target: Target,
    options: TrialOptions,
    *,
    concurrency: int,
    clock: Clock,
    stop: Stop,
    is_ready: bool = False,
) -> AsyncGenerator[Event, None]:
    """Events of the whole suite run, in the order in which things happen; the last is ``RunFinished``.

    With ``is_ready`` the target has the plan's variants already, from a plan before.

    Raises:
        TargetError: A variant can't be provisioned; nothing was run then.
    """
    yield RunStarted(plan, clock.now())
    for variant in () if is_ready else plan.variants:
        begun = clock.monotonic()
        making = in_time(target.provision(variant), options.provision_deadline_s, f"provide {variant.name!r}")
        with logged(RequestLog()) as log:
            is_ready = await _unless(making, stop.requested)  # nothing is under way that could finish
        if not is_ready:
            yield RunFinished(clock.now(), stop.status)
            return
        yield Provisioned(variant.name, clock.monotonic() - begun, log.waited_s)
    waiting = iter(plan.trials)
    events = _Events()
    hands = min(concurrency, len(plan.trials))
    work = _crew(hands, waiting, target, options, clock, stop, events)
    crew = asyncio.create_task(_unless(work, stop.now))
    crew.add_done_callback(lambda _: events.put_nowait(None))
    finished = 0
    try:
        while (event := await events.get()) is not None:
            finished += isinstance(event, TrialFinished)
            yield event
        await crew
    finally:
        crew.cancel()
        await asyncio.wait([crew])
    yield RunFinished(clock.now(), "finished" if finished == len(plan.trials) else stop.status)


class _Events(asyncio.Queue[Event | None]):
    """What happens, on its way to who listens; where that takes its time, no further trial begins."""

    def __init__(self) -> None:
        super().__init__()
        self._heard = asyncio.Event()

    async def get(self) -> Event | None:
        event = await super().get()
        self._heard.set()
        return event

    async def room(self) -> None:
        """Wait until few events are unheard."""
        while self.qsize() > _MOST_UNHEARD:
            self._heard.clear()
            await self._heard.wait()


async def _unless(work: Coroutine[Any, Any, None], stopped: asyncio.Event) -> bool:
    """Whether the work came to its end; what happens before that cancels it."""
    task, stop = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    if task.cancelled():
        return False
    task.result()
    return True


async def _crew(hands: int, *work: Any) -> None:
    """As many workers as may run at the same time; cancelling this cancels them all."""
    await asyncio.gather(*(_work(*work) for _ in range(hands)))


async def _work(
    waiting: Iterator[Trial],
    target: Target,
    options: TrialOptions,
    clock: Clock,
    stop: Stop,
    events: _Events,
) -> None:
    for trial in waiting:
        await events.room()
        if stop.requested.is_set():
            return
        events.put_nowait(TrialStarted(trial))
        try:
            result = await run_trial(trial, target, options, clock)
        except BudgetExhausted as error:
            stop.set("budget_exhausted")
            events.put_nowait(TrialUnpaid(trial, str(error)))
            return
        if options.failures.is_reached_by(result):
            stop.set("failures_reached")
        events.put_nowait(TrialFinished(result))
