"""What a run is asked to do, and how it is remembered so that it can go on later."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, StoreError
from harness.plan import Plan, make_plan
from harness.results import SuiteRun
from harness.settings import Settings
from harness.suite import authoring
from harness.suite.assistants import digest_of_file, existing_assistant, is_assistant_id, load_variant
from harness.suite.load import load_suites
from harness.suite.records import Suite, Variant
from harness.suite.select import select

_USUAL_FOLDER = "suites"


@dataclass(frozen=True, slots=True)
class Job:
    """What a suite run is asked to do.

    Attributes:
        suites: Suite files and folders; ``suites/`` when none is named.
        settings: Target, repeats, concurrency, store and the rest.
        assistant: An assistant file or ``asst_...`` id to run instead of the suites' own.
        tags: Only conversations with one of these.
        ids: Only conversations whose id matches one of these patterns.
        variants: Versions of the assistant by name, files or ids; each is run instead of the suites' own.
        made: Suites that a program has made; without suites named these alone are run.
    """

    suites: tuple[str, ...]
    settings: Settings
    assistant: str | None = None
    tags: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    variants: Mapping[str, str] = field(default_factory=dict)
    made: tuple[authoring.Suite, ...] = ()

    @property
    def named_suites(self) -> tuple[str, ...]:
        """The files and folders that are meant."""
        return self.suites or (() if self.made else usual_suites())


def load(job: Job) -> list[Suite]:
    """The job's suites, checked and selected.

    Raises:
        SuiteError: With every mistake of every file.
    """
    variant = next(iter(variants_of(job)), None)
    suites = load_suites([Path(path) for path in job.named_suites], variant=variant, made=job.made)
    return select(suites, tags=job.tags, ids=job.ids)


def variants_of(job: Job) -> tuple[Variant, ...]:
    """The assistants that are run instead of the suites' own; none when these are."""
    if job.variants:
        found = [(name, _variant(assistant)) for name, assistant in job.variants.items()]
        return tuple(variant.model_copy(update={"name": name}) for name, variant in found)
    return (_variant(job.assistant),) if job.assistant else ()


def usual_suites() -> tuple[str, ...]:
    """The folder that is meant when no suite is named."""
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
    variants = variants_of(job) if job.variants else ()
    plan = make_plan(suites, variants=variants, repeats=job.settings.repeats)
    if not plan.trials:
        raise HarnessError(
            "there is nothing to run",
            code="nothing-to-run",
            hint="name a suite file or folder, and check --tag and --only",
        )
    return plan


# --- what a run remembers of its job -------------------------------------------------------------------


def remembered(job: Job, suites: Sequence[Suite]) -> dict[str, Any]:
    """The job as plain JSON, without the key."""
    return {
        "suites": [str(Path(path).resolve()) for path in job.named_suites],
        "made": [suite.name for suite in job.made],
        "assistant": _lasting(job.assistant),
        "variants": {name: _lasting(assistant) for name, assistant in job.variants.items()},
        "tags": list(job.tags),
        "ids": list(job.ids),
        "fingerprints": fingerprints(suites, job),
        **job.settings.model_dump(exclude={"api_key", "store", "reports"}),
        **_deciding_files(job.settings),
        "record": str(Path(job.settings.record).resolve()) if job.settings.record else None,
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


def _deciding_files(settings: Settings) -> dict[str, str]:
    """The files that decide what answers, by the setting that names them, as absolute paths."""
    named = {"models": settings.models, "faults": settings.faults, "recording": settings.recording}
    return {name: str(Path(path).resolve()) for name, path in named.items() if path}


def fingerprints(suites: Sequence[Suite], job: Job) -> dict[str, str]:
    """What decides the outcome of a run, each with a digest of its content."""
    prints = {f"suite {suite.name}": suite.fingerprint for suite in suites}
    variants = variants_of(job) or [suite.variant for suite in suites if suite.variant]
    prints |= {f"assistant {variant.name}": variant.fingerprint for variant in variants}
    return prints | {name: digest_of_file(Path(path)) for name, path in _deciding_files(job.settings).items()}


def recalled(record: SuiteRun, settings: Settings, changed: Collection[str]) -> Job:
    """The job that a stored run began with; settings named in ``changed`` are those given now.

    Raises:
        StoreError: Its suites are in no file (code ``suite-made-in-program``).
    """
    kept = record.settings
    if kept.get("made"):
        raise StoreError(
            f"run {record.id} can't go on, for a program made these suites: {', '.join(kept['made'])}",
            code="suite-made-in-program",
            hint="run it again from the program, or put the suites into a file of their own",
        )
    own = {"target", "base_url", "repeats", "concurrency", "deadline_s"} - set(changed)
    own |= {"azure_endpoint", "api_version"} - set(changed)
    own |= {"models", "faults", "target_function", "most_rounds", "recording"} | ({"record"} - set(changed))
    asked = {name: kept[name] for name in own if name in kept}
    return Job(
        suites=tuple(kept["suites"]),
        settings=settings.model_copy(update=asked),
        assistant=kept["assistant"],
        tags=tuple(kept["tags"]),
        ids=tuple(kept["ids"]),
        variants=kept.get("variants") or {},
    )


def refuse_changed(record: SuiteRun, now: dict[str, str]) -> None:
    """A run goes on only with what it began with.

    Raises:
        StoreError: Something has changed since (code ``suite-changed``); it is named.
    """
    then = record.settings["fingerprints"]
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if changed:
        raise StoreError(
            f"run {record.id} can't go on, for these have changed since it began: {', '.join(changed)}",
            code="suite-changed",
            hint="take the change back, or start a new run",
        )
