"""What every target can do: provision a variant, open a session, send a turn, close, tear down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from harness.suite.records import Attachment, HistoryMessage, Variant
from harness.trace.records import TurnTrace


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function call that waits for its output; ``arguments`` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    """What to answer a function call; ``error`` says why it is not the answer the suite wanted."""

    output: str
    error: str | None = None


Pays = Literal["requests", "turns", "nothing"]
"""How a target may say, as its attribute ``pays``, what becomes of a budget: it asks for money before each
request, it is paid by the turn (the default), or it costs nothing."""
AnswerFunction = Callable[[FunctionCall], Awaitable[FunctionOutput]]


@dataclass(frozen=True, slots=True)
class OutgoingTurn:
    """One message of the user, ready to be sent."""

    text: str
    attachments: tuple[tuple[Path, Attachment], ...] = ()


class Session(Protocol):
    """One conversation with a provisioned assistant: a thread."""

    @property
    def documents(self) -> dict[str, str]:
        """The knowledge base: file id to the name it was uploaded under."""
        ...

    async def send(self, turn: OutgoingTurn, answer: AnswerFunction, *, deadline_s: float) -> TurnTrace:
        """Send a message, answer function calls, and say what happened, however the run ends.

        Raises:
            TargetError: The target can't be used at all; how the assistant fails is in the trace.
        """
        ...

    async def close(self) -> None:
        """Give the thread back."""
        ...


class Target(Protocol):
    """Where assistants live; one that asks for money itself (``spending.paid``) says so as ``pays``."""

    @property
    def name(self) -> str:
        """Short name, as on the command line."""
        ...

    async def provision(self, variant: Variant) -> None:
        """Make the variant ready: upload documents, create the assistant; once, before its sessions.

        Raises:
            TargetError: It can't be made; the message names the document or field.
        """
        ...

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> Session:
        """A new session; with a known ``user_id`` the thread kept for that user is opened again."""
        ...

    async def tear_down(self) -> None:
        """Delete everything this target created."""
        ...
