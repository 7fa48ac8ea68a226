"""Results of a stored run are read when they are looked at."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.store import results
from harness.store.store import Store


@pytest.fixture
def whole(run, trial):
    return run(results=tuple(trial(repeat=repeat) for repeat in range(1, 8)))


def test_results_can_be_looked_at_after_the_store_was_closed(location, whole):
    with Store.open(location) as store:
        store.begin_run(whole)
        found = store.run()
    assert found == whole
    assert found.results[-1] == whole.results[-1]
    assert found.outcomes == whole.outcomes == {"passed": 7}


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=30,
    deadline=None,
)
@given(
    start=st.none() | st.integers(-9, 9),
    stop=st.none() | st.integers(-9, 9),
    step=st.sampled_from([1, 2, -1]),
)
def test_a_part_of_the_results_is_that_part_of_a_tuple(tmp_path, whole, start, stop, step):
    with Store.open(tmp_path / "store.sqlite") as store:
        if not store.runs():
            store.begin_run(whole)
        assert store.run().results[start:stop:step] == whole.results[start:stop:step]


def test_results_that_are_fetched_in_several_batches_keep_their_order(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(results, "BATCH", 3)
    with Store.open(tmp_path / "store.sqlite") as store:
        store.begin_run(whole)
        assert [result.repeat for result in store.run().results] == [1, 2, 3, 4, 5, 6, 7]


def test_a_trial_that_is_run_again_is_seen_as_it_is_now_by_who_has_read_the_run(location, whole, trial):
    with Store.open(location) as store:
        store.begin_run(whole)
        found = store.run()
        store.add_trials(whole.id, [(trial(repeat=2, outcome="errored", error="reset by peer"), None)])
        store.add_trials(whole.id, [(trial(repeat=99), None)])
        assert [result.outcome for result in found.results][:3] == ["passed", "errored", "passed"]
        assert len(found.results) == 7


def test_an_index_beyond_the_results_is_none_of_them(tmp_path, whole):
    with Store.open(tmp_path / "store.sqlite") as store:
        store.begin_run(whole)
        with pytest.raises(IndexError):
            store.run().results[7]


def test_a_batch_with_trials_that_are_there_already_replaces_them(location, run, trial):
    with Store.open(location) as store:
        store.begin_run(run())
        store.add_trials(run().id, [(trial(repeat=2, outcome="errored", error="reset by peer"), 1)])
        found = [(trial(repeat=repeat), repeat - 1) for repeat in (1, 2, 3, 2)]
        store.add_trials(run().id, found)
        assert [(each.repeat, each.outcome) for each in store.run().results] == [
            (1, "passed"),
            (2, "passed"),
            (3, "passed"),
        ]
