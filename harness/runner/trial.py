"""One trial: a conversation played against a target, scored, and made a result, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from harness.clock import Clock
from harness.cost.prices import Cost, PriceBook
from harness.cost.usage import total_if_known
from harness.errors import BudgetError, StoreError, TargetError, TrialBudgetExhausted
from harness.plan import Trial
from harness.results import Outcome, Score, TrialResult
from harness.runner.budget import Budget, TrialPurse, pays
from harness.runner.tools import StubBook
from harness.suite.records import Turn
from harness.targets.interface import OutgoingTurn, Session, Target
from harness.targets.spending import spending_from
from harness.trace.costs import turns_cost
from harness.trace.records import Message, Trace, TurnTrace

ScoreTrace = Callable[[Trial, Trace], tuple[Score, ...]]


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """How a trial is run.

    Attributes:
        deadline_s: Longest a turn may take; then it ends as ``timed_out``.
        score: Judges the trace; called once a trial, also when the trial was cut short.
        prices: What tokens cost.
        budget: Pays for the requests; None for as much as it takes.
    """

    deadline_s: float
    score: ScoreTrace
    prices: PriceBook = field(default_factory=PriceBook)
    budget: Budget | None = None

    def purse(self, trial: Trial, target: Target) -> TrialPurse | None:
        """The money of a trial; a target that costs nothing needs none."""
        if self.budget is None or pays(target) == "nothing":
            return None
        return self.budget.purse(trial.id)


async def run_trial(trial: Trial, target: Target, options: TrialOptions, clock: Clock) -> TrialResult:
    """The trial's result; never raises for what an assistant, a target or a scorer does wrong.

    Raises:
        BudgetError: The suite run can't pay for the trial's next request: there is no result.
        StoreError: What is spent can't be written down.
    """
    started_at = clock.now()
    purse = options.purse(trial, target)
    turns: list[TurnTrace] = []
    error: str | None = None
    documents: dict[str, str] = {}
    try:
        with spending_from(purse):
            documents = await _play(trial, target, options, turns, purse)
    except (TargetError, TrialBudgetExhausted) as failure:
        error = str(failure)
    except (BudgetError, StoreError):
        raise
    except Exception as failure:  # noqa: BLE001 - the edge of a trial: everything becomes data
        error = f"internal error: {type(failure).__name__}: {failure}"
    trace = Trace(
        trial_id=trial.id,
        target=target.name,
        turns=tuple(turns),
        history=tuple(Message(role=m.role, text=m.content) for m in trial.conversation.history),
        documents=documents,
    )
    cost = _cost(trial, trace, options.prices, error, purse)
    return _result(trial, trace, options.score(trial, trace), cost, error, started_at, clock.now())


async def _play(
    trial: Trial, target: Target, options: TrialOptions, turns: list[TurnTrace], purse: TrialPurse | None
) -> dict[str, str]:
    """Play all turns; what was reached stands in ``turns`` even when a later one raises."""
    conversation = trial.conversation
    stubs = StubBook(trial.suite.stubs)
    user = f"{trial.id}/{conversation.as_ or 'user'}" if _comes_back(trial) else None
    session = await target.open(trial.variant, history=conversation.history, user_id=user)
    try:
        for turn in conversation.turns:
            if turn.returning and user:
                await session.close()
                session = await target.open(trial.variant, user_id=user)
            sending = _send(session, turn, stubs, options, trial.suite.source)
            if purse is not None and pays(target) == "turns":
                await _paid_turn(sending, trial, options, turns, purse)
            else:
                turns.append(await sending)
        return session.documents
    finally:
        await session.close()


async def _paid_turn(
    sending: Coroutine[Any, Any, TurnTrace],
    trial: Trial,
    options: TrialOptions,
    turns: list[TurnTrace],
    purse: TrialPurse,
) -> None:
    """A turn at a target that can't be limited: what it costs at most was said in the settings."""
    try:
        held = await purse.hold_turn()
    except BaseException:
        sending.close()
        raise
    try:
        turns.append(await sending)
    except BaseException:
        held.lose()
        raise
    model = trial.variant.assistant.model
    price = options.prices.asked_for(model)
    held.settle_at(turns_cost(turns, model, first=len(turns) - 1, price=price))


def _comes_back(trial: Trial) -> bool:
    return trial.conversation.as_ is not None or any(turn.returning for turn in trial.conversation.turns)


async def _send(
    session: Session, turn: Turn, stubs: StubBook, options: TrialOptions, suite: Path
) -> TurnTrace:
    attachments = tuple((suite.parent / each.file, each) for each in turn.attach)
    outgoing = OutgoingTurn(turn.user, attachments)
    trace = await session.send(outgoing, stubs.answer, deadline_s=options.deadline_s)
    return msgspec.structs.replace(trace, returning=True) if turn.returning else trace


def _cost(trial: Trial, trace: Trace, prices: PriceBook, error: str | None, purse: TrialPurse | None) -> Cost:
    """By what the turns say they used; of a trial that broke off, as far as a purse kept count of it."""
    model = trial.variant.assistant.model
    if error is None:
        return turns_cost(trace.turns, model, price=prices.asked_for(model))
    if purse is not None and purse.is_certain:
        return Cost(purse.spent_usd)
    return Cost(None, "the trial broke off, and what its last turn cost is unknown")


def _result(
    trial: Trial,
    trace: Trace,
    scores: tuple[Score, ...],
    cost: Cost,
    error: str | None,
    started_at: datetime,
    ended_at: datetime,
) -> TrialResult:
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
