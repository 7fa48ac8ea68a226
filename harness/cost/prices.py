"""What usage costs in USD, from a dated price book; an unknown price stays unknown.

Token prices come from the ``genai-prices`` package, which carries its own data and is never asked to
update itself over the network. ``prices.json`` in this folder adds the fees that package does not know
(tool calls, sessions, storage), each row with its source and date.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources

import msgspec

from harness.cost.usage import Usage


class Fee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of prices.json: a fee that is not per token."""

    meter: str
    unit: str
    usd: Decimal
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What something cost, or why nobody knows.

    Attributes:
        usd: Dollars, or None when unknown.
        reason: Why it is unknown; empty when it is known.
    """

    usd: Decimal | None
    reason: str = ""

    def __add__(self, other: Cost) -> Cost:
        if self.usd is None or other.usd is None:
            return Cost(None, self.reason or other.reason)
        return Cost(self.usd + other.usd)


FREE = Cost(Decimal(0))


@cache
def fees() -> dict[str, Fee]:
    """The fees of prices.json by meter."""
    content = resources.files("harness.cost").joinpath("prices.json").read_bytes()
    return {fee.meter: fee for fee in msgspec.json.decode(content, type=list[Fee])}


def token_cost(model: str, usage: Usage | None) -> Cost:
    """The standard-tier list price of this usage.

    Cached tokens are part of ``prompt_tokens`` and billed at the cached rate; reasoning tokens are part of
    ``completion_tokens`` and billed as output.
    """
    if usage is None:
        return Cost(None, "the target reported no usage")
    if model in _unpriced:
        return _no_price(model)
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    priced = PricedUsage(
        input_tokens=usage.prompt_tokens,
        cache_read_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
    )
    try:
        return Cost(calc_price(priced, model_ref=model, provider_id="openai").total_price)
    except LookupError:
        if len(_unpriced) < _MOST_UNPRICED:
            _unpriced.add(model)
        return _no_price(model)


# The price book looks through all its patterns to find that none fits: 2 ms that a run would pay every turn.
_unpriced: set[str] = set()
_MOST_UNPRICED = 1_000


def _no_price(model: str) -> Cost:
    return Cost(None, f"no price is known for model {model!r}")


def file_search_cost(calls: int) -> Cost:
    """The fee for file_search calls of responses; with assistants only the tokens of what was found count."""
    return Cost(fees()["responses.file_search"].usd * calls)


def code_interpreter_cost(sessions: int) -> Cost:
    """The fee for code_interpreter sessions (one a thread and hour, only when the tool was called)."""
    return Cost(fees()["assistants.code_interpreter"].usd * sessions)
