"""Which sentences of an answer are claims: labelled sentences of four kinds, and shapes of input."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.claims import kind_of
from harness.scorers.courtesies import is_courtesy
from harness.scorers.wording import lacks_information

LABELLED = Path(__file__).parents[2] / "fixtures" / "claims" / "sentences.yaml"
PARTS: dict[str, dict[str, list[str]]] = yaml.safe_load(LABELLED.read_text(encoding="utf-8"))


def rows(kind: str) -> list[str]:
    return [text for part in PARTS.values() for text in part[kind]]


def test_there_are_sixty_different_sentences_of_each_kind() -> None:
    every = [text for part in PARTS.values() for texts in part.values() for text in texts]
    assert len(every) == len(set(every)) == 240


@pytest.mark.parametrize("text", rows("claim"))
def test_what_documents_could_support_is_a_claim(text: str) -> None:
    assert kind_of(text) == "claim"


@pytest.mark.parametrize("text", rows("abstention"))
def test_admitting_not_to_know_is_no_claim(text: str) -> None:
    assert kind_of(text) != "claim"
    assert lacks_information(text)


@pytest.mark.parametrize("text", [*rows("greeting"), *rows("offer")])
def test_greetings_and_offers_are_no_claims(text: str) -> None:
    assert kind_of(text) != "claim"


@pytest.mark.parametrize("text", rows("claim"))
def test_a_claim_after_a_greeting_stays_one(text: str) -> None:
    assert kind_of(f"Great, {text[0].lower()}{text[1:]}") == "claim"


@pytest.mark.parametrize(
    "text",
    [
        "If you want, I can send it to support@example.com.",
        "Enjoy 20 % off your next trip!",
        "I can confirm that returns are free.",
        "I can offer you a refund.",
        "We can repair it if you send the receipt.",
        "If you return the item, we will refund the price.",
    ],
)
def test_an_offer_that_states_something_checkable_stays_a_claim(text: str) -> None:
    assert not is_courtesy(text)


@given(st.text(max_size=400))
def test_any_text_is_told_to_be_a_courtesy_or_not(text: str) -> None:
    assert is_courtesy(text) in {True, False}
