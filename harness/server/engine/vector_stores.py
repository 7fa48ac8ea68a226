"""Vector stores at work: files are read, cut and indexed; searches go over several stores at once."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.clock import Clock
from harness.server.reading import Unreadable, readers
from harness.server.state import BatchRecord, FileRecord, State, StoreRecord
from harness.server.wire import VectorStoreFile

if TYPE_CHECKING:
    from harness.server.search import Chunk, Hit, Index

_REMEMBERED_DOCUMENTS = 256
_SECONDS_A_DAY = 86_400
COUNTED = ("in_progress", "completed", "failed", "cancelled")


class ChunkCache:
    """Chunks of documents by the hash of their bytes: the same knowledge base is uploaded again and again."""

    def __init__(self, size: int = _REMEMBERED_DOCUMENTS) -> None:
        self._chunks: OrderedDict[tuple[Any, ...], list[Chunk]] = OrderedDict()
        self._size = size
        self._lock = threading.Lock()

    def chunks(self, filename: str, content: bytes, strategy: dict[str, Any]) -> list[Chunk]:
        """The chunks of a document; it is read only if it is not remembered.

        Raises:
            Unreadable: The file holds no text that can be read.
        """
        sizes = strategy["static"]
        size, overlap = sizes["max_chunk_size_tokens"], sizes["chunk_overlap_tokens"]
        key = (hashlib.sha256(content).digest(), filename, size, overlap)
        with self._lock:
            known = self._chunks.get(key)
            if known is not None:
                self._chunks.move_to_end(key)
                return known
        made = _read(filename, content, size, overlap)
        with self._lock:
            self._chunks[key] = made
            while len(self._chunks) > self._size:
                self._chunks.popitem(last=False)
        return made


def _read(filename: str, content: bytes, size: int, overlap: int) -> list[Chunk]:
    from harness.server import search

    document = readers.read(filename, content)
    return list(search.chunk(document, max_chunk_size_tokens=size, chunk_overlap_tokens=overlap))


_CACHE = ChunkCache()


class VectorStores:
    """Every vector store's index, and the work of filling them.

    Args:
        state: The server's memory.
        clock: Tells when a store was last active.
        submit: Does a piece of work now or later.
    """

    def __init__(self, state: State, clock: Clock, submit: Callable[[Callable[[], None]], None]) -> None:
        self._state = state
        self._clock = clock
        self._submit = submit
        self._path = None if state.rows is None else state.rows.path
        self._indexes: dict[str, Index] = {}

    def add(
        self,
        record: StoreRecord,
        file: FileRecord,
        *,
        strategy: dict[str, Any],
        attributes: dict[str, Any],
        batch: BatchRecord | None = None,
    ) -> VectorStoreFile:
        """Put a file into a store; it is ``in_progress`` until it has been indexed."""
        with self._state.lock:
            row = VectorStoreFile(
                id=file.file.id,
                created_at=self._clock.unix(),
                vector_store_id=record.store.id,
                chunking_strategy=strategy,
                attributes=attributes,
            )
            record.files.add(row.id, row)
            if batch is not None:
                batch.files.add(row.id, row)
            self.touch(record)
        self.index_later(record, file, row)
        return row

    def index_later(self, record: StoreRecord, file: FileRecord, row: VectorStoreFile) -> None:
        """Have a file that stands in a store indexed."""
        self._submit(lambda: self._index(record, file, row))

    def _index(self, record: StoreRecord, file: FileRecord, row: VectorStoreFile) -> None:
        if row.status != "in_progress":
            return
        try:
            chunks = _CACHE.chunks(file.file.filename, file.content, row.chunking_strategy)
            self._put(record, file, row, chunks)
        except Unreadable as problem:
            self._finish(record, row, "failed", {"code": problem.code, "message": problem.message})
        except Exception as problem:  # noqa: BLE001 - one bad file must never take its batch along
            self._finish(
                record, row, "failed", {"code": "server_error", "message": f"Indexing failed: {problem}"}
            )

    def _put(self, record: StoreRecord, file: FileRecord, row: VectorStoreFile, chunks: list[Chunk]) -> None:
        from harness.server.search import IndexedFile

        indexed = IndexedFile(row.id, file.file.filename, chunks, row.attributes)
        index = self._index_of(record.store.id)
        index.add_many([indexed])
        self._finish(record, row, "completed", None, indexed.usage_bytes)
        if not self._is_found(record, row.id):  # taken out or cancelled meanwhile
            index.remove(row.id)

    def _is_found(self, record: StoreRecord, file_id: str) -> bool:
        """Whether a search may find this file, now or when it has been indexed once more."""
        with self._state.lock:
            row = record.files.get(file_id)
            return row is not None and row.status in ("in_progress", "completed")

    def _finish(
        self,
        record: StoreRecord,
        row: VectorStoreFile,
        status: str,
        problem: dict[str, str] | None,
        size: int = 0,
    ) -> None:
        with self._state.lock:
            if row.status == "in_progress":
                record.files.mark(row)
                row.status, row.last_error, row.usage_bytes = status, problem, size
            self._state.changed.notify_all()

    # An index in the state file writes with a connection of its own: never while this thread holds the
    # state's lock and has put rows in or taken some out, because then each would wait for the other.

    def _index_of(self, store_id: str) -> Index:
        with self._state.lock:
            index = self._indexes.get(store_id)
            if index is None:
                index = self._indexes[store_id] = self._opened(store_id)
            return index

    def _opened(self, store_id: str) -> Index:
        """The index of a store as an earlier server left it, less files that it was just taking out."""
        from harness.server.search import Index

        if self._path is None:
            return Index()
        index = Index(self._path, store_id)
        record = self._state.stores.get(store_id)
        for file_id in index.file_ids():
            if record is None or not self._is_found(record, file_id):
                index.remove(file_id)
        return index

    def forget_deleted(self) -> None:
        """Take out the indexes of stores that were deleted in an earlier server's last moment."""
        if self._path is None:
            return
        from harness.server.search import Index, stores

        for store_id in stores(self._path):
            if store_id not in self._state.stores:
                Index(self._path, store_id).clear()
                self._state.erased()

    def take_out(self, record: StoreRecord, file_id: str) -> None:
        """Take a file out of a store; ``unindex`` is still to follow, without the lock."""
        with self._state.lock:
            row = record.files.remove(file_id)
            if row is not None and row.status == "in_progress":
                row.status = "cancelled"

    def unindex(self, record: StoreRecord, file_id: str) -> None:
        """Take a file that has left its store out of the index, too."""
        self._index_of(record.store.id).remove(file_id)
        self._state.erased()

    def set_attributes(self, row: VectorStoreFile, attributes: dict[str, Any]) -> None:
        """Replace the attributes of a file in a store."""
        with self._state.lock:
            row.attributes = attributes
            self._index_of(row.vector_store_id).set_attributes(row.id, attributes)

    def discard(self, store_id: str) -> None:
        """Forget the index of a deleted store."""
        with self._state.lock:
            index = self._indexes.pop(store_id, None)
        self._submit(lambda: self._drop(store_id, index))

    def _drop(self, store_id: str, index: Index | None) -> None:
        from harness.server.search import Index

        if self._path is not None:
            Index(self._path, store_id).clear()
            self._state.erased()
        if index is not None:
            index.close()

    def close(self) -> None:
        """Forget every index; no process that read documents is left behind."""
        readers.close_readers()
        with self._state.lock:
            indexes = list(self._indexes.values())
            self._indexes.clear()
        for index in indexes:
            index.close()

    def content(self, store_id: str, file_id: str) -> str:
        """The text of an indexed file."""
        return self._index_of(store_id).content(file_id)

    def touch(self, record: StoreRecord) -> None:
        """The store was used: its time of expiry moves on, unless it is over."""
        if self.is_expired(record):
            return
        self._state.stores.mark(record)
        record.store.last_active_at = self._clock.unix()
        self.set_expiry(record)

    def set_expiry(self, record: StoreRecord) -> None:
        """Have the store expire as its ``expires_after`` says, counted from its last use."""
        store = record.store
        if store.expires_after is not None and store.last_active_at is not None:
            store.expires_at = store.last_active_at + store.expires_after["days"] * _SECONDS_A_DAY

    def is_expired(self, record: StoreRecord) -> bool:
        """Whether nobody used the store for as long as it was to live."""
        return record.store.expires_at is not None and record.store.expires_at <= self._clock.unix()

    def search(
        self,
        records: Sequence[StoreRecord],
        queries: Sequence[str],
        *,
        max_num_results: int,
        score_threshold: float = 0.0,
        token_budget: int | None = None,
        filters: dict[str, Any] | None = None,
        **ranking: float,
    ) -> list[Hit]:
        """The best chunks of several stores, best first; a file in two stores is found twice.

        Args:
            records: The stores.
            queries: What is asked; see ``Index.search`` for it and the rest.
            max_num_results: At most so many in all.
            score_threshold: Lower scores are left out.
            token_budget: At most so much text in all.
            filters: Condition on the files' attributes.
            ranking: ``keyword_share``, if it is not the usual one.
        """
        from harness.server.search import within_budget

        with self._state.lock:
            for record in records:
                self.touch(record)
        limits: dict[str, Any] = {
            "max_num_results": max_num_results,
            "score_threshold": score_threshold,
            "token_budget": token_budget,
            "filters": filters,
            **ranking,
        }
        found = [hit for record in records for hit in self._hits(record, queries, limits)]
        if len(records) > 1:
            found.sort(key=lambda hit: -hit.score)
            found = within_budget(found[:max_num_results], token_budget)
        return found

    def _hits(self, record: StoreRecord, queries: Sequence[str], limits: dict[str, Any]) -> list[Hit]:
        index = self._index_of(record.store.id)
        try:
            return index.search(queries, **limits)
        except sqlite3.ProgrammingError:
            if record.store.id in self._state.stores:
                raise
            return []  # the store was deleted while it was searched


def counts(rows: Sequence[VectorStoreFile]) -> dict[str, int]:
    """``file_counts`` of a store or batch."""
    made = dict.fromkeys(COUNTED, 0)
    for row in rows:
        made[row.status] += 1
    made["total"] = len(rows)
    return made
