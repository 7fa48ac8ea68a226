"""The state file: rows of many kinds in one SQLite database, saved whenever their lock is let go.

A row is one object of the server (an assistant, a message, a run ...). Rows stand in lists; a list belongs
to a row (the messages of a thread) or to the server itself. One row may stand in several lists, and is
gone with the last of them. ``StoredTable`` is such a list.

Whoever reads a row under the lock is given the one object that stands for it, and may change it in place:
when the outermost holder lets the lock go, every row that was handed out or marked is compared with what
was saved, and all that changed is committed at once. So nothing is answered before it is safe from a kill
of the process, and nothing is ever half there. (A failure of power may cost the latest commits, never the
file: SQLite's write-ahead log with ``synchronous = NORMAL``.)
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec

from harness.errors import SettingsError
from harness.server.errors import bad_request, state_not_read, state_not_written
from harness.server.table import REMEMBERED_DELETIONS, Content, Table
from harness.server.wire import PageQuery

Row = TypeVar("Row")

RECENT_ROWS = 2_000
"""So many rows stay in memory after their last use; others are read again when they are needed."""
TIDY_S = 5.0
"""So long after something was deleted, what the write-ahead log still has of it is gone, too."""
_WAIT_S = 30.0
"""How long a write waits for another connection's: indexing writes to the same file."""
_APPLICATION_ID = 0x6861726E  # "harn"
_VERSION = 1
_SERVER = 0
"""The owner of the lists that belong to no row."""

_SCHEMA = """
-- One row is an object of the server, as JSON.
CREATE TABLE IF NOT EXISTS server_rows (
    serial INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    busy INTEGER NOT NULL,      -- 1 while it is being worked on
    data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS server_busy_rows ON server_rows (serial) WHERE busy;
-- One row is a place in a list: the list's owner and name, and which object stands there.
CREATE TABLE IF NOT EXISTS server_places (
    owner INTEGER NOT NULL,     -- serial of a row; 0 for the server's own lists
    part TEXT NOT NULL,
    place INTEGER NOT NULL,     -- grows in the order of adding
    id TEXT NOT NULL,
    row INTEGER NOT NULL,
    PRIMARY KEY (owner, part, place)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS server_places_by_id ON server_places (id, part, owner);
CREATE INDEX IF NOT EXISTS server_places_of_row ON server_places (row);
-- One row is the bytes of a file.
CREATE TABLE IF NOT EXISTS server_contents (
    serial INTEGER PRIMARY KEY, -- of the row they belong to
    bytes BLOB NOT NULL
);
"""


class SavingLock:
    """A re-entrant lock whose outermost holder saves what was changed before letting it go.

    It can carry a ``threading.Condition``: who waits there lets the lock go, and so saves, too.
    """

    def __init__(self, save: Callable[[], None]) -> None:
        self._lock = threading.RLock()
        self._save = save
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock; false when it could not be had in time."""
        taken = self._lock.acquire(blocking, timeout)
        self._depth += taken
        return taken

    def release(self) -> None:
        """Let the lock go once."""
        try:
            if self._depth == 1:
                self._save()
        finally:
            self._depth -= 1
            self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exception: object) -> None:
        self.release()

    # What threading.Condition asks of its lock, beside acquire and release.

    def _is_owned(self) -> bool:
        return self._lock._is_owned()  # type: ignore[attr-defined, no-any-return]

    def _release_save(self) -> int:
        depth = self._depth
        self._save()  # what fails here is told to the holder, who has the lock still
        for _ in range(depth):
            self._depth -= 1
            self._lock.release()
        return depth

    def _acquire_restore(self, depth: int) -> None:
        for _ in range(depth):
            self.acquire()


class _Reference(weakref.ref[Any]):
    """A row in memory: its serial, and a digest of how it was last saved."""

    __slots__ = ("digest", "identity", "serial")

    serial: int
    digest: int
    identity: int


class _Codec:
    """How rows of one kind are written and read; their lists and bytes are kept apart."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.tables: tuple[str, ...] = ()
        self.contents: tuple[str, ...] = ()
        self._plain: tuple[str, ...] = ()
        self._form: type | None = None
        if is_dataclass(kind):
            self._look_at_fields(kind)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self._form or kind)

    def _look_at_fields(self, kind: type) -> None:
        hints = get_type_hints(kind)
        lasting: list[Field[Any]] = [each for each in fields(kind) if not each.metadata.get("passing")]
        self.tables = tuple(each.name for each in lasting if get_origin(hints[each.name]) is Table)
        self.contents = tuple(each.name for each in lasting if hints[each.name] is Content)
        plain = [each for each in lasting if each.name not in (*self.tables, *self.contents)]
        self._plain = tuple(each.name for each in plain)
        self._form = msgspec.defstruct(kind.__name__, [_form_field(each, hints) for each in plain])

    def write(self, row: Any) -> bytes:
        if self._form is None:
            return msgspec.json.encode(row)
        return msgspec.json.encode({name: getattr(row, name) for name in self._plain})

    def read(self, data: bytes, parts: dict[str, Any]) -> Any:
        """The row again; ``parts`` are its lists and bytes."""
        held = self._decoder.decode(data)
        if self._form is None:
            return held
        return self.kind(**{name: getattr(held, name) for name in self._plain}, **parts)

    def restore(self, row: Any, data: bytes) -> None:
        """Undo what was changed of a row since it was written; its lists and bytes have stayed."""
        held = self._decoder.decode(data)
        for name in self._plain or self.kind.__struct_fields__:  # type: ignore[attr-defined]
            setattr(row, name, getattr(held, name))


def _form_field(each: Field[Any], hints: dict[str, Any]) -> tuple[str, Any] | tuple[str, Any, Any]:
    """A field of the written form; one that has a default may be missing in older files."""
    if each.default_factory is not MISSING:
        return each.name, hints[each.name], msgspec.field(default_factory=each.default_factory)
    if each.default is not MISSING:
        return each.name, hints[each.name], each.default
    return each.name, hints[each.name]


class StoredContent(Content):
    """Bytes that lie in the state file."""

    def __init__(self, rows: Rows, serial: int) -> None:
        self._rows = rows
        self._serial = serial

    def read(self) -> bytes:
        """The bytes; empty once their row is gone."""
        return self._rows.read_content(self._serial)


class Rows:
    """A state file that is open; one server uses it at a time.

    Args:
        path: The file; it is made if there is none.
        kinds: The types of rows.
        is_busy: Whether a row is still being worked on.

    Raises:
        SettingsError: The file cannot be used; the message says why.
    """

    def __init__(self, path: Path, kinds: Sequence[type], is_busy: Callable[[Any], bool]) -> None:
        path = path.resolve()  # two names of one file are one file
        self.path = path
        self.lock = SavingLock(self._save)
        self._codecs = {kind.__name__: _Codec(kind) for kind in kinds}
        self._is_busy = is_busy
        self._claim = _claim(path)
        try:
            self._database = _open(path)
            self._next = _first_free(path, self._database)
        except BaseException:
            os.close(self._claim)
            raise
        self._closed = False
        self._failed = False
        self._tidying: threading.Timer | None = None
        self._by_serial: dict[int, _Reference] = {}
        self._by_identity: dict[int, _Reference] = {}
        self._recent: OrderedDict[int, Any] = OrderedDict()
        self._touched: dict[int, Any] = {}
        self._dropped: list[tuple[_Reference, Any]] = []
        self._gone: OrderedDict[tuple[int, str, str], int] = OrderedDict()

    def table(self, name: str) -> Table[Any]:
        """One of the server's own lists."""
        return StoredTable(self, _SERVER, name)

    def close(self) -> None:
        """Close the file; nothing of it can be used afterwards."""
        with self.lock:
            if not self._closed:
                self._save()
                self._closed = True
                self._database.close()
                os.close(self._claim)
            tidying, self._tidying = self._tidying, None
        if tidying is not None:
            tidying.cancel()
            tidying.join()

    # deletions

    def erased(self) -> None:
        """Something was deleted: have the write-ahead log, where it still stands, emptied soon."""
        with self.lock:
            if self._tidying is None and not self._closed:
                self._tidying = threading.Timer(TIDY_S, self._tidy)
                self._tidying.daemon = True
                self._tidying.start()

    def _tidy(self) -> None:
        with self.lock:
            self._tidying = None
        if not empty_log(self.path):
            self.erased()

    # rows

    def busy(self) -> list[Any]:
        """The rows that are being worked on, in the order in which they were made."""
        with self.lock:
            found = self.query("SELECT serial FROM server_rows WHERE busy ORDER BY serial", ())
            return [self.load(serial) for (serial,) in found]

    def find(self, parts: Sequence[str], identifier: str) -> Any | None:
        """The row of this id that was added last to any list of these names."""
        marks = ",".join("?" * len(parts))
        query = (
            f"SELECT row FROM server_places WHERE id = ? AND part IN ({marks}) ORDER BY place DESC LIMIT 1"
        )
        with self.lock:
            found = self.query(query, (identifier, *parts))
            return self.load(found[0][0]) if found else None

    def load(self, serial: int) -> Any:
        """The object of a row, which may be changed until the lock is let go.

        Raises:
            ApiError: The file cannot be read.
        """
        row = self._in_memory(serial)
        if row is None:
            found = self.query("SELECT kind, data FROM server_rows WHERE serial = ?", (serial,))
            if not found:
                raise state_not_read(f"the row {serial} is missing")
            row = self.revive(serial, *found[0])
        self._use(serial, row)
        return row

    def _use(self, serial: int, row: Any) -> None:
        """A row is in someone's hands, who may change it."""
        self._touched[serial] = row
        self._recent[serial] = row
        self._recent.move_to_end(serial)
        if len(self._recent) > RECENT_ROWS:
            self._recent.popitem(last=False)

    def revive(self, serial: int, kind: str, data: bytes) -> Any:
        """The object of a row: the one in memory, or a new one made of its data."""
        row = self._in_memory(serial)
        if row is not None:
            return row
        codec = self._codecs.get(kind)
        if codec is None:
            raise state_not_read(f"the row {serial} is of an unknown kind {kind!r}")
        parts: dict[str, Any] = {name: StoredTable(self, serial, name) for name in codec.tables}
        parts |= {name: StoredContent(self, serial) for name in codec.contents}
        try:
            row = codec.read(data, parts)
        except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
            raise state_not_read(f"the row {serial} is damaged, {problem}") from problem
        self._refer(serial, row, data)
        return row

    def _in_memory(self, serial: int) -> Any | None:
        reference = self._by_serial.get(serial)
        return None if reference is None else reference()

    def _refer(self, serial: int, row: Any, data: bytes) -> None:
        reference = _Reference(row, self._forget)
        reference.serial, reference.digest, reference.identity = serial, hash(data), id(row)
        self._by_serial[serial] = self._by_identity[id(row)] = reference

    def _forget(self, reference: weakref.ref[Any]) -> None:
        """A row that nobody holds any more."""
        assert isinstance(reference, _Reference)
        if self._by_serial.get(reference.serial) is reference:
            del self._by_serial[reference.serial]
        if self._by_identity.get(reference.identity) is reference:
            del self._by_identity[reference.identity]

    def mark(self, row: Any) -> None:
        """Have a row compared when the lock is let go; one that is not in the file is left alone."""
        reference = self._by_identity.get(id(row))
        if reference is not None:
            self._touched[reference.serial] = row

    def read_content(self, serial: int) -> bytes:
        """The bytes of a row; empty once it is gone."""
        with self.lock:
            found = self.query("SELECT bytes FROM server_contents WHERE serial = ?", (serial,))
        return bytes(found[0][0]) if found else b""

    # changes

    def insert(self, owner: int, part: str, identifier: str, row: Any) -> None:
        """Put a row at the end of a list; lists of rows that are gone take nothing more."""
        if owner != _SERVER and not self._exists(owner):
            return
        reference = self._by_identity.get(id(row))
        serial = self._adopt(row) if reference is None else reference.serial
        self._gone.pop((owner, part, identifier), None)
        replaced = self._standing(owner, part, identifier)
        for place, _ in replaced:
            self._vacate(owner, part, place)
        self._write(
            "INSERT INTO server_places (owner, part, place, id, row) VALUES (?, ?, ?, ?, ?)",
            (owner, part, self._number(), identifier, serial),
        )
        for _, before in replaced:
            self._drop(before)

    def _standing(self, owner: int, part: str, identifier: str) -> list[tuple[Any, ...]]:
        """Place and serial of what stands in a list under this id: one or none."""
        query = "SELECT place, row FROM server_places WHERE owner = ? AND part = ? AND id = ?"
        return self.query(query, (owner, part, identifier))

    def _vacate(self, owner: int, part: str, place: int) -> None:
        self._write(
            "DELETE FROM server_places WHERE owner = ? AND part = ? AND place = ?", (owner, part, place)
        )

    def _exists(self, serial: int) -> bool:
        return bool(self.query("SELECT 1 FROM server_rows WHERE serial = ?", (serial,)))

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    def _adopt(self, row: Any) -> int:
        """Write a new row with all that belongs to it; its lists and bytes lie in the file from now on."""
        serial = self._number()
        codec = self._codecs[type(row).__name__]
        data = codec.write(row)
        self._write(
            "INSERT INTO server_rows (serial, kind, busy, data) VALUES (?, ?, ?, ?)",
            (serial, type(row).__name__, self._is_busy(row), data),
        )
        self._refer(serial, row, data)
        self._use(serial, row)
        for name in codec.tables:
            held, stored = getattr(row, name), StoredTable[Any](self, serial, name)
            setattr(row, name, stored)
            for identifier, each in held.items():
                stored.add(identifier, each)
        for name in codec.contents:
            self._write(
                "INSERT INTO server_contents (serial, bytes) VALUES (?, ?)",
                (serial, getattr(row, name).read()),
            )
            setattr(row, name, StoredContent(self, serial))
        return serial

    def take_out(self, owner: int, part: str, identifier: str) -> Any | None:
        """Take a row out of a list, and out of the file if it stands in no other; None when not there."""
        found = self._standing(owner, part, identifier)
        if not found:
            return None
        [(place, serial)] = found
        row = self.load(serial)
        self._vacate(owner, part, place)
        self._gone[owner, part, identifier] = place
        if len(self._gone) > REMEMBERED_DELETIONS:
            self._gone.popitem(last=False)
        self._drop(serial)
        return row

    def _drop(self, serial: int) -> None:
        """Delete a row that stands in no list any more, with all that belongs to it."""
        if self.query("SELECT 1 FROM server_places WHERE row = ? LIMIT 1", (serial,)):
            return
        owned = self.query("SELECT row FROM server_places WHERE owner = ?", (serial,))
        self._write("DELETE FROM server_places WHERE owner = ?", (serial,))
        for (each,) in owned:
            self._drop(each)
        self._write("DELETE FROM server_rows WHERE serial = ?", (serial,))
        self._write("DELETE FROM server_contents WHERE serial = ?", (serial,))
        self.erased()
        self._touched.pop(serial, None)
        self._recent.pop(serial, None)
        reference = self._by_serial.get(serial)
        row = None if reference is None else reference()
        if reference is not None and row is not None:
            self._dropped.append((reference, row))
            self._forget(reference)

    def place_gone(self, owner: int, part: str, identifier: str) -> int | None:
        """Where a row stood that was taken out lately."""
        return self._gone.get((owner, part, identifier))

    def query(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Read from the file.

        Raises:
            ApiError: It cannot be read: it is damaged, or the disk is.
        """
        try:
            return self._database.execute(sql, values).fetchall()
        except sqlite3.ProgrammingError:
            raise  # it was closed
        except sqlite3.Error as problem:
            raise state_not_read(str(problem)) from problem

    # saving

    def _write(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Change the file, for now only until the lock is let go.

        Raises:
            ApiError: The file cannot be written; nothing that was changed under this lock will be kept.
        """
        try:
            if not self._database.in_transaction:
                self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(sql, values)
        except sqlite3.Error as problem:
            self._failed = True
            raise state_not_written(str(problem)) from problem

    def _save(self) -> None:
        """Commit every change since the last time.

        Raises:
            ApiError: The file cannot be written; what was changed since the last commit is undone.
        """
        if self._closed:
            return
        try:
            if not self._failed:
                self._write_changes()
                self._commit()
        finally:
            if self._failed:
                self._undo()
            self._touched.clear()
            self._dropped.clear()

    def _commit(self) -> None:
        try:
            if self._database.in_transaction:
                self._database.execute("COMMIT")
        except sqlite3.Error as problem:
            self._failed = True
            raise state_not_written(str(problem)) from problem

    def _write_changes(self) -> None:
        for serial, row in self._touched.items():
            reference = self._by_serial.get(serial)
            if reference is None:
                continue
            data = self._codecs[type(row).__name__].write(row)
            if hash(data) == reference.digest:
                continue
            self._write(
                "UPDATE server_rows SET busy = ?, data = ? WHERE serial = ?",
                (self._is_busy(row), data, serial),
            )
            reference.digest = hash(data)

    def _undo(self) -> None:
        """Go back to the last commit: every object is again what it was, for whoever holds it."""
        self._failed = False
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
        for reference, row in self._dropped:
            self._by_serial[reference.serial] = self._by_identity[reference.identity] = reference
            self._touched[reference.serial] = row
        for serial, row in self._touched.items():
            self._restore(serial, row)

    def _restore(self, serial: int, row: Any) -> None:
        """Give a row what the file has of it; one that is not there was new and is no row any more."""
        reference = self._by_serial.get(serial)
        found = self.query("SELECT data FROM server_rows WHERE serial = ?", (serial,))
        if reference is not None and found:
            reference.digest = hash(found[0][0])
            self._codecs[type(row).__name__].restore(row, found[0][0])
        elif reference is not None:
            self._recent.pop(serial, None)
            self._forget(reference)


class StoredTable(Table[Row]):
    """A list in a state file."""

    def __init__(self, rows: Rows, owner: int, part: str) -> None:
        self._file = rows
        self._owner = owner
        self._part = part

    def add(self, identifier: str, row: Row) -> Row:
        """Append a row; an id that is there already moves to the end."""
        with self._file.lock:
            self._file.insert(self._owner, self._part, identifier, row)
        return row

    def get(self, identifier: str) -> Row | None:
        """The row of this id, which may be changed; None when there is none."""
        with self._file.lock:
            found = self._query("row", "AND id = ?", identifier)
            return self._file.load(found[0][0]) if found else None

    def remove(self, identifier: str) -> Row | None:
        """Take a row out."""
        with self._file.lock:
            return self._file.take_out(self._owner, self._part, identifier)

    def mark(self, row: Row) -> None:
        """Say that a row of this table, come by otherwise than with ``get``, is being changed."""
        with self._file.lock:
            self._file.mark(row)

    def items(self) -> list[tuple[str, Row]]:
        """Every id with its row, in order."""
        with self._file.lock:
            found = self._file.query(
                "SELECT id, serial, kind, data FROM server_places JOIN server_rows ON serial = row"
                " WHERE owner = ? AND part = ? ORDER BY place",
                (self._owner, self._part),
            )
            return [(each[0], self._file.revive(*each[1:])) for each in found]

    def __iter__(self) -> Iterator[Row]:
        """The rows, to be read; whoever changes one of them marks it."""
        return iter([row for _, row in self.items()])

    def __len__(self) -> int:
        with self._file.lock:
            return int(self._query("count(*)")[0][0])

    def __contains__(self, identifier: object) -> bool:
        with self._file.lock:
            return bool(self._query("1", "AND id = ?", identifier))

    def last(self) -> Row | None:
        """The row that was added last, which may be changed."""
        with self._file.lock:
            found = self._query("row", "ORDER BY place DESC LIMIT 1")
            return self._file.load(found[0][0]) if found else None

    def page(self, query: PageQuery, keep: Callable[[Row], bool] | None = None) -> tuple[list[Row], bool]:
        """The rows of one page, and whether more follow (or, paging backwards, come before).

        Raises:
            ApiError: ``after`` or ``before`` is no id of this list.
        """
        backwards = query.before is not None and query.after is None
        with self._file.lock:
            found = self._walk(query, descending=query.descending != backwards)
            rows: list[Row] = []
            for row in found:
                if keep is None or keep(row):
                    rows.append(row)
                if len(rows) > query.limit:
                    break
        kept = rows[: query.limit]
        return kept[::-1] if backwards else kept, len(rows) > query.limit

    def _walk(self, query: PageQuery, *, descending: bool) -> Iterator[Row]:
        """The rows between the cursors, read from the file a page at a time."""
        older, newer = (query.before, query.after) if query.descending else (query.after, query.before)
        older_name, newer_name = ("before", "after") if query.descending else ("after", "before")
        low = -1 if older is None else self._place(older, older_name)
        high = sys.maxsize if newer is None else self._place(newer, newer_name)
        order = "DESC" if descending else "ASC"
        while True:
            found = self._file.query(
                "SELECT place, serial, kind, data FROM server_places JOIN server_rows ON serial = row"
                " WHERE owner = ? AND part = ? AND place > ? AND place < ?"
                f" ORDER BY place {order} LIMIT ?",
                (self._owner, self._part, low, high, query.limit + 1),
            )
            yield from (self._file.revive(*each[1:]) for each in found)
            if len(found) <= query.limit:
                return
            low, high = (low, found[-1][0]) if descending else (found[-1][0], high)

    def _place(self, identifier: str, param: str) -> int:
        found = self._query("place", "AND id = ?", identifier)
        place = found[0][0] if found else self._file.place_gone(self._owner, self._part, identifier)
        if place is None:
            raise bad_request(f"No object found with id '{identifier}' in this list.", param)
        return int(place)

    def _query(self, what: str, condition: str = "", *values: object) -> list[tuple[Any, ...]]:
        sql = f"SELECT {what} FROM server_places WHERE owner = ? AND part = ? {condition}"
        return self._file.query(sql, (self._owner, self._part, *values))


def _claim(path: Path) -> int:
    """Hold the file for this server; the hold ends with the process, however that ends.

    Raises:
        SettingsError: Another server has it, or it cannot be made.
    """
    try:
        claim = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise _unusable(path, str(problem.strerror)) from problem
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        os.close(claim)
        raise SettingsError(
            f"the state file {str(path)!r} is in use by another server",
            code="state-unusable",
            hint="end that server, or give this one a file of its own",
        ) from problem
    return claim


def _open(path: Path) -> sqlite3.Connection:
    """The database, ready for use.

    Raises:
        SettingsError: It is no state file, or of another version.
    """
    try:
        _make_private(path)
        database = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
    except OSError as problem:
        raise _unusable(path, str(problem.strerror)) from problem
    try:
        _prepare(path, database)
    except sqlite3.Error as problem:
        database.close()
        raise _unusable(path, str(problem)) from problem
    except SettingsError:
        database.close()
        raise
    return database


def _prepare(path: Path, database: sqlite3.Connection) -> None:
    _check(path, database)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # a killed server may have left deleted text there
    database.executescript(_SCHEMA)
    database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {_VERSION}")


def _first_free(path: Path, database: sqlite3.Connection) -> int:
    """The number that the next row or place gets.

    Raises:
        SettingsError: The file is damaged.
    """
    query = "SELECT (SELECT max(serial) FROM server_rows), (SELECT max(place) FROM server_places)"
    try:
        [(serial, place)] = database.execute(query).fetchall()
    except sqlite3.Error as problem:
        database.close()
        raise _unusable(path, str(problem)) from problem
    return max(serial or 0, place or 0) + 1


def empty_log(path: Path) -> bool:
    """Bring what the write-ahead log has into the file and cut it to nothing; false when it is in use."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0)) as database:
            [(busy, *_)] = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error:
        return True  # the file was taken away, or the disk fails: calls are told, and trying on helps nobody
    return not busy


def _make_private(path: Path) -> None:
    """A new file is its owner's alone: it holds messages and documents."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _check(path: Path, database: sqlite3.Connection) -> None:
    [[application]] = database.execute("PRAGMA application_id").fetchall()
    [[version]] = database.execute("PRAGMA user_version").fetchall()
    [[tables]] = database.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if application != _APPLICATION_ID and tables:
        raise _unusable(path, "it is a database of another program")
    if application == _APPLICATION_ID and version > _VERSION:
        raise _unusable(path, f"it is of version {version}, and this harness knows {_VERSION} at most")


def _unusable(path: Path, why: str) -> SettingsError:
    return SettingsError(
        f"the state file {str(path)!r} cannot be used: {why}",
        code="state-unusable",
        hint="give a file that harness serve made, or the name of a new one in a folder you can write to",
    )
