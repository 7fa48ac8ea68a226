"""One trial: a conversation played against a target, scored, and made a result, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from harness.clock import Clock
from harness.cost.prices import Cost
from harness.cost.usage import total_if_known
from harness.errors import HarnessError
from harness.plan import Trial
from harness.results import Outcome, Score, TrialResult
from harness.runner.speaking import Played, Speaker
from harness.runner.talk import play_function
from harness.suite.records import CodedConversation
from harness.targets.interface import MOST_ROUNDS, Replaying, Target
from harness.trace.costs import turns_cost
from harness.trace.records import Message, Trace

ScoreTrace = Callable[[Trial, Trace], tuple[Score, ...]]


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How a trial is run.

    Attributes:
        deadline_s: Longest a turn may take; then it ends as ``timed_out``.
        score: Judges the trace; called once a trial, also when the trial was cut short.
        most_rounds: How often the assistant may ask for functions in one turn; more end the turn.
    """

    deadline_s: float
    score: ScoreTrace
    most_rounds: int = MOST_ROUNDS


async def run_trial(trial: Trial, target: Target, options: TrialOptions, clock: Clock) -> TrialResult:
    """The trial's result; never raises for what an assistant, a target or a scorer does wrong."""
    started_at = clock.now()
    played = Played()
    error: str | None = None
    try:
        place = target.for_trial(trial) if isinstance(target, Replaying) else target
        await _play(trial, place, options, played, clock)
    except HarnessError as failure:
        error = str(failure)
    except Exception as failure:  # noqa: BLE001 - the edge of a trial: everything becomes data
        error = f"internal error: {type(failure).__name__}: {failure}"
    trace = Trace(
        trial_id=trial.id,
        target=target.name,
        turns=tuple(played.turns),
        history=tuple(Message(role=m.role, text=m.content) for m in trial.conversation.history),
        documents=played.documents,
        simulations=tuple(played.simulations),
    )
    judged = replace(trial, conversation=played.script(trial.conversation))
    scores = (*options.score(judged, trace), *played.scores)
    result = _result(trial, trace, scores, error, started_at, clock.now())
    return msgspec.structs.replace(result, replayed=isinstance(target, Replaying))


async def _play(trial: Trial, target: Target, options: TrialOptions, played: Played, clock: Clock) -> None:
    """Play the conversation; what was reached stands in ``played`` even when a turn raises."""
    speaker = Speaker(
        trial,
        target,
        played,
        deadline_s=options.deadline_s,
        most_rounds=options.most_rounds,
        clock=clock,
    )
    await speaker.begin()
    try:
        if isinstance(trial.conversation, CodedConversation):
            await play_function(trial, trial.conversation, speaker, played)
        else:
            await speaker.say_all(trial.conversation.turns)
    finally:
        await speaker.leave()


def _result(
    trial: Trial,
    trace: Trace,
    scores: tuple[Score, ...],
    error: str | None,
    started_at: datetime,
    ended_at: datetime,
) -> TrialResult:
    cost = turns_cost(trace.turns, trial.variant.assistant.model)
    if error is not None:
        cost = Cost(None, "the trial broke off, and what its last turn cost is unknown")
    return TrialResult(
        trial_id=trial.id,
        suite=trial.suite.name,
        conversation=trial.conversation.id,
        cluster=trial.conversation.cluster or trial.conversation.id,
        tags=trial.conversation.tags,
        variant=trial.variant.name,
        fingerprint=trial.variant.fingerprint,
        repeat=trial.repeat,
        outcome=outcome(scores, error),
        error=error,
        started_at=started_at,
        ended_at=ended_at,
        scores=scores,
        usage=total_if_known(turn.usage for turn in trace.turns),
        cost_usd=cost.usd,
        cost_reason=cost.reason,
        latency_s=sum(turn.latency_s for turn in trace.turns),
        trace=trace,
    )


def outcome(scores: tuple[Score, ...], error: str | None) -> Outcome:
    """``errored`` when the harness or provider failed; ``skipped`` when nothing could be judged."""
    if error is not None:
        return "errored"
    verdicts = [score.passed for score in scores]
    if False in verdicts:
        return "failed"
    return "passed" if True in verdicts else "skipped"
