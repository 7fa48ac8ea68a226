"""The same call with the same key is done once, whoever repeats it and when."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.server import idempotency
from harness.server.app import Reply, Request, Upload
from harness.server.idempotency import KEPT_S, REPLAY_HEADER, Repetitions
from harness.server.llms.interface import ModelRequest

Api = Any
KEY = {"idempotency-key": "retry-1"}


def send(api: Api, path: str, body: Any = None, headers: dict[str, str] = KEY, **query: Any) -> Reply:
    values = {name: [str(value)] for name, value in query.items()}
    return api.app.handle(Request("POST", path, body, values, headers))


def test_a_call_that_is_repeated_gets_the_first_answer_and_does_nothing_more(api: Api) -> None:
    first, second = (send(api, "/assistants", {"model": "m", "metadata": {"a": "ü"}}) for _ in range(2))
    assert first.body == second.body
    assert REPLAY_HEADER not in first.headers
    assert second.headers[REPLAY_HEADER] == "true"
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(api.get("/assistants")["data"]) == 1


def test_the_order_of_fields_and_whoever_changed_the_answer_since_make_no_difference(api: Api) -> None:
    first = send(api, "/assistants", {"model": "m", "name": "one"})
    made = dict(first.body or {})
    api.post(f"/assistants/{made['id']}", {"name": "two"})
    (first.body or {}).clear()
    assert send(api, "/assistants", {"name": "one", "model": "m"}).body == made


def test_headers_of_the_answer_are_repeated_too(api: Api) -> None:
    assistant, thread = api.assistant()["id"], api.thread("hi")
    path, body = f"/threads/{thread}/runs", {"assistant_id": assistant}
    assert send(api, path, body).headers["openai-poll-after-ms"] == "20"
    assert send(api, path, body).headers["openai-poll-after-ms"] == "20"
    assert len(api.get(path)["data"]) == 1


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/threads", KEY),
        ("/assistants", {"idempotency-key": "retry-2"}),
        ("/assistants", {**KEY, "authorization": "Bearer another"}),
        ("/assistants", {}),
        ("/assistants", {"idempotency-key": ""}),
    ],
)
def test_another_path_key_or_client_is_another_call(api: Api, path: str, headers: dict[str, str]) -> None:
    first = send(api, "/assistants", {"model": "m"})
    body = {"model": "m"} if path == "/assistants" else None
    second = send(api, path, body, headers)
    assert second.status == 200
    assert (second.body or {})["id"] != (first.body or {})["id"]


@pytest.mark.parametrize(
    "request_",
    [
        Request("POST", "/files", upload=Upload("a", b"other", {"purpose": "batch"}), headers=KEY),
        Request("POST", "/files", upload=Upload("b", b"text", {"purpose": "batch"}), headers=KEY),
        Request("POST", "/files", upload=Upload("a", b"text", {"purpose": "vision"}), headers=KEY),
        Request(
            "POST",
            "/files",
            query={"x": ["y"]},
            upload=Upload("a", b"text", {"purpose": "batch"}),
            headers=KEY,
        ),
        Request("POST", "/files", headers=KEY),
    ],
)
def test_a_key_that_is_used_for_something_else_is_refused(api: Api, request_: Request) -> None:
    upload = Upload("a", b"text", {"purpose": "batch"})
    assert api.app.handle(Request("POST", "/files", upload=upload, headers=KEY)).status == 200
    reply = api.app.handle(request_)
    assert (reply.status, reply.body["error"]["code"]) == (400, "idempotency_key_reused")
    assert api.app.handle(Request("POST", "/files", upload=upload, headers=KEY)).status == 200
    assert len(api.get("/files")["data"]) == 1


def test_what_was_refused_may_be_tried_again(api: Api) -> None:
    thread, assistant = "thread_none", api.assistant()["id"]
    assert send(api, f"/threads/{thread}/runs", {"assistant_id": assistant}).status == 404
    assert send(api, "/assistants", {"model": ""}).status == 400
    assert send(api, "/assistants", {"model": "m"}).status == 200


def test_after_ten_minutes_the_key_is_free_again(api: Api) -> None:
    first = send(api, "/threads")
    api.time.forward(KEPT_S - 1)
    assert send(api, "/threads").body == first.body
    api.time.forward(1)
    assert send(api, "/threads").body != first.body


def test_reading_and_deleting_ignore_the_key(api: Api) -> None:
    made = send(api, "/threads").body or {}
    path = f"/threads/{made['id']}"
    statuses = [api.app.handle(Request("DELETE", path, headers=KEY)).status for _ in range(2)]
    assert statuses == [200, 404]
    assert api.app.handle(Request("GET", path, headers=KEY)).status == 404


def test_streams_are_never_repeated_the_lock_of_their_thread_keeps_them_single(api: Api) -> None:
    body = {"model": "m", "input": "hi", "stream": True}
    streams = [list(send(api, "/responses", body).events or ()) for _ in range(2)]
    ids = {events[0][1]["response"]["id"] for events in streams}
    assert len(ids) == 2


def test_a_key_has_a_largest_length(api: Api) -> None:
    assert send(api, "/threads", headers={"idempotency-key": "k" * 255}).status == 200
    reply = send(api, "/threads", headers={"idempotency-key": "k" * 256})
    assert (reply.status, reply.body["error"]["code"]) == (400, "invalid_idempotency_key")


def test_a_repetition_waits_for_the_first_call_and_gets_its_answer(make_api: Any) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def think(request: ModelRequest) -> str:
        begun.set()
        assert go_on.wait(60)
        return "Once."

    api = make_api(think)
    body = {"model": "m", "input": "hi"}
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(send, api, "/responses", body)
        assert begun.wait(60)
        others = [pool.submit(send, api, "/responses", body) for _ in range(8)]
        assert not any(each.done() for each in others)
        go_on.set()
        answers = [each.result(60).body for each in (first, *others)]
    assert len(api.model.requests) == 1
    assert all(answer == answers[0] for answer in answers)


def test_when_the_first_call_breaks_one_of_those_that_wait_does_the_work(api: Api) -> None:
    kept = Repetitions(api.time.clock())
    request = Request("POST", "/threads", headers=KEY)
    begun, go_on, done = threading.Event(), threading.Event(), []

    def breaks() -> Reply:
        begun.set()
        assert go_on.wait(60)
        raise ZeroDivisionError

    def works() -> Reply:
        done.append(1)
        return Reply(200, {"id": "x"})

    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(kept.answer, request, breaks)
        assert begun.wait(60)
        others = [pool.submit(kept.answer, request, works) for _ in range(4)]
        go_on.set()
        with pytest.raises(ZeroDivisionError):
            first.result(60)
        assert [each.result(60).body for each in others] == [{"id": "x"}] * 4
    assert done == [1]


def test_memory_is_bounded_by_number_and_size(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Repetitions(api.time.clock())

    def ask(key: int, size: int = 10) -> bool:
        request = Request("POST", "/threads", headers={"idempotency-key": str(key)})
        reply = kept.answer(request, lambda: Reply(200, {"id": "x" * size}))
        return REPLAY_HEADER in reply.headers

    monkeypatch.setattr(idempotency, "MOST_KEPT", 3)
    assert not any(ask(key) for key in range(5))
    assert [ask(key) for key in (4, 3, 2)] == [True] * 3
    assert not ask(0)
    monkeypatch.setattr(idempotency, "MOST_KEPT_BYTES", 1000)
    assert not ask(10, 600)
    assert not ask(11, 600)
    assert ask(11, 600)
    assert not ask(10, 600)
    assert not ask(12, 2000), "larger than everything that may be kept"
    assert not ask(12, 2000)
