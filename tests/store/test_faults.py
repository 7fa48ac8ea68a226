"""Whatever is wrong with the database, one clear error says so and what was stored stays."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import event

from harness.errors import StoreError
from harness.store.store import Store


@pytest.fixture
def path(tmp_path, run, trial):
    """A store with one trial."""
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        store.begin_run(run(results=(trial(),)))
    return path


def refused(code: str, action) -> StoreError:
    with pytest.raises(StoreError) as caught:
        action()
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value


def test_a_full_disk_is_named_and_what_was_stored_stays(path, run, trial):
    with Store.open(path) as store:
        event.listen(store._engine, "begin", lambda c: c.exec_driver_sql("PRAGMA max_page_count = 1"))
        big = trial(repeat=2, error=random.Random(1).randbytes(200_000).hex())
        error = refused("store-full", lambda: store.add_trials(run().id, [(big, None)]))
        assert "no space left" in error.message
        assert store.finished_trials() == {trial().trial_id}


def test_a_store_that_may_not_be_written_is_named(path, run, trial):
    with Store.open(path) as store:
        event.listen(store._engine, "begin", lambda c: c.exec_driver_sql("PRAGMA query_only = ON"))
        refused("store-read-only", lambda: store.add_trials(run().id, [(trial(repeat=2), None)]))


def test_a_store_that_another_process_keeps_locked_is_named(path, run, trial):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Store.open(path, busy_timeout_s=0.01) as store:
            assert len(store.run().results) == 1  # readers go on
            refused("store-locked", lambda: store.add_trials(run().id, [(trial(repeat=2), None)]))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("Not a database at all. " * 100)
    refused("store-not-a-database", lambda: Store.open(path))
    assert path.read_text().startswith("Not a database")


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    refused("store-unavailable", lambda: Store.open(tmp_path))


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    refused("store-unavailable", lambda: Store.open(tmp_path / "file" / "store.sqlite"))


def test_someone_elses_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "shop.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    error = refused("store-foreign", lambda: Store.open(path))
    assert "orders" in error.message
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]


def test_damaged_pages_are_named(path):
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    def read() -> None:
        with Store.open(path) as store:
            store.run()

    refused("store-damaged", read)


def test_a_damaged_trial_is_named(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE trial_bodies SET body = substr(body, 1, 40)")
        connection.commit()
    with Store.open(path) as store:
        error = refused("store-damaged", lambda: list(store.run().results))
    assert "helpdesk/reset-password@main#1" in error.message


def test_a_missing_store_is_not_made_by_who_only_reads(tmp_path):
    refused("store-missing", lambda: Store.open(tmp_path / "none.sqlite", create=False))
    assert not (tmp_path / "none.sqlite").exists()


@pytest.mark.parametrize("location", ["mysql://host/db", "redis://host", "what ever://x"])
def test_a_location_that_is_no_store_is_refused(location):
    error = refused("store-location-invalid", lambda: Store.open(location))
    assert location.partition("://")[0] in error.message


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path):
    location = f"postgresql://jo:secret@/runs?host={tmp_path}&port=1"
    error = refused("store-unavailable", lambda: Store.open(location))
    assert "secret" not in str(error)


@pytest.mark.parametrize("location", ["", "  "], ids=repr)
def test_a_store_without_a_name_is_not_made_in_memory(location):
    refused("store-location-invalid", lambda: Store.open(location))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE suite_runs SET settings = '{'",
        "UPDATE suite_runs SET settings = '[]'",
        "UPDATE suite_runs SET started_at = 'yesterday'",
    ],
)
def test_a_value_that_can_not_be_read_is_damage_and_no_error_of_our_own(path, damage):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(damage)
        connection.commit()
    with Store.open(path) as store:
        refused("store-damaged", store.run)
        if "settings" in damage:
            refused("store-damaged", store.past_runs)


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('0001')",
        "UPDATE alembic_version SET version_num = ''",
    ],
)
def test_a_store_whose_format_nobody_can_tell_is_damaged(path, damage):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(damage)
        connection.commit()
    refused("store-damaged", lambda: Store.open(path))
