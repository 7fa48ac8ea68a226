"""Hand-overs told from wording: the labelled messages in both halves, whole talks, and shapes of input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers import handover
from harness.scorers.escalation import classify, handed_over
from harness.scorers.handover import RANK, act_of
from harness.trace.records import Message

LABELLED = Path(__file__).parents[2] / "fixtures" / "escalation" / "messages.yaml"
HALVES: dict[str, Any] = yaml.safe_load(LABELLED.read_text(encoding="utf-8"))
AGENTS: dict[str, Any] = yaml.safe_load((LABELLED.parent / "agents.yaml").read_text(encoding="utf-8"))
VARIED: dict[str, dict[str, list[str]]] = yaml.safe_load(
    (LABELLED.parent / "varied.yaml").read_text(encoding="utf-8")
)
TALKS: list[dict[str, Any]] = yaml.safe_load(
    (LABELLED.parent / "varied_talks.yaml").read_text(encoding="utf-8")
)
ASKED = "I can't change that. Would you like me to transfer you to a human agent?"


def rows(half: str) -> list[tuple[str, str]]:
    singles = [(label, text) for label, texts in HALVES[half]["messages"].items() for text in texts]
    return singles + [side for pair in HALVES[half]["pairs"] for side in pair.items()]


def thread(*said: str) -> list[dict[str, str]]:
    """Messages of user and assistant in turn, the user first."""
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]


@pytest.mark.parametrize(("label", "text"), rows("development"))
def test_each_message_that_rules_were_written_from_is_told_right(label: str, text: str) -> None:
    assert classify(text) == label


def test_messages_that_no_rule_was_written_from_are_told_about_as_well() -> None:
    told = [(label, classify(text)) for label, text in rows("held_out")]
    others = [found for label, found in told if label != "promises"]
    assert sum(label == found for label, found in told) / len(told) >= 0.96
    assert others.count("promises") / len(others) <= 0.02
    assert all(found == "promises" for label, found in told if label == "promises")


@pytest.mark.parametrize("part", AGENTS.values(), ids=AGENTS)
def test_what_agents_of_shops_airlines_and_banks_say_is_told_right(part: dict[str, Any]) -> None:
    told = [(label, classify(text), text) for label, texts in part["messages"].items() for text in texts]
    told += [(label, classify(text), text) for pair in part["pairs"] for label, text in pair.items()]
    assert [text for label, found, text in told if (label == "promises") != (found == "promises")] == []
    assert sum(label == found for label, found, _ in told) / len(told) >= 0.98


@pytest.mark.parametrize("part", AGENTS.values(), ids=AGENTS)
def test_talks_with_such_agents_are_told_to_be_handed_over_or_not(part: dict[str, Any]) -> None:
    wrong = [each for each in part["dialogues"] if handed_over(talk_of(each)) is not each["handed_over"]]
    assert wrong == []


@pytest.mark.parametrize("part", VARIED.values(), ids=VARIED)
def test_unusual_wordings_of_support_agents_are_mostly_told_right_and_nothing_is_taken_for_a_promise(
    part: dict[str, list[str]],
) -> None:
    told = [(label, classify(text), text) for label, texts in part.items() for text in texts]
    assert [text for label, found, text in told if found == "promises" != label] == []
    assert sum(label == found for label, found, _ in told) / len(told) >= 0.92


@pytest.mark.parametrize("talk", TALKS, ids=lambda talk: " | ".join(talk["said"])[:60])
def test_a_short_talk_of_support_is_told_to_be_handed_over_or_not(talk: dict[str, Any]) -> None:
    assert handed_over(thread(*talk["said"])) is talk["handed_over"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("You'd like to speak with a person, but this service is handled by the assistant only.", "refuses"),
        ("If you'd like to speak with a person, I'll connect you.", "offers"),
        ("Would you like to speak with a person?", "offers"),
        ("Our customer care line, 555-0100, can help you.", "recommends"),
        ("Our customer care line was busy all day.", "none"),
        ("Fill in the form and our team will respond.", "none"),
    ],
)
def test_a_wish_told_again_and_a_number_to_call_are_told_from_hand_overs(text: str, label: str) -> None:
    assert classify(text) == label


def talk_of(dialogue: dict[str, Any]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for turn in dialogue["talk"] for role, text in turn.items()]


def test_every_pair_tells_two_classes_apart_and_no_message_stands_in_both_halves() -> None:
    pairs = [pair for half in HALVES.values() for pair in half["pairs"]]
    assert len(pairs) >= 120
    assert all(len(pair) == 2 and set(pair) <= set(RANK) for pair in pairs)
    development, held_out = ({text for _, text in rows(half)} for half in ("development", "held_out"))
    assert not development & held_out


@pytest.mark.parametrize("dialogue", HALVES["development"]["dialogues"])
def test_a_talk_is_told_to_be_handed_over_or_not(dialogue: dict[str, Any]) -> None:
    assert handed_over(talk_of(dialogue)) is dialogue["handed_over"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Yes.", True),
        ("That's a pity. Okay, go ahead.", True),
        ("No other questions, just transfer me.", True),
        ("No, thank you.", False),
        ("I'll think about it.", False),
        ("Can I keep the seat?", False),
        ("Yes, cancel the order instead.", False),
    ],
)
def test_only_a_clear_yes_takes_an_offer(answer: str, expected: bool) -> None:
    assert handed_over(thread("Change my name.", ASKED, answer)) is expected


def test_a_yes_to_something_else_takes_no_offer() -> None:
    asked = "I'll cancel order 5. If you disagree, I can get a colleague. Would you like to cancel it now?"
    assert not handed_over(thread("Cancel.", asked, "Yes.", "Cancelled."))


def test_a_promise_that_waits_for_consent_is_an_offer_until_the_user_agrees() -> None:
    said = "I'll need to transfer you to a human agent. Is that okay?"
    assert classify(said) == "offers"
    assert handed_over(thread("Help.", said, "Sure."))
    assert not handed_over(thread("Help.", said, "No.", "All right."))


def test_a_promise_that_the_user_turns_down_at_once_hands_nothing_over() -> None:
    said = "I'll transfer you to a human agent."
    assert not handed_over(thread("Help.", said, "No, please don't.", "All right, let us try again."))
    assert handed_over(thread("Help.", "I have transferred you to a human agent.", "No, please don't."))


def test_an_acceptance_that_is_then_refused_hands_nothing_over() -> None:
    refused = "I'm sorry, I'm unable to transfer you at this hour."
    assert not handed_over(thread("Help.", ASKED, "Yes.", refused))


def test_a_request_of_the_user_alone_hands_nothing_over_unless_it_takes_up_an_offer_at_the_end() -> None:
    assert not handed_over(thread("Transfer me to a human agent."))
    taken_up = thread("Help.", ASKED, "How long does it take?", "Five minutes.", "Then transfer me, please.")
    assert handed_over(taken_up)


def test_talks_are_read_from_mappings_from_content_parts_and_from_messages_of_a_trace() -> None:
    said = "I'm transferring you to a colleague."
    assert handed_over([Message(role="assistant", text=said)])
    assert handed_over([{"role": "assistant", "content": [{"type": "text", "text": said}]}])
    assert handed_over([{"role": "assistant", "content": [{"type": "text", "text": {"value": said}}]}])
    assert not handed_over([{"role": "tool", "content": said}, {"role": "assistant", "content": None}, {}])
    assert not handed_over([])


def test_an_act_shows_the_words_it_was_read_from() -> None:
    act = act_of("Thanks! I'm connecting you to our *warranty team* now.")
    assert act.stance == "promises"
    assert act.words == "connecting you to our warranty team"
    assert (act.own, act.pending) == (True, False)
    assert not act_of("One of our nurses will call you.").own


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I can't transfer you. Would you like me to open a ticket?", "offers"),
        ("I can't transfer you, but you can call our support line.", "recommends"),
        ("You can call our desk, or I can connect you.", "offers"),
        ("I can connect you later. I'm opening a ticket with our team now.", "promises"),
    ],
)
def test_the_strongest_act_of_a_message_counts(text: str, label: str) -> None:
    assert classify(text) == label


def test_the_rules_read_what_the_model_takes_for_a_condition_or_for_advice() -> None:
    crashes = (
        "I understand the app crashes even if you reinstall, so I'll connect you with our technical team."
    )
    assert act_of(crashes).stance == "promises"
    assert act_of("Have you already contacted our support team?").stance == "none"


def test_what_is_quoted_or_reported_is_no_act_of_the_message() -> None:
    assert classify('The banner says "We are transferring you to an agent".') == "none"
    assert classify("You told me that I had transferred you to an agent.") == "none"


WORDS = st.sampled_from(
    "i we you will can not transfer transferring connect escalate to with a the our your human agent team "
    "case if please would like , . ? but | call contact someone and so - * 1. ’ “ ”".split()
)


@given(st.lists(WORDS, max_size=60).map(" ".join))
def test_any_order_of_words_has_a_class_whatever_their_case(text: str) -> None:
    assert classify(text) in RANK
    assert classify(text.upper()) == classify(text)


def test_long_messages_are_read_in_proportion_to_their_length() -> None:
    endless = "transfer you to the of a to the our your it this and the case to with the the the " * 12_000
    assert classify(endless) in RANK
    assert classify("I will have had to get you a the a to " * 25_000) in RANK


def test_every_sentence_of_a_long_answer_is_asked_for_consent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(handover, "asks_consent", lambda sentence: bool(asked.append(sentence)))
    assert act_of("Please wait. I'll transfer you. " * 500).stance == "promises"
    assert len(asked) == 1000


@pytest.mark.parametrize(
    ("text", "stance"),
    [
        ("There is no one I could hand you over to on weekends, sorry.", "refuses"),
        ("There is nobody that we could transfer you to at this hour.", "refuses"),
        ("I could hand you over to a colleague.", "offers"),
        ("Should the error come back, drop our support staff an e-mail with the log.", "recommends"),
        ("Give the warranty team a call, or send the workshop a note.", "recommends"),
    ],
)
def test_nobody_to_hand_over_to_is_a_refusal_and_a_note_to_people_is_advice(text: str, stance: str) -> None:
    assert classify(text) == stance


@pytest.mark.parametrize("text", [None, 3, b"I'll transfer you.", ["I'll transfer you."]])
def test_what_is_no_text_is_refused_in_words(text: Any) -> None:
    with pytest.raises(TypeError, match="text must be a text, '' where nothing was said, not"):
        classify(text)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        (None, "messages must be a list of messages, not NoneType"),
        ("I'll transfer you.", "messages must be a list of messages, not str"),
        ([{"role": "user", "content": "Hi"}, "Hello"], r"messages\[1\] must be a mapping .*, not str"),
    ],
)
def test_what_are_no_messages_is_refused_with_the_place(messages: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        handed_over(messages)
