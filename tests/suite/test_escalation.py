"""What a suite says of hand-overs: short and long, merged, checked with its place."""

import pytest

from harness.suite.load import load_suite

HEAD = """\
suite: s
assistant: bot.yaml
"""
TALK = "  - {id: a, turns: [{user: x}]}\n"


@pytest.mark.parametrize("written", ["must", "must_not", "may", "true", "false", "{by_turn: 1}"])
def test_an_expectation_may_be_a_word_or_a_block(place, written):
    conversation = f"{{id: a, turns: [{{user: x}}], expect: {{escalates: {written}}}}}"
    suite = load_suite(place("s.yaml", f"{HEAD}conversations: [{conversation}]"))
    assert suite.conversations[0].expect.escalates is not None


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ("ticket: {email: mail}", "s.yaml:3:30: no function that hands over has an argument 'mail'"),
        ("ticket: {priority: {rules: [{is: hihg}]}}", "s.yaml:3:47: 'hihg' is no value of 'priority'"),
        ("ticket: {priority: {rules: [{is: low}, {is: high}]}}", "s.yaml:3:53: this rule is never reached"),
        ("ticket: {priority: {rules: [{matches: '(', is: low}]}}", "s.yaml:3:52: the expression '(' cannot"),
        ("ticket: {priority: {argument: prio, rules: [{is: low}]}}", "s.yaml:3:44: no function that hands"),
        ("costs: {mised: 3}", "s.yaml:3:22: unknown key 'mised' in escalation.costs"),
        ("costs: {missed: -3}", "s.yaml:3:30: escalation.costs.missed must be at least 0, not -3"),
    ],
)
def test_mistakes_in_the_rules_are_told_once_with_their_place(mistakes, place, rules, problem):
    place("other.yaml", "")
    found = mistakes(
        f"{HEAD}escalation: {{{rules}}}\nconversations:\n{TALK}  - {{id: b, turns: [{{user: y}}]}}\n"
    )
    assert len(found) == 1
    assert found[0].startswith(problem), found


def test_a_conversation_without_rules_has_those_of_the_suite(place):
    suite = load_suite(
        place(
            "s.yaml",
            f"{HEAD}escalation: {{costs: {{missed: 7}}}}\nconversations:\n{TALK}"
            "  - {id: b, turns: [{user: y}], escalation: {costs: {missed: 9}}}\n",
        )
    )
    assert [each.escalation.costs.missed for each in suite.conversations] == [7, 9]


def test_other_rules_make_another_suite(place):
    def fingerprint(costs):
        text = f"{HEAD}escalation: {{costs: {{missed: {costs}}}}}\nconversations:\n{TALK}"
        return load_suite(place("s.yaml", text)).fingerprint

    assert fingerprint(1) != fingerprint(2)


def test_a_turn_by_which_nobody_can_hand_over_is_refused(mistakes, place):
    wish = "{by_turn: 1, not_before: 2}"
    talk = f"{{id: a, turns: [{{user: x}}, {{user: y}}], expect: {{escalates: {wish}}}}}"
    found = mistakes(f"{HEAD}conversations: [{talk}]\n")
    assert [each.splitlines()[0].partition(": ")[2] for each in found] == ["not_before is 2, after by_turn 1"]
