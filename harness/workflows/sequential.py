"""Two assistants side by side: until it is decided whether one is worse, or to confirm what seems so."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from harness.compare.sequential import Look, Looks
from harness.compare.verdict import Question
from harness.errors import SettingsError
from harness.results import SCREEN, SCREENED_BY, SuiteRun
from harness.workflows.jobs import Job, load, plan_of
from harness.workflows.looking import LOOKS, SUSPECTS, Cases, Watch, only
from harness.workflows.running import Control, begin

_USUAL = Question()


async def decide(job: Job, looks: Looks, control: Control, told: Callable[[Look], None]) -> SuiteRun:
    """Run a job's two assistants until a look decides, or all passes are in.

    The plan of looks is stored with the run before anything is asked, so that the run can be looked at again,
    and gone on with, by the same rule.

    Args:
        job: Names the baseline and the candidate.
        looks: The plan.
        control: How the run is watched and stopped.
        told: Gets each look as it is taken.

    Raises:
        SettingsError: There are not two assistants.
    """
    job = _repeated(job, looks.passes)
    suites = load(job)
    plan = plan_of(job, suites)
    watch = Watch(looks, plan, control.stop, told)
    listening = replace(control, listeners=[*control.listeners, watch])
    return await begin(job, suites, plan, listening, told={LOOKS: looks.as_json()})


async def confirm(
    job: Job,
    fresh: int,
    control: Control,
    told: Callable[[SuiteRun, Cases], None],
    question: Question = _USUAL,
) -> SuiteRun:
    """Run a job's two assistants once, then what got worse so many times more, with both.

    Only the fresh trials say whether it is worse: those that made a conversation suspect were chosen for
    being bad. The first run is stored too, and named by the second.

    Args:
        job: Names the baseline and the candidate.
        fresh: Trials of each suspect and assistant.
        control: How the runs are watched and stopped.
        told: Gets the first run, and the conversations that passed with the baseline and failed with the
            candidate.
        question: What a gate will ask of the fresh trials, stored with both runs.

    Returns:
        The run of the fresh trials; the first run where there was nothing to confirm, or where it did not
        come to its end.

    Raises:
        SettingsError: There are not two assistants.
    """
    once, again = _repeated(job, 1), _repeated(job, fresh)
    suites = load(job)
    screen = plan_of(once, suites)
    asked = {SCREEN: {"fresh": fresh, "margin": question.margin, "alpha": question.alpha}}
    first = await begin(once, suites, screen, control, told=asked)
    if first.status != "finished":
        return first
    suspects = _turned(first, screen.variants[0].name)
    told(first, suspects)
    if not suspects:
        return first
    chosen = {SUSPECTS: sorted(suspects), SCREENED_BY: first.id, **asked}
    return await begin(again, suites, only(plan_of(again, suites), suspects), control, told=chosen)


def _turned(run: SuiteRun, baseline: str) -> Cases:
    """What passed with the baseline and failed with the other; what is in quarantine is left aside."""
    ended: dict[str, set[tuple[str, str]]] = {"passed": set(), "failed": set()}
    for result in run.results:
        wanted = "passed" if result.variant == baseline else "failed"
        if result.outcome == wanted and not result.quarantined:
            ended[wanted].add((result.suite, result.conversation))
    return ended["passed"] & ended["failed"]


def _repeated(job: Job, repeats: int) -> Job:
    """The job with so many repeats.

    Raises:
        SettingsError: It does not name two assistants.
    """
    if len(job.assistants) != 2:
        raise SettingsError(
            f"{len(job.assistants)} assistants are named, and two are run side by side",
            hint="Name the baseline and one candidate.",
        )
    return replace(job, settings=job.settings.model_copy(update={"repeats": repeats}))
