"""A stored run is scored anew, with the suites' expectations and the scorers of today, without any request.

Its traces are played again as recordings are: what the suites send today must be what was sent then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from harness.clock import new_id
from harness.errors import HarnessError
from harness.judge.asking import Judge
from harness.plan import Plan, Trial
from harness.results import RESCORED, Score, SuiteRun, TrialResult
from harness.settings import Settings
from harness.suite.records import Suite
from harness.targets.recording import RecordingTarget
from harness.targets.traffic import Traffic
from harness.trace.recording import Recording
from harness.workflows.jobs import Job, load, plan_of, recalled, remembered
from harness.workflows.judging import judge_of, refuse_unjudgeable, replaying_judge
from harness.workflows.recorded import whole_trial
from harness.workflows.running import Control, Work
from harness.workflows.stored import open_store

TARGET = "rescore"
"""What a rescored run names as its target."""

_Named = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """A score that is another than it was.

    Attributes:
        trial_id: The trial.
        turn: From 0; None for the whole conversation.
        check: The expectation.
        before: The score then; None when it was not asked.
        after: The score now; None when it is no longer asked.
    """

    trial_id: str
    turn: int | None
    check: str
    before: Score | None
    after: Score | None


@dataclass(frozen=True, slots=True)
class Rescored:
    """A run that was scored anew.

    Attributes:
        run: The new run; the original stays as it was.
        source: The original run's id.
        changes: Scores that changed, in the order of the run.
        left_out: Trials that could not be scored anew, with why: what is sent has changed, or they had
            ended in an error.
    """

    run: SuiteRun
    source: str
    changes: tuple[ScoreChange, ...]
    left_out: Mapping[str, str]


async def rescore(
    run_id: str,
    settings: Settings,
    control: Control | None = None,
    *,
    asks_judge: bool = False,
    changed: Collection[str] = (),
) -> Rescored:
    """Score a stored run anew; the new run is stored beside it and names it as ``rescored_from``.

    With ``asks_judge`` judges are asked where what they decided then does not fit any more; the assistant is
    never asked. ``changed`` names the settings that replace those of the run.

    Raises:
        StoreError: The run is unknown.
        SuiteError: Its suites have mistakes now, or are gone.
        HarnessError: None of its trials is planned any more (code ``nothing-to-run``).
    """
    with open_store(settings, create=False) as store:
        source = store.run(run_id)
        job = _job(source, settings, changed)
        control = control or Control()
        suites = load(job, control.clock)
        played = _playable(source.results)
        trials, gone = _planned(source.results, plan_of(job, suites).trials)
        plan = Plan(tuple(trial for trial in trials if trial.id in played))
        if not plan.trials:
            raise _nothing_left(source.id)
        target = RecordingTarget(TARGET, _as_recording(played.values()))
        told = {**remembered(job, suites), "target": TARGET, RESCORED: source.id}
        traffic = Traffic(job.settings.limits())
        judge = _judge(job.settings, suites, control, traffic) if asks_judge else None
        judge = judge or replaying_judge(job.settings, control.clock)
        work = Work(new_id(control.clock), plan, job.settings, target, traffic, store, control, judge)
        run = await work.begin(told)
    return _compared(source, run, gone)


def _judge(settings: Settings, suites: Sequence[Suite], control: Control, traffic: Traffic) -> Judge:
    refuse_unjudgeable(settings, suites)
    return judge_of(settings, control.clock, traffic)


def _job(source: SuiteRun, settings: Settings, changed: Collection[str]) -> Job:
    """The job that the run began with; no assistant is asked or recorded again, all of it is judged."""
    job = recalled(source, settings, changed)
    limits = {"budget_usd", "budget_per_trial_usd"} - set(changed)
    unlimited = dict.fromkeys(("record", "max_failures", "max_errors", *limits), None)
    return replace(job, settings=job.settings.model_copy(update=unlimited))


def _playable(results: Iterable[TrialResult]) -> dict[str, TrialResult]:
    """Trials with all their answers, by id."""
    return {each.trial_id: each for each in results if each.trace is not None and each.outcome != "errored"}


def _planned(results: Sequence[TrialResult], planned: Iterable[Trial]) -> tuple[list[Trial], dict[str, str]]:
    """The trials of the run as the suites have them today, and those that the suites no longer have."""
    known: dict[_Named, Trial] = {}
    for trial in planned:
        known.setdefault((trial.suite.name, trial.conversation.id, trial.variant.name), trial)
    found: list[Trial] = []
    gone: dict[str, str] = {}
    for result in results:
        today = known.get((result.suite, result.conversation, result.variant))
        if today is None:
            gone[result.trial_id] = "its conversation or assistant is no longer in the suites"
        else:
            found.append(replace(today, repeat=result.repeat, position=len(found)))
    return found, gone


def _as_recording(results: Iterable[TrialResult]) -> Recording:
    """The stored traces, to be answered from."""
    trials = (whole_trial(result, result.trace) for result in results if result.trace is not None)
    return Recording(trials={trial.key: trial for trial in trials})


def _nothing_left(run_id: str) -> HarnessError:
    return HarnessError(
        f"none of the trials of run {run_id} can be scored anew",
        code="nothing-to-run",
        hint="they ended in errors, or their suites have other conversations now: run the suites again",
    )


# --- what has changed -----------------------------------------------------------------------------------


def _compared(source: SuiteRun, run: SuiteRun, gone: Mapping[str, str]) -> Rescored:
    before = {result.trial_id: result for result in source.results}
    left_out = dict(gone)
    changes: list[ScoreChange] = []
    for result in source.results:
        if result.outcome == "errored":
            left_out[result.trial_id] = "it ended in an error, and its answers are missing"
    for result in run.results:
        if result.outcome == "errored":
            left_out[result.trial_id] = result.error or "it ended in an error"
        else:
            changes += _changes(before[result.trial_id], result)
    return Rescored(run, source.id, tuple(changes), left_out)


def _changes(before: TrialResult, after: TrialResult) -> Iterator[ScoreChange]:
    """Scores that came, went, or judge otherwise; equal expectations of one turn are told apart by order."""
    then, now = _numbered(before.scores), _numbered(after.scores)
    for key in dict.fromkeys([*then, *now]):
        old, new = then.get(key), now.get(key)
        if _judged(old) != _judged(new):
            yield ScoreChange(after.trial_id, key[0], key[1], old, new)


def _numbered(scores: Iterable[Score]) -> dict[tuple[int | None, str, int], Score]:
    found: dict[tuple[int | None, str, int], Score] = {}
    for score in scores:
        number = sum(key[:2] == (score.turn, score.check) for key in found)
        found[score.turn, score.check, number] = score
    return found


def _judged(score: Score | None) -> object:
    return None if score is None else (score.value, score.passed)
