"""Stored runs as evidence: replayed trials are none, and versions are kept apart."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from harness.results import CaseOutcomes, Quarantine
from harness.store.store import Store


@pytest.fixture
def store(location):
    with Store.open(location) as opened:
        yield opened


def begun(run, number, *results, **settings):
    first = run()
    return run(
        f"run-{number}",
        started_at=first.started_at + timedelta(days=number),
        results=results,
        settings=settings,
    )


def ids(runs):
    return [each.id for each in runs]


def test_outcomes_are_counted_by_conversation_and_version(store, run, trial):
    results = (
        trial(),
        trial(repeat=2, outcome="failed"),
        trial(repeat=3, outcome="errored"),
        trial("other", variant="new", trial_id="x", fingerprint="e" * 64),
    )
    store.begin_run(begun(run, 1, *results, fingerprints={"suite helpdesk": "s1", "assistant main": "a"}))
    [past] = store.past_runs()
    assert past.suites == {"helpdesk": "s1"}
    assert past.branch is None
    assert past.cases == (
        CaseOutcomes(
            suite="helpdesk",
            conversation="reset-password",
            variant="main",
            fingerprint="f" * 64,
            passed=1,
            failed=1,
            errored=1,
        ),
        CaseOutcomes(suite="helpdesk", conversation="other", variant="new", fingerprint="e" * 64, passed=1),
    )


def test_replayed_trials_and_varied_words_are_no_evidence(store, run, trial):
    store.begin_run(begun(run, 1, trial(replayed=True)))
    store.begin_run(begun(run, 2, trial(), perturbed={"seed": 1}))
    store.begin_run(begun(run, 3))
    assert store.past_runs() == []


def test_the_latest_runs_come_oldest_first(store, run, trial):
    for number in (1, 2, 3):
        store.begin_run(begun(run, number, trial()))
    assert ids(store.past_runs()) == ["run-1", "run-2", "run-3"]
    assert ids(store.past_runs(limit=2)) == ["run-2", "run-3"]


def test_only_runs_of_a_suite_and_a_branch_are_taken_when_asked_for(store, run, trial):
    store.begin_run(begun(run, 1, trial(), git={"branch": "main", "commit": "c"}))
    store.begin_run(begun(run, 2, trial(suite="billing", trial_id="b"), git={"branch": "main"}))
    store.begin_run(begun(run, 3, trial(), trial(suite="billing", trial_id="b"), git={"branch": "topic"}))
    assert ids(store.past_runs(suite="helpdesk")) == ["run-1", "run-3"]
    assert ids(store.past_runs(branch="main")) == ["run-1", "run-2"]
    [past] = store.past_runs(suite="billing", limit=1)
    assert (past.id, past.branch, [case.suite for case in past.cases]) == ("run-3", "topic", ["billing"])


def test_the_last_day_of_a_quarantine_comes_along(store, run, trial):
    kept = Quarantine(until=date(2026, 6, 20), reason="looked at", in_force=False)
    store.begin_run(begun(run, 1, trial(quarantine=kept), trial("other", trial_id="o")))
    [past] = store.past_runs()
    assert [case.quarantined_until for case in past.cases] == [date(2026, 6, 20), None]


def test_more_runs_than_are_asked_for_at_once_are_all_there(store, run, trial):
    for number in range(1, 104):
        store.begin_run(begun(run, number, trial()))
    found = store.past_runs()
    assert len(found) == 103
    assert all(each.cases[0].passed == 1 for each in found)
