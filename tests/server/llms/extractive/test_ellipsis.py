"""Elliptic follow-ups as the whole questions that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.llms.extractive.ellipsis import expanded


@pytest.mark.parametrize(
    ("before", "said", "whole"),
    [
        ("How many rows fit into a CSV export?", "And for XLSX?", "How many rows fit into a XLSX export?"),
        (
            "How fast do you answer on the Team plan?",
            "What about Business?",
            "How fast do you answer on the Business plan?",
        ),
        (
            "When are you open on Wednesdays?",
            "and on Sundays in July",
            "When are you open on Sundays in July?",
        ),
        ("how long can i keep a dvd", "and books?", "how long can i keep a books"),
        (
            "How long is the reset link valid?",
            "And the invitation link?",
            "How long is the invitation link valid?",
        ),
        ("What is the total revenue?", "And by region?", "What is the total revenue by region?"),
        ("Hello. What does a bike cost?", "Back again - and a scooter?", "What does a scooter cost?"),
    ],
)
def test_the_new_words_take_the_place_of_their_like(before, said, whole):
    assert expanded(said, [before]) == whole


def test_a_chain_of_ellipses_exchanges_the_same_place():
    assert expanded("and json?", ["How many rows fit into a CSV export?", "And for XLSX?"]) == (
        "How many rows fit into a json export?"
    )


@pytest.mark.parametrize(
    "said",
    ["How long does it take?", "And how do I cancel?", "What about it costs more?", "Thanks!", "XLSX", ""],
)
def test_a_message_that_stands_for_itself_is_left_alone(said):
    assert expanded(said, ["How many rows fit into a CSV export?"]) is None


def test_without_an_earlier_question_nothing_is_expanded():
    assert expanded("And for XLSX?", []) is None


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=4))
def test_any_talk_can_be_read(said, earlier):
    found = expanded(said, earlier)
    assert found is None or isinstance(found, str)
