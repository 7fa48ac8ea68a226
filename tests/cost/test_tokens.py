"""Counts are exact, and need no network."""

from __future__ import annotations

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from harness.cost.tokens import count, encode, encoding, encoding_name


@pytest.mark.parametrize(
    ("text", "model", "tokens"),
    [
        ("", "gpt-5.4", 0),
        ("Hello world, how are you?", "gpt-5.4", 7),
        ("tiktoken is great!", "gpt-4", 6),  # an example of the tiktoken documentation
        ("<|endoftext|>", "gpt-5.4", 7),
    ],
)
def test_known_counts(text: str, model: str, tokens: int) -> None:
    assert count(text, model) == tokens


@given(st.text(max_size=200))
def test_tokens_decode_to_the_text_they_came_from(text: str) -> None:
    assert encoding("o200k_base").decode(encode(text)) == text


@pytest.mark.parametrize(
    "model", ["gpt-4", "gpt-4o", "gpt-4.1-mini", "gpt-4-turbo", "gpt-5", "gpt-3.5-turbo", "o3-mini"]
)
def test_models_have_the_encoding_that_tiktoken_gives_them(model: str) -> None:
    assert encoding_name(model) == tiktoken.model.encoding_name_for_model(model)


def test_an_unknown_model_counts_like_current_ones() -> None:
    assert encoding_name("my-own-model") == "o200k_base"
