"""What is particular about Responses: everything is said with each request, and nothing may stay open."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from virtual_time import jump

from harness.errors import TargetRefused, TargetUnavailable
from harness.scorers.checks import score_trace
from harness.server.app import ServerOptions
from harness.server.llms.interface import ModelReply, ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, file_search, function_call, run_code
from harness.suite.records import Attachment, Conversation, Expect, Turn
from harness.targets.embedded import EmbeddedWire
from harness.targets.interface import FunctionCall, FunctionOutput, OutgoingTurn
from harness.targets.responses import ResponsesTarget
from harness.trace.records import Trace

TICKET = {
    "type": "function",
    "function": {"name": "open_ticket", "parameters": {"type": "object", "properties": {}}},
}


class Watched(EmbeddedWire):
    """A server whose requests are kept."""

    def __init__(self, model: Scripted) -> None:
        super().__init__(ServerOptions(models=ModelTable(default=model)))
        self.asked: list[dict[str, Any]] = []

    async def stream(self, path: str, body: dict[str, Any], **named: Any) -> Any:
        self.asked.append(body)
        async for event in super().stream(path, body, **named):
            yield event


def test_every_option_of_the_assistant_is_said_in_the_words_of_responses(
    make_variant: Any, talk: Any
) -> None:
    schema = {"name": "reply", "schema": {"type": "object"}, "strict": False}
    variant = make_variant(
        instructions="Be brief.",
        temperature=0.5,
        top_p=0.9,
        reasoning_effort="low",
        max_completion_tokens=300,
        parallel_tool_calls=False,
        tool_choice={"type": "function", "function": {"name": "open_ticket"}},
        response_format={"type": "json_schema", "json_schema": schema},
        tools=[TICKET],
    )
    wire = Watched(Scripted([calls(function_call("open_ticket")), "{}"]))
    talk(ResponsesTarget("responses", wire), variant, ["Go"])
    first, second = wire.asked
    wanted = {
        "model": "scripted",
        "instructions": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "reasoning": {"effort": "low"},
        "max_output_tokens": 300,
        "parallel_tool_calls": False,
        "tool_choice": {"type": "function", "name": "open_ticket"},
        "text": {"format": {"type": "json_schema", **schema}},
        "truncation": "auto",
    }
    assert {name: first[name] for name in wanted} == wanted
    [tool] = first["tools"]
    assert (tool["name"], tool["strict"]) == ("open_ticket", False)
    assert second["tool_choice"] == "auto", "a forced call holds for the first step, or it never ends"


def test_options_of_file_search_are_kept_and_the_ranker_of_runs_is_not(
    make_variant: Any, talk: Any, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text("# Guide\n\nThe warranty lasts 24 months.\n")
    ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.25}
    tool = {"type": "file_search", "file_search": {"max_num_results": 4, "ranking_options": ranking}}
    wire = Watched(Scripted(["ok"]))
    talk(ResponsesTarget("responses", wire), make_variant(tools=[tool], knowledge=["guide.md"]), ["Hi"])
    [told] = wire.asked[0]["tools"]
    assert told["max_num_results"] == 4
    assert told["ranking_options"] == {"score_threshold": 0.25}
    assert len(told["vector_store_ids"]) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_prompt_tokens", 1000),
        ("truncation_strategy", {"type": "last_messages", "last_messages": 3}),
    ],
)
def test_what_has_no_counterpart_is_refused_by_name_before_anything_is_asked(
    make_variant: Any, talk: Any, field: str, value: Any
) -> None:
    wire = Watched(Scripted(["never said"]))
    with pytest.raises(TargetRefused, match=field) as caught:
        talk(ResponsesTarget("responses", wire), make_variant(**{field: value}), ["Hi"])
    assert caught.value.code == "target-lacks"
    assert wire.asked == []


def test_a_call_that_was_never_answered_does_not_block_the_conversation(make_variant: Any, talk: Any) -> None:
    async def never(call: FunctionCall) -> FunctionOutput:
        jump(31)
        await asyncio.Event().wait()
        raise AssertionError

    wire = Watched(Scripted([calls(function_call("open_ticket")), "Here I am."]))
    target = ResponsesTarget("responses", wire)
    variant = make_variant(tools=[TICKET])

    async def go() -> Any:
        await target.provision(variant)
        session = await target.open(variant)
        slow = await session.send(OutgoingTurn("one"), never, deadline_s=30)
        quick = await session.send(OutgoingTurn("two"), never, deadline_s=30)
        await target.tear_down()
        return slow, quick

    slow, quick = asyncio.run(go())
    assert slow.status == "timed_out" and [call.output for call in slow.tool_calls] == [None]
    assert (quick.status, quick.answer) == ("completed", "Here I am.")
    assert [item["type"] for item in wire.asked[1]["input"]] == ["function_call_output", "message"]


def test_a_file_to_be_searched_is_found_in_this_turn_and_in_later_ones(
    make_variant: Any, talk: Any, tmp_path: Path
) -> None:
    for name, fact in (("one.md", "Apples cost 3 euros."), ("two.md", "Pears cost 4 euros.")):
        (tmp_path / name).write_text(f"# Prices\n\n{fact}\n")

    def model(request: ModelRequest) -> str | ModelReply:
        hits = request.messages[-1].hits
        return ", ".join(sorted(hit.filename for hit in hits)) if hits else calls(file_search("cost euros"))

    def sending(name: str) -> OutgoingTurn:
        attached = Attachment(file=name, tools=("file_search",))
        return OutgoingTurn("What do they cost?", ((tmp_path / name, attached),))

    target = ResponsesTarget("responses", Watched(Scripted(model)), poll_s=0.01)
    turns = talk(
        target,
        make_variant(tools=[{"type": "file_search"}]),
        [sending("one.md"), sending("two.md"), "Both?"],
    )
    assert [turn.answer for turn in turns] == ["one.md", "one.md, two.md", "one.md, two.md"]


def test_code_reads_files_of_the_assistant_and_of_the_user(
    make_variant: Any, talk: Any, tmp_path: Path
) -> None:
    (tmp_path / "own.csv").write_text("a\n1\n")
    (tmp_path / "sent.csv").write_text("b\n2\n")
    code = "import pathlib\nprint(sorted(p.name for p in pathlib.Path('/mnt/data').iterdir()))"
    variant = make_variant(tools=[{"type": "code_interpreter"}], code_files=["own.csv"])
    target = ResponsesTarget("responses", Watched(Scripted([calls(run_code(code)), "ok"])))
    turn = OutgoingTurn("Look", ((tmp_path / "sent.csv", Attachment(file="sent.csv")),))
    [trace] = talk(target, variant, [turn])
    logs = "".join(output.logs or "" for output in trace.tool_calls[0].outputs)
    assert "own.csv" in logs and "sent.csv" in logs


def test_an_image_is_the_same_in_the_call_that_drew_it_and_in_the_message(
    make_variant: Any, talk: Any
) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    target = ResponsesTarget("responses", Watched(Scripted([calls(run_code(code)), "Here."])))
    [trace] = talk(target, make_variant(tools=[{"type": "code_interpreter"}]), ["Draw"])
    [shown] = trace.messages[-1].files
    assert [output.file_id for output in trace.tool_calls[0].outputs if output.type == "image"] == [
        shown.file_id
    ]


def test_citations_without_markers_are_judged_like_those_with_them(
    make_variant: Any, talk: Any, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text("# Guide\n\nThe warranty lasts 24 months. Returns take 30 days.\n")

    def model(request: ModelRequest) -> str | ModelReply:
        hits = request.messages[-1].hits
        said = f"The warranty lasts 24 months{hits[0].marker}. Anything else?" if hits else ""
        return said or calls(file_search("warranty"))

    variant = make_variant(tools=[{"type": "file_search"}], knowledge=["guide.md"])
    target = ResponsesTarget("responses", Watched(Scripted(model)))
    [turn] = talk(target, variant, ["How long is the warranty?"])
    assert "【" not in turn.answer
    [citation] = turn.citations
    assert turn.answer[: citation.start].endswith("24 months")
    expect = Expect(cites=("guide.md",), grounded=True)
    conversation = Conversation(id="c", turns=(Turn(user="?", expect=expect),))
    documents = {citation.file_id: "guide.md"}
    scores = score_trace(
        conversation,
        variant.assistant,
        Trace(trial_id="t", target="responses", turns=(turn,), documents=documents),
    )
    found = {score.check: score for score in scores}
    assert found["cites"].passed and found["cites.guide.md"].passed and found["grounded"].passed
    assert found["cites.supported"].value == 1.0
    shown = found["cites"].evidence["citations"]
    assert shown[0]["sentence"].startswith("The warranty lasts 24 months")


def test_tokens_are_counted_over_all_rounds_and_the_tier_is_kept(make_variant: Any, talk: Any) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": 40, "reasoning_tokens": 4}
    first = ModelReply(tool_requests=(function_call("open_ticket"),), usage=usage)
    target = ResponsesTarget(
        "responses", Watched(Scripted([first, ModelReply(content="Done.", usage=usage)]))
    )
    [turn] = talk(target, make_variant(tools=[TICKET]), ["Go"])
    assert turn.usage and (turn.usage.prompt_tokens, turn.usage.completion_tokens) == (200, 20)
    assert (turn.usage.cached_tokens, turn.usage.reasoning_tokens) == (80, 8)
    assert turn.service_tier == "default"


class Answering(EmbeddedWire):
    """A server whose responses are these events."""

    def __init__(self, *events: tuple[str, dict[str, Any]]) -> None:
        super().__init__()
        self.events = events

    async def stream(self, *arguments: Any, **named: Any) -> Any:
        for event in self.events:
            yield event


def _message(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "status": "completed", "content": [part]}


def test_a_server_that_answers_whole_instead_of_streaming_is_understood(make_variant: Any, talk: Any) -> None:
    whole = {"object": "response", "id": "resp_1", "status": "completed", "output": [_message("Hello.")]}
    target = ResponsesTarget("responses", Answering(("response", whole)))
    [turn] = talk(target, make_variant(), ["Hi"])
    assert (turn.status, turn.answer, turn.usage) == ("completed", "Hello.", None)


def test_an_error_in_the_stream_is_a_failed_turn_with_what_was_said_before(
    make_variant: Any, talk: Any
) -> None:
    created = {"response": {"id": "resp_1", "status": "in_progress", "output": []}}
    events = (
        ("response.created", created),
        ("response.output_item.done", {"item": _message("Half")}),
        ("error", {"code": "server_error", "message": "it broke"}),
    )
    [turn] = talk(ResponsesTarget("responses", Answering(*events)), make_variant(), ["Hi"])
    assert (turn.status, turn.error, turn.answer) == ("failed", "server_error: it broke", "Half")


def test_a_status_that_nobody_knows_is_data_that_says_so(make_variant: Any, talk: Any) -> None:
    events = (("response.completed", {"response": {"id": "resp_1", "status": "paused", "output": []}}),)
    [turn] = talk(ResponsesTarget("responses", Answering(*events)), make_variant(), ["Hi"])
    assert turn.status == "unknown"
    assert "'paused'" in (turn.error or "")


def test_a_stream_without_any_event_is_an_unavailable_target(make_variant: Any, talk: Any) -> None:
    with pytest.raises(TargetUnavailable, match="ended before it began"):
        talk(ResponsesTarget("responses", Answering()), make_variant(), ["Hi"])
