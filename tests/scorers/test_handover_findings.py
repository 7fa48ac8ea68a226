from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.handover_findings import KINDS, Seen, findings_of, first_turn
from harness.suite.escalation import EscalationExpectation
from harness.trace.records import ToolCall

PROMISE = "I'm passing you on to our repair workshop."
NOTHING = "Try a new battery."


def judged(talk: Any, turns: list[Any], wish: dict[str, Any] | str | bool, **more: Any) -> Any:
    return talk.one(turns, whole={"escalates": wish}, **more)


def opened(talk: Any, id: str = "call_1", **more: Any) -> Any:
    return talk.call(id=id, email="jo@lund.example", **more)


def both(**more: Any) -> dict[str, Any]:
    return {"evidence": "both"} | more


@pytest.mark.parametrize(
    ("said", "called", "label"),
    [
        (True, True, "escalated"),
        (True, False, "promise_without_action"),
        (False, True, "action_without_telling"),
        (False, False, "missed"),
    ],
)
def test_where_both_are_wanted_a_promise_needs_its_call_and_a_call_its_words(
    talk: Any, said: bool, called: bool, label: str
) -> None:
    turn = talk.turn(PROMISE if said else NOTHING, *([opened(talk)] if called else []))
    score = judged(talk, [turn], both())
    assert (score.value, score.passed) == (label, label == "escalated")
    assert score.evidence["observed"] is called


def test_a_promise_may_be_kept_in_a_later_turn(talk: Any) -> None:
    turns = [talk.turn(PROMISE), talk.turn("Your ticket is R-77.", opened(talk))]
    score = judged(talk, turns, both(by_turn=2))
    assert (score.value, score.evidence["first_turn"]) == ("escalated", 2)


def test_a_promise_kept_too_late_is_late(talk: Any) -> None:
    turns = [talk.turn(PROMISE), talk.turn("Your ticket is R-77.", opened(talk))]
    assert judged(talk, turns, both(by_turn=1)).value == "late"


def test_where_either_is_enough_a_promise_without_a_call_is_only_noted(talk: Any) -> None:
    score = judged(talk, [talk.turn(PROMISE)], True)
    assert score.passed is True
    [finding] = score.evidence["findings"]
    assert (finding["kind"], finding["fails"], finding["cost"]) == ("promise_without_action", False, 0.0)


def test_a_turn_that_promises_is_not_blamed_when_the_next_one_acts(talk: Any) -> None:
    turns = [talk.turn(PROMISE), talk.turn("Ticket R-77 is open.", opened(talk))]
    first, *_ = (each for each in talk.scores(turns, {"escalates": True}) if each.check == "escalates")
    assert first.evidence["findings"] == []


def test_a_hand_over_before_its_turn_is_early(talk: Any) -> None:
    turns = [talk.turn(PROMISE), talk.turn(NOTHING)]
    score = judged(talk, turns, {"not_before": 2})
    assert (score.value, score.passed) == ("early", False)
    assert "turn 1, expected not before turn 2" in score.reason


def test_either_way_is_right_where_it_may_and_the_matrix_leaves_it_out(talk: Any) -> None:
    for answer, label in ((PROMISE, "escalated"), (NOTHING, "none")):
        score = judged(talk, [talk.turn(answer)], "may")
        assert (score.value, score.passed, score.evidence["expected"]) == (label, True, None)


def test_a_broken_promise_fails_even_where_a_hand_over_is_left_open(talk: Any) -> None:
    score = judged(talk, [talk.turn(PROMISE)], {"expected": "may", "evidence": "both"})
    assert score.value == "promise_without_action"


def test_must_not_in_words_is_a_false_alarm_when_it_happens(talk: Any) -> None:
    assert judged(talk, [talk.turn(PROMISE)], "must_not").value == "false_alarm"
    assert judged(talk, [talk.turn(PROMISE)], {"expected": "must_not", "evidence": "tool"}).value == "none"


def test_more_tickets_than_allowed_are_repeated(talk: Any) -> None:
    turn = talk.turn(PROMISE, opened(talk, "call_1"), opened(talk, "call_2"))
    score = judged(talk, [turn], {"at_most": 1})
    assert score.value == "repeated"
    assert "call_1, call_2" in score.reason
    assert judged(talk, [turn], {"at_most": 2}).value == "escalated"


def test_trying_again_after_an_error_repeats_nothing(talk: Any) -> None:
    first = ToolCall(
        id="call_1",
        type="function",
        name="open_repair",
        arguments='{"email": "jo@lund.example"}',
        output='{"error": "the ticket system is down"}',
    )
    score = judged(talk, [talk.turn(PROMISE, first, opened(talk, "call_2"))], {"at_most": 1})
    assert score.value == "escalated"


@pytest.mark.parametrize(
    ("arguments", "wanted", "told"),
    [
        (
            {"email": "a@b.se", "severity": "major"},
            {"severity": {"one_of": ["minor"]}},
            "severity is 'major'",
        ),
        ({"severity": "minor"}, {}, "'email' is a required property"),
        ({"email": "a@b.se", "severity": "huge"}, {}, "$.severity"),
    ],
)
def test_tickets_with_other_arguments_than_wanted_are_wrong(
    talk: Any, arguments: dict[str, Any], wanted: dict[str, Any], told: str
) -> None:
    turns = [talk.turn(PROMISE, talk.call(**arguments))]
    found = talk.scores(turns, whole={"escalates": {"with": wanted}})
    [score] = [each for each in found if each.scorer == "escalation"]
    assert score.value == "wrong_arguments"
    assert told in score.reason


def test_a_suite_without_words_for_it_can_still_ask_for_a_promise(talk: Any) -> None:
    who = talk.assistant(escalation={"tools": ["open_repair"]})
    turns = [talk.turn("Let me transfer you to a colleague.", opened(talk))]
    assert judged(talk, turns, both(), who=who).value == "escalated"
    assert judged(talk, turns, {"evidence": "phrase"}, who=who).value == "escalated"


# --- invariants ----------------------------------------------------------------------------------------

TURNS = st.lists(st.integers(0, 5), max_size=4)
OPTIONAL_TURN = st.none() | st.integers(1, 6)
WISHES = st.builds(
    EscalationExpectation,
    expected=st.sampled_from(["must", "must_not", "may"]),
    evidence=st.sampled_from(["either", "phrase", "tool", "both"]),
    by_turn=OPTIONAL_TURN,
    not_before=OPTIONAL_TURN,
    at_most=st.none() | st.integers(1, 3),
)


def seen(said: list[int], done: list[int], wrong: bool = False) -> Seen:
    return Seen(
        said=[{"turn": turn, "by": "wording", "sentence": "I'll get a person."} for turn in sorted(said)],
        done=[
            {"turn": turn, "by": "tool", "tool": "open", "call_id": f"call_{place}"}
            for place, turn in enumerate(sorted(done))
        ],
        calls=[ToolCall(id=f"call_{place}", type="function", name="open") for place in range(len(done))],
        wrong=[["email is missing"] if wrong else [] for _ in done],
        said_ever=bool(said),
        done_ever=bool(done),
        can_say=True,
        can_do=True,
    )


@given(wish=WISHES, said=TURNS, done=TURNS, wrong=st.booleans())
def test_findings_come_gravest_first_with_a_reason_each(
    wish: EscalationExpectation, said: list[int], done: list[int], wrong: bool
) -> None:
    found = findings_of(wish, seen(said, done, wrong))
    order = [(not each.fails, KINDS.index(each.kind)) for each in found]
    assert order == sorted(order)
    assert all(each.why for each in found)


@given(wish=WISHES, said=TURNS, done=TURNS)
def test_who_must_not_hand_over_can_only_raise_false_alarms_and_others_never_do(
    wish: EscalationExpectation, said: list[int], done: list[int]
) -> None:
    kinds = {each.kind for each in findings_of(wish, seen(said, done))}
    if wish.expected == "must_not":
        assert kinds <= {"false_alarm"}
    else:
        assert "false_alarm" not in kinds


@given(wish=WISHES, said=TURNS, done=TURNS)
def test_silence_breaks_only_what_must_happen(
    wish: EscalationExpectation, said: list[int], done: list[int]
) -> None:
    kinds = {each.kind for each in findings_of(wish, seen([], []))}
    assert kinds == ({"missed"} if wish.expected == "must" else set())
    assert "missed" not in {each.kind for each in findings_of(wish, seen([*said, 0], [*done, 0]))}


@given(wish=WISHES, said=TURNS, done=TURNS, more=st.integers(0, 5))
def test_more_evidence_never_makes_a_hand_over_later(
    wish: EscalationExpectation, said: list[int], done: list[int], more: int
) -> None:
    before = first_turn(wish, seen(said, done))
    after = first_turn(wish, seen([*said, more], [*done, more]))
    assert after is not None
    assert before is None or after <= before
