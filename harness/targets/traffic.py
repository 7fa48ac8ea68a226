"""All requests of a run on their way: what they wait for, when they are tried again, how many go at once.

One ``Traffic`` stands before a server, for all trials of a run together. Requests go in the order in which
they came. Seconds spent here are no part of any latency: they are told to the ``RequestLog`` of the turn.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from harness.backoff import asked_wait_s, wait_before_retry
from harness.clock import SYSTEM_CLOCK, Clock
from harness.targets.limits import AdaptiveLimit, Limits, MinuteLimit, Spent, ToldLimit, told_limits
from harness.targets.outgoing import Outgoing, TokenEstimates, TryFailed, total_tokens
from harness.targets.request_log import current_log
from harness.targets.turnstile import Turnstile
from harness.trace.records import Attempt

_T = TypeVar("_T")
_LEAST_SLEEP_S = 0.001
_JITTER = 0.25


class TrafficState(msgspec.Struct, frozen=True):
    """How requests stand at a moment, and what they met so far.

    Attributes:
        in_flight: Requests that the server is answering.
        limit: How many there may be now: less than was asked for after refusals.
        waiting: Requests that wait for a limit or for their next try.
        held_s: Seconds for which the server wants no requests at all; 0 when it takes them.
        waited_s: Seconds waited, added up over all requests.
        refused: Answers that said too many requests.
        retries: Tries after the first one.
    """

    in_flight: int
    limit: int
    waiting: int
    held_s: float
    waited_s: float
    refused: int
    retries: int


@dataclass(slots=True, eq=False)
class Passage(Generic[_T]):
    """A request that was answered, in flight until ``end``: its answer may still be streaming."""

    answer: _T = field(init=False)
    _traffic: Traffic
    _kind: str | None = None
    _number: int = 0
    _tokens: int = 0
    _spent: Spent | None = None
    _is_over: bool = False

    def saw(self, body: Mapping[str, Any]) -> None:
        """Look for the usage in an answer or an event, to put the estimate right."""
        tokens = total_tokens(body) if self._kind else None
        if self._kind and tokens is not None:
            self._traffic.correct(self._kind, self._spent, tokens)

    def was_refused(self) -> None:
        """The server wants fewer requests at a time."""
        self._traffic.slow_down(self._number)

    def end(self) -> None:
        """It is no longer in flight."""
        if not self._is_over:
            self._is_over = True
            self._traffic.leave(self._tokens)


class Traffic:
    """The limits of one server, kept to by all requests that are sent through here.

    Args:
        limits: What the user asks for.
        clock: What waits are measured by.
        sleep: How to wait.
        seed: Of the jitter between tries.
        turnstile: Where other processes' requests are counted too, instead of here alone.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        seed: int = 0,
        turnstile: Turnstile | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._clock = clock
        self._sleep = sleep
        self._random = random.Random(seed)
        self._flight = AdaptiveLimit(self._limits.concurrency)
        now = clock.monotonic()
        self._turnstile = turnstile
        self._turned_away_s = 0.0
        self._passed: Spent | None = None
        self._requests = _minute(None if turnstile else self._limits.requests_per_minute, now)
        self._tokens = _minute(None if turnstile else self._limits.tokens_per_minute, now)
        self._told_requests = ToldLimit(self._limits.max_wait_s)
        self._told_tokens = ToldLimit(self._limits.max_wait_s)
        self._estimates = TokenEstimates()
        self._tokens_under_way = 0
        self._held_until = float("-inf")
        self._in_line = asyncio.Lock()
        self._left = asyncio.Event()
        self._queued = 0
        self._waiting = 0
        self._waited_s = 0.0
        self._refused = 0
        self._retries = 0

    def state(self) -> TrafficState:
        """How requests stand now."""
        return TrafficState(
            in_flight=self._flight.in_flight,
            limit=self._flight.now,
            waiting=self._waiting,
            held_s=max(self._held_until - self._clock.monotonic(), 0.0),
            waited_s=self._waited_s,
            refused=self._refused,
            retries=self._retries,
        )

    async def send(self, request: Outgoing[_T], attempt: Callable[[int], Awaitable[_T]]) -> _T:
        """The whole answer to a request; see ``begin``."""
        passage = await self.begin(request, attempt)
        if isinstance(passage.answer, dict):
            passage.saw(passage.answer)
        passage.end()
        return passage.answer

    async def begin(self, request: Outgoing[_T], attempt: Callable[[int], Awaitable[_T]]) -> Passage[_T]:
        """The request, answered; it is in flight until its passage is ended.

        Args:
            request: What is asked.
            attempt: Makes the try of this number; what may go through later it raises as ``TryFailed``.

        Raises:
            TargetError: No try went through.
        """
        number = 1
        while True:
            passage: Passage[_T] = await self._enter(request)
            try:
                passage.answer = await attempt(number)
            except TryFailed as failure:
                passage.end()
                goes_on = await self._wait_after(request, failure, number, passage)
                if (found := await _found(request, failure)) is not None:
                    return self._without_request(found)
                if not goes_on:
                    raise failure.error from failure.__cause__
                number += 1
                self._retries += 1
            except BaseException:
                passage.end()
                raise
            else:
                self._flight.went_well()
                return passage

    def hear(self, headers: Mapping[str, str]) -> None:
        """Learn what an answer tells of the server's own limits."""
        now = self._clock.monotonic()
        if told := told_limits(headers, "requests"):
            self._told_requests.hear(*told, under_way=self._flight.in_flight - 1, now=now)
        if told := told_limits(headers, "tokens"):
            self._told_tokens.hear(*told, under_way=self._tokens_under_way, now=now)

    # --- tries that failed ---------------------------------------------------------------------------

    async def _wait_after(
        self, request: Outgoing[Any], failure: TryFailed, number: int, passage: Passage[Any]
    ) -> bool:
        """Remember the try, and wait as long as the next one has to; whether there is a next one."""
        asked_s = asked_wait_s(failure.headers, self._clock.now())
        self._heed(failure, asked_s, passage)
        next_s = self._wait_s_after(failure, number)
        wait_s = next_s or 0.0
        if asked_s is None:
            wait_s *= 1 - _JITTER * self._random.random()
        current_log().failed(
            Attempt(
                request=str(request), number=number, error=failure.told, wait_s=wait_s, status=failure.status
            )
        )
        if next_s is None:
            failure.error.message += self._last_words(number, asked_s)
        if wait_s:
            with self._as_waiting():
                await self._sleep(wait_s)
        return next_s is not None

    def _last_words(self, number: int, asked_s: float | None) -> str:
        """Why there is no further try, where that is not for the refusal itself."""
        if asked_s is not None and asked_s > self._limits.max_wait_s:
            return f"; it asks for a wait of {asked_s:g} s, and max_wait_s is {self._limits.max_wait_s:g}"
        return f"; tried {number} times" if number > 1 else ""

    def _heed(self, failure: TryFailed, asked_s: float | None, passage: Passage[Any]) -> None:
        """A server that pushes back is heeded by all requests, not only by the one that it refused."""
        self._refused += failure.status == 429
        if failure.status == 429 or (failure.status == 503 and asked_s is not None):
            passage.was_refused()
            if asked_s is not None and asked_s <= self._limits.max_wait_s:
                self._held_until = max(self._held_until, self._clock.monotonic() + asked_s)

    def _wait_s_after(self, failure: TryFailed, number: int) -> float | None:
        """Seconds until the next try; None when there is none."""
        if number >= self._limits.max_tries:
            return None
        longest_s = self._limits.max_wait_s
        now = self._clock.now()
        return wait_before_retry(number, failure.status, failure.headers, now, longest_s=longest_s)

    def _without_request(self, answer: _T) -> Passage[_T]:
        """An answer that was there already."""
        passage: Passage[_T] = Passage(self, _is_over=True)
        passage.answer = answer
        return passage

    # --- waiting in line -----------------------------------------------------------------------------

    async def _enter(self, request: Outgoing[Any]) -> Passage[Any]:
        """A place among the requests in flight; first come, first served."""
        kind = request.kind
        tokens = self._estimates.estimate(kind, request.body) if kind and self._counts_tokens else 0
        if self._queued or not self._may_go(tokens):
            await self._line_up(tokens)
        spent = self._spend(tokens)
        return Passage(self, kind, self._flight.send(), tokens, spent)

    def _spend(self, tokens: int) -> Spent | None:
        """Count a request in all limits; what it took of the tokens."""
        if self._requests:
            self._requests.take(1, self._clock.monotonic())
        self._told_requests.take(1)
        if not tokens:
            return None
        self._told_tokens.take(tokens)
        self._tokens_under_way += tokens
        if self._turnstile:
            return self._passed
        return self._tokens.take(tokens, self._clock.monotonic()) if self._tokens else None

    async def _line_up(self, tokens: int) -> None:
        """Wait; only the first in line looks at the limits, so that nobody is overtaken."""
        self._queued += 1
        try:
            with self._as_waiting():
                async with self._in_line:
                    while not self._may_go(tokens):
                        await self._until_something_changes(tokens)
        finally:
            self._queued -= 1

    async def _until_something_changes(self, tokens: int) -> None:
        wait_s = max(self._wait_s(tokens), self._turned_away_s)
        if wait_s > 0:
            await self._sleep(max(wait_s, _LEAST_SLEEP_S))
        elif not self._flight.has_room:
            self._left.clear()
            await self._left.wait()
        # Else the wait was over between two looks at the clock, and perhaps nobody is left who could leave.

    def _may_go(self, tokens: int) -> bool:
        """Whether a request goes now; at a turnstile it is counted then."""
        self._turned_away_s = 0.0
        if not self._flight.has_room or self._wait_s(tokens) > 0:
            return False
        if self._turnstile:
            self._turned_away_s, self._passed = self._turnstile.enter(tokens)
        return self._turned_away_s <= 0

    def _wait_s(self, tokens: int) -> float:
        now = self._clock.monotonic()
        wait_s = self._held_until - now
        if self._requests:
            wait_s = max(wait_s, self._requests.wait_s(1, now))
        if self._told_requests.is_known:
            wait_s = max(wait_s, self._told_requests.wait_s(1, now))
        return max(wait_s, self._wait_for_tokens_s(tokens, now)) if tokens else wait_s

    def _wait_for_tokens_s(self, tokens: int, now: float) -> float:
        told_s = self._told_tokens.wait_s(tokens, now)
        return max(told_s, self._tokens.wait_s(tokens, now)) if self._tokens else told_s

    @contextmanager
    def _as_waiting(self) -> Iterator[None]:
        begun = self._clock.monotonic()
        self._waiting += 1
        try:
            with current_log().waiting(self._clock):
                yield
        finally:
            self._waiting -= 1
            self._waited_s += self._clock.monotonic() - begun

    # --- what passages tell --------------------------------------------------------------------------

    @property
    def _counts_tokens(self) -> bool:
        is_shared = self._turnstile is not None and self._turnstile.counts_tokens
        return self._tokens is not None or is_shared or self._told_tokens.is_known

    def correct(self, kind: str, spent: Spent | None, tokens: int) -> None:
        """A request turned out to cost so many tokens."""
        self._estimates.learn(kind, tokens)
        if self._turnstile and spent:
            self._turnstile.correct(spent, tokens)
        elif self._tokens and spent:
            self._tokens.correct(spent, tokens)

    def slow_down(self, number: int) -> None:
        """The request of this number was refused."""
        self._flight.was_refused(number)

    def leave(self, tokens: int) -> None:
        """A request is no longer in flight."""
        self._flight.end()
        self._tokens_under_way -= tokens
        self._left.set()


async def _found(request: Outgoing[_T], failure: TryFailed) -> _T | None:
    return await request.lost() if request.lost and failure.may_be_done else None


def _minute(per_minute: int | None, now: float) -> MinuteLimit | None:
    return None if per_minute is None else MinuteLimit(per_minute, now)
