"""A trial that broke off is missing wherever it would have been asked something, and nowhere else."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from harness.compare.asked import Asked, answers
from harness.compare.gate import gate, judged
from harness.compare.rules import Rule, RuleFile
from harness.results import Outcome, RunStatus, Score, SuiteRun, TrialResult

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)


def score(check: str, passed: bool | None, **evidence: object) -> Score:
    scorer = "escalation" if check == "escalates" else "answers"
    return Score(check, scorer, 0, passed, passed, "" if passed else "why", evidence)


def result(case: str, repeat: int, outcome: Outcome, *scores: Score) -> TrialResult:
    return TrialResult(
        trial_id=f"s/{case}@main#{repeat}",
        suite="s",
        conversation=case,
        variant="main",
        fingerprint="f",
        repeat=repeat,
        outcome=outcome,
        started_at=START,
        ended_at=START,
        scores=scores,
        cost_usd=None,
        latency_s=1.0,
    )


def run(results: list[TrialResult], status: RunStatus = "finished", planned: int | None = None) -> SuiteRun:
    count = len(results) if planned is None else planned
    return SuiteRun("r", START, "embedded", status, count, results=tuple(results))


def good(case: str, repeat: int) -> TrialResult:
    return result(case, repeat, "passed", score("status", True), score("answer.mentions", True))


def broken(case: str, repeat: int) -> TrialResult:
    """Its first turn was good, its second was never sent."""
    return result(case, repeat, "errored", score("status", True), score("answer", None))


def test_a_trial_that_ended_in_an_error_has_no_numbers_at_all():
    found = judged(broken("a", 1), "candidate")
    assert all(map(math.isnan, found.trial[4:]))


@pytest.mark.parametrize("check", ["status", "answer.mentions"])
def test_what_broke_off_is_missing_for_every_check_that_its_conversation_has(check):
    trials = [judged(each, "candidate") for each in (good("a", 1), broken("a", 2))]
    assert math.isnan(Asked.of(trials).met(trials[1], check))


def test_a_check_that_a_whole_trial_was_not_asked_for_is_not_missing_in_a_broken_one():
    trials = [judged(each, "candidate") for each in (good("a", 1), broken("a", 2))]
    assert Asked.of(trials).met(trials[1], "grounded") is None


def test_where_no_trial_was_whole_the_kind_of_check_is_enough():
    trials = [judged(broken("a", 1), "candidate")]
    asked = Asked.of(trials)
    assert math.isnan(asked.met(trials[0], "answer.mentions"))
    assert asked.met(trials[0], "cites") is None


def test_the_other_side_tells_what_a_conversation_is_asked():
    trials = [judged(good("a", 1), "baseline"), judged(broken("a", 1), "candidate")]
    assert set(answers(trials)) == {"status", "answer.mentions"}
    assert math.isnan(answers(trials)["answer.mentions"][1])


def test_a_hand_over_that_was_never_reached_is_missing_too():
    handed = result("a", 1, "passed", score("escalates", True, observed=True, expected=True))
    cut = result("a", 2, "errored", score("escalates", None))
    trials = [judged(each, "candidate") for each in (handed, cut)]
    asked = Asked.of(trials)
    assert math.isnan(asked.right(trials[1], "missed_escalations"))
    assert asked.right(trials[1], "needless_escalations") is None


@pytest.mark.parametrize(
    "rule",
    [Rule(at_least=0.5), Rule(check="answer.mentions", at_least=0.5), Rule(metric="score", at_least=0.5)],
    ids=lambda rule: rule.name,
)
def test_no_limit_is_proven_where_more_than_a_tenth_ended_in_errors(rule):
    whole = [good(f"c{n}", 1) for n in range(80)]
    cut = [broken(f"d{n}", 1) for n in range(20)]
    rules = RuleFile(rule=(rule,))
    assert gate(rules, run(whole)).verdict == "pass"
    found = gate(rules, run(whole + cut))
    assert found.verdict == "inconclusive"
    assert "20% of the trials have no value" in found.rules[0].reasons[0]


@pytest.mark.parametrize("status", ["running", "interrupted", "budget_exhausted", "failures_reached"])
def test_a_run_that_was_cut_short_passes_nothing(status):
    trials = [good(f"c{n}", 1) for n in range(80)]
    rules = RuleFile(rule=(Rule(at_least=0.5),))
    found = gate(rules, run(trials, status, planned=200))
    assert (found.verdict, found.rules[0].verdict) == ("inconclusive", "pass")
    assert f"is not finished ({status.replace('_', ' ')}: 80 of 200 trials)" in found.unfit[0]
    assert gate(rules, run(trials, status, planned=85)).verdict == "pass"


def test_a_run_without_trials_passes_nothing():
    found = gate(RuleFile(rule=(Rule(at_least=0.5),)), run([]))
    assert (found.verdict, found.rules[0].reasons) == ("inconclusive", ("there is no trial to judge",))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (Rule(at_least=0.5, suite="t"), "no trial is of the suite 't', so nothing was judged; there are: s"),
        (Rule(at_least=0.5, tags=("smok",)), "no trial has the tag 'smok'"),
        (Rule(at_least=0.5, check="statu"), "did you mean 'status'? There are: answer.mentions, status"),
        (Rule(margin=0.5, check="statu"), "did you mean 'status'?"),
        (Rule(metric="missed_escalations", at_most=0.5), "no trial has a value that this rule looks at"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_rule_that_nothing_fits_says_which_word_and_what_there_is(rule, told):
    found = gate(RuleFile(rule=(rule,)), run([good("a", 1)]))
    assert found.verdict == "inconclusive"
    assert told in found.rules[0].reasons[0]
