"""Finding what a path or body names, or answering 404 in the API's words; call with the lock held."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from harness.server.engine import containers, states
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError, not_found
from harness.server.resources.fields import check_prefix
from harness.server.state import (
    ContainerRecord,
    ConversationRecord,
    FileRecord,
    ResponseRecord,
    RunRecord,
    StoreRecord,
    ThreadRecord,
)
from harness.server.wire import Assistant, Message

_LONGEST_NAME = 255
_LONGEST_ENDING = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def assistant(engine: Engine, assistant_id: str) -> Assistant:
    """The assistant of this id.

    Raises:
        ApiError: There is none.
    """
    check_prefix("assistant_id", assistant_id, "asst_")
    found = engine.state.assistants.get(assistant_id)
    if found is None:
        raise not_found("assistant", assistant_id)
    return found


def thread(engine: Engine, thread_id: str) -> ThreadRecord:
    """The thread of this id; its active run has expired if its time is over.

    Raises:
        ApiError: There is none.
    """
    check_prefix("thread_id", thread_id, "thread_")
    record = engine.state.threads.get(thread_id)
    if record is None:
        raise not_found("thread", thread_id)
    states.look(engine.state, record, engine.clock.unix())
    return record


def message(engine: Engine, thread_id: str, message_id: str) -> tuple[ThreadRecord, Message]:
    """A message and its thread.

    Raises:
        ApiError: There is no such thread or no such message on it.
    """
    record = thread(engine, thread_id)
    check_prefix("message_id", message_id, "msg_")
    found = record.messages.get(message_id)
    if found is None:
        raise not_found("message", message_id)
    return record, found


def run(engine: Engine, thread_id: str, run_id: str) -> tuple[ThreadRecord, RunRecord]:
    """A run and its thread.

    Raises:
        ApiError: There is no such thread or no such run on it.
    """
    record = thread(engine, thread_id)
    check_prefix("run_id", run_id, "run_")
    found = record.runs.get(run_id)
    if found is None:
        raise not_found("run", run_id)
    return record, found


def file(engine: Engine, file_id: str) -> FileRecord:
    """The file of this id.

    Raises:
        ApiError: There is none, or it has expired.
    """
    record = engine.state.files.get(file_id)
    if record is None or is_expired(record, engine.clock.unix()):
        raise ApiError(404, f"No such File object: {file_id}", param="id")
    return record


def is_expired(record: FileRecord, now: int) -> bool:
    """Whether a file's time is over."""
    return record.file.expires_at is not None and record.file.expires_at <= now


def store(engine: Engine, store_id: str) -> StoreRecord:
    """The vector store of this id.

    Raises:
        ApiError: There is none.
    """
    check_prefix("vector_store_id", store_id, "vs_")
    record = engine.state.stores.get(store_id)
    if record is None:
        raise not_found("vector store", store_id)
    return record


def response(engine: Engine, response_id: str) -> ResponseRecord:
    """The response of this id.

    Raises:
        ApiError: There is none.
    """
    check_prefix("response_id", response_id, "resp_")
    record = engine.state.responses.get(response_id)
    if record is None:
        raise ApiError(404, f"Response with id '{response_id}' not found.")
    return record


def conversation(engine: Engine, conversation_id: str) -> ConversationRecord:
    """The conversation of this id.

    Raises:
        ApiError: There is none.
    """
    check_prefix("conversation_id", conversation_id, "conv_")
    record = engine.state.conversations.get(conversation_id)
    if record is None:
        raise ApiError(404, f"Conversation with id '{conversation_id}' not found.")
    return record


def container(engine: Engine, container_id: str) -> ContainerRecord:
    """The container of this id, also one that has expired.

    Raises:
        ApiError: There is none.
    """
    check_prefix("container_id", container_id, "cntr_")
    record = engine.state.containers.get(container_id)
    if record is None:
        raise ApiError(404, f"Container with id '{container_id}' not found.")
    containers.look(engine, record)
    return record


def live_container(engine: Engine, container_id: str) -> ContainerRecord:
    """The container of this id, to work in.

    Raises:
        ApiError: There is none, or it has expired.
    """
    record = container(engine, container_id)
    if record.container.status == "expired":
        raise ApiError(400, f"Container with id '{container_id}' is expired.")
    return record


def plain_name(filename: str) -> str:
    """The last part of a name: what a client calls a file never becomes a path here.

    A long one keeps its ending, which may decide how it is read.
    """
    name = _CONTROL.sub("", re.split(r"[/\\]", filename)[-1])
    if len(name) > _LONGEST_NAME:
        ending = PurePosixPath(name).suffix[:_LONGEST_ENDING]
        name = name[: _LONGEST_NAME - len(ending)] + ending
    return name if name.strip(". ") else "file"
