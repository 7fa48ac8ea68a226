"""Streaming: texts and tool calls cut into the deltas that clients put together again.

Clients concatenate every string but ``type`` and merge list entries by ``index``, so ids and names are
sent once and every list entry has its index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.server.wire import Event

_PIECE = re.compile(r"(?:\s*\S+){1,3}|\s+")


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of a few words each."""
    for match in _PIECE.finditer(text):
        yield match.group()


def message_deltas(message_id: str, content: list[dict[str, Any]]) -> Iterator[Event]:
    """The deltas that build up the content parts of a message."""
    for index, part in enumerate(content):
        if part["type"] != "text":
            yield _message_delta(message_id, {"index": index, **part})
            continue
        first = True
        for value, notes in _text_pieces(part["text"]["value"], part["text"]["annotations"]):
            text: dict[str, Any] = {"value": value}
            if notes or first:
                text["annotations"] = notes
            first = False
            yield _message_delta(message_id, {"index": index, "type": "text", "text": text})


def _message_delta(message_id: str, part: dict[str, Any]) -> Event:
    return "thread.message.delta", {
        "id": message_id,
        "object": "thread.message.delta",
        "delta": {"content": [part]},
    }


def _text_pieces(value: str, annotations: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Pieces of text; the text of an annotation is a piece of its own and carries it (recorded)."""
    position = 0
    for index, annotation in enumerate(annotations):
        for piece in pieces(value[position : annotation["start_index"]]):
            yield piece, []
        position = annotation["end_index"]
        yield annotation["text"], [_annotation_delta(index, annotation)]
    for piece in pieces(value[position:]):
        yield piece, []
    if not value:
        yield "", []


def _annotation_delta(index: int, annotation: dict[str, Any]) -> dict[str, Any]:
    delta = {"index": index, **annotation}
    if annotation["type"] == "file_citation":
        delta["file_citation"] = {**annotation["file_citation"], "quote": ""}
    return delta


def characters(event: Event) -> int:
    """How many characters of its text a message's delta adds."""
    return sum(len(part["text"]["value"]) for part in event[1]["delta"]["content"] if part["type"] == "text")


def step_delta(step_id: str, call: dict[str, Any]) -> Event:
    """One delta of one tool call."""
    return "thread.run.step.delta", {
        "id": step_id,
        "object": "thread.run.step.delta",
        "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call]}},
    }


def function_deltas(step_id: str, index: int, call: dict[str, Any]) -> Iterator[Event]:
    """A function call: id and name first, then its arguments piece by piece."""
    function = {"name": call["function"]["name"], "arguments": "", "output": None}
    yield step_delta(step_id, {"index": index, "id": call["id"], "type": "function", "function": function})
    for piece in pieces(call["function"]["arguments"]):
        yield step_delta(step_id, {"index": index, "type": "function", "function": {"arguments": piece}})


def search_delta(step_id: str, index: int, call: dict[str, Any]) -> Event:
    """A search: one delta with empty results; the completed step has them (recorded)."""
    searched = {"ranking_options": dict(call["file_search"]["ranking_options"]), "results": []}
    return step_delta(
        step_id, {"index": index, "id": call["id"], "type": "file_search", "file_search": searched}
    )


def code_deltas(step_id: str, index: int, call: dict[str, Any]) -> Iterator[Event]:
    """Code before it runs: id first, then the source piece by piece."""
    begun: dict[str, Any] = {"input": "", "outputs": []}
    yield step_delta(
        step_id, {"index": index, "id": call["id"], "type": "code_interpreter", "code_interpreter": begun}
    )
    for piece in pieces(call["code_interpreter"]["input"]):
        yield _code_delta(step_id, index, {"input": piece})


def output_deltas(step_id: str, index: int, call: dict[str, Any]) -> Iterator[Event]:
    """What the code printed and drew."""
    for position, output in enumerate(call["code_interpreter"]["outputs"]):
        yield _code_delta(step_id, index, {"outputs": [{"index": position, **output}]})


def _code_delta(step_id: str, index: int, part: dict[str, Any]) -> Event:
    return step_delta(step_id, {"index": index, "type": "code_interpreter", "code_interpreter": part})
