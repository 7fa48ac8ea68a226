"""A request before it is answered: what it asks, what it may cost in tokens, how one try of it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from harness.errors import TargetError
from harness.targets.wire import Json

T = TypeVar("T")
_SPENDS_TOKENS = frozenset({"runs", "submit_tool_outputs", "responses", "completions"})
_BYTES_A_TOKEN = 4
_UNKNOWN_ANSWER = 500
"""Tokens that an answer is taken for, until the first ones have told."""
_WEIGHT = 0.2
"""How much the newest usage counts in what the next request is taken for."""


class Outgoing(msgspec.Struct, Generic[T], frozen=True):
    """A request to be made.

    Attributes:
        method: Its verb.
        path: Without the base, and without a query.
        body: What tokens are estimated from; None when there is none.
        lost: Finds what an earlier try made whose answer was lost; None where that can't be known.
    """

    method: str
    path: str
    body: Json | None = None
    lost: Callable[[], Awaitable[T | None]] | None = None

    @property
    def kind(self) -> str | None:
        """The last word of the path of a request whose work costs tokens; None for one that costs none."""
        if self.method != "POST":
            return None
        last = self.path.rsplit("/", 1)[-1]
        return last if last in _SPENDS_TOKENS else None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class TryFailed(Exception):
    """One try of a request failed.

    Args:
        error: What is raised when there is no other try.
        told: What the trace says of it.
        status: Of the answer; None when nothing answered.
        headers: Of the answer, names in lower case.
        may_be_done: Whether the server may have done the work all the same.
    """

    def __init__(
        self,
        error: TargetError,
        told: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        may_be_done: bool = False,
    ) -> None:
        super().__init__(told)
        self.error = error
        self.told = told
        self.status = status
        self.headers = headers or {}
        self.may_be_done = may_be_done


def may_be_done(method: str, status: int | None) -> bool:
    """Whether a request that failed so may have been carried out; those that only read can't do harm."""
    return method == "POST" and (status is None or status == 408 or status >= 500)


class TokenEstimates(msgspec.Struct):
    """What requests will cost in tokens, from their text and from what such requests cost lately.

    A run's prompt lies at the server, and so does what is searched for it: only experience tells.
    """

    _usual: dict[str, float] = msgspec.field(default_factory=dict)

    def estimate(self, kind: str, body: Mapping[str, Any] | None) -> int:
        """Tokens that a request of this kind will cost."""
        said = len(msgspec.json.encode(body or {})) // _BYTES_A_TOKEN
        usual = self._usual.get(kind)
        return said + _UNKNOWN_ANSWER if usual is None else max(said, round(usual))

    def learn(self, kind: str, tokens: int) -> None:
        """A request of this kind turned out to cost so many."""
        usual = self._usual.get(kind, float(tokens))
        self._usual[kind] = usual + _WEIGHT * (tokens - usual)


def total_tokens(body: Mapping[str, Any]) -> int | None:
    """The tokens that an answer or an event tells of; None where it tells of none."""
    if "usage" not in body and "response" not in body:
        return None
    whole = body.get("response", body)
    usage = whole.get("usage") if isinstance(whole, Mapping) else None
    total = usage.get("total_tokens") if isinstance(usage, Mapping) else None
    return total if isinstance(total, int) and total >= 0 else None
