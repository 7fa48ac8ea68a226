"""Whatever bytes come: never a 5xx, never a hang, always the error envelope, and the server lives on."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.server.app import App, ServerOptions, called_paths
from harness.server.http import HttpOptions, background
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted

PATHS = sorted({re.sub(r"\{\w+\}", "x", path) for _, path in called_paths()})
POSTS = sorted({re.sub(r"\{\w+\}", "x", path) for method, path in called_paths() if method == "POST"})
JSON = {"Content-Type": "application/json"}


class Peer:
    """Sends bytes to a running server and insists that each answer is one of the API."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self.address = (str(parts.hostname), parts.port or 0)

    def call(self, method: str, path: str, body: Any = None, headers: Any = JSON) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        connection = http.client.HTTPConnection(*self.address, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status < 500, (method, path, content)
            assert answer.getheader("x-request-id"), "uvicorn itself has answered"
            if method == "HEAD":
                return answer.status, None
            assert answer.getheader("content-type") == "application/json", (method, path, content)
            return answer.status, enveloped(answer.status, json.loads(content))
        finally:
            connection.close()

    def raw(self, sent: bytes, *, hang_up: bool = False) -> tuple[int, bytes]:
        """Status (0 for none) and content of the answer to these bytes; the server ends the connection."""
        with socket.create_connection(self.address, timeout=120) as connection:
            connection.sendall(sent)
            if hang_up:
                connection.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, content = received.partition(b"\r\n\r\n")
        return (int(head.split()[1]) if head else 0), content

    def lives(self) -> bool:
        return self.call("GET", "/v1/models")[0] == 200


def enveloped(status: int, answer: Any) -> Any:
    """The answer, which is an error envelope if it is an error."""
    if status >= 400:
        assert set(answer) <= {"error", "detail"}
        assert set(answer["error"]) == {"message", "type", "param", "code"}
        assert isinstance(answer["error"]["message"], str)
    return answer


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    models = ModelTable(default=Scripted(["Fine."], cycle=True))
    with background(App(ServerOptions(models=models)), options=HttpOptions(2_000_000, 2_000_000)) as base_url:
        yield Peer(base_url)


DEEP = 100_000
BODIES = {
    "array": b"[]",
    "array of objects": b'[{"model": "m"}]',
    "number": b"1",
    "text": b'"model"',
    "null": b"null",
    "true": b"true",
    "only space": b" \r\n\t",
    "only NUL": b"\x00",
    "NUL inside": b'{"model": "a\x00b"}',
    "no UTF-8": b'{"model": "\xff\xfe"}',
    "UTF-16": '{"model": "m"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"model": "m"}',
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"metadata":' * DEEP + b"1" + b"}" * DEEP,
    "deep inside a field": b'{"tools":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "half": b'{"model": "m"',
    "two": b'{"model": "m"}{"model": "m"}',
    "NaN": b'{"temperature": NaN}',
    "Infinity": b'{"temperature": -Infinity}',
    "huge float": b'{"temperature": 1e999}',
    "comment": b'{"model": "m" /* */}',
    "single quotes": b"{'model': 'm'}",
    "key that is no text": b"{1: 2}",
    "form": b"model=m&name=n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_object_is_a_400_wherever_it_is_sent(peer: Peer, body: bytes) -> None:
    for path in POSTS:
        status, _ = peer.call("POST", f"/v1{path}", body)
        assert status in (400, 404) or body.strip() == b"", path
    assert peer.lives()


VALUES = {
    "huge integer": b"9" * 4_000,
    "negative huge integer": b"-" + b"9" * 4_000,
    "lone high surrogate": b'"\\ud800"',
    "lone low surrogate": b'"\\udfff x"',
    "NUL": b'"\\u0000"',
    "long text": b'"' + b"x" * 300_000 + b'"',
    "float": b"1.5",
    "small exponent": b"1e-400",
    "array of nulls": b"[null]",
    "array": b"[[[]]]",
    "object of everything": b'{"": {"type": [], "id": {}}}',
    "true": b"true",
    "minus zero": b"-0.0",
    "emoji": '"\U0001f600"'.encode(),
    "right to left": '"\u202eabc"'.encode(),
}
FIELDS = """
    model name instructions tools tool_resources metadata temperature top_p response_format role
    content attachments assistant_id thread stream additional_messages max_prompt_tokens
    truncation_strategy tool_choice tool_outputs file_ids files file_id attributes chunking_strategy
    expires_after query filters max_num_results ranking_options input items conversation
    previous_response_id include text background n stop messages
""".split()


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_that_nothing_expects_is_refused_or_accepted_but_breaks_nothing(
    peer: Peer, value: bytes
) -> None:
    for path in POSTS:
        for field in FIELDS if path.count("x") == 0 else FIELDS[:4]:
            peer.call("POST", f"/v1{path}", b'{"%b": %b}' % (field.encode(), value))
    assert peer.lives()


def test_the_last_of_several_equal_keys_counts(peer: Peer) -> None:
    assert peer.call("POST", "/v1/assistants", b'{"model": "a", "model": "b"}')[1]["model"] == "b"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "PUT", "TRACE", "PROPFIND"])
def test_other_methods_are_not_allowed_and_told_which_are(peer: Peer, method: str) -> None:
    for path in PATHS:
        status, answer = peer.call(method, f"/v1{path}", headers={})
        assert status == 405, (method, path)
        assert answer is None or answer["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["X", "get"])
def test_what_is_no_method_at_all_is_refused_in_the_envelope(peer: Peer, method: str) -> None:
    status, _ = peer.call(method, "/v1/assistants", headers={})
    assert status in (400, 405)  # as the parser knows the word or not


def line(method: str, address: str) -> bytes:
    """A request without a body, on a connection of its own."""
    return f"{method} {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


IDS = {
    "slash": "a%2Fb",
    "NUL": "a%00b",
    "dots": "..",
    "encoded dots": "%2e%2e",
    "climbing": "..%2f..%2f..%2fetc%2fpasswd",
    "line break": "a%0d%0aX-Evil: 1",
    "8 kB": "x" * 8_000,
    "no UTF-8": "%ff%fe",
    "half an escape": "a%",
    "unicode": quote("ünïcödé\u202e\U0001f600"),
    "space": "%20",
    "quote": "'%22`",
    "star": "*",
    "semicolon": "a;b=c",
}


@pytest.mark.parametrize("identifier", IDS.values(), ids=IDS)
def test_an_id_that_nothing_can_have_is_answered_in_the_envelope(peer: Peer, identifier: str) -> None:
    for method, pattern in called_paths():
        if "{" not in pattern:
            continue
        for prefix in ("", "thread_", "file-"):
            path = re.sub(r"\{\w+\}", lambda _, shown=prefix + identifier: shown, pattern)
            status, content = peer.raw(line(method, f"/v1{path.replace(' ', '%20')}"))
            assert status in (200, 400, 403, 404, 405), (method, path, content)
            if content and pattern != "/models/{model}":
                enveloped(status, json.loads(content))
    assert peer.lives()


QUERIES = [
    "limit=-1",
    "limit=0",
    "limit=1e3",
    "limit=%00",
    "limit=99999999999999999999999",
    "limit=" + "9" * 5_000,
    "limit=١٢",
    "limit[]=1",
    "limit=1&limit=x",
    "order=DESC",
    "order[]=asc",
    "order=%ff",
    "after=nothing",
    "after=%00&before=%00",
    "after=a&after=b",
    "before=" + "x" * 8_000,
    "include[]=everything",
    "include=%5B%5D",
    "filter=everything",
    "purpose=%F0%9F%98%80",
    "stream=maybe",
    "starting_after=-1",
    "starting_after=x",
    "run_id=%00",
    "&&&==;;",
    "?" * 100,
    "%",
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:30])
def test_odd_queries_are_refused_or_ignored(peer: Peer, query: str) -> None:
    for path in PATHS:
        status, content = peer.raw(line("GET", f"/v1{path}?{quote(query, safe='=&%?[];')}"))
        assert status in (200, 400, 404, 405), (path, query, content)
        enveloped(status, json.loads(content))


FORM = b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
FILE = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n'
MULTIPARTS = {
    "nothing": b"",
    "only the end": b"--B--\r\n",
    "no end": FORM + FILE,
    "no disposition": FORM + b"--B\r\n\r\nx\r\n--B--\r\n",
    "no name": FORM + b'--B\r\nContent-Disposition: form-data; filename="a"\r\n\r\nx\r\n--B--\r\n',
    "file without name": FORM
    + b'--B\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\nx\r\n--B--\r\n',
    "name with NUL": FORM
    + b'--B\r\nContent-Disposition: form-data; name="file"; filename="a\x00b/../c"\r\n\r\nx\r\n--B--\r\n',
    "name with no UTF-8": FORM
    + b'--B\r\nContent-Disposition: form-data; name="file"; filename="\xff\xfe"\r\n\r\nx\r\n--B--\r\n',
    "purpose with no UTF-8": FILE + FORM.replace(b"user_data", b"\xff\xfe") + b"--B--\r\n",
    "purpose is a file": FILE + FILE.replace(b'"file"', b'"purpose"') + b"--B--\r\n",
    "many fields": FILE + FORM * 100 + b"--B--\r\n",
    "long header": FORM
    + b"--B\r\nContent-Disposition: form-data; name="
    + b"x" * 100_000
    + b"\r\n\r\nx\r\n--B--\r\n",
    "another boundary": (FORM + FILE).replace(b"--B", b"--C") + b"--C--\r\n",
    "json": b'{"purpose": "user_data"}',
    "encoded": FORM
    + FILE.replace(b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1)
    + b"--B--\r\n",
}


# Starlette leaves the file of a form without an end to the garbage collector, which warns.
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:ResourceWarning")
@pytest.mark.parametrize("body", MULTIPARTS.values(), ids=MULTIPARTS)
@pytest.mark.parametrize("path", ["/files", "/containers/cntr_x/files", "/assistants", "/threads"])
def test_damaged_forms_are_answered_in_the_envelope(peer: Peer, path: str, body: bytes) -> None:
    peer.call("POST", f"/v1{path}", body, {"Content-Type": "multipart/form-data; boundary=B"})


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\xff",
        "multipart/form-data; boundary=" + "B" * 5_000,
        "multipart/mixed; boundary=B",
        "application/x-www-form-urlencoded",
        "text/plain; charset=utf-16",
        "application/json; charset=latin-1",
        "application/json-patch+json",
        "",
        ";;;",
        "x" * 5_000,
    ],
    ids=lambda kind: kind[:40],
)
def test_odd_content_types_are_answered_in_the_envelope(peer: Peer, kind: str) -> None:
    for path in ("/files", "/assistants", "/threads"):
        for body in (b'{"model": "m"}', FORM + FILE + b"--B--\r\n", b""):
            peer.call("POST", f"/v1{path}", body, {"Content-Type": kind})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer \xff"),
        ("Authorization", "Basic " + "x" * 8_000),
        ("OpenAI-Beta", "\xe9"),
        ("Idempotency-Key", "\xff" * 200),
        ("Idempotency-Key", "x" * 300),
        ("Accept", "text/html"),
        ("Accept-Encoding", "br;q=x"),
        ("X-Stainless-Retry-Count", "-1"),
        ("Content-Encoding", "gzip"),
        ("Expect", "100-continue"),
        ("Range", "bytes=-1"),
        ("Cookie", "a=b; a=c; ="),
        ("Forwarded", "for=unknown"),
        ("X-Forwarded-For", "::1, \xff"),
        ("Host", "]["),
    ],
)
def test_odd_headers_change_nothing(peer: Peer, name: str, value: str) -> None:
    for method, path in (("GET", "/v1/assistants"), ("POST", "/v1/threads"), ("GET", "/admin/faults")):
        peer.call(method, path, headers={name: value.encode("latin-1")})


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.sampled_from(PATHS),
    body=st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
    tail=st.text(max_size=20),
)
def test_any_bytes_are_answered_in_the_envelope(
    peer: Peer, method: str, path: str, body: bytes, tail: str
) -> None:
    peer.call(method, f"/v1{path}{quote(tail, safe='', errors='surrogatepass')}", body)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        b"GET http://elsewhere/v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"POST /v1/threads HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    ],
    ids=lambda sent: repr(sent[:40]),
)
def test_what_is_hardly_http_leaves_the_server_alive(peer: Peer, sent: bytes) -> None:
    status, _ = peer.raw(sent, hang_up=True)
    assert status < 500
    assert peer.lives()
