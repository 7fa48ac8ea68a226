"""The chunks of a vector store, searchable by words and by meaning."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.embedding import encoder
from harness.server.search import database, rank, windows
from harness.server.search.chunk import Chunk
from harness.server.search.filters import Attributes, matches

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.server.search.arrays import FileArrays, Scored, StoreArrays

# The hosted service reports each chunk's vector as 256 numbers of 4 bytes: a file of 21 bytes counts as 1045.
_VECTOR_BYTES = 1024

_GAP = "\n\n"
"""What stands for white space that no chunk holds."""
_STORE = "(SELECT id FROM search_stores WHERE name = ?)"


class IndexedFile(msgspec.Struct, frozen=True):
    """A file to be added."""

    file_id: str
    filename: str
    chunks: Sequence[Chunk]
    attributes: Attributes = msgspec.field(default_factory=dict)

    @property
    def usage_bytes(self) -> int:
        """What the hosted service would bill for: text and vectors."""
        return sum(len(chunk.text.encode()) + _VECTOR_BYTES for chunk in self.chunks)


class Hit(msgspec.Struct, frozen=True):
    """A chunk that was found.

    Attributes:
        score: 0 to 1, comparable between queries and indexes (see ``rank``): words and meaning together.
        keyword: What the words alone say, 0 to 1.
        similarity: Cosine of the query's vector and the chunk's nearest; None without an embedding.
        page: The page it starts on, where the format has pages.
        tokens: Length of the text.
        chunk: Its place in the file, from 0.
    """

    file_id: str
    filename: str
    score: float
    text: str
    page: int | None
    attributes: dict[str, str | float | bool]
    tokens: int
    chunk: int
    keyword: float = 0.0
    similarity: float | None = None


class Index:
    """The searchable chunks of one vector store; safe to use from several threads.

    Args:
        path: A SQLite file that keeps the index, maybe with other stores and tables; in memory if not given.
        store: Which of the file's vector stores this is. What was added under this name is there again.
        embedder: Gives the model that makes vectors, when first needed; None from it leaves only keywords.
    """

    def __init__(
        self,
        path: Path | str = database.IN_MEMORY,
        store: str = "",
        *,
        embedder: Callable[[], encoder.Embedder | None] = encoder.default,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._open: database.Database | None = database.opened(path)
        self._loaded: dict[int, FileArrays] = {}
        self._arrays: tuple[tuple[int, int] | None, StoreArrays] | None = None
        self._loading = threading.Lock()

    def add(
        self, file_id: str, filename: str, chunks: Sequence[Chunk], attributes: Attributes | None = None
    ) -> None:
        """Adds a file; one of the same id is replaced."""
        self.add_many([IndexedFile(file_id, filename, chunks, attributes or {})])

    def add_many(self, files: Iterable[IndexedFile]) -> None:
        """Adds many files at once: all of them or, when anything fails (or kills this process), none."""
        prepared = _prepared(list(files), self._embedder())
        with self._database.writing() as connection:
            store = self._changed(connection)
            for file in prepared:
                _remove(connection, store, file.file.file_id)
                _insert(connection, store, file)

    def remove(self, file_id: str) -> bool:
        """Takes a file out; False when it was not there."""
        with self._database.writing() as connection:
            return _remove(connection, self._changed(connection), file_id)

    def set_attributes(self, file_id: str, attributes: Attributes) -> None:
        """Replaces a file's attributes."""
        with self._database.writing() as connection:
            connection.execute(
                f"UPDATE search_files SET attributes = ? WHERE file_id = ? AND store = {_STORE}",
                (json.dumps(dict(attributes)), file_id, self._store),
            )

    def clear(self) -> None:
        """Takes everything out; nothing of the store remains in the file."""
        with self._database.writing() as connection:
            name = (self._store,)
            files = f"SELECT id FROM search_files WHERE store = {_STORE}"
            connection.execute(f"DELETE FROM search_chunks WHERE file IN ({files})", name)
            connection.execute(f"DELETE FROM search_files WHERE store = {_STORE}", name)
            connection.execute("DELETE FROM search_stores WHERE name = ?", name)

    def file_ids(self) -> list[str]:
        """The files of this store, in the order of adding."""
        query = f"SELECT file_id FROM search_files WHERE store = {_STORE} ORDER BY id"
        return [file_id for (file_id,) in self._database.rows(query, (self._store,))]

    def chunks(self, file_id: str) -> list[Chunk]:
        """The chunks of a file in order; empty when it is not there."""
        query = (
            "SELECT text, page, place, tokens, start FROM search_chunks WHERE file ="
            f" (SELECT id FROM search_files WHERE file_id = ? AND store = {_STORE}) ORDER BY place"
        )
        return [Chunk(*row) for row in self._database.rows(query, (file_id, self._store))]

    def content(self, file_id: str) -> str:
        """The text of a file, put together again from its overlapping chunks."""
        text = ""
        for chunk in self.chunks(file_id):
            known = len(text) - chunk.start if text else 0
            if known < 0:
                text = text.ljust(chunk.start - len(_GAP)) + _GAP
            text += chunk.text[max(0, known) :]
        return text

    def search(
        self,
        queries: str | Sequence[str],
        *,
        max_num_results: int = 20,
        score_threshold: float = 0.0,
        token_budget: int | None = None,
        filters: Mapping[str, Any] | None = None,
        keyword_share: float = rank.KEYWORD_SHARE,
    ) -> list[Hit]:
        """The best chunks, best first; equal ones by the names of their files, which are read in any order.

        Args:
            queries: One or several; a chunk has the best of its scores.
            max_num_results: At most so many. With threshold 0, chunks that match nothing fill up the list
                when the whole store is not larger than this (the hosted service returns those too).
            score_threshold: Lower scores are left out.
            token_budget: The list ends before the chunk that would exceed it.
            filters: Condition on the files' attributes, see ``filters.matches``.
            keyword_share: What words count in the score beside meaning, 0 to 1.

        Raises:
            ApiError: The filters are not well-formed.
        """
        asked = [queries] if isinstance(queries, str) else list(queries)
        embedder = self._embedder()
        store = self._current(embedder)
        allowed = self._allowed(store, filters)
        scored = _best_of(
            store.score(query, vector, allowed=allowed, most=max_num_results, keyword_share=keyword_share)
            for query, vector in zip(asked, _vectors_of(asked, embedder), strict=True)
        )
        kept = [place for place, found in scored.items() if found.score >= score_threshold]
        kept.sort(key=lambda place: (-scored[place].score, place))
        hits = self._hits([(int(store.chunks[place]), scored[place]) for place in kept[:max_num_results]])
        hits.sort(key=lambda hit: (-hit.score, hit.filename))
        return within_budget(hits, token_budget)

    def close(self) -> None:
        """Releases the database; the index cannot be used afterwards."""
        self._open = None
        self._arrays = None
        self._loaded = {}

    def __len__(self) -> int:
        files = f"SELECT id FROM search_files WHERE store = {_STORE}"
        query = f"SELECT count(*) FROM search_chunks WHERE file IN ({files})"
        return int(self._database.rows(query, (self._store,))[0][0])

    @property
    def _database(self) -> database.Database:
        """Where the index is kept.

        Raises:
            sqlite3.ProgrammingError: The index was closed.
        """
        if self._open is None:
            raise sqlite3.ProgrammingError("the index is closed")
        return self._open

    def _changed(self, connection: sqlite3.Connection) -> int:
        """The row of the store, made if need be, with a new version."""
        connection.execute("INSERT OR IGNORE INTO search_stores (name) VALUES (?)", (self._store,))
        connection.execute("UPDATE search_stores SET version = version + 1 WHERE name = ?", (self._store,))
        row = connection.execute("SELECT id FROM search_stores WHERE name = ?", (self._store,)).fetchone()
        return int(row[0])

    def _current(self, embedder: encoder.Embedder | None) -> StoreArrays:
        """Everything in memory, read anew as far as it has changed."""
        from harness.server.search.arrays import StoreArrays

        with self._loading:
            row = self._database.rows("SELECT id, version FROM search_stores WHERE name = ?", (self._store,))
            state = (row[0][0], row[0][1]) if row else None
            if self._arrays is None or self._arrays[0] != state:
                self._load(embedder)
                self._arrays = state, StoreArrays(self._loaded, encoder.DIMENSIONS if embedder else None)
            return self._arrays[1]

    def _load(self, embedder: encoder.Embedder | None) -> None:
        """Brings the files in memory up to those in the database."""
        query = f"SELECT id, model FROM search_files WHERE store = {_STORE} ORDER BY id"
        files = dict(self._database.rows(query, (self._store,)))
        for number, model in files.items():
            if number not in self._loaded:
                if embedder is not None and model != embedder.name:
                    self._embed_again(number, embedder)
                self._loaded[number] = self._file_arrays(number)
        self._loaded = {number: self._loaded[number] for number in files}

    def _file_arrays(self, number: int) -> FileArrays:
        from harness.server.search.arrays import FileArrays

        query = "SELECT id, stems, first_vector, after_vectors FROM search_chunks WHERE file = ? ORDER BY id"
        rows = self._database.rows(query, (number,))
        [(vectors,)] = self._database.rows("SELECT vectors FROM search_files WHERE id = ?", (number,)) or [
            (None,)
        ]
        return FileArrays(
            [row[0] for row in rows], [row[1] for row in rows], [row[2:] for row in rows], vectors
        )

    def _embed_again(self, number: int, embedder: encoder.Embedder) -> None:
        """Gives a file vectors of this model: it was added without one, or with another."""
        query = "SELECT text, page, place, tokens, start, id FROM search_chunks WHERE file = ? ORDER BY id"
        rows = self._database.rows(query, (number,))
        made = _embedded([[Chunk(*row[:5]) for row in rows]], embedder)[0]
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE search_chunks SET first_vector = ?, after_vectors = ? WHERE id = ?",
                [(*span, row[5]) for span, row in zip(made.spans, rows, strict=True)],
            )
            connection.execute(
                "UPDATE search_files SET model = ?, vectors = ? WHERE id = ?",
                (made.model, made.vectors, number),
            )

    def _allowed(self, store: StoreArrays, filters: Mapping[str, Any] | None) -> NDArray[np.bool_] | None:
        """Whether the file of each chunk passes; None when all do."""
        if filters is None:
            return None
        import numpy as np

        query = f"SELECT id, attributes FROM search_files WHERE store = {_STORE}"
        rows = self._database.rows(query, (self._store,))
        passing = [number for number, attributes in rows if matches(filters, json.loads(attributes))]
        return np.isin(store.files, passing)

    def _hits(self, found: Sequence[tuple[int, Scored]]) -> list[Hit]:
        """The chunks of these rows; one that was removed this moment is left out."""
        query = (
            "SELECT file_id, filename, text, page, attributes, tokens, place FROM search_chunks"
            " JOIN search_files ON search_files.id = search_chunks.file WHERE search_chunks.id = ?"
        )
        return [_hit(row, scored) for chunk, scored in found for row in self._database.rows(query, (chunk,))]


def stores(path: Path) -> list[str]:
    """The names of all stores that a file holds."""
    return [name for (name,) in database.opened(path).rows("SELECT name FROM search_stores ORDER BY id")]


class _Embedded(msgspec.Struct, frozen=True):
    """The vectors of a file, those of each chunk, and the model that made them."""

    spans: Sequence[windows.Span]
    model: str | None
    vectors: bytes | None


class _Prepared(msgspec.Struct, frozen=True):
    """A file with everything that takes time to make."""

    file: IndexedFile
    stems: list[bytes]
    embedded: _Embedded


def _prepared(files: Sequence[IndexedFile], embedder: encoder.Embedder | None) -> list[_Prepared]:
    from harness.server.search.arrays import codes

    embedded = _embedded([file.chunks for file in files], embedder)
    return [
        _Prepared(file, [codes(chunk.text) for chunk in file.chunks], made)
        for file, made in zip(files, embedded, strict=True)
    ]


def _embedded(files: Sequence[Sequence[Chunk]], embedder: encoder.Embedder | None) -> list[_Embedded]:
    """The vectors of several files, made together so that every core has work."""
    if embedder is None:
        return [_Embedded([(0, 0)] * len(chunks), None, None) for chunks in files]
    import numpy as np

    cut = [windows.windows(chunks, embedder.windows) for chunks in files]
    rows = iter(embedder.embed_windows([window for found, _ in cut for window in found]).astype(np.float16))
    return [
        _Embedded(spans, embedder.name, b"".join(next(rows).tobytes() for _ in found)) for found, spans in cut
    ]


def _insert(connection: sqlite3.Connection, store: int, prepared: _Prepared) -> None:
    file, made = prepared.file, prepared.embedded
    number = connection.execute(
        "INSERT INTO search_files (store, file_id, filename, attributes, model, vectors)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (store, file.file_id, file.filename, json.dumps(dict(file.attributes)), made.model, made.vectors),
    ).lastrowid
    connection.executemany(
        "INSERT INTO search_chunks"
        " (file, place, page, start, tokens, text, stems, first_vector, after_vectors)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (number, chunk.index, chunk.page, chunk.start, chunk.tokens, chunk.text, stems, *span)
            for chunk, stems, span in zip(file.chunks, prepared.stems, made.spans, strict=True)
        ],
    )


def _remove(connection: sqlite3.Connection, store: int, file_id: str) -> bool:
    query = "SELECT id FROM search_files WHERE store = ? AND file_id = ?"
    row = connection.execute(query, (store, file_id)).fetchone()
    if row is None:
        return False
    connection.execute("DELETE FROM search_chunks WHERE file = ?", row)
    connection.execute("DELETE FROM search_files WHERE id = ?", row)
    return True


def _vectors_of(
    queries: Sequence[str], embedder: encoder.Embedder | None
) -> Sequence[NDArray[np.float32] | None]:
    return [None] * len(queries) if embedder is None else list(embedder.embed(queries))


def _best_of(found: Iterable[Mapping[int, Scored]]) -> dict[int, Scored]:
    best: dict[int, Scored] = {}
    for scores in found:
        for place, scored in scores.items():
            if place not in best or scored.score > best[place].score:
                best[place] = scored
    return best


def _hit(row: Sequence[Any], scored: Scored) -> Hit:
    file_id, filename, text, page, attributes, tokens, place = row
    return Hit(
        file_id=file_id,
        filename=filename,
        score=scored.score,
        text=text,
        page=page,
        attributes=json.loads(attributes),
        tokens=tokens,
        chunk=place,
        keyword=scored.keyword,
        similarity=scored.similarity,
    )


def within_budget(hits: Sequence[Hit], token_budget: int | None) -> list[Hit]:
    """The first hits, up to the one that would make their text longer than that; all without a budget."""
    if token_budget is None:
        return list(hits)
    read = itertools.accumulate(hit.tokens for hit in hits)
    return [hit for hit, total in zip(hits, read, strict=True) if total <= token_budget]
