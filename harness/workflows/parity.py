"""The parity report of a migration: the same suites on several targets at once, compared with the first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from harness.errors import SettingsError
from harness.results import SuiteRun
from harness.settings import Settings
from harness.targets.making import names
from harness.text import did_you_mean
from harness.workflows.jobs import Job, load, plan_of
from harness.workflows.running import Control, start

_HERE = {"assistants": "embedded"}
"""Where no address is given, the same API in this process."""


def parity_jobs(settings: Settings, targets: Sequence[str], suites: Sequence[str] = ()) -> list[Job]:
    """One run for each target, the baseline first; what may be spent is shared out evenly.

    Args:
        settings: How they are run. Without an address every target asks an embedded server.
        targets: Two or more names of targets.
        suites: Suite files and folders.

    Raises:
        SettingsError: Fewer than two targets, one that is not there or named twice, or suites with several
            variants.
        SuiteError: The suites have mistakes.
    """
    _refuse_targets(targets)
    share = None if settings.budget_usd is None else settings.budget_usd / len(targets)
    remote = bool(settings.base_url or settings.azure_endpoint)
    places = [each if remote else _HERE.get(each, each) for each in targets]
    jobs = [
        Job(tuple(suites), settings.model_copy(update={"target": place, "budget_usd": share, "record": None}))
        for place in places
    ]
    _refuse_variants(jobs[0])
    return jobs


async def run_side_by_side(jobs: Sequence[Job], controls: Sequence[Control]) -> list[SuiteRun]:
    """Carry the jobs out at the same time, so that a slow hour or a bad day meets all of them.

    Args:
        jobs: What to run.
        controls: For each job how it is watched and stopped.
    """
    return await asyncio.gather(*map(start, jobs, controls))


def _refuse_targets(targets: Sequence[str]) -> None:
    hint = "Name two targets or more, the present one first: --targets assistants,responses"
    if len(targets) < 2:
        raise SettingsError(f"--targets names {len(targets)}, and a parity report needs two", hint=hint)
    known = names()
    for target in targets:
        if targets.count(target) > 1:
            raise SettingsError(f"--targets names {target!r} twice", hint=hint)
        if target not in known:
            raise SettingsError(
                f"there is no target {target!r}", hint=did_you_mean(target, known, label="targets")
            )


def _refuse_variants(job: Job) -> None:
    """Said before anything is run: trials of several assistants can't be one side of a comparison."""
    variants = list(dict.fromkeys(trial.variant.name for trial in plan_of(job, load(job)).trials))
    if len(variants) > 1:
        raise SettingsError(
            f"these suites name several assistants: {', '.join(map(repr, variants))}",
            hint="Compare targets for suites of one assistant at a time.",
        )


def parity_sides(jobs: Sequence[Job], records: Sequence[SuiteRun]) -> list[str]:
    """The runs to compare, the baseline first.

    Raises:
        SettingsError: One of them has no trials.
    """
    for job, record in zip(jobs, records, strict=True):
        if not record.results:
            raise SettingsError(
                f"the run {record.id} on {job.settings.target!r} has no trials to compare",
                hint="Run the suites on it alone to see why: harness run --target " + job.settings.target,
            )
    return [record.id for record in records]
