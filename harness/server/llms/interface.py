"""What a model is to the engine: messages and tools in, text or tool calls out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeGuard, runtime_checkable

import msgspec

Kind = Literal["file_search", "code_interpreter", "function"]
ErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]


class ModelError(Exception):
    """A model that cannot answer; the run then fails with this code and message.

    Attributes:
        code: ``server_error``, ``rate_limit_exceeded`` or ``invalid_prompt``.
        message: What clients read in the run's ``last_error``.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class SearchHit(msgspec.Struct, frozen=True):
    """A chunk that file_search found, with the marker that cites it, e.g. ``【4:0†faq.pdf】``."""

    file_id: str
    filename: str
    score: float
    text: str
    marker: str
    page: int | None = None


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool call the model wants.

    ``kind`` tells which; ``arguments`` is a JSON object: ``{"queries": [...]}`` for file_search,
    ``{"input": source}`` for code_interpreter, the function's own arguments otherwise.
    """

    id: str
    kind: Kind
    name: str
    arguments: dict[str, Any]
    written: str = field(default="", compare=False)
    """The arguments as the model spelt them, which is how clients get them; empty where nobody knows."""

    @property
    def arguments_text(self) -> str:
        """The arguments as JSON text."""
        return self.written or msgspec.json.encode(self.arguments).decode()


class FileInfo(msgspec.Struct, frozen=True):
    """A file that code_interpreter can read."""

    file_id: str
    filename: str
    path: str
    head: str = ""
    """The first 2,000 characters of a text file; empty for others."""


class ChatMessage(msgspec.Struct, frozen=True):
    """One message of the talk, or the outcome of one tool call.

    Attributes:
        role: ``user``, ``assistant`` or ``tool``.
        content: Text; for a tool, its output as text.
        tool_requests: What an assistant message asked for.
        answers: Id of the tool request that a tool message answers.
        hits: What file_search found, best first.
        files: Names and ids of what code_interpreter made: ``(file_id, filename, is_image)``.
    """

    role: Literal["user", "assistant", "tool"]
    content: str
    tool_requests: tuple[ToolRequest, ...] = ()
    answers: str | None = None
    hits: tuple[SearchHit, ...] = ()
    files: tuple[tuple[str, str, bool], ...] = ()


class ModelRequest(msgspec.Struct, frozen=True):
    """Everything a model is given for one completion.

    Attributes:
        model: The name the run asked for.
        instructions: The system instructions of the run.
        messages: Oldest first; ends with a user message or with tool outputs.
        tools: As the API spells them: ``{"type": "function", "function": {...}}`` and the hosted ones.
        tool_choice: As the API spells it.
        files: Files of the thread and assistant that code_interpreter can read.
        max_completion_tokens: What is left for this completion, None without a limit.
        response_format: As the API spells it.
        options: temperature, top_p, reasoning_effort and parallel_tool_calls, where given.
    """

    model: str
    instructions: str
    messages: Sequence[ChatMessage]
    tools: Sequence[dict[str, Any]] = ()
    tool_choice: Any = "auto"
    files: Sequence[FileInfo] = ()
    max_completion_tokens: int | None = None
    response_format: Any = "auto"
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class ModelReply(msgspec.Struct, frozen=True):
    """One completion: text, or tool calls, or both.

    Attributes:
        content: The text; citation markers of hits stand in it as they are.
        tool_requests: Tools to be called before the model goes on.
        usage: ``{"prompt_tokens": n, "completion_tokens": n}`` as counted by the model's provider, with
            ``cached_tokens`` and ``reasoning_tokens`` where it tells them; None lets the engine count.
        was_cut: The model stopped because it may write no more, not because it was done.
    """

    content: str = ""
    tool_requests: tuple[ToolRequest, ...] = ()
    usage: dict[str, int] | None = None
    was_cut: bool = False


class LanguageModel(Protocol):
    """Completes a conversation; may raise ``ModelError`` (the run then fails with its code)."""

    def complete(self, request: ModelRequest) -> ModelReply:
        """The next message or tool calls."""
        ...


class TextPiece(msgspec.Struct, frozen=True):
    """The next words of an answer."""

    text: str


class CallPiece(msgspec.Struct, frozen=True):
    """The next characters of a tool call's arguments; the first piece of a call tells which call it is.

    Attributes:
        position: The call's place among the calls of this completion, from 0.
        arguments: JSON text, as far as this piece goes.
        id: The model's own id for the call, in its first piece; may be empty there, too.
        kind: In every piece.
        name: In every piece.
    """

    position: int
    arguments: str
    id: str
    kind: Kind
    name: str


Piece = TextPiece | CallPiece | None
"""None: nothing came for a moment, and whoever waits may look whether anyone still wants the answer."""


@runtime_checkable
class SummarisingModel(LanguageModel, Protocol):
    """A model that can say in short what was said."""

    def summarise(
        self, model: str, earlier: str, messages: Sequence[ChatMessage], most_tokens: int
    ) -> ModelReply:
        """A summary of what was said, going on from an earlier one; may raise ``ModelError``."""
        ...


class StreamingModel(LanguageModel, Protocol):
    """A model whose answer can be had while it is made."""

    def stream(self, request: ModelRequest) -> Generator[Piece, None, ModelReply]:
        """The pieces as they come, then the whole reply; closing it ends the model's work."""
        ...


def answers_at_once(model: LanguageModel) -> bool:
    """Whether nobody waits for this model: it says that its ``at_once`` is true."""
    return getattr(model, "at_once", False) is True


def streams(model: LanguageModel) -> TypeGuard[StreamingModel]:
    """Whether the answer of this model can be had while it is made."""
    return hasattr(model, "stream")  # asked every turn, and isinstance takes long to look at a protocol
