"""Patterns in parts find what one pattern of all of them finds, and compile only what a text calls for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers import handover_words, phrases, wording
from harness.scorers.phrases import OneOf, Phrases

MESSAGES = Path(__file__).parents[2] / "fixtures" / "escalation" / "messages.yaml"
PATTERNS = {name: each for name, each in vars(handover_words).items() if isinstance(each, Phrases)}
PIECES = ["a", "b", "ab", "ba", r"\ba", r"b\b", "a+", "(?:a|bb)", "b?", "a(?! b)", "(?<=a) b", r"\w+ "]
parts = st.one_of(
    st.sampled_from(PIECES),
    st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(PIECES)), min_size=1, max_size=3).map(
        lambda ways: OneOf(*ways)
    ),
)
ways = st.lists(parts, min_size=1, max_size=3).map(lambda each: ("[ab]", *each))  # no way matches nothing
texts = st.text("ab ", max_size=14)


def places(found: Any) -> list[tuple[tuple[int, int], dict[str, str]]]:
    return [(match.span(), match.groupdict()) for match in found]


@given(st.lists(ways, min_size=1, max_size=4), texts)
def test_in_parts_the_same_is_found_as_by_the_whole(each: list[tuple[str | OneOf, ...]], text: str) -> None:
    read = Phrases(*each)
    expected = places(re.finditer(read.spelt, text))
    assert places(read.finditer(text)) == expected
    first = read.search(text)
    assert ([] if first is None else places([first])) == expected[:1]


@pytest.mark.parametrize("name", PATTERNS)
def test_every_pattern_of_hand_overs_finds_the_same_in_labelled_messages(name: str) -> None:
    pattern = PATTERNS[name]
    whole = re.compile(pattern.spelt)
    for sentence in sentences():
        assert places(pattern._piecewise(sentence)) == places(whole.finditer(sentence))


def sentences() -> list[str]:
    labelled = yaml.safe_load(MESSAGES.read_text(encoding="utf-8"))
    said = [text for half in labelled.values() for texts in half["messages"].values() for text in texts]
    spans = (span for text in said for span in wording.sentences_of(text))
    return list(dict.fromkeys(handover_words.clausal(span.text) for span in spans))


def test_many_texts_are_read_by_the_whole_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases, "_FEW", 2)
    read = Phrases(("a", "b"), OneOf("c", name="last"))
    found = [places(read.finditer("ab c")) for _ in range(4)]
    assert found[0] == [((0, 2), {}), ((3, 4), {"last": "c"})]
    assert found[2] == found[3] == [((0, 2), {"last": None}), ((3, 4), {"last": "c"})]


def test_an_answer_about_something_else_compiles_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(phrases, "_compiled", lambda spelt: compiled.append(spelt) or re.compile(spelt))
    phrases._is_in.cache_clear()
    moves = handover_words.MOVES
    assert not list(moves._piecewise("a return is free within 30 days of the purchase"))
    assert compiled
    assert sum(map(len, set(compiled))) < len(moves.spelt) / 5
