"""What is flaky is told from runs of one version, and what hurts most comes first."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.flakiness import steadiness, suggested_quarantine
from harness.results import CaseOutcomes, PastRun
from harness.yamlfile.source import read_source

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
TODAY = date(2026, 6, 1)


def case(conversation, passed, failed, fingerprint="v1", **more):
    return CaseOutcomes(
        suite="shop",
        conversation=conversation,
        variant="bot",
        fingerprint=fingerprint,
        passed=passed,
        failed=failed,
        **more,
    )


def run(number, *cases, suite="s1", target="embedded"):
    return PastRun(
        id=f"run-{number}",
        started_at=START + timedelta(days=number),
        target=target,
        branch=None,
        suites={"shop": suite},
        cases=cases,
    )


def only(runs):
    [found] = steadiness(runs, TODAY)
    return found


def test_both_outcomes_in_one_run_are_flaky_from_that_run_on():
    found = only([run(1, case("a", 3, 0)), run(2, case("a", 2, 1)), run(3, case("a", 3, 0))])
    assert (found.passed, found.trials, found.runs, found.failed_runs) == (8, 9, 3, 1)
    assert (found.since.run, found.last.run) == ("run-2", "run-2")


def test_failing_after_passing_is_flaky_from_the_first_failure_on():
    found = only([run(1, case("a", 1, 0)), run(2, case("a", 0, 1)), run(3, case("a", 1, 0))])
    assert (found.since.run, found.last.run, found.failing) == ("run-2", "run-2", 0)


def test_passing_after_failing_is_flaky_from_the_first_pass_on():
    found = only([run(1, case("a", 0, 1)), run(2, case("a", 0, 1)), run(3, case("a", 1, 0))])
    assert (found.since.run, found.last.run, found.failed_runs) == ("run-3", "run-2", 2)


@pytest.mark.parametrize(
    "changed",
    [
        run(2, case("a", 1, 0), suite="s2"),
        run(2, case("a", 1, 0), target="responses"),
        run(2, case("a", 1, 0, fingerprint="v2")),
    ],
    ids=["suite", "target", "assistant"],
)
def test_what_passes_after_a_change_was_repaired_and_is_not_flaky(changed):
    found = only([run(1, case("a", 0, 1)), changed])
    assert not found.flaky
    assert (found.trials, found.versions, found.failed_runs) == (2, 2, 0)


def test_errored_trials_are_no_evidence():
    found = only([run(1, case("a", 1, 0)), run(2, case("a", 0, 0, errored=3)), run(3, case("a", 1, 0))])
    assert (found.trials, found.runs, found.errored, found.flaky) == (2, 2, 3, False)
    assert steadiness([run(1, case("a", 0, 0, errored=3))], TODAY) == []


def test_what_fails_in_all_the_latest_runs_is_named_so():
    history = [run(1, case("a", 2, 0)), *(run(number, case("a", 0, 2)) for number in (2, 3, 4))]
    assert only(history).failing == 3


def test_what_spoilt_most_runs_comes_first_and_quarantine_last():
    day = TODAY + timedelta(days=1)
    runs = [
        run(
            1,
            case("seldom", 1, 1),
            case("often", 1, 1),
            case("kept", 0, 2, quarantined_until=day),
            case("fine", 2, 0),
        ),
        run(
            2,
            case("seldom", 2, 0),
            case("often", 1, 1),
            case("kept", 1, 1, quarantined_until=day),
            case("fine", 2, 0),
        ),
    ]
    assert [each.conversation for each in steadiness(runs, TODAY)] == ["often", "seldom", "fine", "kept"]


def test_the_latest_run_says_whether_it_is_in_quarantine():
    def until(day):
        return only([run(1, case("a", 1, 1)), run(2, case("a", 1, 1, quarantined_until=day))])

    assert until(TODAY).quarantined
    assert not until(TODAY - timedelta(days=1)).quarantined
    lifted = only([run(1, case("a", 1, 1, quarantined_until=TODAY)), run(2, case("a", 1, 1))])
    assert lifted.quarantined_until is None


def test_trials_of_one_run_share_its_faults_so_the_interval_is_wide():
    alike = only([run(number, case("a", 5, 0) if number % 2 else case("a", 0, 5)) for number in range(10)])
    mixed = only([run(number, case("a", 2, 3) if number % 2 else case("a", 3, 2)) for number in range(10)])
    assert alike.rate == mixed.rate == 0.5
    assert alike.interval.low < mixed.interval.low
    assert alike.interval.high > mixed.interval.high


OUTCOMES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(["v1", "v2"])), max_size=12
)


@given(OUTCOMES)
def test_counts_add_up_and_flaky_means_both_outcomes_of_one_version(outcomes):
    runs = [run(number, case("a", *each)) for number, each in enumerate(outcomes)]
    judged = [each for each in outcomes if each[0] + each[1]]
    if not judged:
        assert steadiness(runs, TODAY) == []
        return
    found = only(runs)
    assert (found.passed, found.trials) == (sum(p for p, _, _ in judged), sum(p + f for p, f, _ in judged))
    assert 0 <= found.interval.low <= found.rate + 1e-9
    assert found.rate - 1e-9 <= found.interval.high <= 1
    versions = {each[2] for each in judged}
    both = [
        v
        for v in versions
        if any(p for p, _, w in judged if w == v) and any(f for _, f, w in judged if w == v)
    ]
    assert found.flaky == bool(both)
    assert found.failed_runs == sum(each[1] > 0 for each in judged if each[2] in both)
    assert (found.last is None) == (not both)


@given(OUTCOMES)
def test_a_steady_conversation_beside_it_changes_nothing(outcomes):
    alone = [run(number, case("a", *each)) for number, each in enumerate(outcomes)]
    beside = [run(number, case("b", 1, 0), case("a", *each)) for number, each in enumerate(outcomes)]
    assert [each for each in steadiness(beside, TODAY) if each.conversation == "a"] == steadiness(
        alone, TODAY
    )


def test_the_suggested_lines_are_yaml_with_a_day_and_a_reason(tmp_path):
    found = only([run(1, case("a", 3, 0)), run(2, case("a", 2, 1))])
    path = tmp_path / "q.yaml"
    path.write_text("\n".join(suggested_quarantine(found, date(2026, 6, 15))))
    assert read_source(path).data == {
        "quarantine": {
            "until": "2026-06-15",
            "reason": "flaky since 2026-05-03: 1 of 6 trials in 2 runs failed",
        }
    }
