"""Stores of other formats: older ones are brought up to date, newer ones refused."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from harness.errors import StoreError
from harness.store import database
from harness.store.store import Store
from harness.store.tables import REVISIONS, metadata

NEWER = f"{int(REVISIONS[-1]) + 1:04}"
NEXT = f"""
from alembic import op
import sqlalchemy as sa
revision = "{NEWER}"
down_revision = "{REVISIONS[-1]}"

def upgrade():
    with op.batch_alter_table("suite_runs") as table:
        table.add_column(sa.Column("note", sa.Text))
    op.execute("UPDATE suite_runs SET note = 'moved'")
    {{then}}
"""


@pytest.fixture
def older(tmp_path, run, trial, monkeypatch):
    """A store in the present format, seen by a harness that has one format more."""
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        store.begin_run(run(results=(trial(),)))
    scripts = tmp_path / "migrations"
    shutil.copytree(database.MIGRATIONS, scripts)
    monkeypatch.setattr(database, "MIGRATIONS", scripts)
    monkeypatch.setattr(database, "REVISIONS", (*REVISIONS, NEWER))
    (scripts / "versions" / f"v{NEWER}_next.py").write_text(NEXT.format(then=""))
    return path


def columns(path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute("PRAGMA table_info(suite_runs)")]


def test_an_older_store_is_migrated_and_keeps_its_runs(older, run, trial):
    with Store.open(older) as store:
        assert store.run() == run(results=(trial(),))
    assert "note" in columns(older)
    with closing(sqlite3.connect(older)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEWER,)]


def test_a_copy_of_the_older_store_is_kept(older):
    Store.open(older).close()
    copy = older.with_name(f"store.sqlite.before-{NEWER}-from-{REVISIONS[-1]}")
    assert "note" not in columns(copy)


def test_a_migration_that_fails_leaves_the_store_as_it_was(older):
    script = database.MIGRATIONS / "versions" / f"v{NEWER}_next.py"
    script.write_text(NEXT.format(then="op.execute('SELECT * FROM nowhere')"))
    with pytest.raises(StoreError, match="nowhere"):
        Store.open(older)
    assert "note" not in columns(older)


def without_judges(connection):
    """The tables as they were before judges had any, and before quarantines."""
    connection.execute("ALTER TABLE trials DROP COLUMN quarantined")
    connection.execute("ALTER TABLE trials DROP COLUMN quarantined_until")
    connection.execute("ALTER TABLE trials DROP COLUMN judge_cost_pico_usd")
    connection.execute("ALTER TABLE spending DROP COLUMN role")
    connection.execute("DROP TABLE calibrations")
    connection.execute("DROP TABLE judgements")


def test_trials_from_before_there_were_recordings_are_no_replays(tmp_path, run, trial):
    path = tmp_path / "store.sqlite"
    with Store.open(path) as store:
        store.begin_run(run(results=(trial(),)))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE trials DROP COLUMN replayed")
        without_judges(connection)
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
        connection.commit()
    with Store.open(path) as store:
        [past] = store.history(trial().suite, trial().conversation)
        assert not past.replayed
        assert [summary.replayed for summary in store.runs()] == [0]
        store.add_trials(
            run().id, [(msgspec.structs.replace(trial(), trial_id="other", replayed=True), None)]
        )
        assert len(store.history(trial().suite, trial().conversation)) == 1
        assert len(store.history(trial().suite, trial().conversation, replayed=True)) == 2
        assert store.runs()[0].replayed == 1


def test_a_newer_store_is_refused(tmp_path):
    path = tmp_path / "store.sqlite"
    Store.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
        connection.commit()
    with pytest.raises(StoreError, match="'0099'") as caught:
        Store.open(path)
    assert caught.value.code == "store-newer"


def test_the_chain_of_migrations_and_the_current_tables_agree(location):
    url = database.database_url(location if "://" in location else ":memory:")
    with create_engine(url).connect() as connection:
        config = _config(connection)
        from alembic import command

        command.upgrade(config, "head")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [
            entry for entry in compare_metadata(context, metadata) if "comment" not in str(entry[0])
        ]
        connection.rollback()
    connection.engine.dispose()
    assert [entry for entry in differences if not _is_comment(entry)] == []


def _config(connection):
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _is_comment(entry) -> bool:
    return "comment" in str(entry if isinstance(entry, tuple) else entry[0][0])[:40]


def test_the_last_script_is_the_current_format():
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(database.MIGRATIONS))
    chain = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(chain)) == REVISIONS


def test_opening_a_current_store_does_not_load_alembic(tmp_path):
    program = (
        "import sys; from harness.store.store import Store; Store.open(sys.argv[1]).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program, str(tmp_path / "s.sqlite")], check=True)
