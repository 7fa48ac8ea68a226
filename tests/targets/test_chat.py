"""What is particular about chat completions: the talk is kept here, and there is nothing but functions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from virtual_time import jump

from harness.errors import TargetRefused
from harness.server.app import ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, function_call
from harness.suite.records import Attachment
from harness.targets.chat import ChatTarget
from harness.targets.embedded import EmbeddedWire
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn

TICKET = {
    "type": "function",
    "function": {"name": "open_ticket", "parameters": {"type": "object", "properties": {}}},
}


class Watched(EmbeddedWire):
    """A server whose requests are kept, and which may answer something of its own."""

    def __init__(self, lines: Any, completion: dict[str, Any] | None = None) -> None:
        super().__init__(ServerOptions(models=ModelTable(default=Scripted(lines))))
        self.asked: list[dict[str, Any]] = []
        self.completion = completion

    async def call(self, method: str, path: str, body: Any = None, **named: Any) -> dict[str, Any]:
        self.asked.append(body)
        return self.completion or await super().call(method, path, body, **named)


def test_each_request_repeats_the_whole_talk(make_variant: Any, talk: Any) -> None:
    wire = Watched([calls(function_call("open_ticket")), "Opened.", "Bye."])
    talk(ChatTarget("chat", wire), make_variant(instructions="Be kind.", tools=[TICKET]), ["Open", "Thanks"])
    assert [[said["role"] for said in body["messages"]] for body in wire.asked] == [
        ["system", "user"],
        ["system", "user", "assistant", "tool"],
        ["system", "user", "assistant", "tool", "assistant", "user"],
    ]


def test_a_forced_function_is_forced_once(make_variant: Any, talk: Any) -> None:
    wire = Watched([calls(function_call("open_ticket")), "Opened."])
    talk(ChatTarget("chat", wire), make_variant(tools=[TICKET], tool_choice="required"), ["Open"])
    assert [body["tool_choice"] for body in wire.asked] == ["required", "auto"]


def test_calls_without_answers_are_not_repeated(make_variant: Any) -> None:
    async def never(call: FunctionCall) -> FunctionOutput:
        jump(31)
        await asyncio.Event().wait()
        raise AssertionError

    wire = Watched([calls(function_call("open_ticket")), "Here."])
    target, variant = ChatTarget("chat", wire), make_variant(tools=[TICKET])

    async def go() -> Any:
        session = await target.open(variant)
        slow = await session.send(OutgoingTurn("one"), never, deadline_s=30)
        quick = await session.send(OutgoingTurn("two"), never, deadline_s=30)
        await target.tear_down()
        return slow, quick

    slow, quick = asyncio.run(go())
    assert (slow.status, quick.answer) == ("timed_out", "Here.")
    assert [said["content"] for said in wire.asked[-1]["messages"]] == ["one", "two"]


@pytest.mark.parametrize("tool", ["file_search", "code_interpreter"])
def test_an_assistant_that_needs_hosted_tools_is_refused_by_name(
    make_variant: Any, talk: Any, tmp_path: Path, tool: str
) -> None:
    (tmp_path / "guide.md").write_text("# Guide\n\nText.\n")
    knowledge = {"knowledge": ["guide.md"]} if tool == "file_search" else {}
    variant = make_variant(tools=[{"type": tool}], **knowledge)
    with pytest.raises(TargetRefused, match=tool) as caught:
        talk(ChatTarget("chat", Watched(["never said"])), variant, ["Hi"])
    assert caught.value.code == "target-lacks"
    assert "responses" in str(caught.value.hint)


def test_a_file_sent_by_the_user_is_refused_by_name(make_variant: Any, talk: Any, tmp_path: Path) -> None:
    turn = OutgoingTurn("Read it", ((tmp_path / "rows.csv", Attachment(file="rows.csv")),))
    with pytest.raises(TargetRefused, match=r"rows\.csv"):
        talk(ChatTarget("chat", Watched(["never said"])), make_variant(), [turn])


@pytest.mark.parametrize(
    ("reason", "status", "error"),
    [
        ("content_filter", "incomplete", "incomplete: content_filter"),
        ("bored", "unknown", "the completion ended with the finish_reason 'bored'"),
        (None, "unknown", "the completion ended with the finish_reason None"),
    ],
)
def test_every_finish_reason_ends_the_turn_with_a_status(
    make_variant: Any, talk: Any, reason: str | None, status: str, error: str
) -> None:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": "Well"}}
    wire = Watched([], {"id": "chatcmpl-1", "created": 1, "model": "m", "choices": [choice]})
    [turn] = talk(ChatTarget("chat", wire), make_variant(), ["Hi"])
    assert (turn.status, turn.answer, turn.usage) == (status, "Well", None)
    assert (turn.error or "").startswith(error)


def test_an_answer_without_choices_is_data_too(make_variant: Any, talk: Any) -> None:
    wire = Watched([], {"id": "chatcmpl-1", "choices": []})
    [turn] = talk(ChatTarget("chat", wire), make_variant(), ["Hi"])
    assert turn.status == "unknown"


def test_a_refusal_is_what_was_said(make_variant: Any, talk: Any) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I can't."}
    wire = Watched([], {"id": "c", "choices": [{"finish_reason": "stop", "message": message}]})
    [turn] = talk(ChatTarget("chat", wire), make_variant(), ["Hi"])
    assert (turn.status, turn.answer) == ("completed", "I can't.")


def test_steps_tell_the_tokens_of_each_completion(make_variant: Any, talk: Any) -> None:
    wire = Watched([calls(function_call("open_ticket")), "Opened."])
    [turn] = talk(ChatTarget("chat", wire), make_variant(tools=[TICKET]), ["Open"])
    assert [step.type for step in turn.steps] == ["tool_calls", "message_creation"]
    spent = [step.usage for step in turn.steps]
    assert spent[0] and spent[1] and spent[0] + spent[1] == turn.usage
