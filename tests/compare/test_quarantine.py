"""A gate that leaves a conversation out decides as if it had never been run, and says that it did."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from harness.compare.gate import gate, judged
from harness.compare.quarantine import Quarantines
from harness.compare.rules import Rule, RuleFile
from harness.results import Quarantine, SuiteRun, TrialResult

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
KEPT = Quarantine(until=date(2026, 5, 20), reason="looked at", in_force=True)
OVER = replace(KEPT, until=date(2026, 5, 1), in_force=False)
RULES = RuleFile(rule=(Rule(margin=0.1), Rule(at_least=0.5), Rule(metric="latency_s", at_most=2.0)))

OUTCOMES = st.lists(st.sampled_from(["passed", "failed", "errored"]), min_size=1, max_size=4)
SUITE = st.lists(st.tuples(OUTCOMES, OUTCOMES, st.booleans()), min_size=1, max_size=6)


def result(case: int, repeat: int, outcome: str, quarantine: Quarantine | None = None) -> TrialResult:
    return TrialResult(
        trial_id=f"s/c{case}@main#{repeat}",
        suite="s",
        conversation=f"c{case}",
        variant="main",
        fingerprint="f",
        repeat=repeat,
        outcome=outcome,
        started_at=START,
        ended_at=START,
        latency_s=1.0,
        quarantine=quarantine,
    )


def run(name: str, results: list[TrialResult]) -> SuiteRun:
    return SuiteRun(
        id=name, started_at=START, target="embedded", status="finished", planned=len(results), results=results
    )


def runs(suite, *, quarantined: bool) -> tuple[SuiteRun, SuiteRun]:
    """A candidate and a baseline; what is in quarantine is in them, or was never made."""
    sides: list[list[TrialResult]] = [[], []]
    for case, (*outcomes, kept) in enumerate(suite):
        for side, ended in zip(sides, outcomes, strict=True):
            if kept and not quarantined:
                continue
            said = KEPT if kept and side is sides[0] else None
            side += [result(case, repeat, each, said) for repeat, each in enumerate(ended, start=1)]
    return run("candidate", sides[0]), run("baseline", sides[1])


@given(SUITE)
def test_leaving_out_is_as_if_it_had_never_been_run(suite):
    with_it, without_it = runs(suite, quarantined=True), runs(suite, quarantined=False)
    found, plain = gate(RULES, *with_it), gate(RULES, *without_it)
    assert found.rules == plain.rules
    assert found.verdict == plain.verdict
    kept = {f"s/c{case}" for case, (*_, each) in enumerate(suite) if each}
    assert set(found.quarantines.left_out) == kept
    assert bool(list(found.quarantines.reasons())) == bool(kept)


@given(SUITE)
def test_a_gate_whose_every_case_is_in_quarantine_never_passes(suite):
    everything = [(before, after, True) for before, after, _ in suite]
    assert gate(RULES, *runs(everything, quarantined=True)).verdict == "inconclusive"


def test_the_quarantine_of_a_baseline_has_no_say():
    baseline = run("b", [result(0, repeat, "passed", KEPT) for repeat in (1, 2)])
    candidate = run("c", [result(0, repeat, "failed") for repeat in (1, 2)])
    found = gate(RuleFile(rule=(Rule(margin=0.1),)), candidate, baseline)
    assert found.rules[0].compared.cases == 1


def test_a_conversation_of_which_some_trials_count_is_compared():
    """A run that went on after the last day of a quarantine has trials from before and after it."""
    trials = [
        judged(each, "candidate") for each in (result(0, 1, "failed", KEPT), result(0, 2, "failed", OVER))
    ]
    found = Quarantines.of(trials)
    assert (dict(found.left_out), list(found.over)) == ({}, ["s/c0"])


def test_many_are_told_as_the_first_few_and_a_number():
    trials = [judged(result(case, 1, "failed", KEPT), "candidate") for case in range(7)]
    [reason] = Quarantines.of(trials).reasons()
    assert reason.startswith(
        "7 conversations are in quarantine and left out: s/c0 (until 2026-05-20: looked at), "
    )
    assert reason.endswith(" and 2 more")
    assert len(Quarantines.of(trials).as_json()["left_out"]) == 7
