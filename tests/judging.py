"""Rubrics, judges that answer as a test says, and labelled rows, built in a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from harness.suite.records import Rubric
from harness.trace.records import Judgement, Vote

VERSION = "judge-2026-01-01"

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def rubric(**given: Any) -> Rubric:
    return Rubric.model_validate({"asks": "Is it kind?", **given}, by_alias=True)


def saying(label: str, reason: str = "so it is") -> str:
    return json.dumps({"reason": reason, "label": label})


def completion(content: str | None, *, ended: str = "stop", **message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": content, **message}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"model": VERSION, "choices": [{"message": said, "finish_reason": ended}], "usage": usage}


def material_in(body: dict[str, Any]) -> dict[str, Any]:
    """The material that a request shows."""
    found: dict[str, Any] = json.loads(body["messages"][1]["content"].partition("Material:\n")[2])
    return found


def judgement(*labels: str | None, error: str | None = None) -> Judgement:
    votes = tuple(Vote(label=each, reason="why not" if each is None else f"as {each}") for each in labels)
    return Judgement(turn=0, rubric="r", fingerprint="f", asked="a", judge="j", votes=votes, error=error)


class Asked:
    """A wire whose completions are what a function makes of each request; what it raises is raised."""

    def __init__(self, answer: Answer) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._answer = answer

    async def call(self, method: str, path: str, body: Any = None, **rest: Any) -> dict[str, Any]:
        assert (method, path) == ("POST", "/chat/completions")
        self.bodies.append(body)
        return self._answer(body)

    async def close(self) -> None:
        self.bodies.append({"closed": True})


def in_turn(contents: Iterable[str]) -> Answer:
    """Says one after the other."""
    left = iter(contents)
    return lambda body: completion(next(left))
