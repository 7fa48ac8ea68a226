"""/embeddings: vectors of texts or tokens, in numbers or base64."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from harness.cost import tokens
from harness.embedding import encoder

Api = Any
MODEL = "text-embedding-3-small"


def ask(api: Api, given: Any, **body: Any) -> dict[str, Any]:
    return api.post("/embeddings", {"model": MODEL, "input": given, **body})


def vectors(made: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.array([row["embedding"] for row in made["data"]], np.float32)


def test_an_answer_has_every_key_and_counts_tokens_as_the_named_model_would(api: Api) -> None:
    made = ask(api, ["Export your data.", "hello"])
    used = tokens.count("Export your data.", MODEL) + 1
    assert [set(row) for row in made["data"]] == [{"object", "index", "embedding"}] * 2
    assert [(row["object"], row["index"]) for row in made["data"]] == [("embedding", 0), ("embedding", 1)]
    assert (made["object"], made["model"]) == ("list", MODEL)
    assert made["usage"] == {"prompt_tokens": used, "total_tokens": used}
    assert vectors(made).shape == (2, 384)


@pytest.mark.parametrize("model", [MODEL, "text-embedding-ada-002", "nomic-embed-text", "org/some-model"])
def test_texts_and_their_tokens_have_the_same_vector_whatever_the_model_is_called(
    api: Api, model: str
) -> None:
    text = "How do I get a refund?"
    numbers = tokens.encode(text, model)
    same = [
        api.post("/embeddings", {"model": model, "input": given})
        for given in (text, [text], numbers, [numbers])
    ]
    assert all(np.array_equal(vectors(made), vectors(same[0])) for made in same)
    assert {made["usage"]["total_tokens"] for made in same} == {len(numbers)}


def test_base64_holds_the_same_numbers(api: Api) -> None:
    plain = vectors(ask(api, "hello", encoding_format="float"))[0]
    packed = ask(api, "hello", encoding_format="base64")["data"][0]["embedding"]
    assert np.array_equal(np.frombuffer(base64.b64decode(packed), "<f4"), plain)


@pytest.mark.parametrize("dimensions", [1, 64, 384])
def test_fewer_dimensions_are_the_first_ones_made_a_unit_again(api: Api, dimensions: int) -> None:
    whole, short = vectors(ask(api, "hello"))[0], vectors(ask(api, "hello", dimensions=dimensions))[0]
    assert short == pytest.approx(whole[:dimensions] / np.linalg.norm(whole[:dimensions]), abs=1e-6)


def test_what_a_long_text_says_late_counts_too(api: Api) -> None:
    filler = "The weather was mild and the harbour calm. " * 300
    plain, ending = vectors(ask(api, [filler, filler + "Refunds take five days. " * 100]))
    asked = vectors(ask(api, "How long does a refund take?"))[0]
    assert asked @ ending > asked @ plain + 0.1


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"model": None, "input": "x"}, "model", "missing_required_parameter"),
        ({"input": ""}, "input", None),
        ({"input": []}, "input", None),
        ({"input": ["x", ""]}, "input[1]", None),
        ({"input": [[1], []]}, "input[1]", None),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": ["x", 5]}, "input[1]", "invalid_type"),
        ({"input": [[1, "x"]]}, "input[0]", "invalid_type"),
        ({"input": [True]}, "input[0]", "invalid_type"),
        ({"input": [-1]}, "input", None),
        ({"input": [[10**9]]}, "input[0]", None),
        ({"input": [2**70]}, "input", None),
        ({"input": "x", "dimensions": 385}, "dimensions", "integer_above_max_value"),
        ({"input": "x", "dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"input": "x", "encoding_format": "int8"}, "encoding_format", "invalid_value"),
        ({"input": "x", "colour": "red"}, "colour", "unknown_parameter"),
        ({"input": ["x"] * 2049}, "input", "array_above_max_length"),
        ({"input": "word " * 8193}, "input", None),
        ({"input": [1] * 8193}, "input", None),
        ({"input": ["word " * 8000] * 38}, "input", "max_tokens_per_request"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(
    api: Api, body: dict[str, Any], param: str, code: str | None
) -> None:
    status, error = api.refused("POST", "/embeddings", {"model": MODEL, **body})
    assert (status, error["param"], error["code"]) == (400, param, code)
    assert error["type"] == "invalid_request_error"


def test_without_the_model_files_embeddings_are_refused_as_a_fault_of_the_server(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "default", lambda: None)
    status, error = api.refused("POST", "/embeddings", {"model": MODEL, "input": "x"})
    assert (status, error["type"], error["code"]) == (503, "server_error", "embeddings_unavailable")
