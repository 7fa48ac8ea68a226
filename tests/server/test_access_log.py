"""The access log: one line a call, for people or programs, without what people wrote."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import Clock
from harness.server import http as door
from harness.server.access_log import AccessLog, Call, short_path
from harness.server.app import called_paths
from harness.server.faults import parse_faults

CLOCK = Clock(now=lambda: datetime(2026, 3, 1, 12, 0, tzinfo=UTC), monotonic=lambda: 0.0)
THREAD = "thread_5f3a91c2aa00aa00aa00aa00"


def test_a_line_of_text_says_what_was_asked_and_how_it_was_answered() -> None:
    lines: list[str] = []
    log = AccessLog("text", lines.append, clock=CLOCK)
    log.note(Call("POST", f"/threads/{THREAD}/runs", status=200, request_id="req_1", events=7, fault="x 1"))
    assert re.fullmatch(
        r"2026-03-01T12:00:00\.000\+00:00 POST /threads/thread_5f3a91\.\.\./runs 200 [\d.]+ ms req_1"
        r" events=7 fault='x 1'",
        lines[0],
    )


@given(st.text(), st.text())
def test_whatever_a_client_sends_stays_on_one_line(method: str, path: str) -> None:
    lines: list[str] = []
    AccessLog("text", lines.append, clock=CLOCK).note(Call(method, path))
    AccessLog("json", lines.append, clock=CLOCK).note(Call(method, path))
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert json.loads(lines[1])["status"] == 500


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (f"/threads/{THREAD}/messages", "/threads/thread_5f3a91.../messages"),
        ("/files/file-00aa11bb22cc33dd", "/files/file-00aa11..."),
        ("/models/gpt-5.4", "/models/gpt-5.4"),
        ("/vector_stores/vs_1/file_batches", "/vector_stores/vs_1/file_batches"),
        ("/x y\n/" + "z" * 40, "/x?y?/" + "z" * 32 + "..."),
    ],
)
def test_ids_are_shortened_and_everything_else_is_made_harmless(path: str, shown: str) -> None:
    assert short_path(path) == shown


def test_the_words_of_routes_are_never_shortened() -> None:
    for _, path in called_paths():
        fixed = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
        assert short_path(fixed) == fixed


def served(make_api: Any, *, bodies: bool, **options: Any) -> list[dict[str, Any]]:
    """What is logged of a whole conversation over HTTP that holds secrets in every place."""
    import openai

    lines: list[str] = []
    log = AccessLog("json", lines.append, bodies=bodies, clock=CLOCK)
    api = make_api(["The secret answer."], **options)
    with door.background(api.app, options=door.HttpOptions(access_log=log)) as base_url:
        client = openai.OpenAI(base_url=base_url, api_key="sk-secret", max_retries=0)
        with client:
            assistant = client.post(
                "/assistants", cast_to=object, body={"model": "m", "instructions": "secret"}
            )
            messages = [{"role": "user", "content": "secret?"}]
            thread = client.post("/threads", cast_to=object, body={"messages": messages})
            body = {"assistant_id": assistant["id"]}
            client.post(f"/threads/{thread['id']}/runs", cast_to=object, body=body)
            client.get(f"/threads/{thread['id']}/messages", cast_to=object)
            stream = client.post(
                f"/threads/{thread['id']}/runs",
                cast_to=object,
                body={**body, "stream": True},
                stream=True,
                stream_cls=openai.Stream[object],
            )
            try:
                list(stream)
            except Exception as error:  # noqa: BLE001 - however a cut stream shows itself
                assert options, error
            with pytest.raises(openai.NotFoundError):
                client.get("/threads/thread_none?word=secret", cast_to=object)
    return [json.loads(line) for line in lines]


def test_a_conversation_leaves_methods_paths_and_times_but_no_word_of_it(make_api: Any) -> None:
    logged = served(make_api, bodies=False)
    assert "secret" not in json.dumps(logged)
    assert [(entry["method"], entry["status"]) for entry in logged] == [
        ("POST", 200),
        ("POST", 200),
        ("POST", 200),
        ("GET", 200),
        ("POST", 200),
        ("GET", 404),
    ]
    assert all(entry["request_id"].startswith("req_") and entry["duration_ms"] >= 0 for entry in logged)
    assert [entry.get("events") for entry in logged].count(None) == 5
    assert logged[4]["events"] > 8


def test_bodies_are_logged_when_asked_for(make_api: Any) -> None:
    logged = served(make_api, bodies=True)
    assert "secret?" in logged[1]["request"]
    assert "The secret answer." in logged[3]["response"]
    assert "sk-secret" not in json.dumps(logged)


def test_a_fault_that_cuts_a_stream_stands_in_the_log(make_api: Any) -> None:
    faults = parse_faults({"faults": [{"drop_stream_after": 2}]}, called_paths())
    logged = served(make_api, bodies=False, faults=faults)
    [entry] = [entry for entry in logged if "events" in entry]
    assert (entry["events"], entry["cut"], entry["fault"]) == (2, True, "drop_stream_after 2")


def test_a_mistake_of_ours_is_logged_as_500(make_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import http.client
    from urllib.parse import urlsplit

    lines: list[str] = []
    api = make_api()
    monkeypatch.setattr(type(api.app), "handle", lambda self, request: 1 / 0)
    log = AccessLog("json", lines.append, clock=CLOCK)
    with door.background(api.app, options=door.HttpOptions(access_log=log)) as base_url:
        connection = http.client.HTTPConnection(str(urlsplit(base_url).netloc), timeout=120)
        connection.request("GET", "/v1/assistants")
        response = connection.getresponse()
        assert response.status == 500
        connection.close()
    written = json.loads(lines[0])
    assert (written["status"], written["request_id"]) == (500, response.headers["x-request-id"])


def test_names_of_files_queries_and_metadata_are_in_no_line(make_api: Any) -> None:
    import http.client
    from urllib.parse import urlsplit

    lines: list[str] = []
    upload = (
        b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--B\r\n'
        b'Content-Disposition: form-data; name="file"; filename="secret plan.txt"\r\n\r\nsecret\r\n--B--\r\n'
    )
    calls = [
        ("POST", "/v1/files", upload, {"Content-Type": "multipart/form-data; boundary=B"}),
        ("GET", "/v1/files?purpose=user_data&after=secret", None, {}),
        ("POST", "/v1/threads", b'{"metadata": {"secret": "secret"}}', {"X-Note": "secret"}),
        ("POST", "/v1/threads?secret", b'{"messages": "secret"}', {}),
        ("POST", "/v1/assistants", b"{secret", {}),
    ]
    for style in ("text", "json"):
        log = AccessLog(style, lines.append, clock=CLOCK)  # type: ignore[arg-type]
        with door.background(make_api().app, options=door.HttpOptions(access_log=log)) as base_url:
            connection = http.client.HTTPConnection(str(urlsplit(base_url).netloc), timeout=120)
            for method, path, body, headers in calls:
                connection.request(method, path, body, headers)
                connection.getresponse().read()
            connection.close()
    assert len(lines) == 2 * len(calls)
    assert "secret" not in "".join(lines)
