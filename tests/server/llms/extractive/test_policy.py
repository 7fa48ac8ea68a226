"""Instructions in many wordings, and what is read from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.llms.extractive.policy import read_policy

WORDINGS = [
    (
        'Help users. Escalate complex issues by saying "I\'ll connect you with our team".',
        "I'll connect you with our team",
    ),
    (
        "If a reader is upset, hand over to a librarian: say ‘One moment, I’ll fetch a librarian.’",
        "One moment, I’ll fetch a librarian.",
    ),
    (
        "When you cannot help, transfer the caller with the phrase «A colleague will take over now».",
        "A colleague will take over now",
    ),
    (
        "# Escalation\n- fraud\n- lost cards\nAlways use the exact words “Please hold for a specialist.”",
        "Please hold for a specialist.",
    ),
    (
        "Hand over to a person when:\n- they ask for one\n- they are angry\nIn these cases say "
        "`Forwarding you to our staff`.",
        "Forwarding you to our staff",
    ),
    (
        "For complaints, tell the customer that you will transfer them to a specialist.",
        "I will transfer you to a specialist",
    ),
    (
        "You should pass the conversation to a human advisor, using the exact words \"I'm handing you "
        'over," if asked.',
        "I'm handing you over",
    ),
    (
        "Say 'Let me get someone from our desk' whenever somebody asks for a person.",
        "Let me get someone from our desk",
    ),
    (
        'Refunds over 100 euros need a person. In such cases reply: "Our manager will call you."',
        "Our manager will call you.",
    ),
    ('If the steps did not help, respond with "[HANDOVER]" to escalate to a human.', "[HANDOVER]"),
]


@pytest.mark.parametrize(("instructions", "phrase"), WORDINGS)
def test_the_escalation_phrase_is_found_in_any_wording(instructions, phrase):
    assert [rule.phrase for rule in read_policy(instructions).escalations] == [phrase]


@pytest.mark.parametrize(
    "instructions",
    [
        "You are a helpful assistant.",
        'Answer questions about bikes. If you do not know, say "I do not know that".',
        'Never say "I\'ll transfer you to a colleague".',
        "Do not escalate simple questions.",
        'Greet with "Welcome to our team page!".',
        "",
    ],
)
def test_without_a_rule_there_is_no_escalation(instructions):
    assert read_policy(instructions).escalations == ()


def test_each_case_keeps_its_own_words():
    policy = read_policy(
        'For legal questions say "I\'ll pass you to our lawyers". For fraud say "I\'ll connect you '
        'with our security desk".'
    )
    kinds = {rule.phrase: set().union(*(c.kinds for c in rule.conditions)) for rule in policy.escalations}
    assert kinds == {
        "I'll pass you to our lawyers": {"legal"},
        "I'll connect you with our security desk": {"security"},
    }


def test_an_amount_becomes_a_threshold():
    policy = read_policy('Hand over refunds over 1,500 euros: say "I will get my manager".')
    assert [c.above for rule in policy.escalations for c in rule.conditions] == [1500.0]


def test_acts_beside_the_words_are_no_conditions():
    policy = read_policy(
        'If somebody asks for a person, say "I will get a colleague" and add our telephone number and '
        "its hours."
    )
    assert [c.text for rule in policy.escalations for c in rule.conditions] == [
        "if somebody asks for a person"
    ]


@pytest.mark.parametrize(
    ("instructions", "topics", "company"),
    [
        (
            "Answer questions about loans, fines and rooms of Harbor Hall.",
            "loans, fines and rooms of Harbor Hall",
            "Harbor Hall",
        ),
        ("You help customers of North Bank with cards and transfers.", "cards and transfers", "North Bank"),
        (
            "You are the assistant of Acorn Homes. You answer questions about the product.",
            "questions about Acorn Homes",
            "Acorn Homes",
        ),
        ("You are a helpful assistant.", None, None),
    ],
)
def test_scope_and_company_are_read(instructions, topics, company):
    policy = read_policy(instructions)
    assert (policy.topics, policy.company) == (topics, company)


def test_tone_name_and_prescribed_words_are_read():
    policy = read_policy(
        "You are Luna, a warm helper. Keep answers short. Never cite sources. If you are unsure, say "
        '"I\'m not certain." '
        'Off-topic questions: answer "I only talk about lamps." End every reply with "Bright days!"'
    )
    assert policy.name == "Luna"
    assert policy.friendly
    assert policy.brief
    assert not policy.cites
    assert policy.abstention == "I'm not certain."
    assert policy.redirect == "I only talk about lamps."
    assert policy.closing == "Bright days!"


def test_forbidden_subjects_are_read_but_not_rules_about_answers():
    policy = read_policy(
        "Never give medical or tax advice. Do not answer questions outside your scope. Do not guess."
    )
    assert [condition.text for condition in policy.forbidden] == ["medical", "tax advice"]


@given(
    st.text(alphabet=st.sampled_from("aB .:\n-#*\"'“”«»‘’`say escalate human team if 1,5|()"), max_size=300)
)
def test_a_phrase_always_stands_in_the_instructions(instructions):
    for rule in read_policy(instructions).escalations:
        quoted = rule.phrase is None or rule.phrase in instructions
        reported = rule.phrase is not None and rule.phrase.split()[0] in (
            "I",
            "A",
            "An",
            "The",
            "Our",
            "One",
            "Someone",
        )
        assert quoted or reported


STYLES = [
    (
        "Human only if: customer asks for one; charged twice; shoe caused an injury. Then write "
        "\"I'm passing you "
        'to a colleague" and give the hours of the team.',
        {"charged twice", "shoe caused an injury."},
    ),
    (
        "Complaints, medical emergencies and lost property: hand over to reception with the words "
        "“Our reception team will call you right away”.",
        {"complaints", "medical emergencies", "lost property"},
    ),
    (
        "The following is for a person: 6.1 an applicant appeals, 6.2 visa refusals. In these cases write "
        '"I will forward you to an officer" and stop there.',
        {"an applicant appeals", "visa refusals."},
    ),
    (
        '## When an adviser takes over\nWrite "I\'ll bring in one of our advisers" when\n\n'
        "* a bill cannot be paid,\n"
        "* an account holder has died.\n\nIn all other cases carry on yourself.",
        {"a bill cannot be paid", "an account holder has died"},
    ),
]


@pytest.mark.parametrize(("instructions", "cases"), STYLES)
def test_every_listed_case_is_a_condition_and_nothing_else(instructions, cases):
    rule = read_policy(instructions).escalations[0]

    found = {condition.text.strip(" ,;") for condition in rule.conditions if "person" not in condition.kinds}
    assert {case.strip(".") for case in cases} == {text.strip(".") for text in found} - {
        "customer asks for one"
    }


def test_a_function_that_hand_overs_call_for_is_known_and_its_own_condition_is_no_case():
    policy = read_policy(
        'If a customer reports fraud, say "A colleague will take over" and call block_card '
        "when they give you the digits."
    )

    assert policy.calls == {"block_card"}
    assert [condition.text for condition in policy.escalations[0].conditions] == [
        "if a customer reports fraud"
    ]


def test_what_an_anger_alone_does_not_justify_is_no_condition():
    policy = read_policy(
        'Refunds go to a colleague: say "A colleague takes over". Anger = no reason for a human.'
    )

    assert all("anger" not in condition.text for rule in policy.escalations for condition in rule.conditions)


def test_what_is_turned_away_is_not_in_scope():
    policy = read_policy("You help with flights. Politics and homework you decline.")

    assert "homework" not in policy.scope
    assert "flight" in policy.scope


def test_where_to_point_people_is_read_with_its_case():
    policy = read_policy(
        "Say so if somebody asks for the status of theirs and point to the applicant portal."
    )

    [(condition, where)] = policy.elsewhere
    assert (condition.stems, where) == ({"status"}, "the applicant portal")


@pytest.mark.parametrize(
    ("instructions", "phrase", "cases"),
    [
        (
            'Injuries, wrong charges and people who want a person: "Let me get the front desk for you".',
            "Let me get the front desk for you",
            {"injuri", "charg"},
        ),
        (
            "When do we send a real person? When there was an accident, or when a boat was stolen. "
            'Then the magic words are "I\'ll get someone from the harbor for you".',
            "I'll get someone from the harbor for you",
            {"accid", "stolen"},
        ),
        (
            "Opening a ticket is a hand-over to people. Open one in these situations and in no other:\n"
            "  (a) records have disappeared;\n  (b) the user asks for a person.\n"
            'Say "I\'m handing this to our engineers" in the same message.',
            "I'm handing this to our engineers",
            {"record", "disappear"},
        ),
    ],
    ids=["after a colon", "the sentence before", "lettered cases"],
)
def test_cases_are_read_wherever_they_stand_beside_the_words(instructions, phrase, cases):
    [escalation] = read_policy(instructions).escalations
    assert escalation.phrase == phrase
    assert cases <= {stem for condition in escalation.conditions for stem in condition.stems}
    assert any("person" in condition.kinds for condition in escalation.conditions) or "accid" in cases
