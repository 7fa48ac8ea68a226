"""Trials reach the store some at a time, soon after their end, and survive what ends the process."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from harness.errors import StoreError
from harness.store import batches
from harness.store.batches import MOST_TRIALS, Batches
from harness.store.store import Store


@pytest.fixture
def store(location, run):
    with Store.open(location) as store:
        store.begin_run(run())
        yield store


def kept(store) -> list[int]:
    return [result.repeat for result in store.run().results]


def test_trials_are_written_with_the_tenth_that_waits_and_at_the_end(store, run, trial):
    async def work() -> None:
        with Batches(store, run().id) as waiting:
            for repeat in range(MOST_TRIALS - 1):
                waiting.add(trial(repeat=repeat), repeat)
            assert kept(store) == []
            waiting.add(trial(repeat=MOST_TRIALS - 1), MOST_TRIALS - 1)
            assert kept(store) == list(range(MOST_TRIALS))
            waiting.add(trial(repeat=MOST_TRIALS), MOST_TRIALS)

    asyncio.run(work())
    assert kept(store) == list(range(MOST_TRIALS + 1))


def test_a_trial_does_not_wait_for_others_that_never_come(store, run, trial, monkeypatch):
    monkeypatch.setattr(batches, "MOST_WAIT_S", 0.01)

    async def work() -> None:
        with Batches(store, run().id) as waiting:
            waiting.add(trial(repeat=1), 0)
            while not kept(store):
                await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(work(), 30))


def test_what_can_not_be_written_in_time_waits_and_is_tried_again(store, run, trial, monkeypatch):
    monkeypatch.setattr(batches, "MOST_WAIT_S", 0.01)
    tries: list[int] = []
    add_trials = store.add_trials

    def failing_twice(run_id, found) -> None:
        tries.append(len(found))
        if len(tries) < 3:
            raise StoreError("the database has gone", code="store-unavailable")
        add_trials(run_id, found)

    monkeypatch.setattr(store, "add_trials", failing_twice)

    async def work() -> None:
        with Batches(store, run().id) as waiting:
            waiting.add(trial(repeat=1), 0)
            while len(tries) < 3:
                await asyncio.sleep(0.005)

    asyncio.run(asyncio.wait_for(work(), 30))
    assert tries == [1, 1, 1]
    assert kept(store) == [1]


def test_a_store_that_stays_away_ends_the_work_and_says_so(store, run, trial, monkeypatch):
    def failing(run_id, found) -> None:
        raise StoreError("the database has gone", code="store-unavailable")

    monkeypatch.setattr(store, "add_trials", failing)

    async def work() -> None:
        with Batches(store, run().id) as waiting:
            waiting.add(trial(repeat=1), 0)

    with pytest.raises(StoreError, match="has gone"):
        asyncio.run(work())


def test_a_batch_with_trials_that_are_there_already_replaces_them(store, run, trial):
    store.add_trial(run().id, trial(repeat=2, outcome="errored", error="reset by peer"), position=1)
    found = [(trial(repeat=repeat), repeat - 1) for repeat in (1, 2, 3, 2)]
    store.add_trials(run().id, found)
    assert [(each.repeat, each.outcome) for each in store.run().results] == [
        (1, "passed"),
        (2, "passed"),
        (3, "passed"),
    ]


WRITER = """
import asyncio
import sys
from datetime import UTC, datetime
from harness.results import SuiteRun, TrialResult
from harness.store.batches import Batches
from harness.store.store import Store

at = datetime(2026, 5, 4, tzinfo=UTC)

async def main() -> None:
    with Store.open(sys.argv[1]) as store:
        store.begin_run(SuiteRun(id="r", started_at=at, target="t", status="running", planned=10**6))
        with Batches(store, "r") as waiting:
            for repeat in range(10**6):
                waiting.add(TrialResult(
                    trial_id=f"s/c@v#{repeat}", suite="s", conversation="c", variant="v", fingerprint="f",
                    repeat=repeat, outcome="passed", started_at=at, ended_at=at, error="x" * 3000), repeat)
                print(repeat, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("trials", [1, 9, 10, 47])
def test_a_killed_run_loses_at_most_the_trials_that_waited(tmp_path, trials):
    path = tmp_path / "store.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer:
        ended = [int(writer.stdout.readline()) for _ in range(trials)]
        writer.send_signal(signal.SIGKILL)
        ended += [int(line) for line in writer.stdout]
    assert writer.returncode == -signal.SIGKILL
    with Store.open(path) as store:
        found = kept(store)
        assert found == list(range(len(found)))
        assert len(found) > len(ended) - MOST_TRIALS
        assert len(store.finished_trials("r")) == len(found)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
