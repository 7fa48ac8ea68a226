"""/assistants: every key, partial updates, tools as they are echoed."""

from __future__ import annotations

from typing import Any

import pytest

Api = Any


def test_a_bare_assistant_has_every_key(api: Api) -> None:
    assistant = api.assistant()
    assert assistant == {
        "id": assistant["id"],
        "object": "assistant",
        "created_at": int(api.time.at.timestamp()),
        "name": None,
        "description": None,
        "model": "gpt-5.4",
        "instructions": None,
        "tools": [],
        "top_p": 1.0,
        "temperature": 1.0,
        "reasoning_effort": None,
        "tool_resources": {},
        "metadata": {},
        "response_format": "auto",
    }
    assert assistant["id"].startswith("asst_")
    assert api.get(f"/assistants/{assistant['id']}") == assistant


def test_tools_are_echoed_with_their_defaults(api: Api) -> None:
    given = [
        {"type": "file_search"},
        {"type": "code_interpreter"},
        {"type": "function", "function": {"name": "f", "description": "Finds."}},
    ]
    assistant = api.assistant(tools=given)
    ranking = {"ranker": "default_2024_08_21", "score_threshold": 0.0, "hybrid_search": None}
    assert assistant["tools"] == [
        {"type": "file_search", "file_search": {"ranking_options": ranking}},
        {"type": "code_interpreter"},
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "Finds.",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            },
        },
    ]
    assert assistant["tool_resources"] == {"code_interpreter": {"file_ids": []}}


def test_null_means_not_given_everywhere(api: Api) -> None:
    nothing = dict.fromkeys(
        ["name", "description", "instructions", "tools", "tool_resources", "metadata", "temperature", "top_p"]
    )
    assistant = api.assistant(**nothing)
    assert assistant["metadata"] == {}
    assert assistant["tools"] == []
    changed = api.post(f"/assistants/{assistant['id']}", {**nothing, "model": None, "name": "Guide"})
    assert changed == {**assistant, "name": "Guide"}


def test_an_update_of_tools_keeps_the_attached_store(api: Api) -> None:
    store = api.post("/vector_stores", {})["id"]
    resources = {"file_search": {"vector_store_ids": [store]}}
    assistant = api.assistant(tools=[{"type": "file_search"}], tool_resources=resources)
    path = f"/assistants/{assistant['id']}"
    tools = [{"type": "code_interpreter"}, {"type": "function", "function": {"name": "f"}}]
    assert api.post(path, {"tools": tools})["tool_resources"] == resources
    file = api.upload("a.csv", b"1")["id"]
    code = {"code_interpreter": {"file_ids": [file]}}
    assert api.post(path, {"tool_resources": code})["tool_resources"] == {**resources, **code}
    emptied = api.post(path, {"tool_resources": {"file_search": {"vector_store_ids": []}}, "tools": []})
    assert emptied["tool_resources"] == {"file_search": {"vector_store_ids": []}, **code}
    assert emptied["tools"] == []


def test_a_store_may_be_made_with_the_assistant(api: Api) -> None:
    file = api.upload("a.txt", b"Hello.")["id"]
    made = {"file_search": {"vector_stores": [{"file_ids": [file], "metadata": {"k": "v"}}]}}
    assistant = api.assistant(tool_resources=made)
    [store_id] = assistant["tool_resources"]["file_search"]["vector_store_ids"]
    store = api.get(f"/vector_stores/{store_id}")
    assert (store["file_counts"]["completed"], store["metadata"]) == (1, {"k": "v"})
    assert store["expires_after"] is None


def test_what_a_caller_does_to_a_body_changes_nothing_in_the_server(api: Api) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    given = {"model": "m", "tools": tools, "metadata": {"k": "v"}}
    assistant = api.post("/assistants", given)
    before = api.get(f"/assistants/{assistant['id']}")
    given["metadata"]["k"] = "changed"
    tools[0]["function"]["parameters"]["type"] = "changed"
    assistant["tools"].clear()
    assistant["metadata"]["more"] = "x"
    assert api.get(f"/assistants/{assistant['id']}") == before


def test_lists_are_newest_first_although_all_were_made_in_one_second(api: Api) -> None:
    ids = [api.assistant(name=str(number))["id"] for number in range(25)]
    first = api.get("/assistants")
    assert [row["id"] for row in first["data"]] == ids[:4:-1]
    assert (first["first_id"], first["last_id"], first["has_more"]) == (ids[24], ids[5], True)
    rest = api.get("/assistants", after=first["last_id"])
    assert [row["id"] for row in rest["data"]] == ids[4::-1]
    assert not rest["has_more"]
    assert api.get("/assistants", order="asc", limit=2)["data"][0]["id"] == ids[0]


def test_an_empty_list_has_null_ids(api: Api) -> None:
    empty = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    assert api.get("/assistants") == empty


def test_a_deleted_assistant_is_gone(api: Api) -> None:
    identifier = api.assistant()["id"]
    answer = {"id": identifier, "object": "assistant.deleted", "deleted": True}
    assert api.delete(f"/assistants/{identifier}") == answer
    status, error = api.refused("GET", f"/assistants/{identifier}")
    assert (status, error["message"]) == (404, f"No assistant found with id '{identifier}'.")
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": "m", "name": "x" * 257}, "name"),
        ({"model": "m", "description": "x" * 513}, "description"),
        ({"model": "m", "instructions": "x" * 256_001}, "instructions"),
        ({"model": "m", "temperature": 2.1}, "temperature"),
        ({"model": "m", "temperature": float("nan")}, "temperature"),
        ({"model": "m", "top_p": True}, "top_p"),
        ({"model": "m", "metadata": {str(n): "v" for n in range(17)}}, "metadata"),
        ({"model": "m", "metadata": {"k" * 65: "v"}}, "metadata"),
        ({"model": "m", "metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"model": "m", "metadata": {"k": 1}}, "metadata.k"),
        ({"model": "m", "tools": {}}, "tools"),
        ({"model": "m", "tools": [{"type": "code_interpreter"}] * 129}, "tools"),
        ({"model": "m", "tools": [{"type": "retrieval"}]}, "tools[0].type"),
        ({"model": "m", "tools": ["file_search"]}, "tools[0]"),
        ({"model": "m", "tools": [{"type": "function"}]}, "tools[0].function"),
        (
            {"model": "m", "tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
        ),
        ({"model": "m", "response_format": "json"}, "response_format"),
        ({"model": "m", "response_format": {"type": "xml"}}, "response_format.type"),
        ({"model": "m", "response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"model": "m", "tool_resources": {"file_search": {"vector_store_ids": ["a", "b"]}}},
            "tool_resources.file_search.vector_store_ids",
        ),
        ({"model": "m", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_named(api: Api, body: dict[str, Any], param: str) -> None:
    status, error = api.refused("POST", "/assistants", body)
    assert (status, error["param"]) == (400, param)
    assert api.get("/assistants")["data"] == []


def test_resources_must_exist(api: Api) -> None:
    code = {"code_interpreter": {"file_ids": ["file-gone"]}}
    status, error = api.refused("POST", "/assistants", {"model": "m", "tool_resources": code})
    assert (status, error["message"]) == (404, "No such File object: file-gone")
    search = {"file_search": {"vector_store_ids": ["vs_gone"]}}
    status, error = api.refused("POST", "/assistants", {"model": "m", "tool_resources": search})
    assert (status, error["message"]) == (404, "No vector store found with id 'vs_gone'.")


def test_an_id_of_another_kind_is_refused_as_such(api: Api) -> None:
    status, error = api.refused("GET", "/assistants/thread_1")
    assert (status, error["param"]) == (400, "assistant_id")
    assert "Expected an ID that begins with 'asst'" in error["message"]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "1.5", "9" * 40])
def test_limits_outside_1_to_100_are_refused(api: Api, limit: str) -> None:
    status, error = api.refused("GET", "/assistants", limit=limit)
    assert (status, error["param"]) == (400, "limit")
