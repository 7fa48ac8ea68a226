"""What a variant needs at an Assistants API before anyone can talk to it, and taking it away again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import TargetRefused
from harness.suite.records import Variant
from harness.targets.wire import Json, Wire

# A store takes at most this many files at once when it is filled by a batch.
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Ready:
    """What exists at the target for one variant.

    Attributes:
        assistant_id: The assistant.
        documents: Its knowledge base: file id to name.
        model: The model that it says it runs on.
        tools: The types of its tools.
    """

    assistant_id: str
    documents: dict[str, str] = field(default_factory=dict)
    model: str = ""
    tools: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The files of one variant at the target.

    Attributes:
        documents: Its knowledge base: file id to name.
        vector_store_id: Where they can be searched; None without documents.
        code_file_ids: Files for code_interpreter.
    """

    documents: dict[str, str]
    vector_store_id: str | None
    code_file_ids: tuple[str, ...]


class Provisioner:
    """Creates assistants with their documents, and remembers what it created."""

    def __init__(self, wire: Wire, *, poll_s: float) -> None:
        self._wire = wire
        self._poll_s = poll_s
        self._created: list[str] = []

    async def provision(self, variant: Variant) -> Ready:
        """Upload the documents, index them, create the assistant; or look the given assistant up."""
        if variant.assistant_id:
            body = await self._wire.call("GET", f"/assistants/{variant.assistant_id}")
            return _ready(body, await self._stored_names(body))
        knowledge = await self.knowledge(variant)
        body = await self._wire.call("POST", "/assistants", _assistant_body(variant, _resources(knowledge)))
        self._created.append(f"/assistants/{body['id']}")
        return _ready(body, knowledge.documents)

    async def knowledge(self, variant: Variant) -> Knowledge:
        """Upload the variant's files and index its documents.

        Raises:
            TargetRefused: Some documents can't be read.
        """
        documents = await self._upload_all(variant.documents)
        store = await self.vector_store(variant.assistant.name, documents) if documents else None
        return Knowledge(documents, store, tuple(await self._upload_all(variant.code_documents)))

    async def _upload_all(self, paths: Sequence[Path]) -> dict[str, str]:
        uploaded: dict[str, str] = {}
        for path in paths:
            uploaded[await self.upload(path)] = path.name
        return uploaded

    async def upload(self, path: Path) -> str:
        """Upload one file for an assistant's tools; its id."""
        body = await self._wire.upload(path.name, path.read_bytes(), "assistants")
        self._created.append(f"/files/{body['id']}")
        return str(body["id"])

    async def vector_store(self, name: str, documents: Mapping[str, str]) -> str:
        """Make a vector store of files, by id with their names, and wait until it can be searched.

        Raises:
            TargetRefused: Some of them can't be read.
        """
        body = {"name": name[:256], "expires_after": {"anchor": "last_active_at", "days": 7}}
        store = await self._wire.call("POST", "/vector_stores", body)
        self._created.append(f"/vector_stores/{store['id']}")
        await self.add_to_store(str(store["id"]), documents)
        return str(store["id"])

    async def add_to_store(self, store: str, documents: Mapping[str, str]) -> None:
        """Add files to a vector store and wait until they can be searched.

        Raises:
            TargetRefused: Some of them can't be read.
        """
        ids = list(documents)
        for begin in range(0, len(ids), _BATCH):
            await self._index(store, ids[begin : begin + _BATCH])
        await self.refuse_unindexed(store, documents)

    async def _index(self, store: str, file_ids: list[str]) -> None:
        path = f"/vector_stores/{store}/file_batches"
        batch = await self._wire.call("POST", path, {"file_ids": file_ids})
        while batch["file_counts"]["in_progress"]:
            await asyncio.sleep(self._poll_s)
            batch = await self._wire.call("GET", f"{path}/{batch['id']}")

    async def refuse_unindexed(self, store: str, documents: Mapping[str, str]) -> None:
        """A document that can't be searched makes every score about it wrong: stop, and name them all.

        Raises:
            TargetRefused: Some files of the vector store could not be read.
        """
        rows = pages(self._wire, f"/vector_stores/{store}/files", filter="failed", order="asc")
        failures = [
            f"{documents.get(row['id'], row['id'])}: {(row.get('last_error') or {}).get('message')}"
            async for row in rows
        ]
        if failures:
            raise TargetRefused(
                "documents could not be indexed:\n  " + "\n  ".join(failures),
                code="document-unreadable",
                hint="repair, convert or remove these documents, then run again",
            )

    async def _stored_names(self, assistant: Json) -> dict[str, str]:
        """File names of an existing assistant's knowledge base, for citations and reports."""
        resources = (assistant.get("tool_resources") or {}).get("file_search") or {}
        names: dict[str, str] = {}
        for store in resources.get("vector_store_ids") or ():
            async for row in pages(self._wire, f"/vector_stores/{store}/files"):
                names[row["id"]] = str((await self._wire.call("GET", f"/files/{row['id']}"))["filename"])
        return names

    def take_over(self, path: str) -> None:
        """Have an object deleted with the others that the API made by itself."""
        if path not in self._created:
            self._created.append(path)

    async def delete_all(self) -> None:
        """Delete everything that was created, newest first."""
        while self._created:
            await delete(self._wire, self._created.pop())


async def delete(wire: Wire, path: str) -> None:
    """Delete an object; one that is gone already is as good as deleted."""
    try:
        await wire.call("DELETE", path)
    except TargetRefused:
        return


async def pages(wire: Wire, path: str, **query: Any) -> AsyncIterator[Json]:
    """Every object of a list, page by page."""
    after: dict[str, str] = {}
    while True:
        page = await wire.call("GET", path, query={**query, "limit": 100, **after})
        for row in page["data"]:
            yield row
        if not page.get("has_more") or not page["data"]:
            return
        after = {"after": page["data"][-1]["id"]}


def _ready(body: Json, documents: dict[str, str]) -> Ready:
    tools = frozenset(str(tool.get("type")) for tool in body.get("tools") or ())
    return Ready(str(body["id"]), documents, str(body.get("model") or ""), tools)


def _resources(knowledge: Knowledge) -> Json:
    resources: Json = {}
    if knowledge.vector_store_id:
        resources["file_search"] = {"vector_store_ids": [knowledge.vector_store_id]}
    if knowledge.code_file_ids:
        resources["code_interpreter"] = {"file_ids": list(knowledge.code_file_ids)}
    return resources


def _assistant_body(variant: Variant, resources: Json) -> Json:
    fields = {
        "name",
        "model",
        "instructions",
        "description",
        "temperature",
        "top_p",
        "reasoning_effort",
        "response_format",
    }
    body: Json = variant.assistant.model_dump(include=fields, exclude_none=True)
    body["tools"] = [tool.model_dump(exclude_none=True) for tool in variant.assistant.tools]
    body["metadata"] = {**variant.assistant.metadata, "harness_fingerprint": variant.fingerprint[:64]}
    if resources:
        body["tool_resources"] = resources
    return body
