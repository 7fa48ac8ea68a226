"""Assistants."""

from __future__ import annotations

from harness.server.description import shapes
from harness.server.description.records import Operation, Section, paging
from harness.server.description.schema import (
    TIME,
    a_page_of,
    always,
    deleted,
    gives,
    listed,
    nullable,
    number,
    ref,
    takes,
    text,
)

_FIELDS = {
    "name": text(most=256),
    "description": text(most=512),
    "instructions": text(most=256_000),
    "tools": listed(shapes.TOOL_IN, most=128),
    "tool_resources": shapes.TOOL_RESOURCES_IN,
    "metadata": ref("Metadata"),
    "temperature": shapes.option(shapes.TEMPERATURE),
    "top_p": shapes.option(shapes.TOP_P),
    "response_format": shapes.RESPONSE_FORMAT_IN,
    "reasoning_effort": shapes.option(shapes.EFFORT),
}
_ASSISTANT = gives(
    {
        "id": text(pattern="^asst_"),
        "object": always("assistant"),
        "created_at": TIME,
        "name": nullable(text(most=256)),
        "description": nullable(text(most=512)),
        "model": text(least=1),
        "instructions": nullable(text(most=256_000)),
        "tools": listed(shapes.TOOL_OUT, most=128),
        "top_p": number(0, 1),
        "temperature": number(0, 2),
        "reasoning_effort": nullable(shapes.EFFORT),
        "tool_resources": shapes.TOOL_RESOURCES_OUT,
        "metadata": ref("Metadata"),
        "response_format": shapes.RESPONSE_FORMAT_OUT,
    }
)

SECTION = Section(
    title="Assistants",
    operations=(
        Operation(
            "GET",
            "/assistants",
            "The assistants.",
            gives=a_page_of(ref("Assistant")),
            query=paging(),
            refuses=(),
        ),
        Operation(
            "POST",
            "/assistants",
            "Make an assistant.",
            gives=ref("Assistant"),
            body=takes({"model": text(least=1)}, **_FIELDS),
        ),
        Operation("GET", "/assistants/{assistant}", "One assistant.", gives=ref("Assistant")),
        Operation(
            "POST",
            "/assistants/{assistant}",
            "Change an assistant; what is not given stays.",
            gives=ref("Assistant"),
            body=takes(model=text(least=1), **_FIELDS),
            may_be_empty=True,
        ),
        Operation(
            "DELETE", "/assistants/{assistant}", "Delete an assistant.", gives=deleted("assistant.deleted")
        ),
    ),
    schemas={"Assistant": _ASSISTANT},
)
