"""The state file: it answers as memory does, whatever happens, and knows the same after every restart."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from harness.errors import SettingsError
from harness.server.errors import ApiError
from harness.server.rows import RECENT_ROWS, Rows
from harness.server.state import (
    KINDS,
    FileRecord,
    ItemRecord,
    RunRecord,
    State,
    ThreadRecord,
    is_busy,
    open_state,
)
from harness.server.table import Content, Table
from harness.server.wire import File, Message, PageQuery, Run, Thread


def message(identifier: str, text: str = "") -> Message:
    part = {"type": "text", "text": {"value": text, "annotations": []}}
    return Message(id=identifier, created_at=0, thread_id="thread_1", role="user", content=[part])


def thread(identifier: str = "thread_1") -> ThreadRecord:
    return ThreadRecord(Thread(id=identifier, created_at=0))


def file(content: bytes, identifier: str = "file-1") -> FileRecord:
    kept = File(id=identifier, purpose="assistants", filename="a", bytes=len(content), created_at=0)
    return FileRecord(kept, Content(content))


def run(status: str = "queued") -> RunRecord:
    made = Run(
        id="run_1",
        created_at=0,
        assistant_id="asst_1",
        thread_id="thread_1",
        status=status,
        expires_at=600,
        model="m",
        truncation_strategy={},
    )
    return RunRecord(made)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def reopened(state: State) -> State:
    assert state.rows is not None
    state.close()
    return open_state(state.rows.path)


_IDS = st.sampled_from([f"msg_{number}" for number in range(8)])
_QUERIES = st.builds(
    PageQuery,
    limit=st.integers(1, 5),
    descending=st.booleans(),
    after=st.none() | _IDS,
    before=st.none() | _IDS,
)


class SameAsMemory(RuleBasedStateMachine):
    """A list in a file and one in memory are told the same and must answer the same."""

    texts = Bundle("texts")

    @initialize(folder=st.builds(lambda: None))
    def start(self, folder: None) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.state = open_state(Path(self.folder.name) / "state.db")
        self.memory: Table[Message] = Table()
        with self.state.lock:
            self.state.threads.add("thread_1", thread())

    @property
    def stored(self) -> Table[Message]:
        found = self.state.threads.get("thread_1")
        assert found is not None
        return found.messages

    @rule(identifier=_IDS, text=st.text(max_size=5))
    def add(self, identifier: str, text: str) -> None:
        with self.state.lock:
            self.stored.add(identifier, message(identifier, text))
        self.memory.add(identifier, message(identifier, text))

    @rule(identifier=_IDS)
    def remove(self, identifier: str) -> None:
        with self.state.lock:
            taken = self.stored.remove(identifier)
        assert taken == self.memory.remove(identifier)

    @rule(identifier=_IDS, text=st.text(max_size=5))
    def change(self, identifier: str, text: str) -> None:
        with self.state.lock:
            changed = [self.stored.get(identifier), self.memory.get(identifier)]
            for each in changed:
                if each is not None:
                    each.content[0]["text"]["value"] = text

    @rule(text=st.text(max_size=5))
    def change_one_that_was_iterated_over(self, text: str) -> None:
        with self.state.lock:
            for rows in (self.stored, self.memory):
                for each in list(rows)[:1]:
                    rows.mark(each)
                    each.metadata = {"a": text}

    @rule(query=_QUERIES)
    def page(self, query: PageQuery) -> None:
        assert self.answer(self.stored, query) == self.answer(self.memory, query)

    def answer(self, rows: Table[Message], query: PageQuery) -> Any:
        try:
            return rows.page(query, lambda each: each.content[0]["text"]["value"] != "")
        except ApiError as problem:
            return problem.message

    @rule()
    def restart(self) -> None:
        self.state = reopened(self.state)
        # What was deleted is remembered for cursors only as long as the server lives.
        self.memory = self.copied()

    def copied(self) -> Table[Message]:
        copy: Table[Message] = Table()
        for identifier, each in self.memory.items():
            copy.add(identifier, each)
        return copy

    @invariant()
    def same(self) -> None:
        if hasattr(self, "state"):
            assert self.stored.items() == self.memory.items()
            assert len(self.stored) == len(self.memory)
            assert self.stored.last() == self.memory.last()

    def teardown(self) -> None:
        if hasattr(self, "state"):
            self.state.close()
            self.folder.cleanup()


SameAsMemory.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestSameAsMemory = SameAsMemory.TestCase


def test_a_row_is_one_object_for_everyone_who_holds_it(path: Path) -> None:
    state = open_state(path)
    with state.lock:
        made = state.threads.add("thread_1", thread())
        assert state.threads.get("thread_1") is made
        assert list(state.threads) == [made]
        assert next(iter(state.threads)) is made


def test_a_change_is_saved_when_the_outermost_holder_lets_the_lock_go(path: Path) -> None:
    state = open_state(path)
    with state.lock:
        made = state.threads.add("thread_1", thread())
    with state.lock:
        with state.lock:
            state.threads.mark(made)
            made.thread.metadata = {"a": "b"}
        assert saved(path) == [b"{}"]
    assert saved(path) == [b'{"a":"b"}']


def saved(path: Path) -> list[bytes]:
    """The metadata of threads as another connection sees them."""
    with sqlite3.connect(path) as database:
        found = database.execute("SELECT data ->> '$.thread.metadata' FROM server_rows").fetchall()
    database.close()
    return [text.encode() for (text,) in found]


def test_waiting_for_a_change_saves_too(path: Path) -> None:
    state = open_state(path)
    with state.changed:
        with state.lock:
            state.threads.add("thread_1", thread())
        assert not state.changed.wait(0)
        assert saved(path) == [b"{}"]
        assert state.threads.get("thread_1") is not None


def test_a_row_in_two_lists_goes_with_the_last_of_them(path: Path) -> None:
    state = open_state(path)
    item = ItemRecord({"id": "msg_1", "type": "message"})
    with state.lock:
        first, second = (state.threads.add(f"thread_{n}", thread(f"thread_{n}")) for n in (1, 2))
        one = message("msg_1", "shared")
        first.messages.add("msg_1", one)
        second.messages.add("msg_1", one)
    with state.lock:
        state.threads.remove("thread_1")
    state = reopened(state)
    left = state.threads.get("thread_2")
    assert left is not None
    assert [each.content[0]["text"]["value"] for each in left.messages] == ["shared"]
    with state.lock:
        state.threads.remove("thread_2")
    state.close()
    assert tables_of(path) == {"server_rows": 0, "server_places": 0, "server_contents": 0}
    assert item.id == "msg_1"


def tables_of(path: Path) -> dict[str, int]:
    database = sqlite3.connect(path)
    names = ("server_rows", "server_places", "server_contents")
    counts = {name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    database.close()
    return counts


def test_deleting_a_thread_deletes_every_trace_of_it(path: Path) -> None:
    state = open_state(path)
    with state.lock:
        made = state.threads.add("thread_1", thread())
        made.messages.add("msg_1", message("msg_1", "a secret of somebody"))
        made.runs.add("run_1", run())
    with state.lock:
        state.threads.remove("thread_1")
    state.close()
    assert tables_of(path) == {"server_rows": 0, "server_places": 0, "server_contents": 0}
    assert b"a secret of somebody" not in path.read_bytes()


def test_lists_of_a_deleted_row_take_nothing_more(path: Path) -> None:
    state = open_state(path)
    with state.lock:
        made = state.threads.add("thread_1", thread())
        state.threads.remove("thread_1")
    with state.lock:
        made.messages.add("msg_1", message("msg_1"))
        made.thread.metadata = {"changed": "later"}
        state.threads.mark(made)
    assert list(made.messages) == []
    assert tables_of(path)["server_rows"] == 0


def test_bytes_are_read_when_they_are_needed_and_are_gone_with_their_file(path: Path) -> None:
    state = open_state(path)
    with state.lock:
        kept = state.files.add("file-1", file(b"\x00\xff" * 1000))
    assert kept.content == b"\x00\xff" * 1000
    state = reopened(state)
    with state.lock:
        again = state.files.get("file-1")
        assert again is not None
        assert again.content == b"\x00\xff" * 1000
        state.files.remove("file-1")
    assert again.content == b""


def test_only_what_was_being_worked_on_is_unfinished(path: Path) -> None:
    state = open_state(path)
    with state.lock:
        made = state.threads.add("thread_1", thread())
        made.runs.add("run_1", run("in_progress"))
        made.runs.add("run_2", run("completed"))
    state = reopened(state)
    [found] = state.unfinished()
    assert found.run.status == "in_progress"


def test_rows_that_nobody_holds_are_read_again_and_memory_stays_bounded(path: Path) -> None:
    rows = Rows(path, KINDS, is_busy)
    state = State(None, rows)
    for number in range(RECENT_ROWS + 500):
        with state.lock:
            state.threads.add(f"thread_{number}", thread(f"thread_{number}"))
    for number in range(RECENT_ROWS + 500):
        with state.lock:
            assert state.threads.get(f"thread_{number}") is not None
    assert len(rows._recent) == RECENT_ROWS
    assert len(rows._by_serial) <= RECENT_ROWS + 1
    assert len(rows._by_identity) <= RECENT_ROWS + 1
    state.close()


def test_threads_change_different_rows_at_once_and_nothing_is_lost(path: Path) -> None:
    state = open_state(path)
    with state.lock:
        made = [state.threads.add(f"thread_{number}", thread(f"thread_{number}")) for number in range(4)]

    def count(record: ThreadRecord) -> None:
        for number in range(100):
            with state.lock:
                state.threads.mark(record)
                record.thread.metadata = {"count": str(number + 1)}
                record.messages.add(f"msg_{number}", message(f"msg_{number}"))

    workers = [threading.Thread(target=count, args=(each,)) for each in made]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    state = reopened(state)
    assert [each.thread.metadata["count"] for each in state.threads] == ["100"] * 4
    assert [len(each.messages) for each in state.threads] == [100] * 4
    state.close()


@pytest.fixture
def full_disk(path: Path) -> Iterator[State]:
    """A state whose file may not grow any more."""
    state = open_state(path)
    with state.lock:
        state.threads.add("thread_1", thread())
    assert state.rows is not None
    [[pages]] = state.rows.query("PRAGMA page_count", ())
    state.rows.query(f"PRAGMA max_page_count = {pages}", ())
    yield state
    state.close()


def test_what_cannot_be_written_is_refused_and_undone_as_a_whole(full_disk: State) -> None:
    refused = pytest.raises(ApiError, match=r"cannot be written: database or disk is full\.")
    with refused as caught, full_disk.lock:
        record = full_disk.threads.get("thread_1")
        assert record is not None
        record.thread.metadata = {"a": "b"}
        full_disk.files.add("file-1", file(bytes(1_000_000)))
    assert (caught.value.status, caught.value.code) == (500, "state_not_written")
    with full_disk.lock:
        again = full_disk.threads.get("thread_1")
        assert again is not None
        assert again.thread.metadata == {}
        assert full_disk.files.get("file-1") is None


def test_a_file_is_used_by_one_server_at_a_time(path: Path) -> None:
    state = open_state(path)
    with pytest.raises(SettingsError, match="in use by another server"):
        open_state(path)
    state.close()
    open_state(path).close()


def test_a_file_of_something_else_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"My diary. " * 100)
    with pytest.raises(SettingsError, match="cannot be used: file is not a database"):
        open_state(path)
    assert path.read_bytes() == b"My diary. " * 100


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE accounts (name TEXT)")
    database.close()
    with pytest.raises(SettingsError, match="it is a database of another program"):
        open_state(path)


def test_a_file_of_a_later_version_is_refused(path: Path) -> None:
    open_state(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(SettingsError, match="it is of version 99"):
        open_state(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file or directory"):
        open_state(tmp_path / "nowhere" / "state.db")


def test_a_new_file_is_its_owner_s_alone(path: Path) -> None:
    open_state(path).close()
    assert path.stat().st_mode & 0o077 == 0
