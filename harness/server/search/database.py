"""Where indexes are kept: one SQLite file holds any number of stores, beside whatever else is in it.

All stores of one file share a connection, because a server may have thousands of them.
"""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import SettingsError
from harness.server.errors import ApiError, state_not_read, state_not_written

FORMAT = 1
IN_MEMORY = ":memory:"
_WAIT_S = 30.0
"""How long a writer waits for another process's transaction."""

_SCHEMA = """
-- The one row tells the form of the other tables.
CREATE TABLE IF NOT EXISTS search_format (version INTEGER NOT NULL);
-- One row is a vector store; its version grows with every change, so that other processes notice.
CREATE TABLE IF NOT EXISTS search_stores (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 0
);
-- One row is a file of a store.
CREATE TABLE IF NOT EXISTS search_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    store INTEGER NOT NULL REFERENCES search_stores (id),
    file_id TEXT NOT NULL,
    filename TEXT NOT NULL,
    attributes TEXT NOT NULL,   -- JSON object
    model TEXT,                 -- the one that made the vectors; NULL without vectors
    vectors BLOB,               -- one after the other, numbers of 2 bytes
    UNIQUE (store, file_id)
);
-- One row is a chunk; ids grow in the order of adding.
CREATE TABLE IF NOT EXISTS search_chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    file INTEGER NOT NULL REFERENCES search_files (id),
    place INTEGER NOT NULL,     -- 0, 1, 2 ... within the file
    page INTEGER,
    start INTEGER NOT NULL,     -- in the file's running text, characters
    tokens INTEGER NOT NULL,
    text TEXT NOT NULL,
    stems BLOB NOT NULL,        -- content stems in order, 4 bytes each
    first_vector INTEGER NOT NULL,
    after_vectors INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS search_chunks_of_file ON search_chunks (file, place);
"""


@contextmanager
def _told(answer: Callable[[str], ApiError]) -> Iterator[None]:
    """What SQLite complains of, as the answer to a call; use of what was closed stays what it is."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except sqlite3.Error as problem:
        raise answer(str(problem)) from problem


class Database:
    """A connection with its lock; closed when nobody uses it any more.

    Raises:
        SettingsError: The file's tables have another form than this version's.
    """

    def __init__(self, path: str) -> None:
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, timeout=_WAIT_S, isolation_level="IMMEDIATE", check_same_thread=False
        )
        weakref.finalize(self, self._connection.close)
        with self.lock, _told(state_not_read):
            if path != IN_MEMORY:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
                self._connection.execute("PRAGMA secure_delete = ON")
            self._prepare(path)

    def _prepare(self, path: str) -> None:
        self._connection.executescript(_SCHEMA)
        insert = "INSERT INTO search_format SELECT ? WHERE NOT EXISTS (SELECT * FROM search_format)"
        if not self.rows("SELECT version FROM search_format"):
            with self.writing() as connection:
                connection.execute(insert, (FORMAT,))
        [(version,)] = self.rows("SELECT version FROM search_format")
        if version != FORMAT:
            raise SettingsError(
                f"the vector stores in {path!r} have format {version}; this version reads format {FORMAT}",
                code="state-unusable",
                hint="use the version that wrote the file, or a new file",
            )

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        """What a query gives.

        Raises:
            ApiError: The file cannot be read.
        """
        with self.lock, _told(state_not_read):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of what happens inside is kept, or nothing.

        Raises:
            ApiError: The file cannot be written; nothing was kept.
        """
        with self.lock, _told(state_not_written), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection


_OPEN: weakref.WeakValueDictionary[str, Database] = weakref.WeakValueDictionary()
_OPENING = threading.Lock()


def opened(path: Path | str) -> Database:
    """The database of a file, shared by all who use it; one of its own for ``:memory:``."""
    if str(path) == IN_MEMORY:
        return Database(IN_MEMORY)
    name = str(Path(path).resolve())
    with _OPENING:
        database = _OPEN.get(name)
        if database is None:
            database = _OPEN[name] = Database(name)
        return database
