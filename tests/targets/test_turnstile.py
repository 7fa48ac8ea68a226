"""Several processes keep to limits a minute together, by one file."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import virtual_time
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import Clock
from harness.targets.limits import Limits, MinuteLimit
from harness.targets.outgoing import Outgoing
from harness.targets.traffic import Traffic
from harness.targets.turnstile import Turnstile

_ROUNDED_S = 0.1


class Hands:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = 1000.0
        self.clock = Clock(now=lambda: datetime(2026, 1, 1, tzinfo=UTC), monotonic=lambda: self.at)


def turnstiles(folder: Path, limits: Limits, clock: Clock, count: int = 3) -> list[Turnstile]:
    return [Turnstile(folder / "limits", limits, clock) for _ in range(count)]


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 20)), max_size=60), st.integers(1, 30))
def test_no_minute_has_more_requests_than_allowed_whoever_sends_them(
    tries: list[tuple[int, float]], per_minute: int
) -> None:
    hands = Hands()
    entered: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        shared = turnstiles(Path(folder), Limits(requests_per_minute=per_minute), hands.clock)
        for who, later_s in tries:
            hands.at += later_s
            if shared[who].enter(0)[0] == 0:
                entered.append(hands.at)
    for first in entered:
        assert sum(first <= at < first + 60 for at in entered) <= per_minute


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 400)), max_size=40), st.integers(100, 1000))
def test_one_process_alone_waits_as_long_as_without_the_file(
    tries: list[tuple[float, int]], per_minute: int
) -> None:
    hands = Hands()
    alone = MinuteLimit(per_minute, hands.at)
    with tempfile.TemporaryDirectory() as folder:
        (shared,) = turnstiles(Path(folder), Limits(tokens_per_minute=per_minute), hands.clock, 1)
        shared.enter(0)  # both begin now
        for later_s, tokens in tries:
            hands.at += later_s
            wait_s, spent = shared.enter(tokens)
            expected_s = alone.wait_s(tokens, hands.at)
            if spent:
                assert expected_s <= _ROUNDED_S
                alone.take(tokens, hands.at)
            else:
                assert abs(wait_s - expected_s) <= 2 * _ROUNDED_S


def test_a_correction_counts_for_everybody(tmp_path: Path) -> None:
    hands = Hands()
    one, other = turnstiles(tmp_path, Limits(tokens_per_minute=1000), hands.clock, 2)
    _, spent = one.enter(50)
    assert spent is not None
    one.correct(spent, 950)
    hands.at += 59
    assert other.enter(100)[0] > 0
    hands.at += 3
    assert other.enter(100)[0] == 0


def test_without_limits_nothing_is_written(tmp_path: Path) -> None:
    (shared,) = turnstiles(tmp_path, Limits(), Hands().clock, 1)
    assert shared.is_open and shared.enter(100) == (0.0, None)
    assert not list(tmp_path.iterdir())


def test_requests_of_two_servers_wait_for_each_other(tmp_path: Path) -> None:
    limits = Limits(requests_per_minute=12, concurrency=4)

    async def sent() -> list[float]:
        traffics = [
            Traffic(limits, clock=virtual_time.CLOCK, turnstile=turnstile)
            for turnstile in turnstiles(tmp_path, limits, virtual_time.CLOCK, 2)
        ]
        at: list[float] = []

        async def attempt(number: int) -> dict[str, Any]:
            at.append(virtual_time.monotonic())
            return {}

        request: Outgoing[dict[str, Any]] = Outgoing("GET", "/threads")
        await asyncio.gather(*(traffics[n % 2].send(request, attempt) for n in range(24)))
        return at

    at = virtual_time.run(sent())
    assert len(at) == 24
    assert all(sum(first <= each < first + 60 for each in at) <= 12 for first in at)
    assert 60 <= max(at) < 130


def test_tokens_that_an_answer_tells_are_put_right_at_the_turnstile(tmp_path: Path) -> None:
    limits = Limits(tokens_per_minute=600)

    async def waited() -> float:
        (turnstile,) = turnstiles(tmp_path, limits, virtual_time.CLOCK, 1)
        traffic = Traffic(limits, clock=virtual_time.CLOCK, turnstile=turnstile)

        async def attempt(number: int) -> dict[str, Any]:
            return {"usage": {"prompt_tokens": 590, "completion_tokens": 5, "total_tokens": 595}}

        request: Outgoing[dict[str, Any]] = Outgoing("POST", "/chat/completions", {"messages": []})
        await traffic.send(request, attempt)
        await traffic.send(request, attempt)
        return virtual_time.monotonic()

    assert virtual_time.run(waited()) > 50
