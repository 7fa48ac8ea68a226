from __future__ import annotations

from typing import Any

import pytest

EMAIL = "jo@example.com"


def talked(talk: Any, *answers: Any) -> list[Any]:
    """A talk in which the user tells an address first, and then says nothing of interest."""
    users = [f"My camera is broken, I am {EMAIL}.", *["Go on." for _ in answers[1:]]]
    made = [answer if isinstance(answer, tuple) else (answer,) for answer in answers]
    return [talk.turn(*answer, user=user) for answer, user in zip(made, users, strict=True)]


def test_a_fact_that_the_answer_says_is_used(talk: Any) -> None:
    turns = talked(talk, "I see.", f"We will write to {EMAIL}.")
    score = talk.one(turns, {"remembers": [{"value": EMAIL, "from": 1}]})
    assert (score.check, score.value, score.passed) == ("remembers.used", 1.0, True)
    assert score.evidence["facts"] == [{"value": EMAIL, "told": 0, "used_in": "answer", "turn": 1}]


def test_a_fact_that_a_call_has_among_its_arguments_is_used(talk: Any) -> None:
    turns = talked(talk, "I see.", ("Done.", talk.call(email=EMAIL)))
    wanted: dict[str, Any] = {"value": EMAIL}
    assert talk.one(turns, {"remembers": [wanted]}).evidence["facts"][0]["used_in"] == "open_repair"
    assert talk.one(turns, {"remembers": [wanted | {"used": "calls"}]}).passed
    assert not talk.one(turns, {"remembers": [wanted | {"used": "answer"}]}).passed


def test_a_fact_that_is_nowhere_is_named_with_the_turn_that_told_it(talk: Any) -> None:
    turns = talked(talk, "I see.", "Please wait.")
    facts = [{"value": EMAIL}, {"value": "camera", "also": ["Please"]}]
    score = talk.one(turns, {"remembers": facts})
    assert (score.value, score.passed) == (0.5, False)
    assert score.reason == f"not used: {EMAIL!r} (told in turn 1)"


def test_what_was_told_must_not_be_asked_for_again(talk: Any) -> None:
    wanted = {"remembers": [{"value": EMAIL, "used": False, "not_asked": ["e-mail", "email"]}]}
    asked = talk.one(talked(talk, "I see.", "Sure. What is your email address?"), wanted)
    assert asked.check == "remembers.not_asked"
    assert asked.reason == (f"{EMAIL!r} was told, and is asked for again: 'What is your email address?'")
    assert not talk.one(talked(talk, "I see.", "Please send me your e-mail address."), wanted).passed


@pytest.mark.parametrize(
    "answer",
    [
        f"Is your email still {EMAIL}?",
        "We sent you an email.",
        "What is your serial number?",
        "You will get an e-mail within a day.",
    ],
)
def test_confirming_a_fact_or_speaking_of_it_is_not_asking(talk: Any, answer: str) -> None:
    wanted = {"remembers": [{"value": EMAIL, "used": False, "not_asked": ["e-mail", "email"]}]}
    assert talk.one(talked(talk, "I see.", answer), wanted).passed


def test_over_a_talk_every_later_turn_counts(talk: Any) -> None:
    turns = talked(talk, f"I noted {EMAIL}.", "Hm.", ("Done.", talk.call(email=EMAIL)))
    score = talk.one(turns, whole={"remembers": [{"value": EMAIL}]})
    assert score.evidence["facts"][0]["turn"] == 2
    early = talked(talk, f"I noted {EMAIL}.", "Hm.")
    assert not talk.one(early, whole={"remembers": [{"value": EMAIL}]}).passed


def test_what_nobody_told_cannot_be_remembered(talk: Any) -> None:
    turns = talked(talk, "I see.", "Hm.")
    untold = talk.one(turns, {"remembers": [{"value": "Lund", "from": 1}]})
    assert (untold.value, untold.passed) == (None, None)
    assert untold.reason == "there was nothing to remember: not turn 1 says 'Lund'"
    last = talk.one(turns[:1], whole={"remembers": [{"value": EMAIL}]})
    assert last.reason == f"no turn came after the one that says {EMAIL!r}"


def test_a_number_is_remembered_only_as_a_whole(talk: Any) -> None:
    turns = [talk.turn("Hm.", user="My order is 55."), talk.turn("Order 555 is on its way.")]
    assert not talk.one(turns, {"remembers": [{"value": "55"}]}).passed
