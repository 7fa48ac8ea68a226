"""Requests and tokens a minute that several processes of one machine keep to together.

The counts stand in one small file, which each process locks while it looks. Only runs that are carried out by
several processes and have such a limit come through here; the seconds are those of the machine's own counter,
which is the same in all its processes.
"""

from __future__ import annotations

import fcntl
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from harness.clock import SYSTEM_CLOCK, Clock
from harness.targets.limits import Limits, MinuteLimit, Spent

_PARTS_A_SECOND = 10


class Turnstile:
    """The way to a server for the requests of all processes.

    Args:
        path: The file with the counts, made when it is not there.
        limits: What the requests of all processes keep to together.
        clock: Tells seconds that mean the same in all of them.
    """

    def __init__(self, path: Path, limits: Limits, clock: Clock = SYSTEM_CLOCK) -> None:
        self._path = path
        self._per_minute = {"requests": limits.requests_per_minute, "tokens": limits.tokens_per_minute}
        self._clock = clock

    @property
    def is_open(self) -> bool:
        """Whether there is no limit to keep to."""
        return not any(self._per_minute.values())

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited."""
        return self._per_minute["tokens"] is not None

    def enter(self, tokens: int) -> tuple[float, Spent | None]:
        """Let a request in if it may go now.

        Returns:
            Seconds until it may be tried again, 0 when it is in and counted; and what it took of the tokens.
        """
        if self.is_open:
            return 0.0, None
        with self._counts() as counts:
            now = self._clock.monotonic()
            wanted = [(each, 1 if name == "requests" else tokens) for name, each in counts.items()]
            wait_s = max((limit.wait_s(amount, now) for limit, amount in wanted if amount), default=0.0)
            if wait_s > 0:
                return wait_s, None
            for limit, amount in wanted:
                if amount:
                    limit.take(amount, now)
        return 0.0, Spent(_rounded(now), tokens) if tokens else None

    def correct(self, spent: Spent, tokens: int) -> None:
        """A request that went through cost so many tokens and not what was thought."""
        if tokens == spent.amount or not self.counts_tokens:
            return
        with self._counts() as counts:
            counts["tokens"].change(spent.at, tokens - spent.amount)
        spent.amount = tokens

    @contextmanager
    def _counts(self) -> Iterator[dict[str, MinuteLimit]]:
        """The counts, which nobody else sees or changes meanwhile."""
        with self._path.open("a+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # until it is closed, also by the end of the process
            counts = self._read(file)
            yield counts
            file.seek(0)
            file.truncate()
            json.dump({name: limit.kept(_rounded) for name, limit in counts.items()}, file)

    def _read(self, file: IO[str]) -> dict[str, MinuteLimit]:
        file.seek(0)
        text = file.read()
        kept: dict[str, Any] = json.loads(text) if text else {}
        found = {}
        for name, per_minute in self._per_minute.items():
            if per_minute is not None:
                found[name] = MinuteLimit(per_minute, self._clock.monotonic())
                found[name].restore(kept.get(name))
        return found


def _rounded(at: float) -> float:
    """A time a little later: what is spent within a tenth of a second is counted together."""
    return math.ceil(round(at * _PARTS_A_SECOND, 6)) / _PARTS_A_SECOND  # the same when done again
