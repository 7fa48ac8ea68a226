"""The description: complete, valid, served, and the page made from it current."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jsonschema_rs
import pytest
from described import Checker

from harness.server.app import called_paths
from harness.server.description import SECTIONS, document, operations
from harness.server.description.coverage import COMMAND, page
from harness.server.http import background
from harness.server.wire import Reply, Request

Api = Any
PAGE = Path(__file__).parents[3] / "docs" / "server-coverage.md"


def test_every_route_is_described_and_nothing_else() -> None:
    routes, described = set(called_paths()), {(each.method, each.path) for each in operations()}
    forgotten, invented = sorted(routes - described), sorted(described - routes)
    assert not forgotten, f"add an Operation to a Section in harness/server/description for {forgotten}"
    assert not invented, f"there is no such route in harness/server/app.py: {invented}"


def test_nothing_is_described_twice() -> None:
    assert max(Counter((each.method, each.path) for each in operations()).values()) == 1
    assert max(Counter(name for section in SECTIONS for name in section.schemas).values()) == 1
    names = [one["operationId"] for path in document()["paths"].values() for one in path.values()]
    assert max(Counter(names).values()) == 1


def test_every_schema_of_the_document_is_a_schema_and_every_reference_leads_somewhere() -> None:
    made = json.loads(json.dumps(document()))
    for schema in schemas_in(made):
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
    known = made["components"]["schemas"]
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(made)))
    assert referred == set(known)


def schemas_in(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [one for inner in value for one in schemas_in(inner)]
    if not isinstance(value, dict):
        return []
    own = [value["schema"]] if isinstance(value.get("schema"), dict) else []
    return own + [one for inner in value.values() for one in schemas_in(inner)]


def test_the_document_is_served_but_is_not_of_the_api(api: Api) -> None:
    assert api.get("/openapi.json") == document()
    assert api.refused("POST", "/openapi.json")[0] == 405
    with background(api.app) as base_url:
        assert httpx.get(f"{base_url}/openapi.json").json() == json.loads(json.dumps(document()))
    assert ("GET", "/openapi.json") not in called_paths()


def test_the_page_of_what_is_covered_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), f"run: {COMMAND}"


RUN = {"assistant_id": "asst_1"}


@pytest.mark.parametrize(
    ("request_", "reply", "told"),
    [
        (Request("POST", "/threads", {"x": 1}), Reply(200, {}), "accepted, though the description refuses"),
        (Request("POST", "/threads"), Reply(200, {"id": "thr"}), '"object" is a required property'),
        (Request("GET", "/threads/a"), Reply(404, {"error": {}}), "the error envelope"),
        (Request("GET", "/nowhere"), Reply(200, {}), "not described"),
        (Request("GET", "/files/f/content"), Reply(200, {}), "no bytes"),
        (
            Request("POST", "/threads/a/runs", RUN),
            Reply(200, events=iter([("new", {})])),
            "'new' is not desc",
        ),
        (
            Request("POST", "/threads/a/runs", RUN),
            Reply(200, events=iter([("thread.run.created", {})])),
            "id",
        ),
    ],
)
def test_whoever_watches_the_servers_of_all_tests_sees_what_is_wrong(
    request_: Request, reply: Reply, told: str
) -> None:
    checker = Checker()
    list(checker.check(request_, reply).events or ())
    assert told in "\n".join(checker.found)
