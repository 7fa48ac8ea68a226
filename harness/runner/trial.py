"""One trial: a conversation played against a target, scored, and made a result, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.clock import Clock
from harness.cost.prices import Cost
from harness.cost.usage import total_if_known
from harness.errors import TargetError, TargetTimeout
from harness.plan import Trial
from harness.results import Outcome, Score, TrialResult
from harness.runner.tools import StubBook
from harness.suite.records import Turn
from harness.targets.interface import OutgoingTurn, Session, Target
from harness.trace.costs import turns_cost
from harness.trace.records import Message, Trace, TurnTrace

USUAL_DEADLINE_S = 120.0
"""Longest a turn may take where neither the suite nor the command line says."""
_TIDY_S = 45.0
"""How long a target may take to close a thread; most give up before."""

_Brought = TypeVar("_Brought")
ScoreTrace = Callable[[Trial, Trace], tuple[Score, ...]]


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How a trial is run.

    Attributes:
        score: Judges the trace; called once a trial, also when the trial was cut short.
        deadline_s: Longest a turn may take; then it ends as ``timed_out``. None: what the suite says.
        provision_deadline_s: Longest making an assistant ready may take; then there is no run.
    """

    score: ScoreTrace
    deadline_s: float | None = None
    provision_deadline_s: float = 900.0


async def run_trial(trial: Trial, target: Target, options: TrialOptions, clock: Clock) -> TrialResult:
    """The trial's result; never raises for what an assistant, a target or a scorer does wrong."""
    started_at, begun = clock.now(), clock.monotonic()
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
    scores = options.score(trial, trace)
    # The time of day may jump meanwhile, and then a trial would end before it began.
    ended_at = started_at + timedelta(seconds=clock.monotonic() - begun)
    return _result(trial, trace, scores, error, started_at, ended_at)


async def _play(
    trial: Trial, target: Target, options: TrialOptions, turns: list[TurnTrace]
) -> dict[str, str]:
    """Play all turns; what was reached stands in ``turns`` even when a later one raises."""
    conversation = trial.conversation
    stubs = StubBook(trial.suite.stubs)
    user = f"{trial.id}/{conversation.as_ or 'user'}" if _comes_back(trial) else None
    within_s = _deadline_s(conversation.turns[0], options)
    opening = target.open(trial.variant, history=conversation.history, user_id=user)
    session = await in_time(opening, within_s, "open a thread")
    try:
        for turn in conversation.turns:
            if turn.returning and user:
                await _give_back(session)
                opening = target.open(trial.variant, user_id=user)
                session = await in_time(opening, within_s, "open a thread again")
            turns.append(await _send(session, turn, stubs, options, trial.suite.source))
        return session.documents
    finally:
        await _give_back(session)


async def _give_back(session: Session) -> None:
    """Close a session; what the target does not let go changes nothing about what was said."""
    try:
        await in_time(session.close(), _TIDY_S, "close a thread")
    except TargetError:
        return


def _deadline_s(turn: Turn, options: TrialOptions) -> float:
    return options.deadline_s or turn.deadline_s or USUAL_DEADLINE_S


async def in_time(work: Awaitable[_Brought], within_s: float, what: str) -> _Brought:
    """What the work brings.

    Raises:
        TargetTimeout: It took too long, and was given up.
    """
    try:
        async with asyncio.timeout(within_s) as limit:
            return await work
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TargetTimeout(
            f"the target took more than {within_s:g} s to {what}",
            hint="see whether it hangs, or give it longer",
        ) from error


def _comes_back(trial: Trial) -> bool:
    return trial.conversation.as_ is not None or any(turn.returning for turn in trial.conversation.turns)


async def _send(
    session: Session, turn: Turn, stubs: StubBook, options: TrialOptions, suite: Path
) -> TurnTrace:
    attachments = tuple((suite.parent / each.file, each) for each in turn.attach)
    outgoing = OutgoingTurn(turn.user, attachments)
    trace = await session.send(outgoing, stubs.answer, deadline_s=_deadline_s(turn, options))
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
