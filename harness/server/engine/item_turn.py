"""What a response writes of one completion: a message item, function calls, or both, in the recorded order.

A model that answers in pieces is heard while it speaks; what it has said at the end is what was told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from harness.server.engine import hosted, item_events
from harness.server.engine.asking import Completion
from harness.server.engine.citations import annotate, without_markers
from harness.server.engine.items import hits_of, since_question
from harness.server.engine.response_job import ResponseJob
from harness.server.llms.interface import CallPiece, Piece, SearchHit, TextPiece, ToolRequest
from harness.server.state import ItemRecord, ResponseRecord
from harness.server.wire import Event


class _Writing(msgspec.Struct):
    """A message item that is being written, with its text as far as it was heard."""

    index: int
    made: ItemRecord
    live: item_events.LiveText | None = None
    text: str = ""


class _Told(msgspec.Struct):
    """A function call item that is being told, and its arguments so far."""

    index: int
    made: ItemRecord
    arguments: str = ""
    is_done: bool = False


class ItemTurn(msgspec.Struct):
    """The items and events of one completion of a response.

    Attributes:
        job: The response.
    """

    job: ResponseJob
    _writing: _Writing | None = None
    _written: str = ""
    _told: list[_Told] = msgspec.field(default_factory=list)

    # while the model speaks

    def hear(self, piece: Piece) -> Iterator[Event]:
        """Take in a piece of the reply.

        Raises:
            ModelError: It calls a tool that is not there.
        """
        if isinstance(piece, CallPiece):
            yield from self._hear_call(piece)
        elif isinstance(piece, TextPiece) and not self._told:
            yield from self._hear_text(piece.text)

    def _hear_text(self, text: str) -> Iterator[Event]:
        if self._writing is None:
            yield self._open_message()
        writing = self._writing
        assert writing is not None
        if writing.live is None:
            sources = _Sources.of(self.job.record)
            writing.live = item_events.LiveText(
                writing.index, writing.made.id, sources.hits, sources.paths, sources.annotation
            )
            yield writing.live.begin()
        writing.text += text
        yield from writing.live.add(text)

    def _hear_call(self, piece: CallPiece) -> Iterator[Event]:
        """A function call is told as it comes; hosted tools, and what follows them, once they are whole."""
        if piece.position == len(self._told):
            hosted.check(self.job.record.tools, ToolRequest(piece.id, piece.kind, piece.name, {}))
            if piece.kind != "function":
                return
            yield from self._end_message_before_calls()
            yield from self._end_calls()
            index, made = self._open_call(piece.id, piece.name)
            self._told.append(_Told(index, made))
            yield self.job.added(index, made)
        if piece.position == len(self._told) - 1 and piece.arguments:
            told = self._told[-1]
            told.arguments += piece.arguments
            yield item_events.argument_delta(told.index, told.made.id, piece.arguments)

    def keep_heard(self) -> None:
        """Keep what was heard of a message when no more will come."""
        writing = self._writing
        if writing is not None and writing.text and not writing.made.item["content"]:
            with self.job.engine.state.lock:
                self.job.mark(writing.made)
                writing.made.said = writing.text
                writing.made.item["content"] = [_text_part(self.job.record, writing.text, is_live=True)]

    # when the reply is whole

    def say(self, completion: Completion, *, alone: bool) -> Iterator[Event]:
        """Write what the model said, as far as that was not done yet.

        Args:
            completion: The reply and whether it was cut short.
            alone: Whether there is nothing but the message, which is then written even if it is empty.
        """
        text = completion.reply.content
        rest = text[len(self._written) :] if text.startswith(self._written) else text
        if self._told and completion.was_cut:
            return  # in the middle of its calls, which stay incomplete
        if rest or self._writing is not None or (alone and not self._told):
            yield from self._say(rest, was_cut=completion.was_cut)

    def call(self, place: int, request: ToolRequest) -> Iterator[Event]:
        """Write a function call, as far as that was not done yet."""
        if place >= len(self._told):
            index, made = self._open_call(request.id, request.name)
            yield self.job.added(index, made)
            yield from self._end_call(_Told(index, made, request.arguments_text), in_pieces=True)
            return
        told = self._told[place]
        rest = request.arguments_text[len(told.arguments) :]
        if rest and not told.is_done:
            told.arguments += rest
            yield item_events.argument_delta(told.index, told.made.id, rest)
        if not told.is_done:
            yield from self._end_call(told, in_pieces=False)

    # calls

    def _open_call(self, call_id: str, name: str) -> tuple[int, ItemRecord]:
        used = {each.item.get("call_id") for each in self.job.record.items()}
        if not call_id or call_id in used:
            call_id = self.job.engine.state.ids.new("call_")
        return self.job.open("function_call", arguments="", call_id=call_id, name=name)

    def _end_calls(self) -> Iterator[Event]:
        """A call is whole when the next one begins."""
        for told in self._told:
            if not told.is_done:
                yield from self._end_call(told, in_pieces=False)

    def _end_call(self, told: _Told, *, in_pieces: bool) -> Iterator[Event]:
        """End a call.

        Args:
            told: The call with its whole arguments.
            in_pieces: Whether the arguments are still to be told, piece by piece.
        """
        told.is_done = True
        with self.job.engine.state.lock:
            self.job.mark(told.made)
            told.made.item.update(status="completed", arguments=told.arguments)
        if self.job.streaming:
            yield from item_events.argument_events(told.index, told.made.item, in_pieces=in_pieces)
        yield self.job.done(told.index, told.made)

    # messages

    def _end_message_before_calls(self) -> Iterator[Event]:
        if self._writing is not None:
            self._written = self._writing.text
            yield from self._say(self._written, was_cut=False)

    def _open_message(self) -> Event:
        index, made = self.job.open("message", content=[], role="assistant")
        self._writing = _Writing(index, made)
        return self.job.added(index, made)

    def _say(self, text: str, *, was_cut: bool) -> Iterator[Event]:
        """Write a message, or the rest of the one that is open, and end it."""
        job = self.job
        if self._writing is None:
            yield self._open_message()
        writing = self._writing
        assert writing is not None
        part = _text_part(job.record, text, is_live=writing.live is not None)
        if writing.live is not None:
            yield from writing.live.end(text, part)
        elif job.streaming:
            yield from item_events.text_events(writing.index, writing.made.id, part)
        job.check()
        self._writing = None
        with job.engine.state.lock:
            job.mark(writing.made)
            writing.made.said = text
            status = "incomplete" if was_cut else "completed"
            writing.made.item.update(status=status, content=[part])
            job.record.pending_images.clear()
        yield job.done(writing.index, writing.made)


class _Sources(msgspec.Struct, frozen=True):
    """What a text may cite or link: found chunks, and files that code made.

    Attributes:
        hits: What file_search found since the question.
        paths: Where code sees the files it made, and their ids.
        links: Container, id and name of these files, by id.
    """

    hits: list[SearchHit]
    paths: Mapping[str, str]
    links: Mapping[str, tuple[str, str, str]]

    @classmethod
    def of(cls, record: ResponseRecord) -> _Sources:
        present = since_question(record.items())
        hits = {hit.marker: hit for each in present for hit in hits_of(each)}
        made = {
            path: (each.item["container_id"], file_id, name)
            for each in present
            if each.item["type"] == "code_interpreter_call"
            for path, file_id in each.note.paths.items()
            for known, name, _ in each.note.made
            if known == file_id
        }
        paths = {path: file_id for path, (_, file_id, _) in made.items()}
        return cls(list(hits.values()), paths, {file[1]: file for file in made.values()})

    def annotation(self, start: int, end: int, found: Mapping[str, Any]) -> dict[str, Any]:
        """An annotation as responses spell it; citations are told by their position."""
        if found["type"] == "file_citation":
            file_id = found["file_citation"]["file_id"]
            name = next(hit.filename for hit in self.hits if hit.file_id == file_id)
            return {"type": "file_citation", "file_id": file_id, "filename": name, "index": start}
        return _container_citation(self.links[found["file_path"]["file_id"]], start, end)


def _text_part(record: ResponseRecord, text: str, *, is_live: bool) -> dict[str, Any]:
    """The text without its markers.

    Args:
        record: The response.
        text: As the model wrote it.
        is_live: The text was told while it was made: images that it does not link then come last, as
            nobody could tell them before.
    """
    sources = _Sources.of(record)
    found = annotate(text, sources.hits, sources.paths)
    plain, places = without_markers(text, found)
    cited = [sources.annotation(start, end, each) for start, end, each in places]
    linked = {each.get("file_id") for each in cited}
    shown = [_container_citation(one, 0, 0) for one in record.pending_images if one[1] not in linked]
    annotations = [*cited, *shown] if is_live else [*shown, *cited]
    return {"type": "output_text", "annotations": annotations, "logprobs": [], "text": plain}


def _container_citation(file: tuple[str, str, str], start: int, end: int) -> dict[str, Any]:
    container_id, file_id, name = file
    return {
        "type": "container_file_citation",
        "container_id": container_id,
        "file_id": file_id,
        "filename": name,
        "start_index": start,
        "end_index": end,
    }
