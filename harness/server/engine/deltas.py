"""Streaming: texts and tool calls cut into the deltas that clients put together again.

Clients concatenate every string but ``type`` and merge list entries by ``index``, so ids and names are
sent once and every list entry has its index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.server.engine.citations import annotate, wholes
from harness.server.engine.live_text import Holdback
from harness.server.llms.interface import SearchHit
from harness.server.wire import Event

_PIECE = re.compile(r"(?:\s*\S+){1,3}|\s+")


def pieces(text: str) -> Iterator[str]:
    """The text in pieces of a few words each."""
    for match in _PIECE.finditer(text):
        yield match.group()


def image_delta(message_id: str, index: int, part: dict[str, Any]) -> Event:
    """An image of a message, told at once."""
    return _message_delta(message_id, {"index": index, **part})


def message_deltas(message_id: str, content: list[dict[str, Any]]) -> Iterator[Event]:
    """The deltas that build up the content parts of a message."""
    for index, part in enumerate(content):
        if part["type"] != "text":
            yield image_delta(message_id, index, part)
            continue
        first = True
        for value, notes in _text_pieces(part["text"]["value"], part["text"]["annotations"]):
            text: dict[str, Any] = {"value": value}
            if notes or first:
                text["annotations"] = notes
            first = False
            yield _message_delta(message_id, {"index": index, "type": "text", "text": text})


class LiveMessage:
    """The deltas of a text part while its text arrives in pieces.

    An annotated text (a citation marker, a link to a file) is one delta that carries its annotation, as in
    the recorded traffic, however the model cut it.

    Args:
        message_id: Of the message.
        index: Of the part in the message.
        hits: What file_search found.
        paths: Files that code_interpreter made: where the code sees them, and their ids.
    """

    def __init__(
        self, message_id: str, index: int, hits: Sequence[SearchHit], paths: Mapping[str, str]
    ) -> None:
        self._message_id = message_id
        self._index = index
        self._hits = hits
        self._paths = paths
        self._held = Holdback(wholes(hits, paths))
        self._text = ""
        self._told = 0
        self._notes = 0
        self._deltas = 0

    def add(self, piece: str) -> Iterator[Event]:
        """Take the next piece in."""
        self._text += piece
        yield from self._tell(self._held.decided(self._text, self._told))

    def end(self, text: str) -> Iterator[Event]:
        """What is left to tell of the whole text."""
        self._text = text
        yield from self._tell(len(text))
        if not self._deltas:
            yield self._delta("", [])

    def _tell(self, end: int) -> Iterator[Event]:
        text, self._told = self._text[self._told : end], max(self._told, end)
        position = 0
        for annotation in annotate(text, self._hits, self._paths):
            if annotation["start_index"] > position:
                yield self._delta(text[position : annotation["start_index"]], [])
            told = max(0, position - annotation["start_index"])  # a link may stand inside a marker
            position = max(position, annotation["end_index"])
            yield self._annotated(annotation, end - len(text), annotation["text"][told:])
        if text[position:]:
            yield self._delta(text[position:], [])

    def _annotated(self, annotation: dict[str, Any], offset: int, value: str) -> Event:
        for name in ("start_index", "end_index"):
            annotation[name] += offset
        self._notes += 1
        return self._delta(value, [_annotation_delta(self._notes - 1, annotation)])

    def _delta(self, value: str, notes: list[dict[str, Any]]) -> Event:
        text: dict[str, Any] = {"value": value}
        if notes or not self._deltas:
            text["annotations"] = notes
        self._deltas += 1
        return _message_delta(self._message_id, {"index": self._index, "type": "text", "text": text})


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
        # A link may stand inside a marker: what was told is not told again.
        told = max(0, position - annotation["start_index"])
        position = max(position, annotation["end_index"])
        yield annotation["text"][told:], [_annotation_delta(index, annotation)]
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
    yield function_begun(step_id, index, call["id"], call["function"]["name"])
    for piece in pieces(call["function"]["arguments"]):
        yield function_arguments(step_id, index, piece)


def function_begun(step_id: str, index: int, call_id: str, name: str) -> Event:
    """A function call begins."""
    function = {"name": name, "arguments": "", "output": None}
    return step_delta(step_id, {"index": index, "id": call_id, "type": "function", "function": function})


def function_arguments(step_id: str, index: int, piece: str) -> Event:
    """The next characters of its arguments."""
    return step_delta(step_id, {"index": index, "type": "function", "function": {"arguments": piece}})


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
