"""Streaming of responses: what is told of an item while it is made, in the recorded order.

``type`` and ``sequence_number`` are put in where the events leave the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.server.engine.citations import annotate, wholes, without_markers
from harness.server.engine.deltas import pieces
from harness.server.engine.live_text import Holdback
from harness.server.llms.interface import SearchHit
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


class LiveText:
    """The events of a text while it arrives in pieces, its citation markers cut out.

    Args:
        index: Of the item in the output.
        item_id: Of the item.
        hits: What file_search found.
        paths: Files that code_interpreter made: where the code sees them, and their ids.
        spell: Makes an annotation of responses from where it begins and ends and what was found there.
    """

    def __init__(
        self,
        index: int,
        item_id: str,
        hits: Sequence[SearchHit],
        paths: Mapping[str, str],
        spell: Callable[[int, int, dict[str, Any]], dict[str, Any]],
    ) -> None:
        self._place = {"item_id": item_id, "output_index": index, "content_index": 0}
        self._hits = hits
        self._paths = paths
        self._spell = spell
        self._held = Holdback(wholes(hits, paths))
        self._text = ""
        self._read = 0
        self._told = 0
        self._notes = 0

    def begin(self) -> Event:
        """The text begins."""
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
        return "response.content_part.added", {**self._place, "part": part}

    def add(self, piece: str) -> Iterator[Event]:
        """Take the next piece in."""
        self._text += piece
        yield from self._tell(self._decided())

    def end(self, text: str, part: dict[str, Any]) -> Iterator[Event]:
        """What is left to tell of the whole text.

        Args:
            text: As the model wrote it.
            part: As it is kept; annotations that the text itself does not hold come last in it.
        """
        self._text = text
        yield from self._tell(len(text))
        for annotation in part["annotations"][self._notes :]:
            yield self._noted(annotation)
        yield "response.output_text.done", {**self._place, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**self._place, "part": fresh(part)}

    def _decided(self) -> int:
        """Up to where the text is decided.

        Whether a space before a marker goes with it depends on what follows the marker.
        """
        end = self._held.decided(self._text, self._read)
        found = annotate(self._text[self._read : end], self._hits, self._paths)
        cited = [each for each in found if each["type"] == "file_citation"]
        if cited and self._read + cited[-1]["end_index"] == end:
            end = self._read + int(cited[-1]["start_index"])
        return end - 1 if self._text[self._read : end].endswith(" ") else end

    def _tell(self, end: int) -> Iterator[Event]:
        text, self._read = self._text[self._read : end], max(self._read, end)
        plain, places = without_markers(text, annotate(text, self._hits, self._paths))
        position = 0
        for first, last, found in places:
            yield from self._deltas(plain[position:last])
            position = max(position, last)
            yield self._noted(self._spell(self._told + first, self._told + last, found))
        yield from self._deltas(plain[position:])
        self._told += len(plain)

    def _deltas(self, text: str) -> Iterator[Event]:
        if text:
            yield "response.output_text.delta", {**self._place, "delta": text, "logprobs": []}

    def _noted(self, annotation: dict[str, Any]) -> Event:
        self._notes += 1
        noted = {**self._place, "annotation_index": self._notes - 1, "annotation": dict(annotation)}
        return "response.output_text.annotation.added", noted


def argument_delta(index: int, item_id: str, piece: str) -> Event:
    """The next characters of a function call's arguments."""
    place = {"item_id": item_id, "output_index": index}
    return "response.function_call_arguments.delta", {**place, "delta": piece}


def argument_events(index: int, item: dict[str, Any], *, in_pieces: bool) -> Iterator[Event]:
    """The arguments of a function call: in pieces, if they were not told yet, then whole."""
    place = {"item_id": item["id"], "output_index": index}
    for piece in pieces(item["arguments"]) if in_pieces else ():
        yield argument_delta(index, item["id"], piece)
    whole = {**place, "name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", whole


def code_events(index: int, item: dict[str, Any]) -> Iterator[Event]:
    """Code in pieces, before it runs."""
    place = {"item_id": item["id"], "output_index": index}
    for piece in pieces(item["code"]):
        yield "response.code_interpreter_call_code.delta", {**place, "delta": piece}
    yield "response.code_interpreter_call_code.done", {**place, "code": item["code"]}
