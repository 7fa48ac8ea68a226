"""What one paid request is charged for: known afterwards, and at most before it is sent."""

from __future__ import annotations

from datetime import datetime

import msgspec

from harness.cost.prices import (
    FREE,
    Api,
    Cost,
    TokenPrice,
    code_interpreter_cost,
    code_session_s,
    file_search_cost,
)
from harness.cost.usage import Usage

_STANDARD_TIERS = (None, "default", "auto")


class Charge(msgspec.Struct, frozen=True):
    """What a request is charged for.

    Attributes:
        model: The model that answers.
        usage: Its tokens; None when unknown.
        api: The API that is spoken; fees differ.
        runs_code: Whether code_interpreter is called.
        searches: Calls of file_search.
        service_tier: The tier that served it, as the target says.
    """

    model: str
    usage: Usage | None
    api: Api
    runs_code: bool = False
    searches: int = 0
    service_tier: str | None = None

    def cost(self, price: TokenPrice, *, code_sessions: int) -> Cost:
        """What it costs, with as many sessions of code_interpreter as it begins."""
        cost = at_tier(self.service_tier, price(self.model, self.usage))
        if code_sessions:
            cost += code_interpreter_cost(code_sessions, self.api)
        return cost + (file_search_cost(self.searches) if self.api == "responses" else FREE)

    @property
    def tokens(self) -> str:
        """Its tokens, in words."""
        if self.usage is None:
            return "an unknown number of tokens"
        return f"{self.usage.prompt_tokens:,} prompt and {self.usage.completion_tokens:,} completion tokens"


def at_tier(service_tier: str | None, cost: Cost) -> Cost:
    """The cost, unless another tier than the standard one was used, whose prices are others."""
    if service_tier in _STANDARD_TIERS:
        return cost
    return Cost(None, f"no price is known for the service tier {service_tier!r}")


class CodeSessions:
    """The sessions of code_interpreter in one conversation, as they are paid for."""

    def __init__(self) -> None:
        self._begun_at: datetime | None = None

    def begins(self, at: datetime, api: Api | None) -> bool:
        """Whether code that runs at this time begins a new session, which is remembered."""
        begun = self._begun_at
        if begun is not None and (at - begun).total_seconds() < code_session_s(api):
            return False
        self._begun_at = at
        return True
