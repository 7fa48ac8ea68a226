"""HTTP: what can be wrong before a request reaches its handler, streams, keys, uploads."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from virtual_time import jump

from harness.server import http as door
from harness.server.app import App, Request, ServerOptions
from harness.server.listening import _Impatient as Connection
from harness.server.llms.interface import ModelRequest
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted

BOUNDARY = "X-limit-X"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


class Client:
    """Plain HTTP against a running server."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self.host, self.port = parts.hostname, parts.port

    def call(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(str(self.host), self.port, timeout=120)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def error(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        status, answered, content = self.call(method, path, body, **headers)
        assert answered["content-type"] == "application/json"
        assert answered["x-request-id"].startswith("req_")
        return status, json.loads(content)["error"]


@pytest.fixture
def client() -> Iterator[Client]:
    app = App(ServerOptions(models=ModelTable(default=Scripted(["Fine."], cycle=True))))
    with door.background(app) as base_url:
        yield Client(base_url)


def form(*parts: tuple[str, bytes]) -> bytes:
    pieces = [
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content
        for head, content in parts
    ]
    return b"\r\n".join([*pieces, f"--{BOUNDARY}--\r\n".encode()])


@pytest.mark.parametrize(
    "body",
    [b"{", b"[1", b"{'a': 1}", b'{"a": NaN}', b"\xff\xfe", b'{"a": "\\ud800"}', b"[" * 100_000, b"nul"],
)
def test_what_is_no_json_is_a_400(client: Client, body: bytes) -> None:
    status, error = client.error("POST", "/v1/assistants", body, Content_Type="application/json")
    assert status == 400
    assert error["type"] == "invalid_request_error"


def test_json_that_is_no_object_is_a_400(client: Client) -> None:
    assert client.error("POST", "/v1/assistants", b"[]")[0] == 400


def test_the_version_prefix_and_a_last_slash_may_be_left_out_or_added(client: Client) -> None:
    for path in ("/v1/assistants", "/assistants", "/v1/assistants/", "/v1/assistants?limit=5"):
        status, headers, content = client.call("GET", path)
        assert (status, json.loads(content)["object"]) == (200, "list")
        assert headers["openai-version"] == "2020-10-01"
        assert headers["openai-processing-ms"].isdigit()


@pytest.mark.parametrize("method", ["GET", "PATCH", "OPTIONS", "DELETE"])
def test_unknown_routes_have_the_envelope_for_every_method(client: Client, method: str) -> None:
    status, error = client.error(method, "/v1/unknown")
    assert (status, error["message"]) == (404, f"Invalid URL ({method} /v1/unknown)")


def test_an_empty_body_without_a_content_type_makes_a_thread(client: Client) -> None:
    status, _, content = client.call("POST", "/v1/threads")
    assert (status, json.loads(content)["object"]) == (200, "thread")


@pytest.fixture
def narrow() -> Iterator[Client]:
    """A server that reads 1,000 bytes of JSON, and 2,000 of a form."""
    app = App(ServerOptions(models=ModelTable(default=Scripted(["Fine."], cycle=True))))
    with door.background(app, options=door.HttpOptions(1000, 2000)) as base_url:
        yield Client(base_url)


def test_bodies_over_the_limit_are_refused_unread(narrow: Client) -> None:
    client = narrow
    status, error = client.error("POST", "/v1/assistants", b'{"model": "' + b"x" * 2000 + b'"}')
    assert (status, error["code"]) == (413, "request_too_large")
    assert client.call("GET", "/v1/assistants")[0] == 200


def test_uploads_have_a_limit_of_their_own(narrow: Client) -> None:
    fits = form(('name="purpose"', b"user_data"), ('name="file"; filename="a"', b"x" * 1500))
    large = form(('name="purpose"', b"user_data"), ('name="file"; filename="a"', b"x" * 2500))
    for body, expected in ((fits, 200), (large, 413)):
        status, _, _ = narrow.call("POST", "/v1/files", body, Content_Type=MULTIPART["Content-Type"])
        assert status == expected


def test_a_body_that_does_not_say_its_length_is_measured_as_it_comes(narrow: Client) -> None:
    connection = http.client.HTTPConnection(str(narrow.host), narrow.port, timeout=120)
    connection.request("POST", "/v1/threads", iter([b"x" * 600] * 5), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_keys_are_asked_for_when_there_is_one() -> None:
    app = App(ServerOptions(models=ModelTable(default=Scripted([]))))
    with door.background(app, api_key="sk-right-key-0001") as base_url:
        client = Client(base_url)
        assert client.call("GET", "/v1/models", Authorization="Bearer sk-right-key-0001")[0] == 200
        assert client.call("GET", "/openai/models?api-version=1", api_key="sk-right-key-0001")[0] == 200
        assert client.error("GET", "/openai/models", api_key="sk-wrong-key-9999")[0] == 401
        for sent in ("Bearer sk-wrong-key-9999", "Bearer ", "Basic c2s=", "sk-right-key-0001", "Bearer sk-ü"):
            status, error = client.error("GET", "/v1/models", Authorization=sent)
            assert (status, error["code"]) == (401, "invalid_api_key")
            assert "right" not in error["message"]
            assert "wrong" not in error["message"]
        assert client.error("GET", "/v1/nowhere")[0] == 401


@pytest.fixture
def strict() -> Iterator[Client]:
    """A server that wants to be told which API is spoken."""
    app = App(ServerOptions(models=ModelTable(default=Scripted(["Fine."], cycle=True))))
    with door.background(app, options=door.HttpOptions(require_beta_header=True)) as base_url:
        yield Client(base_url)


@pytest.mark.parametrize("said", [None, "", "assistants=v1", "responses=v1", "assistants"])
@pytest.mark.parametrize("path", ["/v1/assistants", "/threads/thread_x", "/v1/threads/runs/"])
def test_a_strict_server_refuses_assistants_and_threads_without_their_header(
    strict: Client, path: str, said: str | None
) -> None:
    given = {} if said is None else {"OpenAI_Beta": said}
    status, error = strict.error("GET", path, **given)
    assert status == 400
    assert error == {
        "message": "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
        "Please try again by setting the header 'OpenAI-Beta: assistants=v2'.",
        "type": "invalid_request_error",
        "param": None,
        "code": "invalid_beta",
    }


def test_a_strict_server_answers_everything_else_and_what_has_the_header(strict: Client) -> None:
    for path in ("/v1/vector_stores", "/v1/files", "/v1/models", "/v1/containers", "/v1/openapi.json"):
        assert strict.call("GET", path)[0] == 200
    for said in ("assistants=v2", "responses=v1, assistants=v2"):
        assert strict.call("GET", "/v1/assistants", OpenAI_Beta=said)[0] == 200


def test_an_upload_comes_back_byte_for_byte(client: Client) -> None:
    content = bytes(range(256)) * 10
    body = form(('name="purpose"', b"user_data"), ('name="file"; filename="../a b.bin"', content))
    status, _, answer = client.call("POST", "/v1/files", body, Content_Type=MULTIPART["Content-Type"])
    file = json.loads(answer)
    assert (status, file["filename"], file["bytes"]) == (200, "a b.bin", 2560)
    assert client.call("GET", f"/v1/files/{file['id']}/content")[2] == content


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        form(('name="purpose"', b"user_data")),
        form(('name="purpose"', b"user_data"), ('name="file"', b"a field, not a file")),
        form(('name="file"; filename="a"', b"x")),
        form(('name="file"; filename="a"', b"x"), ('name="file"; filename="b"', b"y")),
    ],
)
def test_a_damaged_or_incomplete_form_is_a_400(client: Client, body: bytes) -> None:
    status, error = client.error("POST", "/v1/files", body, Content_Type=MULTIPART["Content-Type"])
    assert (status, error["type"]) == (400, "invalid_request_error")


def test_an_upload_without_a_boundary_is_a_400(client: Client) -> None:
    assert client.error("POST", "/v1/files", b"x", Content_Type="multipart/form-data")[0] == 400


def served(model: Any) -> tuple[App, Any]:
    app = App(ServerOptions(models=ModelTable(default=Scripted(model))))
    return app, door.background(app)


def post(client: Client, path: str, body: dict[str, Any]) -> Any:
    return json.loads(client.call("POST", path, json.dumps(body).encode())[2])


def test_events_arrive_while_the_model_still_thinks_and_others_are_served() -> None:
    go_on = threading.Event()

    def think(request: ModelRequest) -> str:
        assert go_on.wait(60)
        return "At last."

    _, running = served(think)
    with running as base_url:
        client = Client(base_url)
        assistant = post(client, "/v1/assistants", {"model": "m"})["id"]
        thread = post(client, "/v1/threads", {"messages": [{"role": "user", "content": "hi"}]})["id"]
        connection = http.client.HTTPConnection(str(client.host), client.port, timeout=120)
        body = json.dumps({"assistant_id": assistant, "stream": True})
        connection.request("POST", f"/v1/threads/{thread}/runs", body)
        answer = connection.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.readline() == b"event: thread.run.created\n"
        assert client.call("GET", f"/v1/threads/{thread}")[0] == 200
        go_on.set()
        rest = answer.read()
        assert rest.endswith(b"event: done\ndata: [DONE]\n\n")
        assert b"At last." in rest
        connection.close()


def test_a_client_that_hangs_up_leaves_a_run_that_still_ends() -> None:
    go_on = threading.Event()

    def think(request: ModelRequest) -> str:
        assert go_on.wait(60)
        return "Said to nobody."

    app, running = served(think)
    with running as base_url:
        client = Client(base_url)
        assistant = post(client, "/v1/assistants", {"model": "m"})["id"]
        thread = post(client, "/v1/threads", {"messages": [{"role": "user", "content": "hi"}]})["id"]
        body = json.dumps({"assistant_id": assistant, "stream": True}).encode()
        head = f"POST /v1/threads/{thread}/runs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((str(client.host), client.port or 0)) as raw:
            raw.sendall(head.encode() + body)
            assert b"200 OK" in raw.recv(100)
        go_on.set()
    # Shutting down has let the stream come to its end.
    messages = app.handle(Request("GET", f"/threads/{thread}/messages")).body
    assert messages is not None
    assert messages["data"][0]["content"][0]["text"]["value"] == "Said to nobody."


def test_a_mistake_of_ours_is_a_500_that_must_not_be_repeated(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(App, "handle", lambda self, request: 1 / 0)
    status, headers, content = client.call("GET", "/v1/assistants")
    assert (status, headers["x-should-retry"]) == (500, "false")
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-version"] == "2020-10-01"
    assert headers["openai-processing-ms"].isdigit()
    assert json.loads(content)["error"]["type"] == "server_error"


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        app = App(ServerOptions(models=ModelTable(default=Scripted([]))))
        with (
            pytest.raises(OSError, match=r"in use: '127\.0\.0\.1:\d+'"),
            door.background(app, port=taken.getsockname()[1]),
        ):
            pass
        app.close()


# --- clients that dawdle ----------------------------------------------------------------------------------


class Watch:
    """Sees what reaches the server, and lets time pass there once it has.

    Attributes:
        connected: Released for each connection.
        received: Released whenever something that a client sent was taken in.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.connected, self.received = threading.Semaphore(0), threading.Semaphore(0)
        self._loop: Any = None
        connection_made, data_received = Connection.connection_made, Connection.data_received

        def connect(connection: Any, transport: Any) -> None:
            connection_made(connection, transport)
            self._loop = connection.loop
            self.connected.release()

        def receive(connection: Any, data: bytes) -> None:
            data_received(connection, data)
            self.received.release()

        monkeypatch.setattr(Connection, "connection_made", connect)
        monkeypatch.setattr(Connection, "data_received", receive)

    def later(self, seconds: float) -> None:
        """So much later; what the server does because of that it has begun."""
        assert self.connected.acquire(timeout=120)
        passed = threading.Event()

        def pass_by() -> None:
            jump(seconds)
            self._loop.call_later(0, passed.set)

        self._loop.call_soon_threadsafe(pass_by)
        assert passed.wait(60)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


@pytest.fixture
def impatient() -> Iterator[Client]:
    """A server that waits a moment for bodies, and as long as ever for heads."""
    app = App(ServerOptions(models=ModelTable(default=Scripted(["a"], cycle=True))))
    with door.background(app, options=door.HttpOptions(body_pause_s=0.2)) as base_url:
        yield Client(base_url)


def connected(client: Client) -> socket.socket:
    return socket.create_connection((str(client.host), client.port or 0), 60)


@pytest.mark.parametrize("begun", [b"", b"GET /v1/mod", b"GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_client_that_never_ends_the_head_of_its_request_is_hung_up_on(
    watch: Watch, client: Client, begun: bytes
) -> None:
    with connected(client) as raw:
        raw.sendall(begun)
        assert not begun or watch.received.acquire(timeout=120)
        watch.later(21)
        assert raw.recv(100) == b""


def test_a_second_request_on_a_connection_is_waited_for_no_longer(watch: Watch, client: Client) -> None:
    with connected(client) as raw:
        raw.sendall(b"GET /v1/models/extractive HTTP/1.1\r\nHost: x\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 ")
        assert watch.received.acquire(timeout=120)
        raw.sendall(b"GET /v1/mod")
        assert watch.received.acquire(timeout=120)
        watch.later(21)
        while raw.recv(65536):
            pass


def test_a_body_that_stops_arriving_is_a_408(impatient: Client) -> None:
    head = b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with connected(impatient) as raw:
        raw.sendall(head + b'{"messages"')
        assert raw.recv(100).startswith(b"HTTP/1.1 408 ")


def test_an_upload_that_stops_half_way_is_a_408(impatient: Client) -> None:
    body = form(('name="purpose"', b"user_data"), ('name="file"; filename="a"', b"x" * 5_000))
    head = f"POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Type: {MULTIPART['Content-Type']}\r\n\r\n"
    with connected(impatient) as raw:
        raw.sendall(head.encode() + body[:2_000])
        assert raw.recv(100).startswith(b"HTTP/1.1 408 ")


def test_a_slow_answer_is_not_taken_for_a_slow_client(watch: Watch) -> None:
    def think(request: ModelRequest) -> str:
        watch.later(61)
        return "At last."

    _, running = served(think)
    with running as base_url:
        client = Client(base_url)
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        answer = post(client, "/v1/chat/completions", body)
    assert answer["choices"][0]["message"]["content"] == "At last."
