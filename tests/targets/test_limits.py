"""Limits kept by arithmetic alone: times are numbers that the tests make up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.targets.limits import AdaptiveLimit, MinuteLimit, ToldLimit, duration_s, told_limits

GAPS = st.floats(0, 90, allow_nan=False)


def _go(limit: MinuteLimit, amount: int, now: float) -> float:
    """When so many go that come at this time."""
    for _ in range(100):
        wait_s = limit.wait_s(amount, now)
        if wait_s <= 0:
            limit.take(amount, now)
            return now
        assert wait_s <= 65
        now += max(wait_s, 0.001)
    raise AssertionError("waited a hundred times, and still may not go")


def _most_in_a_minute(gone: list[tuple[float, int]]) -> int:
    return max(sum(amount for at, amount in gone if begin <= at < begin + 60) for begin, _ in gone)


@given(st.integers(1, 500), st.lists(GAPS, min_size=1, max_size=80))
def test_no_minute_has_more_requests_than_allowed(per_minute: int, gaps: list[float]) -> None:
    limit, now, gone = MinuteLimit(per_minute, 0.0), 0.0, []
    for gap in gaps:
        now = _go(limit, 1, now + gap / per_minute)
        gone.append((now, 1))
    assert _most_in_a_minute(gone) <= per_minute


@given(st.integers(10, 100_000), st.lists(st.tuples(GAPS, st.floats(0, 1)), min_size=1, max_size=50))
def test_no_minute_has_more_tokens_than_allowed(per_minute: int, asked: list[tuple[float, float]]) -> None:
    limit, now, gone = MinuteLimit(per_minute, 0.0), 0.0, []
    for gap, share in asked:
        amount = int(per_minute * share)
        now = _go(limit, amount, now + gap)
        gone.append((now, amount))
    assert _most_in_a_minute(gone) <= per_minute


@given(st.integers(1, 1000), st.integers(1, 300))
def test_a_crowd_goes_at_the_pace_of_the_limit_and_not_slower(per_minute: int, crowd: int) -> None:
    limit, now = MinuteLimit(per_minute, 0.0), 0.0
    for _ in range(crowd):
        now = _go(limit, 1, now)
    whole_minutes = (crowd - 1) // per_minute
    assert now <= 60 * (whole_minutes + 1) + 0.001 * crowd


def test_five_seconds_worth_goes_at_once_and_the_rest_evenly() -> None:
    limit, now, times = MinuteLimit(60, 0.0), 0.0, []
    for _ in range(8):
        now = _go(limit, 1, now)
        times.append(round(now, 2))
    assert times == [0, 0, 0, 0, 0, 1, 2, 3]


def test_what_is_larger_than_a_whole_minute_goes_when_it_is_alone() -> None:
    limit = MinuteLimit(100, 0.0)
    assert _go(limit, 5_000, 0.0) == 0.0
    assert limit.wait_s(1, 59.0) > 0
    assert _go(limit, 5_000, 60.0) > 60.0


def test_what_cost_less_than_thought_makes_room_for_others() -> None:
    limit = MinuteLimit(1200, 0.0)
    spent = limit.take(1200, 0.0)
    assert limit.wait_s(100, 1.0) > 50
    limit.correct(spent, 20)
    assert limit.wait_s(100, 1.0) == 0


def test_what_cost_more_than_thought_is_waited_for_afterwards() -> None:
    limit = MinuteLimit(1200, 0.0)
    spent = limit.take(10, 0.0)
    limit.correct(spent, 1200)
    assert limit.wait_s(100, 1.0) == pytest.approx(59.0)


def test_a_correction_that_comes_after_the_minute_is_over_changes_only_the_pace() -> None:
    limit = MinuteLimit(1200, 0.0)
    spent = limit.take(10, 0.0)
    assert limit.wait_s(10, 61.0) == 0
    limit.correct(spent, 110)
    assert limit.wait_s(100, 61.0) == pytest.approx(5.0)


# --- what the server tells -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("4ms", 0.004), ("1s", 1), ("6m0s", 360), ("1h2m3.5s", 3723.5), ("60", 60), ("soon", None), ("", None)],
)
def test_the_time_of_a_reset_is_read_as_servers_write_it(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


def test_what_remains_is_known_only_when_all_of_it_is_told() -> None:
    headers = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "60s",
        "x-ratelimit-limit-tokens": "many",
    }
    assert told_limits(headers, "requests") == (500, 0, 60)
    assert told_limits(headers, "tokens") is None


def test_the_next_request_waits_until_the_server_has_one_to_give_again() -> None:
    told = ToldLimit(longest_s=60)
    told.hear(500, 0, 60.0, under_way=0, now=100.0)
    assert told.wait_s(1, 100.0) == pytest.approx(0.12)
    assert told.wait_s(1, 100.2) == 0


def test_a_limit_of_days_is_left_to_the_server_to_say() -> None:
    told = ToldLimit(longest_s=60)
    told.hear(200, 0, 86_400.0, under_way=0, now=0.0)
    assert told.wait_s(1, 0.0) == 0


@given(
    st.integers(1, 10_000),
    st.floats(0, 1),
    st.floats(0, 1000),
    st.integers(0, 50),
    st.integers(0, 5000),
    st.floats(0, 2000),
)
def test_what_was_told_never_holds_longer_than_its_reset(
    limit: int, left: float, reset_s: float, under_way: int, amount: int, later: float
) -> None:
    told = ToldLimit(longest_s=60)
    told.hear(limit, int(limit * left), reset_s, under_way=under_way, now=0.0)
    wait_s = told.wait_s(amount, later)
    assert 0 <= wait_s <= 60
    assert later + wait_s <= max(reset_s, later)


# --- requests in flight --------------------------------------------------------------------------------


@given(st.integers(1, 64), st.lists(st.sampled_from(["send", "well", "refused"]), max_size=300))
def test_there_are_never_more_in_flight_than_the_limit_was(most: int, steps: list[str]) -> None:
    limit, under_way = AdaptiveLimit(most), []
    for step in steps:
        if step == "send" and limit.has_room:
            under_way.append(limit.send())
            assert limit.in_flight <= limit.now
        elif step != "send" and under_way:
            number = under_way.pop(0)
            limit.end()
            _ = limit.went_well() if step == "well" else limit.was_refused(number)
        assert 1 <= limit.now <= most
        assert limit.in_flight == len(under_way)


def test_a_refusal_halves_once_for_all_that_were_in_flight_then() -> None:
    limit = AdaptiveLimit(32)
    numbers = [limit.send() for _ in range(32)]
    for number in numbers:
        limit.end()
        limit.was_refused(number)
    assert limit.now == 16
    limit.was_refused(limit.send())
    assert limit.now == 8


def test_the_limit_grows_by_one_a_round_trip_up_to_what_was_asked_for() -> None:
    limit = AdaptiveLimit(32)
    limit.was_refused(limit.send())
    limit.end()
    for _ in range(17):
        limit.went_well()
    assert limit.now == 17
    for _ in range(1000):
        limit.went_well()
    assert limit.now == 32
