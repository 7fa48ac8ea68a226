"""/vector_stores: stores, the files and batches in them, and searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from harness.server.engine.machine import Engine
from harness.server.engine.vector_stores import COUNTED, counts
from harness.server.errors import ApiError, bad_request, not_found
from harness.server.resources import lookup, shapes
from harness.server.resources.fields import Fields, check_prefix, not_supported, wrong_type
from harness.server.state import BatchRecord, FileRecord, StoreRecord
from harness.server.table import Table
from harness.server.wire import (
    POLL_SOON,
    FileBatch,
    PageQuery,
    Reply,
    Request,
    VectorStore,
    VectorStoreFile,
    body,
    deleted,
    fresh,
    page,
    page_query,
    single,
)

if TYPE_CHECKING:
    from harness.server.search import Hit

MOST_NEW_FILES = 500
MOST_BATCH_FILES = 2_000
_DRAFT_FIELDS = ("file_ids", "name", "description", "expires_after", "chunking_strategy", "metadata")
_RANKERS = ("none", "auto", "default-2024-11-15")


class Draft(msgspec.Struct, frozen=True):
    """A vector store that has been asked for and checked, but not made."""

    files: tuple[FileRecord, ...] = ()
    name: str | None = None
    description: str | None = None
    expires_after: dict[str, Any] | None = None
    strategy: dict[str, Any] = msgspec.field(default_factory=lambda: dict(fresh(shapes.DEFAULT_CHUNKING)))
    metadata: dict[str, str] = msgspec.field(default_factory=dict)


def draft(
    engine: Engine, given: Any, where: str = "", *, default_life: dict[str, Any] | None = None
) -> Draft:
    """Check a request for a new store.

    Raises:
        ApiError: A field is wrong, or a file does not exist.
    """
    fields = Fields(given, _DRAFT_FIELDS, where)
    return Draft(
        files=_known_files(engine, fields.ids("file_ids", most=10_000 if where else MOST_NEW_FILES) or []),
        name=fields.text("name", most=256),
        description=fields.text("description", most=512),
        expires_after=shapes.expires_after(fields) or (dict(default_life) if default_life else None),
        strategy=shapes.chunking(fields),
        metadata=fields.metadata() or {},
    )


def _known_files(engine: Engine, file_ids: list[str]) -> tuple[FileRecord, ...]:
    with engine.state.lock:
        return tuple(lookup.file(engine, file_id) for file_id in dict.fromkeys(file_ids))


def make(engine: Engine, wanted: Draft) -> StoreRecord:
    """Make a store and start to index its files; call with the lock held."""
    store = VectorStore(
        id=engine.state.ids.new("vs_"),
        created_at=engine.clock.unix(),
        name=wanted.name,
        description=wanted.description,
        expires_after=wanted.expires_after,
        metadata=wanted.metadata,
    )
    record = engine.state.stores.add(store.id, StoreRecord(store))
    engine.vector_stores.touch(record)
    for file in wanted.files:
        engine.vector_stores.add(record, file, strategy=fresh(wanted.strategy), attributes={})
    return record


def _store_body(engine: Engine, record: StoreRecord) -> dict[str, Any]:
    """The store with counts, size and status as they are now."""
    store, rows = record.store, list(record.files)
    store.file_counts = counts(rows)
    store.usage_bytes = sum(row.usage_bytes for row in rows)
    store.status = "in_progress" if store.file_counts["in_progress"] else "completed"
    if engine.vector_stores.is_expired(record):
        store.status = "expired"
    return body(store)


def create(engine: Engine, request: Request) -> dict[str, Any]:
    """POST /vector_stores."""
    wanted = draft(engine, request.body)
    with engine.state.lock:
        return _store_body(engine, make(engine, wanted))


def list_all(engine: Engine, request: Request) -> dict[str, Any]:
    """GET /vector_stores."""
    with engine.state.lock:
        rows, more = engine.state.stores.page(page_query(request.query))
        return page([_store_body(engine, row) for row in rows], more)


def retrieve(engine: Engine, request: Request, store_id: str) -> dict[str, Any]:
    """GET /vector_stores/{store_id}."""
    with engine.state.lock:
        return _store_body(engine, lookup.store(engine, store_id))


def update(engine: Engine, request: Request, store_id: str) -> dict[str, Any]:
    """POST /vector_stores/{store_id}."""
    fields = Fields(request.body, ("name", "expires_after", "metadata"))
    given = {
        "name": fields.text("name", most=256),
        "expires_after": shapes.expires_after(fields),
        "metadata": fields.metadata(),
    }
    with engine.state.lock:
        record = lookup.store(engine, store_id)
        for name, value in given.items():
            if value is not None:
                setattr(record.store, name, value)
        engine.vector_stores.set_expiry(record)
        engine.vector_stores.touch(record)
        return _store_body(engine, record)


def delete(engine: Engine, request: Request, store_id: str) -> dict[str, Any]:
    """DELETE /vector_stores/{store_id}; its files stay."""
    with engine.state.lock:
        record = lookup.store(engine, store_id)
        for row in record.files:
            _cancel(record.files, row)
        engine.state.stores.remove(store_id)
        engine.vector_stores.discard(store_id)
        return deleted("vector_store.deleted", store_id)


def _cancel(files: Table[VectorStoreFile], row: VectorStoreFile) -> None:
    if row.status == "in_progress":
        files.mark(row)
        row.status = "cancelled"


def search(engine: Engine, request: Request, store_id: str) -> dict[str, Any]:
    """POST /vector_stores/{store_id}/search."""
    known = ("query", "max_num_results", "rewrite_query", "filters", "ranking_options")
    fields = Fields(request.body, known)
    queries = _queries(fields)
    limit = fields.integer("max_num_results", 1, 50) or 10
    fields.flag("rewrite_query", False)
    ranking = Fields(fields.raw("ranking_options"), ("ranker", "score_threshold"), "ranking_options")
    ranking.choice("ranker", _RANKERS)
    threshold = ranking.number("score_threshold", 0, 1) or 0.0
    from harness.server.search import matches

    wanted = fields.raw("filters")
    if wanted is not None:
        matches(wanted, {})  # refuses what is no filter, also when the store is empty
    with engine.state.lock:
        record = _living_store(engine, store_id)
    found = engine.vector_stores.search(
        [record],
        queries,
        max_num_results=limit,
        score_threshold=threshold,
        filters=wanted,
    )
    return {
        "object": "vector_store.search_results.page",
        "search_query": queries,
        "data": [_search_row(hit) for hit in found],
        "has_more": False,
        "next_page": None,
    }


def _living_store(engine: Engine, store_id: str) -> StoreRecord:
    """A store to work with; what has expired is only there to be looked at and deleted."""
    record = lookup.store(engine, store_id)
    if engine.vector_stores.is_expired(record):
        raise bad_request(f"Vector store {store_id} is expired.")
    return record


def _queries(fields: Fields) -> list[str]:
    query = fields.require("query")
    queries = [query] if isinstance(query, str) else query
    if not isinstance(queries, list) or not queries or not all(isinstance(one, str) for one in queries):
        raise wrong_type("query", "a string or an array of strings", query)
    return list(queries)


def _search_row(hit: Hit) -> dict[str, Any]:
    return {
        "file_id": hit.file_id,
        "filename": hit.filename,
        "score": hit.score,
        "attributes": dict(hit.attributes),
        "content": [{"type": "text", "text": hit.text}],
    }


# files of a store


def _find_file(engine: Engine, store_id: str, file_id: str) -> tuple[StoreRecord, VectorStoreFile]:
    record = lookup.store(engine, store_id)
    row = record.files.get(file_id)
    if row is None:
        raise ApiError(
            404, f"No file found with id '{file_id}' in vector store '{store_id}'.", param="file_id"
        )
    return record, row


def add_file(engine: Engine, request: Request, store_id: str) -> dict[str, Any]:
    """POST /vector_stores/{store_id}/files."""
    fields = Fields(request.body, ("file_id", "attributes", "chunking_strategy"))
    file_id = fields.required_text("file_id")
    strategy, attributes = shapes.chunking(fields), fields.attributes() or {}
    with engine.state.lock:
        record = _living_store(engine, store_id)
        [file] = _known_files(engine, [file_id])
        return body(engine.vector_stores.add(record, file, strategy=strategy, attributes=attributes))


def list_files(engine: Engine, request: Request, store_id: str) -> dict[str, Any]:
    """GET /vector_stores/{store_id}/files."""
    query, keep = page_query(request.query), _status_filter(request)
    with engine.state.lock:
        rows, more = lookup.store(engine, store_id).files.page(query, keep)
        return page([body(row) for row in rows], more)


def _status_filter(request: Request) -> Callable[[VectorStoreFile], bool] | None:
    wanted = single(request.query, "filter")
    if wanted is None:
        return None
    if wanted not in COUNTED:
        raise not_supported("filter", wanted, COUNTED)
    return lambda row: row.status == wanted


def retrieve_file(engine: Engine, request: Request, store_id: str, file_id: str) -> Reply:
    """GET /vector_stores/{store_id}/files/{file_id}."""
    with engine.state.lock:
        _, row = _find_file(engine, store_id, file_id)
        return Reply(200, body(row), headers=POLL_SOON)


def update_file(engine: Engine, request: Request, store_id: str, file_id: str) -> dict[str, Any]:
    """POST /vector_stores/{store_id}/files/{file_id}: its attributes."""
    fields = Fields(request.body, ("attributes",))
    fields.require("attributes")
    attributes = fields.attributes() or {}
    with engine.state.lock:
        _, row = _find_file(engine, store_id, file_id)
        engine.vector_stores.set_attributes(row, attributes)
        return body(row)


def remove_file(engine: Engine, request: Request, store_id: str, file_id: str) -> dict[str, Any]:
    """DELETE /vector_stores/{store_id}/files/{file_id}: the file itself stays."""
    with engine.state.lock:
        record, _ = _find_file(engine, store_id, file_id)
        engine.vector_stores.take_out(record, file_id)
    engine.vector_stores.unindex(record, file_id)
    return deleted("vector_store.file.deleted", file_id)


def file_content(engine: Engine, request: Request, store_id: str, file_id: str) -> dict[str, Any]:
    """GET /vector_stores/{store_id}/files/{file_id}/content: the text as it was read."""
    with engine.state.lock:
        _find_file(engine, store_id, file_id)
    text = engine.vector_stores.content(store_id, file_id)
    return {
        "object": "vector_store.file_content.page",
        "data": [{"type": "text", "text": text}] if text else [],
        "has_more": False,
        "next_page": None,
    }


# batches


class _Entry(msgspec.Struct, frozen=True):
    """One file of a batch request."""

    file: FileRecord
    strategy: dict[str, Any]
    attributes: dict[str, Any]


def create_batch(engine: Engine, request: Request, store_id: str) -> dict[str, Any]:
    """POST /vector_stores/{store_id}/file_batches; a file that can't be read fails alone."""
    with engine.state.lock:
        record = _living_store(engine, store_id)
        entries = _entries(
            engine, Fields(request.body, ("file_ids", "files", "attributes", "chunking_strategy"))
        )
        batch = FileBatch(
            id=engine.state.ids.new("vsfb_"), created_at=engine.clock.unix(), vector_store_id=store_id
        )
        made = record.batches.add(batch.id, BatchRecord(batch))
        for entry in entries:
            engine.vector_stores.add(
                record, entry.file, strategy=entry.strategy, attributes=entry.attributes, batch=made
            )
        return _batch_body(made)


def _entries(engine: Engine, fields: Fields) -> list[_Entry]:
    ids, listed = fields.ids("file_ids", most=MOST_BATCH_FILES), fields.items("files", most=MOST_BATCH_FILES)
    if (not ids) == (not listed):
        raise bad_request("A batch takes either file_ids or files, with 1 to 2000 entries.", "file_ids")
    if ids:
        shared = fields.attributes() or {}
        known = _known_files(engine, ids)
        return [_Entry(file, shapes.chunking(fields), dict(shared)) for file in known]
    return [_entry(engine, each, f"files[{index}]") for index, each in enumerate(listed or ())]


def _entry(engine: Engine, given: Any, where: str) -> _Entry:
    fields = Fields(given, ("file_id", "attributes", "chunking_strategy"), where)
    [file] = _known_files(engine, [fields.required_text("file_id")])
    return _Entry(file, shapes.chunking(fields), fields.attributes() or {})


def _batch_body(record: BatchRecord) -> dict[str, Any]:
    batch = record.batch
    batch.file_counts = counts(list(record.files))
    if batch.status == "in_progress" and not batch.file_counts["in_progress"]:
        batch.status = "completed"
    return body(batch)


def _find_batch(engine: Engine, store_id: str, batch_id: str) -> BatchRecord:
    check_prefix("batch_id", batch_id, "vsfb_")
    record = lookup.store(engine, store_id).batches.get(batch_id)
    if record is None:
        raise not_found("file batch", batch_id)
    return record


def retrieve_batch(engine: Engine, request: Request, store_id: str, batch_id: str) -> Reply:
    """GET /vector_stores/{store_id}/file_batches/{batch_id}."""
    with engine.state.lock:
        return Reply(200, _batch_body(_find_batch(engine, store_id, batch_id)), headers=POLL_SOON)


def cancel_batch(engine: Engine, request: Request, store_id: str, batch_id: str) -> dict[str, Any]:
    """POST /vector_stores/{store_id}/file_batches/{batch_id}/cancel: what is not yet indexed."""
    with engine.state.lock:
        record = _find_batch(engine, store_id, batch_id)
        if _batch_body(record)["status"] == "in_progress":
            record.batch.status = "cancelled"
            for row in record.files:
                _cancel(record.files, row)
        return _batch_body(record)


def list_batch_files(engine: Engine, request: Request, store_id: str, batch_id: str) -> dict[str, Any]:
    """GET /vector_stores/{store_id}/file_batches/{batch_id}/files."""
    query: PageQuery = page_query(request.query)
    keep = _status_filter(request)
    with engine.state.lock:
        rows, more = _find_batch(engine, store_id, batch_id).files.page(query, keep)
        return page([body(row) for row in rows], more)
