"""Token usage as the API reports it, in one shape for every target."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


class Usage(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False
):
    """Tokens of one run, one step or many of them added up.

    Attributes:
        prompt_tokens: All input tokens, the cached ones included.
        completion_tokens: All output tokens, the reasoning ones included.
        cached_tokens: The part of ``prompt_tokens`` that was read from a cache.
        reasoning_tokens: The part of ``completion_tokens`` that was never shown.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


def total(usages: Iterable[Usage | None]) -> Usage | None:
    """All usages added up; None (unknown) when none of them is known."""
    known = [usage for usage in usages if usage is not None]
    return sum(known[1:], known[0]) if known else None


def from_api(body: dict[str, Any] | None) -> Usage | None:
    """The usage object of an Assistants run or step; None stays None (unknown, not zero).

    The wire spells ``prompt_token_details`` without the s (recorded traffic of the Assistants API);
    the documented spelling is accepted too.
    """
    if not body:
        return None
    prompt_details = body.get("prompt_token_details") or body.get("prompt_tokens_details") or {}
    completion_details = body.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=body.get("prompt_tokens") or 0,
        completion_tokens=body.get("completion_tokens") or 0,
        cached_tokens=prompt_details.get("cached_tokens") or 0,
        reasoning_tokens=completion_details.get("reasoning_tokens") or 0,
    )


def from_responses(body: dict[str, Any] | None) -> Usage | None:
    """The usage object of a response, whose names are those of inputs and outputs; None stays None."""
    if not body:
        return None
    return Usage(
        prompt_tokens=body.get("input_tokens") or 0,
        completion_tokens=body.get("output_tokens") or 0,
        cached_tokens=(body.get("input_tokens_details") or {}).get("cached_tokens") or 0,
        reasoning_tokens=(body.get("output_tokens_details") or {}).get("reasoning_tokens") or 0,
    )


def total_if_known(usages: Iterable[Usage | None]) -> Usage | None:
    """All usages added up; None when one of them, or every one, is unknown."""
    listed = list(usages)
    return None if None in listed else total(listed)
