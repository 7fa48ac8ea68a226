from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.tickets import addresses_in, right_priority
from harness.suite.escalation import PriorityRule, TicketPriority

PROMISE = "I'm passing you on to our repair workshop."
TICKET = {
    "email": "email",
    "summary": "summary",
    "priority": {
        "argument": "severity",
        "rules": [
            {"mentions": ["water", "smoke"], "is": "major"},
            {"matches": r"(?i)\bwedding\b", "is": ["major", "minor"]},
            {"is": "minor"},
        ],
    },
}
SAID = "My Aurora 35 fell into the water on 12 May and the shutter sticks. I'm Jo@lund.example."
GOOD = {
    "email": "jo@lund.example",
    "summary": "The user reports that the Aurora 35 fell into water on 12 May; the shutter sticks.",
    "severity": "major",
}


def repair_desk(talk: Any) -> Any:
    function = {
        "name": "open_repair",
        "parameters": {
            "type": "object",
            "properties": {
                "email": {"type": "string"},
                "summary": {"type": "string"},
                "severity": {"enum": ["minor", "major"]},
            },
        },
    }
    return talk.assistant(tools=[{"type": "function", "function": function}])


def ticket_score(talk: Any, said: list[str], costs: dict[str, float] | None = None, **arguments: Any) -> Any:
    from harness.scorers import score_trace
    from harness.suite.records import Conversation
    from harness.trace.records import Trace

    *before, last = said
    turns = [talk.turn("Could you tell me more?", user=text) for text in before]
    turns.append(talk.turn(PROMISE, talk.call(**arguments), user=last))
    script = {
        "id": "c",
        "turns": [{"user": text, "expect": {"status": None}} for text in said],
        "expect": {"escalates": {"evidence": "both"}},
        "escalation": {"ticket": TICKET, "costs": costs or {}},
    }
    trace = Trace(trial_id="t", target="test", turns=tuple(turns))
    found = score_trace(Conversation.model_validate(script), repair_desk(talk), trace)
    [score] = [each for each in found if each.scorer == "escalation"]
    return score


def test_a_ticket_that_says_what_the_user_said_is_right(talk: Any) -> None:
    score = ticket_score(talk, [SAID], **GOOD)
    assert (score.value, score.reason) == ("escalated", "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"email": "jo@lund.exampel"}, "email is 'jo@lund.exampel', the user gave 'Jo@lund.example'"),
        ({"email": ""}, "email is missing, the user gave 'Jo@lund.example'"),
        ({"summary": ""}, "summary is missing"),
        ({"summary": "Customer has an issue."}, "summary says nothing of this talk"),
        ({"summary": "The Aurora 50 fell into water."}, "summary tells of 50, which was not said"),
        (
            {"summary": "The user wants a refund for a tripod that arrived broken by courier."},
            "summary tells of what was not said in the talk",
        ),
        ({"severity": "minor"}, "severity is 'minor', by rule 1 of the suite it is 'major'"),
    ],
)
def test_each_wrong_argument_is_told_with_what_is_right(talk: Any, change: dict[str, str], told: str) -> None:
    score = ticket_score(talk, [SAID], **(GOOD | change))
    assert score.value == "wrong_arguments"
    assert told in score.reason


def test_an_address_that_nobody_gave_is_made_up(talk: Any) -> None:
    score = ticket_score(talk, ["The shutter sticks, it got under water."], **GOOD)
    assert "email is 'jo@lund.example', the user gave none" in score.reason


def test_what_was_said_in_earlier_turns_counts_too(talk: Any) -> None:
    said = ["My Aurora 35 fell into the water on 12 May.", "The shutter sticks.", "Sure: jo@lund.example"]
    assert ticket_score(talk, said, **GOOD).value == "escalated"


def test_the_suite_says_what_an_error_costs(talk: Any) -> None:
    score = ticket_score(talk, [SAID], {"wrong_arguments": 7.5}, **(GOOD | {"severity": "minor"}))
    assert [each["cost"] for each in score.evidence["findings"]] == [7.5]


@pytest.mark.parametrize(
    ("said", "rule"),
    [("There is SMOKE!", 0), ("a smoker's camera", 2), ("before my Wedding", 1), ("it squeaks", 2)],
)
def test_the_first_rule_that_holds_decides(said: str, rule: int) -> None:
    found = right_priority(TicketPriority.model_validate(TICKET["priority"]), [said])
    assert found is not None
    assert found[0] == rule


def test_without_a_rule_that_holds_any_priority_is_right() -> None:
    assert (
        right_priority(TicketPriority(rules=(PriorityRule(mentions=("smoke",), is_="major"),)), ["hi"])
        is None
    )


LOCAL = st.text("abcdefghijklmnopqrstuvwxyz0123456789._+-", min_size=1, max_size=12).map(
    lambda text: f"x{text.strip('.')}x"
)


@given(
    local=LOCAL,
    before=st.sampled_from(["mail ", "(", "<", "it's: ", ""]),
    after=st.sampled_from([".", ")", ",", ""]),
)
def test_an_address_is_found_as_it_was_written(local: str, before: str, after: str) -> None:
    address = f"{local}@lund.example"
    assert addresses_in([f"{before}{address}{after}"]) == [address]
