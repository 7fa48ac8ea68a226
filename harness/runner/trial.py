"""One trial: a conversation played against a target, scored, and made a result, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from harness.clock import Clock
from harness.cost.prices import Cost
from harness.cost.usage import total_if_known
from harness.errors import TargetError
from harness.plan import Trial
from harness.results import Outcome, Score, TrialResult
from harness.runner.tools import StubBook
from harness.suite.records import Turn
from harness.targets.interface import OutgoingTurn, Session, Target
from harness.targets.request_log import RequestLog, logged
from harness.trace.costs import turns_cost
from harness.trace.records import Message, Trace, TurnTrace

ScoreTrace = Callable[[Trial, Trace], tuple[Score, ...]]


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How a trial is run.

    Attributes:
        deadline_s: Longest a turn may take; then it ends as ``timed_out``.
        score: Judges the trace; called once a trial, also when the trial was cut short.
    """

    deadline_s: float
    score: ScoreTrace


async def run_trial(trial: Trial, target: Target, options: TrialOptions, clock: Clock) -> TrialResult:
    """The trial's result; never raises for what an assistant, a target or a scorer does wrong."""
    started_at = clock.now()
    turns: list[TurnTrace] = []
    error: str | None = None
    documents: dict[str, str] = {}
    try:
        documents = await _play(trial, target, options, turns)
    except TargetError as failure:
        error = str(failure)
    except Exception as failure:  # noqa: BLE001 - the edge of a trial: everything becomes data
        error = f"internal error: {type(failure).__name__}: {failure}"
    trace = Trace(
        trial_id=trial.id,
        target=target.name,
        turns=tuple(turns),
        history=tuple(Message(role=m.role, text=m.content) for m in trial.conversation.history),
        documents=documents,
    )
    return _result(trial, trace, options.score(trial, trace), error, started_at, clock.now())


async def _play(
    trial: Trial, target: Target, options: TrialOptions, turns: list[TurnTrace]
) -> dict[str, str]:
    """Play all turns; what was reached stands in ``turns`` even when a later one raises."""
    conversation = trial.conversation
    stubs = StubBook(trial.suite.stubs)
    user = f"{trial.id}/{conversation.as_ or 'user'}" if _comes_back(trial) else None
    with logged(RequestLog()) as opening:
        session = await target.open(trial.variant, history=conversation.history, user_id=user)
    try:
        for turn in conversation.turns:
            if turn.returning and user:
                await session.close()
                session = await target.open(trial.variant, user_id=user)
            trace = await _send(session, turn, stubs, options, trial.suite.source)
            turns.append(trace if turns else _with_opening(trace, opening))
        return session.documents
    finally:
        await session.close()


def _with_opening(first: TurnTrace, opening: RequestLog) -> TurnTrace:
    """What opening the thread had to wait for stands with the first turn; its latency begins later."""
    return msgspec.structs.replace(
        first,
        wait_s=opening.waited_s + first.wait_s,
        attempts=(*opening.attempts, *first.attempts),
    )


def _comes_back(trial: Trial) -> bool:
    return trial.conversation.as_ is not None or any(turn.returning for turn in trial.conversation.turns)


async def _send(
    session: Session, turn: Turn, stubs: StubBook, options: TrialOptions, suite: Path
) -> TurnTrace:
    attachments = tuple((suite.parent / each.file, each) for each in turn.attach)
    outgoing = OutgoingTurn(turn.user, attachments)
    trace = await session.send(outgoing, stubs.answer, deadline_s=options.deadline_s)
    return msgspec.structs.replace(trace, returning=True) if turn.returning else trace


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
        wait_s=sum(turn.wait_s for turn in trace.turns),
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
