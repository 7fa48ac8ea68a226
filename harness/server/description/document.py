"""The OpenAPI 3.1 document, put together from the sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.server.description import (
    assistants,
    chat,
    containers,
    conversations,
    embeddings,
    files,
    models,
    responses,
    runs,
    threads,
    vector_stores,
)
from harness.server.description.records import BYTES, Operation, Parameter, Section
from harness.server.description.schema import (
    ATTRIBUTES,
    METADATA,
    NULL,
    Schema,
    either,
    gives,
    nullable,
    ref,
    text,
)

SECTIONS: tuple[Section, ...] = (
    assistants.SECTION,
    threads.SECTION,
    runs.SECTION,
    files.SECTION,
    vector_stores.SECTION,
    responses.SECTION,
    conversations.SECTION,
    containers.SECTION,
    chat.SECTION,
    embeddings.SECTION,
    models.SECTION,
)
EVENTS = "x-events"
"""Keyword of an event stream: the schema of each event's data, by its name."""

_ERROR = gives(
    {
        "error": gives(
            {"message": text(), "type": text(), "param": nullable(text()), "code": nullable(text())}
        )
    },
    detail=gives({"message": text(), "code": nullable(text())}),
)
_SHARED: dict[str, Schema] = {"Error": _ERROR, "Metadata": METADATA, "Attributes": ATTRIBUTES}
_ALWAYS_REFUSES = (400, 401, 413)
_MEANINGS = {
    400: "The request is wrong.",
    401: "The key is wrong.",
    403: "It is not allowed.",
    404: "Something that the request names is not there.",
    413: "The request is too large.",
    429: "The model behind the server refuses for now.",
    500: "The model behind the server failed.",
    503: "This installation has no encoder that works.",
}
_ID = re.compile(r"\{(\w+)\}")


def operations() -> Iterator[Operation]:
    """Every operation that is described."""
    for section in SECTIONS:
        yield from section.operations


def document() -> dict[str, Any]:
    """The document, as a fresh JSON object."""
    paths: dict[str, dict[str, Any]] = {}
    for section in SECTIONS:
        for each in section.operations:
            paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, section.title)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "harness: the embedded server",
            "version": "v1",
            "description": "Assistants, Responses with Conversations, and chat completions as harness serve "
            "speaks them. What is accepted without effect carries x-no-effect with the reason.",
        },
        "servers": [{"url": "/v1"}],
        "security": [{"key": []}, {}],
        "paths": paths,
        "components": {
            "schemas": {**_SHARED, **{name: one for each in SECTIONS for name, one in each.schemas.items()}},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation, title: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": _name(operation),
        "tags": [title],
        "summary": operation.summary,
        "parameters": [
            *(_id(name) for name in _ID.findall(operation.path)),
            *(_parameter(each) for each in operation.query),
        ],
        "responses": {"200": _answer(operation), **_refusals(operation)},
    }
    content = _body(operation)
    if content:
        made["requestBody"] = {"required": not operation.may_be_empty, "content": content}
    return made


def _name(operation: Operation) -> str:
    words = re.sub(r"[^A-Za-z]+", "_", operation.path).strip("_")
    return f"{operation.method.lower()}_{words}"


def _id(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": text(least=1)}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    many = {"style": "form", "explode": True} if parameter.schema.get("type") == "array" else {}
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "schema": parameter.schema,
        **many,
    }


def _body(operation: Operation) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if operation.body is not None:
        schema = either(operation.body, NULL) if operation.may_be_empty else operation.body
        content["application/json"] = {"schema": schema}
    if operation.form is not None:
        content["multipart/form-data"] = {"schema": operation.form}
    return content


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.gives == BYTES:
        return {"description": "The content.", "content": {"application/octet-stream": {}}}
    content: dict[str, Any] = {"application/json": {"schema": operation.gives}}
    if operation.events:
        content["text/event-stream"] = {EVENTS: dict(operation.events)}
    return {"description": operation.summary, "content": content}


def _refusals(operation: Operation) -> dict[str, Any]:
    envelope = {"application/json": {"schema": ref("Error")}}
    return {
        str(status): {"description": _MEANINGS[status], "content": envelope}
        for status in sorted({*_ALWAYS_REFUSES, *operation.refuses})
    }
