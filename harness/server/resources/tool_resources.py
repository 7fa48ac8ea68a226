"""What tools work on: the files of code_interpreter and the vector store of file_search."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.server.engine.machine import Engine
from harness.server.errors import bad_request
from harness.server.resources import lookup, shapes, vector_stores
from harness.server.resources.fields import Fields
from harness.server.wire import fresh

MOST_CODE_FILES = 20
THREAD_STORE_LIFE = {"anchor": "last_active_at", "days": 7}
"""Stores made through threads and attachments go after a week without use."""


class ToolResources(msgspec.Struct, frozen=True):
    """Checked tool_resources of a request; nothing has been made or changed yet.

    Attributes:
        code_files: Files for code_interpreter, None when not given.
        store_ids: Vector stores for file_search, None when not given.
        new_store: A store to be made for file_search, as vector_stores.Draft.
    """

    code_files: list[str] | None = None
    store_ids: list[str] | None = None
    new_store: vector_stores.Draft | None = None

    def apply(self, engine: Engine, present: dict[str, Any]) -> dict[str, Any]:
        """The resources after the request: what it does not name stays."""
        resources: dict[str, Any] = fresh(present)
        if self.code_files is not None:
            resources["code_interpreter"] = {"file_ids": list(self.code_files)}
        if self.new_store is not None:
            made = vector_stores.make(engine, self.new_store)
            resources["file_search"] = {"vector_store_ids": [made.store.id]}
        elif self.store_ids is not None:
            resources["file_search"] = {"vector_store_ids": list(self.store_ids)}
        return resources


def read(engine: Engine, fields: Fields, *, of_thread: bool = False) -> ToolResources:
    """The tool_resources of a request body.

    Raises:
        ApiError: A file or store does not exist, or there are too many of them.
    """
    path = fields.path("tool_resources")
    given = Fields(fields.raw("tool_resources"), ("code_interpreter", "file_search"), path)
    code = Fields(given.raw("code_interpreter"), ("file_ids",), f"{path}.code_interpreter")
    code_files = code.ids("file_ids", most=MOST_CODE_FILES)
    with engine.state.lock:
        for file_id in code_files or ():
            lookup.file(engine, file_id)
        store_ids, new_store = _search_resources(engine, given, path, of_thread)
    return ToolResources(code_files, store_ids, new_store)


def _search_resources(
    engine: Engine, given: Fields, path: str, of_thread: bool
) -> tuple[list[str] | None, vector_stores.Draft | None]:
    where = f"{path}.file_search"
    search = Fields(given.raw("file_search"), ("vector_store_ids", "vector_stores"), where)
    ids = search.ids("vector_store_ids", most=1)
    for store_id in ids or ():
        lookup.store(engine, store_id)
    helpers = search.items("vector_stores", most=1)
    if not helpers:
        return ids, None
    if ids:
        raise bad_request(f"'{where}' takes vector_store_ids or vector_stores, not both.", where)
    life = THREAD_STORE_LIFE if of_thread else None
    return None, vector_stores.draft(engine, helpers[0], f"{where}.vector_stores[0]", default_life=life)


def attach(engine: Engine, resources: dict[str, Any], attachments: list[dict[str, Any]]) -> dict[str, Any]:
    """The thread's resources after a message with these attachments.

    For file_search the file goes into the thread's own vector store, which is made if there is none.
    """
    resources = fresh(resources)
    for attachment in attachments:
        kinds = [tool["type"] for tool in attachment["tools"]]
        if "code_interpreter" in kinds:
            ids = resources.setdefault("code_interpreter", {}).setdefault("file_ids", [])
            if attachment["file_id"] not in ids:
                ids.append(attachment["file_id"])
        if "file_search" in kinds:
            _attach_to_store(engine, resources, attachment["file_id"])
    return resources


def _attach_to_store(engine: Engine, resources: dict[str, Any], file_id: str) -> None:
    ids = resources.setdefault("file_search", {}).setdefault("vector_store_ids", [])
    store = engine.state.stores.get(ids[0]) if ids else None
    if store is None:
        store = vector_stores.make(engine, vector_stores.Draft(expires_after=dict(THREAD_STORE_LIFE)))
        ids[:] = [store.store.id]
    if file_id not in store.files:
        file = lookup.file(engine, file_id)
        engine.vector_stores.add(store, file, strategy=fresh(shapes.DEFAULT_CHUNKING), attributes={})


def check_room(resources: dict[str, Any], attachments: list[dict[str, Any]]) -> None:
    """Refuse attachments that would give code_interpreter too many files.

    Raises:
        ApiError: More than 20 files would be there.
    """
    present = set(resources.get("code_interpreter", {}).get("file_ids", ()))
    present |= {
        attachment["file_id"]
        for attachment in attachments
        if any(tool["type"] == "code_interpreter" for tool in attachment["tools"])
    }
    if len(present) > MOST_CODE_FILES:
        raise bad_request(
            f"A thread may have at most {MOST_CODE_FILES} code_interpreter files; this message would make it "
            f"{len(present)}.",
            "attachments",
        )
