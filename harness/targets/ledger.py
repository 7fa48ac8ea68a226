"""The ledger: what runs made at servers of others, from before it is made until it is known to be gone.

It is one SQLite file that several runs write to at once. A run that goes on holds a lock on a file of its
own, which the operating system lets go of however the run ends; so nobody takes for left over what is in use.
"""

from __future__ import annotations

import fcntl
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import StoreError

Kind = Literal["assistant", "vector_store", "file", "thread", "conversation"]
Keep = Literal["variant", "user"]
Role = Literal["document", "code"]

_FORMAT = 1
_BUSY_S = 10.0
_LOCK_TRIES = 10
_LOCK_WAIT_S = 0.02
_TABLES = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- One row is one object at a server, from before it is made until it is known to be gone.
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: another process may still hold it
    url TEXT NOT NULL,           -- the base URL, or the resource of Azure
    api_version TEXT,            -- of Azure
    account TEXT NOT NULL,       -- a digest of the key: only its owner can delete the object
    run TEXT NOT NULL,           -- the run that made it
    kind TEXT NOT NULL,
    id TEXT,                     -- the API's; NULL until the API has told it
    name TEXT NOT NULL,          -- of a file or document, else empty
    size INTEGER,                -- of a file, in bytes
    made_at TEXT NOT NULL,       -- when it was asked for, UTC
    keep TEXT,                   -- what it is kept for beyond its run: 'variant', 'user', or NULL
    fingerprint TEXT,            -- of the variant it belongs to
    role TEXT,                   -- of a variant's file: 'document' or 'code'
    user TEXT                    -- whose thread it is
);
CREATE INDEX IF NOT EXISTS objects_by_run ON objects (run);
CREATE INDEX IF NOT EXISTS objects_kept ON objects (fingerprint) WHERE keep IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_of_users ON objects (user) WHERE user IS NOT NULL;
-- One row is a run that works with an object which an earlier run made.
CREATE TABLE IF NOT EXISTS uses (
    object INTEGER NOT NULL, run TEXT NOT NULL, PRIMARY KEY (object, run)
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS gone AFTER DELETE ON objects BEGIN
    DELETE FROM uses WHERE object = old.number;
END;
"""
_COLUMNS = (
    "number, url, api_version, account, run, kind, id, name, size, made_at, keep, fingerprint, role, user"
)


class Place(msgspec.Struct, frozen=True):
    """Where objects are, and whose they are.

    Attributes:
        url: The base URL, or the resource of Azure.
        account: A digest of the key; the key itself is never written down.
        api_version: Of Azure's dated API; None elsewhere.
    """

    url: str
    account: str
    api_version: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """One object in the ledger.

    Attributes:
        number: Its number in the ledger.
        place: Where it is.
        run: The run that made it.
        kind: What it is.
        id: The API's id; None when the answer that tells it never came.
        name: Of a file.
        size: Of a file, in bytes.
        made_at: When it was asked for.
        keep: What it is kept for beyond its run; None when it should be gone with it.
        fingerprint: Of the variant it belongs to.
        role: Of a variant's file.
        user: Whose thread it is.
    """

    number: int
    place: Place
    run: str
    kind: Kind
    id: str | None
    name: str
    size: int | None
    made_at: datetime
    keep: Keep | None
    fingerprint: str | None
    role: Role | None
    user: str | None


class Intent(msgspec.Struct, frozen=True):
    """What is about to be made.

    Attributes:
        kind: What it will be.
        name: Of a file.
        size: Of a file, in bytes.
        fingerprint: Of the variant it belongs to; such an entry also survives a loss of power.
        role: Of a variant's file.
        keep: What it is kept for beyond its run.
        user: Whose thread it is.
    """

    kind: Kind
    name: str = ""
    size: int | None = None
    fingerprint: str | None = None
    role: Role | None = None
    keep: Keep | None = None
    user: str | None = None


class Ledger:
    """The ledger of one folder; usable as a context manager."""

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.path = path
        self._clock = clock
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._rows = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            with self._explained():
                self.id = self._prepared()
        except StoreError:
            self._rows.close()
            raise

    def _prepared(self) -> str:
        """Make the tables; the ledger's own id, by which what it knows is told from what others made."""
        self._rows.execute("PRAGMA journal_mode=WAL")
        self._rows.execute("PRAGMA synchronous=NORMAL")
        self._rows.executescript(_TABLES)
        told = "INSERT OR IGNORE INTO about VALUES (?, ?)"
        self._rows.executemany(told, [("format", str(_FORMAT)), ("id", secrets.token_hex(8))])
        about = dict(self._rows.execute("SELECT name, value FROM about"))
        if int(about["format"]) > _FORMAT:
            raise _unusable(self.path, "a later version of harness wrote it", "upgrade harness")
        return str(about["id"])

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _unusable(self.path, str(error)) from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._rows.close()

    def intend(self, run: str, place: Place, intent: Intent) -> int:
        """Write down what is about to be made; its number."""
        values = (
            *(place.url, place.api_version, place.account, run, intent.kind, intent.name, intent.size),
            *(self._clock.now().isoformat(), intent.keep, intent.fingerprint, intent.role, intent.user),
        )
        columns = _COLUMNS.replace("number, ", "").replace(" id,", "")
        statement = f"INSERT INTO objects ({columns}) VALUES ({', '.join('?' * len(values))})"
        return self._write(statement, values, lasting=intent.fingerprint is not None)

    def made(self, number: int, object_id: str) -> None:
        """Write down the id under which the API has made it."""
        self._write("UPDATE objects SET id = ? WHERE number = ?", (object_id, number))

    def gone(self, number: int) -> None:
        """Strike out what is known to be gone, or never to have been made."""
        self._write("DELETE FROM objects WHERE number = ?", (number,))

    def keep(self, numbers: Iterable[int], keep: Keep | None) -> None:
        """Say what objects are kept for beyond their run; None when they are not any more."""
        with self._explained():
            self._rows.executemany(
                "UPDATE objects SET keep = ? WHERE number = ?", [(keep, number) for number in numbers]
            )

    def use(self, run: str, numbers: Iterable[int]) -> None:
        """Say that a run works with objects that another one made."""
        with self._explained():
            self._rows.executemany(
                "INSERT OR IGNORE INTO uses VALUES (?, ?)", [(number, run) for number in numbers]
            )

    def _write(self, statement: str, values: tuple[Any, ...], *, lasting: bool = False) -> int:
        """Carry out a statement; a lasting one has reached the disk when this returns."""
        with self._explained():
            if not lasting:
                return self._rows.execute(statement, values).lastrowid or 0
            self._rows.execute("PRAGMA synchronous=FULL")
            try:
                return self._rows.execute(statement, values).lastrowid or 0
            finally:
                self._rows.execute("PRAGMA synchronous=NORMAL")

    def entries(self, *, run: str | None = None) -> list[Entry]:
        """Everything that is not known to be gone, oldest first."""
        return self._read("run = ?", (run,)) if run else self._read("1", ())

    def kept(self, place: Place, fingerprint: str) -> list[Entry]:
        """What is kept of a variant at a place, oldest first."""
        return self._read(
            "keep = 'variant' AND fingerprint = ? AND url = ? AND account = ?",
            (fingerprint, place.url, place.account),
        )

    def thread_of(self, place: Place, user: str) -> Entry | None:
        """The thread or conversation that is kept for a user, the newest if there are several."""
        found = self._read(
            "keep = 'user' AND id IS NOT NULL AND user = ? AND url = ? AND account = ?",
            (user, place.url, place.account),
        )
        return found[-1] if found else None

    def users_of(self, number: int) -> set[str]:
        """The runs that work, or worked, with an object of another run."""
        with self._explained():
            return {run for (run,) in self._rows.execute("SELECT run FROM uses WHERE object = ?", (number,))}

    def _read(self, condition: str, values: tuple[Any, ...]) -> list[Entry]:
        statement = f"SELECT {_COLUMNS} FROM objects WHERE {condition} ORDER BY number"
        with self._explained():
            return [_entry(row) for row in self._rows.execute(statement, values)]

    # --- runs that go on ----------------------------------------------------------------------------------

    def hold(self, run: str) -> IO[str]:
        """Say that a run goes on, until the file that is returned is closed, by whatever.

        Raises:
            StoreError: Another process says so already (code ``run-going-on``).
        """
        with self._explained():
            self._lock_path(run).parent.mkdir(parents=True, exist_ok=True)
            held = self._lock_path(run).open("w")
            for _ in range(_LOCK_TRIES):
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return held
                except BlockingIOError:  # someone who only looks whether it goes on is done in a moment
                    time.sleep(_LOCK_WAIT_S)
        held.close()
        raise StoreError(
            f"another process is working on the run {run!r}",
            code="run-going-on",
            hint="wait until it has ended, or start a new run",
        )

    def is_going_on(self, run: str) -> bool:
        """Whether a process still works on this run."""
        try:
            with self._lock_path(run).open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        except OSError as error:
            raise _unusable(self.path, str(error)) from error
        return False

    def let_go(self, run: str, held: IO[str]) -> None:
        """Say that a run has ended."""
        self._write("DELETE FROM uses WHERE run = ?", (run,))
        self._lock_path(run).unlink(missing_ok=True)
        held.close()

    def _lock_path(self, run: str) -> Path:
        return self.path.with_name(f"{self.path.name}-running") / f"{run}.lock"


@dataclass(slots=True)
class RunLedger:
    """The ledger as one run at one place writes it.

    Attributes:
        ledger: The ledger; closed with this.
        run: The run's id.
        place: Where it makes things.
    """

    ledger: Ledger
    run: str
    place: Place
    _held: IO[str] = field(init=False)

    def __post_init__(self) -> None:
        self._held = self.ledger.hold(self.run)

    @property
    def marks(self) -> dict[str, str]:
        """Metadata by which what was made can be recognised in a list, also when its id never came back."""
        return {"harness_run": self.run, "harness_ledger": self.ledger.id}

    def intend(self, intent: Intent) -> int:
        """Write down what is about to be made; its number."""
        return self.ledger.intend(self.run, self.place, intent)

    def close(self) -> None:
        """The run works here no more."""
        self.ledger.let_go(self.run, self._held)
        self.ledger.close()


def _entry(row: tuple[Any, ...]) -> Entry:
    number, url, api_version, account, run, kind, object_id, name, size, made_at, *rest = row
    made = datetime.fromisoformat(made_at).astimezone(UTC)
    return Entry(number, Place(url, account, api_version), run, kind, object_id, name, size, made, *rest)


def _unusable(path: Path, why: str, hint: str | None = None) -> StoreError:
    return StoreError(
        f"the ledger {str(path)!r} cannot be used: {why}",
        code="ledger-unusable",
        hint=hint or "name another file with the setting ledger, or see why this one can't be written",
    )
