"""One trial: a conversation played against a target, scored, and made a result, whatever happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta

import msgspec
from msgspec.structs import replace

from harness.clock import Clock
from harness.cost.prices import Cost, PriceBook
from harness.cost.usage import total_if_known
from harness.errors import BudgetError, HarnessError, StoreError, TrialBudgetExhausted
from harness.plan import Trial
from harness.results import Outcome, Quarantine, Score, TrialResult
from harness.runner.budget import Budget, TrialPurse, pays
from harness.runner.failures import FailureLimit
from harness.runner.speaking import PayTurn, Played, Speaker
from harness.runner.talk import play_function
from harness.suite.records import CodedConversation
from harness.targets.interface import MOST_ROUNDS, Judged, Target, replays
from harness.targets.spending import spending_from
from harness.trace.costs import judge_cost, turns_cost
from harness.trace.records import Judgement, Message, Trace, TurnTrace

ScoreTrace = Callable[[Trial, Trace], tuple[Score, ...]]
JudgeTrace = Callable[[Trial, Trace, "tuple[Judgement, ...] | None"], Awaitable[tuple[Judgement, ...]]]
"""Asks judges about a trace; what was kept of an earlier trial comes with it, else None."""


class TrialOptions(msgspec.Struct, frozen=True):
    """How a trial is run.

    Attributes:
        score: Judges the trace; called once a trial, also when the trial was cut short.
        deadline_s: Longest a turn may take; then it ends as ``timed_out``. None: what the suite says.
        provision_deadline_s: Longest making an assistant ready may take; then there is no run.
        most_rounds: How often the assistant may ask for functions in one turn; more end the turn.
        prices: What tokens cost.
        budget: Pays for the requests; None for as much as it takes.
        failures: How many bad trials end the run early.
        judge: Asks the judges that expectations want; None when there are none.
        day: The day by which quarantines are in force; None: the day on which the trial begins.
    """

    score: ScoreTrace
    deadline_s: float | None = None
    provision_deadline_s: float = 900.0
    most_rounds: int = MOST_ROUNDS
    prices: PriceBook = msgspec.field(default_factory=PriceBook)
    budget: Budget | None = None
    failures: FailureLimit = msgspec.field(default_factory=FailureLimit)
    judge: JudgeTrace | None = None
    day: date | None = None

    def purse(self, trial: Trial, target: Target) -> TrialPurse | None:
        """The money of a trial; where neither target nor judge costs anything it needs none."""
        if self.budget is None or (pays(target) == "nothing" and self.judge is None):
            return None
        return self.budget.purse(trial.id)


async def run_trial(trial: Trial, target: Target, options: TrialOptions, clock: Clock) -> TrialResult:
    """The trial's result; never raises for what an assistant, a target or a scorer does wrong.

    Raises:
        BudgetError: The suite run can't pay for the trial's next request: there is no result.
        StoreError: What is spent can't be written down.
    """
    started_at, begun = clock.now(), clock.monotonic()
    purse = options.purse(trial, target)
    played = Played()
    judgements: tuple[Judgement, ...] = ()
    error: str | None = None
    try:
        place = target.for_trial(trial) if replays(target) else target
        with spending_from(purse):
            await _play(trial, place, options, played, clock, purse)
            judgements = await _judgements(trial, place, options, played, purse)
    except TrialBudgetExhausted as failure:
        error = str(failure)
    except (BudgetError, StoreError):
        raise
    except HarnessError as failure:
        error = str(failure)
    except Exception as failure:  # noqa: BLE001 - the edge of a trial: everything becomes data
        error = f"internal error: {type(failure).__name__}: {failure}"
    trace = msgspec.structs.replace(_trace(trial, target, played), judgements=judgements)
    scores = (*options.score(_as_played(trial, played), trace), *played.scores)
    # The time of day may jump meanwhile, and then a trial would end before it began.
    ended_at = started_at + timedelta(seconds=clock.monotonic() - begun)
    cost = _cost(trial, trace, options.prices, error, purse)
    result = _result(trial, trace, scores, cost, error, started_at, ended_at)
    judged = judge_cost(trace.judgements, options.prices) if trace.judgements else Cost(None)
    return msgspec.structs.replace(
        result,
        replayed=replays(target),
        quarantine=_quarantine(trial, options.day or started_at.date()),
        judge_cost_usd=judged.usd,
        judge_cost_reason=judged.reason,
    )


def _quarantine(trial: Trial, day: date) -> Quarantine | None:
    said = trial.conversation.quarantine
    return (
        None if said is None else Quarantine(until=said.until, reason=said.reason, in_force=day <= said.until)
    )


def _trace(trial: Trial, target: Target, played: Played) -> Trace:
    return Trace(
        trial_id=trial.id,
        target=target.name,
        turns=tuple(played.turns),
        history=tuple(Message(role=m.role, text=m.content) for m in trial.conversation.history),
        documents=played.documents,
        simulations=tuple(played.simulations),
    )


def _as_played(trial: Trial, played: Played) -> Trial:
    return replace(trial, conversation=played.script(trial.conversation))


async def _judgements(
    trial: Trial, target: Target, options: TrialOptions, played: Played, purse: TrialPurse | None
) -> tuple[Judgement, ...]:
    """What judges decide about a talk that came to its end."""
    if options.judge is None:
        return ()
    if purse is not None:
        purse.role = "judge"
    kept = target.judgements if isinstance(target, Judged) else None
    return await options.judge(_as_played(trial, played), _trace(trial, target, played), kept)


async def _play(
    trial: Trial,
    target: Target,
    options: TrialOptions,
    played: Played,
    clock: Clock,
    purse: TrialPurse | None,
) -> None:
    """Play the conversation; what was reached stands in ``played`` even when a turn raises."""
    speaker = Speaker(
        trial,
        target,
        played,
        deadline_s=options.deadline_s,
        most_rounds=options.most_rounds,
        clock=clock,
        pay=_payer(trial, options, played, purse) if purse and pays(target) == "turns" else None,
    )
    try:
        await speaker.begin()
        if isinstance(trial.conversation, CodedConversation):
            await play_function(trial, trial.conversation, speaker, played)
        else:
            await speaker.say_all(trial.conversation.turns)
    finally:
        await speaker.leave()


def _payer(trial: Trial, options: TrialOptions, played: Played, purse: TrialPurse) -> PayTurn:
    """Pays for turns at a target that can't be limited: what one costs at most was said in the settings."""
    model = trial.variant.assistant.model
    price = options.prices.asked_for(model)

    async def pay(send: Callable[[], Awaitable[TurnTrace]]) -> TurnTrace:
        held = await purse.hold_turn()
        try:
            trace = await send()
        except BaseException:
            held.lose()
            raise
        turns = [*played.turns, trace]
        held.settle_at(turns_cost(turns, model, first=len(turns) - 1, price=price))
        return trace

    return pay


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
