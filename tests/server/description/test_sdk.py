"""What the openai client can send is described: done, without effect, or said not to be done."""

from __future__ import annotations

import inspect
import re
import sys
import types
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import httpx2 as httpx
import openai
import pytest
import typing_extensions as typing
from described import operation_of

from harness.server.description import SECTIONS, Operation, document
from harness.server.description.fields import FieldOf, fields_of

RESOURCES = """
    beta.assistants beta.threads beta.threads.messages beta.threads.runs beta.threads.runs.steps files
    vector_stores vector_stores.files vector_stores.file_batches responses responses.input_items
    responses.input_tokens conversations conversations.items containers containers.files
    containers.files.content chat.completions chat.completions.messages completions embeddings models
""".split()
HELPERS = re.compile(r"_|with_|.*(poll|stream|parse|wait_for|connect)|upload$")
OF_THE_CLIENT = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
MOST_DEPTH = 7
FREE = ("metadata.",)
"""Whose fields are the client's own."""


class Sent(Exception):
    """Raised in place of sending."""


def method_and_path(method: Any) -> tuple[str, str]:
    """What the client would call."""
    sent: list[tuple[str, str]] = []

    def catch(request: httpx.Request) -> httpx.Response:
        sent.append((request.method, request.url.path.removeprefix("/v1")))
        raise Sent

    given: dict[str, Any] = {}
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name != "self" and parameter.default is inspect.Parameter.empty:
            lists = parameter.name in ("messages", "items", "tool_outputs")
            given[parameter.name] = [] if lists else b"x" if parameter.name == "file" else "ID"
    transport = httpx.MockTransport(catch)
    with (
        openai.OpenAI(
            base_url="http://x/v1", api_key="k", max_retries=0, http_client=httpx.Client(transport=transport)
        ) as client,
        pytest.raises((Sent, openai.APIConnectionError)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        resource: Any = client
        for name in method.__harness_resource__.split("."):
            resource = getattr(resource, name)
        getattr(resource, method.__name__)(**given)
    return sent[0]


@cache
def methods() -> list[tuple[str, str, Any]]:
    """Method, path and function of everything that the client's resources can call."""
    found = []
    with openai.OpenAI(base_url="http://x/v1", api_key="k") as client:
        for name in RESOURCES:
            resource: Any = client
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for part in name.split("."):
                    resource = getattr(resource, part)
            for own, function in inspect.getmembers(type(resource), inspect.isfunction):
                if not HELPERS.match(own):
                    function.__harness_resource__ = name
                    found.append((*method_and_path(function), function))
    return found


def template(path: str) -> str:
    return re.sub(r"/ID(?=/|$)", "/{}", path)


def test_every_endpoint_of_the_client_is_described_or_said_not_to_be_done() -> None:
    missing = {name for section in SECTIONS for name in section.not_done}
    called = {f"{method} {template(path)}" for method, path, _ in methods() if not operation_of(method, path)}
    assert called == missing, "say in not_done of the section why such an endpoint is not there"


def sent_by(function: Any) -> set[str]:
    """Dotted names of everything that a method of the client can send."""
    namespace = vars(sys.modules[function.__module__])
    hints = typing.get_type_hints(inspect.unwrap(function), namespace)
    names: set[str] = set()
    for parameter in inspect.signature(function).parameters:
        if parameter not in OF_THE_CLIENT:
            names.add(parameter)
            names |= set(inside(hints[parameter], parameter, MOST_DEPTH))
    return names


def inside(hint: Any, name: str, depth: int) -> Iterator[str]:
    """The fields of a type of the client, spelt as the description spells them."""
    if not depth:
        return
    for each in alternatives(hint):
        if typing.is_typeddict(each):
            for kind in kinds(each):
                yield f"{name}{kind}"
                for own, inner in typing.get_type_hints(each).items():
                    yield f"{name}{kind}.{own}"
                    yield from inside(inner, f"{name}{kind}.{own}", depth - 1)
        elif is_list(each):
            yield from inside(typing.get_args(each)[0], f"{name}[]", depth - 1)


def is_list(hint: Any) -> bool:
    origin = typing.get_origin(hint)
    return inspect.isclass(origin) and issubclass(origin, Iterable) and not issubclass(origin, dict | tuple)


def alternatives(hint: Any) -> Iterator[Any]:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        for each in typing.get_args(hint):
            yield from alternatives(each)
    elif origin in (typing.Required, typing.NotRequired, typing.Annotated):
        yield from alternatives(typing.get_args(hint)[0])
    else:
        yield hint


def kinds(typed: Any) -> list[str]:
    literal = typing.get_type_hints(typed).get("type")
    named = [
        value for each in alternatives(literal) for value in typing.get_args(each) if isinstance(value, str)
    ]
    return [f"<{value}>" for value in named] or [""]


def untagged(name: str) -> str:
    return re.sub(r"<[^>]*>", "", name)


def described_fields(operation: Operation) -> list[FieldOf]:
    """The fields of body, form and query, and the ids in the path."""
    schemas = document()["components"]["schemas"]
    plain = [parameter.name.removesuffix("[]") for parameter in operation.query]
    made = [FieldOf(name, None, False) for name in plain]
    for schema in (operation.body, operation.form):
        made += fields_of(schema, schemas) if schema is not None else ()
    # Forms spell an object's field with brackets.
    return [replace(field, name=re.sub(r"\[(\w+)\]", r".\1", field.name)) for field in made]


def is_within(name: str, outer: str) -> bool:
    """Whether a name is this one or one inside it, whichever kinds are named on the way."""
    return any(re.match(re.escape(outer) + r"(?!\w)", one) for one in (name, untagged(name)))


def is_described(name: str, fields: list[FieldOf], operation: Operation) -> bool:
    if any(is_within(name, refused) for refused in operation.not_done):
        return True
    plain = untagged(name)
    return any(
        plain == untagged(field.name)
        or (is_within(field.name, name) and is_within(untagged(field.name), plain))
        or (field.open and is_within(plain, untagged(field.name)))
        for field in fields
    )


@pytest.mark.parametrize(
    ("method", "path", "function"), methods(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_field_that_the_client_can_send_is_described(method: str, path: str, function: Any) -> None:
    operation = operation_of(method, path)
    if operation is None:
        pytest.skip("the endpoint is not done, which its section says")
    fields = described_fields(operation)
    in_path = {name for name in inspect.signature(function).parameters if name.endswith("_id")} | {"model"}
    unknown = [
        name
        for name in sorted(sent_by(function))
        if not (name in in_path and "{" in operation.path)
        and not name.startswith(FREE)
        and not is_described(name, fields, operation)
    ]
    assert unknown == [], "describe these fields, or say in not_done why they are not done"


def test_what_is_said_not_to_be_done_is_known_to_the_client_and_not_accepted() -> None:
    sent: dict[str, tuple[Operation, set[str]]] = {}
    for method, path, function in methods():
        operation = operation_of(method, path)
        if operation is not None:
            sent.setdefault(operation.method + operation.path, (operation, set()))[1].update(
                sent_by(function)
            )
    for operation, names in sent.values():
        fields = {field.name for field in described_fields(operation)}
        for refused in operation.not_done:
            assert refused not in fields, (operation.path, refused)
            assert any(is_within(name, refused) for name in names), (operation.path, refused)
