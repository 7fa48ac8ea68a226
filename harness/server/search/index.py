"""The chunks of a vector store, searchable: SQLite's full-text index finds, ``rank`` scores."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import text as words_and_sentences
from harness.server.search import rank
from harness.server.search.chunk import Chunk
from harness.server.search.filters import Attributes, matches

# The hosted service reports each chunk's vector as 256 numbers of 4 bytes: a file of 21 bytes counts as 1045.
_VECTOR_BYTES = 1024
_CANDIDATES = 60
"""Chunks that the full-text index proposes for scoring, at least."""
_LARGE_STORE = 1000
_COMMON_SHARE = 0.2

_SCHEMA = """
-- One row is a file of the store.
CREATE TABLE IF NOT EXISTS files (
    id INTEGER PRIMARY KEY,
    file_id TEXT NOT NULL UNIQUE,
    filename TEXT NOT NULL,
    attributes TEXT NOT NULL,   -- JSON object
    usage_bytes INTEGER NOT NULL
);
-- One row is a chunk; ids grow in the order of adding, which also breaks ties between equal scores.
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file INTEGER NOT NULL REFERENCES files (id),
    place INTEGER NOT NULL,     -- 0, 1, 2 ... within the file
    page INTEGER,
    start INTEGER NOT NULL,     -- in the file's running text, characters
    tokens INTEGER NOT NULL,
    length INTEGER NOT NULL,    -- number of stems
    text TEXT NOT NULL,
    stems TEXT NOT NULL         -- content stems in order, in the form of _terms()
);
CREATE INDEX IF NOT EXISTS chunks_of_file ON chunks (file, place);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    stems, content = 'chunks', content_rowid = 'id', tokenize = "unicode61 remove_diacritics 0 tokenchars '_'"
);
CREATE VIRTUAL TABLE IF NOT EXISTS frequencies USING fts5vocab (words, 'row');
"""


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file to be added."""

    file_id: str
    filename: str
    chunks: Sequence[Chunk]
    attributes: Attributes = field(default_factory=dict)

    @property
    def usage_bytes(self) -> int:
        """What the hosted service would bill for: text and vectors."""
        return sum(len(chunk.text.encode()) + _VECTOR_BYTES for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found.

    Attributes:
        score: 0 to 1, comparable between queries and indexes (see ``rank``).
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


class Index:
    """The searchable chunks of one vector store; safe to use from several threads.

    Args:
        path: A SQLite file that keeps the index; in memory when not given.
    """

    def __init__(self, path: Path | str = ":memory:") -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(str(path), check_same_thread=False)
        # An index that is only forgotten must not keep its database open.
        weakref.finalize(self, self._database.close)
        with self._lock, self._database:
            self._database.executescript(_SCHEMA)

    def add(
        self, file_id: str, filename: str, chunks: Sequence[Chunk], attributes: Attributes | None = None
    ) -> None:
        """Adds a file; one of the same id is replaced."""
        self.add_many([IndexedFile(file_id, filename, chunks, attributes or {})])

    def add_many(self, files: Iterable[IndexedFile]) -> None:
        """Adds many files at once: all of them or, when anything fails, none."""
        # Stemming is the slow part and needs no lock.
        stemmed = [(file, [_terms(chunk.text) for chunk in file.chunks]) for file in files]
        with self._lock, self._database:
            for file, terms in stemmed:
                self._remove(file.file_id)
                self._insert(file, terms)

    def remove(self, file_id: str) -> bool:
        """Takes a file out; False when it was not there."""
        with self._lock, self._database:
            return self._remove(file_id)

    def set_attributes(self, file_id: str, attributes: Attributes) -> None:
        """Replaces a file's attributes."""
        with self._lock, self._database:
            self._database.execute(
                "UPDATE files SET attributes = ? WHERE file_id = ?", (json.dumps(dict(attributes)), file_id)
            )

    def chunks(self, file_id: str) -> list[Chunk]:
        """The chunks of a file in order; empty when it is not there."""
        query = (
            "SELECT text, page, place, tokens, start FROM chunks"
            " WHERE file = (SELECT id FROM files WHERE file_id = ?) ORDER BY place"
        )
        with self._lock:
            return [Chunk(*row) for row in self._database.execute(query, (file_id,))]

    def content(self, file_id: str) -> str:
        """The text of a file, put together again from its overlapping chunks."""
        text = ""
        for chunk in self.chunks(file_id):
            known = max(0, len(text) - chunk.start) if text else 0
            gap = "\n\n" if text and chunk.start > len(text) else ""
            text = (
                text.ljust(chunk.start - len(gap)) + gap + chunk.text[known:]
                if gap
                else text + chunk.text[known:]
            )
        return text

    def search(
        self,
        queries: str | Sequence[str],
        *,
        max_num_results: int = 20,
        score_threshold: float = 0.0,
        token_budget: int | None = None,
        filters: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """The best chunks, best first; of equal ones, the one added first.

        Args:
            queries: One or several; a chunk has the best of its scores.
            max_num_results: At most so many. With threshold 0, chunks that match nothing fill up the list
                when the whole store is not larger than this (the hosted service returns those too).
            score_threshold: Lower scores are left out.
            token_budget: The list ends before the chunk that would exceed it.
            filters: Condition on the files' attributes, see ``filters.matches``.

        Raises:
            ApiError: The filters are not well-formed.
        """
        asked = [queries] if isinstance(queries, str) else list(queries)
        with self._lock:
            files = self._passing_files(filters)
            scores = self._scores(asked, files, max(_CANDIDATES, 3 * max_num_results))
            if score_threshold <= 0:
                self._fill_up(scores, files, max_num_results)
            ordered = sorted(scores, key=lambda chunk: (-scores[chunk], chunk))
            kept = [chunk for chunk in ordered if scores[chunk] >= score_threshold][:max_num_results]
            hits = [self._hit(chunk, scores[chunk]) for chunk in kept]
        return hits if token_budget is None else _within(hits, token_budget)

    def close(self) -> None:
        """Releases the database; the index cannot be used afterwards."""
        with self._lock:
            self._database.close()

    def __len__(self) -> int:
        with self._lock:
            return int(self._database.execute("SELECT count(*) FROM chunks").fetchone()[0])

    def _insert(self, file: IndexedFile, terms: Sequence[list[str]]) -> None:
        row = (file.file_id, file.filename, json.dumps(dict(file.attributes)), file.usage_bytes)
        number = self._database.execute(
            "INSERT INTO files (file_id, filename, attributes, usage_bytes) VALUES (?, ?, ?, ?)", row
        ).lastrowid
        self._database.executemany(
            "INSERT INTO chunks (file, place, page, start, tokens, length, text, stems)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    number,
                    chunk.index,
                    chunk.page,
                    chunk.start,
                    chunk.tokens,
                    len(stems),
                    chunk.text,
                    " ".join(stems),
                )
                for chunk, stems in zip(file.chunks, terms, strict=True)
            ],
        )
        self._database.execute(
            "INSERT INTO words (rowid, stems) SELECT id, stems FROM chunks WHERE file = ?", (number,)
        )

    def _remove(self, file_id: str) -> bool:
        row = self._database.execute("SELECT id FROM files WHERE file_id = ?", (file_id,)).fetchone()
        if row is None:
            return False
        # The full-text index keeps no texts of its own: it must be told what it forgets.
        self._database.execute(
            "INSERT INTO words (words, rowid, stems) SELECT 'delete', id, stems FROM chunks WHERE file = ?",
            row,
        )
        self._database.execute("DELETE FROM chunks WHERE file = ?", row)
        self._database.execute("DELETE FROM files WHERE id = ?", row)
        return True

    def _passing_files(self, filters: Mapping[str, Any] | None) -> set[int] | None:
        """Rows of the files that pass; None when all do."""
        if filters is None:
            return None
        rows = self._database.execute("SELECT id, attributes FROM files")
        return {number for number, attributes in rows if matches(filters, json.loads(attributes))}

    def _scores(self, queries: Iterable[str], files: set[int] | None, most: int) -> dict[int, float]:
        total, average = self._database.execute("SELECT count(*), avg(length) FROM chunks").fetchone()
        scores: dict[int, float] = {}
        for query in queries:
            counts = self._chunk_counts(query)
            weights = {term: rank.query_weight(term, total, count) for term, count in counts.items()}
            for chunk, stems in self._candidates(counts, total, files, most):
                found = rank.score(weights, stems.split(" "), average)
                scores[chunk] = max(found, scores.get(chunk, 0.0))
        return scores

    def _chunk_counts(self, query: str) -> dict[str, int]:
        """The terms of a query and how many chunks hold each."""
        counts: dict[str, int] = {}
        for term in _terms(query):
            row = self._database.execute("SELECT doc FROM frequencies WHERE term = ?", (term,)).fetchone()
            counts[term] = row[0] if row else 0
        return counts

    def _candidates(
        self, counts: Mapping[str, int], total: int, files: set[int] | None, most: int
    ) -> Sequence[tuple[int, str]]:
        """The likeliest chunks; in a large store first by the words that not every other chunk holds."""
        present = [term for term, count in counts.items() if count]
        rare = [term for term in present if counts[term] <= _COMMON_SHARE * total]
        if total >= _LARGE_STORE and 0 < len(rare) < len(present):
            found = self._matching(rare, files, most)
            if len(found) == most:
                return found
        return self._matching(present, files, most) if present else ()

    def _matching(self, terms: Sequence[str], files: set[int] | None, most: int) -> Sequence[tuple[int, str]]:
        match = " OR ".join(f'"{term}"' for term in terms)
        only = "" if files is None else f"AND rowid IN (SELECT id FROM chunks WHERE file IN ({_list(files)}))"
        # The best are chosen before their texts are read.
        return self._database.execute(
            "SELECT chunks.id, chunks.stems FROM chunks JOIN (SELECT rowid FROM words"
            f" WHERE words MATCH ? {only} ORDER BY bm25(words), rowid LIMIT ?) AS best"
            " ON chunks.id = best.rowid",
            (match, most),
        ).fetchall()

    def _fill_up(self, scores: dict[int, float], files: set[int] | None, most: int) -> None:
        rows = self._database.execute(
            "SELECT id, file FROM chunks ORDER BY id LIMIT ?", (most + 1,)
        ).fetchall()
        if len(rows) <= most:
            for chunk, file in rows:
                if files is None or file in files:
                    scores.setdefault(chunk, 0.0)

    def _hit(self, chunk: int, score: float) -> Hit:
        file_id, filename, text, page, attributes, tokens, place = self._database.execute(
            "SELECT file_id, filename, text, page, attributes, tokens, place FROM chunks"
            " JOIN files ON files.id = chunks.file WHERE chunks.id = ?",
            (chunk,),
        ).fetchone()
        return Hit(file_id, filename, score, text, page, json.loads(attributes), tokens, place)


def _list(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def _within(hits: Sequence[Hit], token_budget: int) -> list[Hit]:
    kept: list[Hit] = []
    for hit in hits:
        token_budget -= hit.tokens
        if token_budget < 0:
            break
        kept.append(hit)
    return kept


def _terms(text: str) -> list[str]:
    """Content stems as single words of the full-text index: letters, digits and ``_`` only."""
    terms = (
        "".join(c if c.isalnum() else "_" for c in stem) for stem in words_and_sentences.content_stems(text)
    )
    return [term for term in terms if term.strip("_")]
