"""Vector stores, the files and batches in them, and searches."""

from __future__ import annotations

from harness.server.description import shapes
from harness.server.description.records import Operation, Parameter, Section, one_of, paging
from harness.server.description.schema import (
    COUNT,
    FLAG,
    NULL,
    TIME,
    Schema,
    a_page_of,
    always,
    choice,
    deleted,
    either,
    gives,
    listed,
    nullable,
    number,
    ref,
    takes,
    text,
    unused,
    whole,
)

_STATUSES = ("in_progress", "completed", "failed", "cancelled")
_COUNTS = gives({**dict.fromkeys(_STATUSES, COUNT), "total": COUNT})
_STORE = gives(
    {
        "id": text(pattern="^vs_"),
        "object": always("vector_store"),
        "created_at": TIME,
        "name": nullable(text(most=256)),
        "description": nullable(text(most=512)),
        "usage_bytes": COUNT,
        "file_counts": _COUNTS,
        "status": choice("in_progress", "completed", "expired"),
        "expires_after": nullable(shapes.STORE_LIFE_OUT),
        "expires_at": nullable(TIME),
        "last_active_at": nullable(TIME),
        "metadata": ref("Metadata"),
    }
)
_FAILURE = gives({"code": choice("server_error", "unsupported_file", "invalid_file"), "message": text()})
_FILE = gives(
    {
        "id": text(pattern="^file-"),
        "object": always("vector_store.file"),
        "usage_bytes": COUNT,
        "created_at": TIME,
        "vector_store_id": text(pattern="^vs_"),
        "status": choice(*_STATUSES),
        "last_error": nullable(_FAILURE),
        "chunking_strategy": shapes.CHUNKING_OUT,
        "attributes": ref("Attributes"),
    }
)
_BATCH = gives(
    {
        "id": text(pattern="^vsfb_"),
        "object": always("vector_store.file_batch"),
        "created_at": TIME,
        "status": choice(*_STATUSES),
        "vector_store_id": text(pattern="^vs_"),
        "file_counts": _COUNTS,
    }
)


def _open_page(kind: str, row: Schema) -> Schema:
    """A page that is always the last one."""
    return gives(
        {"object": always(kind), "data": listed(row), "has_more": FLAG, "next_page": NULL},
    )


def _condition(*kinds: str, **parts: Schema) -> Schema:
    """A filter; what it needs beyond its kind has to be there, other fields are not looked at."""
    return {
        "type": "object",
        "properties": {"type": choice(*kinds), **parts},
        "required": ["type", *parts],
    }


_HIT = gives(
    {
        "file_id": text(),
        "filename": text(),
        "score": number(0, 1),
        "attributes": {"type": "object"},
        "content": listed(gives({"type": always("text"), "text": text()})),
    }
)
_FOUND = {**_open_page("vector_store.search_results.page", _HIT)}
_FOUND["properties"] = {**_FOUND["properties"], "search_query": listed(text(), least=1)}
_FOUND["required"] = [*_FOUND["required"], "search_query"]
_CONTENT = _open_page("vector_store.file_content.page", gives({"type": always("text"), "text": text()}))

_SEARCH = takes(
    {"query": either(text(), listed(text(), least=1))},
    max_num_results=whole(1, 50),
    rewrite_query=unused(FLAG, "queries are always searched for as they are"),
    filters=ref("Filter"),
    ranking_options=takes(
        ranker=unused(choice("none", "auto", "default-2024-11-15"), "there is one ranking"),
        score_threshold=number(0, 1),
    ),
)
_ONE_FILE = {"attributes": ref("Attributes"), "chunking_strategy": shapes.CHUNKING_IN}
_BATCH_IN = either(
    takes(
        {"file_ids": listed(text(), least=1, most=2000)},
        files=listed(text(), most=0),
        **_ONE_FILE,
    ),
    takes(
        {"files": listed(takes({"file_id": text(least=1)}, **_ONE_FILE), least=1, most=2000)},
        file_ids=listed(text(), most=0),
        **{name: unused(schema, "each of the files has its own") for name, schema in _ONE_FILE.items()},
    ),
)
_FILTER = Parameter("filter", one_of(*_STATUSES), "Only files of this status.")
_AT = "/vector_stores/{store}"
_FILES = f"{_AT}/files"
_IN = f"{_FILES}/{{file}}"
_BATCHES = f"{_AT}/file_batches"
_ONE_BATCH = f"{_BATCHES}/{{batch}}"

SECTION = Section(
    title="Vector stores",
    operations=(
        Operation(
            "GET",
            "/vector_stores",
            "The stores.",
            gives=a_page_of(ref("VectorStore")),
            query=paging(),
            refuses=(),
        ),
        Operation(
            "POST",
            "/vector_stores",
            "Make a store and index its files.",
            gives=ref("VectorStore"),
            body=takes(**{**shapes.NEW_STORE, "file_ids": listed(text(), most=500)}),
            may_be_empty=True,
        ),
        Operation("GET", _AT, "One store.", gives=ref("VectorStore")),
        Operation(
            "POST",
            _AT,
            "Change name, life and metadata of a store.",
            gives=ref("VectorStore"),
            body=takes(name=text(most=256), expires_after=shapes.STORE_LIFE_IN, metadata=ref("Metadata")),
            may_be_empty=True,
        ),
        Operation("DELETE", _AT, "Delete a store; its files stay.", gives=deleted("vector_store.deleted")),
        Operation("POST", f"{_AT}/search", "Search a store.", gives=_FOUND, body=_SEARCH),
        Operation(
            "GET",
            _FILES,
            "The files of a store.",
            gives=a_page_of(ref("VectorStoreFile")),
            query=(*paging(), _FILTER),
        ),
        Operation(
            "POST",
            _FILES,
            "Put a file into a store.",
            gives=ref("VectorStoreFile"),
            body=takes({"file_id": text(least=1)}, **_ONE_FILE),
        ),
        Operation("GET", _IN, "One file of a store.", gives=ref("VectorStoreFile")),
        Operation(
            "POST",
            _IN,
            "Change the attributes of a file in a store.",
            gives=ref("VectorStoreFile"),
            body=takes({"attributes": ref("Attributes")}),
        ),
        Operation("DELETE", _IN, "Take a file out of a store.", gives=deleted("vector_store.file.deleted")),
        Operation("GET", f"{_IN}/content", "The text of a file as it was read.", gives=_CONTENT),
        Operation("POST", _BATCHES, "Put many files into a store.", gives=ref("FileBatch"), body=_BATCH_IN),
        Operation("GET", _ONE_BATCH, "One batch.", gives=ref("FileBatch")),
        Operation("POST", f"{_ONE_BATCH}/cancel", "Stop indexing a batch.", gives=ref("FileBatch")),
        Operation(
            "GET",
            f"{_ONE_BATCH}/files",
            "The files of a batch.",
            gives=a_page_of(ref("VectorStoreFile")),
            query=(*paging(), _FILTER),
        ),
    ),
    schemas={
        "VectorStore": _STORE,
        "VectorStoreFile": _FILE,
        "FileBatch": _BATCH,
        "Filter": either(
            _condition("eq", "ne", "gt", "gte", "lt", "lte", key=text(), value={}),
            _condition("in", "nin", key=text(), value={"type": "array"}),
            _condition("and", "or", filters=listed(ref("Filter"))),
        ),
    },
)
