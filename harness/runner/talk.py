"""Conversations that a Python function plays: what it is given, and how what it does becomes scores."""

from __future__ import annotations

import asyncio
import hashlib
import linecache
import random
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

from harness.cost.usage import Usage
from harness.errors import BudgetError, HarnessError, Problem, ScriptError, SuiteError, TargetError, Where
from harness.plan import Trial
from harness.results import Score
from harness.runner.simulated import ChatUser, Saying, asked_user
from harness.runner.speaking import Played, Speaker
from harness.runner.tools import place_of, shown_path
from harness.suite.expecting import made_turn, turn_mistakes
from harness.suite.records import CodedConversation, Turn
from harness.targets.calling import called, ending_alone
from harness.targets.interface import Recorded
from harness.text import counted, fold
from harness.trace.records import Citation, Message, RunStatus, ToolCall, TurnTrace

SCRIPT = "script"
"""The scorer of what a conversation's own function judges."""

_CHECKS = 1000  # of one conversation; a function in a loop must not fill the store
_NOTHING: Mapping[str, Any] = {}

User = Callable[[Sequence[Message]], "str | Awaitable[str | None] | None"]
Done = Callable[["Answer"], "bool | Awaitable[bool]"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one turn.

    Attributes:
        turn: Which turn of the conversation it was, counted from 1.
        trace: All that was captured.
        escalated: Whether the assistant said one of its hand-over phrases or called one of its hand-over
            tools; the expectation ``escalates`` looks closer.
    """

    turn: int
    trace: TurnTrace
    escalated: bool

    @property
    def text(self) -> str:
        """All the assistant said in this turn."""
        return self.trace.answer

    @property
    def status(self) -> RunStatus:
        """How the run ended."""
        return self.trace.status

    @property
    def citations(self) -> tuple[Citation, ...]:
        """What it cited."""
        return self.trace.citations

    @property
    def cited(self) -> frozenset[str]:
        """The names of the documents that it cited."""
        return frozenset(each.filename for each in self.trace.citations if each.filename)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools it used, in order."""
        return self.trace.tool_calls

    @property
    def usage(self) -> Usage | None:
        """Tokens of this turn; None when unknown."""
        return self.trace.usage

    @property
    def latency_s(self) -> float:
        """How long it took, waiting for rate limits left out."""
        return self.trace.latency_s

    def __str__(self) -> str:
        return self.text


class Talk:
    """What a conversation in Python speaks with: ``answer = await talk.say("Hello")``."""

    def __init__(
        self, trial: Trial, conversation: CodedConversation, speaker: Speaker, played: Played
    ) -> None:
        self._trial = trial
        self._conversation = conversation
        self._speaker = speaker
        self._played = played
        self._one_at_a_time = asyncio.Lock()
        self._broken: TargetError | BudgetError | None = None
        self._begun = 0
        self.pause: asyncio.Timeout | None = None

    @property
    def history(self) -> tuple[Message, ...]:
        """All that was said so far, oldest first, also before the first turn."""
        before = [Message(role=each.role, text=each.content) for each in self._conversation.history]
        said = [message for turn in self._played.turns for message in (turn.user, *turn.messages)]
        return (*before, *said)

    @property
    def turns(self) -> int:
        """How many turns were played."""
        return len(self._played.turns)

    @property
    def variant(self) -> str:
        """The name of the assistant's version."""
        return self._trial.variant.name

    @property
    def repeat(self) -> int:
        """Which repeat this is, from 1."""
        return self._trial.repeat

    @cached_property
    def random(self) -> random.Random:
        """Chance that falls alike whenever this conversation's repeat is played, with every variant."""
        return random.Random(self.seed)

    @property
    def seed(self) -> int:
        """A number of this suite, conversation and repeat."""
        told = f"{self._trial.suite.name}/{self._conversation.id}#{self._trial.repeat}"
        return int.from_bytes(hashlib.sha256(told.encode()).digest()[:4], "big")

    def say(
        self,
        text: str,
        *,
        attach: str | Path | Sequence[Any] = (),
        expect: Mapping[str, Any] | None = _NOTHING,
        returning: bool = False,
    ) -> Awaitable[Answer]:
        """Say something and wait for the answer.

        Args:
            text: What the user says.
            attach: Files sent with it, relative to the suite file: paths, or ``{file, tools}``.
            expect: What must hold for the answer, as in YAML; None switches every default off.
            returning: The user left before and comes back now; the conversation needs ``as_``.

        Raises:
            SuiteError: Something of this can't be; nothing was sent.
        """
        given: dict[str, Any] = {"attach": [attach] if isinstance(attach, str | Path) else list(attach)}
        given |= {"expect": expect, "returning": returning}
        return self._say(self._turn(text, given, sys._getframe(1)))

    def _turn(self, text: str, given: Mapping[str, Any], frame: FrameType) -> Turn:
        """The turn that a line of the function describes.

        Raises:
            SuiteError: With everything that is wrong with it.
        """
        self._begun += 1  # counted before anything can go wrong: what tries again and again ends too
        if self._begun > self._conversation.most_turns:
            raise TurnsSpent(self._conversation.most_turns)
        where = Where(shown_path(frame.f_code.co_filename), frame.f_lineno)
        folder, default = self._trial.suite.source.parent, self._conversation.default
        rubrics = self._trial.suite.rubrics
        mistakes = list(turn_mistakes(given, default, None, folder, text, rubrics))
        problems = [Problem(each.message, where, each.hint) for each in mistakes]
        if given["returning"]:
            problems += self._nobody_returns(where)
        turn, _ = made_turn(text, given, default)
        if problems or turn is None:
            raise SuiteError(problems)
        return turn

    def _nobody_returns(self, where: Where) -> Iterator[Problem]:
        if self._conversation.as_ is None:
            hint = 'give the conversation a user: @suite.conversation(as_="jo")'
            yield Problem("nobody can return: the conversation has no user", where, hint)
        elif not self.history:
            yield Problem("nobody can return: nothing was said before", where, "leave returning out")

    async def _say(self, turn: Turn, *, simulated: bool = False) -> Answer:
        async with self._one_at_a_time:
            self.refuse_broken()
            self._wait(on_function=False)
            try:
                trace = await self._speaker.say(turn, simulated=simulated)
            except (TargetError, BudgetError) as failure:
                self._broken = failure
                raise
            finally:
                self._wait(on_function=True)
            return Answer(self.turns, trace, self._hands_over(trace))

    def refuse_broken(self) -> None:
        """A talk that the target broke off does not go on, also when the function would.

        Raises:
            TargetError: It was broken off.
        """
        if self._broken is not None:
            raise self._broken

    def _wait(self, *, on_function: bool) -> None:
        """The function's own pauses are limited; an answer has its own deadline."""
        if self.pause is None or self.pause.expired():
            return
        loop = asyncio.get_running_loop()
        self.pause.reschedule(loop.time() + self._speaker.deadline_s if on_function else None)

    def _hands_over(self, trace: TurnTrace) -> bool:
        escalation, said = self._trial.variant.assistant.escalation, fold(trace.answer)
        called_one = any(call.name in escalation.tools for call in trace.tool_calls)
        return called_one or any(fold(phrase) in said for phrase in escalation.phrases)

    def check(
        self, name: str, passed: bool | None, reason: str = "", value: bool | float | str | None = None
    ) -> bool | None:
        """Judge something yourself; it stands among the scores, at the turn that was last.

        Args:
            name: What is judged, in a few words.
            passed: Whether it holds; None when it can't be said, with the reason.
            reason: One sentence a reader can act on.
            value: A number or a label to keep with it.
        """
        if passed is not None and not isinstance(passed, bool):
            passed = bool(passed)
        if isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        told = reason or ("" if passed else f"{name} does not hold" if passed is False else "not judged")
        self._score(name, passed, told, passed if value is None else value)
        return passed

    def _score(
        self,
        check: str,
        passed: bool | None,
        reason: str,
        value: bool | float | str | None,
        **evidence: Any,
    ) -> None:
        if len(self._played.scores) >= _CHECKS:
            raise RuntimeError(f"a conversation has at most {_CHECKS} checks of its own")
        self._played.scores.append(
            Score(
                check=check,
                scorer=SCRIPT,
                turn=self.turns - 1 if self.turns else None,
                value=value,
                passed=passed,
                reason=reason,
                evidence=evidence,
            )
        )

    def until(
        self,
        user: User | ChatUser,
        *,
        done: Done | None = None,
        most_turns: int = 8,
        expect: Mapping[str, Any] | None = _NOTHING,
    ) -> Awaitable[list[Answer]]:
        """Let a simulated user speak until it has nothing more to say, or something is done.

        Args:
            user: A function of all that was said (``Message`` records) that gives the next message, or None
                to end; or a ``ChatUser``.
            done: Whether an answer is the end. When it never is, the check ``until`` fails.
            most_turns: How many messages the user has.
            expect: What must hold for each answer.
        """
        given: dict[str, Any] = {"attach": [], "expect": expect, "returning": False}
        return self._until(user, done, most_turns, given, sys._getframe(1))

    async def _until(
        self,
        user: User | ChatUser,
        done: Done | None,
        most_turns: int,
        given: Mapping[str, Any],
        frame: FrameType,
    ) -> list[Answer]:
        answers: list[Answer] = []
        while len(answers) < most_turns:
            text = await self._next_message(user)
            if text is None:
                break
            answers.append(await self._say(self._turn(text, given, frame), simulated=True))
            if done is not None and await called(done, answers[-1]):
                self._score("until", True, "", True)
                return answers
        if done is not None:
            ended = "all that most_turns allows" if len(answers) == most_turns else "the user gave up"
            self._score("until", False, f"not done after {counted(len(answers), 'turn')}: {ended}", False)
        return answers

    async def _next_message(self, user: User | ChatUser) -> str | None:
        """The user's next message; at a recording the one that was said then."""
        session = self._speaker.session
        if isinstance(session, Recorded):
            return session.next_simulated()
        said: Saying = await asked_user(user, self.history, self.seed, self._speaker.clock)
        self._played.simulations.append(said.simulation(self.turns))
        return said.text


class TurnsSpent(BaseException):
    """A conversation wants more turns than it may take; it ends there, as failed.

    It is no ``Exception``, so that a function which goes on after every error ends too.
    """

    def __init__(self, most: int) -> None:
        super().__init__(f"the conversation did not end within {most} turns, which is all that it may take")


# --- playing a function -----------------------------------------------------------------------------------


async def play_function(
    trial: Trial, conversation: CodedConversation, speaker: Speaker, played: Played
) -> None:
    """Play the function of a conversation to its end.

    A plain ``assert`` that fails, and turns without end, are failed scores; what else it raises goes on.

    Raises:
        ScriptError: The function itself failed, or hangs; names its file and line.
        TargetError: The target can't be used.
    """
    assert conversation.function is not None
    talk = Talk(trial, conversation, speaker, played)
    try:
        async with asyncio.timeout(speaker.deadline_s) as talk.pause:
            with ending_alone():
                await conversation.function(talk, **conversation.row)
        talk.refuse_broken()
    except TurnsSpent as failure:
        talk.refuse_broken()
        talk.check("most_turns", False, str(failure))
    except AssertionError as failure:
        _judge(talk, failure, conversation.function)
    except TimeoutError as failure:
        if talk.pause is None or not talk.pause.expired():
            raise _failed(failure, conversation.function) from failure
        told = f"the conversation {conversation.id!r} did nothing for {speaker.deadline_s:g} s"
        raise ScriptError(f"{told}, which is the deadline of a turn") from failure
    except HarnessError:
        raise
    except Exception as failure:
        raise _failed(failure, conversation.function) from failure
    if not played.asked and not played.scores:
        raise ScriptError(f"the conversation {conversation.id!r} ended without saying or checking anything")


def _failed(failure: Exception, function: Callable[..., Any]) -> ScriptError:
    return ScriptError(f"{place_of(failure, function)}: {type(failure).__name__}: {failure}")


def _judge(talk: Talk, failure: AssertionError, function: Callable[..., Any]) -> None:
    """An ``assert`` that did not hold is a failed score, with its message or its own words."""
    place = place_of(failure, function)
    talk.check("assert", False, f"{place}: {str(failure) or _line_of(failure)}")


def _line_of(failure: AssertionError) -> str:
    frame = traceback.extract_tb(failure.__traceback__)[-1]
    return linecache.getline(frame.filename, frame.lineno or 0).strip()
