"""/threads and their messages: contents, attachments, the lock."""

from __future__ import annotations

from typing import Any

import pytest

from harness.server.llms.scripted import calls, function_call

Api = Any
FUNCTION = {"type": "function", "function": {"name": "lookup"}}
WEEK_S = 7 * 86_400


def waiting(make_api: Any) -> tuple[Api, str, str]:
    """A server, a thread, and the run that locks it while it waits for an output."""
    api = make_api([calls(function_call("lookup")), "Done."])
    thread = api.thread("hi")
    return api, thread, api.run(thread, api.assistant(tools=[FUNCTION])["id"])["id"]


def test_an_empty_body_makes_an_empty_thread(api: Api) -> None:
    thread = api.post("/threads")
    assert thread == {
        "id": thread["id"],
        "object": "thread",
        "created_at": int(api.time.at.timestamp()),
        "metadata": {},
        "tool_resources": {},
    }


def test_a_message_has_every_key_and_text_becomes_one_part(api: Api) -> None:
    thread = api.thread()
    message = api.say(thread, "Hello.")
    now = int(api.time.at.timestamp())
    assert message == {
        "id": message["id"],
        "object": "thread.message",
        "created_at": now,
        "assistant_id": None,
        "thread_id": thread,
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": now,
        "role": "user",
        "content": [{"type": "text", "text": {"value": "Hello.", "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }


def test_parts_are_echoed_in_the_form_in_which_they_are_read(api: Api) -> None:
    image = api.upload("cat.png", b"png", purpose="vision")["id"]
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image_file", "image_file": {"file_id": image}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
    ]
    content = api.post(f"/threads/{api.thread()}/messages", {"role": "user", "content": parts})["content"]
    assert content == [
        {"type": "text", "text": {"value": "Look:", "annotations": []}},
        {"type": "image_file", "image_file": {"file_id": image, "detail": "auto"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"role": "user"}, "content"),
        ({"content": "x"}, "role"),
        ({"role": "system", "content": "x"}, "role"),
        ({"role": "user", "content": ""}, "content"),
        ({"role": "user", "content": []}, "content"),
        ({"role": "user", "content": 7}, "content"),
        ({"role": "user", "content": "x" * 256_001}, "content"),
        ({"role": "user", "content": [{"type": "audio"}]}, "content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "content[0].text"),
        ({"role": "user", "content": "x", "attachments": [{}]}, "attachments[0].file_id"),
        ({"role": "user", "content": "x", "metadata": {"a": None}}, "metadata.a"),
    ],
)
def test_a_wrong_message_is_refused_and_named_alone_and_in_a_new_thread(
    api: Api, body: dict[str, Any], param: str
) -> None:
    status, error = api.refused("POST", f"/threads/{api.thread()}/messages", body)
    assert (status, error["param"]) == (400, param)
    status, error = api.refused("POST", "/threads", {"messages": [{"role": "user", "content": "ok"}, body]})
    assert (status, error["param"]) == (400, f"messages[1].{param}")


def test_attachments_for_search_make_the_thread_s_store_and_fill_it(api: Api) -> None:
    first, second = (api.upload(f"{name}.txt", b"Text.")["id"] for name in "ab")
    thread = api.thread()
    search = [{"type": "file_search"}]
    message = {"role": "user", "content": "x", "attachments": [{"file_id": first, "tools": search}]}
    made = api.post(f"/threads/{thread}/messages", message)
    assert made["attachments"] == [{"file_id": first, "tools": search}]
    [store] = api.get(f"/threads/{thread}")["tool_resources"]["file_search"]["vector_store_ids"]
    api.post(
        f"/threads/{thread}/messages",
        {"role": "user", "content": "x", "attachments": [{"file_id": second, "tools": search}]},
    )
    body = api.get(f"/vector_stores/{store}")
    assert body["file_counts"]["completed"] == 2
    assert body["expires_after"] == {"anchor": "last_active_at", "days": 7}
    assert body["expires_at"] == body["last_active_at"] + WEEK_S
    resources = api.get(f"/threads/{thread}")["tool_resources"]
    assert resources == {"file_search": {"vector_store_ids": [store]}}


def test_attachments_for_code_are_limited_to_twenty_files(api: Api) -> None:
    files = [api.upload(f"{number}.csv", b"1")["id"] for number in range(21)]
    attached = [{"file_id": file, "tools": [{"type": "code_interpreter"}]} for file in files]
    thread = api.thread()
    message = {"role": "user", "content": "x", "attachments": attached[:20]}
    api.post(f"/threads/{thread}/messages", message)
    assert api.get(f"/threads/{thread}")["tool_resources"]["code_interpreter"]["file_ids"] == files[:20]
    over = {"role": "user", "content": "x", "attachments": attached[20:]}
    status, error = api.refused("POST", f"/threads/{thread}/messages", over)
    assert (status, error["param"]) == (400, "attachments")
    assert len(api.get(f"/threads/{thread}/messages")["data"]) == 1


def test_a_thread_with_one_wrong_part_is_not_made_and_leaves_nothing(api: Api) -> None:
    file = api.upload("a.txt", b"Text.")["id"]
    body = {
        "tool_resources": {"file_search": {"vector_stores": [{"file_ids": [file]}]}},
        "messages": [{"role": "user", "content": ""}],
    }
    api.refused("POST", "/threads", body)
    assert api.get("/vector_stores")["data"] == []


def test_messages_can_be_listed_by_run(api: Api) -> None:
    thread = api.thread("one")
    run = api.run(thread, api.assistant()["id"])
    api.say(thread, "two")
    [only] = api.get(f"/threads/{thread}/messages", run_id=run["id"])["data"]
    assert (only["role"], only["run_id"], only["assistant_id"]) == (
        "assistant",
        run["id"],
        run["assistant_id"],
    )
    assert api.get(f"/threads/{thread}/messages", run_id="run_none")["data"] == []


def test_metadata_of_messages_and_threads_can_be_replaced(api: Api) -> None:
    thread = api.post("/threads", {"metadata": {"a": "1"}})["id"]
    message = api.say(thread, "x")["id"]
    assert api.post(f"/threads/{thread}", {"metadata": {"b": "2"}})["metadata"] == {"b": "2"}
    assert api.post(f"/threads/{thread}", {"metadata": None})["metadata"] == {"b": "2"}
    path = f"/threads/{thread}/messages/{message}"
    assert api.post(path, {"metadata": {"c": "3"}})["metadata"] == {"c": "3"}
    assert api.get(path)["metadata"] == {"c": "3"}


def test_a_deleted_message_is_gone_and_the_model_does_not_see_it(api: Api) -> None:
    thread = api.thread("secret", "open")
    secret = api.get(f"/threads/{thread}/messages", order="asc")["data"][0]["id"]
    answer = api.delete(f"/threads/{thread}/messages/{secret}")
    assert answer == {"id": secret, "object": "thread.message.deleted", "deleted": True}
    status, error = api.refused("GET", f"/threads/{thread}/messages/{secret}")
    assert (status, error["message"]) == (404, f"No message found with id '{secret}'.")
    api.run(thread, api.assistant()["id"])
    assert [message.content for message in api.model.requests[0].messages] == ["open"]


def test_an_active_run_locks_the_thread_with_the_known_words(make_api: Any) -> None:
    api, thread, run = waiting(make_api)
    message = {"role": "user", "content": "me too"}
    status, error = api.refused("POST", f"/threads/{thread}/messages", message)
    assert status == 400
    assert error["message"] == f"Can't add messages to {thread} while a run {run} is active."
    other = api.assistant()["id"]
    status, error = api.refused("POST", f"/threads/{thread}/runs", {"assistant_id": other})
    assert status == 400
    assert error["message"] == f"Thread {thread} already has an active run {run}."


def test_a_locked_thread_can_be_read_updated_and_deleted(make_api: Any) -> None:
    api, thread, run = waiting(make_api)
    assert len(api.get(f"/threads/{thread}/messages")["data"]) == 1
    assert api.post(f"/threads/{thread}", {"metadata": {"k": "v"}})["metadata"] == {"k": "v"}
    assert api.post(f"/threads/{thread}/runs/{run}", {"metadata": {"r": "s"}})["metadata"] == {"r": "s"}
    assert api.delete(f"/threads/{thread}")["object"] == "thread.deleted"
    status, error = api.refused("GET", f"/threads/{thread}/runs/{run}")
    assert (status, error["message"]) == (404, f"No thread found with id '{thread}'.")


def test_a_refused_run_does_not_lock_the_thread(api: Api) -> None:
    thread = api.thread("hi")
    assistant = api.assistant()["id"]
    api.refused("POST", f"/threads/{thread}/runs", {"assistant_id": "asst_gone"})
    api.refused("POST", f"/threads/{thread}/runs", {"assistant_id": assistant, "max_prompt_tokens": 10})
    wrong = [{"role": "user", "content": "kept out"}, {"role": "user", "content": ""}]
    api.refused("POST", f"/threads/{thread}/runs", {"assistant_id": assistant, "additional_messages": wrong})
    assert len(api.get(f"/threads/{thread}/messages")["data"]) == 1
    api.say(thread, "still open")
