"""/embeddings: vectors of texts, by the same encoder that file_search uses."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.cost import tokens
from harness.server.engine.machine import Engine
from harness.server.errors import ApiError, bad_request
from harness.server.resources.fields import Fields, wrong_type
from harness.server.wire import Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_INPUTS = 2_048
MOST_TOKENS = 8_192
MOST_TOKENS_IN_ALL = 300_000
_FIELDS = ("input", "model", "encoding_format", "dimensions", "user")
_SHAPES = "a string, an array of strings, an array of tokens or an array of token arrays"


def create(engine: Engine, request: Request) -> dict[str, Any]:
    """POST /embeddings."""
    from harness.embedding import encoder

    fields = Fields(request.body, _FIELDS)
    model = fields.required_text("model")
    form = fields.choice("encoding_format", ("float", "base64"), "float")
    dimensions = fields.integer("dimensions", 1, encoder.DIMENSIONS) or encoder.DIMENSIONS
    fields.text("user")
    texts, used = _texts(fields, model)
    vectors = _shortened(_embedder().embed(texts), dimensions)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _written(vector, form)}
            for index, vector in enumerate(vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def _embedder() -> Any:
    """The encoder of this package.

    Raises:
        ApiError: This installation has none that works.
    """
    from harness.embedding import encoder

    embedder = encoder.default()
    if embedder is None:
        message = f"There are no embeddings here; file_search goes by {encoder.described()}."
        raise ApiError(503, message, type="server_error", code="embeddings_unavailable")
    return embedder


def _texts(fields: Fields, model: str) -> tuple[list[str], int]:
    """The texts to embed, and how many tokens they are in all.

    Raises:
        ApiError: The input has another shape, is empty, or is too much.
    """
    texts, sizes = [], []
    for path, given in _inputs(fields):
        text, size = _text(path, given, model)
        if size > MOST_TOKENS:
            raise bad_request(
                f"This model's maximum context length is {MOST_TOKENS} tokens, however you requested {size} "
                f"tokens in '{path}'. Please reduce your prompt.",
                "input",
            )
        texts.append(text)
        sizes.append(size)
    if sum(sizes) > MOST_TOKENS_IN_ALL:
        message = f"Requested {sum(sizes)} tokens, max {MOST_TOKENS_IN_ALL} tokens per request."
        raise ApiError(400, message, param="input", code="max_tokens_per_request")
    return texts, sum(sizes)


def _inputs(fields: Fields) -> list[tuple[str, Any]]:
    """Each single input with its place in the request."""
    given = fields.require("input")
    if isinstance(given, str) or _is_tokens(given):
        return [("input", given)]
    if not isinstance(given, list):
        raise wrong_type("input", _SHAPES, given)
    if not given:
        raise bad_request("Invalid 'input': expected at least one text or token.", "input")
    many = fields.items("input", most=MOST_INPUTS) or []
    return [(f"input[{index}]", each) for index, each in enumerate(many)]


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(token) is int for token in value)


def _text(path: str, given: Any, model: str) -> tuple[str, int]:
    """One input as a text, and its length in tokens."""
    if given in ("", []):
        raise bad_request(f"Invalid '{path}': it must not be empty.", path)
    if isinstance(given, str):
        return given, len(tokens.encode(given, model))
    if not _is_tokens(given):
        raise wrong_type(path, "a string or an array of tokens" if path != "input" else _SHAPES, given)
    return _decoded(path, given, model), len(given)


def _decoded(path: str, given: Sequence[int], model: str) -> str:
    name = tokens.encoding_name(model)
    try:
        return tokens.encoding(name).decode(list(given))
    except (KeyError, OverflowError) as problem:
        raise bad_request(f"Invalid '{path}': not all of these are tokens of {name}.", path) from problem


def _shortened(vectors: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """The first numbers of each vector, made a vector of length 1 again."""
    import numpy as np

    first = vectors[:, :dimensions]
    lengths: NDArray[np.float32] = np.linalg.norm(first, axis=1, keepdims=True)
    short: NDArray[np.float32] = first / lengths.clip(min=np.float32(1e-12))
    return short


def _written(vector: NDArray[np.float32], form: str | None) -> str | list[float]:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    numbers: list[float] = vector.tolist()
    return numbers
