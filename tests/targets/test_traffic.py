"""Requests before a server that is made up, in time that is made up: what waits, what goes, what is tried."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import CLOCK, monotonic, run

from harness.errors import TargetRateLimited, TargetUnavailable
from harness.targets.limits import Limits
from harness.targets.outgoing import Outgoing, TryFailed, may_be_done
from harness.targets.request_log import RequestLog, deadline, logged
from harness.targets.traffic import Traffic
from harness.targets.turns import timed

GET: Outgoing[str] = Outgoing("GET", "/threads/t")
RUN: Outgoing[str] = Outgoing("POST", "/threads/t/runs")


def busy(retry_after_s: float | None = None) -> TryFailed:
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return TryFailed(TargetRateLimited("busy"), "429 busy", status=429, headers=headers)


def broken(status: int | None = 500) -> TryFailed:
    return TryFailed(
        TargetUnavailable("broken"), "it broke", status=status, may_be_done=may_be_done("POST", status)
    )


class Server:
    """Answers after a while, by a script: None for an answer, an exception for a failure.

    Attributes:
        sent: When each try came, and the name of its request.
        most: The most that were answered at a time.
    """

    def __init__(self, script: Sequence[TryFailed | None] = (), takes_s: float = 1.0) -> None:
        self.script = list(script)
        self.takes_s = takes_s
        self.sent: list[tuple[float, str]] = []
        self.in_flight = 0
        self.most = 0

    def answers(self, name: str, takes_s: float | None = None) -> Callable[[int], Awaitable[str]]:
        async def attempt(number: int) -> str:
            self.sent.append((monotonic(), name))
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            failure = self.script.pop(0) if self.script else None
            try:
                await asyncio.sleep(self.takes_s if takes_s is None else takes_s)
            finally:
                self.in_flight -= 1
            if failure is not None:
                raise failure
            return name

        return attempt


def traffic(**limits: Any) -> Traffic:
    return Traffic(Limits(**limits), clock=CLOCK)


async def crowd(before: Traffic, server: Server, count: int, request: Outgoing[str] = GET) -> list[Any]:
    return await asyncio.gather(
        *(before.send(request, server.answers(str(number))) for number in range(count)),
        return_exceptions=True,
    )


# --- how many at once --------------------------------------------------------------------------------


def test_no_more_requests_are_in_flight_than_were_asked_for_and_they_go_in_order() -> None:
    before, server = traffic(concurrency=3), Server()
    assert run(crowd(before, server, 10)) == [str(number) for number in range(10)]
    assert server.most == 3
    assert [name for _, name in server.sent] == [str(number) for number in range(10)]
    assert before.state().in_flight == before.state().waiting == 0


def test_a_refusal_halves_what_goes_at_once_and_answers_let_it_grow_again() -> None:
    before, server = traffic(concurrency=8), Server([busy(), busy()])

    async def go() -> int:
        await crowd(before, server, 8)
        return before.state().limit

    assert run(go()) == 5  # two refusals of one round trip: halved once; eight answers: one more and a bit
    assert before.state().refused == 2 and before.state().retries == 2


@given(
    most=st.integers(1, 6),
    durations=st.lists(st.floats(0.01, 5), min_size=1, max_size=25),
    failures=st.lists(st.sampled_from(["well", "busy", "busy-2", "broken", "cut"]), max_size=40),
)
@settings(max_examples=60, deadline=None)
def test_whatever_a_server_does_each_request_ends_and_the_limit_holds(
    most: int, durations: list[float], failures: list[str]
) -> None:
    kinds = {"well": None, "busy": busy(), "busy-2": busy(2.0), "broken": broken(), "cut": broken(None)}
    before, server = traffic(concurrency=most), Server([kinds[name] for name in failures])

    async def go() -> list[Any]:
        async def watched(name: str, takes_s: float) -> Any:
            answers = server.answers(name, takes_s)

            async def attempt(number: int) -> str:
                assert before.state().in_flight <= before.state().limit
                return await answers(number)

            return await before.send(GET, attempt)

        works = (watched(str(number), takes_s) for number, takes_s in enumerate(durations))
        return await asyncio.gather(*works, return_exceptions=True)

    ends = run(go())
    assert all(isinstance(end, str | TargetRateLimited | TargetUnavailable) for end in ends)
    first_tries = list(dict.fromkeys(name for _, name in server.sent))
    assert first_tries == [str(number) for number in range(len(durations))]
    state = before.state()
    assert (state.in_flight, state.waiting) == (0, 0)
    assert state.retries == len(server.sent) - len(durations)


def test_one_that_gives_up_waiting_leaves_its_place_to_the_next() -> None:
    before, server = traffic(concurrency=1), Server()

    async def go() -> list[Any]:
        tasks = [asyncio.create_task(before.send(GET, server.answers(name))) for name in "abcd"]
        await asyncio.sleep(0.5)
        tasks[1].cancel()
        tasks[2].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    ends = run(go())
    assert [ends[0], ends[3]] == ["a", "d"]
    assert [name for _, name in server.sent] == ["a", "d"]


def test_one_that_is_given_up_while_it_is_answered_leaves_room() -> None:
    before, server = traffic(concurrency=1), Server(takes_s=100)

    async def go() -> str:
        task = asyncio.create_task(before.send(GET, server.answers("slow")))
        await asyncio.sleep(1)
        task.cancel()
        return await before.send(GET, server.answers("next", 1))

    assert run(go()) == "next"


# --- how many a minute ---------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 60), st.floats(0, 3))
@settings(max_examples=40, deadline=None)
def test_no_minute_sees_more_requests_than_were_allowed(per_minute: int, count: int, takes_s: float) -> None:
    before, server = traffic(requests_per_minute=per_minute), Server(takes_s=takes_s)
    run(crowd(before, server, count))
    times = [at for at, _ in server.sent]
    assert len(times) == count
    assert max(sum(begin <= at < begin + 60 for at in times) for begin in times) <= per_minute


def test_tries_after_a_failure_count_in_their_minute_too() -> None:
    before, server = traffic(requests_per_minute=2), Server([broken(), broken()])
    run(crowd(before, server, 2))
    assert len(server.sent) == 4
    assert server.sent[2][0] >= 60


def test_tokens_are_estimated_first_and_learnt_from_usage() -> None:
    before = traffic(tokens_per_minute=6000)
    sent: list[float] = []

    async def attempt(number: int) -> dict[str, Any]:
        sent.append(monotonic())
        return {"id": "run_1", "usage": {"total_tokens": 3000}}

    async def go() -> None:
        for _ in range(5):
            await before.send(Outgoing("POST", "/threads/t/runs", {"assistant_id": "a"}), attempt)

    run(go())
    assert [round(at) for at in sent][1] >= 25  # the first was taken for 500, and turned out to be 3,000
    assert max(sum(begin <= at < begin + 60 for at in sent) for begin in sent) <= 2


def test_requests_that_cost_no_tokens_do_not_wait_for_them() -> None:
    before = traffic(tokens_per_minute=100)

    async def attempt(number: int) -> dict[str, Any]:
        return {"usage": {"total_tokens": 5000}}

    async def go() -> float:
        await before.send(Outgoing("POST", "/chat/completions", {}), attempt)
        await before.send(Outgoing("GET", "/threads/t"), attempt)
        return monotonic()

    assert run(go()) == 0


def test_what_the_server_tells_of_its_limit_is_kept_to() -> None:
    before, server = traffic(), Server(takes_s=0)

    async def go() -> None:
        answers = server.answers("first")

        async def telling(number: int) -> str:
            told = {"limit": "60", "remaining": "0", "reset": "60s"}
            before.hear({f"x-ratelimit-{name}-requests": value for name, value in told.items()})
            return await answers(number)

        await before.send(GET, telling)
        await before.send(GET, server.answers("second"))

    run(go())
    assert [round(at, 3) for at, _ in server.sent] == [0, 1]


# --- tries -----------------------------------------------------------------------------------------------


def test_everyone_holds_back_while_the_server_says_retry_after() -> None:
    before, server = traffic(concurrency=1), Server([busy(7)])
    assert run(crowd(before, server, 4)) == ["0", "1", "2", "3"]
    assert [at >= 8 for at, _ in server.sent] == [False, True, True, True, True]


def test_the_waits_between_tries_grow_and_differ_by_seed_alone() -> None:
    def waits(seed: int) -> list[float]:
        before = Traffic(clock=CLOCK, seed=seed)
        log = RequestLog()

        async def go() -> None:
            with logged(log):
                await before.send(GET, Server([broken()] * 3).answers("a"))

        run(go())
        return [attempt.wait_s for attempt in log.attempts]

    assert waits(1) == waits(1) != waits(2)
    for wait_s, most_s in zip(waits(1), (0.5, 1.0, 2.0), strict=True):
        assert most_s * 0.75 <= wait_s <= most_s


@pytest.mark.parametrize("tries", [1, 3])
def test_a_request_is_tried_as_often_as_the_limits_say(tries: int) -> None:
    before, server = traffic(max_tries=tries), Server([busy(1)] * 9)

    async def go() -> None:
        with pytest.raises(TargetRateLimited):
            await before.send(GET, server.answers("a"))

    run(go())
    assert len(server.sent) == tries


def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for_unless_it_may_be() -> None:
    async def ends(before: Traffic) -> float:
        await before.send(GET, Server([busy(300)], takes_s=0).answers("a"))
        return monotonic()

    with pytest.raises(TargetRateLimited):
        run(ends(traffic()))
    assert run(ends(traffic(max_wait_s=600))) == pytest.approx(300)


# --- what may have gone through --------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "looks"), [(500, 1), (None, 1), (429, 0)])
def test_what_may_have_gone_through_is_looked_for_before_it_is_sent_again(
    status: int | None, looks: int
) -> None:
    looked: list[float] = []

    async def lost() -> str | None:
        looked.append(monotonic())
        return "found"

    failure = busy() if status == 429 else broken(status)
    before, server = traffic(concurrency=1), Server([failure])

    async def go() -> str:
        return await before.send(Outgoing("POST", "/threads/t/runs", lost=lost), server.answers("sent"))

    assert run(go()) == ("found" if looks else "sent")
    assert len(looked) == looks
    assert len(server.sent) == 2 - looks
    assert before.state().in_flight == 0


def test_what_is_not_found_is_sent_again() -> None:
    async def nothing() -> None:
        return None

    before, server = traffic(), Server([broken(), broken()])

    async def go() -> str:
        return await before.send(Outgoing("POST", "/threads/t/runs", lost=nothing), server.answers("sent"))

    assert run(go()) == "sent"
    assert len(server.sent) == 3


def test_a_search_for_what_was_lost_goes_even_where_one_request_at_a_time_may() -> None:
    before, server = traffic(concurrency=1), Server([broken()])

    async def lost() -> str | None:
        return await before.send(GET, server.answers("looked"))

    async def go() -> str:
        return await before.send(Outgoing("POST", "/threads/t/runs", lost=lost), server.answers("sent"))

    assert run(go()) == "looked"


# --- latency and deadlines -------------------------------------------------------------------------------


def test_waiting_counts_neither_as_latency_nor_against_the_deadline() -> None:
    before, server = traffic(), Server([busy(50), None, broken(), None], takes_s=2.0)

    async def turn() -> None:
        await before.send(RUN, server.answers("message"))
        await before.send(RUN, server.answers("run"))

    async def go() -> tuple[Any, float]:
        return await timed(turn(), CLOCK, deadline_s=10.0), monotonic()

    timing, took_s = run(go())
    assert not timing.timed_out
    assert timing.latency_s == pytest.approx(8.0)
    assert timing.wait_s == pytest.approx(50.0, abs=0.6)
    assert took_s == pytest.approx(timing.latency_s + timing.wait_s)
    assert [(each.number, each.status) for each in timing.attempts] == [(1, 429), (1, 500)]


def test_the_deadline_goes_on_after_a_wait_from_where_it_stood() -> None:
    before, server = traffic(), Server([busy(50)], takes_s=4.0)

    async def go() -> tuple[Any, float]:
        return await timed(_endless(before, server), CLOCK, deadline_s=10.0), monotonic()

    timing, took_s = run(go())
    assert timing.timed_out
    assert (timing.latency_s, took_s) == (pytest.approx(10.0), pytest.approx(60.0))


async def _endless(before: Traffic, server: Server) -> None:
    while True:
        await before.send(RUN, server.answers("again"))


def test_several_that_wait_at_a_time_count_once() -> None:
    before, log = traffic(concurrency=1), RequestLog()

    async def go() -> None:
        with logged(log):
            await crowd(before, Server(takes_s=1.0), 4)

    run(go())
    assert log.waited_s == pytest.approx(3.0)
    assert before.state().waited_s == pytest.approx(1.0 + 2.0 + 3.0)


def test_a_deadline_around_other_work_stands_still_as_well() -> None:
    before = traffic()

    async def go() -> float:
        async with deadline(5.0):
            await timed(_once(before), CLOCK, deadline_s=2.0)
        return monotonic()

    assert run(go()) == pytest.approx(32.0)


async def _once(before: Traffic) -> None:
    await before.send(RUN, Server([busy(30)]).answers("a"))


def test_a_deadline_that_passes_while_nothing_waits_is_a_timeout() -> None:
    async def go() -> bool:
        limit = None
        with pytest.raises(TimeoutError):
            async with deadline(5.0) as limit:
                await asyncio.sleep(6)
        return limit is not None and limit.expired()

    assert run(go())


class HurriedClock:
    """A clock on which time passes between any two looks at it, as on a busy machine."""

    def __init__(self, tick_s: float) -> None:
        self.tick_s = tick_s
        self.at_s = 0.0

    def monotonic(self) -> float:
        self.at_s += self.tick_s
        return self.at_s

    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=self.at_s)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@given(st.floats(0.001, 0.5))
def test_a_wait_that_is_over_between_two_looks_at_the_clock_leaves_nobody_behind(tick_s: float) -> None:
    async def go() -> None:
        clock = HurriedClock(tick_s)
        before = Traffic(Limits(concurrency=1), clock=clock, sleep=clock.sleep)
        server = Server([busy(retry_after_s=1.0)], takes_s=0.0)
        sent = (before.send(GET, server.answers(name)) for name in ("first", "second", "third"))
        answers = await asyncio.wait_for(asyncio.gather(*sent), timeout=120)  # else it would never end
        assert answers == ["first", "second", "third"]

    asyncio.run(go())
