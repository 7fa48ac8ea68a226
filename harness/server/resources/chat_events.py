"""Chat completions in chunks: as the model gives them, or cut afterwards where it gives them whole."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Iterator
from itertools import chain
from typing import Any, cast

from harness.server.engine import asking, hosted
from harness.server.engine.asking import Ask, Completion
from harness.server.engine.deltas import pieces
from harness.server.engine.live_text import Holdback
from harness.server.engine.machine import Engine
from harness.server.llms.interface import CallPiece, ModelError, TextPiece, ToolRequest
from harness.server.resources import chat_answer
from harness.server.wire import Event, StoppableEvents

Delta = dict[str, Any]


class ChatEvents(StoppableEvents):
    """The chunks of a completion; whoever reads them drives the model.

    The first chunk is there when this is made, so that what is wrong with the request is an error answer
    and no stream. A model that fails later ends the stream with an error.

    Args:
        engine: What is asked.
        ask: The question.
        stops: Texts at which an answer ends.
        head: What every chunk says of its completion.
        count: How many answers.
        with_usage: Whether a last chunk tells the usage.

    Raises:
        ApiError: The model cannot answer, or the prompt does not fit into its window.
    """

    def __init__(
        self,
        engine: Engine,
        ask: Ask,
        stops: list[str],
        head: dict[str, Any],
        count: int,
        *,
        with_usage: bool,
    ) -> None:
        self._engine, self._ask, self._stops = engine, ask, stops
        self._head = {**head, "choices": []}
        self._with_usage = with_usage
        self._stopped = threading.Event()
        chunks = self._all_chunks(count)
        try:
            first = next(chunks, None)
        except ModelError as problem:
            raise chat_answer.refusal(problem) from problem
        self._chunks = chain(() if first is None else (first,), self._to_the_end(chunks))

    def __next__(self) -> Event:
        return next(self._chunks)

    def stop(self) -> None:
        """Nobody reads on: the model need not go on either."""
        self._stopped.set()

    def _to_the_end(self, chunks: Iterator[Event]) -> Iterator[Event]:
        try:
            yield from chunks
        except ModelError as problem:
            yield "", chat_answer.refusal(problem).body()

    def _all_chunks(self, count: int) -> Iterator[Event]:
        tail = {"usage": None} if self._with_usage else {}
        spent: list[dict[str, Any] | None] = []
        for index in range(count):
            answer = _Answer(self._engine, self._ask, self._stops)
            for delta, reason in answer.deltas(index, self._listen(answer)):
                entry = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
                yield "", {**self._head, "choices": [entry], **tail}
            if answer.completion is None:
                return
            spent.append(answer.completion.usage)
        if self._with_usage:
            yield "", {**self._head, "usage": chat_answer.total(spent)}

    def _listen(self, answer: _Answer) -> Iterator[Delta]:
        """What can be told while the model speaks; closes it when nobody reads any more."""
        with contextlib.closing(asking.complete_live(self._engine, self._ask)) as live:
            while not (self._stopped.is_set() or self._engine.closed):
                try:
                    piece = next(live)
                except StopIteration as end:
                    answer.completion = cast(Completion, end.value)
                    return
                if isinstance(piece, TextPiece):
                    yield from answer.hear_text(piece.text)
                elif isinstance(piece, CallPiece):
                    yield from answer.hear_call(piece)


class _Answer:
    """One answer of a completion, and what was told of it."""

    def __init__(self, engine: Engine, ask: Ask, stops: list[str]) -> None:
        self._engine, self._ask, self._stops = engine, ask, stops
        self._held = Holdback(stops)
        self._text, self._told_text = "", 0
        self._calls: list[str] = []
        self.completion: Completion | None = None

    def deltas(self, index: int, live: Iterator[Delta]) -> Generator[tuple[Delta, str | None], None, None]:
        """Role first, then pieces, then why it ends."""
        has_begun = False
        for delta in live:
            if not has_begun:
                yield _opening("tool_calls" not in delta), None
            has_begun = True
            yield delta, None
        if self.completion is None:
            return
        chat_answer.check_calls(self._ask, self.completion)
        choice = chat_answer.choice(self._engine, self._ask, index, self.completion, self._stops)
        message = choice["message"]
        if not has_begun:
            yield _opening(message["content"] is not None), None
        for delta in self._rest(message):
            yield delta, None
        yield {}, choice["finish_reason"]

    def hear_text(self, piece: str) -> Iterator[Delta]:
        """The next words of the model, up to a text at which the answer ends."""
        self._text += piece
        text = chat_answer.until(self._text, self._stops)
        decided = len(text) if len(text) < len(self._text) else self._held.decided(text, self._told_text)
        if decided > self._told_text:
            yield {"content": text[self._told_text : decided]}
            self._told_text = decided

    def hear_call(self, piece: CallPiece) -> Iterator[Delta]:
        """The next characters of a call.

        Raises:
            ModelError: There is no such function.
        """
        if piece.position == len(self._calls):
            hosted.check(self._ask.tools, ToolRequest(piece.id, piece.kind, piece.name, {}))
            call_id = piece.id or self._engine.state.ids.new("call_")
            self._calls.append("")
            yield _call_begun(piece.position, call_id, piece.name)
        if piece.position < len(self._calls):
            self._calls[piece.position] += piece.arguments
            yield _call_arguments(piece.position, piece.arguments)

    def _rest(self, message: dict[str, Any]) -> Iterator[Delta]:
        """What was not told yet."""
        for piece in pieces((message["content"] or "")[self._told_text :]):
            yield {"content": piece}
        for index, call in enumerate(message.get("tool_calls", ())):
            function = call["function"]
            told = self._calls[index] if index < len(self._calls) else None
            if told is None:
                yield _call_begun(index, call["id"], function["name"])
            for piece in pieces(function["arguments"][len(told or "") :]):
                yield _call_arguments(index, piece)


def _opening(has_content: bool) -> Delta:
    return {"role": "assistant", "content": "" if has_content else None, "refusal": None}


def _call_begun(index: int, call_id: str, name: str) -> Delta:
    function = {"name": name, "arguments": ""}
    return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}


def _call_arguments(index: int, piece: str) -> Delta:
    return {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
