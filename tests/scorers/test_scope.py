from __future__ import annotations

from typing import Any

import pytest

from harness.scorers.claims import sorted_out
from harness.scorers.scope import redirects

REDIRECTS = [
    "I can only help with questions about our software.",
    "That's outside what I can help with, but I'm happy to answer questions about billing.",
    "I'm sorry, but I can't help with that. Is there anything about your account I can help you with?",
    "I'm not able to assist with cooking recipes. Feel free to ask me about the product, though!",
    "That is a bit beyond my scope. I'd be glad to help with questions about your orders instead.",
    "I’m here to help with travel bookings, so I can't give medical advice.",
    "Sorry, weather forecasts aren't something I can help with.",
    "I focus on questions about the library's services. Is there something about those I can help you with?",
    "I'm just a support assistant for the store, so I cannot write poems.",
    "My expertise is limited to insurance questions.",
    "Let's get back to your account: what would you like to know?",
    "I'd rather stick to topics around our hardware. Do you have a question about it?",
    "Thanks for asking! Unfortunately I can only answer questions about the app.",
    "As an assistant for the bank, I can only discuss banking.",
    "I don't give legal advice, but I can help you with our products.",
    "That question isn't related to our service, so I can't help with it.",
    "I'm afraid that's not something I can help with. I can help with:\n- exporting data\n- billing",
    "I was designed to help with hotel reservations.",
    "I wasn't built to answer trivia, but I'm happy to help with your subscription.",
    "I specialize in questions about the museum. Would you like to know our opening hours?",
    "I'll have to politely decline that one. How can I help you with your bicycle?",
    "Politics is off-topic for me. Is there anything else about the app I can help with?",
    "I'm not qualified to advise on taxes.",
    "I'm only able to support questions about gardening tools.",
]
NOT_REDIRECTS = [
    "You can export your data under Settings.",
    "The capital of France is Paris.",
    "I can only help with our software. The capital of France is Paris.",
    "I can help with that! Open Settings and choose Export.",
    "We don't offer refunds after 30 days.",
    "I'm happy to help with your export. Go to Settings, then Data.",
    "Hello! How can I help you today?",
    "I couldn't find that in the documentation.",
    "Exports are only available on the Business plan.",
    "The API can't delete archived projects.",
    "I'm sorry to hear that. Restart the app, then sign in again.",
    "I'll connect you with our technical team.",
]
ABSTAINS = [
    "I don't have that information.",
    "I couldn't find anything about this in our documentation.",
    "Unfortunately, the documents don't mention a phone number.",
    "I'm not sure about that.",
    "That isn't covered in my knowledge base.",
    "There is no information about discounts in the provided articles.",
    "I do not know the answer to this question.",
    "Our help articles don't say how long this takes.",
    "I wasn't able to find details on that.",
    "I'm sorry, I have no information on upcoming features.",
    "The price is not listed in the available documents.",
    "Based on the passages given, I cannot confirm whether the warranty applies.",
    "I don't have enough information to answer that.",
    "The guide doesn't specify a limit.",
    "I can't find any mention of that in the files I have.",
    "Nothing in our documentation covers that.",
    "I don't have access to details about your invoice.",
    "That's not in the documentation I have.",
    "The provided context does not contain the answer.",
    "I don't currently have data on that.",
    "I am unable to answer based on the given passages.",
]
NOT_ABSTAINS = [
    "You can export your data under Settings.",
    "The free plan doesn't include exports.",
    "I'm not sure which plan you mean, could you tell me?",
    "You don't have permission to see this page.",
    "If you don't have the details, ask your administrator.",
    "The exported file does not contain deleted records.",
    "I can't help with cooking recipes.",
    "Your account has no open invoices.",
    "We don't store credit card numbers.",
    "There is no limit on the number of users.",
    "I don't recommend sharing your password.",
    "Do you have any information about the error?",
    "There is no extra charge for support.",
    "The app does not sync over mobile data.",
]


@pytest.mark.parametrize("answer", REDIRECTS)
def test_turning_away_is_seen_in_many_wordings(answer: str) -> None:
    assert redirects(answer)


@pytest.mark.parametrize("answer", NOT_REDIRECTS)
def test_an_answer_does_not_turn_away(answer: str) -> None:
    assert not redirects(answer)


def abstains(answer: str) -> bool:
    return any(sentence.kind == "abstention" for sentence in sorted_out(answer))


@pytest.mark.parametrize("answer", ABSTAINS)
def test_not_knowing_is_seen_in_many_wordings(answer: str) -> None:
    assert abstains(answer)


@pytest.mark.parametrize("answer", NOT_ABSTAINS)
def test_an_answer_does_not_abstain(answer: str) -> None:
    assert not abstains(answer)


AWAY = "Sorry, I can only help with questions about our cameras."


def test_turning_away_passes_where_it_is_wanted_and_fails_where_not(talk: Any) -> None:
    turns = [talk.turn(AWAY)]
    assert all(score.passed for score in talk.scores(turns, {"redirects": True}))
    score = talk.one(turns, {"redirects": False})
    assert not score.passed
    assert AWAY in score.reason


def test_turning_away_with_an_answer_beside_it_fails_and_names_it(talk: Any) -> None:
    score = talk.one([talk.turn(f"{AWAY} The capital of Peru is Lima.")], {"redirects": True})
    assert score.reason == "the answer turns the message away but also says 'The capital of Peru is Lima.'"


def test_turning_away_with_a_citation_fails(talk: Any) -> None:
    score = talk.one([talk.turn(AWAY, cites=(("file-1", ""),))], {"redirects": True})
    assert "cites documents (warranty.pdf)" in score.reason


def test_an_admission_may_stand_beside_related_claims(talk: Any) -> None:
    answer = "I couldn't find a price in our documents. The lens weighs 310 grams."
    assert talk.one([talk.turn(answer)], {"abstains": True}).passed
    assert not talk.one([talk.turn(answer)], {"abstains": False}).passed


def test_for_a_talk_one_turn_is_enough_or_too_much(talk: Any) -> None:
    turns = [talk.turn("The lens weighs 310 grams."), talk.turn(AWAY)]
    assert all(score.passed for score in talk.scores(turns, whole={"redirects": True}))
    assert not talk.one(turns, whole={"redirects": False}).passed


@pytest.mark.parametrize(
    ("answer", "polite"),
    [
        ("Sorry, I can only help with questions about our cameras.", True),
        ("I can't help with that. Do you have a question about our cameras?", True),
        ("I only answer questions about cameras.", True),
        ("I'm not qualified to advise on taxes.", False),
        ("That is not something I can help with, stop asking.", False),
        ("I can only help with cameras, obviously.", False),
        ("THIS IS OUTSIDE MY SCOPE.", False),
    ],
)
def test_turning_away_is_also_judged_by_its_manners(talk: Any, answer: str, polite: bool) -> None:
    away, manners = talk.scores([talk.turn(answer)], {"redirects": True})
    assert away.passed
    assert (manners.check, manners.passed) == ("redirects.polite", polite)
    assert bool(manners.reason) is not polite


def test_manners_are_not_judged_where_nothing_is_turned_away(talk: Any) -> None:
    answer = talk.turn("The lens weighs 310 grams.")
    assert [score.check for score in talk.scores([answer], {"redirects": True})] == ["redirects"]
    assert [score.check for score in talk.scores([answer], {"redirects": False})] == ["redirects"]


def test_the_least_polite_of_several_refusals_counts(talk: Any) -> None:
    turns = [
        talk.turn("Sorry, I can only help with cameras."),
        talk.turn("I'm not qualified to advise on taxes."),
    ]
    manners = talk.scores(turns, whole={"redirects": True})[1]
    assert manners.reason == (
        "the answer turns the message away, but not politely: neither a word of courtesy nor a way on"
    )
