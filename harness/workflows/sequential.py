"""Two assistants side by side: until it is decided whether one is worse, or to confirm what seems so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from harness.compare.gate import judged
from harness.compare.sequential import FEWEST, Look, Looks
from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.errors import SettingsError
from harness.plan import Plan
from harness.results import SuiteRun, TrialResult
from harness.runner.events import Event, TrialFinished
from harness.runner.executors.local import Stop
from harness.workflows.jobs import Job, load, plan_of
from harness.workflows.running import Control, begin

Cases = set[tuple[str, str]]
"""Conversations, by suite and id."""


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
    watch = _Watch(looks, plan, control.stop, told)
    listening = replace(control, listeners=[*control.listeners, watch])
    return await begin(job, suites, plan, listening, told={"looks": looks.as_json()})


async def confirm(
    job: Job, fresh: int, control: Control, told: Callable[[SuiteRun, Cases], None]
) -> SuiteRun:
    """Run a job's two assistants once, then what got worse so many times more, with both.

    Only the fresh trials say whether it is worse: those that made a conversation suspect were chosen for
    being bad. The first run is stored too, and named by the second as ``screened_by``.

    Args:
        job: Names the baseline and the candidate.
        fresh: Trials of each suspect and assistant.
        control: How the runs are watched and stopped.
        told: Gets the first run, and the conversations that passed with the baseline and failed with the
            candidate.

    Returns:
        The run of the fresh trials; the first run where there was nothing to confirm, or where it did not
        come to its end.

    Raises:
        SettingsError: There are not two assistants.
    """
    once, again = _repeated(job, 1), _repeated(job, fresh)
    suites = load(job)
    screen = plan_of(once, suites)
    first = await begin(once, suites, screen, control)
    if first.status != "finished":
        return first
    suspects = _turned(first, screen.variants[0].name)
    told(first, suspects)
    if not suspects:
        return first
    trials = plan_of(again, suites).trials
    plan = Plan(tuple(each for each in trials if (each.suite.name, each.conversation.id) in suspects))
    return await begin(again, suites, plan, control, told={"screened_by": first.id})


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


@dataclass(slots=True)
class _Watch:
    """Takes a look whenever a pass is complete, and ends the run with the look that decides."""

    looks: Looks
    plan: Plan
    stop: Stop
    told: Callable[[Look], None]
    _left: Counter[int] = field(init=False)
    _trials: list[Trial] = field(default_factory=list)
    _passes: int = 0
    _decided: bool = False

    def __post_init__(self) -> None:
        self._left = Counter(trial.repeat for trial in self.plan.trials)

    def __call__(self, event: Event) -> None:
        if not isinstance(event, TrialFinished):
            return
        self._left[event.result.repeat] -= 1
        if not event.result.quarantined:
            self._trials.append(judged(event.result, self._side(event.result)).trial)
        while not self._decided and self._passes < self.looks.passes and not self._left[self._passes + 1]:
            self._passes += 1
            if self._passes >= FEWEST:
                self._look()

    def _side(self, result: TrialResult) -> str:
        return BASELINE if result.variant == self.plan.variants[0].name else CANDIDATE

    def _look(self) -> None:
        look = self.looks.look(self._trials, self._passes)
        self._decided = look.decided
        self.told(look)
        if look.decided:
            self.stop.set("decided")
