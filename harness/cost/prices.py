"""What usage costs in USD, from a dated price book; an unknown price stays unknown.

Token prices come from the ``genai-prices`` package, which carries its own data and is never asked to
update itself over the network. ``prices.json`` in this folder adds the fees that package does not know
(tool calls, sessions, storage), each row with its source and date. A ``PriceBook`` adds prices of one's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Literal

import msgspec

from harness.cost.usage import Usage


class Fee(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of prices.json: a fee that is not per token."""

    meter: str
    unit: str
    usd: Decimal
    source: str
    date: str


class Cost(msgspec.Struct, frozen=True):
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
TokenPrice = Callable[[str, Usage | None], Cost]
"""The price of a model's usage."""
Api = Literal["assistants", "responses", "chat", "function"]

_MILLION = Decimal(1_000_000)
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}\Z")


class ModelPrice(msgspec.Struct, frozen=True):
    """What somebody pays for a model, in USD per million tokens.

    Attributes:
        input: A million prompt tokens.
        output: A million completion tokens.
        cached: A million prompt tokens that were read from a cache; ``input`` when left out.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None

    def of(self, usage: Usage) -> Decimal:
        """The price of this usage."""
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        parts = (
            (usage.prompt_tokens - cached) * self.input,
            cached * (self.input if self.cached is None else self.cached),
            usage.completion_tokens * self.output,
        )
        return sum(parts, Decimal(0)) / _MILLION


class PriceBook(msgspec.Struct, frozen=True):
    """Prices of one's own, and list prices for every other model.

    Attributes:
        own: By the name that assistant files give the model.
    """

    own: Mapping[str, ModelPrice] = msgspec.field(default_factory=dict)

    def token_cost(self, model: str, usage: Usage | None) -> Cost:
        """What this usage costs: at one's own price of the model, else at its list price."""
        price = self._own(model)
        if price is None or usage is None:
            return token_cost(model, usage)
        return Cost(price.of(usage))

    def asked_for(self, model: str) -> TokenPrice:
        """The prices of runs that were asked of this model, whatever name the target reports.

        A deployment or a local model often answers under another name; one's own price of the name that was
        asked for holds then too.
        """
        price = self._own(model)
        if price is None:
            return self.token_cost
        own = price

        def cost(reported: str, usage: Usage | None) -> Cost:
            return token_cost(reported, None) if usage is None else Cost(own.of(usage))

        return cost

    def knows(self, model: str) -> bool:
        """Whether there is a price of this model."""
        return self.token_cost(model, Usage()).usd is not None

    def _own(self, model: str) -> ModelPrice | None:
        """A dated name such as ``gpt-5.4-2026-03-05`` has the price of the model, unless it has its own."""
        return self.own.get(model) or self.own.get(_DATED.sub("", model))


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
    if model in _unpriced or not _may_be_listed(model):
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
    except ValueError as error:  # such as more cached tokens than there are
        return Cost(None, f"the usage that the target reported can't be: {error}")


# Names of listed models have a digit or a hyphen, but for these words. The book takes a tenth of a short run
# to load, only to say that it knows no model of a name such as "scripted".
_LISTED_WORDS = ("ada", "babbage", "curie", "davinci", "moderation")
_DIGIT_OR_HYPHEN = re.compile(r"[\d-]")


def _may_be_listed(model: str) -> bool:
    """Whether the price book has to be asked; False only for names that it can't hold."""
    name = model.lower()
    return _DIGIT_OR_HYPHEN.search(name) is not None or any(word in name for word in _LISTED_WORDS)


# The price book looks through all its patterns to find that none fits: 2 ms that a run would pay every turn.
_unpriced: set[str] = set()
_MOST_UNPRICED = 1_000


def _no_price(model: str) -> Cost:
    return Cost(None, f"no price is known for model {model!r}")


def context_tokens(model: str) -> int | None:
    """The most tokens that a prompt of this model can have; None when nobody wrote it down."""
    if not _may_be_listed(model):
        return None
    from genai_prices import Usage as PricedUsage
    from genai_prices import calc_price

    try:
        return calc_price(PricedUsage(), model_ref=model, provider_id="openai").model.context_window
    except LookupError:
        return None


def file_search_cost(calls: int) -> Cost:
    """The fee for file_search calls of responses; with assistants only the tokens of what was found count."""
    return Cost(fees()["responses.file_search"].usd * calls)


def code_interpreter_cost(sessions: int, api: Api | None = "assistants") -> Cost:
    """The fee for sessions of code_interpreter, only when the tool was called."""
    meter = "responses.code_interpreter" if api == "responses" else "assistants.code_interpreter"
    return Cost(fees()[meter].usd * sessions)


def code_session_s(api: Api | None) -> int:
    """How long a session of code_interpreter serves a conversation from its first use."""
    return 1200 if api == "responses" else 3600


def dollars(amount: Decimal) -> str:
    """Dollars with as many digits as matter: $12.35, $0.0123, $0.0000375."""
    if amount == 0:
        return "$0.00"
    if abs(amount) >= 1:
        return f"${amount:,.2f}"
    digits = 2 - amount.adjusted()  # three significant ones
    text = f"{amount:.{digits}f}".rstrip("0")
    return "$" + text.ljust(text.index(".") + 3, "0")
