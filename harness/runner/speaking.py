"""The user of one trial: opens the thread, speaks, leaves and comes back; what happens is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from harness.clock import Clock
from harness.errors import TargetError
from harness.plan import Trial
from harness.results import Score
from harness.runner.deadlines import TIDY_S, USUAL_DEADLINE_S, in_time
from harness.runner.tools import StubBook
from harness.suite.records import CodedConversation, Conversation, Turn
from harness.targets.interface import Forgets, OutgoingTurn, Session, Target, cannot_forget
from harness.targets.request_log import RequestLog, logged
from harness.trace.records import Deletion, Simulation, TurnTrace

PayTurn = Callable[[Callable[[], Awaitable[TurnTrace]]], Awaitable[TurnTrace]]
"""Sends a turn and pays for it."""


async def _free(send: Callable[[], Awaitable[TurnTrace]]) -> TurnTrace:
    return await send()


class Played(msgspec.Struct):
    """A conversation as far as it was played; whole also when it broke off.

    Attributes:
        turns: What each turn brought.
        asked: The turns that were begun, with what must hold for them.
        scores: What the conversation's own function judged.
        simulations: How the messages of simulated users came about.
        documents: The knowledge base by file id.
    """

    turns: list[TurnTrace] = msgspec.field(default_factory=list)
    asked: list[Turn] = msgspec.field(default_factory=list)
    scores: list[Score] = msgspec.field(default_factory=list)
    simulations: list[Simulation] = msgspec.field(default_factory=list)
    documents: dict[str, str] = msgspec.field(default_factory=dict)

    def script(self, conversation: Conversation) -> Conversation:
        """The conversation to judge by: of one that a function plays, the turns that it came to."""
        if not isinstance(conversation, CodedConversation):
            return conversation
        return conversation.model_copy(update={"turns": tuple(self.asked)})


class Speaker:
    """Speaks with the assistant of one trial, one message after the other.

    Args:
        trial: The trial; its stubs answer function calls.
        target: Where the assistant lives.
        played: Is added to with every turn.
        deadline_s: Longest a turn may take; None: what the suite says.
        most_rounds: How often the assistant may ask for functions in one turn.
        clock: What time it is.
        pay: Pays for each turn, where the target does not ask for money itself.
    """

    def __init__(
        self,
        trial: Trial,
        target: Target,
        played: Played,
        *,
        deadline_s: float | None,
        most_rounds: int,
        clock: Clock,
        pay: PayTurn | None = None,
    ) -> None:
        self._pay = pay or _free
        self.clock = clock
        self._trial = trial
        self._target = target
        self._played = played
        self._deadline_s = deadline_s
        self._most_rounds = most_rounds
        self._stubs = StubBook(trial.suite.stubs, trial.suite.functions)
        self._user = f"{trial.id}/{trial.conversation.as_ or 'user'}" if _is_known(trial) else None
        self._session: Session | None = None
        self._opening = RequestLog()

    @property
    def session(self) -> Session:
        """The thread that is open."""
        assert self._session is not None
        return self._session

    @property
    def deadline_s(self) -> float:
        """Longest a turn of this conversation may take that says nothing of its own."""
        return self._deadline_s or self._trial.conversation.deadline_s or USUAL_DEADLINE_S

    async def begin(self) -> None:
        """Open the thread, with the conversation's history on it."""
        history = self._trial.conversation.history
        opening = self._target.open(self._trial.variant, history=history, user_id=self._user)
        with logged(self._opening):
            self._session = await in_time(opening, self.deadline_s, "open a thread")

    async def say(self, turn: Turn, *, simulated: bool = False) -> TurnTrace:
        """What a turn brings, once the assistant has done.

        Args:
            turn: What the user says.
            simulated: Whether a simulated user says it.
        """
        self._played.asked.append(turn)
        if turn.returning and self._user:
            await self._give_back(self.session)
            opening = self._target.open(self._trial.variant, user_id=self._user)
            with logged(self._opening):
                self._session = await in_time(opening, self.deadline_s, "open a thread again")
        folder = self._trial.suite.source.parent
        attachments = tuple((folder / each.file, each) for each in turn.attach)
        outgoing = OutgoingTurn(turn.user, attachments, self._most_rounds)
        within_s = self._deadline_s or turn.deadline_s or self.deadline_s
        session, answer = self.session, self._stubs.answer
        trace = await self._pay(lambda: session.send(outgoing, answer, deadline_s=within_s))
        if turn.returning or simulated:
            trace = msgspec.structs.replace(trace, returning=turn.returning, simulated=simulated)
        trace = self._with_opening(trace)
        self._played.turns.append(trace)
        if turn.forget and self._user:
            trace = msgspec.structs.replace(trace, deletion=await self._forgotten(self._user))
            self._played.turns[-1] = trace
        return trace

    async def _forgotten(self, user: str) -> Deletion:
        if not isinstance(self._target, Forgets):
            raise cannot_forget(self._target)
        return await self._target.forget(user)

    def _with_opening(self, trace: TurnTrace) -> TurnTrace:
        """What opening a thread had to wait for stands with its first turn; its latency begins later."""
        opening, self._opening = self._opening, RequestLog()
        if not opening.attempts and not opening.waited_s:
            return trace
        return msgspec.structs.replace(
            trace,
            wait_s=opening.waited_s + trace.wait_s,
            attempts=(*opening.attempts, *trace.attempts),
        )

    async def say_all(self, turns: Sequence[Turn]) -> None:
        """All turns of a script, whatever the assistant answers."""
        for turn in turns:
            await self.say(turn)

    async def leave(self) -> None:
        """Give the thread back."""
        if self._session is not None:
            self._played.documents = self._session.documents
            await self._give_back(self._session)

    async def _give_back(self, session: Session) -> None:
        """Close a session; what the target does not let go changes nothing about what was said."""
        try:
            await in_time(session.close(), TIDY_S, "close a thread")
        except TargetError:
            return


def _is_known(trial: Trial) -> bool:
    """Whether the user is somebody whose thread is kept for a while."""
    conversation = trial.conversation
    return conversation.as_ is not None or any(turn.returning or turn.forget for turn in conversation.turns)
