"""What the turns of a trace cost."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cost.charges import CodeSessions, at_tier
from harness.cost.prices import (
    FREE,
    Cost,
    PriceBook,
    TokenPrice,
    code_interpreter_cost,
    file_search_cost,
    token_cost,
)
from harness.trace.records import Judgement, Simulation, TurnTrace

__all__ = ["TokenPrice", "turns_cost"]


def turns_cost(
    turns: Sequence[TurnTrace], model: str, *, first: int = 0, price: TokenPrice = token_cost
) -> Cost:
    """Tokens of the turns at their model's price, sessions of code_interpreter, and paid calls.

    Args:
        turns: The talk from its beginning.
        model: What to price a turn by when its run names no model.
        first: Index of the first turn to count; a session that began before it is paid already.
        price: The price of a model's usage.
    """
    cost = FREE
    for turn in [turns[at] for at in _session_starts(turns) if at >= first]:
        cost += code_interpreter_cost(1, turn.api)
    for turn in turns[first:]:
        cost += at_tier(turn.service_tier, price(turn.model or model, turn.usage)) + _calls_cost(turn)
    return cost


def simulator_cost(simulations: Sequence[Simulation], *, price: TokenPrice = token_cost) -> Cost:
    """What the chat models cost that played the user; Python functions cost nothing."""
    asked = (each for each in simulations if each.model is not None)
    return sum((price(each.model or "", each.usage) for each in asked), start=FREE)


def judge_cost(judgements: Sequence[Judgement], prices: PriceBook | None = None) -> Cost:
    """What the chat models cost that judged; a vote that nobody took costs nothing."""
    book = prices or PriceBook()
    return sum((_votes_cost(each, book.asked_for(each.judge)) for each in judgements), start=FREE)


def _votes_cost(judgement: Judgement, price: TokenPrice) -> Cost:
    if any(vote.unanswered for vote in judgement.votes):
        return Cost(None, "a judge did not answer in time, or what came back could not be read")
    answered = (vote for vote in judgement.votes if vote.model is not None)
    return sum((at_tier(each.service_tier, price(each.model or "", each.usage)) for each in answered), FREE)


def _calls_cost(turn: TurnTrace) -> Cost:
    """Calls of file_search cost something with responses only."""
    if turn.api != "responses":
        return FREE
    return file_search_cost(sum(call.type == "file_search" for call in turn.tool_calls))


def _session_starts(turns: Sequence[TurnTrace]) -> list[int]:
    """Indexes of the turns that began a session."""
    sessions = CodeSessions()
    return [
        index
        for index, turn in enumerate(turns)
        if any(call.type == "code_interpreter" for call in turn.tool_calls)
        and sessions.begins(turn.started_at, turn.api)
    ]
