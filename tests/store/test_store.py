"""What goes into a store comes out again, in both kinds of database, and survives a kill."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import textwrap
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import BudgetExhausted, BudgetHeld, StoreError
from harness.results import Score
from harness.store.store import Store


def test_a_suite_run_comes_back_as_it_was_stored(location, run, trial):
    results = tuple(trial(repeat=repeat) for repeat in (1, 2, 3))
    with Store.open(location) as store:
        store.begin_run(run())
        for result in results:
            store.add_trials(run().id, [(result, None)])
        store.finish_run(run().id, "finished", run().started_at + timedelta(minutes=1))
    with Store.open(location) as store:
        again = store.run(run().id)
    ended_at = run().started_at + timedelta(minutes=1)
    assert again == run(status="finished", ended_at=ended_at, results=results)


def test_results_given_at_the_beginning_are_stored_too(location, run, trial):
    whole = run(results=(trial(repeat=1), trial(repeat=2)))
    with Store.open(location) as store:
        store.begin_run(whole)
        assert store.run() == whole
        assert list(store.run().results) == list(whole.results)


def test_results_come_in_the_order_of_the_plan_not_of_their_end(location, run, trial):
    with Store.open(location) as store:
        store.begin_run(run())
        for position in (2, 0, 1):
            store.add_trials(run().id, [(trial(repeat=position + 1), position)])
        assert [result.repeat for result in store.run().results] == [1, 2, 3]


def test_without_positions_results_come_in_the_order_of_their_end(location, run, trial):
    with Store.open(location) as store:
        store.begin_run(run())
        for repeat in (3, 1, 2):
            store.add_trials(run().id, [(trial(repeat=repeat), None)])
        assert [result.repeat for result in store.run().results] == [3, 1, 2]


def test_a_trial_run_again_takes_the_place_of_the_earlier_one(location, run, trial):
    with Store.open(location) as store:
        store.begin_run(run())
        store.add_trials(run().id, [(trial(repeat=1, outcome="errored", error="reset by peer"), 0)])
        store.add_trials(run().id, [(trial(repeat=2), 1)])
        store.add_trials(run().id, [(trial(repeat=1), None)])
        assert [(r.repeat, r.outcome) for r in store.run().results] == [(1, "passed"), (2, "passed")]


def test_latest_is_the_newest_run_by_time(location, run):
    with Store.open(location) as store:
        store.begin_run(run("b", started_at=run().started_at + timedelta(days=1)))
        store.begin_run(run("a"))
        store.begin_run(run("c", started_at=run().started_at - timedelta(days=1)))
        assert store.run("latest").id == "b"


def test_an_unknown_run_is_refused_with_the_nearest_ids(location, run):
    with Store.open(location) as store:
        store.begin_run(run("20260504-093000-helpdesk"))
        store.begin_run(run("20260601-120000-billing"))
        with pytest.raises(StoreError, match="20260504-093000-helpdsk") as caught:
            store.run("20260504-093000-helpdsk")
    assert caught.value.code == "store-run-unknown"
    assert "Nearest: 20260504-093000-helpdesk" in (caught.value.hint or "")


def test_latest_in_an_empty_store_says_that_nothing_was_run(location):
    with Store.open(location) as store, pytest.raises(StoreError, match="no suite runs yet"):
        store.run()


@pytest.mark.parametrize("call", ["add_trials", "finish_run", "finished_trials"])
def test_every_call_refuses_an_unknown_run(location, trial, call):
    arguments = {"add_trials": ([(trial(), None)],), "finish_run": ("finished", None), "finished_trials": ()}[
        call
    ]
    with Store.open(location) as store, pytest.raises(StoreError) as caught:
        getattr(store, call)("nobody", *arguments)
    assert caught.value.code == "store-run-unknown"


def test_a_second_run_of_the_same_id_is_refused_and_changes_nothing(location, run, trial):
    with Store.open(location) as store:
        store.begin_run(run(results=(trial(),)))
        with pytest.raises(StoreError) as caught:
            store.begin_run(run(results=(trial(repeat=2),)))
        assert caught.value.code == "store-run-exists"
        assert [result.repeat for result in store.run().results] == [1]


def test_finished_trials_can_leave_out_the_errored(location, run, trial):
    errored = trial(repeat=2, outcome="errored", error="timeout")
    with Store.open(location) as store:
        store.begin_run(run(results=(trial(), errored)))
        assert store.finished_trials() == {trial().trial_id, errored.trial_id}
        assert store.finished_trials(errored=False) == {trial().trial_id}


def test_a_run_can_be_opened_again_for_more_trials(location, run, trial):
    with Store.open(location) as store:
        store.begin_run(run())
        store.finish_run(run().id, "interrupted", run().started_at)
        store.finish_run(run().id, "running", None)
        store.add_trials(run().id, [(trial(), None)])
        assert store.run() == run(results=(trial(),))


def test_text_that_databases_cannot_hold_does_not_lose_the_trial(location, run, trial):
    odd = Score(
        check="answer", scorer="answers", turn=0, value="a\0b\ud800", passed=False, reason="\0 \ud800"
    )
    with Store.open(location) as store:
        store.begin_run(run())
        store.add_trials(run().id, [(trial(scores=(odd,)), None)])
        assert store.run().results[0].scores[0].reason == "\0 ?"


def test_several_open_stores_may_write_to_one_file(location, run, trial):
    with Store.open(location) as one, Store.open(location) as other:
        one.begin_run(run())
        one.add_trials(run().id, [(trial(repeat=1), None)])
        other.add_trials(run().id, [(trial(repeat=2), None)])
        assert one.run() == other.run()
        assert len(one.finished_trials()) == 2


text = st.text(st.characters(codec="utf-8"), max_size=30)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(
    reason=text,
    value=st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | text,
    evidence=st.dictionaries(text, st.none() | st.integers() | text | st.lists(text, max_size=3), max_size=3),
    cost=st.none() | st.decimals(0, 10_000, places=12),
)
def test_any_score_and_cost_comes_back_unchanged(tmp_path, run, trial, reason, value, evidence, cost):
    score = Score(
        check="c", scorer="s", turn=None, value=value, passed=None, reason=reason, evidence=evidence
    )
    result = trial(scores=(score,), cost_usd=cost)
    with Store.open(tmp_path / "store.sqlite") as store:
        store.begin_run(run("one")) if not store.runs() else None
        store.add_trials("one", [(result, None)])
        assert store.run("one").results == (result,)


def test_index_columns_and_scores_can_be_queried_without_unpacking(tmp_path, run, trial):
    with Store.open(tmp_path / "store.sqlite") as store:
        store.begin_run(run(results=(trial(cost_usd=Decimal("0.25")), trial(repeat=2, cost_usd=None))))
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        rows = connection.execute(
            "SELECT repeat, outcome, cost_pico_usd, prompt_tokens FROM trials"
        ).fetchall()
        failing = connection.execute(
            "SELECT check_name, value_num, reason FROM scores WHERE NOT passed"
        ).fetchall()
    connection.close()
    assert rows == [(1, "passed", 250_000_000_000, 900), (2, "passed", None, 900)]
    assert failing == [("grounded", 0.5, "Half of it.")] * 2


WRITER = """
import sys
from datetime import UTC, datetime
from harness.results import SuiteRun, TrialResult
from harness.store.store import Store

at = datetime(2026, 5, 4, tzinfo=UTC)
with Store.open(sys.argv[1]) as store:
    store.begin_run(SuiteRun(id="r", started_at=at, target="t", status="running", planned=10**6))
    for repeat in range(10**6):
        store.add_trials("r", [(TrialResult(
            trial_id=f"s/c@v#{repeat}", suite="s", conversation="c", variant="v", fingerprint="f",
            repeat=repeat, outcome="passed", started_at=at, ended_at=at, error="x" * 3000), None)])
        print(repeat, flush=True)
"""


@pytest.mark.parametrize("trials", [1, 7, 40])
def test_a_killed_writer_loses_no_trial_that_was_added(tmp_path, trials):
    path = tmp_path / "store.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer:
        reported = [int(writer.stdout.readline()) for _ in range(trials)]
        writer.send_signal(signal.SIGKILL)
        reported += [int(line) for line in writer.stdout]
    assert writer.returncode == -signal.SIGKILL
    with Store.open(path) as store:
        found = {result.repeat for result in store.run("r").results}
        assert set(reported) <= found
        assert len(found) <= len(reported) + 1
        assert store.run("r").status == "running"
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_processes_that_spend_of_one_budget_never_hold_more_than_it(location, run):
    limit = Decimal("1.00")
    with Store.open(location) as one, Store.open(location) as other:
        one.begin_run(run())
        first = one.reserve_spending(run().id, "a", Decimal("0.60"), limit_usd=limit)
        with pytest.raises(BudgetHeld, match=r"other requests hold \$0.6"):
            other.reserve_spending(run().id, "b", Decimal("0.50"), limit_usd=limit)
        one.settle_spending(first, Decimal("0.20"))
        second = other.reserve_spending(run().id, "b", Decimal("0.50"), limit_usd=limit)
        other.settle_spending(second, Decimal("0.50"))
        with pytest.raises(BudgetExhausted, match=r"of the budget of \$1.00 \$0.30 is left"):
            one.reserve_spending(run().id, "c", Decimal("0.40"), limit_usd=limit)
        spent = one.spending(run().id)
    assert spent is not None and spent.spent_usd == Decimal("0.70") and spent.requests == 2


def test_several_processes_add_trials_that_nobody_planned(location, run):
    with Store.open(location) as one, Store.open(location) as other:
        one.begin_run(run(planned=3))
        one.add_planned(run().id, 1)
        other.add_planned(run().id, 2)
        assert one.run().planned == 6
