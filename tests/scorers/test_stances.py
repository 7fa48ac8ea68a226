"""Rules and model together say what a message says about handing over."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.escalation import messages_of, sides_of, thread_of
from harness.scorers import handover, handover_model, stances
from harness.scorers.escalation import classify, handed_over
from harness.scorers.handover_model import CLASSES

FOLDER = Path(handover_model.__file__).parent / "handover_model"
UNUSUAL = "Should you fancy a word with one of our advisers, just shout."
SURE = -0.01
MESSAGES = Path(__file__).parents[2] / "fixtures" / "escalation"
TRADES = ("transcripts", "travel", "telecom", "money_health")


@pytest.fixture
def afresh() -> Iterator[None]:
    """Nothing that was read before is remembered, and nothing of this test afterwards."""
    handover_model.loaded.cache_clear()
    stances.acts_in.cache_clear()
    yield
    handover_model.loaded.cache_clear()
    stances.acts_in.cache_clear()


def half_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((MESSAGES / f"{name}.yaml").read_text("utf-8"))[name]
    return found


def logits(**given: float) -> list[float]:
    return [given.get(name, -9.0) for name in CLASSES]


def test_the_model_is_small_enough_to_travel_with_the_package() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 20_000_000


@pytest.mark.parametrize("name", TRADES)
def test_what_the_model_has_learnt_from_is_told_right(name: str) -> None:
    half = half_of(name)
    rows = [*messages_of(half), *sides_of(half)]
    assert sum(classify(text) == label for label, text in rows) >= 0.97 * len(rows)
    talks = [handed_over(thread_of(each)) is each["handed_over"] for each in half["dialogues"]]
    assert sum(talks) >= len(talks) - 1


@pytest.mark.parametrize("name", ["shops", "software"])
def test_what_was_never_learnt_from_is_told_about_as_well(name: str) -> None:
    half = yaml.safe_load((MESSAGES / f"{name}.yaml").read_text("utf-8"))["held_out"]
    told = [(label, classify(text)) for label, text in [*messages_of(half), *sides_of(half)]]
    others = [found for label, found in told if label != "promises"]
    assert sum(label == found for label, found in told) >= 0.95 * len(told)
    assert others.count("promises") <= 0.01 * len(others)
    talks = [handed_over(thread_of(each)) is each["handed_over"] for each in half["dialogues"]]
    assert sum(talks) >= 0.95 * len(talks)


def test_an_unusual_offer_is_heard_that_no_rule_knows() -> None:
    assert handover.act_of(UNUSUAL).stance == "none"
    assert classify(UNUSUAL) == "offers"


def test_the_sentence_that_shows_it_has_the_act_and_no_other_has() -> None:
    text = f"Your refund of $54.10 is on its way. {UNUSUAL} Thanks for your patience!"
    told = {span.text: act.stance for span, act in stances.acts_in(text)}
    assert told == {
        "Your refund of $54.10 is on its way.": "none",
        UNUSUAL: "offers",
        "Thanks for your patience!": "none",
    }


@pytest.mark.parametrize(
    "text",
    [
        "Your parcel was handed to the courier this morning.",
        "I've updated the phone number on your account.",
        "Would you like me to cancel the order for you?",
        "Your refund of $54.10 has been processed. Is there anything else I can help you with?",
        "Our support plan costs 12 dollars a month and includes two seats.",
        "To confirm: you'd like to exchange the blue shirt for the red one. Shall I proceed (yes/no)?",
        "The agent portal shows the ticket prices for each connection.",
        "Go to the Team tab and invite people by e-mail.",
        "",
        "   ",
    ],
)
def test_ordinary_messages_hand_nothing_over(text: str) -> None:
    assert classify(text) == "none"


def test_what_the_rules_find_counts_unless_the_model_is_sure_of_another_class() -> None:
    assert stances.weighed("offers", logits(promises=-0.4, offers=-1.1)) == "offers"
    assert stances.weighed("offers", logits(promises=SURE)) == "promises"


def test_what_the_rules_miss_counts_when_the_model_hears_it_clearly() -> None:
    assert stances.weighed("none", logits(promises=SURE)) == "promises"
    assert stances.weighed("none", logits(none=-0.9, promises=-0.6)) == "none"


def test_an_act_that_the_model_is_sure_is_none_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "I'm connecting you with an agent today."
    assert handover.act_of(text).stance == "promises"

    class Sure:
        def logits(self, text: str) -> list[float]:
            return logits(none=SURE)

    stances.acts_in.cache_clear()
    monkeypatch.setattr(handover_model, "default", Sure)
    assert stances.act_of(text).stance == "none"
    stances.acts_in.cache_clear()


def test_a_run_counts_what_the_model_hears_and_shows_the_sentence(talk: Any) -> None:
    shows = "I've relayed this to the harbour pilot, and she'll message you before you sail."
    assert handover.act_of(shows).stance == "none"
    said = f"Nothing more I can do from here. {shows}"
    score = talk.one([talk.turn(said)], {"escalates": {"expected": "must", "evidence": "phrase"}})
    assert score.value == "escalated"
    assert [each["sentence"] for each in score.evidence["found"]] == [shows]


@pytest.mark.usefixtures("afresh")
@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_a_missing_or_damaged_model_is_one_warning_and_the_rules_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    folder = tmp_path / "handover_model"
    shutil.copytree(FOLDER, folder)
    if damage == "torn":
        (folder / "model.onnx").write_bytes(b"half")
    else:
        (folder / "model.onnx").unlink()
    monkeypatch.setattr(handover_model, "_folder", lambda: folder)
    with caplog.at_level(logging.WARNING):
        assert classify(UNUSUAL) == "none"
        assert classify("I'll connect you with our technical team now.") == "promises"
    assert len(caplog.records) == 1
    assert "install the package again" in caplog.text


def test_another_process_hears_the_same() -> None:
    program = (
        "import sys; from harness.scorers import handover_model as m; print(m.default().logits(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, UNUSUAL], capture_output=True, check=True, timeout=120, text=True
    )
    model = handover_model.default()
    assert model is not None
    assert done.stdout.strip() == str(model.logits(UNUSUAL))


def test_a_promise_at_the_end_of_a_long_message_is_heard() -> None:
    long = "Each plan has a name, a price and a number of seats, as the table below shows. " * 60
    assert classify(f"{long}Sit tight, one of our plumbers is taking over from me right now.") == "promises"


@pytest.mark.parametrize(
    ("text", "pending"),
    [
        ("I've relayed this to the harbour pilot, and she'll message you before you sail.", False),
        ("I will relay this to the harbour pilot, so that she can message you before you sail.", True),
    ],
)
def test_what_was_done_is_not_still_to_come(text: str, pending: bool) -> None:
    act = stances.act_of(text)
    assert (act.stance, act.own, act.pending) == ("promises", True, pending)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_a_class_and_always_the_same(text: str) -> None:
    first = classify(text)
    stances.acts_in.cache_clear()
    assert first == classify(text) in CLASSES
