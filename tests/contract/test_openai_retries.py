"""The real openai client whose answers get lost, and what it says of the API it speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2 as httpx
import openai
import pytest
from openai import OpenAI

from harness.server.app import App, Request, ServerOptions, called_paths
from harness.server.faults import parse_faults
from harness.server.http import HttpOptions, background
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
ONCE = {"Idempotency-Key": "this-call-once"}
LOST = {"status": 503, "after_work": True, "retry_after_s": 0.001, "nth": 1, "method": "POST"}


class Served:
    """A server over HTTP, and clients for it."""

    def __init__(self, *faults: dict[str, Any]) -> None:
        file = parse_faults({"faults": list(faults)}, called_paths())
        models = ModelTable(default=Scripted(["Fine."], cycle=True))
        self.app = App(ServerOptions(models=models, faults=file))
        self.open: list[Any] = []

    def client(self, options: HttpOptions | None = None, **arguments: Any) -> OpenAI:
        running = background(self.app, options=options or HttpOptions())
        client = OpenAI(base_url=running.__enter__(), api_key="any", **arguments)
        self.open += [client, running]
        return client

    def count(self, path: str) -> int:
        return len((self.app.handle(Request("GET", path)).body or {})["data"])

    def close(self) -> None:
        for each in self.open:
            each.__exit__(None, None, None)


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def make(*faults: dict[str, Any]) -> Served:
        made.append(Served(*faults))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_lost_answer_makes_the_client_do_its_work_twice(serve: Any) -> None:
    served = serve({**LOST, "path": "/assistants"})
    served.client().beta.assistants.create(model="m")
    assert served.count("/assistants") == 2


@pytest.mark.parametrize("lost", ["answer", "connection"])
def test_with_a_key_work_whose_answer_was_lost_is_done_once(serve: Any, lost: str) -> None:
    served = serve(*([LOST] if lost == "answer" else []))
    cut = CutOnce() if lost == "connection" else None
    client = served.client(http_client=httpx.Client(transport=cut) if cut else None)
    assistant = client.beta.assistants.create(model="m", extra_headers=ONCE)
    assert served.count("/assistants") == 1
    assert client.beta.assistants.list().data[0].id == assistant.id
    with pytest.raises(openai.BadRequestError) as refused:
        client.beta.assistants.create(model="another", extra_headers=ONCE)
    assert refused.value.code == "idempotency_key_reused"


class CutOnce(httpx.BaseTransport):
    """Hands on every call, and loses the first answer to a POST."""

    def __init__(self) -> None:
        self.inner = httpx.HTTPTransport()
        self.cut = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        if request.method == "POST" and not self.cut:
            self.cut = True
            response.read()
            response.close()
            raise httpx.ReadError("the connection is gone")
        return response

    def close(self) -> None:
        self.inner.close()


def test_a_run_and_an_upload_are_done_once_too(serve: Any) -> None:
    served = serve({**LOST, "path": "/files"}, {**LOST, "path": "/threads/runs"})
    client = served.client()
    client.files.create(file=("a.txt", b"text"), purpose="user_data", extra_headers=ONCE)
    assert served.count("/files") == 1
    assistant = client.beta.assistants.create(model="m")
    run = client.beta.threads.create_and_run(assistant_id=assistant.id, extra_headers=ONCE)
    assert served.count(f"/threads/{run.thread_id}/runs") == 1


def test_the_client_itself_sends_no_key(serve: Any) -> None:
    sent: list[httpx.Request] = []
    client = serve().client(http_client=httpx.Client(event_hooks={"request": [sent.append]}))
    client.beta.threads.create()
    assert "idempotency-key" not in sent[0].headers, "then the documents have to be changed"


def test_the_beta_header_can_be_asked_for_as_the_hosted_api_did(serve: Any) -> None:
    client = serve().client(HttpOptions(require_beta_header=True))
    thread = client.beta.threads.create()
    assert client.beta.threads.retrieve(thread.id).id == thread.id
    assert client.beta.assistants.list().data == []
    assert client.vector_stores.list(extra_headers={"OpenAI-Beta": openai.Omit()}).data == []
    assert client.models.list().data is not None
    with pytest.raises(openai.BadRequestError) as refused:
        client.beta.assistants.list(extra_headers={"OpenAI-Beta": openai.Omit()})
    assert refused.value.code == "invalid_beta"
    with pytest.raises(openai.BadRequestError, match="You must provide the 'OpenAI-Beta' header"):
        client.beta.threads.retrieve(thread.id, extra_headers={"OpenAI-Beta": "assistants=v1"})
