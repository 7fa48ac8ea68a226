"""Every result gets into the store once, in order, or its loss is said."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import Clock
from harness.errors import StoreError
from harness.results import TrialResult
from harness.store.store import Placed
from harness.workflows.keeping import MOST_AT_ONCE, Keeper

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def placed(number: int) -> Placed:
    result = TrialResult(
        trial_id=f"s/c{number}@v#1",
        suite="s",
        conversation=f"c{number}",
        variant="v",
        fingerprint="f",
        repeat=1,
        outcome="passed",
        started_at=NOW,
        ended_at=NOW,
    )
    return result, number


@dataclass
class Database:
    """A store that is away whenever the test says so, and a clock that goes on only by waiting."""

    away: list[str | None] = field(default_factory=list)
    now_s: float = 0.0
    written: list[int] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    told: list[tuple[int, str]] = field(default_factory=list)
    ended: int = 0
    is_finished: bool = False

    def answer(self) -> None:
        code = self.away.pop(0) if self.away else None
        if code is not None:
            raise StoreError("it is away", code=code)

    def write(self, some: Sequence[Placed]) -> None:
        self.answer()
        self.commits.append(len(some))
        self.written += [position for _, position in some if position is not None]

    def finish(self) -> None:
        self.answer()
        self.is_finished = True

    async def sleep(self, wait_s: float) -> None:
        self.now_s += wait_s
        await asyncio.sleep(0)

    def give_up(self) -> None:
        self.ended += 1

    def keep(self, count: int, patience_s: float = 60.0, pause: Any = lambda number: False) -> None:
        async def go() -> None:
            keeper = Keeper(
                self.write,
                patience_s=patience_s,
                on_change=lambda waiting, reason: self.told.append((waiting, reason)),
                on_end=self.give_up,
                clock=Clock(now=lambda: NOW, monotonic=lambda: self.now_s),
                sleep=self.sleep,
            )
            async with keeper:
                for number in range(count):
                    keeper.add(placed(number))
                    if pause(number):
                        await asyncio.sleep(0)
                await keeper.finish(self.finish)

        asyncio.run(go())


def test_what_comes_together_is_committed_together_but_never_much() -> None:
    database = Database()
    database.keep(25)
    assert database.written == list(range(25))
    assert max(database.commits) <= MOST_AT_ONCE
    assert len(database.commits) < 25
    assert database.is_finished and database.told == []


def test_a_store_that_comes_back_in_time_has_everything_and_the_wait_was_told() -> None:
    database = Database(away=["store-unavailable", "store-locked", "store-full"])
    database.keep(3)
    assert database.written == [0, 1, 2]
    assert database.is_finished
    assert database.told == [(3, "it is away")] * 3 + [(0, "")]
    assert database.now_s == 3.5  # half a second, then twice as long each time


def test_a_store_that_stays_away_is_given_up_in_time_and_the_loss_is_said() -> None:
    database = Database(away=["store-unavailable"] * 1000)
    with pytest.raises(StoreError, match="it is away; results of 7 trials that had ended are lost") as caught:
        database.keep(7)
    assert caught.value.code == "store-unavailable"
    assert database.ended == 1
    assert database.now_s <= 60
    assert database.written == []


def test_what_does_not_pass_is_not_waited_for() -> None:
    database = Database(away=["store-read-only"])
    with pytest.raises(StoreError, match="the result of a trial is lost"):
        database.keep(1)
    assert database.now_s == 0
    assert database.is_finished  # it could be noted at least how the run ended


def test_the_last_word_on_a_run_is_as_patient_as_its_results() -> None:
    database = Database(away=[None, "store-unavailable"])
    database.keep(1)
    assert database.written == [0] and database.is_finished


CODES = st.sampled_from([None, None, None, "store-locked", "store-unavailable", "store-read-only"])


@given(st.lists(CODES, max_size=30), st.integers(0, 40), st.floats(0, 20), st.sets(st.integers(0, 40)))
def test_every_result_is_written_once_in_order_or_its_loss_is_said(
    away: list[str | None], count: int, patience_s: float, pauses: set[int]
) -> None:
    database = Database(away=away)
    lost = 0
    try:
        database.keep(count, patience_s, pauses.__contains__)
    except StoreError as error:
        lost = count - len(database.written)
        said = error.message.partition("; ")[2]
        assert (f"results of {lost} trials" in said) if lost > 1 else (("a trial" in said) == (lost == 1))
    assert database.written == list(range(count - lost))
    assert database.now_s <= patience_s * (len(database.commits) + 3)
