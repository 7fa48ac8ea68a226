"""Words and sentences keep their places, whatever the text."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import re
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import scorers, text
from harness.server.llms import extractive
from harness.text import content_stems, fold, late, nearest, sentences, stem, words


@given(st.text(max_size=300))
def test_sentences_stand_where_they_say_and_lose_only_white_space(text: str) -> None:
    spans = sentences(text)
    assert all(text[span.start : span.end] == span.text for span in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert "".join("".join(span.text.split()) for span in spans) == "".join(text.split())


@given(st.text(max_size=300))
def test_words_stand_where_they_say(text: str) -> None:
    assert all(text[word.start : word.end] == word.text for word in words(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Version 5.2.1 is out. Get it.", ["Version 5.2.1 is out.", "Get it."]),
        ("Formats, e.g. CSV, work. Others don't.", ["Formats, e.g. CSV, work.", "Others don't."]),
        (
            "It lasts 24 hours.【4:0†a.pdf】 Then it ends.",
            ["It lasts 24 hours.【4:0†a.pdf】", "Then it ends."],
        ),
        (
            "It lasts 24 hours【4:0†a.pdf】. Then it ends.",
            ["It lasts 24 hours【4:0†a.pdf】.", "Then it ends."],
        ),
        ("Steps:\n1. Open it.\n2. Close it.", ["Steps:", "1. Open it.", "2. Close it."]),
        ("- first\n- second", ["- first", "- second"]),
        ("A wrapped\nline ends here. Next.", ["A wrapped\nline ends here.", "Next."]),
        ("# Heading\nText below.", ["# Heading", "Text below."]),
    ],
)
def test_sentence_boundaries(text: str, expected: list[str]) -> None:
    assert [span.text for span in sentences(text)] == expected


@pytest.mark.parametrize("text", ["jo@example.com", "5.2.1", "SYNC-401", "30%", "it's"])
def test_compound_words_stay_whole(text: str) -> None:
    assert [word.text for word in words(f"see {text} here")] == ["see", text, "here"]


def test_folding_makes_typographic_and_plain_quotes_equal() -> None:
    assert fold("I’ll  CONNECT\nyou") == fold("I'll connect you")


def test_inflected_words_share_a_stem_and_function_words_have_none() -> None:
    assert stem("exporting") == stem("exports") == stem("exported")
    assert content_stems("How do I get it from there?") == []
    assert "sign" in content_stems("the sign-up page")


def test_the_nearest_candidate_is_offered_only_when_it_is_near() -> None:
    assert nearest("esclates", ["escalates", "grounded"]) == "escalates"
    assert nearest("zzz", ["escalates", "grounded"]) is None


def test_threads_that_stem_at_the_same_time_get_what_one_alone_gets() -> None:
    vocabulary = [f"{root}{ending}" for root in map(chr, range(97, 123)) for ending in _ENDINGS]
    alone = [stem.__wrapped__(word) for word in vocabulary]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda _: [stem.__wrapped__(word) for word in vocabulary], range(16)))
    assert all(stems == alone for stems in together)


_ENDINGS = ["ationally", "iveness", "fulness", "izations", "ically", "ousli", "entli", "alism", "ingly"]


def test_a_late_pattern_is_compiled_once_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    usual = re.compile
    monkeypatch.setattr(re, "compile", lambda spelt, flags: compiled.append(spelt) or usual(spelt, flags))
    pattern = late("a+", re.IGNORECASE)
    assert not compiled
    found = [pattern.search("bAa"), pattern.fullmatch("aA"), pattern.search("b")]
    assert [match and match.span() for match in found] == [(1, 3), (0, 2), None]
    assert compiled == ["a+"]


@pytest.mark.parametrize("room", [scorers, extractive], ids=lambda room: room.__name__)
def test_every_late_pattern_is_a_pattern(room: ModuleType) -> None:
    modules = [
        importlib.import_module(f"{room.__name__}.{each.name}")
        for each in pkgutil.iter_modules(room.__path__)
    ]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, text._Late)]
    assert found
    for each in found:
        re.compile(*each._spelt)
