"""/completions: what chat completions were before they were chats, for programs that still ask there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from harness.server.engine.machine import Engine
from harness.server.errors import bad_request
from harness.server.resources import chat
from harness.server.resources.fields import Fields, wrong_type
from harness.server.resources.retold import retold
from harness.server.wire import Reply, Request

DEFAULT_TOKENS = 16
MOST_PROMPTS = 64
_PASSED_ON = (
    "frequency_penalty",
    "logit_bias",
    "model",
    "n",
    "presence_penalty",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "user",
)
_FIELDS = (*_PASSED_ON, "best_of", "echo", "logprobs", "max_tokens", "prompt", "suffix")


def create(engine: Engine, request: Request) -> Reply:
    """POST /completions: each prompt is answered like the only message of a chat."""
    fields = Fields(request.body, _FIELDS)
    for name, given in (("logprobs", fields.integer("logprobs", 0, 5)), ("suffix", fields.text("suffix"))):
        if given:
            raise bad_request(f"'{name}' is not supported: the models here are made for chats.", name)
    prompts, echoes = _prompts(fields), fields.flag("echo", False)
    if len(prompts) > 1 and fields.flag("stream", False):
        raise bad_request("'prompt' has several texts: only one can be streamed.", "prompt")
    asked: dict[str, Any] = {name: fields.raw(name) for name in _PASSED_ON}
    asked["max_tokens"] = fields.integer("max_tokens", 1) or DEFAULT_TOKENS
    replies = []
    for prompt in prompts:
        chat_body = {**asked, "messages": [{"role": "user", "content": prompt}]}
        told = _Retelling(prompt if echoes else "")
        replies.append(retold(chat.create(engine, replace(request, body=chat_body)), told.answer, told.chunk))
    return replies[0] if len(replies) == 1 else _together([reply.body or {} for reply in replies])


def _prompts(fields: Fields) -> list[str]:
    """The texts to go on from: one, or a list of them."""
    value = fields.require("prompt")
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise wrong_type("prompt", "a string or an array of strings", value)
    if not given or not all(given) or len(given) > MOST_PROMPTS:
        message = f"Invalid 'prompt': expected 1 to {MOST_PROMPTS} texts, none of them empty."
        raise bad_request(message, "prompt")
    return list(given)


def _together(bodies: list[dict[str, Any]]) -> Reply:
    """The answers to several prompts in one, numbered in the order of the prompts."""
    choices = [choice for each in bodies for choice in each["choices"]]
    numbered = [{**choice, "index": index} for index, choice in enumerate(choices)]
    return Reply(200, {**bodies[0], "choices": numbered, "usage": _sum([each["usage"] for each in bodies])})


def _sum(spent: list[Any]) -> Any:
    """The sum of numbers, or of objects with numbers in them."""
    if not isinstance(spent[0], dict):
        return sum(spent)
    return {name: _sum([each[name] for each in spent]) for name in spent[0]}


class _Retelling:
    """A chat's answers as texts.

    Args:
        echo: What every text begins with.
    """

    def __init__(self, echo: str) -> None:
        self._echo = echo

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """A completion as a whole."""
        choices = [self._choice(each, each["message"]["content"] or "") for each in body["choices"]]
        return {**self._head(body), "choices": choices, "usage": body["usage"]}

    def chunk(self, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """A chunk; the one that only says who speaks says what is echoed."""
        if "choices" not in body:  # the error that ends a stream
            yield body
            return
        choices = []
        for each in body["choices"]:
            text = self._echo if "role" in each["delta"] else each["delta"].get("content") or ""
            if text or each["finish_reason"]:
                choices.append(self._choice(each, text, is_whole=False))
        if choices or not body["choices"]:
            usage = {"usage": body["usage"]} if "usage" in body else {}
            yield {**self._head(body), "choices": choices, **usage}

    def _choice(self, choice: dict[str, Any], text: str, *, is_whole: bool = True) -> dict[str, Any]:
        return {
            "text": self._echo + text if is_whole else text,
            "index": choice["index"],
            "logprobs": None,
            "finish_reason": choice["finish_reason"],
        }

    def _head(self, body: dict[str, Any]) -> dict[str, Any]:
        identifier = str(body["id"]).removeprefix("chatcmpl-")
        told = {"id": f"cmpl-{identifier}", "object": "text_completion", "created": body["created"]}
        return {**told, "model": body["model"], "system_fingerprint": body["system_fingerprint"]}
