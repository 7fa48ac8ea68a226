"""/vector_stores: life, files, batches, searches."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from harness.server.engine import vector_stores
from harness.server.llms.interface import ModelRequest
from harness.server.llms.scripted import calls, file_search
from harness.server.search.chunk import token_starts

Api = Any
DEFAULT = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}
NO_FILES = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}


@pytest.fixture
def slow_reading(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Files are read only after the event is set."""
    go_on = threading.Event()
    read = vector_stores._read

    def later(*arguments: Any) -> Any:
        assert go_on.wait(60)
        return read(*arguments)

    monkeypatch.setattr(vector_stores, "_read", later)
    monkeypatch.setattr(vector_stores, "_CACHE", vector_stores.ChunkCache())
    return go_on


def test_an_empty_store_has_every_key_and_is_completed(api: Api) -> None:
    store = api.post("/vector_stores", {"name": "kb"})
    now = int(api.time.at.timestamp())
    assert store == {
        "id": store["id"],
        "object": "vector_store",
        "created_at": now,
        "name": "kb",
        "description": None,
        "usage_bytes": 0,
        "file_counts": NO_FILES,
        "status": "completed",
        "expires_after": None,
        "expires_at": None,
        "last_active_at": now,
        "metadata": {},
    }


def test_a_small_file_counts_its_text_and_one_embedding(api: Api) -> None:
    file = api.upload("a.txt", b"This is twenty-one b.")["id"]
    store = api.post("/vector_stores", {})["id"]
    added = api.post(f"/vector_stores/{store}/files", {"file_id": file})
    assert added["id"] == file
    row = api.get(f"/vector_stores/{store}/files/{file}")
    assert row == {
        "id": file,
        "object": "vector_store.file",
        "usage_bytes": 1045,
        "created_at": row["created_at"],
        "vector_store_id": store,
        "status": "completed",
        "last_error": None,
        "chunking_strategy": DEFAULT,
        "attributes": {},
    }
    assert api.get(f"/vector_stores/{store}")["usage_bytes"] == 1045


def test_one_bad_file_never_fails_its_batch(api: Api) -> None:
    names = [
        ("good.txt", b"Good text."),
        ("bad.pdf", b"not a pdf"),
        ("odd.xyz", b"\0\1\2"),
        ("none.txt", b""),
    ]
    ids = {name: api.upload(name, content)["id"] for name, content in names}
    store = api.post("/vector_stores", {})["id"]
    made = api.post(f"/vector_stores/{store}/file_batches", {"file_ids": list(ids.values())})
    assert made["id"].startswith("vsfb_")
    batch = api.get(f"/vector_stores/{store}/file_batches/{made['id']}")
    assert (batch["object"], batch["status"]) == ("vector_store.file_batch", "completed")
    assert batch["file_counts"] == {**NO_FILES, "completed": 1, "failed": 3, "total": 4}
    assert api.replies[-1].headers["openai-poll-after-ms"] == "20"
    failed = api.get(f"/vector_stores/{store}/file_batches/{made['id']}/files", filter="failed")["data"]
    codes = {row["id"]: row["last_error"]["code"] for row in failed}
    assert codes[ids["bad.pdf"]] == "invalid_file"
    assert codes[ids["odd.xyz"]] == "unsupported_file"
    assert codes[ids["none.txt"]] == "invalid_file"
    assert api.get(f"/vector_stores/{store}/files", filter="completed")["data"][0]["id"] == ids["good.txt"]


def test_a_batch_may_say_more_about_each_file(api: Api) -> None:
    first, second = (api.upload(f"{name}.txt", name.encode())["id"] for name in "ab")
    store = api.post("/vector_stores", {})["id"]
    small = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
    files = [
        {"file_id": first, "attributes": {"year": 2024}},
        {"file_id": second, "chunking_strategy": small},
    ]
    api.post(f"/vector_stores/{store}/file_batches", {"files": files})
    rows = {row["id"]: row for row in api.get(f"/vector_stores/{store}/files")["data"]}
    assert (rows[first]["attributes"], rows[first]["chunking_strategy"]) == ({"year": 2024}, DEFAULT)
    assert (rows[second]["attributes"], rows[second]["chunking_strategy"]) == ({}, small)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"file_ids": []},
        {"file_ids": ["file-x"], "files": [{"file_id": "file-x"}]},
        {"file_ids": ["file-x"] * 2001},
        {"file_ids": [7]},
    ],
)
def test_a_batch_without_a_clear_list_of_files_is_refused(api: Api, body: dict[str, Any]) -> None:
    store = api.post("/vector_stores", {})["id"]
    assert api.refused("POST", f"/vector_stores/{store}/file_batches", body)[0] == 400


@pytest.mark.in_one_life
def test_a_batch_in_progress_counts_down_and_can_be_cancelled(
    make_api: Any, slow_reading: threading.Event
) -> None:
    api = make_api(eager=False)
    files = [api.upload(f"{number}.txt", f"Text {number}.".encode())["id"] for number in range(4)]
    store = api.post("/vector_stores", {})["id"]
    batch = api.post(f"/vector_stores/{store}/file_batches", {"file_ids": files})
    assert (batch["status"], batch["file_counts"]["in_progress"]) == ("in_progress", 4)
    assert api.get(f"/vector_stores/{store}")["status"] == "in_progress"
    path = f"/vector_stores/{store}/file_batches/{batch['id']}"
    cancelled = api.post(f"{path}/cancel")
    slow_reading.set()
    api.app.close()
    assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 4)
    assert api.get(path)["file_counts"] == {**NO_FILES, "cancelled": 4, "total": 4}


@pytest.mark.in_one_life
def test_a_run_waits_for_files_of_its_thread_that_are_being_indexed(
    make_api: Any, slow_reading: threading.Event
) -> None:
    api = make_api(lambda request: "ready", eager=False)
    file = api.upload("a.txt", b"Text.")["id"]
    search = [{"type": "file_search"}]
    thread = api.thread()
    message = {"role": "user", "content": "x", "attachments": [{"file_id": file, "tools": search}]}
    api.post(f"/threads/{thread}/messages", message)
    events = api.call(
        "POST", f"/threads/{thread}/runs", {"assistant_id": api.assistant(tools=search)["id"], "stream": True}
    ).events
    assert [next(events)[0] for _ in range(3)][-1] == "thread.run.in_progress"
    assert not api.model.requests
    slow_reading.set()
    assert [name for name, _ in events][-1] == "thread.run.completed"
    [store] = api.get(f"/threads/{thread}")["tool_resources"]["file_search"]["vector_store_ids"]
    assert api.get(f"/vector_stores/{store}")["file_counts"]["completed"] == 1


@pytest.mark.in_one_life
def test_a_run_and_a_response_wait_for_files_of_the_stores_they_name(
    make_api: Any, slow_reading: threading.Event
) -> None:
    def model(request: ModelRequest) -> Any:
        last = request.messages[-1]
        return last.hits[0].text if last.hits else calls(file_search("moon"))

    api = make_api(model, eager=False)
    file = api.upload("moon.txt", b"The moon is made of cheese.")["id"]
    store = api.post("/vector_stores", {"file_ids": [file]})["id"]
    assistant = api.assistant(
        tools=[{"type": "file_search"}], tool_resources={"file_search": {"vector_store_ids": [store]}}
    )
    thread = api.thread("What is the moon made of?")
    path, body = f"/threads/{thread}/runs", {"assistant_id": assistant["id"], "stream": True}
    run = api.call("POST", path, body).events
    tool = {"type": "file_search", "vector_store_ids": [store]}
    body = {"model": "m", "input": "What is the moon made of?", "tools": [tool], "stream": True}
    response = api.call("POST", "/responses", body).events
    while next(run)[0] != "thread.run.in_progress":
        pass
    while next(response)[0] != "response.file_search_call.searching":
        pass
    assert api.get(f"/vector_stores/{store}")["status"] == "in_progress"
    slow_reading.set()
    assert list(run)[-1][1]["status"] == "completed"
    assert list(response)[-1][1]["response"]["output"][-1]["content"][0]["text"].startswith("The moon is")
    [part] = api.get(f"/threads/{thread}/messages")["data"][0]["content"]
    assert part["text"]["value"].startswith("The moon is")


def test_the_same_bytes_are_read_only_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    read = vector_stores._read
    monkeypatch.setattr(vector_stores, "_CACHE", vector_stores.ChunkCache())
    monkeypatch.setattr(vector_stores, "_read", lambda *given: reads.append(given[0]) or read(*given))
    for _ in range(3):
        api.post("/vector_stores", {"file_ids": [api.upload("a.txt", b"Always the same.")["id"]]})
    assert reads == ["a.txt"]


def test_a_search_ranks_filters_and_echoes_its_queries(api: Api) -> None:
    store = api.post("/vector_stores", {})["id"]
    for name, text, year in [
        ("moon", "The moon is made of cheese.", 2024),
        ("car", "Cars have wheels.", 2020),
    ]:
        file = api.upload(f"{name}.txt", text.encode())["id"]
        body = {"file_id": file, "attributes": {"year": year}}
        api.post(f"/vector_stores/{store}/files", body)
    path = f"/vector_stores/{store}/search"
    page = api.post(path, {"query": "What is the moon made of?"})
    assert page["object"] == "vector_store.search_results.page"
    assert page["search_query"] == ["What is the moon made of?"]
    assert (page["has_more"], page["next_page"]) == (False, None)
    best = page["data"][0]
    assert (best["filename"], best["attributes"]) == ("moon.txt", {"year": 2024})
    assert best["content"] == [{"type": "text", "text": "The moon is made of cheese."}]
    assert 0 <= best["score"] <= 1
    older = {"type": "lt", "key": "year", "value": 2023}
    found = api.post(path, {"query": ["moon", "cheese"], "filters": older})["data"]
    assert {row["filename"] for row in found} <= {"car.txt"}
    assert len(api.post(path, {"query": "moon cars", "max_num_results": 1})["data"]) == 1


def test_changed_attributes_are_what_searches_filter_by(api: Api) -> None:
    file = api.upload("moon.txt", b"The moon is made of cheese.")["id"]
    store = api.post("/vector_stores", {"file_ids": [file]})["id"]
    changed = api.post(f"/vector_stores/{store}/files/{file}", {"attributes": {"lang": "en"}})
    assert changed["attributes"] == {"lang": "en"}
    wanted = {"type": "eq", "key": "lang", "value": "en"}
    [row] = api.post(f"/vector_stores/{store}/search", {"query": "moon", "filters": wanted})["data"]
    assert row["attributes"] == {"lang": "en"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": []},
        {"query": 5},
        {"query": "x", "max_num_results": 51},
        {"query": "x", "filters": {"type": "like", "key": "a", "value": "b"}},
        {"query": "x", "filters": "year > 5"},
        {"query": "x", "ranking_options": {"score_threshold": 2}},
        {"query": "x", "ranking_options": {"ranker": "best"}},
    ],
)
def test_a_wrong_search_is_refused_even_by_an_empty_store(api: Api, body: dict[str, Any]) -> None:
    store = api.post("/vector_stores", {})["id"]
    assert api.refused("POST", f"/vector_stores/{store}/search", body)[0] == 400


@pytest.mark.parametrize(
    "sizes", [(99, 10), (4097, 10), (400, 201), (400, -1), ("800", 400), (800, None), (800, 400.5)]
)
def test_chunk_sizes_outside_their_bounds_are_refused(api: Api, sizes: tuple[Any, Any]) -> None:
    static = {"max_chunk_size_tokens": sizes[0], "chunk_overlap_tokens": sizes[1]}
    body = {"chunking_strategy": {"type": "static", "static": static}}
    assert api.refused("POST", "/vector_stores", body)[0] == 400


def test_a_store_expires_after_days_without_use(api: Api) -> None:
    expiry = {"anchor": "last_active_at", "days": 2}
    store = api.post("/vector_stores", {"expires_after": expiry})
    path = f"/vector_stores/{store['id']}"
    assert store["expires_at"] == store["last_active_at"] + 2 * 86_400
    api.time.forward(86_400)
    api.post(f"{path}/search", {"query": "x"})
    assert api.get(path)["expires_at"] == store["expires_at"] + 86_400
    api.time.forward(2 * 86_400)
    assert api.get(path)["status"] == "expired"
    assert api.refused("POST", f"{path}/search", {"query": "x"})[0] == 400


def expired_store(api: Api) -> tuple[str, str]:
    """The path of a store whose time is over, and a file to be put into it."""
    expiry = {"anchor": "last_active_at", "days": 1}
    store = api.post("/vector_stores", {"expires_after": expiry})["id"]
    api.time.forward(86_400)
    return f"/vector_stores/{store}", api.upload("moon.txt", b"The moon is made of cheese.")["id"]


def test_nothing_is_put_into_an_expired_store(api: Api) -> None:
    path, file = expired_store(api)
    message = f"Vector store {path.rpartition('/')[2]} is expired."
    for part, body in (("files", {"file_id": file}), ("file_batches", {"file_ids": [file]})):
        status, error = api.refused("POST", f"{path}/{part}", body)
        assert (status, error["message"]) == (400, message)
    assert api.get(path)["file_counts"]["total"] == 0


def test_an_expired_store_stays_expired_until_it_is_given_a_longer_life(api: Api) -> None:
    path, _ = expired_store(api)
    last_used = api.get(path)["last_active_at"]
    renamed = api.post(path, {"name": "old"})
    assert (renamed["status"], renamed["name"], renamed["last_active_at"]) == ("expired", "old", last_used)
    longer = api.post(path, {"expires_after": {"anchor": "last_active_at", "days": 3}})
    assert longer["status"] == "completed"
    assert longer["expires_at"] == longer["last_active_at"] + 3 * 86_400


def test_a_file_with_more_tokens_than_can_be_searched_fails_alone(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules[token_starts.__module__], "MAX_TOKENS", 1_000)
    texts = {"short.txt": "word " * 1_000, "long.txt": "word " * 1_100}
    files = {name: api.upload(name, text.encode())["id"] for name, text in texts.items()}
    store = api.post("/vector_stores", {"file_ids": list(files.values())})["id"]
    rows = {name: api.get(f"/vector_stores/{store}/files/{file}") for name, file in files.items()}
    assert {name: row["status"] for name, row in rows.items()} == {
        "short.txt": "completed",
        "long.txt": "failed",
    }
    assert rows["long.txt"]["last_error"] == {
        "code": "invalid_file",
        "message": "'long.txt' has more than 1,000 tokens, the most of a file; split it",
    }


def test_content_gives_the_text_that_was_read(api: Api) -> None:
    text = "A first line.\n\n" + "More and more words. " * 400
    file = api.upload("long.txt", text.encode())["id"]
    store = api.post("/vector_stores", {"file_ids": [file]})["id"]
    page = api.get(f"/vector_stores/{store}/files/{file}/content")
    assert page["object"] == "vector_store.file_content.page"
    assert "".join(part["text"] for part in page["data"]).split() == text.split()


def test_a_file_taken_out_of_a_store_stays_a_file(api: Api) -> None:
    file = api.upload("moon.txt", b"The moon is made of cheese.")["id"]
    store = api.post("/vector_stores", {"file_ids": [file]})["id"]
    path = f"/vector_stores/{store}/files/{file}"
    assert api.delete(path) == {"id": file, "object": "vector_store.file.deleted", "deleted": True}
    assert api.refused("GET", path)[0] == 404
    assert api.get(f"/files/{file}")["id"] == file
    assert api.post(f"/vector_stores/{store}/search", {"query": "moon"})["data"] == []


def test_a_deleted_store_is_gone_and_its_files_stay(api: Api) -> None:
    file = api.upload("a.txt", b"x")["id"]
    store = api.post("/vector_stores", {"file_ids": [file]})["id"]
    answer = {"id": store, "object": "vector_store.deleted", "deleted": True}
    assert api.delete(f"/vector_stores/{store}") == answer
    status, error = api.refused("GET", f"/vector_stores/{store}")
    assert (status, error["message"]) == (404, f"No vector store found with id '{store}'.")
    assert api.get(f"/files/{file}")["id"] == file


def test_unknown_files_are_named_before_anything_is_made(api: Api) -> None:
    status, error = api.refused("POST", "/vector_stores", {"file_ids": ["file-gone"]})
    assert (status, error["message"]) == (404, "No such File object: file-gone")
    assert api.get("/vector_stores")["data"] == []


@pytest.mark.in_one_life
def test_a_store_that_is_deleted_while_it_is_searched_finds_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = api.upload("moon.txt", b"The moon is made of cheese.")["id"]
    store = api.post("/vector_stores", {"file_ids": [file]})["id"]
    find = vector_stores.VectorStores._index_of

    def deleting(self: vector_stores.VectorStores, store_id: str) -> Any:
        index = find(self, store_id)
        monkeypatch.undo()
        api.delete(f"/vector_stores/{store}")
        return index

    monkeypatch.setattr(vector_stores.VectorStores, "_index_of", deleting)
    assert api.post(f"/vector_stores/{store}/search", {"query": "moon"})["data"] == []


def test_a_store_and_its_files_can_be_renamed_and_listed(api: Api) -> None:
    made = [api.post("/vector_stores", {"name": str(number)})["id"] for number in range(3)]
    expiry = {"anchor": "last_active_at", "days": 1}
    changed = api.post(
        f"/vector_stores/{made[0]}", {"name": "new", "metadata": {"k": "v"}, "expires_after": expiry}
    )
    assert (changed["name"], changed["metadata"], changed["expires_after"]) == ("new", {"k": "v"}, expiry)
    assert changed["expires_at"] == changed["last_active_at"] + 86_400
    assert [row["id"] for row in api.get("/vector_stores")["data"]] == made[::-1]
    assert api.refused("GET", f"/vector_stores/{made[0]}/files", filter="broken")[0] == 400
    assert api.refused("GET", f"/vector_stores/{made[0]}/file_batches/vsfb_none")[0] == 404
