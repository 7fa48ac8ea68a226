"""A function of the user's own as a target: any application, in this process.

The function gets a ``Question`` and returns a text, an ``Answer``, or a mapping with its fields. It may
be sync (then it runs in a thread of its own) or async. What it raises is data in the trial, and so is a turn
that takes too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.cost.usage import Usage
from harness.errors import TargetRefused
from harness.suite.records import HistoryMessage, Variant
from harness.targets import requests
from harness.targets.answered import Answer, Called, Cited, Found, said
from harness.targets.calling import called
from harness.targets.interface import AnswerFunction, FunctionCall, OutgoingTurn
from harness.targets.turns import Answers, Timing, timed, user_message
from harness.trace.records import Citation, Message, RunStatus, RunStep, SearchResult, ToolCall, TurnTrace

__all__ = ["Answer", "Called", "Cited", "Found", "FunctionTarget", "Question", "Said"]


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said earlier in the talk.

    Attributes:
        role: ``user`` or ``assistant``.
        text: What was said.
    """

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One message of the user, with all that a function needs to answer it.

    Attributes:
        text: The message.
        history: What was said before it, oldest first.
        attachments: Files sent with it.
        talk_id: The same for all turns of a talk, also when a user comes back.
        instructions: Of the assistant file that the suite names.
        model: Of that file.
        documents: The knowledge files of that file.
        call: Asks the suite's tool stubs: ``await question.call(name, {...})`` gives a function's output.
        call_now: The same for functions that are not async.
    """

    text: str
    history: tuple[Said, ...]
    attachments: tuple[Path, ...]
    talk_id: str
    instructions: str
    model: str
    documents: tuple[Path, ...]
    call: Callable[[str, Mapping[str, Any]], Awaitable[str]] = field(repr=False)
    call_now: Callable[[str, Mapping[str, Any]], str] = field(repr=False)


Application = Callable[[Question], Any]


@dataclass(slots=True)
class _Talk:
    name: str
    history: list[Said]


@dataclass(slots=True)
class _Turn:
    """A turn in the making: the calls it made of stubs, what it answered, or what it raised."""

    answers: Answers
    calls: list[FunctionCall] = field(default_factory=list)
    answer: Answer | None = None
    error: str | None = None


class FunctionTarget:
    """A function, sync or async, that answers questions."""

    def __init__(self, name: str, application: Application, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self._application = application
        self._clock = clock
        self._talks = 0
        self._user_talks: dict[str, _Talk] = {}

    async def provision(self, variant: Variant) -> None:
        """Nothing to make: the function has its own assistant.

        Raises:
            TargetRefused: The variant is an assistant that exists already, somewhere else.
        """
        requests.refuse_existing(self.name, variant)

    async def open(
        self, variant: Variant, *, history: Sequence[HistoryMessage] = (), user_id: str | None = None
    ) -> FunctionSession:
        """A new talk that begins with the history, or the one kept for this user."""
        talk = self._user_talks.get(user_id) if user_id else None
        if talk is None:
            self._talks += 1
            talk = _Talk(f"talk-{self._talks}", [Said(each.role, each.content) for each in history])
        if user_id:
            self._user_talks[user_id] = talk
        return FunctionSession(self._application, self._clock, variant, talk)

    async def tear_down(self) -> None:
        """Forget the talks."""
        self._user_talks.clear()


class FunctionSession:
    """One talk."""

    def __init__(self, application: Application, clock: Clock, variant: Variant, talk: _Talk) -> None:
        self._application = application
        self._clock = clock
        self._variant = variant
        self._talk = talk

    @property
    def documents(self) -> dict[str, str]:
        """The knowledge files by name: a function has no other ids for them."""
        return {path.name: path.name for path in self._variant.documents}

    async def send(self, turn: OutgoingTurn, answer: AnswerFunction, *, deadline_s: float) -> TurnTrace:
        """Ask the function, and tell what it answered or how it failed."""
        making = _Turn(Answers(self._clock, turn.most_rounds))
        question = self._question(turn, making, answer)
        timing = await timed(self._ask(question, making), self._clock, deadline_s, making.answers)
        self._talk.history.append(Said("user", turn.text))
        if making.answer is not None:
            self._talk.history.append(Said("assistant", making.answer.text))
        return _trace(turn, making, timing, self._talk.name)

    async def close(self) -> None:
        """Nothing is kept."""

    def _question(self, turn: OutgoingTurn, making: _Turn, answer: AnswerFunction) -> Question:
        loop = asyncio.get_running_loop()

        async def call(name: str, arguments: Mapping[str, Any]) -> str:
            written = msgspec.json.encode(dict(arguments)).decode()
            asked = FunctionCall(f"call-{len(making.calls) + 1}", name, written)
            making.calls.append(asked)
            return await making.answers.give(asked, answer)

        def call_now(name: str, arguments: Mapping[str, Any]) -> str:
            return asyncio.run_coroutine_threadsafe(call(name, arguments), loop).result()

        return Question(
            text=turn.text,
            history=tuple(self._talk.history),
            attachments=tuple(path for path, _ in turn.attachments),
            talk_id=self._talk.name,
            instructions=self._variant.assistant.instructions,
            model=self._variant.assistant.model,
            documents=self._variant.documents,
            call=call,
            call_now=call_now,
        )

    async def _ask(self, question: Question, making: _Turn) -> None:
        try:
            returned = await called(self._application, question)
        except Exception as failure:  # noqa: BLE001 - the application is what is tested: its failures are data
            making.error = f"{type(failure).__name__}: {failure}"
            return
        making.answer = _understood(returned)


def _understood(returned: Any) -> Answer:
    """What was returned, as an answer.

    Raises:
        TargetRefused: It is none.
    """
    try:
        return said(returned)
    except (msgspec.ValidationError, TypeError) as error:
        raise TargetRefused(
            f"the function returned what is no answer: {error}",
            code="function-answer",
            hint="return a text, a harness.targets.function.Answer, or a dict with its fields",
        ) from error


# --- the trace -----------------------------------------------------------------------------------------


def _trace(turn: OutgoingTurn, making: _Turn, timing: Timing, talk: str) -> TurnTrace:
    answer = making.answer
    return TurnTrace(
        user=user_message(turn),
        status=_status(making, timing),
        started_at=timing.started_at,
        latency_s=timing.latency_s,
        messages=(_message(answer),) if answer is not None else (),
        steps=tuple(_steps(making)),
        usage=_usage(answer),
        model=answer.model if answer else None,
        error=making.error or (answer.error if answer else None) or timing.told,
        thread_id=talk,
        api="function",
    )


def _status(making: _Turn, timing: Timing) -> RunStatus:
    if timing.timed_out:
        return "timed_out"
    return "failed" if making.answer is None else making.answer.status


def _usage(answer: Answer | None) -> Usage | None:
    return answer.usage if answer else None


def _message(answer: Answer) -> Message:
    return Message(
        role="assistant",
        text=answer.text,
        citations=tuple(_citation(each, answer) for each in answer.citations),
    )


def _citation(cited: Cited, answer: Answer) -> Citation:
    place = len(answer.text) if cited.end is None else min(cited.end, len(answer.text))
    return Citation(
        marker="", start=place, end=place, file_id=cited.filename, filename=cited.filename, chunk=cited.text
    )


def _steps(making: _Turn) -> list[RunStep]:
    """One step of all calls (those of stubs, those that the answer tells of, the search), and the message."""
    answer = making.answer
    calls = [making.answers.add_to(_stubbed(call, making.answers)) for call in making.calls]
    if answer is not None:
        calls += [_told(number, each) for number, each in enumerate(answer.tool_calls, start=1)]
        calls += [_searched(answer.retrieved)] if answer.retrieved else []
    steps: list[RunStep] = []
    if calls:
        steps.append(RunStep(id="calls", type="tool_calls", status="completed", tool_calls=tuple(calls)))
    if answer is not None:
        steps.append(RunStep(id="message", type="message_creation", status="completed"))
    return steps


def _stubbed(call: FunctionCall, answers: Answers) -> ToolCall:
    return ToolCall(
        id=call.id, type="function", name=call.name, arguments=call.arguments, output=answers.output(call.id)
    )


def _told(number: int, call: Called) -> ToolCall:
    return ToolCall(
        id=f"told-{number}",
        type="function",
        name=call.name,
        arguments=msgspec.json.encode(call.arguments).decode(),
        output=call.output,
        error=call.error,
        latency_s=call.latency_s,
    )


def _searched(found: Sequence[Found]) -> ToolCall:
    results = tuple(
        SearchResult(file_id=each.filename, filename=each.filename, score=each.score, text=each.text)
        for each in found
    )
    return ToolCall(id="search", type="file_search", name="file_search", results=results)
