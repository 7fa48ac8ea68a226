"""The chunks of a streamed chat completion: pieces to pass on, and the completion they add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from harness.server.llms.chat_format import UnusableAnswer, model_reply, tool_names
from harness.server.llms.interface import CallPiece, Kind, ModelReply, ModelRequest, Piece, TextPiece

Json = dict[str, Any]


class _Call(msgspec.Struct):
    """A tool call as far as it has come, and how much of its arguments was passed on."""

    id: str = ""
    name: str = ""
    arguments: str = ""
    passed: int = 0

    def body(self) -> Json:
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


class Assembly(msgspec.Struct):
    """Puts the chunks of one completion together.

    Endpoints differ: some send a call at once and some in pieces, some number their calls and some tell a
    new one by its id alone, some send a refusal instead of content, and usage comes with any chunk or none.
    """

    request: ModelRequest
    _content: list[str] = msgspec.field(default_factory=list)
    _refusal: list[str] = msgspec.field(default_factory=list)
    _calls: list[_Call] = msgspec.field(default_factory=list)
    _places: dict[int, int] = msgspec.field(default_factory=dict)
    _usage: object = None
    _ended: str | None = None
    _whole: Json | None = None

    def add(self, chunk: object) -> Iterator[Piece]:
        """Take a chunk in, giving what of it can be passed on.

        Raises:
            UnusableAnswer: It is no chunk of a chat completion, or reports a failure.
        """
        if not isinstance(chunk, dict):
            raise UnusableAnswer("a part of its stream is no JSON object")
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices")
        if not choices:
            _refuse_error(chunk)
            return
        choice = choices[0] if isinstance(choices, list) else None
        if isinstance(choice, dict) and "message" in choice:
            self._whole = chunk  # the endpoint knows no streams
            return
        if not isinstance(choice, dict) or not isinstance(choice.get("delta") or {}, dict):
            raise UnusableAnswer("a part of its stream has no delta")
        yield from self._delta(choice.get("delta") or {})
        self._ended = choice.get("finish_reason") or self._ended

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        text, refusal = delta.get("content"), delta.get("refusal")
        if isinstance(text, str) and text:
            self._content.append(text)
            yield TextPiece(text)
        if isinstance(refusal, str):
            self._refusal.append(refusal)
        for each in delta.get("tool_calls") or ():
            if not isinstance(each, dict):
                raise UnusableAnswer("a tool call in its stream is no JSON object")
            yield from self._call(each)

    def _call(self, delta: Json) -> Iterator[Piece]:
        place = self._place(delta)
        call = self._calls[place]
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        call.id = call.id or str(delta.get("id") or "")
        name, arguments = function.get("name"), function.get("arguments")
        if isinstance(name, str) and not call.arguments and name != call.name:
            call.name += name
        if isinstance(arguments, str):
            call.arguments += arguments
        elif arguments is not None:
            raise UnusableAnswer("a tool call in its stream has arguments that are no text")
        yield from self._told(place, call)

    def _place(self, delta: Json) -> int:
        """Which call a piece belongs to; one that is not numbered begins with its id."""
        number, identifier = delta.get("index"), delta.get("id")
        if isinstance(number, int):
            if number not in self._places:
                self._places[number] = len(self._calls)
                self._calls.append(_Call())
            return self._places[number]
        known = [place for place, call in enumerate(self._calls) if identifier and call.id == identifier]
        if known:
            return known[-1]
        if identifier or not self._calls:
            self._calls.append(_Call())
        return len(self._calls) - 1

    def _told(self, place: int, call: _Call) -> Iterator[Piece]:
        """The arguments that are new; nothing before there are some, for only then the name is whole."""
        if not call.arguments.strip():
            return
        kinds: dict[str, Kind] = tool_names(self.request)
        news, call.passed = call.arguments[call.passed :], len(call.arguments)
        yield CallPiece(place, news, call.id, kinds.get(call.name, "function"), call.name)

    def reply(self) -> ModelReply:
        """The whole reply.

        Raises:
            UnusableAnswer: The stream ended in the middle, or its calls can't be read.
            ModelError: The provider withheld the answer.
        """
        if self._whole is not None:
            return model_reply(self._whole, self.request)
        if self._ended is None:
            raise UnusableAnswer("its stream broke off before the answer was complete")
        message = {
            "content": "".join(self._content) or None,
            "refusal": "".join(self._refusal) or None,
            "tool_calls": [call.body() for call in self._calls],
        }
        choice = {"message": message, "finish_reason": self._ended}
        return model_reply({"choices": [choice], "usage": self._usage}, self.request)


def _refuse_error(chunk: Json) -> None:
    error = chunk.get("error")
    if error:
        told = error.get("message") if isinstance(error, dict) else error
        raise UnusableAnswer(f"it reports: {told}")
