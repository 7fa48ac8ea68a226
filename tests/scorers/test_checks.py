from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from harness.errors import ScorerError
from harness.results import Score
from harness.scorers import Check, builtin_scorers, checks_of
from harness.scorers.plugins import findings, scorer_of
from harness.suite.plugins import load_plugin
from harness.suite.records import Conversation, Expect


def test_every_key_of_an_expectation_has_exactly_one_built_in_scorer() -> None:
    answered = [key for scorer in builtin_scorers() for key in scorer.keys]
    assert sorted(answered) == sorted({*Expect.model_fields, "forget"} - {"requires", "scorers"})


def test_what_is_known_of_a_built_in_scorer_before_it_is_loaded_is_what_it_says_itself() -> None:
    known = [(scorer.name, scorer.keys) for scorer in builtin_scorers()]
    assert known == [(scorer.loaded().name, scorer.loaded().keys) for scorer in builtin_scorers()]


def test_a_turn_must_be_completed_unless_it_says_otherwise() -> None:
    conversation = Conversation.model_validate(
        {
            "id": "c",
            "turns": [
                {"user": "a"},
                {"user": "b", "expect": {"status": "failed"}},
                {"user": "c", "expect": {"status": None}},
            ],
        }
    )
    assert checks_of(conversation) == [Check("status", "completed", 0), Check("status", "failed", 1)]


def test_what_is_switched_off_or_empty_makes_no_check() -> None:
    expect = {"status": None, "grounded": False, "cites": [], "calls": [], "escalates": False}
    conversation = Conversation.model_validate({"id": "c", "turns": [{"user": "a", "expect": expect}]})
    assert [check.key for check in checks_of(conversation)] == ["escalates"]


def test_a_check_waits_for_those_it_requires(talk: Any) -> None:
    expect = {
        "requires": ["searches"],
        "searches": True,
        "answer": {"mentions": ["Lund"]},
        "tokens": {"max": 1},
    }
    first, *others = talk.scores([talk.turn("Send it to Lund.")], expect)
    assert (first.check, first.passed) == ("searches", False)
    assert {score.check for score in others} == {"answer", "tokens"}
    assert all(score.value is None and score.passed is None for score in others)
    assert all("requires 'searches'" in score.reason for score in others)


def test_a_check_runs_when_what_it_requires_passed(talk: Any) -> None:
    expect = {"requires": ["searches"], "searches": True, "answer": {"mentions": ["Lund"]}}
    found = talk.scores([talk.turn("Send it to Lund.", talk.search("Lund"))], expect)
    assert [(score.check, score.passed) for score in found] == [("searches", True), ("answer.mentions", True)]


def test_a_turn_that_was_never_sent_has_scores_without_a_value(talk: Any) -> None:
    broken = talk.turn("", status="failed", error="server_error: overloaded")
    score = talk.one([broken], {"answer": {"mentions": ["x"]}}, planned=2)
    assert (score.value, score.passed, score.turn) == (None, None, 1)
    assert score.reason == "turn 2 was never sent: turn 1 ended 'failed': server_error: overloaded"


def test_a_talk_that_never_began_says_so(talk: Any) -> None:
    assert talk.one([], {"escalates": True}, planned=1).reason == (
        "turn 1 was never sent: the conversation did not begin"
    )


def test_a_turn_without_an_outcome_is_judged_by_its_status_only(talk: Any) -> None:
    lost = talk.turn("", status="timed_out", error="no answer in 60 s")
    status, grounded = talk.scores([lost], {"status": "completed", "grounded": True})
    assert (status.value, status.passed) == ("timed_out", False)
    assert grounded.value is None
    assert "no answer in 60 s" in grounded.reason


def test_a_scorer_that_cannot_work_gives_a_score_without_a_value(talk: Any) -> None:
    class Broken:
        name = "broken"
        keys = frozenset({"searches"})

        def score(self, check: Check, scene: Any) -> list[Score]:
            raise ScorerError("the model file is missing")

    score = talk.one([talk.turn("Hi")], {"searches": True}, scorers=[Broken()])
    assert (score.value, score.reason) == (None, "the model file is missing")


def test_a_mistake_in_a_scorer_is_not_hidden(talk: Any) -> None:
    class Wrong:
        name = "wrong"
        keys = frozenset({"searches"})

        def score(self, check: Check, scene: Any) -> list[Score]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        talk.scores([talk.turn("Hi")], {"searches": True}, scorers=[Wrong()])


def test_a_check_that_nobody_answers_says_so(talk: Any) -> None:
    score = talk.one([talk.turn("Hi")], {"searches": True}, scorers=[])
    assert score.value is None
    assert "no installed scorer answers 'searches'" in score.reason


def test_a_plugin_may_name_a_class() -> None:
    entry = EntryPoint("limits", "harness.scorers.limits:LimitScorer", "harness.scorers")
    assert scorer_of(load_plugin(entry)).name == "limits"


@pytest.mark.parametrize(
    "value", ["harness.scorers.limits:Nothing", "no_such_module:x", "harness.text:STOP_WORDS"]
)
def test_a_plugin_that_is_no_scorer_is_named(value: str) -> None:
    entry = EntryPoint("odd", value, "harness.scorers")
    [finding] = findings({"odd": load_plugin(entry)})
    assert finding.reason.startswith(f"the scorer 'odd' of {value} cannot be used: ")


HOSTILE = [
    "",
    " \n\t ",
    "\x00\x01\x1b[31m\ufeff\u202e",
    "مرحبا، يمكنك إرسال الكاميرا إلى الورشة.",
    "```python\nprint(1)\n```",
    "```",
    "|a|b|\n|-|-|\n|1|2|",
    "!" * 5_000,
    "e.g. " * 5_000,
    "1. " * 5_000,
    "a" * 100_000,
    "if you would like me to connect you " * 3_000,
    "【" * 2_000,
    "any of the of any of the documents " * 100,
    "I have to have to need to going to " * 100 + "connect",
    "An agent from a from a from a " * 100,
    "warranty " + "a" * 60_000 + " covers 24",
    "1,234,567.89:12 " * 4_000,
    "The warranty covers 24 months. " * 33_000,
]


@pytest.mark.parametrize("answer", HOSTILE, ids=lambda text: repr(text[:12]))
def test_no_answer_makes_a_scorer_raise(talk: Any, answer: str) -> None:
    expect = {
        "answer": {
            "mentions": ["Lund"],
            "mentions_any": ["x"],
            "omits": ["y"],
            "matches": "z+",
            "equals": "q",
            "similar": "Lund",
            "json_schema": {"type": "object"},
            "language": "en",
            "words": {"max": 10},
            "characters": {"max": 10},
            "sentences": {"max": 10},
        },
        "grounded": True,
        "cites": {"documents": ["warranty.pdf"], "claims": {"min": 0.5}, "supported": {"min": 0.5}},
        "tone": {
            "jargon": False,
            "friendly": True,
            "clear": True,
            "reading_ease": {"min": 1},
            "sentence_words": {"max": 1},
        },
        "remembers": [{"value": "Hello", "not_asked": ["name"]}],
        "trajectory": {"steps": ["file_search", "open_repair"]},
        "escalates": True,
        "redirects": True,
        "abstains": False,
    }
    found = talk.scores([talk.turn("Hi"), talk.turn(answer, talk.search(talk.WARRANTY))], expect)
    assert len(found) == 27
    assert all(score.reason for score in found if score.passed is not True)


def test_the_same_talk_has_the_same_scores_every_time(talk: Any) -> None:
    turns = [talk.turn("The warranty covers 24 months. Hello!", talk.search(talk.WARRANTY, talk.LENSES))]
    expect = {"grounded": True, "escalates": False, "cites": True}
    assert talk.scores(turns, expect) == talk.scores(turns, expect)
