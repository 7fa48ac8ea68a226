"""Embeddings."""

from __future__ import annotations

from harness.server.description.records import Operation, Section
from harness.server.description.schema import (
    COUNT,
    always,
    choice,
    either,
    gives,
    listed,
    number,
    takes,
    text,
    unused,
    whole,
)

_MOST_INPUTS = 2_048
_TOKENS = listed(whole(), least=1)
_INPUT = either(
    text(least=1),
    _TOKENS,
    listed(either(text(least=1), _TOKENS), least=1, most=_MOST_INPUTS),
)
_VECTOR = gives(
    {
        "object": always("embedding"),
        "index": COUNT,
        "embedding": either(listed(number(), least=1), text(least=1)),
    }
)
_ANSWER = gives(
    {
        "object": always("list"),
        "data": listed(_VECTOR, least=1),
        "model": text(least=1),
        "usage": gives({"prompt_tokens": COUNT, "total_tokens": COUNT}),
    }
)

SECTION = Section(
    title="Embeddings",
    operations=(
        Operation(
            "POST",
            "/embeddings",
            "Vectors of texts, by the encoder that file_search uses.",
            gives=_ANSWER,
            body=takes(
                {"model": text(least=1), "input": _INPUT},
                encoding_format=choice("float", "base64"),
                dimensions=whole(1, 384),
                user=unused(text(), "nobody here looks at who asks"),
            ),
            refuses=(503,),
        ),
    ),
    schemas={},
)
