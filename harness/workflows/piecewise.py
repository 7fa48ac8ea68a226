"""A suite run whose conversations are played when somebody asks for them, as a test runner does.

One target and one budget serve all of them, and their results stand in one stored run. It is carried out in a
thread of its own, so that whoever asks may have an event loop of its own, or none.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harness.clock import Clock
from harness.errors import TargetError
from harness.plan import Plan, Trial
from harness.results import RunStatus, SuiteRun, TrialResult
from harness.runner.events import Event, RunFinished, RunStarted, TrialFinished, TrialUnpaid
from harness.runner.executors.local import Stop, run
from harness.runner.trial import TrialOptions
from harness.settings import Settings
from harness.suite.records import Suite
from harness.targets.interface import Target
from harness.workflows.jobs import Job, remembered
from harness.workflows.running import Control, Part, begin
from harness.workflows.stored import open_store


@dataclass(slots=True, eq=False)
class _Asked:
    """Trials that somebody waits for."""

    trials: tuple[Trial, ...]
    results: dict[str, TrialResult] = field(default_factory=dict)
    answer: Future[list[TrialResult]] = field(default_factory=Future)

    def done(self) -> None:
        known = (self.results.get(trial.id) for trial in self.trials)
        self.answer.set_result([result for result in known if result is not None])


class PiecewiseRun:
    """A part of a suite run; close it, and when all parts are closed call ``conclude``.

    Args:
        job: What the whole run was asked for.
        suites: All its suites.
        plan: All its trials that are known beforehand.
        part: Which suite run it is.
        served: The suites that are played here: one target answers them all.
    """

    def __init__(
        self, job: Job, suites: Sequence[Suite], plan: Plan, part: Part, served: Sequence[Suite]
    ) -> None:
        self._asked: asyncio.Queue[_Asked | None] = asyncio.Queue()
        self._loop: Future[asyncio.AbstractEventLoop] = Future()
        self._work: Future[SuiteRun] = Future()
        self._control = Control([self._listen])
        self._now: _Asked | None = None
        self._unready: dict[str, TargetError] = {}
        self._ready: set[str] = set()
        self._unpaid = ""
        self._failure_is_told = False
        self._trials = list(plan.trials)
        work = (job, suites, Plan(self._trials), part, served)
        threading.Thread(target=self._carry_out, args=work, name="harness-run", daemon=True).start()

    @property
    def status(self) -> RunStatus:
        """Why no further trial is begun; ``finished`` while that goes on."""
        stop = self._control.stop
        return stop.status if stop.requested.is_set() else "finished"

    @property
    def why_ended(self) -> str:
        """The same in words; empty while it goes on."""
        return self._unpaid or ("" if self.status == "finished" else _ENDED[self.status])

    def add(self, trials: Sequence[Trial]) -> None:
        """Take in trials that nobody knew of beforehand: they can be recorded too."""
        _first_of(self._loop, self._work)  # until then they would count as planned
        self._trials += trials

    def play(self, trials: Sequence[Trial]) -> list[TrialResult]:
        """The results of these trials in this order; those that could not be begun have none.

        Raises:
            HarnessError: There is no target that could play them.
        """
        asked = _Asked(tuple(trials))
        self._tell(asked)
        _first_of(asked.answer, self._work)
        if not asked.answer.done():
            self._failure_is_told = True
            self._work.result()  # says why nobody answers
        return asked.answer.result()

    def close(self, *, at_once: bool = False) -> None:
        """Write what was played, and let go of the target.

        Args:
            at_once: Give up what is being played.

        Raises:
            HarnessError: Results could not be written; what ``play`` has raised is not raised again.
        """
        if at_once and self._loop.done():
            self._loop.result().call_soon_threadsafe(self._control.stop.at_once)
        self._tell(None)
        _first_of(self._work)
        if not self._failure_is_told:
            self._work.result()

    def _tell(self, asked: _Asked | None) -> None:
        """Hand something over to the thread, when it has come so far; not when it has ended."""
        _first_of(self._loop, self._work)
        if not self._work.done():
            self._loop.result().call_soon_threadsafe(self._asked.put_nowait, asked)

    # --- in the thread -------------------------------------------------------------------------------

    def _carry_out(
        self, job: Job, suites: Sequence[Suite], plan: Plan, part: Part, served: Sequence[Suite]
    ) -> None:
        try:
            told = remembered(job, suites)
            work = begin(job, served, plan, self._control, play=self._play, told=told, part=part)
            self._work.set_result(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 - whoever waits for the thread gets it instead
            self._work.set_exception(error)

    async def _play(
        self,
        plan: Plan,
        target: Target,
        options: TrialOptions,
        *,
        concurrency: int,
        clock: Clock,
        stop: Stop,
    ) -> AsyncGenerator[Event, None]:
        """Events of all that is asked for, until nothing more is."""
        yield RunStarted(plan, clock.now())
        self._loop.set_result(asyncio.get_running_loop())
        while (asked := await self._asked.get()) is not None:
            self._now = asked
            events = self._played(asked, target, options, concurrency=concurrency, clock=clock, stop=stop)
            async with aclosing(events):
                async for event in events:
                    yield event
            if not asked.answer.done():
                asked.done()
        yield RunFinished(clock.now(), self.status)

    async def _played(
        self, asked: _Asked, target: Target, options: TrialOptions, **how: Any
    ) -> AsyncGenerator[Event, None]:
        """Events of some trials; an assistant that can't be made ready is not tried again for others."""
        piece = Plan(asked.trials)
        wanted = {variant.fingerprint for variant in piece.variants}
        if failed := next((self._unready[each] for each in wanted if each in self._unready), None):
            asked.answer.set_exception(failed)
            return
        try:
            async with aclosing(run(piece, target, options, is_ready=wanted <= self._ready, **how)) as events:
                async for event in events:
                    if not isinstance(event, RunStarted | RunFinished):
                        yield event
        except TargetError as error:
            self._unready |= dict.fromkeys(wanted, error)
            asked.answer.set_exception(error)
        else:
            self._ready |= wanted

    def _listen(self, event: Event) -> None:
        if isinstance(event, TrialFinished) and self._now is not None:
            self._now.results[event.result.trial_id] = event.result
        elif isinstance(event, TrialUnpaid):
            self._unpaid = event.reason


def _first_of(*futures: Future[Any]) -> None:
    """Wait until one of them is done."""
    wait(futures, return_when=FIRST_COMPLETED)


_ENDED = {
    "budget_exhausted": "the budget is used up",
    "failures_reached": "there are as many failures as there may be",
    "interrupted": "it was interrupted",
}


def more_planned(settings: Settings, run_id: str, count: int) -> None:
    """Note that a suite run has so many further trials, which nobody knew of when it began."""
    with open_store(settings, create=False) as store:
        store.add_planned(run_id, count)


def conclude(settings: Settings, run_id: str, ended_early: RunStatus | None, at: datetime) -> SuiteRun:
    """A suite run whose parts have ended, noted as such.

    Args:
        settings: Where the store is.
        run_id: The suite run.
        ended_early: Why, when trials are missing that somebody did not want any more.
        at: When it ended.

    Raises:
        StoreError: There is no such run: not one of its parts came so far.
    """
    with open_store(settings, create=False) as store:
        record = store.run(run_id)
        is_whole = len(record.results) >= record.planned
        status: RunStatus = "finished" if is_whole else (ended_early or "interrupted")
        store.finish_run(run_id, status, at)
        return store.run(run_id)
