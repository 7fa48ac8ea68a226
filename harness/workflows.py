"""Whole jobs in a few calls: evaluate suites, go on with a run, read one back, write its report."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import HarnessError, SettingsError, StoreError
from harness.plan import Plan, Trial, make_plan
from harness.reporters.interface import reporter, write_report
from harness.results import Score, SuiteRun
from harness.runner.events import Event, RunFinished, TrialFinished
from harness.runner.executors.local import Stop, run
from harness.runner.trial import TrialOptions
from harness.settings import Settings, load_settings
from harness.suite.assistants import digest_of_file, existing_assistant, is_assistant_id, load_variant
from harness.suite.load import load_suites
from harness.suite.records import Suite, Variant
from harness.suite.select import select
from harness.targets.interface import Target
from harness.targets.making import make_target
from harness.trace.records import Trace

if TYPE_CHECKING:
    from harness.store.history import RunSummary
    from harness.store.store import Store

Listener = Callable[[Event], None]
_USUAL_FOLDER = "suites"
RunState = Literal["finished", "interrupted"]


@dataclass(frozen=True, slots=True)
class Job:
    """What a suite run is asked to do.

    Attributes:
        suites: Suite files and folders; ``suites/`` when none is named.
        settings: Target, repeats, concurrency, store and the rest.
        assistant: An assistant file or ``asst_...`` id to run instead of the suites' own.
        tags: Only conversations with one of these.
        ids: Only conversations whose id matches one of these patterns.
    """

    suites: tuple[str, ...]
    settings: Settings
    assistant: str | None = None
    tags: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


def load(job: Job) -> list[Suite]:
    """The job's suites, checked and selected.

    Raises:
        SuiteError: With every mistake of every file.
    """
    variant = _variant(job.assistant) if job.assistant else None
    suites = load_suites([Path(path) for path in job.suites or _usual_suites()], variant=variant)
    return select(suites, tags=job.tags, ids=job.ids)


def _usual_suites() -> tuple[str, ...]:
    if not Path(_USUAL_FOLDER).is_dir():
        raise HarnessError(
            f"no suite is named, and there is no folder {_USUAL_FOLDER}/ here",
            code="nothing-to-run",
            hint="name a suite file or folder; 'harness init my-assistant' makes a first one",
        )
    return (_USUAL_FOLDER,)


def _variant(assistant: str) -> Variant:
    return existing_assistant(assistant) if is_assistant_id(assistant) else load_variant(Path(assistant))


def plan_of(job: Job, suites: Sequence[Suite]) -> Plan:
    """The trials of a job.

    Raises:
        HarnessError: There are none (code ``nothing-to-run``).
    """
    plan = make_plan(suites, repeats=job.settings.repeats)
    if not plan.trials:
        raise HarnessError(
            "there is nothing to run",
            code="nothing-to-run",
            hint="name a suite file or folder, and check --tag and --only",
        )
    return plan


def evaluate(
    *suites: str | Path, assistant: str | None = None, tags: Sequence[str] = (), **flags: Any
) -> SuiteRun:
    """Run suites and get the finished suite run, with every trace and score; in notebooks too.

    Args:
        suites: Suite files and folders.
        assistant: An assistant file or ``asst_...`` id to run instead of the suites' own.
        tags: Only conversations with one of these tags.
        flags: Settings by name, e.g. ``repeats=3, target="assistants", base_url=...``.

    Raises:
        HarnessError: Its children say what is wrong with suites, settings, target or store.
    """
    settings = load_settings(flags)
    chosen = (tags,) if isinstance(tags, str) else tuple(tags)
    job = Job(tuple(str(suite) for suite in suites), settings, assistant, chosen)
    return _finished(start(job))


def _finished(work: Coroutine[Any, Any, SuiteRun]) -> SuiteRun:
    """What the work brings; a notebook's own event loop is busy, so there it is done in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1, thread_name_prefix="harness-evaluate") as thread:
        return thread.submit(asyncio.run, work).result()


async def start(
    job: Job, *, listeners: Sequence[Listener] = (), stop: Stop | None = None, clock: Clock = SYSTEM_CLOCK
) -> SuiteRun:
    """Run a job from its beginning; each trial is stored as it ends."""
    suites = load(job)
    plan = plan_of(job, suites)
    _refuse_foreign_ids(plan, job.settings)
    target = _target(job.settings, suites)  # before the run begins: there may be none
    started_at = clock.now()
    record = SuiteRun(
        id=f"{started_at:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        started_at=started_at,
        target=job.settings.target,
        status="running",
        planned=len(plan.trials),
        settings=_remembered(job, suites),
    )
    with _store(job.settings) as store:
        store.begin_run(record)
        with _saying_how_to_go_on(record.id):
            return await _carry_out(
                plan, set(), job.settings, record.id, store, target, listeners, stop or Stop(), clock
            )


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


async def resume(
    run_id: str,
    settings: Settings,
    *,
    retry_errors: bool = False,
    changed: Collection[str] = (),
    listeners: Sequence[Listener] = (),
    stop: Stop | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> SuiteRun:
    """Go on with a run that was interrupted: only trials that have no result yet are run.

    With ``retry_errors`` those that ended in an error, which is missing data, are run again too.
    ``changed`` names the settings that replace those the run began with; the others are the run's own.

    Raises:
        StoreError: The run is unknown, or its files have changed since (code ``suite-changed``).
    """
    with _store(settings, create=False) as store:
        record = store.run(run_id)
        job = _recalled(record, settings, changed)
        suites = load(job)
        target = _target(job.settings, suites)
        _refuse_changed(record, _fingerprints(suites, job.settings))
        finished = store.finished_trials(record.id, errored=not retry_errors)
        plan = plan_of(job, suites)
        store.finish_run(record.id, "running", None)
        with _saying_how_to_go_on(record.id):
            return await _carry_out(
                plan, finished, job.settings, record.id, store, target, listeners, stop or Stop(), clock
            )


@contextmanager
def _saying_how_to_go_on(run_id: str) -> Iterator[None]:
    """A store that fails half way ends the run; its error tells how the run goes on."""
    try:
        yield
    except StoreError as error:
        error.hint = " ".join(filter(None, [error.hint, f"Then go on with: harness run --resume {run_id}"]))
        raise


async def _carry_out(
    plan: Plan,
    finished: set[str],
    settings: Settings,
    run_id: str,
    store: Store,
    target: Target,
    listeners: Sequence[Listener],
    stop: Stop,
    clock: Clock,
) -> SuiteRun:
    """Run what is left of a plan into the store; results stand there in the order of the whole plan."""
    places = {trial.id: place for place, trial in enumerate(plan.trials)}
    left = Plan(tuple(trial for trial in plan.trials if trial.id not in finished))
    options = TrialOptions(deadline_s=settings.deadline_s, score=_score)
    status: RunState = "interrupted"
    try:
        events = run(left, target, options, concurrency=settings.concurrency, clock=clock, stop=stop)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, TrialFinished):
                    store.add_trial(run_id, event.result, position=places[event.result.trial_id])
                for listener in listeners:
                    listener(event)
                if isinstance(event, RunFinished) and not event.interrupted:
                    status = "finished"
    finally:
        # Whatever ends the run, what it leaves behind is whole and says whether it is finished.
        try:
            store.finish_run(run_id, status, clock.now())
        finally:
            await target.tear_down()
    return store.run(run_id)


def _score(trial: Trial, trace: Trace) -> tuple[Score, ...]:
    from harness.scorers.checks import score_trace

    return score_trace(trial.conversation, trial.variant.assistant, trace)


def _store(settings: Settings, *, create: bool = True) -> Store:
    from harness.store.store import Store

    return Store.open(settings.store, create=create)


# --- what a run remembers of its job -------------------------------------------------------------------


def _remembered(job: Job, suites: Sequence[Suite]) -> dict[str, Any]:
    """The job as plain JSON, without the key."""
    return {
        "suites": [str(Path(path).resolve()) for path in job.suites or _usual_suites()],
        "assistant": _lasting(job.assistant),
        "tags": list(job.tags),
        "ids": list(job.ids),
        "fingerprints": _fingerprints(suites, job.settings),
        **job.settings.model_dump(exclude={"api_key", "store", "reports"}),
        **_server_files(job.settings),
        "target_function": _lasting_function(job.settings.target_function),
    }


def _lasting(assistant: str | None) -> str | None:
    """An assistant file by its whole path, so that the run can go on from another folder."""
    if assistant is None or is_assistant_id(assistant):
        return assistant
    return str(Path(assistant).resolve())


def _lasting_function(function: str | None) -> str | None:
    """A function in a file by its whole path; one in a module is found by its name."""
    place, _, name = (function or "").rpartition(":")
    return f"{Path(place).resolve()}:{name}" if place.endswith(".py") else function


def _server_files(settings: Settings) -> dict[str, str]:
    """The embedded server's own files, by the setting that names them, as absolute paths."""
    named = {"models": settings.models, "faults": settings.faults}
    return {name: str(Path(path).resolve()) for name, path in named.items() if path}


def _fingerprints(suites: Sequence[Suite], settings: Settings) -> dict[str, str]:
    prints = {f"suite {suite.name}": suite.fingerprint for suite in suites}
    variants = [suite.variant for suite in suites if suite.variant]
    prints |= {f"assistant {variant.name}": variant.fingerprint for variant in variants}
    return prints | {name: digest_of_file(Path(path)) for name, path in _server_files(settings).items()}


def _recalled(record: SuiteRun, settings: Settings, changed: Collection[str]) -> Job:
    kept = record.settings
    own = {"target", "base_url", "repeats", "concurrency", "deadline_s"} - set(changed)
    own |= {"azure_endpoint", "api_version"} - set(changed)
    own |= {"models", "faults", "target_function"}
    asked = {name: kept.get(name) for name in own}
    return Job(
        suites=tuple(kept["suites"]),
        settings=settings.model_copy(update=asked),
        assistant=kept["assistant"],
        tags=tuple(kept["tags"]),
        ids=tuple(kept["ids"]),
    )


def _refuse_changed(record: SuiteRun, now: dict[str, str]) -> None:
    then = record.settings["fingerprints"]
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if changed:
        raise StoreError(
            f"run {record.id} can't go on, for these have changed since it began: {', '.join(changed)}",
            code="suite-changed",
            hint="take the change back, or start a new run",
        )


# --- reports -------------------------------------------------------------------------------------------


def stored_run(settings: Settings, run_id: str = "latest") -> SuiteRun:
    """A run read back with all its results.

    Raises:
        StoreError: There is no such store or run.
    """
    with _store(settings, create=False) as store:
        return store.run(run_id)


def stored_runs(settings: Settings, limit: int) -> list[RunSummary]:
    """The newest runs of the store, without their results."""
    with _store(settings, create=False) as store:
        return store.runs(limit)


def render(record: SuiteRun, kind: str) -> str:
    """A report as text: console, csv, html, junit or markdown."""
    return reporter(kind).render(record)


def summary(record: SuiteRun, width: int) -> str:
    """The tables for a terminal of so many columns."""
    from harness.reporters.console import ConsoleReporter

    return ConsoleReporter(width).render(record)


def write(record: SuiteRun, kind: str, path: Path) -> Path:
    """Write a report to a file, whole or not at all."""
    return write_report(render(record, kind), path)


def write_html(record: SuiteRun, place: str) -> Path:
    """Write the HTML report to a file ending in .html, or into a folder under the run's id."""
    path = Path(place)
    return write(record, "html", path if path.suffix == ".html" else path / f"{record.id}.html")
