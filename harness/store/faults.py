"""What a database's refusals mean: foreign exceptions become a StoreError here, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from harness.errors import StoreError

# code, what happened, what to do; by the prefix of SQLite's error name or PostgreSQL's SQLSTATE.
_FULL = ("store-full", "there is no space left to write to", "Free some disk space; what was added is kept.")
_READ_ONLY = ("store-read-only", "it cannot be written to", "Check its permissions, or name another store.")
_LOCKED = ("store-locked", "another process is writing to it", "Wait for that run to end, or use PostgreSQL.")
_NOT_A_DATABASE = (
    "store-not-a-database",
    "it is not a database",
    "Name another file, or move this one away.",
)
_DAMAGED = (
    "store-damaged",
    "its content is damaged",
    "Restore a copy, or save what is readable with `sqlite3 FILE .recover`.",
)
_DISK = (
    "store-disk-error",
    "the disk reports an error",
    "Check the disk's health and free space; what was added is kept.",
)
_UNREADABLE = (
    "store-unavailable",
    "it cannot be opened",
    "Check that the folder exists and that it and the file may be read and written.",
)
_UNAVAILABLE = (
    "store-unavailable",
    "the database server does not answer or refuses the connection",
    "Check host, port, user and database name, and that the server runs.",
)
_MEANINGS = {
    "SQLITE_FULL": _FULL,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_PERM": _READ_ONLY,
    "SQLITE_AUTH": _READ_ONLY,
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_NOTADB": _NOT_A_DATABASE,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_IOERR": _DISK,
    "SQLITE_CANTOPEN": _UNREADABLE,
    "53100": _FULL,
    "25006": _READ_ONLY,
    "42501": _READ_ONLY,
    "55P03": _LOCKED,
    "40": _LOCKED,
    "XX": _DAMAGED,
    "08": _UNAVAILABLE,
    "28": _UNAVAILABLE,
    "3D": _UNAVAILABLE,
    "57P": _UNAVAILABLE,
}


@contextmanager
def translated(store: str) -> Iterator[None]:
    """Whatever the database refuses inside comes out as a StoreError that names the store.

    A broken constraint comes out as it is: only the caller knows what it means.
    """
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise _store_error(store, error) from error
    except SQLAlchemyError as error:
        raise StoreError(f"the store {store} cannot be used: {error}") from error


def damaged(store: str, what: str) -> StoreError:
    """The error for a row whose content cannot be unpacked."""
    code, _, hint = _DAMAGED
    return StoreError(f"the store {store} cannot be used: {what} is damaged", code=code, hint=hint)


def _store_error(store: str, error: DBAPIError) -> StoreError:
    detail = " ".join(str(error.orig).split())
    meaning = _meaning(error)
    if meaning is None:
        return StoreError(f"the store {store} cannot be used: {detail}")
    code, what, hint = meaning
    return StoreError(f"the store {store} cannot be used: {what} ({detail})", code=code, hint=hint)


def _meaning(error: DBAPIError) -> tuple[str, str, str] | None:
    orig = error.orig
    name = getattr(orig, "sqlite_errorname", None) or getattr(orig, "sqlstate", None) or ""
    for prefix, meaning in _MEANINGS.items():
        if name.startswith(prefix):
            return meaning
    # A server that can't be reached has no SQLSTATE to give.
    unreachable = type(orig).__module__.startswith("psycopg") and type(orig).__name__ == "OperationalError"
    return _UNAVAILABLE if unreachable and not name else None
