"""Containers: where the code of responses runs, and the files that are in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.server.engine import hosted
from harness.server.engine.machine import Engine
from harness.server.engine.workshop import describe
from harness.server.llms.interface import FileInfo
from harness.server.state import ContainerFileRecord, ContainerRecord, FileRecord
from harness.server.wire import Container, ContainerFile, File

if TYPE_CHECKING:
    from harness.server.sandbox import Outcome

LIFE_MINUTES = 20
"""A container that nobody uses for so long is gone, as on the hosted API."""
DEFAULT_MEMORY = "1g"
_FOLDER = "/mnt/data/"
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
        path=_FOLDER + name,
        source=source,
    )
    record.container.last_active_at = engine.clock.unix()
    return record.files.add(file.id, ContainerFileRecord(file, content, copy_of))


def run(engine: Engine, record: ContainerRecord, source: str) -> Outcome:
    """Run code in a container; sandbox sessions of containers that have expired are closed first."""
    with engine.state.lock:
        over = [each.container.id for each in engine.state.containers if look(engine, each) == "expired"]
        record.container.last_active_at = engine.clock.unix()
        files = [_as_file(each) for each in _users(record)]
    for container_id in over:
        engine.workshop.leave(container_id)
    return engine.workshop.run(record.container.id, source, files)


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
    return [describe(_as_file(each)) for each in _users(record)]


def _users(record: ContainerRecord) -> Iterable[ContainerFileRecord]:
    return (each for each in record.files if each.file.source == _USER)


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
        record.content,
    )
