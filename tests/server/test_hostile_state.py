"""Full disks, damaged files, deleted data and servers that end in bad moments."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from harness.errors import SettingsError
from harness.server import http as door
from harness.server import rows
from harness.server.app import App, Request, ServerOptions, Upload
from harness.server.errors import ApiError
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted, calls, function_call, run_code
from harness.server.search import Index
from harness.server.state import FileRecord, State
from harness.server.table import Content
from harness.server.wire import File

SECRET = "Zwetschgenwasser"
MakeApi = Callable[..., Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def make(make_api: MakeApi, path: Path) -> MakeApi:
    """Makes servers on one state file, one after the other."""
    return lambda *lines, **options: make_api(*lines, state=path, seed=None, **options)


def state_of(app: App) -> State:
    return app._engine.state


def pages(app: App, most: int | None = None) -> None:
    """Let the state file grow no more, or up to so many pages."""
    found = state_of(app).rows
    assert found is not None
    with state_of(app).lock:
        limit = most or found.query("PRAGMA page_count", ())[0][0]
        found.query(f"PRAGMA max_page_count = {limit}", ())


# what is deleted is gone


def written(path: Path) -> int:
    """How often the secret stands in the state file and what lies beside it."""
    return sum(each.read_bytes().count(SECRET.encode()) for each in path.parent.glob(f"{path.name}*"))


def keep_secrets(api: Any) -> list[str]:
    """Put the secret into everything that keeps text; paths to delete."""
    file = api.upload("a.txt", f"{SECRET} ".encode() * 500)
    store = api.post("/vector_stores", {"file_ids": [file["id"]]})["id"]
    api.post(f"/vector_stores/{store}/search", {"query": SECRET})
    said = {"role": "user", "content": SECRET}
    kept = api.post("/conversations", {"items": [{"type": "message", **said}]})["id"]
    answered = api.post("/responses", {"model": "m", "input": SECRET})["id"]
    container = api.post("/containers", {"name": "c", "file_ids": [file["id"]]})["id"]
    thread = api.thread(SECRET)
    api.run(thread, api.assistant(name="a")["id"])
    return [
        f"/files/{file['id']}",
        f"/vector_stores/{store}",
        f"/conversations/{kept}",
        f"/responses/{answered}",
        f"/containers/{container}",
        f"/threads/{thread}",
    ]


def test_what_was_deleted_is_soon_in_no_byte_of_the_state_file(
    make: MakeApi, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tidied = threading.Semaphore(0)
    empty_log = rows.empty_log

    def emptied(where: Path) -> bool:
        done = empty_log(where)
        tidied.release()
        return done

    monkeypatch.setattr(rows, "TIDY_S", 0.0)
    monkeypatch.setattr(rows, "empty_log", emptied)
    api = make(["Fine."])
    deleted = keep_secrets(api)
    assert written(path)
    for each in deleted:
        api.delete(each)
    while written(path):
        assert tidied.acquire(timeout=120), "the write-ahead log was not emptied"


def test_what_was_deleted_before_a_kill_is_gone_when_the_next_server_starts(
    make: MakeApi, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "TIDY_S", 3600.0)  # the server is killed before it gets to that
    api = make(["Fine."])
    for each in keep_secrets(api):
        api.delete(each)
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(path.parent / name, killed / name)
    assert written(killed / path.name), "the write-ahead log has it still"
    with App(ServerOptions(state=killed / path.name)):
        assert not written(killed / path.name)


def test_a_deleted_message_is_in_no_summary_that_the_file_keeps(make: MakeApi) -> None:
    api = make(["Fine."], context_tokens=2_500)
    thread = api.thread(f"Order {SECRET} is late.", *(f"Number {n} waits too. " * 30 for n in range(20)))
    api.run(thread, api.assistant()["id"])
    record = state_of(api.app).threads.get(thread)
    assert record is not None
    assert record.summary is not None
    [first] = api.get(f"/threads/{thread}/messages", order="asc", limit=1)["data"]
    api.delete(f"/threads/{thread}/messages/{first['id']}")
    assert record.summary is None


def test_a_file_that_is_put_into_its_store_again_leaves_no_row_behind(make: MakeApi, path: Path) -> None:
    api = make()
    file = api.upload("a.txt", b"The moon is made of cheese.")["id"]
    store = api.post("/vector_stores", {"file_ids": [file]})["id"]
    for _ in range(3):
        api.post(f"/vector_stores/{store}/files", {"file_id": file})
    with closing(sqlite3.connect(path)) as database:
        query = "SELECT count(*) FROM server_rows WHERE kind = 'VectorStoreFile'"
        assert database.execute(query).fetchone() == (1,)


# half-way


def test_a_file_whose_deletion_is_broken_off_is_nowhere_after_the_restart(
    make: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows go at once; what is left of it in the index goes when the index is next opened."""
    api = make()
    file = api.upload("a.txt", b"The moon is made of cheese.")["id"]
    store = api.post("/vector_stores", {"file_ids": [file]})["id"]
    with monkeypatch.context() as broken:
        broken.setattr(Index, "remove", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            api.delete(f"/files/{file}")
    api.app.close()
    api = make()
    assert api.get(f"/vector_stores/{store}/files")["data"] == []
    assert api.get(f"/vector_stores/{store}")["file_counts"]["total"] == 0
    assert api.post(f"/vector_stores/{store}/search", {"query": "moon"})["data"] == []


def test_a_file_that_is_cancelled_while_it_is_indexed_is_not_found(
    make_api: MakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, add = make_api(), Index.add_many
    file = api.upload("a.txt", b"The moon is made of cheese.")["id"]
    store = api.post("/vector_stores", {})["id"]

    def cancelled(index: Index, *given: Any) -> None:
        add(index, *given)
        batches = state_of(api.app).stores.get(store).batches  # type: ignore[union-attr]
        api.post(f"/vector_stores/{store}/file_batches/{next(iter(batches)).batch.id}/cancel")

    monkeypatch.setattr(Index, "add_many", cancelled)
    api.post(f"/vector_stores/{store}/file_batches", {"file_ids": [file]})
    assert api.get(f"/vector_stores/{store}/files/{file}")["status"] == "cancelled"
    assert api.post(f"/vector_stores/{store}/search", {"query": "moon"})["data"] == []


def test_who_follows_a_response_that_is_deleted_is_not_left_waiting(make: MakeApi) -> None:
    api = make()
    made = api.post("/responses", {"model": "m", "input": "hi", "background": True})
    again = api.app.handle(Request("GET", f"/responses/{made['id']}", query={"stream": ["true"]}))
    assert again.events is not None
    api.delete(f"/responses/{made['id']}")
    assert list(again.events) == []


# over a restart


def test_a_run_that_waits_over_its_expiry_and_a_restart_has_expired(make: MakeApi) -> None:
    look_up = {"type": "function", "function": {"name": "look_up"}}
    api = make([calls(function_call("look_up")), "Fine."])
    run = api.run(api.thread("hi"), api.assistant(tools=[look_up])["id"])
    assert run["status"] == "requires_action"
    api.app.close()
    api = make(["Fine."])
    api.time.forward(601)
    path = f"/threads/{run['thread_id']}"
    ended = api.get(f"{path}/runs/{run['id']}")
    assert (ended["status"], ended["required_action"]) == ("expired", None)
    assert {each["status"] for each in api.steps(ended)} == {"expired"}
    api.say(run["thread_id"], "Anyone there?")


def test_a_clock_that_was_set_back_changes_no_order_and_ends_nothing(make: MakeApi) -> None:
    api = make()
    thread, assistant = api.thread("first"), api.assistant()["id"]
    api.run(thread, assistant)
    api.app.close()
    api = make()
    api.time.forward(-86_400)
    api.say(thread, "second")
    assert api.run(thread, assistant)["status"] == "completed"
    texts = [
        each["content"][0]["text"]["value"]
        for each in api.get(f"/threads/{thread}/messages", order="asc")["data"]
    ]
    assert texts == ["first", "Fine.", "second", "Fine."]
    assert len(api.get(f"/threads/{thread}/runs")["data"]) == 2


def test_files_that_code_made_lie_where_they_were_after_a_restart(make: MakeApi) -> None:
    api = make([calls(run_code("open('/mnt/data/made.txt', 'w').write('one')")), "Done."])
    thread, assistant = api.thread("go"), api.assistant(tools=[{"type": "code_interpreter"}])["id"]
    api.run(thread, assistant)
    api.app.close()
    append = "open('/mnt/data/made.txt', 'a').write(' two'); print(open('/mnt/data/made.txt').read())"
    api = make([calls(run_code(append)), "Done.", calls(run_code(append)), "Done."])
    [code, _] = api.steps(api.run(thread, assistant))
    assert code["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"][0]["logs"] == "one two\n"
    [code, _] = api.steps(api.run(thread, assistant))
    logs = code["step_details"]["tool_calls"][0]["code_interpreter"]["outputs"][0]["logs"]
    assert logs == "one two two\n", "while it goes on, nothing is laid over what is there"


# full disks


@pytest.fixture
def held(path: Path) -> Iterator[tuple[App, threading.Event, threading.Event]]:
    """A server whose model answers when it is told to; the events of its being asked and told."""
    asked, told = threading.Event(), threading.Event()

    def answer(_: Any) -> str:
        asked.set()
        assert told.wait(60)
        return "x" * 50_000

    with App(ServerOptions(models=ModelTable(default=Scripted(answer)), state=path)) as app:
        yield app, asked, told


def call(app: App, method: str, path: str, body: Any = None) -> Any:
    return app.handle(Request(method, path, body)).body


@pytest.mark.parametrize("kind", ["run", "response"])
def test_work_that_a_full_disk_cannot_keep_has_failed_once_there_is_room(
    held: tuple[App, threading.Event, threading.Event], kind: str
) -> None:
    app, asked, told = held
    if kind == "run":
        assistant = call(app, "POST", "/assistants", {"model": "m"})["id"]
        thread = {"messages": [{"role": "user", "content": "hi"}]}
        made = call(app, "POST", "/threads/runs", {"assistant_id": assistant, "thread": thread})
        path = f"/threads/{made['thread_id']}/runs/{made['id']}"
    else:
        path = (
            "/responses/"
            + call(app, "POST", "/responses", {"model": "m", "input": "hi", "background": True})["id"]
        )
    assert asked.wait(60)
    pages(app)
    told.set()
    finish(app)
    refused = app.handle(
        Request("POST", "/files", upload=Upload("a", bytes(10**6), {"purpose": "user_data"}))
    )
    assert (refused.status, refused.body["error"]["code"]) == (500, "state_not_written")  # type: ignore[index]
    pages(app, 10**6)
    ended = call(app, "GET", path)
    assert ended["status"] == "failed"
    assert "cannot be written" in (ended.get("last_error") or ended["error"])["message"]
    if kind == "response":
        again = app.handle(Request("GET", path, query={"stream": ["true"]}))
        assert again.events is not None
        assert [name for name, _ in again.events][-1] == "response.failed"


def refuse_writing(app: App, refuses: bool) -> None:
    found = state_of(app).rows
    assert found is not None
    with state_of(app).lock:
        found.query(f"PRAGMA query_only = {int(refuses)}", ())


def finish(app: App) -> None:
    """Wait until nothing is worked on any more."""
    for work in set(app._engine._under_way):
        work.exception(timeout=120)


def test_who_streams_while_nothing_can_be_kept_is_told_so(
    held: tuple[App, threading.Event, threading.Event],
) -> None:
    app, asked, told = held
    assistant = call(app, "POST", "/assistants", {"model": "m"})["id"]
    body = {
        "assistant_id": assistant,
        "thread": {"messages": [{"role": "user", "content": "hi"}]},
        "stream": True,
    }
    with door.background(app) as base_url, httpx.Client(base_url=base_url, timeout=120) as client:
        with client.stream("POST", "/threads/runs", json=body) as answered:
            assert asked.wait(60)
            refuse_writing(app, True)
            told.set()
            lines = list(answered.iter_lines())
        refuse_writing(app, False)
        [run] = client.get(f"/threads/{json.loads(lines[1][6:])['id']}/runs").json()["data"]
        assert run["status"] == "failed"
        assert "event: error" in lines
        assert any("state_not_written" in line for line in lines)
        assert lines[-3:] == ["event: done", "data: [DONE]", ""]


def test_who_waits_for_a_change_on_a_full_disk_is_told_so_and_later_changes_are_kept(path: Path) -> None:
    with App(ServerOptions(state=path)) as app:
        state = state_of(app)
        thread = call(app, "POST", "/threads")["id"]
        pages(app)
        refused = pytest.raises(ApiError, match="cannot be written")
        with refused, state.changed:
            state.threads.get(thread).thread.metadata = {"a": "b" * 100_000}  # type: ignore[union-attr]
            state.changed.wait(0.01)
        pages(app, 10**6)
        call(app, "POST", f"/threads/{thread}", {"metadata": {"kept": "yes"}})
    with App(ServerOptions(state=path)) as app:
        assert call(app, "GET", f"/threads/{thread}")["metadata"] == {"kept": "yes"}


def test_what_a_full_disk_refuses_is_undone_for_those_who_hold_it_too(path: Path) -> None:
    with App(ServerOptions(state=path)) as app:
        state, thread = state_of(app), call(app, "POST", "/threads")["id"]
        with state.lock:
            held = state.threads.get(thread)
            assert held is not None
        pages(app)
        with pytest.raises(ApiError), state.lock:
            state.threads.remove(thread)
            kept = File(id="file-1", purpose="user_data", filename="a", bytes=10**6, created_at=0)
            state.files.add("file-1", FileRecord(kept, Content(bytes(10**6))))
        pages(app, 10**6)
        with state.lock:
            assert state.threads.get(thread) is held
            state.threads.mark(held)
            held.thread.metadata = {"kept": "yes"}
        assert call(app, "GET", f"/threads/{thread}")["metadata"] == {"kept": "yes"}


# damaged files


def damaged(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize("new", [b'"{a_mark":', b'"\xff_mark":"', b'"b_mark":"'])
def test_a_damaged_object_is_refused_by_name_and_everything_else_works(
    make: MakeApi, path: Path, new: bytes
) -> None:
    api = make()
    bad, good = api.thread("hi"), api.thread("hi")
    message = api.get(f"/threads/{bad}/messages")["data"][0]["id"]
    api.app.close()
    damaged(path, f'"id":"{message}"'.encode(), b'"id":' + new.ljust(len(message) + 2, b"x"))
    api = make()
    status, error = api.refused("GET", f"/threads/{bad}/messages/{message}")
    assert (status, error["code"], error["type"]) == (500, "state_not_read", "server_error")
    assert "is damaged" in error["message"]
    assert api.get(f"/threads/{good}/messages")["data"]


def test_a_file_with_damaged_pages_is_refused_or_answers_and_never_breaks(make: MakeApi, path: Path) -> None:
    api = make()
    threads = [api.thread(f"message {number} " * 100) for number in range(30)]
    api.app.close()
    whole = path.read_bytes()
    for start in range(4096, len(whole), 4096):
        path.write_bytes(whole[:start] + b"\x5a" * 4096 + whole[start + 4096 :])
        try:
            api = make()
        except SettingsError as problem:
            assert problem.code == "state-unusable"
            continue
        for each in (*(f"/threads/{thread}/messages" for thread in threads), "/assistants", "/files"):
            reply = api.call("GET", each)
            assert reply.status in (200, 404) or reply.body["error"]["code"] == "state_not_read"
        api.app.close()


def test_two_names_of_one_file_are_one_file(make: MakeApi, path: Path, tmp_path: Path) -> None:
    make()
    other = tmp_path / "other.db"
    other.symlink_to(path)
    with pytest.raises(SettingsError, match="is in use by another server"):
        App(ServerOptions(state=other))
