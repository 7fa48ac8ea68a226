"""Talks with the help desk of a camera shop, built in a line or two."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.cost.usage import Usage
from harness.results import Score
from harness.scorers import score_trace
from harness.suite.records import AssistantFile, Conversation
from harness.trace.records import (
    Citation,
    CodeOutput,
    Message,
    OutputFile,
    RunStep,
    SearchResult,
    ToolCall,
    Trace,
    TurnTrace,
)

START = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
WARRANTY = (
    "The warranty covers manufacturing defects for 24 months from the date of purchase. Water damage is not "
    "covered. Send the camera to the workshop in Lund with the receipt. Repairs take 10 working days."
)
LENSES = "The Aurora 35 lens weighs 310 grams and has a minimum focus distance of 28 cm. It costs $449."
DOCUMENTS = {"file-1": "warranty.pdf", "file-2": "lenses.pdf"}


def assistant(**changes: Any) -> AssistantFile:
    body: dict[str, Any] = {
        "name": "Lumen Camera Help",
        "model": "gpt-4o-mini",
        "tools": [
            {"type": "file_search"},
            {"type": "code_interpreter"},
            {
                "type": "function",
                "function": {
                    "name": "open_repair",
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "email": {"type": "string"},
                            "severity": {"enum": ["minor", "major"]},
                            "days": {"type": "integer"},
                        },
                        "required": ["email"],
                    },
                },
            },
        ],
        "escalation": {"phrases": ["I'm passing you on to our repair workshop"], "tools": ["open_repair"]},
    }
    return AssistantFile.model_validate(body | changes)


def search(*texts: str, file_id: str = "file-1") -> ToolCall:
    found = tuple(
        SearchResult(
            file_id=file_id, filename=DOCUMENTS[file_id], score=0.8, text=text, attributes={"page": 3}
        )
        for text in texts
    )
    return ToolCall(id="call_search", type="file_search", name="file_search", results=found)


def call(
    name: str = "open_repair", *, id: str = "call_1", error: str | None = None, **arguments: Any
) -> ToolCall:
    body = json.dumps(arguments)
    return ToolCall(
        id=id, type="function", name=name, arguments=body, output='{"repair": "R-77"}', error=error
    )


def code(logs: str = "") -> ToolCall:
    outputs = (CodeOutput(type="logs", logs=logs),) if logs else ()
    return ToolCall(
        id="call_code", type="code_interpreter", name="code_interpreter", arguments="1+1", outputs=outputs
    )


def turn(
    answer: str = "",
    *calls: ToolCall,
    user: str = "Hello?",
    cites: tuple[tuple[str, str], ...] = (),
    files: tuple[OutputFile, ...] = (),
    minute: int = 0,
    **more: Any,
) -> TurnTrace:
    """A completed turn; ``cites`` are pairs of file id and chunk, their markers put at the answer's end."""
    marks = []
    for number, (file_id, chunk) in enumerate(cites):
        marker = f"【{number}:0†source】"
        marks.append(
            Citation(
                marker=marker,
                start=len(answer),
                end=len(answer) + len(marker),
                file_id=file_id,
                filename=DOCUMENTS.get(file_id),
                chunk=chunk or None,
            )
        )
        answer += marker
    defaults: dict[str, Any] = {
        "status": "completed",
        "latency_s": 1.5,
        "usage": Usage(prompt_tokens=100, completion_tokens=20),
        "messages": (Message(role="assistant", text=answer, citations=tuple(marks), files=files),),
        "steps": (RunStep(id="step_1", type="tool_calls", status="completed", tool_calls=calls),)
        if calls
        else (),
    }
    started = START + timedelta(minutes=minute)
    return TurnTrace(user=Message(role="user", text=user), started_at=started, **(defaults | more))


def scores(
    turns: list[TurnTrace],
    expect: dict[str, Any] | None = None,
    *,
    whole: dict[str, Any] | None = None,
    planned: int | None = None,
    who: AssistantFile | None = None,
    **more: Any,
) -> list[Score]:
    """The scores of a talk; ``expect`` belongs to its last planned turn, ``whole`` to the talk."""
    count = planned or len(turns)
    script: list[dict[str, Any]] = [{"user": "Hello?", "expect": {"status": None}} for _ in range(count)]
    script[-1]["expect"] = {"status": None} | (expect or {})
    conversation = Conversation.model_validate({"id": "c", "turns": script, "expect": whole or {}})
    trace = Trace(trial_id="t", target="test", turns=tuple(turns), documents=DOCUMENTS)
    return list(score_trace(conversation, who or assistant(), trace, **more))


class Talk:
    """Everything a test needs to make a talk and score it."""

    WARRANTY = WARRANTY
    LENSES = LENSES
    assistant = staticmethod(assistant)
    search = staticmethod(search)
    call = staticmethod(call)
    code = staticmethod(code)
    turn = staticmethod(turn)
    scores = staticmethod(scores)

    @staticmethod
    def one(*args: Any, **more: Any) -> Score:
        """The only score of a talk that was asked for; of arguments is told without being asked."""
        made = scores(*args, **more)
        found = [score for score in made if score.check != "calls.schema"] or made
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def talk() -> type[Talk]:
    return Talk


@pytest.fixture
def by_check() -> Callable[[list[Score]], dict[str, Score]]:
    return lambda found: {score.check: score for score in found}
