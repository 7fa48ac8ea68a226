"""Streaming of responses: what is told of an item while it is made, in the recorded order.

``type`` and ``sequence_number`` are put in where the events leave the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.server.engine.deltas import pieces
from harness.server.wire import Event, fresh


def added(index: int, item: dict[str, Any]) -> Event:
    """An item begins."""
    return "response.output_item.added", {"output_index": index, "item": item}


def done(index: int, item: dict[str, Any]) -> Event:
    """An item is complete."""
    return "response.output_item.done", {"output_index": index, "item": item}


def progress(index: int, item_id: str, name: str) -> Event:
    """A hosted tool goes on to its next stage, such as ``file_search_call.searching``."""
    return f"response.{name}", {"output_index": index, "item_id": item_id}


def text_events(index: int, item_id: str, part: dict[str, Any]) -> Iterator[Event]:
    """A text in pieces; an annotation follows the piece at whose end it stands."""
    place = {"item_id": item_id, "output_index": index, "content_index": 0}
    text, annotations = part["text"], part["annotations"]
    empty = {**part, "text": "", "annotations": []}
    yield "response.content_part.added", {**place, "part": empty}
    position = 0
    for number, annotation in enumerate(annotations):
        end = annotation.get("end_index", annotation.get("index"))
        yield from _text_deltas(place, text[position:end])
        position = max(position, end)
        noted = {**place, "annotation_index": number, "annotation": dict(annotation)}
        yield "response.output_text.annotation.added", noted
    yield from _text_deltas(place, text[position:])
    yield "response.output_text.done", {**place, "text": text, "logprobs": []}
    yield "response.content_part.done", {**place, "part": fresh(part)}


def _text_deltas(place: dict[str, Any], text: str) -> Iterator[Event]:
    for piece in pieces(text):
        yield "response.output_text.delta", {**place, "delta": piece, "logprobs": []}


def argument_events(index: int, item: dict[str, Any]) -> Iterator[Event]:
    """The arguments of a function call in pieces."""
    place = {"item_id": item["id"], "output_index": index}
    for piece in pieces(item["arguments"]):
        yield "response.function_call_arguments.delta", {**place, "delta": piece}
    whole = {**place, "name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", whole


def code_events(index: int, item: dict[str, Any]) -> Iterator[Event]:
    """Code in pieces, before it runs."""
    place = {"item_id": item["id"], "output_index": index}
    for piece in pieces(item["code"]):
        yield "response.code_interpreter_call_code.delta", {**place, "delta": piece}
    yield "response.code_interpreter_call_code.done", {**place, "code": item["code"]}
