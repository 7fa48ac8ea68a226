"""Time, as an argument: the only place that asks the operating system what time it is."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """Where time comes from; a test hands in its own functions and so holds time still.

    Attributes:
        now: The time of day, aware, UTC.
        monotonic: Seconds that never jump; only differences mean anything.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    def unix(self) -> int:
        """Whole seconds since 1970, as every ``created_at`` of the API is spelt."""
        return int(self.now().timestamp())


def _utc_now() -> datetime:
    return datetime.now(UTC)


SYSTEM_CLOCK = Clock(now=_utc_now, monotonic=time.monotonic)


def new_id(clock: Clock) -> str:
    """A name for a suite run that begins now; sorted by name, runs are sorted by time."""
    return f"{clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
