"""Synonyms are no inventions, and opposites are: what a thesaurus tells of an answer's words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.scorers import facts, thesaurus
from harness.scorers.evidence import Evidence, Passage
from harness.scorers.grounding import score_answers
from harness.scorers.substitutes import Substitutes, in_answer, in_claim
from harness.scorers.thesaurus import Related, Thesaurus
from harness.text import stem

TEXT = (
    "Visitors can purchase tickets at the gate. The museum increased its prices in May. "
    "Dogs may enter the garden. Groups book by phone."
)


def found(claim: str, question: str = "") -> Substitutes:
    known = facts.stems_of_text(question)
    return in_claim(claim, Evidence([Passage(TEXT)]), known, thesaurus.default())


@pytest.mark.parametrize("word", ["purchase", "buy", "bought", "increase", "happy", "children"])
def test_related_words_are_found_by_stem(word: str) -> None:
    related = thesaurus.default().related(stem(word))
    assert related.synonyms
    assert stem(word) not in related.synonyms | related.opposites
    assert not related.synonyms & related.opposites


def test_irregular_forms_have_the_relations_of_their_base() -> None:
    related = thesaurus.default().related
    assert {"buy", "purchas"} <= related("bought").synonyms
    assert "sell" in related("bought").opposites
    assert "bought" in related("purchas").synonyms


def test_every_line_of_the_thesaurus_is_found_again() -> None:
    content = thesaurus.default()._content
    stems = [line.partition(b"\t")[0].decode() for line in content.split(b"\n")[1:]]
    assert stems == sorted(set(stems), key=str.encode)
    assert all(thesaurus.default()._related(each) != Related() for each in stems[::97])


WORDS = st.text(st.sampled_from("abé"), min_size=1, max_size=4)


@given(st.dictionaries(WORDS, st.tuples(st.frozensets(WORDS), st.frozensets(WORDS)), max_size=12), WORDS)
def test_lookups_are_those_of_a_dict(entries: dict[str, Any], other: str) -> None:
    lines = sorted(
        (key.encode(), f"{' '.join(a)}\t{' '.join(b)}".encode()) for key, (a, b) in entries.items()
    )
    made = Thesaurus(b"".join(key + b"\t" + rest + b"\n" for key, rest in lines))
    for key in (*entries, other):
        assert made.related(key) == Related(*entries.get(key, ()))


def test_a_synonym_of_what_stands_near_is_one() -> None:
    assert found("Visitors can buy tickets at the gate.") == Substitutes(synonyms=1)


def test_an_opposite_of_what_stands_near_is_one() -> None:
    assert found("The museum decreased its prices in May.") == Substitutes(opposites=1)


def test_what_stands_there_or_is_asked_for_is_no_substitute() -> None:
    assert found("Visitors can purchase tickets at the gate.") == Substitutes()
    assert found("Visitors can buy tickets.", question="Where can I buy tickets?") == Substitutes()


def test_a_denial_of_its_own_is_one() -> None:
    assert found("Dogs may not enter the garden.").negations == 1
    assert found("Dogs may enter the garden.").negations == 0


def test_a_word_counts_less_the_longer_the_answer() -> None:
    one = Substitutes(synonyms=1, opposites=2, negations=1)
    assert in_answer([one]) == {"synonyms": 1.0, "opposites": 2.0, "negations": 1.0}
    assert in_answer([one, Substitutes()]) == {"synonyms": 0.25, "opposites": 0.5, "negations": 0.25}
    assert in_answer([]) == dict.fromkeys(("synonyms", "opposites", "negations"), 0.0)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60), st.text(max_size=120))
def test_any_texts_can_be_compared(claim: str, text: str) -> None:
    made = in_claim(claim, Evidence([Passage(text)]), set(), thesaurus.default())
    assert min(made.synonyms, made.opposites, made.negations) >= 0


def test_the_contrary_is_riskier_than_the_same_in_other_words() -> None:
    same, contrary = "The museum raised its prices in May.", "The museum decreased its prices in May."
    probabilities = score_answers(["", ""], [TEXT, TEXT], [same, contrary])
    assert probabilities[0] < probabilities[1]
