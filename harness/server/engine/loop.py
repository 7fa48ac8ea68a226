"""A run from queued to its end: ask the model, run its tools, write its message, until it is done."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from typing import Any

from harness.server.engine import asking, deltas, hosted, states, tools
from harness.server.engine.asking import Completion, CompletionLimitReached, PromptLimitReached
from harness.server.engine.citations import annotate
from harness.server.engine.job import Job
from harness.server.engine.prompt import build, hits_of_run
from harness.server.llms.interface import ModelError, ToolRequest
from harness.server.state import StepRecord
from harness.server.wire import Event, Message, RunStep, body, usage

_LOG = logging.getLogger(__name__)


class RunOver(Exception):
    """The run ended while it was being worked on: cancelled, expired, or its thread deleted."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__()
        self.events = events


def work(job: Job, opening: list[Event]) -> Iterator[Event]:
    """Execute a queued run, giving its events as they happen; it always comes to an end.

    The run ends in a terminal status, or waits in ``requires_action``.
    """
    yield from opening
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
    except Exception as problem:  # noqa: BLE001 - whatever a model does wrong ends its run, not the server
        yield from _broken_down(job, problem)


def _broken_down(job: Job, problem: Exception) -> list[Event]:
    """The end of a run that something unforeseen stopped; its thread may have been deleted under it."""
    with job.engine.state.lock:
        if not job.record.active:
            return [states.run_event(job.record)]
    _LOG.error("run %s failed", job.record.run.id, exc_info=problem)
    return _fail(job, "server_error", f"{type(problem).__name__}: {problem}")


def _rounds(job: Job) -> Iterator[Event]:
    yield _begin(job)
    _meet_fate(job)
    tools.ready_stores(job)
    while True:
        _check(job)
        completion = _complete(job)
        _check(job)
        reply = completion.reply
        if not reply.tool_requests:
            yield from _message(job, reply.content, completion.usage, was_cut=completion.was_cut)
            limit = "max_completion_tokens" if completion.was_cut else None
            yield from _end(job, "incomplete" if limit else "completed", incomplete=limit)
            return
        if reply.content:
            # One completion, two steps: the tokens are counted with the tool calls.
            yield from _message(job, reply.content, usage(0, 0), was_cut=False)
        waiting = yield from _tool_calls(job, reply.tool_requests, completion.usage)
        if waiting:
            return


def _begin(job: Job) -> Event:
    with job.engine.state.lock:
        _check(job)
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


def _check(job: Job) -> None:
    """Stop here if the run was cancelled, has expired, or is over for another reason.

    Raises:
        RunOver: With the events that tell.
    """
    with job.engine.state.lock:
        now = job.engine.clock.unix()
        states.look(job.engine.state, job.thread, now)
        if job.record.run.status == "cancelling":
            attempted = states.run_event(job.record)
            raise RunOver([attempted, *states.end(job.thread, job.record, "cancelled", now)])
        if not job.record.active:
            raise RunOver([states.run_event(job.record)])


def _complete(job: Job) -> Completion:
    """Ask the model once, within the limits of the run."""
    record = job.record
    asking.refuse_circles(record.completions)
    completion = asking.complete(job.engine, build(job.thread, record, tools.readable_files(job)))
    if record.fate is not None and not completion.reply.tool_requests:
        # To end incomplete, as a fault on demand wants it, half an answer has to be there.
        completion = asking.halved(completion, record.run.model)
    with job.engine.state.lock:
        job.mark()
        record.completions += 1
        record.prompt_tokens += completion.usage["prompt_tokens"]
        record.completion_tokens += completion.usage["completion_tokens"]
    return completion


def _new_step(job: Job, kind: str, details: Any) -> StepRecord:
    """A new open step, at the end of the run's; call with the lock held."""
    engine, run = job.engine, job.record.run
    step = RunStep(
        id=engine.state.ids.new("step_"),
        created_at=engine.clock.unix(),
        run_id=run.id,
        assistant_id=run.assistant_id,
        thread_id=run.thread_id,
        type=kind,
        expires_at=run.expires_at,
        step_details={"type": kind, kind: details},
    )
    return job.record.steps.add(step.id, StepRecord(step))


def _message(job: Job, text: str, spent: dict[str, Any], *, was_cut: bool) -> Iterator[Event]:
    """Write an assistant message and its step."""
    engine, record = job.engine, job.record
    with engine.state.lock:
        message = _new_message(job)
        step = _new_step(job, "message_creation", {"message_id": message.id})
        opening = [
            states.step_event(step, "created"),
            states.step_event(step, "in_progress"),
            ("thread.message.created", body(message)),
            ("thread.message.in_progress", body(message)),
        ]
    yield from opening
    content = _content(job, text)
    if job.streaming:
        yield from _say(job, message, text, content)
    _check(job)
    with engine.state.lock:
        now = engine.clock.unix()
        job.mark(step)
        job.thread.messages.mark(message)
        message.content = content
        step.spent = spent
        record.pending_images.clear()
        closing = [
            states.end_message(message, now, reason="max_tokens" if was_cut else None),
            states.complete_step(step, now),
        ]
    yield from closing


def _say(job: Job, message: Message, text: str, content: list[dict[str, Any]]) -> Iterator[Event]:
    """The deltas of a message; if the run ends meanwhile, the message keeps what was said until then."""
    said = 0
    for event in deltas.message_deltas(message.id, content):
        yield event
        said += deltas.characters(event)
        if job.record.run.status != "in_progress":
            with job.engine.state.lock:
                job.thread.messages.mark(message)
                message.content = _content(job, text[:said])
            _check(job)


def _new_message(job: Job) -> Message:
    engine, run = job.engine, job.record.run
    message = Message(
        id=engine.state.ids.new("msg_"),
        created_at=engine.clock.unix(),
        assistant_id=run.assistant_id,
        thread_id=run.thread_id,
        run_id=run.id,
        status="in_progress",
        role="assistant",
    )
    return job.thread.messages.add(message.id, message)


def _content(job: Job, text: str) -> list[dict[str, Any]]:
    """The parts of a message: images made since the last one, then the annotated text."""
    hits = hits_of_run(job.record) if "【" in text else []
    paths = {
        path: file_id
        for step in job.record.steps
        for note in step.notes.values()
        for path, file_id in note.paths.items()
    }
    images = [
        {"type": "image_file", "image_file": {"file_id": file_id, "detail": "auto"}}
        for file_id in job.record.pending_images
    ]
    said = {"type": "text", "text": {"value": text, "annotations": annotate(text, hits, paths)}}
    return [*images, said]


def _tool_calls(
    job: Job, requests: tuple[ToolRequest, ...], spent: dict[str, Any]
) -> Generator[Event, None, bool]:
    """Carry out the model's tool calls in one step; true when functions wait for their outputs."""
    for request in requests:
        hosted.check(job.record.run.tools, request)
    state, record = job.engine.state, job.record
    with state.lock:
        step = _new_step(job, "tool_calls", [])
        step.spent = spent
        opening = [states.step_event(step, "created"), states.step_event(step, "in_progress")]
    yield from opening
    for index, request in enumerate(requests):
        for event in tools.carry_out(job, step, index, request):
            if job.streaming:
                yield event
        _check(job)
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
