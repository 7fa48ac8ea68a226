"""A response from queued to its end: ask the model, run its tools, write its message, until it is done."""

from __future__ import annotations

import base64
import contextlib
import logging
import mimetypes
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, cast

from harness.server.engine import asking, containers, hosted, item_events
from harness.server.engine.asking import Ask, Completion, CompletionLimitReached
from harness.server.engine.item_turn import ItemTurn
from harness.server.engine.items import read_talk
from harness.server.engine.machine import Engine
from harness.server.engine.response_job import ResponseJob, ResponseOver, response_body
from harness.server.engine.summary import Remembered, remember
from harness.server.errors import ApiError
from harness.server.llms.interface import ModelError, ToolRequest
from harness.server.state import CallNote, ContainerRecord, EventRecord, ItemRecord, ResponseRecord
from harness.server.wire import Event, PageQuery, response_usage, total_usage

if TYPE_CHECKING:
    from harness.server.sandbox import Outcome

_LAST_EVENTS = ("response.completed", "response.incomplete", "response.failed")
_EVENTS_AT_ONCE = 100
_LOG = logging.getLogger(__name__)


def respond(job: ResponseJob) -> Iterator[Event]:
    """Work on a queued response, giving its events as they happen; it always comes to an end."""
    try:
        for number, event in enumerate(_life(job)):
            yield _told(job, number, event)
    except ApiError as problem:  # the state file cannot be written: the response must not stay unfinished
        error = {"code": "server_error", "message": problem.message}
        job.engine.end_later(lambda: break_off(job, error))
        raise


def break_off(job: ResponseJob, error: dict[str, str]) -> None:
    """End a response that nobody works on any more; who follows its events is told."""
    list(_end(job, "failed", error=error))


def _told(job: ResponseJob, number: int, event: Event) -> Event:
    """The event with its number; of a response in the background it is kept to be told again."""
    name, data = event
    event = name, {"type": name, "sequence_number": number, **data}
    if job.record.response.background:
        with job.engine.state.changed:
            if str(number) not in job.record.events:
                job.record.events.add(str(number), EventRecord(*event))
            job.engine.state.changed.notify_all()
    return event


def follow(engine: Engine, record: ResponseRecord, position: int) -> Iterator[Event]:
    """The events of a response in the background from a position on, to its end."""
    while True:
        with engine.state.changed:
            while position >= len(record.events) and not (_is_told(engine, record) or engine.closed):
                engine.state.changed.wait(1.0)
            news = _events_from(record, position)
        if not news:
            return
        yield from news
        position += len(news)


def _events_from(record: ResponseRecord, position: int) -> list[Event]:
    """Some of the events from a position on, oldest first."""
    if position >= len(record.events):
        return []
    after = str(position - 1) if position else None
    rows, _ = record.events.page(PageQuery(_EVENTS_AT_ONCE, descending=False, after=after))
    return [(each.name, each.data) for each in rows]


def _is_told(engine: Engine, record: ResponseRecord) -> bool:
    """Whether no more events will come."""
    if record.response.status == "cancelled" or record.response.id not in engine.state.responses:
        return True
    last = record.events.last()
    return last is not None and last.name in _LAST_EVENTS


def _life(job: ResponseJob) -> Iterator[Event]:
    yield _event(job, "created")
    if job.record.response.background:
        yield _event(job, "queued")
    try:
        yield _begin(job)
        yield from _rounds(job)
    except ResponseOver:
        return
    except CompletionLimitReached:
        yield from _end(job, "incomplete", incomplete="max_output_tokens")
    except ModelError as problem:
        yield from _end(job, "failed", error={"code": problem.code, "message": problem.message})
    except Exception as problem:  # noqa: BLE001 - whatever a model does wrong ends its response, not the server
        _LOG.exception("response %s failed", job.record.response.id)
        message = f"{type(problem).__name__}: {problem}"
        yield from _end(job, "failed", error={"code": "server_error", "message": message})


def _event(job: ResponseJob, name: str) -> Event:
    with job.engine.state.lock:
        return f"response.{name}", {"response": response_body(job.record)}


def _begin(job: ResponseJob) -> Event:
    with job.engine.state.lock:
        job.check()
        job.mark()
        job.record.response.status = "in_progress"
        if _tool(job.record, "code_interpreter") is not None:
            _container(job)
        return _event(job, "in_progress")


def _tool(record: ResponseRecord, kind: str) -> dict[str, Any] | None:
    return next((tool for tool in record.response.tools if tool["type"] == kind), None)


def _rounds(job: ResponseJob) -> Iterator[Event]:
    while True:
        job.check()
        turn = ItemTurn(job)
        completion = yield from _complete(job, turn)
        job.check()
        requests = _allowed(job, completion.reply.tool_requests)
        yield from turn.say(completion, alone=not requests)
        if completion.was_cut:
            yield from _end(job, "incomplete", incomplete="max_output_tokens")
            return
        waiting = yield from _calls(job, turn, requests)
        if waiting or not requests:  # a model that only asks for what it may not have is not asked again
            yield from _end(job, "completed")
            return


def _complete(job: ResponseJob, turn: ItemTurn) -> Generator[Event, None, Completion]:
    """Ask the model once; what comes in pieces is told at once."""
    record = job.record
    asking.refuse_circles(record.completions)
    asking.refuse_doomed(record.fate)
    remembered = _remembered(job)
    ask = remembered.ask
    if job.streaming and record.fate is None:
        completion = yield from _listen(job, turn, ask)
    else:
        completion = asking.complete(job.engine, ask)
    if record.fate is not None and not completion.reply.tool_requests:
        # To end incomplete, as a fault on demand wants it, half an answer has to be there.
        completion = asking.halved(completion, record.response.model)
    completion = completion.with_more(remembered.spent)
    with job.engine.state.lock:
        job.mark()
        record.completions += 1
        record.spent.append(completion.usage)
    return completion


def _remembered(job: ResponseJob) -> Remembered:
    """What the model is asked; the summary of a talk too long for it is kept for what follows."""
    record, named = job.record, job.record.response.conversation
    conversations = job.engine.state.conversations
    with job.engine.state.lock:
        conversation = conversations.get(named["id"]) if named else None
        kept = record.summary or (conversation.summary if conversation else None)
    remembered = remember(job.engine, next_ask(job.engine, record), kept, may_make=not record.completions)
    if remembered.summary is not None:
        with job.engine.state.lock:
            job.mark()
            record.summary = remembered.summary
            if conversation is not None:
                conversations.mark(conversation)
                conversation.summary = remembered.summary
    return remembered


def _listen(job: ResponseJob, turn: ItemTurn, ask: Ask) -> Generator[Event, None, Completion]:
    with contextlib.closing(asking.complete_live(job.engine, ask)) as pieces:
        while True:
            try:
                piece = next(pieces)
                job.check()
            except StopIteration as end:
                return cast(Completion, end.value)
            except (ModelError, ResponseOver):
                turn.keep_heard()
                raise
            yield from turn.hear(piece)


def next_ask(engine: Engine, record: ResponseRecord) -> Ask:
    """What the next completion of a response is asked.

    Raises:
        ModelError: A file in a message has no text that can be read.
    """
    response = record.response
    talk = read_talk(record.items(), reads_files=_tool(record, "code_interpreter") is None)
    told = [text for text in (response.instructions, talk.instructions) if text]
    container = engine.state.containers.get(record.container_id) if record.container_id else None
    written = sum(each["completion_tokens"] for each in record.spent)
    choice = asking.forced_once(record.tool_choice, record.completions)
    return Ask(
        model=response.model,
        instructions="\n\n".join(told),
        history=talk.history,
        rounds=talk.rounds,
        tools=_tools_left(record),
        tool_choice=choice,
        files=containers.readable(container) if container else (),
        response_format=record.response_format,
        options=_options(record),
        completion_left=asking.left(response.max_output_tokens, written),
        truncates=response.truncation == "auto",
    )


def _options(record: ResponseRecord) -> dict[str, Any]:
    response = record.response
    options = {
        "temperature": response.temperature,
        "top_p": response.top_p,
        "reasoning_effort": response.reasoning.get("effort"),
        "parallel_tool_calls": response.parallel_tool_calls,
    }
    return {name: value for name, value in options.items() if value is not None}


def _calls_left(record: ResponseRecord) -> int | None:
    """How many calls of hosted tools max_tool_calls still allows."""
    made = sum(1 for each in record.output if each.item["type"] in hosted.CALL_ITEMS)
    return asking.left(record.response.max_tool_calls, made)


def _tools_left(record: ResponseRecord) -> list[dict[str, Any]]:
    if _calls_left(record) == 0:
        return [tool for tool in record.tools if tool["type"] == "function"]
    return record.tools


def _allowed(job: ResponseJob, requests: tuple[ToolRequest, ...]) -> list[ToolRequest]:
    """The calls that are carried out: those of hosted tools beyond max_tool_calls are ignored."""
    calls_left, allowed = _calls_left(job.record), []
    for request in requests:
        hosted.check(job.record.tools, request)
        if request.kind != "function" and calls_left is not None:
            if calls_left == 0:
                continue
            calls_left -= 1
        allowed.append(request)
    return allowed


def _calls(job: ResponseJob, turn: ItemTurn, requests: list[ToolRequest]) -> Generator[Event, None, bool]:
    """Carry out the model's tool calls; true when functions wait for their outputs."""
    talked = len(job.record.items())
    for place, request in enumerate(requests):
        if request.kind == "file_search":
            # Searches are numbered by the items before them, so that no two in a talk have one number.
            yield from _search(job, request, number=talked + place)
        elif request.kind == "code_interpreter":
            yield from _run_code(job, request)
        else:
            yield from turn.call(place, request)
        job.check()
    return any(request.kind == "function" for request in requests)


def _search(job: ResponseJob, request: ToolRequest, *, number: int) -> Iterator[Event]:
    tool = _tool(job.record, "file_search") or {}
    index, made = job.open("file_search_call", queries=[], results=None)
    yield job.added(index, made)
    yield item_events.progress(index, made.id, "file_search_call.in_progress")
    yield item_events.progress(index, made.id, "file_search_call.searching")
    question = asking.last_question(read_talk(job.record.items(), reads_files=False).history)
    queries = hosted.queries_of(request, question)
    hosted.await_indexing(job.engine, tool["vector_store_ids"], lambda: not job.record.active)
    found = hosted.find(
        job.engine,
        tool["vector_store_ids"],
        queries,
        model=job.record.response.model,
        max_num_results=tool["max_num_results"],
        score_threshold=tool["ranking_options"]["score_threshold"],
        hybrid_search=tool["ranking_options"].get("hybrid_search"),
        filters=tool["filters"],
    )
    results = [
        {
            "file_id": hit.file_id,
            "filename": hit.filename,
            "score": hit.score,
            "attributes": hosted.attributes_of(hit),
            "text": hit.text,
        }
        for hit in found
    ]
    with job.engine.state.lock:
        job.mark(made)
        made.note = CallNote(queries=queries, number=number)
        made.item.update(status="completed", queries=list(queries), results=results)
    yield item_events.progress(index, made.id, "file_search_call.completed")
    yield job.done(index, made)


def _container(job: ResponseJob) -> ContainerRecord:
    """Where this response's code runs, with every file of the talk in it; call with the lock held.

    The one that was named, the one that the talk's code ran in last, or a new one.

    Raises:
        ModelError: The named one is gone or has expired.
    """
    engine, record = job.engine, job.record
    wanted = (_tool(record, "code_interpreter") or {})["container"]
    if isinstance(wanted, str):
        found = containers.alive(engine, wanted)
        if found is None:
            raise ModelError("server_error", f"Container {wanted} is expired.")
        file_ids: list[str] = []
    else:
        file_ids = wanted.get("file_ids", [])
        found = _latest_container(job) or containers.make(engine, f"response {record.response.id}")
    uploaded = [engine.state.files.get(file_id) for file_id in file_ids]
    sent = [file for each in record.items() for file in each.files]
    for file in (*uploaded, *sent):
        if file is not None:
            containers.add_copy(engine, found, file)
    job.mark()
    record.container_id = found.container.id
    return found


def _latest_container(job: ResponseJob) -> ContainerRecord | None:
    used = [each.item["container_id"] for each in job.record.items() if "container_id" in each.item]
    return containers.alive(job.engine, used[-1]) if used else None


def _run_code(job: ResponseJob, request: ToolRequest) -> Iterator[Event]:
    source = str(request.arguments.get("input", ""))
    with job.engine.state.lock:
        container = job.engine.state.containers.get(job.record.container_id or "") or _container(job)
    container_id = container.container.id
    index, made = job.open("code_interpreter_call", code="", container_id=container_id, outputs=None)
    yield job.added(index, made)
    yield item_events.progress(index, made.id, "code_interpreter_call.in_progress")
    made.item["code"] = source
    if job.streaming:
        yield from item_events.code_events(index, made.item)
    yield item_events.progress(index, made.id, "code_interpreter_call.interpreting")
    outcome = containers.run(job.engine, container, source)
    with job.engine.state.lock:
        job.mark(made)
        made.item.update(status="completed", outputs=_keep(job, container, made, outcome))
    yield item_events.progress(index, made.id, "code_interpreter_call.completed")
    yield job.done(index, made)


def _keep(
    job: ResponseJob, container: ContainerRecord, made: ItemRecord, outcome: Outcome
) -> list[dict[str, Any]]:
    """Turn what the code printed and made into outputs and files of its container."""
    logs = hosted.said_by(outcome)
    outputs: list[dict[str, Any]] = [{"type": "logs", "logs": logs}] if logs else []
    note = made.note = CallNote()
    for path, kept, is_image in containers.keep(job.engine, container, outcome):
        note.made += ((kept.file.id, kept.name, is_image),)
        if path:
            note.paths[path] = kept.file.id
        if is_image:
            outputs.append({"type": "image", "url": _data_url(kept.name, kept.content)})
            job.record.pending_images.append((container.container.id, kept.file.id, kept.name))
    return outputs


def _data_url(name: str, content: bytes) -> str:
    """The image itself: a server that is called without HTTP has no address to give."""
    kind = mimetypes.guess_type(name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _end(
    job: ResponseJob,
    status: str,
    *,
    error: dict[str, str] | None = None,
    incomplete: str | None = None,
) -> Iterator[Event]:
    """End the response, unless it has already been ended from outside."""
    record, response = job.record, job.record.response
    with job.engine.state.lock:
        if not record.active:
            return
        job.mark()
        response.status = status
        response.error = error
        response.incomplete_details = {"reason": incomplete} if incomplete else None
        response.usage = response_usage(total_usage(record.spent))
        response.service_tier = "default"
        record.close_open_items()
        if status != "failed":
            response.completed_at = job.engine.clock.unix()
            _add_to_conversation(job)
        event = _event(job, status)
        # Kept with the end itself: after a kill between them, its followers would wait for ever.
        _told(job, len(record.events), event)
    yield event


def _add_to_conversation(job: ResponseJob) -> None:
    """What was asked and answered becomes part of the conversation, if that is still there."""
    named = job.record.response.conversation
    conversation = job.engine.state.conversations.get(named["id"]) if named else None
    if conversation is None:
        return
    for each in (*job.record.given, *job.record.output):
        conversation.items.add(each.id, each)
