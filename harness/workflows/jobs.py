"""What a run is asked to do, and how it is remembered so that it can go on later."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import HarnessError, RunError, SettingsError
from harness.plan import Plan, make_plan
from harness.results import SuiteRun
from harness.scorers import handover_model, token_model
from harness.settings import Settings
from harness.suite import authoring
from harness.suite.assistants import (
    content_of,
    digest_of_file,
    existing_assistant,
    is_assistant_id,
    load_variant,
)
from harness.suite.load import load_suites
from harness.suite.records import Suite, Variant
from harness.suite.revisions import commit_of, load_at_revision, split_revision
from harness.suite.select import select
from harness.targets.heeding import heeds
from harness.trace.scrubbing import Scrubber
from harness.workflows.checkout import checkout

CONTENTS = "contents"
"""The setting of a stored run that says what its assistants consist of."""
PARTS = "parts"
"""The setting of a stored run that has short digests of what its suites consist of."""

_USUAL_FOLDER = "suites"
_LIMITS = {"requests_per_minute", "tokens_per_minute", "max_tries", "max_wait_s"}
_OF_BUDGET = (
    "budget_usd",
    "budget_per_trial_usd",
    "most_per_turn_usd",
    "cap_prompt_tokens",
    "cap_completion_tokens",
    "cap_tool_calls",
)
_OF_JUDGE = (
    "judge_model",
    "judge_base_url",
    "judge_temperature",
    "judge_deadline_s",
    "judge_structured",
    "judge_min_kappa",
)


class Job(msgspec.Struct, frozen=True):
    """What a suite run is asked to do.

    Attributes:
        suites: Suite files and folders; ``suites/`` when none is named.
        settings: Target, repeats, concurrency, store and the rest.
        assistants: Assistant files, files at a git revision (``FILE@REVISION``) and ``asst_...`` ids to run
            instead of the suites' own; with several, every conversation is run with each.
        tags: Only conversations with one of these.
        ids: Only conversations whose id matches one of these patterns.
        names: What these assistants are called in results; by their files and revisions when empty.
        made: Suites that a program has made; without suites named these alone are run.
    """

    suites: tuple[str, ...]
    settings: Settings
    assistants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    made: tuple[authoring.Suite, ...] = ()

    @property
    def named_suites(self) -> tuple[str, ...]:
        """The files and folders that are meant."""
        return self.suites or (() if self.made else usual_suites())


def load(job: Job, clock: Clock = SYSTEM_CLOCK) -> list[Suite]:
    """The job's suites, checked and selected; the clock says which quarantines are over.

    Raises:
        SuiteError: With every mistake of every file.
    """
    variants = chosen_variants(job.assistants, job.names)
    paths, first = [Path(path) for path in job.named_suites], variants[0] if variants else None
    today = clock.now().date()
    suites = load_suites(paths, variant=first, more_variants=variants[1:], made=job.made, today=today)
    return select(suites, tags=job.tags, ids=job.ids)


def usual_suites() -> tuple[str, ...]:
    """The folder that is meant when no suite is named."""
    if not Path(_USUAL_FOLDER).is_dir():
        raise HarnessError(
            f"no suite is named, and there is no folder {_USUAL_FOLDER}/ here",
            code="nothing-to-run",
            hint="name a suite file or folder; 'harness init my-assistant' makes a first one",
        )
    return (_USUAL_FOLDER,)


def chosen_variants(assistants: Sequence[str], names: Sequence[str] = ()) -> list[Variant]:
    """The assistants to run, each under a name of its own.

    Raises:
        SuiteError: Files have mistakes, or a revision is not there.
        SettingsError: One assistant is given twice, without names that tell why.
    """
    for assistant in assistants:
        if not names and assistants.count(assistant) > 1:
            raise SettingsError(
                f"the assistant {assistant!r} is named twice",
                hint="name each once; --repeats runs conversations more often",
            )
    variants = [_variant(assistant) for assistant in assistants]
    told = names or _telling_names(assistants, [variant.name for variant in variants])
    named = zip(variants, told, strict=True)
    return [variant.model_copy(update={"name": name}) for variant, name in named]


def _variant(assistant: str) -> Variant:
    if is_assistant_id(assistant):
        return existing_assistant(assistant)
    at_revision = split_revision(assistant)
    return load_at_revision(*at_revision) if at_revision else load_variant(Path(assistant))


def _telling_names(assistants: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names; files of one name get as many folders before it as it takes to tell them apart."""
    told = list(names)
    for depth in range(1, max((len(Path(each).parts) for each in assistants), default=0)):
        doubled = [place for place, name in enumerate(told) if told.count(name) > 1]
        for place in doubled:
            folders = Path(assistants[place].rpartition("/")[0]).parts[-depth:]
            told[place] = "-".join([*folders, names[place]])
    return told if len(set(told)) == len(told) else [f"{name}-{n}" for n, name in enumerate(told, start=1)]


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


# --- what a run remembers of its job -------------------------------------------------------------------


def remembered(job: Job, suites: Sequence[Suite]) -> dict[str, Any]:
    """The job as plain JSON, without the key."""
    return {
        "suites": [str(Path(path).resolve()) for path in job.named_suites],
        "made": [suite.name for suite in job.made],
        "assistants": [_lasting(assistant) for assistant in job.assistants],
        "variants": _variant_names(suites) if job.assistants else [],
        "tags": list(job.tags),
        "ids": list(job.ids),
        "fingerprints": fingerprints(suites, job),
        PARTS: {suite.name: suite.parts for suite in suites},
        "git": checkout(_home(job), os.environ),
        "grounding_model": token_model.fingerprint(),
        "handover_model": handover_model.fingerprint(),
        CONTENTS: _contents(suites, job.settings.scrubber()),
        **job.settings.model_dump(exclude={"api_key", "judge_api_key", "store", "reports", "ledger"}),
        **_deciding_files(job.settings),
        "record": str(Path(job.settings.record).resolve()) if job.settings.record else None,
        "target_function": _lasting_function(job.settings.target_function),
    }


def _home(job: Job) -> Path:
    """The folder of the suites, whose branch the run is of; for suites of a program the working folder."""
    named = Path(job.named_suites[0]) if job.named_suites else Path()
    return named if named.is_dir() else named.parent


def _contents(suites: Sequence[Suite], scrubber: Scrubber) -> dict[str, Any]:
    """What each assistant consists of, by its fingerprint and without secrets: versions can be compared."""
    variants = {each.fingerprint: each for suite in suites for each in variants_of(suite)}
    found: dict[str, Any] = {}
    for fingerprint, variant in variants.items():
        with suppress(OSError):  # a document that is gone by now stops the run where it is needed
            found[fingerprint] = scrubber.data(content_of(variant))
    return found


def remembered_budget(settings: Settings) -> dict[str, Any]:
    """What limits the spending of a run, and its prices, as plain JSON."""
    return settings.model_dump(include={"prices", *_OF_BUDGET})


def _variant_names(suites: Sequence[Suite]) -> list[str]:
    """The names of the chosen assistants: the same with every suite."""
    return [variant.name for suite in suites[:1] for variant in variants_of(suite)]


def variants_of(suite: Suite) -> tuple[Variant, ...]:
    """The assistants that a suite's conversations are run with."""
    return (suite.variant, *suite.more_variants) if suite.variant else ()


def _lasting(assistant: str) -> str:
    """An assistant so that it is found again from another folder, and when a branch has moved on."""
    if is_assistant_id(assistant):
        return assistant
    at_revision = split_revision(assistant)
    if at_revision is None:
        return str(Path(assistant).resolve())
    path, revision = at_revision
    return f"{path.resolve()}@{commit_of(path, revision)}"


def _lasting_function(function: str | None) -> str | None:
    """A function in a file by its whole path; one in a module is found by its name."""
    place, _, name = (function or "").rpartition(":")
    return f"{Path(place).resolve()}:{name}" if place.endswith(".py") else function


def _deciding_files(settings: Settings) -> dict[str, str]:
    """The files that decide what answers, by the setting that names them, as absolute paths."""
    named = {"models": settings.models, "faults": settings.faults, "recording": settings.recording}
    target = settings.target_options()
    return {name: str(Path(path).resolve()) for name, path in named.items() if path and heeds(name, target)}


def fingerprints(suites: Sequence[Suite], job: Job) -> dict[str, str]:
    """What decides the outcome of a run, each with a digest of its content."""
    prints = {f"suite {suite.name}": suite.fingerprint for suite in suites}
    variants = [variant for suite in suites for variant in variants_of(suite)]
    prints |= {f"assistant {variant.name}": variant.fingerprint for variant in variants}
    return prints | {name: digest_of_file(Path(path)) for name, path in _deciding_files(job.settings).items()}


def recalled(record: SuiteRun, settings: Settings, changed: Collection[str]) -> Job:
    """The job that a stored run began with; settings named in ``changed`` are those given now.

    Raises:
        RunError: Its suites are in no file (code ``suite-made-in-program``).
    """
    kept = record.settings
    if kept.get("made"):
        raise RunError(
            f"run {record.id} can't go on, for a program made these suites: {', '.join(kept['made'])}",
            code="suite-made-in-program",
            hint="run it again from the program, or put the suites into a file of their own",
        )
    own = {"target", "base_url", "repeats", "concurrency", "deadline_s"} - set(changed)
    own |= {"azure_endpoint", "api_version"} - set(changed)
    own |= _LIMITS - set(changed)
    own |= {"models", "faults", "target_function", "most_rounds", "recording"} | ({"record"} - set(changed))
    own |= {"keep_assistants", "keep_users", "vector_store_days"}
    own |= {"prices", *_OF_BUDGET, *_OF_JUDGE} - set(changed)
    asked = {name: kept[name] for name in own if name in kept}
    return Job(
        suites=tuple(kept["suites"]),
        settings=Settings.model_validate(settings.model_dump() | asked),
        assistants=tuple(kept.get("assistants") or filter(None, [kept.get("assistant")])),
        tags=tuple(kept["tags"]),
        ids=tuple(kept["ids"]),
        names=tuple(kept.get("variants", ())),
    )
