"""Containers: where the code of responses runs, and the files that are in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.server.engine import hosted
from harness.server.engine.machine import Engine
from harness.server.engine.workshop import FOLDER, MOST_IDLE_SESSIONS, describe
from harness.server.llms.interface import FileInfo
from harness.server.state import ContainerFileRecord, ContainerRecord, FileRecord
from harness.server.table import Content
from harness.server.wire import Container, ContainerFile, File

if TYPE_CHECKING:
    from harness.server.sandbox import Outcome

LIFE_MINUTES = 20
"""A container that nobody uses for so long is gone, as on the hosted API."""
MEMORY_LIMITS = ("1g", "4g", "16g", "64g")
"""What the API lets a container ask for; here every one has the limit of the sandbox."""
DEFAULT_MEMORY = MEMORY_LIMITS[0]
_USER, _ASSISTANT = "user", "assistant"


def make(
    engine: Engine, name: str, *, minutes: int = LIFE_MINUTES, memory_limit: str = DEFAULT_MEMORY
) -> ContainerRecord:
    """A new, empty container; call with the lock held."""
    now = engine.clock.unix()
    container = Container(
        id=engine.state.ids.new("cntr_"),
        created_at=now,
        expires_after={"anchor": "last_active_at", "minutes": minutes},
        last_active_at=now,
        memory_limit=memory_limit,
        name=name,
    )
    return engine.state.containers.add(container.id, ContainerRecord(container))


def alive(engine: Engine, container_id: str) -> ContainerRecord | None:
    """The container of this id, None when there is none or its time is over; call with the lock held."""
    record = engine.state.containers.get(container_id)
    return None if record is None or look(engine, record) == "expired" else record


def look(engine: Engine, record: ContainerRecord) -> str:
    """The status of a container: it expires when someone looks at it, which no client can tell apart."""
    if record.expires_at() <= engine.clock.unix():
        record.container.status = "expired"
    return record.container.status


def add_copy(engine: Engine, record: ContainerRecord, file: FileRecord) -> ContainerFileRecord:
    """Put a copy of an uploaded file into a container, once; call with the lock held."""
    present = next((each for each in record.files if each.copy_of == file.file.id), None)
    if present is not None:
        return present
    return add(engine, record, file.file.filename, file.content, copy_of=file.file.id)


def add(
    engine: Engine,
    record: ContainerRecord,
    name: str,
    content: bytes,
    *,
    copy_of: str | None = None,
    source: str = _USER,
) -> ContainerFileRecord:
    """Put a file into a container; call with the lock held."""
    file = ContainerFile(
        id=engine.state.ids.new("cfile_"),
        created_at=engine.clock.unix(),
        bytes=len(content),
        container_id=record.container.id,
        path=FOLDER + name,
        source=source,
    )
    engine.state.containers.mark(record)
    record.container.last_active_at = engine.clock.unix()
    return record.files.add(file.id, ContainerFileRecord(file, Content(content), copy_of))


def run(engine: Engine, record: ContainerRecord, source: str) -> Outcome:
    """Run code in a container; interpreters that nobody needs any more are ended first."""
    with engine.state.lock:
        engine.state.containers.mark(record)
        record.container.last_active_at = engine.clock.unix()
        # What code made lies in a running interpreter already, and may have been changed there since.
        known = [each for each in record.files if each.file.source == _USER or not record.has_session]
        record.has_session, record.running = True, record.running + 1
        over = _over(engine)
    try:
        for container_id in over:
            engine.workshop.leave(container_id)
        return engine.workshop.run(record.container.id, source, [_as_file(each) for each in known])
    finally:
        with engine.state.lock:
            record.running -= 1


def _over(engine: Engine) -> list[str]:
    """Containers whose interpreters are ended: expired ones, and the longest unused of too many.

    Clients need not delete containers, and each interpreter is a process with memory of its own.
    """
    idle = [each for each in engine.state.containers if each.has_session and not each.running]
    idle.sort(key=lambda each: each.container.last_active_at)
    too_many = max(0, len(idle) - MOST_IDLE_SESSIONS)
    over = [each for i, each in enumerate(idle) if i < too_many or look(engine, each) == "expired"]
    for each in over:
        each.has_session = False
    return [each.container.id for each in over]


def keep(
    engine: Engine, record: ContainerRecord, outcome: Outcome
) -> list[tuple[str, ContainerFileRecord, bool]]:
    """Keep what code made: where the code sees it, the file, whether it is an image; lock held."""
    return [
        (made.path, add(engine, record, made.name, made.content, source=_ASSISTANT), is_image)
        for made, is_image in hosted.made_by(outcome)
    ]


def readable(record: ContainerRecord) -> list[FileInfo]:
    """What a model is told of the files that users put into a container."""
    return [describe(_as_file(each)) for each in record.files if each.file.source == _USER]


def _as_file(record: ContainerFileRecord) -> FileRecord:
    file = record.file
    return FileRecord(
        File(
            id=file.id,
            purpose="user_data",
            filename=record.name,
            bytes=file.bytes,
            created_at=file.created_at,
        ),
        record.kept,
    )
