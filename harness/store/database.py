"""Opens the database behind a store: connects, checks its format, creates or migrates its tables."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from harness.errors import RunError, StoreError
from harness.store.faults import damaged
from harness.store.tables import REVISIONS, metadata

MIGRATIONS = Path(__file__).with_name("migrations")

# Any number will do, as long as every process that creates a store takes the same one.
_CREATION_LOCK = 7_204_518_364

_LOCATIONS = "Give the path of a SQLite file, sqlite:///PATH or postgresql://USER@HOST/DATABASE."


def database_url(location: str | Path) -> URL:
    """The SQLAlchemy URL of a store: a path is a SQLite file, anything with ``://`` is taken as a URL."""
    if not str(location).strip():
        raise RunError("the store has no name", code="store-location-invalid", hint=_LOCATIONS)
    if isinstance(location, Path) or "://" not in location:
        return URL.create("sqlite", database=str(location))
    try:
        url = make_url(location)
    except ArgumentError as error:
        raise _bad_url(location) from error
    backend = url.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise _bad_url(location)
    return url


def _bad_url(location: str) -> RunError:
    scheme = location.partition("://")[0]
    return RunError(
        f"{scheme!r} is not a kind of store",
        code="store-location-invalid",
        hint=_LOCATIONS,
    )


def connect(url: URL, *, busy_timeout_s: float) -> Engine:
    """An engine whose transactions are real: DDL included, and writers queue instead of failing."""
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": busy_timeout_s})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return create_engine(url, pool_pre_ping=True)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise StoreError(
            "a store on PostgreSQL needs the psycopg driver",
            code="store-driver-missing",
            hint="Install it with: pip install 'harness[postgres]'",
        ) from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions on its own: see _begin_sqlite
    # Small pages, in a new file: a body that fills most of a page leaves the rest of it unused, but one that
    # goes on over several pages fills all but the last, whatever its size.
    pragmas = ("page_size = 1024", "journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes its lock at once, so that it waits its turn instead of failing half-way."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def ensure_current(engine: Engine, store: str) -> None:
    """Creates the tables in an empty database, migrates an older store, refuses a newer one.

    Raises:
        StoreError: The database holds something else, or was written by a newer version.
    """
    with engine.connect() as connection:
        revision = _revision(connection, store)
    if revision is None:
        _create(engine, store)
    elif revision not in REVISIONS:
        raise _newer(store, revision)
    elif revision != REVISIONS[-1]:
        _migrate(engine, store, revision)


def _revision(connection: Connection, store: str) -> str | None:
    """The format the database says it has; None for an empty database."""
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names and "suite_runs" in names:
        said = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        if len(said) != 1 or not said[0]:
            raise damaged(store, "the row that says its format")
        return str(said[0])
    if names & (set(metadata.tables) | {"alembic_version"}) or (names and _is_sqlite(connection.engine)):
        raise StoreError(
            f"the database {store} holds other tables ({', '.join(sorted(names)[:5])})",
            code="store-foreign",
            hint="A store wants a file or database of its own: name another.",
        )
    return None


def _is_sqlite(engine: Engine) -> bool:
    """Whether this is a SQLite database."""
    return engine.dialect.name == "sqlite"


def _newer(store: str, revision: str) -> StoreError:
    return StoreError(
        f"the store {store} has format {revision!r}; this version of harness knows {REVISIONS[-1]!r} at most",
        code="store-newer",
        hint="It was written by a newer harness: upgrade this one, or name another store.",
    )


def _create(engine: Engine, store: str) -> None:
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if not _is_sqlite(engine):
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
        if _revision(connection, store) is not None:
            return  # another process was quicker
        metadata.create_all(connection)
        connection.execute(
            text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": REVISIONS[-1]})


def _migrate(engine: Engine, store: str, revision: str) -> None:
    """Brings an older store up to date in one transaction; a SQLite file is copied aside first."""
    from alembic import command
    from alembic.config import Config

    if _is_sqlite(engine) and engine.url.database:
        _copy_aside(Path(engine.url.database), revision)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if _revision(connection, store) == REVISIONS[-1]:
            return  # another process was quicker
        config.attributes["connection"] = connection
        command.upgrade(config, REVISIONS[-1])


def _copy_aside(path: Path, revision: str) -> None:
    copy = path.with_name(f"{path.name}.before-{REVISIONS[-1]}-from-{revision}")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
