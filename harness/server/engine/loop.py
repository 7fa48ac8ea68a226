"""A run from queued to its end: ask the model, run its tools, write its message, until it is done."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterator
from typing import cast

from harness.server.engine import asking, hosted, states, tools
from harness.server.engine.asking import Ask, Completion, CompletionLimitReached, PromptLimitReached
from harness.server.engine.job import Job, RunOver
from harness.server.engine.prompt import build
from harness.server.engine.summary import Remembered, remember
from harness.server.engine.turn import Turn
from harness.server.errors import ApiError
from harness.server.llms.interface import ModelError
from harness.server.wire import Event

_LOG = logging.getLogger(__name__)


def work(job: Job, opening: list[Event]) -> Iterator[Event]:
    """Execute a queued run, giving its events as they happen; it always comes to an end.

    The run ends in a terminal status, or waits in ``requires_action``.
    """
    yield from opening
    try:
        yield from _life(job)
    except Exception as problem:  # noqa: BLE001 - whatever a model does wrong ends its run, not the server
        yield from _broken_down(job, problem)


def _life(job: Job) -> Iterator[Event]:
    try:
        yield from _rounds(job)
    except RunOver as over:
        yield from over.events
    except PromptLimitReached:
        yield from _end(job, "incomplete", incomplete="max_prompt_tokens")
    except CompletionLimitReached:
        yield from _end(job, "incomplete", incomplete="max_completion_tokens")
    except ModelError as problem:
        yield from _fail(job, problem.code, problem.message)


def _broken_down(job: Job, problem: Exception) -> list[Event]:
    """The end of a run that something unforeseen stopped; its thread may have been deleted under it."""
    with job.engine.state.lock:
        if not job.record.active:
            return [states.run_event(job.record)]
    if isinstance(problem, ApiError):  # the state file cannot be written or read
        return _fail_later(job, problem)
    _LOG.error("run %s failed", job.record.run.id, exc_info=problem)
    return _fail(job, "server_error", f"{type(problem).__name__}: {problem}")


def _fail_later(job: Job, problem: ApiError) -> list[Event]:
    """The end of a run that the state file refused; when it cannot be written now, a later call does it."""
    try:
        return _fail(job, "server_error", problem.message)
    except ApiError:
        job.engine.end_later(lambda: _fail(job, "server_error", problem.message))
        raise


def _rounds(job: Job) -> Iterator[Event]:
    yield _begin(job)
    _meet_fate(job)
    tools.ready_stores(job)
    while True:
        job.check()
        turn = Turn(job)
        completion = yield from _complete(job, turn)
        job.check()
        if not completion.reply.tool_requests:
            yield from turn.say_last(completion)
            limit = "max_completion_tokens" if completion.was_cut else None
            yield from _end(job, "incomplete" if limit else "completed", incomplete=limit)
            return
        yield from turn.say_before_calls(completion.reply.content)
        waiting = yield from _tool_calls(job, turn, completion)
        if waiting:
            return


def _begin(job: Job) -> Event:
    with job.engine.state.lock:
        job.check()
        job.mark()
        return states.begin(job.record, job.engine.clock.unix())


def _meet_fate(job: Job) -> None:
    """Stop here if a fault on demand wants this run to end badly.

    Raises:
        RunOver: It is to expire.
        ModelError: It is to fail.
        PromptLimitReached: It is to have no room for its prompt.
    """
    fate = job.record.fate
    if fate is None:
        return
    if fate.status == "expired":
        raise RunOver(_end(job, "expired"))
    asking.refuse_doomed(fate)
    if fate.code == "max_prompt_tokens":
        raise PromptLimitReached


def _complete(job: Job, turn: Turn) -> Generator[Event, None, Completion]:
    """Ask the model once, within the limits of the run; what comes in pieces is told at once."""
    record = job.record
    asking.refuse_circles(record.completions)
    remembered = _remembered(job)
    ask = remembered.ask
    turn.metadata = remembered.metadata()
    if job.streaming and record.fate is None:
        completion = yield from _listen(job, turn, ask)
    else:
        completion = asking.complete(job.engine, ask)
    if record.fate is not None and not completion.reply.tool_requests:
        # To end incomplete, as a fault on demand wants it, half an answer has to be there.
        completion = asking.halved(completion, record.run.model)
    completion = completion.with_more(remembered.spent)
    with job.engine.state.lock:
        job.mark()
        record.completions += 1
        record.prompt_tokens += completion.usage["prompt_tokens"]
        record.completion_tokens += completion.usage["completion_tokens"]
    return completion


def _remembered(job: Job) -> Remembered:
    """What the model is asked; of a thread that has outgrown its window, the summary is kept with it."""
    ask, thread = build(job.thread, job.record, tools.readable_files(job)), job.thread
    if job.record.run.truncation_strategy["type"] != "auto":
        return Remembered(ask)
    remembered = remember(job.engine, ask, thread.summary, may_make=not job.record.completions)
    if remembered.summary is not None:
        with job.engine.state.lock:
            job.engine.state.threads.mark(thread)
            thread.summary = remembered.summary
    return remembered


def _listen(job: Job, turn: Turn, ask: Ask) -> Generator[Event, None, Completion]:
    with contextlib.closing(asking.complete_live(job.engine, ask)) as pieces:
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                return cast(Completion, end.value)
            except ModelError:
                turn.keep_heard()
                raise
            job.check(turn.keep_heard)
            yield from turn.hear(piece)


def _tool_calls(job: Job, turn: Turn, completion: Completion) -> Generator[Event, None, bool]:
    """Carry out the model's tool calls in one step; true when functions wait for their outputs."""
    requests = completion.reply.tool_requests
    for request in requests:
        hosted.check(job.record.run.tools, request)
    state, record = job.engine.state, job.record
    yield from turn.open_calls()
    step = turn.calls_step(completion.usage)
    for index, request in enumerate(requests):
        for event in tools.carry_out(job, step, index, request, told=turn.told(index)):
            if job.streaming:
                yield event
        job.check()
    with state.lock:
        job.mark(step)
        waiting = [call for call in step.calls if call["type"] == "function"]
        if waiting:
            closing = states.wait_for_outputs(record, waiting)
        else:
            closing = states.complete_step(step, job.engine.clock.unix(), with_content=record.with_content)
    yield closing
    return bool(waiting)


def _end(
    job: Job,
    status: str,
    *,
    last_error: dict[str, str] | None = None,
    incomplete: str | None = None,
) -> list[Event]:
    """End the run, unless it has already been ended from outside."""
    with job.engine.state.lock:
        if not job.record.active:
            return [states.run_event(job.record)]
        now = job.engine.clock.unix()
        return states.end(job.thread, job.record, status, now, last_error=last_error, incomplete=incomplete)


def _fail(job: Job, code: str, message: str) -> list[Event]:
    return _end(job, "failed", last_error={"code": code, "message": message})
