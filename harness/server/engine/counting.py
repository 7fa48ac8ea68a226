"""How many tokens a prompt and an answer are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec.structs import replace

from harness.cost import tokens
from harness.server.llms.interface import ChatMessage, ModelReply, ToolRequest

# What the chat format adds around every message, and before the answer: as OpenAI counts for its chat models.
_TOKENS_A_MESSAGE = 3
_TOKENS_BEFORE_ANSWER = 3


def fixed_tokens(instructions: str, tools: Sequence[dict[str, Any]], model: str) -> int:
    """How many prompt tokens there are whatever is said: instructions, tools, the start of the answer."""
    declared = count(msgspec.json.encode(tools).decode(), model) if tools else 0
    instructed = count(instructions, model) + _TOKENS_A_MESSAGE if instructions else 0
    return declared + instructed + _TOKENS_BEFORE_ANSWER


def message_tokens(message: ChatMessage, model: str) -> int:
    """How many prompt tokens one message of the talk is."""
    asked = sum(_request_tokens(request, model) for request in message.tool_requests)
    if message.hits:
        # Chunk by chunk: chunks come back in later searches and are counted only once.
        said = sum(count(hit.text, model) + count(hit.marker, model) for hit in message.hits)
    else:
        said = count(message.content, model)
    return said + asked + _TOKENS_A_MESSAGE


def _request_tokens(request: ToolRequest, model: str) -> int:
    return count(request.name, model) + count(msgspec.json.encode(request.arguments).decode(), model)


def completion_tokens(reply: ModelReply, model: str) -> int:
    """How many tokens the model wrote, as its provider counted or, failing that, as we count."""
    if reply.usage is not None:
        return reply.usage["completion_tokens"]
    return count(reply.content, model) + sum(
        _request_tokens(request, model) for request in reply.tool_requests
    )


@lru_cache(maxsize=4096)
def count(text: str, model: str) -> int:
    """Exact tokens of a text, remembered: instructions, tools and chunks are counted again and again."""
    return tokens.count(text, model) if text else 0


def cut(reply: ModelReply, left: int, model: str) -> ModelReply:
    """The reply as far as the tokens that are left allow; tool calls are lost as a whole."""
    encoding = tokens.encoding(tokens.encoding_name(model))
    kept = encoding.decode(encoding.encode_ordinary(reply.content)[:left]).rstrip("\ufffd")
    return replace(reply, content=kept, tool_requests=())


class TextBudget:
    """Takes a text in pieces up to so many tokens.

    Args:
        limit: The most tokens; None for no limit.
        model: Whose tokens.
    """

    def __init__(self, limit: int | None, model: str) -> None:
        self._limit = limit
        self._model = model
        self._most_tokens = 0
        self.text = ""
        self.spent = False

    def allow(self, piece: str) -> str:
        """What of the next piece there is room for."""
        text = self.text + piece
        # A token is a byte at least: only near the limit is there anything to count.
        self._most_tokens += len(piece.encode())
        if self._limit is not None and self._most_tokens > self._limit:
            encoding = tokens.encoding(tokens.encoding_name(self._model))
            encoded = encoding.encode_ordinary(text)
            self._most_tokens = len(encoded)
            if len(encoded) > self._limit:
                self.spent = True
                text = encoding.decode(encoded[: self._limit]).rstrip("\ufffd")
        allowed = text[len(self.text) :]
        self.text += allowed
        return allowed
