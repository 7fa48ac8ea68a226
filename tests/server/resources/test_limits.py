"""Limits, nulls and deletions of every kind of object: one table each instead of one test a field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.server.resources import assistants, chat, responses, runs, vector_stores

Api = Any
MISSING = 404
"""What a list of ids of the right length is answered with when nothing has these ids."""


def pairs(number: int, key: int = 4, value: int = 4) -> dict[str, str]:
    """So many pairs, their first with a key and a value of so many characters."""
    long = {"k" * key: "v" * value}
    return {**long, **{f"other{n}": "v" for n in range(number - 1)}}


def functions(number: int) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": f"f{n}"}} for n in range(number)]


def named(characters: int) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": "f" * characters}}]


def files(number: int) -> list[str]:
    return [f"file-{n}" for n in range(number)]


def static(size: int, overlap: int) -> dict[str, Any]:
    sizes = {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}
    return {"type": "static", "static": sizes}


def store_resources(number: int) -> dict[str, Any]:
    return {"file_search": {"vector_store_ids": [f"vs_{n}" for n in range(number)]}}


def code_resources(number: int) -> dict[str, Any]:
    return {"code_interpreter": {"file_ids": files(number)}}


def life(days: int) -> dict[str, Any]:
    return {"anchor": "last_active_at", "days": days}


def search_tool(**options: Any) -> list[dict[str, Any]]:
    return [{"type": "file_search", "file_search": options}]


ASSISTANTS, THREADS, STORES = "/assistants", "/threads", "/vector_stores"
RUNS, IN_STORE, BATCHES, SEARCH = "{thread}/runs", "{store}/files", "{store}/file_batches", "{store}/search"
MESSAGES, ITEMS, RESPONSES = "{thread}/messages", "{conversation}/items", "/responses"
SAID = {"role": "user", "content": "x"}

LIMITS: list[tuple[str, str, Any, Any]] = [
    (ASSISTANTS, "metadata", pairs(16), pairs(17)),
    (ASSISTANTS, "metadata", pairs(1, key=64), pairs(1, key=65)),
    (ASSISTANTS, "metadata", pairs(1, value=512), pairs(1, value=513)),
    (ASSISTANTS, "name", "n" * 256, "n" * 257),
    (ASSISTANTS, "description", "d" * 512, "d" * 513),
    (ASSISTANTS, "instructions", "i" * 256_000, "i" * 256_001),
    (ASSISTANTS, "tools", functions(128), functions(129)),
    (ASSISTANTS, "tools", named(64), named(65)),
    (ASSISTANTS, "tools", search_tool(max_num_results=50), search_tool(max_num_results=51)),
    (ASSISTANTS, "tools", search_tool(max_num_results=1), search_tool(max_num_results=0)),
    (ASSISTANTS, "temperature", 2, 2.01),
    (ASSISTANTS, "temperature", 0, -0.01),
    (ASSISTANTS, "top_p", 1, 1.01),
    (ASSISTANTS, "top_p", 0, -0.01),
    (ASSISTANTS, "tool_resources", code_resources(20), code_resources(21)),
    (ASSISTANTS, "tool_resources", store_resources(1), store_resources(2)),
    (THREADS, "metadata", pairs(16), pairs(17)),
    (THREADS, "tool_resources", code_resources(20), code_resources(21)),
    (THREADS, "tool_resources", store_resources(1), store_resources(2)),
    (MESSAGES, "metadata", pairs(16), pairs(17)),
    (RUNS, "metadata", pairs(16), pairs(17)),
    (RUNS, "tools", functions(20), functions(21)),
    (RUNS, "instructions", "i" * 256_000, "i" * 256_001),
    (RUNS, "temperature", 2, 2.01),
    (RUNS, "top_p", 1, 1.01),
    (RUNS, "max_prompt_tokens", 256, 255),
    (RUNS, "max_completion_tokens", 256, 255),
    (STORES, "file_ids", files(500), files(501)),
    (STORES, "name", "n" * 256, "n" * 257),
    (STORES, "metadata", pairs(16), pairs(17)),
    (STORES, "expires_after", life(365), life(366)),
    (STORES, "expires_after", life(1), life(0)),
    (STORES, "chunking_strategy", static(4096, 2048), static(4097, 0)),
    (STORES, "chunking_strategy", static(100, 50), static(99, 0)),
    (STORES, "chunking_strategy", static(100, 0), static(100, 51)),
    (IN_STORE, "attributes", pairs(16), pairs(17)),
    (IN_STORE, "attributes", pairs(1, key=64), pairs(1, key=65)),
    (IN_STORE, "attributes", pairs(1, value=512), pairs(1, value=513)),
    (IN_STORE, "attributes", {"a": "x", "b": 1.5, "c": True}, {"a": ["x"]}),
    (IN_STORE, "chunking_strategy", static(4096, 2048), static(4097, 0)),
    (BATCHES, "file_ids", files(2_000), files(2_001)),
    (BATCHES, "files", [{"file_id": one} for one in files(2_000)], [{"file_id": "file-0"}] * 2_001),
    (SEARCH, "max_num_results", 50, 51),
    (SEARCH, "max_num_results", 1, 0),
    (SEARCH, "ranking_options", {"score_threshold": 1}, {"score_threshold": 1.1}),
    (SEARCH, "ranking_options", {"ranker": "none"}, {"ranker": "best"}),
    (ITEMS, "items", [SAID] * 20, [SAID] * 21),
    ("/conversations", "items", [SAID] * 20, [SAID] * 21),
    ("/conversations", "metadata", pairs(16), pairs(17)),
    (RESPONSES, "metadata", pairs(16), pairs(17)),
    (RESPONSES, "max_output_tokens", 16, 15),
    (RESPONSES, "temperature", 2, 2.01),
    (RESPONSES, "top_p", 1, 1.01),
]
NEEDED: dict[str, dict[str, Any]] = {
    ASSISTANTS: {"model": "m"},
    MESSAGES: SAID,
    RUNS: {"assistant_id": "{assistant}"},
    IN_STORE: {"file_id": "{file}"},
    SEARCH: {"query": "x"},
    RESPONSES: {"model": "m", "input": "x"},
    "/threads/runs": {"assistant_id": "{assistant}"},
    "/chat/completions": {"model": "m", "messages": [SAID]},
}


def places(api: Api) -> dict[str, str]:
    return {
        "thread": f"/threads/{api.thread('hi')}",
        "store": f"/vector_stores/{api.post('/vector_stores', {})['id']}",
        "conversation": f"/conversations/{api.post('/conversations', {})['id']}",
        "assistant": api.assistant()["id"],
        "file": api.upload("a.txt", b"x")["id"],
    }


def needed_for(path: str, there: dict[str, str]) -> dict[str, Any]:
    """The fields that a request to a path must have."""
    return {
        name: value.format(**there) if isinstance(value, str) else value
        for name, value in NEEDED.get(path, {}).items()
    }


@pytest.mark.parametrize(("path", "field", "legal", "too_much"), LIMITS)
def test_the_largest_legal_value_is_taken_and_more_is_refused(
    api: Api, path: str, field: str, legal: Any, too_much: Any
) -> None:
    there = places(api)
    needed = needed_for(path, there)
    status, error = api.refused("POST", path.format(**there), {**needed, field: too_much})
    assert status == 400
    assert error["param"].partition(".")[0].partition("[")[0] == field
    assert api.call("POST", path.format(**there), {**needed, field: legal}).status in (200, MISSING)


EVERY_FIELD: list[tuple[str, Sequence[str]]] = [
    (ASSISTANTS, assistants._FIELDS),
    (THREADS, ("messages", "tool_resources", "metadata")),
    (MESSAGES, ("attachments", "metadata")),
    (RUNS, runs._ON_THREAD),
    ("/threads/runs", runs._WITH_THREAD),
    (STORES, vector_stores._DRAFT_FIELDS),
    (IN_STORE, ("attributes", "chunking_strategy")),
    (SEARCH, ("max_num_results", "rewrite_query", "filters", "ranking_options")),
    ("/conversations", ("items", "metadata")),
    (RESPONSES, responses._FIELDS),
    ("/chat/completions", chat._FIELDS),
]


@pytest.mark.parametrize(("path", "names"), EVERY_FIELD)
def test_a_null_in_any_optional_field_means_not_given(api: Api, path: str, names: Sequence[str]) -> None:
    there = places(api)
    needed = needed_for(path, there)
    nulls = {name: None for name in names if name not in needed}
    passing = {"id", "thread_id", "output"}
    answers = [api.post(path.format(**there), body) for body in (needed, {**nulls, **needed})]
    without, with_nulls = ({key: made[key] for key in made.keys() - passing} for made in answers)
    assert with_nulls == without


LISTS = ["/assistants", "/files", "/vector_stores", "{thread}/messages", "{store}/files"]


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_of_one_to_a_hundred_rows_and_files_of_ten_thousand(api: Api, path: str) -> None:
    most = 10_000 if path == "/files" else 100
    path = path.format(**places(api))
    for limit, code in ((0, "integer_below_min_value"), (most + 1, "integer_above_max_value")):
        status, error = api.refused("GET", path, limit=limit)
        assert (status, error["param"], error["code"]) == (400, "limit", code)
    for limit in (1, most):
        assert api.get(path, limit=limit)["object"] == "list"


def deletions(api: Api) -> list[tuple[str, str]]:
    """Path of everything that can be deleted, and what the answer calls it."""
    there = places(api)
    message = api.say(there["thread"].rpartition("/")[2], "more")["id"]
    api.post(f"{there['store']}/files", {"file_id": there["file"]})
    response = api.post("/responses", {"model": "m", "input": "x"})["id"]
    return [
        (f"{there['thread']}/messages/{message}", "thread.message.deleted"),
        (there["thread"], "thread.deleted"),
        (f"/assistants/{there['assistant']}", "assistant.deleted"),
        (f"{there['store']}/files/{there['file']}", "vector_store.file.deleted"),
        (there["store"], "vector_store.deleted"),
        (f"/files/{there['file']}", "file"),
        (f"/responses/{response}", "response"),
        (there["conversation"], "conversation.deleted"),
    ]


def test_what_is_deleted_is_named_once_and_not_found_again(api: Api) -> None:
    for path, kind in deletions(api):
        answer = {"id": path.rpartition("/")[2], "object": kind, "deleted": True}
        assert api.delete(path) == answer
        assert api.refused("DELETE", path)[0] == 404
        assert api.refused("GET", path)[0] == 404
