"""The limits that requests keep to: so many a minute, what the server tells of its own, so many in flight.

Pure arithmetic on times that are handed in, so that it can be checked without waiting.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from harness.backoff import LONGEST_WAIT_S, MOST_TRIES

MINUTE_S = 60.0
_AT_ONCE = 1 / 12
"""The share of a minute's worth that may go at once: five seconds' worth."""
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Limits(msgspec.Struct, frozen=True):
    """What a user asks of the requests of a run, all trials together.

    Attributes:
        concurrency: Most requests in flight.
        requests_per_minute: Most requests in any minute; None for no limit.
        tokens_per_minute: Most tokens in any minute, as far as they can be known before; None for no limit.
        max_tries: How often one request is tried.
        max_wait_s: The longest wait that a server may ask for; one that asks for more is not waited for.
    """

    concurrency: int = 10_000
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_tries: int = MOST_TRIES
    max_wait_s: float = LONGEST_WAIT_S


class Spent(msgspec.Struct):
    """What one request took out of a minute."""

    at: float
    amount: int


class MinuteLimit:
    """At most so many (requests or tokens) in any 60 seconds, let go evenly after a first few.

    What takes more than a whole minute allows goes when nothing else was spent in the last minute: it would
    never go otherwise. So nothing waits for more than 65 seconds for itself alone.

    Args:
        per_minute: The limit.
        now: The time, on a counter of seconds.
    """

    def __init__(self, per_minute: int, now: float) -> None:
        self._per_minute = per_minute
        self._at_once = max(1.0, per_minute * _AT_ONCE)
        self._level = self._at_once  # below nothing after a request that took more than that
        self._level_at = now
        self._spent: deque[Spent] = deque()
        self._sum = 0

    def wait_s(self, amount: int, now: float) -> float:
        """Seconds until so many may go; 0 when they may go now."""
        self._forget_old(now)
        needed = min(amount, self._per_minute)
        pace_s = self._seconds_to(min(needed, self._at_once), now)
        return max(pace_s, self._seconds_to_room(needed, now))

    def take(self, amount: int, now: float) -> Spent:
        """Let so many go."""
        self._refill(now)
        spent = Spent(now, amount)
        self._spent.append(spent)
        self._add(amount)
        return spent

    def correct(self, spent: Spent, amount: int) -> None:
        """What was taken turned out to be another amount."""
        more = amount - spent.amount
        spent.amount = amount
        # What left the window no longer counts there; how fast things go is put right all the same.
        still_counts = bool(self._spent) and spent.at >= self._spent[0].at
        self._add(more, counts=still_counts)

    def change(self, at: float, more: int) -> None:
        """What was taken at a time, which is as ``kept`` tells it, turned out to be more, or less."""
        spent = next((each for each in self._spent if each.at == at), None)
        if spent is not None:
            spent.amount += more
        self._add(more, counts=spent is not None)

    def kept(self, rounded: Callable[[float], float]) -> list[Any]:
        """All of it as plain JSON; what was spent at times that are rounded to the same is one."""
        spent: dict[float, int] = {}
        for each in self._spent:
            spent[rounded(each.at)] = spent.get(rounded(each.at), 0) + each.amount
        return [self._level, self._level_at, list(spent.items())]

    def restore(self, kept: list[Any] | None) -> None:
        """Go on where another one was kept; with None from the beginning."""
        if kept is not None:
            self._level, self._level_at, spent = kept
            self._spent = deque(Spent(at, amount) for at, amount in spent)
            self._sum = sum(each.amount for each in self._spent)

    def _add(self, amount: int, *, counts: bool = True) -> None:
        self._sum += amount if counts else 0
        # A debt of more than a minute's worth is forgiven: nothing ever waits for longer than that.
        self._level = min(max(self._level - amount, -self._per_minute), self._at_once)

    def _refill(self, now: float) -> None:
        gained = (now - self._level_at) * self._per_minute / MINUTE_S
        self._level = min(self._level + gained, self._at_once)
        self._level_at = now

    def _seconds_to(self, needed: float, now: float) -> float:
        self._refill(now)
        return max(needed - self._level, 0.0) * MINUTE_S / self._per_minute

    def _seconds_to_room(self, needed: int, now: float) -> float:
        over = self._sum + needed - self._per_minute
        if over <= 0:
            return 0.0
        for spent in self._spent:
            over -= spent.amount
            if over <= 0:
                return spent.at + MINUTE_S - now
        return 0.0

    def _forget_old(self, now: float) -> None:
        while self._spent and self._spent[0].at + MINUTE_S <= now:
            self._sum -= self._spent.popleft().amount


class ToldLimit(msgspec.Struct):
    """What the server says is left of a limit of its own, filling up again as time goes on.

    Attributes:
        longest_s: A wait longer than this is no wait: the server may say by itself what it wants then.
    """

    longest_s: float
    _limit: int = 0
    _level: float = 0.0
    _rate: float = 0.0
    _at: float = 0.0
    _until: float = float("-inf")

    @property
    def is_known(self) -> bool:
        """Whether the server ever told."""
        return self._limit > 0

    def hear(self, limit: int, remaining: int, reset_s: float, under_way: int, now: float) -> None:
        """Remember what an answer told.

        Args:
            limit: The whole limit.
            remaining: What is left of it.
            reset_s: Until all of it is there again.
            under_way: What was sent and is not answered yet: the server may not have counted it.
            now: The time.
        """
        self._limit = limit
        self._level = float(remaining - under_way)
        self._rate = (limit - remaining) / reset_s if reset_s > 0 else float(limit)
        self._at, self._until = now, now + reset_s

    def take(self, amount: int) -> None:
        """Let so many go."""
        self._level -= amount

    def wait_s(self, amount: int, now: float) -> float:
        """Seconds until so many may go; 0 when they may go now, or when what was told is out of date."""
        if now >= self._until or self._rate <= 0:
            return 0.0
        level = min(self._level + (now - self._at) * self._rate, self._limit)
        missing = min(amount, self._limit) - level
        wait_s = min(missing / self._rate, self._until - now)
        return wait_s if 0 < wait_s <= self.longest_s else 0.0


def told_limits(headers: Mapping[str, str], kind: str) -> tuple[int, int, float] | None:
    """Limit of ``requests`` or ``tokens``, what remains, seconds to its reset; None when not all are told."""
    limit = _whole(headers.get(f"x-ratelimit-limit-{kind}") or "")
    if not limit:  # as most servers answer
        return None
    remaining = _whole(headers.get(f"x-ratelimit-remaining-{kind}") or "")
    reset_s = duration_s(headers.get(f"x-ratelimit-reset-{kind}") or "")
    return None if remaining is None or reset_s is None else (limit, remaining, reset_s)


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def duration_s(text: str) -> float | None:
    """Seconds of a duration such as ``4ms``, ``1s``, ``6m0s`` or ``60``; None for anything else."""
    if _NUMBER.fullmatch(text):
        return float(text)
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts) if parts else None


@dataclass(slots=True)
class AdaptiveLimit:
    """How many requests may be in flight: one more a round trip while all is well, half after a refusal.

    Attributes:
        most: The concurrency that was asked for; where it begins, and as far as it grows.
        in_flight: How many there are.
    """

    most: int
    in_flight: int = 0
    _now: float = field(init=False)
    _sent: int = 0
    _halved_at: int = 0

    def __post_init__(self) -> None:
        self._now = float(self.most)

    @property
    def now(self) -> int:
        """The limit of this moment."""
        return int(self._now)

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return self.in_flight < self.now

    def send(self) -> int:
        """One more is in flight; its number."""
        self.in_flight += 1
        self._sent += 1
        return self._sent

    def end(self) -> None:
        """One is no longer in flight."""
        self.in_flight -= 1

    def went_well(self) -> None:
        """As many answers as are in flight make room for one more."""
        self._now = min(self._now + 1 / self._now, float(self.most))

    def was_refused(self, number: int) -> None:
        """Halve, unless the request was sent before the last halving and so tells nothing new."""
        if number <= self._halved_at:
            return
        self._now = max(self._now / 2, 1.0)
        self._halved_at = self._sent
