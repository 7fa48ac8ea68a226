"""What a variant needs at an Assistants API before anyone can talk to it, and taking it away again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import TargetMissing, TargetRefused
from harness.suite.records import Variant
from harness.targets.belongings import Belongings, Thing
from harness.targets.ledger import Entry, Intent, Role
from harness.targets.wire import Json, Wire

# A store takes at most this many files at once when it is filled by a batch.
_BATCH = 500


class Keeping(msgspec.Struct, frozen=True):
    """What outlives the run that made it.

    Attributes:
        assistants: Whether assistants and their documents are kept for later runs.
        users: Whether threads of users are kept, so that they come back to them in later runs.
        store_days: How many days after its last use a vector store expires by itself.
    """

    assistants: bool = False
    users: bool = False
    store_days: int = 7


NOTHING_KEPT = Keeping()


class Ready(msgspec.Struct, frozen=True):
    """What exists at the target for one variant.

    Attributes:
        assistant_id: The assistant.
        documents: Its knowledge base: file id to name.
        model: The model that it says it runs on.
        tools: The types of its tools.
    """

    assistant_id: str
    documents: dict[str, str] = msgspec.field(default_factory=dict)
    model: str = ""
    tools: frozenset[str] = frozenset()


class Knowledge(msgspec.Struct, frozen=True):
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
    """Creates assistants with their documents, or finds those that an earlier run has kept.

    Args:
        wire: Where they are made.
        belongings: What the target has made there.
        poll_s: How long to wait between questions whether documents are indexed.
        keeping: What is kept beyond the run, and for how long.
    """

    def __init__(
        self, wire: Wire, belongings: Belongings, *, poll_s: float, keeping: Keeping = NOTHING_KEPT
    ) -> None:
        self._wire = wire
        self._belongings = belongings
        self._poll_s = poll_s
        self._keeping = keeping

    async def provision(self, variant: Variant) -> Ready:
        """Upload the documents, index them, create the assistant; or look the given assistant up."""
        if variant.assistant_id:
            body = await self._wire.call("GET", f"/assistants/{variant.assistant_id}")
            return _ready(body, await self._stored_names(body))
        kept = self._belongings.kept_variant(variant.fingerprint)
        if kept and (found := await self._kept_assistant(variant, kept)):
            return found
        knowledge = await self._made_knowledge(variant)
        made = Intent("assistant", fingerprint=variant.fingerprint)
        body = await self._belongings.create(made, _assistant_body(variant, _resources(knowledge)))
        self._keep(variant)
        return _ready(body, knowledge.documents)

    async def knowledge(self, variant: Variant) -> Knowledge:
        """Upload the variant's files and index its documents, or find what an earlier run has kept.

        Raises:
            TargetRefused: Some documents can't be read.
        """
        kept = self._belongings.kept_variant(variant.fingerprint)
        if kept and (found := await self._kept_knowledge(variant, kept)):
            return found
        knowledge = await self._made_knowledge(variant)
        self._keep(variant)
        return knowledge

    def _keep(self, variant: Variant) -> None:
        if self._keeping.assistants:
            self._belongings.keep_variant(variant.fingerprint)

    async def _kept_assistant(self, variant: Variant, kept: list[Entry]) -> Ready | None:
        """The assistant of an earlier run, if it is still as this variant wants it."""
        ids = [entry.id for entry in kept if entry.kind == "assistant" and entry.id]
        knowledge = await self._kept_knowledge(variant, kept) if ids else None
        if knowledge is None:
            return None
        try:
            body = await self._wire.call("GET", f"/assistants/{ids[0]}")
        except TargetMissing:
            body = {}
        if is_unchanged(body, _assistant_body(variant, _resources(knowledge))):
            return _ready(body, knowledge.documents)
        self._belongings.give_up(kept)
        return None

    async def _kept_knowledge(self, variant: Variant, kept: list[Entry]) -> Knowledge | None:
        """The files of an earlier run, if all of them are there and can still be searched."""
        self._belongings.use(kept)
        knowledge = _knowledge_of(kept)
        if await self._is_whole(variant, knowledge):
            return knowledge
        self._belongings.give_up(kept)
        return None

    async def _is_whole(self, variant: Variant, knowledge: Knowledge) -> bool:
        wanted = (len(variant.documents), len(variant.code_documents))
        if (len(knowledge.documents), len(knowledge.code_file_ids)) != wanted:
            return False
        try:
            for file_id in (*knowledge.documents, *knowledge.code_file_ids):
                await self._wire.call("GET", f"/files/{file_id}")
            return not knowledge.documents or await self._can_be_searched(knowledge)
        except TargetMissing:
            return False

    async def _can_be_searched(self, knowledge: Knowledge) -> bool:
        store = await self._wire.call("GET", f"/vector_stores/{knowledge.vector_store_id}")
        if store.get("status") != "completed":
            return False
        path = f"/vector_stores/{knowledge.vector_store_id}/files"
        rows = [row async for row in pages(self._wire, path, filter="completed", order="asc")]
        return {row["id"] for row in rows} == set(knowledge.documents)

    async def _made_knowledge(self, variant: Variant) -> Knowledge:
        fingerprint = variant.fingerprint
        documents = await self._upload_all(variant.documents, fingerprint, "document")
        store = None
        if documents:
            store = await self.vector_store(variant.assistant.name, documents, fingerprint=fingerprint)
        code = await self._upload_all(variant.code_documents, fingerprint, "code")
        return Knowledge(documents, store, tuple(code))

    async def _upload_all(self, paths: Sequence[Path], fingerprint: str, role: Role) -> dict[str, str]:
        uploaded: dict[str, str] = {}
        for path in paths:
            intent = Intent("file", fingerprint=fingerprint, role=role)
            uploaded[await self._belongings.upload(path, intent)] = path.name
        return uploaded

    async def upload(self, path: Path) -> str:
        """Upload a file that a user sends; its id."""
        return await self._belongings.upload(path)

    async def vector_store(
        self, name: str, documents: Mapping[str, str], *, fingerprint: str | None = None
    ) -> str:
        """Make a vector store of files, by id with their names, and wait until it can be searched.

        Raises:
            TargetRefused: Some of them can't be read.
        """
        lives = {"anchor": "last_active_at", "days": self._keeping.store_days}
        intent = Intent("vector_store", fingerprint=fingerprint)
        store = await self._belongings.create(intent, {"name": name[:256], "expires_after": lives})
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

    def take_over(self, thing: Thing) -> None:
        """Have an object deleted with the others that the API made by itself."""
        self._belongings.take_over(thing)


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


def _knowledge_of(kept: Sequence[Entry]) -> Knowledge:
    """The files of a variant as the ledger knows them."""
    files = [entry for entry in kept if entry.kind == "file" and entry.id]
    stores = [entry.id for entry in kept if entry.kind == "vector_store"]
    return Knowledge(
        {entry.id: entry.name for entry in files if entry.role == "document" and entry.id},
        stores[0] if stores else None,
        tuple(entry.id for entry in files if entry.role == "code" and entry.id),
    )


def is_unchanged(body: Json, wanted: Json) -> bool:
    """Whether an assistant is still as it was asked for; what a server adds to it does not count."""
    return bool(body) and all(_holds(body.get(key), value) for key, value in wanted.items())


def _holds(value: Any, wanted: Any) -> bool:
    """Whether a value has all that is wanted of it; objects may have more keys, null stands for nothing."""
    if isinstance(wanted, dict):
        there = value if isinstance(value, dict) else {}
        return all(_holds(there.get(key), each) for key, each in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(value, list) and len(value) == len(wanted)
        return same_length and all(_holds(*pair) for pair in zip(value, wanted, strict=True))
    return bool(value == wanted)
