"""/files: uploads, generated files and their bytes."""

from __future__ import annotations

from typing import Any

from harness.server.engine.machine import Engine
from harness.server.errors import ApiError
from harness.server.resources import lookup
from harness.server.state import FileRecord
from harness.server.table import Content
from harness.server.wire import File, Reply, Request, Upload, body, deleted, page, page_query, single

PURPOSES = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
_MOST_BYTES = 512 * 1024 * 1024
_NO_DOWNLOAD = "assistants"
_LIFETIME_S = (3_600, 2_592_000)


def create(engine: Engine, request: Request) -> dict[str, Any]:
    """POST /files."""
    upload = _upload(request)
    with engine.state.lock:
        now = engine.clock.unix()
        file = File(
            id=engine.state.ids.new("file-"),
            purpose=_purpose(upload),
            filename=lookup.plain_name(upload.filename),
            bytes=len(upload.content),
            created_at=now,
            expires_at=_expires_at(upload, now),
        )
        engine.state.files.add(file.id, FileRecord(file, Content(upload.content)))
        return body(file)


def _upload(request: Request) -> Upload:
    if request.upload is None:
        raise ApiError(400, "Missing required parameter: 'file'.", param="file")
    if len(request.upload.content) > _MOST_BYTES:
        raise ApiError(413, f"The file is larger than the maximum of {_MOST_BYTES} bytes.", param="file")
    return request.upload


def _purpose(upload: Upload) -> str:
    purpose = upload.fields.get("purpose")
    if not purpose:
        raise ApiError(400, "Missing required parameter: 'purpose'.", param="purpose")
    if purpose not in PURPOSES:
        raise ApiError(400, f"'{purpose}' is not one of {list(PURPOSES)} - 'purpose'", param="purpose")
    return purpose


def _expires_at(upload: Upload, now: int) -> int | None:
    text, anchor = (upload.fields.get(f"expires_after[{part}]") for part in ("seconds", "anchor"))
    if text is None and anchor is None:
        return None
    if text is None or anchor is None:
        missing = f"expires_after.{'seconds' if text is None else 'anchor'}"
        raise ApiError(400, f"Missing required parameter: '{missing}'.", param=missing)
    if anchor != "created_at":
        raise ApiError(
            400, f"Invalid value: '{anchor}'. Supported values are: 'created_at'.", param="expires_after"
        )
    low, high = _LIFETIME_S
    if text is None or not (text.isascii() and text.isdigit() and low <= int(text[:12]) <= high):
        raise ApiError(
            400,
            f"Invalid 'expires_after.seconds': expected {low} to {high}, got {text!r}.",
            param="expires_after",
        )
    return now + int(text)


def list_all(engine: Engine, request: Request) -> dict[str, Any]:
    """GET /files, optionally of one purpose."""
    purpose = single(request.query, "purpose")
    with engine.state.lock:
        now = engine.clock.unix()
        rows, more = engine.state.files.page(
            page_query(request.query, limit=10_000, most=10_000),
            lambda record: (
                (purpose is None or record.file.purpose == purpose) and not lookup.is_expired(record, now)
            ),
        )
        return page([body(record.file) for record in rows], more)


def retrieve(engine: Engine, request: Request, file_id: str) -> dict[str, Any]:
    """GET /files/{file_id}."""
    with engine.state.lock:
        return body(lookup.file(engine, file_id).file)


def content(engine: Engine, request: Request, file_id: str) -> Reply:
    """GET /files/{file_id}/content; as hosted, uploads for assistants are not given back."""
    with engine.state.lock:
        record = lookup.file(engine, file_id)
    if record.file.purpose == _NO_DOWNLOAD:
        raise ApiError(400, f"Not allowed to download files of purpose: {_NO_DOWNLOAD}")
    return Reply(200, content=record.content, content_type="application/octet-stream")


def delete(engine: Engine, request: Request, file_id: str) -> dict[str, Any]:
    """DELETE /files/{file_id}: it also leaves every vector store."""
    with engine.state.lock:
        lookup.file(engine, file_id)
        engine.state.files.remove(file_id)
        holders = [record for record in engine.state.stores if file_id in record.files]
        for record in holders:
            engine.vector_stores.take_out(record, file_id)
    for record in holders:
        engine.vector_stores.unindex(record, file_id)
    return deleted("file", file_id)
