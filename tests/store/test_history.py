"""Lists of suite runs and the past of one conversation."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from harness.store.store import Store


def test_runs_are_listed_newest_first_with_their_counts(location, run, trial):
    results = (
        trial(repeat=1, cost_usd=Decimal("0.10")),
        trial(repeat=2, cost_usd=Decimal("0.20"), outcome="failed"),
        trial(repeat=3, cost_usd=None, cost_reason="no price", usage=None, variant="new"),
    )
    with Store.open(location) as store:
        store.begin_run(run("old", started_at=run().started_at - timedelta(days=1)))
        store.begin_run(run("new", results=results))
        newest, oldest = store.runs()
        assert [summary.id for summary in store.runs(limit=1)] == ["new"]
    assert newest.outcomes == {"passed": 2, "failed": 1}
    assert newest.finished == newest.planned == 3
    assert (newest.cost_usd, newest.cost_unknown) == (Decimal("0.30"), 1)
    assert newest.prompt_tokens == 1800
    assert newest.suites == ("helpdesk",)
    assert newest.variants == ("main", "new")
    assert (oldest.id, oldest.outcomes, oldest.cost_usd) == ("old", {}, None)


def test_an_empty_store_lists_nothing(location):
    with Store.open(location) as store:
        assert store.runs() == []


def test_the_past_of_a_conversation_is_found_over_all_runs(location, run, trial):
    later = run().started_at + timedelta(days=1)
    with Store.open(location) as store:
        store.begin_run(run("two", started_at=later, results=(trial(started_at=later, outcome="failed"),)))
        store.begin_run(run("one", results=(trial(), trial("other"))))
        past = store.history("helpdesk", "reset-password")
    assert [(trial.run_id, trial.outcome) for trial in past] == [("one", "passed"), ("two", "failed")]
    assert past[0].cost_usd == trial().cost_usd
    assert past[0].started_at == run().started_at
