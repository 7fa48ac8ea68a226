"""The numbers that all reports share."""

from __future__ import annotations

from decimal import Decimal
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.reporters.brief import brief
from harness.reporters.summary import Group, Summary, percentile
from harness.results import Score


def test_outcomes_are_counted_by_trial_and_by_conversation(run):
    summary = Summary(run)
    assert summary.total.outcomes == {"passed": 5, "failed": 3, "errored": 1}
    assert len(summary.conversations) == summary.total.conversations == 7


def test_the_pass_rate_leaves_out_what_was_not_judged(run):
    assert Summary(run).total.pass_rate == 5 / 8
    errored = Group("e", tuple(brief(result) for result in run.results if result.outcome == "errored"))
    assert errored.pass_rate is None


def test_a_conversation_that_passes_sometimes_is_failed_and_flaky(run):
    renewal = Summary(run).conversations[0]
    assert (renewal.outcome, renewal.flaky, renewal.passed) == ("failed", True, 2)
    assert renewal.failing_checks == ("grounded",)
    assert renewal.reason.startswith("turn 1, grounded: 1 of 2 claims")


def test_an_errored_repeat_outweighs_passed_ones_and_is_not_called_flaky(run):
    first, second = run.results[0], replace(run.results[2], outcome="errored", error="gone")
    row = Summary(replace(run, results=(first, second))).conversations[0]
    assert (row.outcome, row.flaky, row.reason) == ("errored", False, "gone")


def test_unknown_costs_are_counted_apart_and_never_as_zero(run):
    total = Summary(run).total
    assert total.cost_usd == 8 * Decimal("0.000913")
    assert (total.cost_unknown, total.cost_reason) == (1, "the target reported no usage")
    unknown = Group("u", tuple(brief(replace(result, cost_usd=None)) for result in run.results))
    assert unknown.cost_usd is None


def test_failing_checks_are_ranked_by_the_trials_they_fail(run):
    twice = Summary(replace(run, results=(*run.results, replace(run.results[1], repeat=4)))).failing_checks
    assert (twice[0].check, twice[0].failed, twice[0].conversations) == ("grounded", 2, 1)
    assert [check.check for check in twice[1:]] == ["answer.omits", "calls", "escalates"]


def test_what_was_judged_nowhere_is_named_with_its_reason(run):
    unknown = Score("escalates", "escalation", turn=0, value=None, passed=None, reason="no phrases are known")
    passed = replace(run.results[0], scores=(*run.results[0].scores, unknown))
    errored = replace(run.results[0], outcome="errored", scores=(replace(unknown, check="tokens"),))
    [check] = Summary(replace(run, results=(passed, passed, errored))).never_judged
    assert (check.check, check.trials, check.example) == ("escalates", 2, "no phrases are known")
    judged = replace(unknown, value="none", passed=True, reason="")
    both = (passed, replace(passed, scores=(judged,)))
    assert Summary(replace(run, results=both)).never_judged == ()


def test_groups_keep_the_order_of_the_plan_and_tags_are_sorted(run):
    summary = Summary(run)
    assert [group.name for group in summary.suites] == ["lending", "service"]
    tags = [group.name for group in summary.tags]
    assert tags == sorted(tags)
    assert "smoke" in tags


def test_the_escalation_matrix_counts_judged_hand_overs(run):
    matrix = Summary(run).escalation
    assert matrix is not None
    assert (matrix.tp, matrix.fp, matrix.fn, matrix.tn) == (0, 0, 1, 1)


def test_without_hand_over_expectations_there_is_no_matrix(empty):
    assert Summary(empty).escalation is None


def test_trials_of_the_plan_without_a_result_are_missing(run, empty):
    assert Summary(run).missing == 0
    assert Summary(empty).missing == 5


def test_no_values_have_no_percentile():
    assert percentile((), 0.5) is None


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=50).map(sorted))
def test_percentiles_agree_with_the_standard_library(values):
    for percent, expected in enumerate(quantiles(values, n=100, method="inclusive"), start=1):
        assert percentile(values, percent / 100) == pytest.approx(expected, rel=1e-9, abs=1e-9)
