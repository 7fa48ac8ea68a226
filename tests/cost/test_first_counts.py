"""Before the encoder is built texts are cut into the very same tokens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cost import tokens
from harness.cost.first_counts import FirstCounts

ENCODER = tokens.encoding("o200k_base")
RANKS = tokens._published("o200k_base")
SIGNS = "‘’“”–—…•†€£°→【】"
PROSE = " ".join(
    path.read_text("utf-8") for path in sorted((Path(__file__).parents[2] / "docs").glob("c*.md"))
)
WORDS = st.sampled_from(PROSE.split(" "))
PLAIN = st.text(st.sampled_from([chr(code) for code in range(128)] + list(SIGNS)), max_size=60)


def expected(text: str) -> list[bytes]:
    return ENCODER.decode_tokens_bytes(ENCODER.encode_ordinary(text))


@given(PLAIN)
def test_any_plain_text_is_cut_as_the_encoder_cuts_it(text: str) -> None:
    cut = FirstCounts(RANKS).tokens(text)
    assert cut is None or cut == expected(text)


@given(st.lists(WORDS, max_size=30), st.sampled_from([" ", "\n", "  ", "\r\n", "\t"]))
def test_prose_is_cut_as_the_encoder_cuts_it(words: list[str], between: str) -> None:
    text = between.join(words)
    cut = FirstCounts(RANKS).tokens(text)
    assert cut is None or cut == expected(text)


@pytest.mark.parametrize(
    "text", ["How long does an export take?", "I'LL WAIT 12345 days\r\n\n  (or not)…", ""]
)
def test_usual_texts_are_not_left_to_the_encoder(text: str) -> None:
    assert FirstCounts(RANKS).tokens(text) == expected(text)


@pytest.mark.parametrize("text", ["Übergrößenträger", "a" * 200, PROSE])
def test_other_letters_long_words_and_long_texts_are_left_to_the_encoder(text: str) -> None:
    assert FirstCounts(RANKS).tokens(text) is None


def test_a_process_that_counts_little_builds_no_encoder() -> None:
    counting = "import sys; from harness.cost import tokens"
    program = f"{counting}; print(tokens.count('How long?'), 'tiktoken' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "3 False\n"
