"""What a run writes of one completion: a message step, a step of tool calls, or both, in the recorded order.

A model that answers in pieces is heard while it speaks; what it has said at the end is what was told.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from harness.server.engine import deltas, hosted, states
from harness.server.engine.asking import Completion
from harness.server.engine.citations import annotate
from harness.server.engine.job import Job
from harness.server.engine.prompt import hits_of_run
from harness.server.engine.tools import Told, new_call_id
from harness.server.llms.interface import CallPiece, Piece, SearchHit, TextPiece, ToolRequest
from harness.server.state import StepRecord
from harness.server.wire import Event, Message, RunStep, body, usage


class _Writing(msgspec.Struct):
    """A message that is being written, with its text as far as it was heard."""

    message: Message
    step: StepRecord
    live: deltas.LiveMessage | None = None
    text: str = ""


class Turn:
    """The steps and events of one completion of a run.

    Attributes:
        metadata: What its first step tells beside the API's own fields.

    Args:
        job: The run.
    """

    def __init__(self, job: Job) -> None:
        self.metadata: dict[str, str] = {}
        self._job = job
        self._writing: _Writing | None = None
        self._written = ""
        self._calls: StepRecord | None = None
        self._told: list[Told] = []

    # while the model speaks

    def hear(self, piece: Piece) -> Iterator[Event]:
        """Take in a piece of the reply.

        Raises:
            ModelError: It calls a tool that is not there.
        """
        if isinstance(piece, CallPiece):
            yield from self._hear_call(piece)
        elif isinstance(piece, TextPiece) and self._calls is None:
            yield from self._hear_text(piece.text)

    def _hear_text(self, text: str) -> Iterator[Event]:
        if self._writing is None:
            yield from self._open_message()
            yield from self._begin_text()
        writing = self._writing
        assert writing is not None
        assert writing.live is not None
        writing.text += text
        yield from writing.live.add(text)

    def _begin_text(self) -> Iterator[Event]:
        """Images come first in a message, its text after them."""
        writing, images = self._writing, _images(self._job)
        assert writing is not None
        for index, image in enumerate(images):
            yield deltas.image_delta(writing.message.id, index, image)
        hits, paths = hits_of_run(self._job.record), _paths(self._job)
        writing.live = deltas.LiveMessage(writing.message.id, len(images), hits, paths)

    def _hear_call(self, piece: CallPiece) -> Iterator[Event]:
        """A function call is told as it comes; hosted tools, and what follows them, once they are whole."""
        if piece.position == len(self._told):
            hosted.check(self._job.record.run.tools, ToolRequest(piece.id, piece.kind, piece.name, {}))
            if piece.kind != "function":
                return
            yield from self.open_calls()
            told = Told(new_call_id(self._job, piece.id, (each.call_id for each in self._told)))
            self._told.append(told)
            yield deltas.function_begun(self._step_id(), piece.position, told.call_id, piece.name)
        if piece.position < len(self._told) and piece.arguments:
            self._told[piece.position].arguments += piece.arguments
            yield deltas.function_arguments(self._step_id(), piece.position, piece.arguments)

    def keep_heard(self) -> None:
        """Keep what was heard of a message when no more will come."""
        writing = self._writing
        if writing is not None and writing.text and not writing.message.content:
            with self._job.engine.state.lock:
                self._job.thread.messages.mark(writing.message)
                writing.message.content = _content(self._job, writing.text)

    # when the reply is whole

    def say_last(self, completion: Completion) -> Iterator[Event]:
        """Write the message that ends the run."""
        if self._calls is not None:  # the model was cut short in the middle of its calls
            self.calls_step(completion.usage)
            return
        yield from self._say(completion.reply.content, completion.usage, was_cut=completion.was_cut)

    def say_before_calls(self, text: str) -> Iterator[Event]:
        """Write what the model said beside its calls, as far as that was not done yet."""
        rest = text[len(self._written) :] if text.startswith(self._written) else text
        if rest or self._writing is not None:
            # One completion, two steps: the tokens are counted with the tool calls.
            yield from self._say(rest, usage(0, 0), was_cut=False)

    def open_calls(self) -> Iterator[Event]:
        """Begin the step of tool calls; a message before it is complete now."""
        if self._calls is not None:
            return
        if self._writing is not None:
            self._written = self._writing.text
            yield from self._say(self._written, usage(0, 0), was_cut=False)
        with self._job.engine.state.lock:
            step = self._calls = self._new_step("tool_calls", [])
            opening = [states.step_event(step, "created"), states.step_event(step, "in_progress")]
        yield from opening

    def calls_step(self, spent: dict[str, Any]) -> StepRecord:
        """The step of tool calls, which was opened, with what the completion cost."""
        step = self._calls
        assert step is not None
        with self._job.engine.state.lock:
            self._job.mark(step)
            step.spent = spent
        return step

    def told(self, position: int) -> Told | None:
        """What was streamed of a call already."""
        return self._told[position] if position < len(self._told) else None

    def _step_id(self) -> str:
        assert self._calls is not None
        return self._calls.step.id

    # messages

    def _say(self, text: str, spent: dict[str, Any], *, was_cut: bool) -> Iterator[Event]:
        """Write a message, or the rest of the one that is open, and end it."""
        job = self._job
        if self._writing is None:
            yield from self._open_message()
        writing = self._writing
        assert writing is not None
        content = _content(job, text)
        if writing.live is not None:
            yield from writing.live.end(text)
        elif job.streaming:
            yield from self._tell(writing, text, content)
        job.check(self.keep_heard)
        self._writing = None
        yield from self._close(writing, content, spent, was_cut=was_cut)

    def _tell(self, writing: _Writing, text: str, content: list[dict[str, Any]]) -> Iterator[Event]:
        """The deltas of a whole message, which keeps what was told of it if the run ends meanwhile."""
        said = 0
        for event in deltas.message_deltas(writing.message.id, content):
            yield event
            said += deltas.characters(event)
            if self._job.record.run.status != "in_progress":
                writing.text = text[:said]
                self._job.check(self.keep_heard)
        writing.text = text

    def _open_message(self) -> Iterator[Event]:
        job = self._job
        with job.engine.state.lock:
            message = _new_message(job)
            step = self._new_step("message_creation", {"message_id": message.id})
            self._writing = _Writing(message, step)
            opening = [
                states.step_event(step, "created"),
                states.step_event(step, "in_progress"),
                ("thread.message.created", body(message)),
                ("thread.message.in_progress", body(message)),
            ]
        yield from opening

    def _new_step(self, kind: str, details: Any) -> StepRecord:
        metadata, self.metadata = self.metadata, {}
        return _new_step(self._job, kind, details, metadata)

    def _close(
        self, writing: _Writing, content: list[dict[str, Any]], spent: dict[str, Any], *, was_cut: bool
    ) -> list[Event]:
        engine, message, step = self._job.engine, writing.message, writing.step
        with engine.state.lock:
            now = engine.clock.unix()
            self._job.mark(step)
            self._job.thread.messages.mark(message)
            message.content = content
            step.spent = spent
            self._job.record.pending_images.clear()
            return [
                states.end_message(message, now, reason="max_tokens" if was_cut else None),
                states.complete_step(step, now),
            ]


def _new_step(job: Job, kind: str, details: Any, metadata: dict[str, str]) -> StepRecord:
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
        metadata=metadata,
    )
    return job.record.steps.add(step.id, StepRecord(step))


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
    hits: list[SearchHit] = hits_of_run(job.record) if "【" in text else []
    said = {"type": "text", "text": {"value": text, "annotations": annotate(text, hits, _paths(job))}}
    return [*_images(job), said]


def _images(job: Job) -> list[dict[str, Any]]:
    return [
        {"type": "image_file", "image_file": {"file_id": file_id, "detail": "auto"}}
        for file_id in job.record.pending_images
    ]


def _paths(job: Job) -> dict[str, str]:
    """Files that the run's code made: where the code sees them, and their ids."""
    return {
        path: file_id
        for step in job.record.steps
        for note in step.notes.values()
        for path, file_id in note.paths.items()
    }
