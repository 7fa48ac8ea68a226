"""A user who asked to be forgotten: only what the target no longer finds counts."""

from __future__ import annotations

from typing import Any

from harness.results import Score
from harness.scorers.checks import score_trace
from harness.suite.records import Conversation
from harness.trace.records import Deletion, Trace


def forgotten(talk: Any, deletion: Deletion | None, status: str = "completed") -> Score:
    """The score of a turn after which the user was to be forgotten."""
    script = {"id": "c", "turns": [{"user": "Hello?", "forget": True, "expect": {"status": None}}]}
    turn = talk.turn("Bye.", deletion=deletion, status=status)
    trace = Trace(trial_id="t", target="test", turns=(turn,))
    [score] = score_trace(Conversation.model_validate(script), talk.assistant(), trace)
    return score


def test_a_confirmed_deletion_passes_and_says_what_is_gone(talk: Any) -> None:
    score = forgotten(talk, Deletion(confirmed=True, deleted=("thread_1",)))
    assert (score.passed, score.value, score.reason) == (True, True, "")
    assert score.evidence["deleted"] == ["thread_1"]


def test_a_deletion_that_is_not_confirmed_fails_with_the_reason(talk: Any) -> None:
    score = forgotten(talk, Deletion(confirmed=False, error="thread_1: still there"))
    assert score.passed is False
    assert score.reason == "not all there is of the user is deleted: thread_1: still there"


def test_it_is_judged_also_when_the_turn_had_no_answer(talk: Any) -> None:
    assert forgotten(talk, Deletion(confirmed=True), status="timed_out").passed is True


def test_a_trial_that_broke_off_before_has_no_verdict(talk: Any) -> None:
    score = forgotten(talk, None)
    assert (score.passed, score.value) == (None, None)
    assert "broke off" in score.reason
