"""Indexes in the state file: what an earlier server indexed is found again, and what it deleted is gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.embedding import encoder
from harness.server import search
from harness.server.app import App, Request, ServerOptions, Upload
from harness.server.search import Chunk, Index


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@contextmanager
def server(path: Path) -> Iterator[Any]:
    with App(ServerOptions(state=path, eager=True)) as app:

        def call(method: str, where: str, body: Any = None) -> dict[str, Any]:
            reply = app.handle(Request(method, where, body))
            assert reply.status == 200, reply.body
            return reply.body or {}

        def upload(name: str, text: str) -> str:
            sent = Upload(name, text.encode(), {"purpose": "assistants"})
            reply = app.handle(Request("POST", "/files", upload=sent))
            return str((reply.body or {})["id"])

        call.upload = upload  # type: ignore[attr-defined]
        yield call


def filled(call: Any) -> tuple[str, list[str]]:
    """A store with two files about different things."""
    files = [
        call.upload("refunds.txt", "Refunds take five days."),
        call.upload("birds.txt", "Penguins swim."),
    ]
    return call("POST", "/vector_stores", {"file_ids": files})["id"], files


def found(call: Any, store: str, query: str, **options: Any) -> list[dict[str, Any]]:
    return call("POST", f"/vector_stores/{store}/search", {"query": query, **options})["data"]


def test_the_next_server_finds_the_same_without_reading_or_embedding_a_document(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(path) as call:
        store, [refunds, _] = filled(call)
        call("POST", f"/vector_stores/{store}/files/{refunds}", {"attributes": {"kind": "money"}})
        before = found(call, store, "get my money back")
    assert before[0]["filename"] == "refunds.txt"
    monkeypatch.setattr("harness.server.engine.vector_stores.ChunkCache.chunks", None)
    monkeypatch.setattr("harness.server.search.windows.windows", None)
    with server(path) as call:
        assert found(call, store, "get my money back") == before
        money = {"type": "eq", "key": "kind", "value": "money"}
        assert [row["file_id"] for row in found(call, store, "penguins", filters=money)] == [refunds]


def test_a_deleted_store_leaves_no_word_in_the_file(path: Path) -> None:
    with server(path) as call:
        store, files = filled(call)
        call("DELETE", f"/vector_stores/{store}")
        assert search.stores(path) == []
        for file in files:
            call("DELETE", f"/files/{file}")
    assert b"Penguins" not in path.read_bytes()


def test_what_a_killed_server_was_just_deleting_is_gone_in_the_next(path: Path) -> None:
    penguins = [Chunk("Penguins walk.", None, 0, 2, 0)]
    with server(path) as call:
        store, files = filled(call)
    Index(path, store).add("file-taken-out", "late.txt", penguins)
    Index(path, "vs_deleted").add("file-x", "x.txt", penguins)
    with server(path) as call:
        assert search.stores(path) == [store]
        assert {row["file_id"] for row in found(call, store, "penguins")} == set(files)


def test_a_file_deleted_everywhere_is_not_found_after_a_restart(path: Path) -> None:
    with server(path) as call:
        store, [refunds, birds] = filled(call)
    with server(path) as call:
        call("DELETE", f"/files/{birds}")
    with server(path) as call:
        assert [row["file_id"] for row in found(call, store, "penguins")] == [refunds]


def test_vectors_of_another_model_are_made_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = encoder.default()
    assert model is not None
    with server(path) as call:
        store, _ = filled(call)
        before = found(call, store, "get my money back")
    monkeypatch.setattr(model, "name", "another model")
    with server(path) as call:
        assert found(call, store, "get my money back") == before
    assert Index(path)._database.rows("SELECT DISTINCT model FROM search_files") == [("another model",)]


@pytest.mark.parametrize(("text", "embedding", "first"), [(1, 0, "words.txt"), (0, 1, "meaning.txt")])
def test_hybrid_search_weighs_words_against_meaning(
    tmp_path: Path, text: float, embedding: float, first: str
) -> None:
    question = "How do I get my money back?"
    weights = {"text_weight": text, "embedding_weight": embedding}
    with server(tmp_path / "state.sqlite") as call:
        files = [
            call.upload("words.txt", "Money orders lie in the back room; get the key to the money box."),
            call.upload("meaning.txt", "Customers are refunded within five days of a cancelled purchase."),
        ]
        store = call("POST", "/vector_stores", {"file_ids": files})["id"]
        tool = {
            "type": "file_search",
            "vector_store_ids": [store],
            "ranking_options": {"hybrid_search": weights},
        }
        body = {"model": "m", "input": question, "tools": [tool], "include": ["file_search_call.results"]}
        made = call("POST", "/responses", {**body, "tool_choice": {"type": "file_search"}})
    assert made["tools"][0]["ranking_options"]["hybrid_search"] == weights
    [search_call] = [item for item in made["output"] if item["type"] == "file_search_call"]
    assert search_call["results"][0]["filename"] == first


@pytest.mark.parametrize(
    ("weights", "param"),
    [
        ({"text_weight": 1}, "hybrid_search.embedding_weight"),
        ({"text_weight": -1, "embedding_weight": 1}, "hybrid_search.text_weight"),
        ({"text_weight": 0, "embedding_weight": 0}, "hybrid_search"),
    ],
)
def test_hybrid_search_without_two_good_weights_is_refused(
    path: Path, weights: dict[str, float], param: str
) -> None:
    tool = {"type": "file_search", "file_search": {"ranking_options": {"hybrid_search": weights}}}
    with App(ServerOptions()) as app:
        reply = app.handle(Request("POST", "/assistants", {"model": "m", "tools": [tool]}))
    assert reply.status == 400
    assert (reply.body or {})["error"]["param"].endswith(param)
