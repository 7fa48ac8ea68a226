"""What is remembered of a talk that has outgrown its model's window: a summary of its older messages.

A summary is kept with its talk and goes on from there: only messages that it does not cover yet are read
again. A model that can summarises itself; for others the weightiest sentences are kept.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from harness.server.engine.asking import Ask
from harness.server.engine.counting import count, fixed_tokens, message_tokens
from harness.server.engine.machine import Engine
from harness.server.llms.condense import condense
from harness.server.llms.interface import ChatMessage, ModelError, SummarisingModel
from harness.server.state import Summary
from harness.server.wire import usage

LEAST_ROOM = 1_024
"""In a smaller room older messages are dropped: a summary would leave none for the talk itself."""
MOST_SUMMARY_TOKENS = 2_000
_MOST_METADATA = 512
_LOG = logging.getLogger(__name__)


class Remembered(msgspec.Struct, frozen=True):
    """A question whose older messages may have given way to their summary.

    Attributes:
        ask: The question, for the model.
        summary: What its history now begins with; None when nothing was summarised.
        spent: What making it cost, when a model made it now.
    """

    ask: Ask
    summary: Summary | None = None
    spent: dict[str, Any] | None = None

    def metadata(self) -> dict[str, str]:
        """How a run step shows the summary; a value of metadata has 512 characters at most."""
        if self.summary is None:
            return {}
        text = self.summary.text
        shown = text if len(text) <= _MOST_METADATA else f"{text[: _MOST_METADATA - 3]}..."
        return {"summary_of": f"{self.summary.count} messages", "summary": shown}


def remember(engine: Engine, ask: Ask, kept: Summary | None, *, may_make: bool) -> Remembered:
    """The question with a summary in place of older messages, if the talk does not fit as it is.

    Args:
        engine: What models there are and how large their windows are.
        ask: The question with its whole history.
        kept: The summary that the talk has had so far.
        may_make: Whether a new one may be made; otherwise the kept one is used if it is still right.
    """
    room = _room(engine, ask)
    if not ask.truncates or room < LEAST_ROOM or _size(ask, ask.history) <= room:
        return Remembered(ask)
    if kept is not None and kept.digest != digest(ask.history[: kept.count]):
        kept = None  # a message that it covers is gone
    if kept is not None:
        shorter = _with(ask, kept)
        if not may_make or _size(ask, shorter.history) <= room:
            return Remembered(shorter, kept)
    if not may_make:
        return Remembered(ask)
    return _made(engine, ask, kept, room)


def digest(history: Sequence[ChatMessage]) -> str:
    """What tells whether messages are the same."""
    told = hashlib.sha256()
    for message in history:
        told.update(repr((message.role, message.content, message.answers)).encode())
    return told.hexdigest()


def _room(engine: Engine, ask: Ask) -> int:
    window = engine.window(ask.model)
    return window if ask.prompt_left is None else min(window, ask.prompt_left)


def _size(ask: Ask, history: Sequence[ChatMessage]) -> int:
    fixed = fixed_tokens(ask.instructions, ask.tools, ask.model)
    return fixed + sum(message_tokens(each, ask.model) for each in (*ask.rounds, *history))


def _with(ask: Ask, summary: Summary) -> Ask:
    heading = f"[Summary of {summary.count} earlier messages]"
    told = [ChatMessage("user", f"{heading}\n{summary.user}")]
    if summary.assistant:
        told.append(ChatMessage("assistant", f"{heading}\n{summary.assistant}"))
    return replace(ask, history=(*told, *ask.history[summary.count :]))


def _made(engine: Engine, ask: Ask, kept: Summary | None, room: int) -> Remembered:
    """A summary of all but the latest messages, going on from the kept one."""
    most = min(MOST_SUMMARY_TOKENS, room // 4)
    covered = _covered(ask, room - _size(ask, ()) - most)
    if covered <= (kept.count if kept else 0):
        return Remembered(ask)
    news = ask.history[kept.count if kept else 0 : covered]
    mark = digest(ask.history[:covered])
    model = engine.models.find(ask.model)
    # What a model reads and writes for a summary would count against limits that were set for the answer.
    is_free = ask.prompt_left is None and ask.completion_left is None
    if not isinstance(model, SummarisingModel) or not is_free:
        user, assistant = _condensed(ask, kept, news, most)
        summary = Summary(covered, mark, user, assistant)
        return Remembered(_with(ask, summary), summary)
    try:
        reply = model.summarise(
            ask.model, kept.text if kept else "", _fitting(ask, news, room - 2 * most), most
        )
    except ModelError as problem:
        _LOG.warning("older messages are dropped, for they could not be summarised: %s", problem.message)
        return Remembered(ask)
    if not reply.content.strip():
        return Remembered(ask)
    summary = Summary(covered, mark, reply.content.strip(), "")
    counted = reply.usage or {}
    read, written = counted.get("prompt_tokens", 0), counted.get("completion_tokens", 0)
    spent = usage(read, written, counted.get("cached_tokens", 0), counted.get("reasoning_tokens", 0))
    return Remembered(_with(ask, summary), summary, spent)


def _covered(ask: Ask, left: int) -> int:
    """How many messages are summarised: so many that the talk can go on for a while without another."""
    left //= 2
    first = len(ask.history) - 1
    left -= message_tokens(ask.history[first], ask.model)
    while first > 0 and (size := message_tokens(ask.history[first - 1], ask.model)) <= left:
        left -= size
        first -= 1
    while first < len(ask.history) - 1 and ask.history[first].role == "tool":
        first += 1  # an output without its call would say nothing
    return first


def _condensed(ask: Ask, kept: Summary | None, news: Sequence[ChatMessage], most: int) -> tuple[str, str]:
    said = [[kept.user], [kept.assistant]] if kept else [[], []]
    for message in news:
        if message.role != "tool" and message.content:
            said[message.role == "assistant"].append(message.content)
    user, assistant = condense(said, most, lambda text: count(text, ask.model))
    return "\n".join(user), "\n".join(assistant)


def _fitting(ask: Ask, news: Sequence[ChatMessage], room: int) -> list[ChatMessage]:
    """Messages that a model can read at once; of more than that, the oldest are condensed first."""
    sizes = [message_tokens(each, ask.model) for each in news]
    first, left = len(news), room // 2
    while first > 0 and sizes[first - 1] <= left:
        first -= 1
        left -= sizes[first]
    if first == 0:
        return list(news)
    user, assistant = _condensed(ask, None, news[:first], room // 2 - 64)
    early = [ChatMessage("user", user), ChatMessage("assistant", assistant)]
    return [*(each for each in early if each.content), *news[first:]]
