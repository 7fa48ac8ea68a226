"""Calls that the description allows and calls that it forbids: no answer is ever one that it does not allow.

Ordinary runs try a few calls of each route, always the same; ``make fuzz`` tries the bounds of every field,
and many more calls, always others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from harness.server.app import App, Request, ServerOptions, Upload
from harness.server.http import asgi
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


class Home:
    """A server with one object of each kind, so that calls get past the question whether they exist."""

    def __init__(self) -> None:
        models = ModelTable(default=Scripted(["Fine."], cycle=True))
        self.app = App(ServerOptions(models=models, eager=True, seed=1))
        upload = Upload("a.txt", b"The moon is made of cheese.", {"purpose": "user_data"})
        file = self.call("POST", "/files", upload=upload)["id"]
        assistant = self.make("/assistants", model="m")
        thread = self.make("/threads", messages=[{"role": "user", "content": "hi"}])
        run = self.make(f"/threads/{thread}/runs", assistant_id=assistant)
        store = self.make("/vector_stores", file_ids=[file])
        said = {"role": "user", "content": "hi", "id": "msg_said"}
        container = self.make("/containers", name="c", file_ids=[file])
        self.ids = {
            "file": file,
            "assistant": assistant,
            "thread": thread,
            "run": run,
            "step": self.first(f"/threads/{thread}/runs/{run}/steps"),
            "message": self.first(f"/threads/{thread}/messages"),
            "store": store,
            "batch": self.make(f"/vector_stores/{store}/file_batches", file_ids=[file]),
            "response": self.make("/responses", model="m", input="hi", background=True),
            "conversation": self.make("/conversations", items=[said]),
            "item": "msg_said",
            "container": container,
            "model": "m",
        }
        self.file_of_container = self.first(f"/containers/{container}/files")

    def call(self, method: str, path: str, body: Any = None, upload: Upload | None = None) -> Any:
        return self.app.handle(Request(method, path, body, upload=upload)).body

    def make(self, path: str, **body: Any) -> str:
        return str(self.call("POST", path, body)["id"])

    def first(self, path: str) -> str:
        return str(self.call("GET", path)["data"][0]["id"])

    def ids_for(self, path: str, given: dict[str, Any]) -> dict[str, Any]:
        """The ids of a path, of things that are there."""
        known = {**self.ids, "file": self.file_of_container} if path.startswith("/containers") else self.ids
        return {name: known.get(name, value) for name, value in given.items()}


HOME = Home()
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", asgi(HOME.app))
SCHEMA.config.phases.coverage.enabled = bool(EXAMPLES)


@pytest.fixture(scope="module", autouse=True)
def home() -> Iterator[None]:
    yield
    HOME.app.close()


@SCHEMA.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: Any) -> Any:
    operation = context.operation
    if operation is None or not path_parameters or operation.method.upper() == "DELETE":
        return path_parameters
    return HOME.ids_for(operation.path, path_parameters)


# Whether what is named in a call is there cannot be said in a schema: calls that fit it may be refused.
UNSAID = [checks.positive_data_acceptance, checks.ensure_resource_availability, checks.use_after_free]


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES or 8,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_to_every_call_is_one_that_the_description_allows(case: schemathesis.Case) -> None:
    is_meant_well = case.meta is not None and case.meta.generation.mode.is_positive
    if is_meant_well and isinstance(case.body, dict) and "assistant_id" in case.body:
        case.body["assistant_id"] = HOME.ids["assistant"]
    answer = case.call()
    too_large = [checks.negative_data_rejection] if answer.status_code == 413 else []
    case.validate_response(answer, excluded_checks=[*UNSAID, *too_large])
