"""What the turns of a trace cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from harness.cost.prices import FREE, Cost, code_interpreter_cost, file_search_cost, token_cost
from harness.cost.usage import Usage
from harness.trace.records import Simulation, TurnTrace

TokenPrice = Callable[[str, Usage | None], Cost]

# One code_interpreter session serves a thread for an hour from its first use (Assistants API pricing).
_SESSION_S = 3600
_STANDARD_TIERS = (None, "default", "auto")


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
    sessions = sum(at >= first for at in _session_starts(turns))
    cost = code_interpreter_cost(sessions) if sessions else FREE
    for turn in turns[first:]:
        cost += _at_tier(turn, price(turn.model or model, turn.usage)) + _calls_cost(turn)
    return cost


def simulator_cost(simulations: Sequence[Simulation], *, price: TokenPrice = token_cost) -> Cost:
    """What the chat models cost that played the user; Python functions cost nothing."""
    asked = (each for each in simulations if each.model is not None)
    return sum((price(each.model or "", each.usage) for each in asked), start=FREE)


def _at_tier(turn: TurnTrace, cost: Cost) -> Cost:
    """The cost, unless another tier than the standard one was used, whose prices are others."""
    if turn.service_tier in _STANDARD_TIERS:
        return cost
    return Cost(None, f"no price is known for the service tier {turn.service_tier!r}")


def _calls_cost(turn: TurnTrace) -> Cost:
    """Calls of file_search cost something with responses only."""
    if turn.api != "responses":
        return FREE
    return file_search_cost(sum(call.type == "file_search" for call in turn.tool_calls))


def _session_starts(turns: Sequence[TurnTrace]) -> list[int]:
    """Indexes of the turns that began a session."""
    starts: list[int] = []
    begun_at: datetime | None = None
    for index, turn in enumerate(turns):
        called = any(call.type == "code_interpreter" for call in turn.tool_calls)
        if called and (begun_at is None or (turn.started_at - begun_at).total_seconds() >= _SESSION_S):
            starts.append(index)
            begun_at = turn.started_at
    return starts
