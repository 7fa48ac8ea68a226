"""The most that a paid request can be charged for, known before it is sent.

What a target enforces (``max_prompt_tokens`` and the like) is taken from the request itself; what it does not
enforce is counted, always upwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from harness.cost import tokens
from harness.cost.charges import Charge
from harness.cost.prices import context_tokens
from harness.cost.usage import Usage
from harness.suite.records import HistoryMessage
from harness.targets.wire import Json

HOSTED_TOOLS = frozenset({"file_search", "code_interpreter"})

RESULT_TOKENS = 18_000
"""What one call of a hosted tool puts into the prompt: 16,000 tokens of chunks are the documented most of
file_search, the rest is for names and markers. The API states no such limit for code_interpreter."""

_TOKENS_A_MESSAGE = 8  # the chat format takes 3 or 4, and a name
_TOKENS_A_DECLARATION = 16  # around each function, which is not shown to the model as JSON
_TOKENS_A_REQUEST = 64  # the beginning of the answer, and what formats add once
_TOKENS_A_HOSTED_TOOL = 2_000  # its instructions to the model, which are not published
_KNOWN_TOKENIZER = re.compile(r"(gpt-|o\d|chatgpt-|codex-|text-embedding-)")


def most_tokens(text: str, model: str) -> int:
    """The most tokens that a text can be: counted where the tokenizer is known, else its bytes.

    Every token of a tokenizer that works on bytes is one of them at least.
    """
    name = model.lower().rsplit("/", 1)[-1]
    if _KNOWN_TOKENIZER.match(name):
        return tokens.count(text, model)
    return len(text.encode("utf-8", "surrogatepass"))


def counted(text: str, model: str) -> int:
    """The tokens of a text as our own tokenizers count them."""
    return tokens.count(text, model)


def of_run(body: Json, model: str, tools: Iterable[str]) -> Charge:
    """A whole run, with every round of function calls: its limits count over all of them."""
    usage = Usage(prompt_tokens=body["max_prompt_tokens"], completion_tokens=body["max_completion_tokens"])
    return Charge(model, usage, "assistants", runs_code="code_interpreter" in tools)


def of_completion(body: Json) -> Charge:
    """One completion: the prompt is in the request, and the answer is limited."""
    usage = Usage(prompt_tokens=prompt_tokens(body), completion_tokens=body["max_completion_tokens"])
    return Charge(body["model"], usage, "chat")


def of_response(body: Json, said_tokens: int) -> Charge:
    """One response, in which the model may be asked again after each call of a hosted tool.

    Args:
        body: The request.
        said_tokens: What the conversation holds already.
    """
    hosted = [tool["type"] for tool in body["tools"] if tool["type"] in HOSTED_TOOLS]
    calls = body["max_tool_calls"] if hosted else 0
    first = said_tokens + prompt_tokens(body)
    completion_tokens = body["max_output_tokens"]
    prompts = (_grown(first, call, completion_tokens, body["model"]) for call in range(calls + 1))
    return Charge(
        body["model"],
        Usage(prompt_tokens=sum(prompts), completion_tokens=completion_tokens),
        "responses",
        runs_code="code_interpreter" in hosted,
        searches=calls if "file_search" in hosted else 0,
    )


def after_response(body: Json, said_tokens: int) -> int:
    """The most that a conversation can hold after a response that nobody knows the usage of."""
    hosted = any(tool["type"] in HOSTED_TOOLS for tool in body["tools"])
    calls = body["max_tool_calls"] if hosted else 0
    return said_tokens + prompt_tokens(body) + calls * RESULT_TOKENS + int(body["max_output_tokens"])


def _grown(first: int, calls: int, completion_tokens: int, model: str) -> int:
    """A prompt after so many calls; what does not fit the model's window is cut off by the target."""
    grown = first + (calls * RESULT_TOKENS + completion_tokens if calls else 0)
    window = context_tokens(model)
    return min(grown, window) if window else grown


def prompt_tokens(body: Json) -> int:
    """The most prompt tokens that a request itself brings: instructions, tools, format, messages."""
    model = body["model"]
    said = [*(body.get("messages") or ()), *(body.get("input") or ())]
    tools: Sequence[Json] = body.get("tools") or ()
    spoken = sum(most_tokens(text, model) for each in said for text in _texts(each))
    shaped = [part for part in (body.get("response_format"), body.get("text")) if part]
    declared = sum(most_tokens(_json(part), model) for part in (*tools, *shaped))
    return (
        most_tokens(body.get("instructions") or "", model)
        + spoken
        + declared
        + _TOKENS_A_MESSAGE * (len(said) + 1)
        + _TOKENS_A_DECLARATION * len(tools)
        + _TOKENS_A_HOSTED_TOOL * sum(tool["type"] in HOSTED_TOOLS for tool in tools)
        + _TOKENS_A_REQUEST
    )


def said_tokens(history: Sequence[HistoryMessage]) -> int:
    """The most tokens that a conversation holds at its beginning, in any tokenizer."""
    return sum(len(said.content.encode()) + _TOKENS_A_MESSAGE for said in history)


def item_tokens(items: Iterable[Json]) -> int:
    """The most tokens that items of a conversation are, in any tokenizer."""
    return sum(len(_json(item).encode()) + _TOKENS_A_MESSAGE for item in items)


def _texts(said: Json) -> list[str]:
    """What a message says, and its calls as they are sent."""
    texts = [_plain(said.get(name)) for name in ("content", "output") if said.get(name)]
    return [*texts, *(_json(call) for call in said.get("tool_calls") or ())]


def _plain(content: Any) -> str:
    return content if isinstance(content, str) else _json(content)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
