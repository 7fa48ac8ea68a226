"""The life of a run: what may follow what."""

from __future__ import annotations

import pytest

from harness.server.engine import states
from harness.server.state import ACTIVE_STATUSES, RunRecord, ThreadRecord
from harness.server.wire import Run, Thread

TERMINAL = {"completed", "incomplete", "failed", "expired", "cancelled"}


def record(status: str) -> RunRecord:
    run = Run(
        id="run_1",
        created_at=0,
        assistant_id="asst_1",
        thread_id="thread_1",
        expires_at=600,
        model="m",
        truncation_strategy={"type": "auto", "last_messages": None},
        status=status,
    )
    return RunRecord(run)


def test_every_status_is_active_or_terminal_and_nothing_follows_a_terminal_one() -> None:
    assert set(states.FOLLOWS) == ACTIVE_STATUSES | TERMINAL
    assert not ACTIVE_STATUSES & TERMINAL
    assert all(not states.FOLLOWS[status] for status in TERMINAL)
    assert all(states.FOLLOWS[status] for status in ACTIVE_STATUSES)


def test_every_status_can_be_reached_from_queued() -> None:
    reached, edge = {"queued"}, ["queued"]
    while edge:
        new = states.FOLLOWS[edge.pop()] - reached
        reached |= new
        edge += new
    assert reached == set(states.FOLLOWS)


@pytest.mark.parametrize("present", sorted(states.FOLLOWS))
@pytest.mark.parametrize("wanted", sorted(states.FOLLOWS))
def test_only_the_moves_of_the_table_are_made(present: str, wanted: str) -> None:
    run = record(present)
    if wanted in states.FOLLOWS[present]:
        states.move(run, wanted)
        assert run.run.status == wanted
    else:
        with pytest.raises(states.IllegalMove, match=f"cannot go from '{present}' to '{wanted}'"):
            states.move(run, wanted)
        assert run.run.status == present


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_an_ended_run_has_its_time_its_usage_and_no_expiry(status: str) -> None:
    run = record("in_progress" if status != "cancelled" else "cancelling")
    [(name, body)] = states.end(ThreadRecord(Thread(id="thread_1", created_at=0)), run, status, 42)
    assert name == f"thread.run.{status}"
    assert body[f"{status}_at"] == 42
    assert body["expires_at"] is None
    assert body["usage"]["total_tokens"] == 0
