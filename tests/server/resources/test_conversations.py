"""/conversations: items that responses add to and go on from."""

from __future__ import annotations

from typing import Any

import pytest

from harness.server.llms.scripted import calls, function_call

Api = Any
LOOKUP = {"type": "function", "name": "lookup", "parameters": {"type": "object", "properties": {}}}


def said(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": text}


def texts(api: Api, conversation_id: str) -> list[str]:
    """What was said in a conversation, oldest first."""
    items = api.get(f"/conversations/{conversation_id}/items", order="asc", limit=100)["data"]
    return [item["content"][0]["text"] for item in items if item["type"] == "message"]


def ask(api: Api, conversation: Any, given: Any = "hi", **body: Any) -> dict[str, Any]:
    return api.post("/responses", {"model": "m", "input": given, "conversation": conversation, **body})


def test_a_conversation_is_made_changed_and_deleted(api: Api) -> None:
    made = api.post("/conversations", {"metadata": {"user": "u1"}})
    now = int(api.time.at.timestamp())
    whole = {"object": "conversation", "created_at": now, "metadata": {"user": "u1"}}
    assert made == {"id": made["id"], **whole}
    path = f"/conversations/{made['id']}"
    assert api.post(path, {"metadata": {"user": "u2"}})["metadata"] == {"user": "u2"}
    assert api.post(path, {"metadata": None})["metadata"] == {"user": "u2"}
    assert api.get(path)["metadata"] == {"user": "u2"}
    assert api.delete(path) == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
    status, error = api.refused("GET", path)
    assert (status, error["message"]) == (404, f"Conversation with id '{made['id']}' not found.")


def test_an_empty_body_makes_a_conversation(api: Api) -> None:
    assert api.post("/conversations")["id"].startswith("conv_")


def test_what_is_asked_and_answered_becomes_part_of_the_conversation(api: Api) -> None:
    conversation = api.post("/conversations", {"items": [said("first")]})["id"]
    made = ask(api, conversation, "second")
    assert made["conversation"] == {"id": conversation}
    ask(api, {"id": conversation}, "third")
    assert texts(api, conversation) == ["first", "second", "Fine.", "third", "Fine."]
    assert [message.content for message in api.model.requests[-1].messages] == texts(api, conversation)[:-1]


def test_a_function_call_and_its_output_stay_in_the_conversation(make_api: Any) -> None:
    api = make_api([calls(function_call("lookup")), "Done."])
    conversation = api.post("/conversations")["id"]
    call = ask(api, conversation, tools=[LOOKUP])["output"][0]
    status, error = api.refused(
        "POST", "/responses", {"model": "m", "input": "x", "conversation": conversation}
    )
    assert (status, error["message"]) == (400, f"No tool output found for function call {call['call_id']}.")
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "42"}
    ask(api, conversation, [output], tools=[LOOKUP])
    listed = api.get(f"/conversations/{conversation}/items", order="asc")["data"]
    kinds = [item["type"] for item in listed]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_a_response_that_failed_adds_nothing(make_api: Any) -> None:
    api = make_api([calls(function_call("other"))])
    conversation = api.post("/conversations")["id"]
    assert ask(api, conversation)["status"] == "failed"
    assert texts(api, conversation) == []


def test_a_conversation_can_be_answered_without_new_input(api: Api) -> None:
    conversation = api.post("/conversations", {"items": [said("waiting")]})["id"]
    assert ask(api, conversation, None)["status"] == "completed"
    assert api.model.requests[0].messages[-1].content == "waiting"


def test_a_deleted_conversation_leaves_a_response_in_the_background_alone(api: Api) -> None:
    conversation = api.post("/conversations")["id"]
    made = ask(api, conversation, background=True)
    api.delete(f"/conversations/{conversation}")
    assert api.get(f"/responses/{made['id']}")["status"] == "completed"


def test_items_are_added_listed_read_and_deleted(api: Api) -> None:
    conversation = api.post("/conversations")
    path = f"/conversations/{conversation['id']}/items"
    added = api.post(path, {"items": [said("one"), said("two")]})
    assert (added["object"], len(added["data"]), added["has_more"]) == ("list", 2, False)
    one, two = added["data"]
    assert [row["id"] for row in api.get(path)["data"]] == [two["id"], one["id"]]
    assert api.get(f"{path}/{one['id']}") == one
    assert api.delete(f"{path}/{one['id']}") == conversation
    assert api.refused("GET", f"{path}/{one['id']}")[0] == 404
    assert api.refused("DELETE", f"{path}/{one['id']}")[0] == 404
    assert texts(api, conversation["id"]) == ["two"]


@pytest.mark.parametrize("path", ["/conversations", "/conversations/{}/items"])
def test_more_than_twenty_items_at_a_time_are_refused(api: Api, path: str) -> None:
    conversation = api.post("/conversations")["id"]
    body = {"items": [said(str(number)) for number in range(21)]}
    status, error = api.refused("POST", path.format(conversation), body)
    assert (status, error["param"], error["code"]) == (400, "items", "array_above_max_length")
    assert texts(api, conversation) == []


def test_one_wrong_item_keeps_the_others_out(api: Api) -> None:
    conversation = api.post("/conversations")["id"]
    body = {"items": [said("fine"), {"type": "message", "role": "user"}]}
    status, error = api.refused("POST", f"/conversations/{conversation}/items", body)
    assert (status, error["param"]) == (400, "items[1].content")
    assert texts(api, conversation) == []


def test_an_item_is_in_a_conversation_only_once(api: Api) -> None:
    conversation = api.post("/conversations")["id"]
    item = {**said("one"), "id": "msg_mine"}
    path = f"/conversations/{conversation}/items"
    assert api.post(path, {"items": [item]})["first_id"] == "msg_mine"
    assert "Duplicate item" in api.refused("POST", path, {"items": [item]})[1]["message"]


def test_a_conversation_and_a_previous_response_exclude_each_other(api: Api) -> None:
    first = api.post("/responses", {"model": "m", "input": "hi"})["id"]
    conversation = api.post("/conversations")["id"]
    body = {"model": "m", "input": "x", "conversation": conversation, "previous_response_id": first}
    status, error = api.refused("POST", "/responses", body)
    assert (status, error["code"]) == (400, "mutually_exclusive_parameters")
    body = {"model": "m", "input": "x", "conversation": "conv_unknown"}
    assert api.refused("POST", "/responses", body)[0] == 404
