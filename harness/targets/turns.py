"""What every target's turn has in common: a deadline, answers to function calls, images in the trace."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import math
from collections.abc import Awaitable, Sequence
from datetime import datetime

import msgspec

from harness.clock import Clock
from harness.cost.prices import Api
from harness.cost.usage import Usage
from harness.errors import TargetError
from harness.suite.assistants import digest_of_file
from harness.targets.interface import MOST_ROUNDS, AnswerFunction, FunctionCall, OutgoingTurn
from harness.targets.request_log import RequestLog, deadline
from harness.targets.wire import Json, Wire
from harness.trace.records import Attempt, Message, OutputFile, RunStatus, RunStep, ToolCall, TurnTrace

GRACE_S = 10.0
"""How long what follows a turn (cancelling, fetching images, giving the thread back) may take in all."""
_LARGEST_IMAGE_BYTES = 2_000_000


class Timing(msgspec.Struct, frozen=True):
    """When a turn was played, how long it took, and whether its deadline ended it.

    Attributes:
        started_at: When it began.
        latency_s: How long it took, without ``wait_s``.
        timed_out: Whether its deadline ended it.
        wait_s: Seconds that its requests waited for limits and between tries.
        attempts: Tries of its requests that failed.
        told: How its deadline ended it, in words; None where it did not.
    """

    started_at: datetime
    latency_s: float
    timed_out: bool
    wait_s: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    told: str | None = None


async def timed(
    work: Awaitable[None], clock: Clock, deadline_s: float, answers: Answers | None = None
) -> Timing:
    """Do the work until it ends or its deadline comes; what else goes wrong in it is raised.

    The deadline stands still while requests wait for rate limits or for their next try. Time that functions
    are only taken to have worked counts as if it had gone by.
    """
    answers = answers or Answers(clock)
    started_at, begun = clock.now(), clock.monotonic()
    log = RequestLog()
    timed_out = not await _in_time(work, deadline_s, log, answers)
    took_s = max(clock.monotonic() - begun - log.waited_s, 0.0)
    latency_s = max(took_s, min(took_s + answers.pretended_s, deadline_s))
    told = _over(deadline_s, answers) if timed_out else None
    return Timing(started_at, latency_s, timed_out, log.waited_s, tuple(log.attempts), told)


def _over(deadline_s: float, answers: Answers) -> str:
    why = f": nobody answered the call of {answers.unanswered}" if answers.unanswered else ""
    return f"it did not end within its deadline of {deadline_s:g} s{why}"


async def within_grace(work: Awaitable[object]) -> None:
    """Tidy up after a turn as far as the target lets us; one that hangs or refuses is left alone."""
    with contextlib.suppress(TimeoutError, TargetError):
        await _in_time(work, GRACE_S, RequestLog())


async def _in_time(
    work: Awaitable[object], deadline_s: float, log: RequestLog, answers: Answers | None = None
) -> bool:
    """Whether the work came to its end before its deadline did."""
    limit: asyncio.Timeout | None = None
    try:
        async with deadline(deadline_s, log) as limit:
            if answers:
                answers.limit = limit
            await work
    except TimeoutError:
        if limit is None or not limit.expired():
            raise
        return False
    finally:
        if answers:
            answers.limit = None
    return True


class _Given(msgspec.Struct, frozen=True):
    output: str
    error: str | None
    latency_s: float | None


class Answers(msgspec.Struct):
    """What the function calls of one turn were answered, and what only our side knows of it.

    Attributes:
        clock: Tells how long answers took.
        most_rounds: How often the assistant may ask for functions in this turn.
        limit: The deadline of the turn while it is played.
        pretended_s: How long functions are taken to have worked.
        gave_up: Why the turn was ended though the assistant asks for more functions.
        unanswered: The function that never answers; empty where all did.
    """

    clock: Clock
    most_rounds: int = MOST_ROUNDS
    limit: asyncio.Timeout | None = None
    pretended_s: float = 0.0
    gave_up: str | None = None
    unanswered: str = ""
    _rounds: int = 0
    _given: dict[str, _Given] = msgspec.field(default_factory=dict)

    def may_go_on(self) -> bool:
        """Whether one more round of function calls is answered; an assistant in a loop is given up."""
        self._rounds += 1
        if self._rounds > self.most_rounds:
            self.gave_up = (
                f"the assistant asked for functions more than {self.most_rounds} times in this turn, "
                "which is all that most_rounds allows"
            )
        return self.gave_up is None

    async def give(self, call: FunctionCall, answer: AnswerFunction) -> str:
        """Have a call answered; the output to send."""
        begun = self.clock.monotonic()
        result = await answer(call)
        took_s = max(self.clock.monotonic() - begun, result.takes_s)
        self._given[call.id] = _Given(result.output, result.error, None if math.isinf(took_s) else took_s)
        if math.isinf(took_s):
            self.unanswered = call.name
        await self._pretend(result.takes_s)
        return result.output

    async def _pretend(self, takes_s: float) -> None:
        """Let time go by that nobody waits for: the deadline comes nearer by it, and may be here already."""
        if takes_s <= 0:
            return
        self.pretended_s += takes_s
        limit = self.limit
        if limit is not None and not limit.expired() and (when := limit.when()) is not None:
            limit.reschedule(when - takes_s)
            await asyncio.sleep(0)  # a deadline that is reached ends the turn here

    def output(self, call_id: str) -> str | None:
        """The output that was given to a call."""
        given = self._given.get(call_id)
        return given.output if given else None

    def add_to(self, call: ToolCall) -> ToolCall:
        """The call with how long its answer took, and what was wrong with it."""
        given = self._given.get(call.id)
        if given is None:
            return call
        return msgspec.structs.replace(call, latency_s=given.latency_s, error=given.error)


def user_message(turn: OutgoingTurn) -> Message:
    """The user's message as the trace keeps it."""
    if not turn.attachments:
        return Message(role="user", text=turn.text)
    paths = [path for path, _ in turn.attachments]
    return Message(
        role="user",
        text=turn.text,
        attachments=tuple(path.name for path in paths),
        digests=tuple(digest_of_file(path) for path in paths),
    )


def turn_trace(
    turn: OutgoingTurn,
    answers: Answers,
    timing: Timing,
    last: Json,
    *,
    status: RunStatus,
    error: str | None,
    messages: Sequence[Message],
    steps: Sequence[RunStep],
    usage: Usage | None,
    thread_id: str,
    api: Api,
) -> TurnTrace:
    """The trace of a turn at an API.

    Args:
        turn: What was sent.
        answers: What function calls were answered.
        timing: How long it took, and whether its deadline ended it.
        last: The newest run, response or completion as the API tells it.
        status: How that ended, where our side did not end the turn.
        error: What went wrong there.
        messages: What the assistant said.
        steps: Everything it did, in order.
        usage: Of the whole turn.
        thread_id: What the turn was talked on.
        api: Which API it was.
    """
    return TurnTrace(
        user=user_message(turn),
        status=_ended(timing, answers) or status,
        started_at=timing.started_at,
        latency_s=timing.latency_s,
        messages=tuple(messages),
        steps=tuple(steps),
        usage=usage,
        model=last.get("model"),
        wait_s=timing.wait_s,
        attempts=timing.attempts,
        error=answers.gave_up or error or timing.told,
        run_id=last.get("id"),
        thread_id=thread_id,
        service_tier=last.get("service_tier"),
        api=api,
    )


def _ended(timing: Timing, answers: Answers) -> RunStatus | None:
    """How our side ended the turn; None when the target did."""
    if timing.timed_out:
        return "timed_out"
    return "requires_action" if answers.gave_up else None


async def with_images(
    wire: Wire, messages: Sequence[Message], paths: dict[str, str] | None = None
) -> tuple[Message, ...]:
    """The messages with the bytes of their images, for reports to show; hosted ones may be refused.

    Args:
        wire: Where the images are.
        messages: As the target told them.
        paths: The address of a file's bytes by its id, where it is not that of ordinary files.
    """
    fetched: dict[str, str] = {}
    images = [file for message in messages for file in message.files if file.kind == "image"]
    if images:
        await within_grace(_fetch(wire, images, paths or {}, fetched))
    return tuple(
        msgspec.structs.replace(message, files=tuple(_filled(file, fetched) for file in message.files))
        for message in messages
    )


async def _fetch(
    wire: Wire, images: Sequence[OutputFile], paths: dict[str, str], fetched: dict[str, str]
) -> None:
    for image in images:
        if image.content_base64 is not None:
            continue
        try:
            content = await wire.download(paths.get(image.file_id, f"/files/{image.file_id}/content"))
        except TargetError:
            continue
        if len(content) <= _LARGEST_IMAGE_BYTES:
            fetched[image.file_id] = base64.b64encode(content).decode()


def _filled(file: OutputFile, fetched: dict[str, str]) -> OutputFile:
    if file.file_id not in fetched:
        return file
    return msgspec.structs.replace(file, content_base64=fetched[file.file_id])
