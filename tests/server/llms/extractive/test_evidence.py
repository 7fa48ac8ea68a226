"""What counts as an answer: sentences weighed by their words and by their meaning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.embedding import encoder
from harness.server.llms.extractive import evidence
from harness.server.llms.extractive.evidence import weigh
from harness.server.llms.extractive.nearness import MOST_COMPARED, nearness
from harness.server.llms.extractive.passages import units_of
from harness.server.llms.extractive.question import read_question
from harness.server.llms.interface import SearchHit

FARM = """# Staying with us

Animals arrive between 8 and 11 in the morning and are fetched before 5 in the afternoon.

## What to pack

Bring the food your animal is used to, its blanket and one toy. Bowls and beds are here.

# Walks

Each dog goes out three times a day, together 90 minutes.

# Prices

Guest                 Low season   Summer
Cat                   14 euros     17 euros
Large dog             27 euros     33 euros
"""


def hit(text: str) -> SearchHit:
    return SearchHit("file-1", "farm.md", 0.5, text, "【4:0†farm.md】")


def quotes(question: str, text: str = FARM) -> str:
    found = weigh(read_question(question, follows=False), [hit(text)])
    return " ".join(unit.text for unit, _ in found.quotes)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Which things should I put in my cat's bag?", "blanket"),
        ("How much exercise do the dogs get?", "90 minutes"),
        ("What time can I drop off my dog?", "between 8 and 11"),
    ],
)
def test_a_question_in_other_words_than_the_documents_is_answered(question, expected):
    assert expected in quotes(question)


@pytest.mark.parametrize(
    "question", ["Do you have webcams?", "Do you take parrots?", "Can you trim his claws as well?"]
)
def test_what_no_sentence_says_stays_unanswered(question):
    assert quotes(question) == ""


def test_columns_that_stand_apart_by_spaces_are_quoted_with_their_names():
    assert "Large dog: Low season 27 euros, Summer 33 euros" in quotes(
        "What does a large dog cost in the summer?"
    )


def test_without_the_encoder_words_alone_decide(monkeypatch):
    monkeypatch.setattr(encoder, "default", lambda: None)
    assert quotes("Which things should I put in my cat's bag?") == ""
    assert "90 minutes" in quotes("How often does each dog go out in a day?")


def test_no_more_sentences_are_compared_than_a_turn_has_time_for(monkeypatch):
    compared = []

    def counted(question, units):
        compared.append(len(units))
        return nearness(question, units)

    monkeypatch.setattr(evidence, "nearness", counted)
    long = "\n\n".join(f"Shelf {number} holds books about {number} cities." for number in range(90))
    weigh(read_question("Where are books about rivers?"), [hit(long), hit(FARM)])
    assert compared == [MOST_COMPARED]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(FARM.split("\n\n")), min_size=1, max_size=6))
def test_the_same_question_and_hits_give_the_same_evidence(parts):
    asked = read_question("When are the animals fetched?")
    hits = [hit("\n\n".join(parts))]
    assert weigh(asked, hits) == weigh(asked, hits)


def test_nearness_is_a_cosine_for_each_sentence_in_order():
    found = nearness("When do animals arrive?", units_of(FARM))
    assert found is not None
    assert len(found) == len(units_of(FARM))
    assert all(-1.001 <= cosine <= 1.001 for cosine in found)
    assert found[0] == max(found)
