"""What a function that is tested returns: the small record, and the shorter ways of writing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from harness.cost.usage import Usage


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an answer; keys it does not know are refused, for they would be lost."""


class Called(_Part, frozen=True):
    """A tool that the application called by itself.

    Attributes:
        name: The function.
        arguments: What it was given.
        output: What it answered.
        error: Why it failed.
        latency_s: How long it took, in seconds.
    """

    name: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)
    output: str | None = None
    error: str | None = None
    latency_s: float | None = None


class Found(_Part, frozen=True):
    """A passage that the application retrieved; what grounding is judged by.

    Attributes:
        filename: The document it is from.
        text: The passage.
        score: Relevance, 0 to 1.
    """

    filename: str
    text: str
    score: float = 0.0


class Cited(_Part, frozen=True):
    """A document that the answer cites.

    Attributes:
        filename: The document.
        text: The passage that is cited.
        end: Up to which character of the answer it holds; all of it when left out.
    """

    filename: str
    text: str | None = None
    end: int | None = None


class Answer(_Part, frozen=True):
    """What the application answered.

    Attributes:
        text: What it says to the user.
        tool_calls: Tools it called by itself; calls through the question are known already.
        retrieved: Passages it found.
        citations: Documents it cites.
        usage: Tokens it spent; None when unknown.
        model: The model that answered.
        status: How it ended.
        error: What went wrong, when it did not complete.
    """

    text: str
    tool_calls: tuple[Called, ...] = ()
    retrieved: tuple[Found, ...] = ()
    citations: tuple[Cited, ...] = ()
    usage: Usage | None = None
    model: str | None = None
    status: Literal["completed", "failed", "incomplete", "cancelled"] = "completed"
    error: str | None = None


def said(returned: Any) -> Answer:
    """The answer in what a function returned: a text, an answer, or a mapping with its fields.

    Raises:
        TypeError: It is none of these.
        msgspec.ValidationError: A field is wrong or unknown.
    """
    if isinstance(returned, Answer):  # made in Python, where nothing looks at what its fields are
        return msgspec.convert(msgspec.to_builtins(returned), Answer)
    if isinstance(returned, str):
        return Answer(text=returned)
    if not isinstance(returned, Mapping):
        raise TypeError(f"a {type(returned).__name__}, {returned!r:.80}")
    return msgspec.convert(dict(returned), Answer)
