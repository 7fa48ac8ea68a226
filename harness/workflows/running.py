"""Suites are run: from their beginning, or on from where a run was interrupted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import SettingsError, StoreError
from harness.plan import Plan, Trial
from harness.results import RunStatus, Score, SuiteRun
from harness.runner.events import Event, RunFinished, TrialFinished, TrialStarted
from harness.runner.executors.local import Stop, run
from harness.runner.trial import TrialOptions
from harness.settings import Settings, load_settings
from harness.suite import authoring
from harness.suite.assistants import is_assistant_id
from harness.suite.records import Suite
from harness.targets.interface import Target
from harness.targets.making import make_target
from harness.trace.records import Trace
from harness.trace.scrubbing import Scrubber
from harness.workflows.jobs import Job, fingerprints, load, plan_of, recalled, refuse_changed, remembered
from harness.workflows.recorded import keep_recording, refuse_recording_of_replay
from harness.workflows.stored import open_store

if TYPE_CHECKING:
    from harness.store.batches import Batches
    from harness.store.store import Store

Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Control:
    """How a run is watched and stopped from outside.

    Attributes:
        listeners: Told of every event, after a trial's result is on its way into the store.
        stop: Ends the run early.
        clock: What time it is.
    """

    listeners: Sequence[Listener] = ()
    stop: Stop = field(default_factory=Stop)
    clock: Clock = SYSTEM_CLOCK


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
        assistant: An assistant file or ``asst_...`` id to run instead of the suites' own; or several, each
            run on every conversation: a list, or a mapping that names them.
        tags: Only conversations with one of these tags.
        only: Only conversations whose id matches one of these patterns.
        progress: Show how far it is.
        flags: Settings by name, e.g. ``repeats=3, target="assistants", base_url=...``.

    Raises:
        HarnessError: Its children say what is wrong with suites, settings, target or store.
    """
    one, several = _assistants(assistant)
    job = Job(
        suites=tuple(str(each) for each in suites if not isinstance(each, authoring.Suite)),
        settings=load_settings(flags),
        assistant=one,
        tags=_listed(tags),
        ids=_listed(only),
        variants=several,
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
) -> tuple[str | None, dict[str, str]]:
    """One assistant, or several by name; a file is named by its stem.

    Raises:
        SettingsError: Two would have the same name.
    """
    if given is None or isinstance(given, str | Path):
        return (None if given is None else str(given)), {}
    if isinstance(given, Mapping):
        return None, {name: str(each) for name, each in given.items()}
    named: dict[str, str] = {}
    for each in given:
        name = str(each) if is_assistant_id(str(each)) else Path(each).stem
        if name in named:
            raise SettingsError(
                f"two assistants would be called {name!r}: {named[name]} and {each}",
                hint="name them: assistant={'old': ..., 'new': ...}",
            )
        named[name] = str(each)
    return None, named


def _finished(work: Coroutine[Any, Any, SuiteRun]) -> SuiteRun:
    """What the work brings; a notebook's own event loop is busy, so there it is done in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1, thread_name_prefix="harness-evaluate") as thread:
        return thread.submit(asyncio.run, work).result()


async def start(job: Job, control: Control | None = None) -> SuiteRun:
    """Run a job from its beginning; each trial is stored within a second of its end."""
    control = control or Control()
    suites = load(job)
    plan = plan_of(job, suites)
    _refuse_foreign_ids(plan, job.settings)
    refuse_recording_of_replay(job.settings)
    target = _target(job.settings, suites)  # before the run begins: there may be none
    with open_store(job.settings) as store:
        return await begin(plan, job.settings, remembered(job, suites), target, store, control)


async def begin(
    plan: Plan, settings: Settings, told: dict[str, Any], target: Target, store: Store, control: Control
) -> SuiteRun:
    """Begin a run of what is planned, and carry it out; ``told`` is what it says that it was asked for."""
    started_at = control.clock.now()
    record = SuiteRun(
        id=f"{started_at:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        started_at=started_at,
        target=target.name,
        status="running",
        planned=len(plan.trials),
        settings=told,
    )
    with _saying_how_to_go_on(record.id):
        store.begin_run(record)
        return await _Work(record.id, plan, settings, target, store, control).carry_out()


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
        StoreError: The run is unknown, or its files have changed since (code ``suite-changed``).
    """
    control = control or Control()
    with open_store(settings, create=False) as store:
        record = store.run(run_id)
        _refuse_rescored(record)
        job = recalled(record, settings, changed)
        suites = load(job)
        refuse_recording_of_replay(job.settings)
        target = _target(job.settings, suites)
        refuse_changed(record, fingerprints(suites, job))
        finished = store.finished_trials(record.id, errored=not retry_errors)
        plan = plan_of(job, suites)
        store.finish_run(record.id, "running", None)
        with _saying_how_to_go_on(record.id):
            return await _Work(record.id, plan, job.settings, target, store, control).carry_out(finished)


def _target(settings: Settings, suites: Sequence[Suite]) -> Target:
    """The target, with the faults on demand that the suites want; a file named for the run wins.

    Raises:
        SettingsError: The suites want different faults, and one server is to answer them all.
    """
    wanted = {suite.faults: suite.name for suite in suites}
    if settings.faults or set(wanted) == {None}:
        return make_target(settings.target_options())
    if len(wanted) > 1:
        told = "; ".join(f"{name}: {file or 'none'}" for file, name in wanted.items())
        raise SettingsError(
            f"these suites want different faults on demand ({told})",
            hint="run them one after the other, or give --faults FILE for all of them",
        )
    return make_target(replace(settings.target_options(), faults=next(iter(wanted))))


def _refuse_foreign_ids(plan: Plan, settings: Settings) -> None:
    """An assistant that exists already can't be at a server that begins empty with each run."""
    ids = [variant.assistant_id for variant in plan.variants if variant.assistant_id]
    if ids and settings.target == "embedded":
        raise SettingsError(
            f"the assistant {ids[0]!r} can't be at the target 'embedded', which begins empty",
            hint="give --target assistants and the --base-url where it lives, or an assistant file",
        )


def _refuse_rescored(record: SuiteRun) -> None:
    """A run that was scored anew asks nothing: going on with it would."""
    if source := record.settings.get("rescored_from"):
        raise StoreError(
            f"run {record.id} was scored anew from {source}, and asks nothing that could go on",
            code="run-rescored",
            hint=f"score it once more with: harness rescore {source}",
        )


@contextmanager
def _saying_how_to_go_on(run_id: str) -> Iterator[None]:
    """A store that fails half way ends the run; its error tells how the run goes on."""
    try:
        yield
    except StoreError as error:
        error.hint = " ".join(filter(None, [error.hint, f"Then go on with: harness run --resume {run_id}"]))
        raise


@dataclass(frozen=True, slots=True)
class _Work:
    """A plan that is carried out into the store."""

    run_id: str
    plan: Plan
    settings: Settings
    target: Target
    store: Store
    control: Control

    async def carry_out(self, finished: Collection[str] = ()) -> SuiteRun:
        """Run what is left; results stand in the store in the order of the whole plan."""
        status: RunStatus = "interrupted"
        try:
            status = await self._run_left(finished)
        finally:
            # Whatever ends the run, what it leaves behind is whole and says whether it is finished.
            try:
                self.store.finish_run(self.run_id, status, self.control.clock.now())
                self._record()
            finally:
                await self.target.tear_down()
        return self.store.run(self.run_id)

    def _record(self) -> None:
        """Keep what the store has of this run, also from before it was interrupted."""
        if self.settings.record:
            results = self.store.run(self.run_id).results
            keep_recording(Path(self.settings.record), self.plan.variants, results)

    async def _run_left(self, finished: Collection[str]) -> RunStatus:
        from harness.store.batches import Batches

        left = self.plan.without(finished)
        with Batches(self.store, self.run_id) as kept:
            async with aclosing(self._events(left)) as events:
                return await self._keep(events, kept)

    async def _keep(self, events: AsyncGenerator[Event, None], kept: Batches) -> RunStatus:
        """Hand every result to the store, tell everyone of every event; how the run ended."""
        scrubber = self.settings.scrubber()
        places: dict[str, int] = {}
        status: RunStatus = "interrupted"
        async for event in events:
            event = _without_secrets(event, scrubber)
            if isinstance(event, TrialStarted):
                places[event.trial.id] = event.trial.position
            elif isinstance(event, TrialFinished):
                kept.add(event.result, places.pop(event.result.trial_id))
            for listener in self.control.listeners:
                listener(event)
            if isinstance(event, RunFinished):
                status = event.status
        return status

    def _events(self, left: Plan) -> AsyncGenerator[Event, None]:
        return run(
            left,
            self.target,
            TrialOptions(self.settings.deadline_s, _score, self.settings.most_rounds),
            concurrency=self.settings.concurrency,
            clock=self.control.clock,
            stop=self.control.stop,
        )


def _without_secrets(event: Event, scrubber: Scrubber) -> Event:
    """The event, with a result that may be written and shown."""
    return TrialFinished(scrubber.record(event.result)) if isinstance(event, TrialFinished) else event


def _score(trial: Trial, trace: Trace) -> tuple[Score, ...]:
    from harness.scorers.checks import score_trace

    return score_trace(trial.conversation, trial.variant.assistant, trace)
