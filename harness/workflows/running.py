"""Suites are run: from their beginning, or on from where a run was interrupted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from harness.clock import SYSTEM_CLOCK, Clock, new_id
from harness.cost.prices import PriceBook
from harness.errors import RunError, SettingsError, StoreError
from harness.judge.asking import Judge
from harness.judge.gating import Judging
from harness.plan import Plan, Trial
from harness.results import RESCORED, RunStatus, Score, SuiteRun
from harness.runner.budget import Budget
from harness.runner.events import Event, ResultsWait, RunFinished, RunStarted, TrialFinished, TrialStarted
from harness.runner.executors.local import Stop, run
from harness.runner.failures import FailureLimit
from harness.runner.trial import TrialOptions
from harness.settings import Settings, given, load_settings
from harness.suite import authoring
from harness.suite.records import Suite
from harness.targets.heeding import refuse_unheeded
from harness.targets.interface import Forgets, Target, cannot_forget
from harness.targets.making import make_target
from harness.targets.traffic import Traffic
from harness.targets.turnstile import Turnstile
from harness.trace.records import Judgement, Trace
from harness.trace.scrubbing import Scrubber
from harness.workflows.budgeting import budget_of, refuse_unpayable
from harness.workflows.going_on import going_on
from harness.workflows.jobs import (
    Job,
    load,
    plan_of,
    recalled,
    remembered,
    remembered_budget,
)
from harness.workflows.judging import (
    judge_of,
    judging_of,
    refuse_unjudgeable,
    replaying_judge,
    rubrics_used,
)
from harness.workflows.keeping import Keeper
from harness.workflows.looking import SUSPECTS, only, watching
from harness.workflows.recorded import keep_recording, refuse_recording_of_replay
from harness.workflows.stored import open_store
from harness.workflows.unchanged import refuse_changed

if TYPE_CHECKING:
    from harness.store.store import Store

Listener = Callable[[Event], None]
Play = Callable[..., AsyncGenerator[Event, None]]
"""Plays a plan at a target, as ``executors.local.run`` does, and tells of it."""


class Control(msgspec.Struct, frozen=True):
    """How a run is watched and stopped from outside.

    Attributes:
        listeners: Told of every event; a trial's result is on its way into the store then.
        stop: Ends the run early.
        clock: What time it is.
    """

    listeners: Sequence[Listener] = ()
    stop: Stop = msgspec.field(default_factory=Stop)
    clock: Clock = SYSTEM_CLOCK


class Part(msgspec.Struct, frozen=True):
    """What one process does of a suite run that others may carry out too; it does not end the run.

    Attributes:
        run_id: The whole suite run.
        turnstile: The limits that requests of all parts keep to together; None where there is one part.
    """

    run_id: str
    turnstile: Turnstile | None = None


def evaluate(
    *suites: str | Path | authoring.Suite,
    assistant: str | Path | Sequence[str | Path] | Mapping[str, str | Path] | None = None,
    tags: str | Sequence[str] = (),
    only: str | Sequence[str] = (),
    progress: bool = False,
    **flags: Any,
) -> SuiteRun:
    """Run suites and get the finished suite run, with every trace and score; in notebooks too.

    Args:
        suites: Suite files and folders, and suites that were made right here.
        assistant: An assistant file, a file at a git revision (``FILE@REVISION``) or an ``asst_...`` id to
            run instead of the suites' own; or several, each run on every conversation: a list, or a mapping
            that names them.
        tags: Only conversations with one of these tags.
        only: Only conversations whose id matches one of these patterns.
        progress: Show how far it is.
        flags: Settings by name, e.g. ``repeats=3, target="assistants", base_url=...``.

    Raises:
        HarnessError: Its children say what is wrong with suites, settings, target or store.
    """
    assistants, names = _assistants(assistant)
    settings = load_settings(flags)
    refuse_unheeded(given(flags), settings.target_options())
    job = Job(
        suites=tuple(str(each) for each in suites if not isinstance(each, authoring.Suite)),
        settings=settings,
        assistants=assistants,
        tags=_listed(tags),
        ids=_listed(only),
        names=names,
        made=tuple(each for each in suites if isinstance(each, authoring.Suite)),
    )
    if not progress:
        return _finished(start(job))
    from harness.workflows.watching import watched

    with watched() as listener:
        return _finished(start(job, Control([listener])))


def _listed(words: str | Sequence[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _assistants(
    given: str | Path | Sequence[str | Path] | Mapping[str, str | Path] | None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The assistants, and their names where these are given."""
    if given is None or isinstance(given, str | Path):
        return (() if given is None else (str(given),)), ()
    if isinstance(given, Mapping):
        return tuple(map(str, given.values())), tuple(given)
    return tuple(map(str, given)), ()


def _finished(work: Coroutine[Any, Any, SuiteRun]) -> SuiteRun:
    """What the work brings; a notebook's own event loop is busy, so there it is done in a thread."""
    if not _has_loop():
        return asyncio.run(work)  # outside of any except: what it raises has no context but its own
    with ThreadPoolExecutor(1, thread_name_prefix="harness-evaluate") as thread:
        return thread.submit(asyncio.run, work).result()


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def start(job: Job, control: Control | None = None) -> SuiteRun:
    """Run a job from its beginning; each trial is stored within a second of its end."""
    control = control or Control()
    suites = load(job, control.clock)
    return await begin(job, suites, plan_of(job, suites), control)


async def begin(
    job: Job,
    suites: Sequence[Suite],
    plan: Plan,
    control: Control,
    *,
    play: Play = run,
    told: Mapping[str, Any] | None = None,
    part: Part | None = None,
) -> SuiteRun:
    """Carry a plan out as a new suite run.

    Args:
        job: What was asked for.
        suites: Its suites.
        plan: The trials that are known beforehand.
        control: How it is watched and stopped.
        play: Plays the trials.
        told: What the suite run says of itself beside its job.
        part: The suite run that this is a part of, begun by the first part that comes to it.
    """
    _refuse_foreign_ids(plan, job.settings)
    refuse_recording_of_replay(job.settings)
    traffic = _traffic(job.settings, part.turnstile if part else None)
    run_id = part.run_id if part else new_id(control.clock)
    target = _target(job.settings, suites, traffic, run_id)  # before the run begins: there may be none
    _refuse_forgetting(plan, target)
    refuse_unpayable(job.settings, plan, target)
    judge = _judge(job.settings, suites, traffic, control.clock)
    is_part = part is not None
    with open_store(job.settings) as store, going_on(job.settings, run_id, is_part=is_part):
        work = Work(run_id, plan, job.settings, target, traffic, store, control, judge, play, is_part=is_part)
        return await work.begin({**remembered(job, suites), **(told or {})})


async def resume(
    run_id: str,
    settings: Settings,
    control: Control | None = None,
    *,
    retry_errors: bool = False,
    changed: Collection[str] = (),
) -> SuiteRun:
    """Go on with a run that was interrupted: only trials that have no result yet are run.

    With ``retry_errors`` those that ended in an error, which is missing data, are run again too.
    ``changed`` names the settings that replace those the run began with; the others are the run's own.

    Raises:
        RunError: The run is unknown, its files have changed since (code ``suite-changed``), or another
            process works on it (``run-going-on``).
    """
    control = control or Control()
    with open_store(settings, create=False) as store:
        record = store.run(run_id)
        _refuse_rescored(record)
        _refuse_perturbed(record)
        job = recalled(record, settings, changed)
        refuse_unheeded(changed, job.settings.target_options())
        with going_on(settings, record.id):
            return await _go_on(record, job, store, control, retry_errors=retry_errors)


async def _go_on(
    record: SuiteRun, job: Job, store: Store, control: Control, *, retry_errors: bool
) -> SuiteRun:
    """Run what is left of a run that is going to be changed by nobody else."""
    suites = load(job, control.clock)
    refuse_recording_of_replay(job.settings)
    refuse_changed(record, suites, job)
    finished = store.finished_trials(record.id, errored=not retry_errors)
    plan = only(plan_of(job, suites), record.settings.get(SUSPECTS))
    ended = (result for result in record.results if result.trial_id in finished)
    looks = watching(record.settings, plan, ended, control.stop)
    control = replace(control, listeners=[*control.listeners, *looks])
    traffic = _traffic(job.settings)
    target = _target(job.settings, suites, traffic, record.id)
    refuse_unpayable(job.settings, plan, target)
    judge = _judge(job.settings, suites, traffic, control.clock)
    store.change_settings(record.id, remembered_budget(job.settings))
    store.finish_run(record.id, "running", None)
    with _saying_how_to_go_on(record.id):
        work = Work(record.id, plan, job.settings, target, traffic, store, control, judge)
        return await work.carry_out(finished)


def _traffic(settings: Settings, turnstile: Turnstile | None = None) -> Traffic:
    """What all requests of the run keep to; two runs side by side must not knock in step."""
    return Traffic(settings.limits(), seed=os.getpid(), turnstile=turnstile)


def _target(settings: Settings, suites: Sequence[Suite], traffic: Traffic, run_id: str) -> Target:
    """The target, with the faults on demand that the suites want; a file named for the run wins.

    Raises:
        SettingsError: The suites want different faults, and one server is to answer them all.
    """
    wanted = {suite.faults: suite.name for suite in suites}
    options = replace(settings.target_options(), run=run_id, traffic=traffic)
    if settings.faults or set(wanted) == {None}:
        return make_target(options)
    if len(wanted) > 1:
        told = "; ".join(f"{name}: {file or 'none'}" for file, name in wanted.items())
        raise SettingsError(
            f"these suites want different faults on demand ({told})",
            hint="run them one after the other, or give --faults FILE for all of them",
        )
    return make_target(replace(options, faults=next(iter(wanted))))


def _judge(settings: Settings, suites: Sequence[Suite], traffic: Traffic, clock: Clock) -> Judge | None:
    """Who judges; None where no expectation wants it. A run that replays asks no judge either.

    Raises:
        SettingsError: No model is set that judges, or its address can't be used.
        BudgetError: Nobody knows what it costs.
    """
    if not rubrics_used(suites):
        return None
    if settings.target == "recording":
        return replaying_judge(settings, clock)
    refuse_unjudgeable(settings, suites)
    return judge_of(settings, clock, traffic)


def _refuse_foreign_ids(plan: Plan, settings: Settings) -> None:
    """An assistant that exists already can't be at a server that begins empty with each run."""
    ids = [variant.assistant_id for variant in plan.variants if variant.assistant_id]
    if ids and settings.target == "embedded":
        raise SettingsError(
            f"the assistant {ids[0]!r} can't be at the target 'embedded', which begins empty",
            hint="give --target assistants and the --base-url where it lives, or an assistant file",
        )


def _refuse_forgetting(plan: Plan, target: Target) -> None:
    """What a target can't do is said before anything is run."""
    wished = any(turn.forget for trial in plan.first_repeats for turn in trial.conversation.turns)
    if wished and not isinstance(target, Forgets):
        raise cannot_forget(target)


def _refuse_rescored(record: SuiteRun) -> None:
    """A run that was scored anew asks nothing: going on with it would."""
    if source := record.settings.get(RESCORED):
        raise RunError(
            f"run {record.id} was scored anew from {source}, and asks nothing that could go on",
            code="run-rescored",
            hint=f"score it once more with: harness rescore {source}",
        )


def _refuse_perturbed(record: SuiteRun) -> None:
    """A search for the smallest variation is begun anew: which trials it plays depends on those before."""
    if asked := record.settings.get("perturbed"):
        raise RunError(
            f"run {record.id} looked for variations that break something, and can't go on",
            code="run-perturbed",
            hint=f"look again: harness perturb with --seed {asked['seed']} tries the same variations",
        )


@contextmanager
def _saying_how_to_go_on(run_id: str) -> Iterator[None]:
    """A store that fails half way ends the run; its error tells how the run goes on."""
    try:
        yield
    except StoreError as error:
        error.hint = " ".join(filter(None, [error.hint, f"Then go on with: harness run --resume {run_id}"]))
        raise


class Work(msgspec.Struct, frozen=True):
    """A plan that is carried out into the store."""

    run_id: str
    plan: Plan
    settings: Settings
    target: Target
    traffic: Traffic
    store: Store
    control: Control
    judge: Judge | None = None
    play: Play = run
    is_part: bool = False

    async def begin(self, told: dict[str, Any]) -> SuiteRun:
        """Begin the suite run and carry it out; ``told`` is what it says that it was asked for."""
        record = SuiteRun(
            id=self.run_id,
            started_at=self.control.clock.now(),
            target=self.target.name,
            status="running",
            planned=len(self.plan.trials),
            settings=told,
        )
        self._note_beginning(record)
        with _saying_how_to_go_on(self.run_id):
            return await self.carry_out()

    def _note_beginning(self, record: SuiteRun) -> None:
        try:
            self.store.begin_run(record)
        except StoreError as error:
            if not self.is_part or error.code != "store-run-exists":  # another part was quicker
                raise

    def _note_end(self, status: RunStatus, ended_at: datetime) -> None:
        """A part ends for itself alone: whoever shared the work out knows when all of it has ended."""
        if not self.is_part:
            self.store.finish_run(self.run_id, status, ended_at)

    async def carry_out(self, finished: Collection[str] = ()) -> SuiteRun:
        """Run what is left; results stand in the store in the order of the whole plan."""
        try:
            async with self._keeper() as keeper:
                await self._to_its_end(finished, keeper)
        finally:
            try:
                self._record()
            finally:
                await self._tear_down()
        return self.store.run(self.run_id)

    async def _tear_down(self) -> None:
        try:
            await self.target.tear_down()
        finally:
            if self.judge is not None:
                await self.judge.close()

    def _record(self) -> None:
        """Keep what the store has of this run, also from before it was interrupted."""
        if self.settings.record:
            results = self.store.run(self.run_id).results
            keep_recording(Path(self.settings.record), self.plan.variants, results)

    def _keeper(self) -> Keeper:
        return Keeper(
            lambda some: self.store.add_trials(self.run_id, some),
            patience_s=self.settings.store_patience_s,
            on_change=lambda count, reason: self._tell(ResultsWait(count, reason)),
            on_end=self.control.stop.at_once,
            clock=self.control.clock,
        )

    async def _to_its_end(self, finished: Collection[str], keeper: Keeper) -> None:
        """Run what is left; whatever ends the run, what it leaves behind is whole and says how it ended."""
        status: RunStatus = "interrupted"
        clock = self.control.clock
        begun_at, begun = clock.now(), clock.monotonic()
        try:
            status = await self._run_left(finished, keeper)
        finally:
            # Counted from the beginning: the time of day may have jumped meanwhile.
            ended_at = begun_at + timedelta(seconds=clock.monotonic() - begun)
            await keeper.finish(lambda: self._note_end(status, ended_at))

    async def _run_left(self, finished: Collection[str], keeper: Keeper) -> RunStatus:
        left = self.plan.without(finished)
        budget = budget_of(self.settings, self.store, self.run_id, self.control.clock, is_part=self.is_part)
        already = len(self.plan.trials) - len(left.trials)
        async with aclosing(self._events(left, budget)) as events:
            return await self._keep(events, keeper, already)

    async def _keep(self, events: AsyncGenerator[Event, None], keeper: Keeper, already: int) -> RunStatus:
        """Hand every result to the store, tell everyone of every event; how the run ended."""
        scrubber = self.settings.scrubber()
        places: dict[str, int] = {}
        status: RunStatus = "interrupted"
        async for event in events:
            event = _without_secrets(event, scrubber)
            if isinstance(event, RunStarted):
                event = replace(event, run_id=self.run_id, already=already, traffic=self.traffic.state)
            elif isinstance(event, TrialStarted):
                places[event.trial.id] = event.trial.position
            elif isinstance(event, TrialFinished):
                keeper.add((event.result, places.pop(event.result.trial_id)))
                await keeper.room()
            elif isinstance(event, RunFinished):
                status = event.status
            self._tell(event)
        return status

    def _tell(self, event: Event) -> None:
        for listener in self.control.listeners:
            listener(event)

    def _events(self, left: Plan, budget: Budget | None) -> AsyncGenerator[Event, None]:
        prices = self.settings.price_book()
        judging = judging_of(self.store, self.settings) if self.judge else Judging()
        return self.play(
            left,
            self.target,
            TrialOptions(
                partial(_score, prices, judging),
                self.settings.deadline_s,
                self.settings.provision_deadline_s,
                self.settings.most_rounds,
                prices=prices,
                budget=budget,
                failures=FailureLimit(self.settings.max_failures, self.settings.max_errors),
                judge=partial(_judgements, self.judge) if self.judge else None,
                day=self.control.clock.now().date(),
            ),
            concurrency=self.settings.concurrency,
            clock=self.control.clock,
            stop=self.control.stop,
        )


def _without_secrets(event: Event, scrubber: Scrubber) -> Event:
    """The event, with a result that may be written and shown."""
    return TrialFinished(scrubber.record(event.result)) if isinstance(event, TrialFinished) else event


async def _judgements(
    judge: Judge, trial: Trial, trace: Trace, kept: tuple[Judgement, ...] | None
) -> tuple[Judgement, ...]:
    """What judges decide; nothing is paid for a check that is skipped."""
    from harness.scorers.checks import held_up

    skipped = held_up("judge", trial.conversation, trial.variant.assistant, trace, trial.variant.documents)
    return await judge.judge_trace(trial, trace, kept, skipped)


def _score(prices: PriceBook, judging: Judging, trial: Trial, trace: Trace) -> tuple[Score, ...]:
    from harness.scorers.checks import score_trace

    assistant = trial.variant.assistant
    return score_trace(
        trial.conversation,
        assistant,
        trace,
        cost=prices.asked_for(assistant.model),
        judging=judging.of_suite(trial.suite.rubrics),
        documents=trial.variant.documents,
    )
