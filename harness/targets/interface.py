"""What every target can do: provision a variant, open a session, send a turn, close, tear down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeGuard, runtime_checkable

from harness.errors import TargetRefused
from harness.plan import Trial
from harness.suite.records import Attachment, HistoryMessage, Variant
from harness.trace.records import Deletion, Judgement, TurnTrace

MOST_ROUNDS = 25
"""Of function calls in one turn, unless a setting says otherwise."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function call that waits for its output; ``arguments`` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class FunctionOutput:
    """What to answer a function call.

    Attributes:
        output: The text to send.
        error: Why it is not the answer that the suite wanted.
        takes_s: How long the function is taken to have worked, without anybody waiting for it.
    """

    output: str
    error: str | None = None
    takes_s: float = 0.0


Pays = Literal["requests", "turns", "nothing"]
"""How a target may say, as its attribute ``pays``, what becomes of a budget: it asks for money before each
request, it is paid by the turn (the default), or it costs nothing."""
AnswerFunction = Callable[[FunctionCall], Awaitable[FunctionOutput]]


@dataclass(frozen=True, slots=True)
class OutgoingTurn:
    """One message of the user, ready to be sent.

    Attributes:
        text: What the user says.
        attachments: Files sent with it.
        most_rounds: How often the assistant may ask for functions before the turn is given up.
    """

    text: str
    attachments: tuple[tuple[Path, Attachment], ...] = ()
    most_rounds: int = MOST_ROUNDS


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


@runtime_checkable
class Recorded(Protocol):
    """A session that answers from a recording, and so knows what a simulated user said then."""

    def next_simulated(self) -> str | None:
        """The next message if a simulated user said it; None when that user had nothing more to say."""
        ...


@runtime_checkable
class Judged(Protocol):
    """A target that answers from what was kept, and so knows what judges decided then."""

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """What was kept of the trial."""
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


@runtime_checkable
class Forgets(Protocol):
    """A target that keeps what users say, and can be told to delete it."""

    async def forget(self, user_id: str) -> Deletion:
        """Delete all there is of a user, and ask for it again; how that fails is in the record."""
        ...


def cannot_forget(target: Target) -> TargetRefused:
    """The error of a suite with ``forget`` on a target that keeps nothing which could be deleted."""
    return TargetRefused(
        f"the suite has forget: true, and the target {target.name!r} keeps nothing that it could delete",
        code="target-lacks",
        hint="run it on embedded, assistants or responses, or choose others with --tag or --only",
    )


class Replaying(Protocol):
    """A target that answers from what was kept of earlier trials: its trials are no new evidence."""

    def for_trial(self, trial: Trial) -> Target:
        """The target as this trial sees it.

        Raises:
            TargetError: Nothing was kept that answers it.
        """
        ...


def replays(target: object) -> TypeGuard[Replaying]:
    """Whether a target answers from what was kept."""
    return hasattr(target, "for_trial")  # asked every trial, and isinstance takes long to look at a protocol
