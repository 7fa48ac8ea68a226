"""Single changes of a text."""

from __future__ import annotations

import unicodedata
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from harness.perturb.edits import EMAIL, Palette, sites
from harness.suite.records import PerturbationKind

TEXT = "How do I export my data? I am jo.doe@example.com, order A-1234. Please help."
KINDS = [kind for kind in get_args(PerturbationKind) if kind not in ("emails", "document")]
SPARING = [kind for kind in KINDS if kind not in ("order", "additions", "injection")]


def changed(kind: PerturbationKind, text: str) -> list[str]:
    return [
        text[: site.start] + option + text[site.end :]
        for site in sites(kind, text, Palette())
        for option in site.options
    ]


@given(st.sampled_from(KINDS), st.text(max_size=80))
def test_a_change_can_be_made_where_a_site_says_and_changes_the_text(
    kind: PerturbationKind, text: str
) -> None:
    for site in sites(kind, text, Palette()):
        assert 0 <= site.start <= site.end <= len(text)
        assert site.options and text[site.start : site.end] not in site.options


@given(st.sampled_from(SPARING))
def test_addresses_and_codes_are_left_as_they_are(kind: PerturbationKind) -> None:
    for text in changed(kind, TEXT):
        assert EMAIL.findall(text) == ["jo.doe@example.com"], (kind, text)
        assert "A-1234" in text


def test_letters_that_look_alike_are_other_letters() -> None:
    for text in changed("lookalikes", "Please export"):
        foreign = [letter for letter in text if not letter.isascii()]
        assert foreign
        assert all("CYRILLIC" in unicodedata.name(letter, "") or letter == "\u200b" for letter in foreign)


def test_sentences_in_another_order_are_the_same_sentences() -> None:
    for text in changed("order", "One is red. Two is blue. Three is green."):
        said = [part.strip() for part in text.split(".") if part.strip()]
        assert sorted(said) == ["One is red", "Three is green", "Two is blue"]


def test_a_suites_own_synonyms_and_additions_are_used_before_the_usual_ones() -> None:
    palette = Palette.of({"Invoice": ("bill",)}, ["It is Tuesday."])
    [site] = sites("synonyms", "Where is my invoice", palette)
    assert site.options == ("bill",)
    first, *_ = sites("additions", "Hello", palette)
    assert first.options[0] == " It is Tuesday."


def test_a_synonym_begins_with_a_capital_where_the_word_did() -> None:
    [site] = sites("synonyms", "How do I pay?", Palette())
    assert site.options[0] == "How can i"
