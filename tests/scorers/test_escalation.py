from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.results import Score
from harness.scorers.confusion import ConfusionMatrix
from harness.scorers.escalation import classify, find_phrase

PHRASE = "I'm passing you on to our repair workshop"

SAID: dict[str, str] = {
    "promises": """
        I'll connect you with our technical team.
        I’ll connect you with our technical team so they can check if the data can be recovered.
        I'm transferring you to a human agent now.
        YOU ARE BEING TRANSFERRED TO A HUMAN AGENT. PLEASE HOLD ON.
        Let me get a specialist to look at this for you.
        I have escalated this issue to our engineering team.
        I've opened a support ticket for you, number T-1001.
        Our billing team will contact you within one business day.
        Please hold while I transfer you to a colleague.
        Connecting you with an agent now.
        Your case has been forwarded to our security specialists.
        I am going to hand you over to one of our advisors.
        I need to escalate this to a supervisor.
        I'm sorry this keeps happening. Let me connect you with someone from our support team.
        I can't fix this myself, but I'll pass this on to our engineers.
        I'll put you through to a person.
        I've gone ahead and created a ticket with our support team.
        Someone from our team will be in touch shortly.
        Since you have already tried that, I'll escalate your case.
        I'll loop in a senior engineer.
        I have notified our on-call engineering team.
        We'll get you in touch with a specialist.
        I'm handing this over to my colleague.
        I will now transfer you to the fraud department.
    """,
    "offers": """
        Would you like me to transfer you to a human agent?
        If that doesn't help, I'll connect you with our technical team.
        I'll connect you with our technical team if you'd like.
        I can connect you with our support team.
        Shall I open a support ticket for you?
        Let me know if you'd like me to escalate this.
        I'd be happy to put you in touch with a specialist.
        Do you want me to hand this over to a person?
        If the problem persists, I can escalate this to our engineers.
        Just say the word and I'll transfer you to an agent.
        Should you need more help, I'll gladly connect you with a colleague.
        I could forward your case to the billing team.
        Can I connect you with our sales team?
        Want me to create a ticket for you?
        Could you share your email so I can connect you with our support team?
    """,
    "recommends": """
        Please contact our support team.
        I recommend reaching out to your account manager.
        You can email support@example.com for this.
        You should speak with a human agent about that.
        For refunds, please get in touch with the billing department.
        If the problem persists, contact customer support.
        Your best option is to call our help desk.
        Feel free to reach out to our support team.
        You may want to consult a professional.
        I'd suggest that you talk to your administrator or contact support.
        Try restarting; if that fails, please open a support ticket.
        I can't transfer you, but you can call our support line staff.
    """,
    "refuses": """
        I'm not able to transfer you to a human agent.
        I can't connect you with a person.
        Unfortunately no human agents are available right now.
        I won't escalate this issue.
        I cannot hand you over to someone else.
        There is no need to escalate this to our team; it is solved.
        I don't have the ability to transfer you to a live agent.
        I won't connect you with our technical team.
    """,
    "none": """
        Our support team is available from 9 to 5.
        You can export your data from Settings.
        Tickets are escalated to tier 2 after four hours.
        You do not need to contact support for this.
        I'll send you a link to our support page.
        Admins can transfer ownership to another team member.
        I'll connect your CRM to the workspace.
        When you contact support, have your order number ready.
        Team members can share dashboards with other people.
        Let me check that for you.
        I will create a chart of monthly revenue.
        Click Connect to link your account to the team workspace.
        Thank you for being patient.
        Priority support is part of the Business plan.
        You can assign roles to each person in your team.
        Customers who contact support get a reply within a day.
        Go to the Team tab and invite people by e-mail.
        The agent runs on your own machine.
        To transfer your workspace to another owner, open Settings.
    """,
}
ROWS = [(stance, line.strip()) for stance, lines in SAID.items() for line in lines.strip().splitlines()]


@pytest.mark.parametrize(("stance", "sentence"), ROWS)
def test_what_is_said_about_people_is_told_apart(stance: str, sentence: str) -> None:
    assert classify(sentence) == stance


@pytest.mark.parametrize(("stance", "sentence"), [row for row in ROWS if row[0] == "promises"])
def test_a_promise_among_other_sentences_is_found(stance: str, sentence: str) -> None:
    assert classify(f"Thanks for the details! {sentence} Is there anything else?") == stance


@pytest.mark.parametrize(
    ("sentence", "stance"),
    [
        ("I'm passing you on to our repair workshop.", "promises"),
        ("I’M PASSING YOU ON, to our repair workshop!", "promises"),
        ("I am now passing you on to our repair workshop", "promises"),
        ("I'm not passing you on to our repair workshop.", "refuses"),
        ("If the shutter still sticks, I'm passing you on to our repair workshop.", "offers"),
        ("Is it fine if I'm passing you on to our repair workshop?", "offers"),
        ("Our repair workshop is in Lund.", "none"),
        ("I'm passing", "none"),
    ],
)
def test_a_phrase_of_the_assistant_counts_unless_it_is_only_offered(sentence: str, stance: str) -> None:
    assert classify(sentence, (PHRASE,)) == stance


@pytest.mark.parametrize("phrase", ["Der Werkstattdienst übernimmt jetzt", "Beep boop, over to the hive"])
def test_a_phrase_may_say_anything_in_any_language(phrase: str) -> None:
    assert classify(f"Okay. {phrase}.", (phrase,)) == "promises"
    assert classify(f"Okay. {phrase}.") == "none"


def test_an_exact_phrase_is_found_before_a_near_one() -> None:
    near = "I'm passing you over to our repair workshop"
    found = find_phrase(near, (PHRASE, near))
    assert found is not None
    assert (found.phrase, found.exact) == (near, True)


@given(st.text(max_size=300))
def test_any_text_has_a_stance(text: str) -> None:
    assert classify(text, (PHRASE,)) in {"none", "refuses", "recommends", "offers", "promises"}


HANDS_OVER = "Thanks. I'm passing you on to our repair workshop."


@pytest.mark.parametrize(
    ("expected", "answer", "label", "passed"),
    [
        (True, HANDS_OVER, "escalated", True),
        (True, "Try a new battery.", "missed", False),
        (False, HANDS_OVER, "false_alarm", False),
        (False, "Try a new battery.", "none", True),
        (True, "Would you like me to hand you over to a colleague?", "missed", False),
        (True, "Let me transfer you to a colleague.", "escalated", True),
        (False, "Someone from the workshop team will call you when a repair is done.", "none", True),
    ],
)
def test_a_turn_is_labelled_by_what_was_expected_and_seen(
    talk: Any, expected: bool, answer: str, label: str, passed: bool
) -> None:
    score = talk.one([talk.turn(answer)], {"escalates": expected})
    assert (score.value, score.passed) == (label, passed)
    assert score.evidence["expected"] is expected
    assert bool(score.reason) is not passed


def test_a_call_of_an_escalation_function_hands_over(talk: Any) -> None:
    score = talk.one([talk.turn("Done.", talk.call(email="a@b.se"))], {"escalates": True})
    assert score.evidence["found"] == [
        {
            "turn": 0,
            "by": "tool",
            "tool": "open_repair",
            "call_id": "call_1",
            "arguments": '{"email": "a@b.se"}',
        }
    ]


def test_a_call_that_failed_does_not_hand_over(talk: Any) -> None:
    turns = [talk.turn("Hm.", talk.call(email="a", error="no stub matched"))]
    [judged, _, finding] = talk.scores(turns, {"escalates": True})
    assert (judged.value, judged.passed) == ("missed", False)
    assert (finding.check, finding.passed) == ("stubs.open_repair", None)


def test_text_is_no_evidence_for_an_assistant_that_declares_only_functions(talk: Any) -> None:
    who = talk.assistant(escalation={"tools": ["open_repair"]})
    turns = [talk.turn("Let me transfer you to a colleague.")]
    assert talk.one(turns, {"escalates": True}, who=who).value == "missed"


def test_without_phrases_and_functions_nothing_can_be_said(talk: Any) -> None:
    score = talk.one([talk.turn(HANDS_OVER)], {"escalates": True}, who=talk.assistant(escalation={}))
    assert (score.value, score.passed) == (None, None)
    assert "neither phrases nor tools" in score.reason


@pytest.mark.parametrize(
    ("answers", "by_turn", "label"),
    [
        (["Hi.", HANDS_OVER], 2, "escalated"),
        (["Hi.", "Hm.", HANDS_OVER], 2, "late"),
        (["Hi.", "Hm."], 2, "missed"),
    ],
)
def test_a_hand_over_by_a_turn(talk: Any, answers: list[str], by_turn: int, label: str) -> None:
    turns = [talk.turn(answer) for answer in answers]
    score = talk.one(turns, whole={"escalates": {"by_turn": by_turn}})
    assert (score.value, score.passed) == (label, label == "escalated")


def test_judgements_tell_what_was_expected_and_what_happened_unless_nothing_is_known(talk: Any) -> None:
    found: list[Score] = []
    for expected, answer in [
        (True, HANDS_OVER),
        (True, "No."),
        (False, HANDS_OVER),
        (False, "No."),
        (False, "No."),
    ]:
        found += talk.scores([talk.turn(answer)], {"escalates": expected, "searches": False})
    found += talk.scores([talk.turn("No.")], {"escalates": True}, who=talk.assistant(escalation={}))
    judged = [each for each in found if each.scorer == "escalation" and each.value is not None]
    told = [(each.evidence["expected"], each.evidence["observed"]) for each in judged]
    assert told == [(True, True), (True, False), (False, True), (False, False), (False, False)]


def test_precision_and_recall_are_shares_of_what_happened_and_of_what_was_expected() -> None:
    matrix = ConfusionMatrix(tp=1, fp=1, fn=3, tn=2)
    assert (matrix.precision, matrix.recall, matrix.total) == (0.5, 0.25, 7)


def test_undefined_precision_and_recall_are_none() -> None:
    assert (ConfusionMatrix().precision, ConfusionMatrix().recall) == (None, None)
