"""/containers: where code of responses runs, and the files in them."""

from __future__ import annotations

from typing import Any

from harness.server.engine import containers
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError
from harness.server.resources import lookup, shapes
from harness.server.resources.fields import Fields
from harness.server.state import ContainerFileRecord, ContainerRecord
from harness.server.wire import Reply, Request, body, deleted, page, page_query, single

MOST_FILES = 50


def create(engine: Engine, request: Request) -> dict[str, Any]:
    """POST /containers."""
    fields = Fields(request.body, ("name", "file_ids", "expires_after", "memory_limit", "network_policy"))
    name = fields.required_text("name", most=256)
    life = Fields(fields.raw("expires_after"), ("anchor", "minutes"), "expires_after")
    life.choice("anchor", ("last_active_at",))
    minutes = life.integer("minutes", 1, containers.LIFE_MINUTES) or containers.LIFE_MINUTES
    shapes.network_policy(fields)
    memory = fields.choice("memory_limit", containers.MEMORY_LIMITS) or containers.DEFAULT_MEMORY
    with engine.state.lock:
        wanted = [lookup.file(engine, one) for one in fields.ids("file_ids", most=MOST_FILES) or ()]
        record = containers.make(engine, name, minutes=minutes, memory_limit=memory)
        for file in wanted:
            containers.add_copy(engine, record, file)
        return body(record.container)


def list_all(engine: Engine, request: Request) -> dict[str, Any]:
    """GET /containers, optionally of one name."""
    name = single(request.query, "name")
    keep = None if name is None else (lambda row: row.container.name == name)
    with engine.state.lock:
        rows, more = engine.state.containers.page(page_query(request.query), keep)
        for row in rows:
            containers.look(engine, row)
        return page([body(row.container) for row in rows], more)


def retrieve(engine: Engine, request: Request, container_id: str) -> dict[str, Any]:
    """GET /containers/{container_id}."""
    with engine.state.lock:
        return body(lookup.container(engine, container_id).container)


def delete(engine: Engine, request: Request, container_id: str) -> dict[str, Any]:
    """DELETE /containers/{container_id}: its variables and files are gone."""
    with engine.state.lock:
        lookup.container(engine, container_id)
        engine.state.containers.remove(container_id)
    engine.workshop.leave(container_id)
    return deleted("container.deleted", container_id)


def add_file(engine: Engine, request: Request, container_id: str) -> dict[str, Any]:
    """POST /containers/{container_id}/files: an upload, or the id of an uploaded file."""
    with engine.state.lock:
        record = lookup.live_container(engine, container_id)
        if request.upload is not None:
            name = lookup.plain_name(request.upload.filename)
            return body(containers.add(engine, record, name, request.upload.content).file)
        wanted = Fields(request.body, ("file_id",)).required_text("file_id")
        return body(containers.add_copy(engine, record, lookup.file(engine, wanted)).file)


def list_files(engine: Engine, request: Request, container_id: str) -> dict[str, Any]:
    """GET /containers/{container_id}/files."""
    with engine.state.lock:
        rows, more = lookup.container(engine, container_id).files.page(page_query(request.query))
        return page([body(row.file) for row in rows], more)


def retrieve_file(engine: Engine, request: Request, container_id: str, file_id: str) -> dict[str, Any]:
    """GET /containers/{container_id}/files/{file_id}."""
    with engine.state.lock:
        return body(_file(lookup.container(engine, container_id), file_id).file)


def file_content(engine: Engine, request: Request, container_id: str, file_id: str) -> Reply:
    """GET /containers/{container_id}/files/{file_id}/content."""
    with engine.state.lock:
        found = _file(lookup.live_container(engine, container_id), file_id)
    return Reply(200, content=found.content, content_type="application/octet-stream")


def delete_file(engine: Engine, request: Request, container_id: str, file_id: str) -> dict[str, Any]:
    """DELETE /containers/{container_id}/files/{file_id}: models are no longer told of it."""
    with engine.state.lock:
        record = lookup.live_container(engine, container_id)
        _file(record, file_id)
        record.files.remove(file_id)
    return deleted("container.file.deleted", file_id)


def _file(record: ContainerRecord, file_id: str) -> ContainerFileRecord:
    found = record.files.get(file_id)
    if found is None:
        raise ApiError(404, f"No such File object: {file_id}", param="id")
    return found
