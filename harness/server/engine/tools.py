"""The tool calls of a run: hosted tools are carried out, functions are put on record to wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from harness.server.engine import deltas, hosted
from harness.server.engine.job import Job
from harness.server.engine.prompt import search_number, text_of
from harness.server.engine.workshop import describe
from harness.server.llms.interface import FileInfo, ToolRequest
from harness.server.state import CallNote, FileRecord, StepRecord
from harness.server.table import Content
from harness.server.wire import Event, File

if TYPE_CHECKING:
    from harness.server.sandbox import MadeFile, Outcome
    from harness.server.search import Hit

_MADE_HERE = "assistants_output"


class Told(msgspec.Struct):
    """What was streamed of a function call before the model had finished it: its id, and its arguments."""

    call_id: str
    arguments: str = ""


def carry_out(
    job: Job, step: StepRecord, index: int, request: ToolRequest, *, told: Told | None = None
) -> Iterator[Event]:
    """Carry out one call of a step, giving the deltas that were not told yet."""
    call_id = told.call_id if told else new_call_id(job, request.id)
    if request.kind == "file_search":
        yield from _search(job, step, index, call_id, request)
    elif request.kind == "code_interpreter":
        yield from _run_code(job, step, index, call_id, request)
    else:
        function = {"name": request.name, "arguments": request.arguments_text, "output": None}
        call = {"id": call_id, "type": "function", "function": function}
        step.calls.append(call)
        if told is None:
            yield from deltas.function_deltas(step.step.id, index, call)
        elif rest := request.arguments_text[len(told.arguments) :]:
            yield deltas.function_arguments(step.step.id, index, rest)


def new_call_id(job: Job, given: str, more: Iterable[str] = ()) -> str:
    """The model's own id for a call, or a new one where it has none or has used it before."""
    used = {call["id"] for step in job.record.steps for call in step.calls} | set(more)
    if given and given not in used:
        return given
    return job.engine.state.ids.new("call_")


def _search(job: Job, step: StepRecord, index: int, call_id: str, request: ToolRequest) -> Iterator[Event]:
    options = next(tool for tool in job.record.run.tools if tool["type"] == "file_search")["file_search"]
    ranking = options["ranking_options"]
    queries = hosted.queries_of(request, _question(job))
    found = hosted.find(
        job.engine,
        _resources(job, "file_search", "vector_store_ids"),
        queries,
        model=job.record.run.model,
        max_num_results=options.get("max_num_results"),
        score_threshold=ranking["score_threshold"],
        hybrid_search=ranking.get("hybrid_search"),
    )
    searched = {
        "ranking_options": {"ranker": ranking["ranker"], "score_threshold": ranking["score_threshold"]},
        "results": [_result(hit) for hit in found],
    }
    call = {"id": call_id, "type": "file_search", "file_search": searched}
    with job.engine.state.lock:
        job.mark(step)
        # Parallel searches of one step count on from each other.
        step.notes[call_id] = CallNote(queries=queries, number=search_number(job.thread) + index)
        step.calls.append(call)
    yield deltas.search_delta(step.step.id, index, call)


def _question(job: Job) -> str:
    asked = [message for message in job.thread.messages if message.role == "user"]
    return text_of(asked[-1].content) if asked else ""


def _result(hit: Hit) -> dict[str, Any]:
    """A hit in the step."""
    return {
        "file_id": hit.file_id,
        "file_name": hit.filename,
        "score": hit.score,
        "attributes": hosted.attributes_of(hit),
        "content": [{"type": "text", "text": hit.text}],
    }


def _resources(job: Job, tool: str, key: str) -> list[str]:
    """Ids that the assistant (or the run in its place) and the thread give to a tool."""
    return [
        identifier
        for resources in (job.record.resources, job.thread.thread.tool_resources)
        for identifier in resources.get(tool, {}).get(key, ())
    ]


def ready_stores(job: Job) -> None:
    """See to the vector stores of a run that can search: they are in use now.

    Waits, within bounds, for files of the assistant's and the thread's stores.

    Raises:
        ModelError: A store has expired.
    """
    if any(tool["type"] == "file_search" for tool in job.record.run.tools):
        stores = _resources(job, "file_search", "vector_store_ids")
        hosted.keep_alive(job.engine, stores)
        hosted.await_indexing(job.engine, stores, lambda: job.record.run.status == "cancelling")


def _code_files(job: Job) -> list[FileRecord]:
    found = [job.engine.state.files.get(one) for one in _resources(job, "code_interpreter", "file_ids")]
    return list({record.file.id: record for record in found if record is not None}.values())


def readable_files(job: Job) -> list[FileInfo]:
    """What the model is told of the files that code can read; nothing without code_interpreter."""
    if not any(tool["type"] == "code_interpreter" for tool in job.record.run.tools):
        return []
    return [describe(record) for record in _code_files(job)]


def _run_code(job: Job, step: StepRecord, index: int, call_id: str, request: ToolRequest) -> Iterator[Event]:
    source = str(request.arguments.get("input", ""))
    outputs: list[dict[str, Any]] = []
    call: dict[str, Any] = {
        "id": call_id,
        "type": "code_interpreter",
        "code_interpreter": {"input": source, "outputs": outputs},
    }
    step.calls.append(call)
    yield from deltas.code_deltas(step.step.id, index, call)
    outcome = job.engine.workshop.run(
        job.record.run.thread_id, source, _code_files(job), lambda: _made_before(job)
    )
    with job.engine.state.lock:
        _keep(job, step, call_id, outcome, outputs)
    yield from deltas.output_deltas(step.step.id, index, call)


def _made_before(job: Job) -> list[FileRecord]:
    """The files that code has made on this thread, as they were last, less those that were deleted."""
    with job.engine.state.lock:
        notes = [note for run in job.thread.runs for step in run.steps for note in step.notes.values()]
        latest = {path: file_id for note in notes for path, file_id in note.paths.items()}
        found = [job.engine.state.files.get(file_id) for file_id in latest.values()]
    return [record for record in found if record is not None]


def _keep(job: Job, step: StepRecord, call_id: str, outcome: Outcome, outputs: list[dict[str, Any]]) -> None:
    """Turn what the code printed and made into outputs and files of the API."""
    job.mark(step)
    if logs := hosted.said_by(outcome):
        outputs.append({"type": "logs", "logs": logs})
    note = step.notes[call_id] = CallNote()
    for made, is_image in hosted.made_by(outcome):
        file_id = _add_file(job, made)
        note.made += ((file_id, made.name, is_image),)
        if made.path:
            note.paths[made.path] = file_id
        if is_image:
            outputs.append({"type": "image", "image": {"file_id": file_id}})
            job.record.pending_images.append(file_id)


def _add_file(job: Job, made: MadeFile) -> str:
    state = job.engine.state
    file = File(
        id=state.ids.new("file-"),
        purpose=_MADE_HERE,
        filename=made.name,
        bytes=len(made.content),
        created_at=job.engine.clock.unix(),
    )
    state.files.add(file.id, FileRecord(file, Content(made.content)))
    return file.id
