"""How long each part of a trial may take, and what ends it then."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from harness.errors import TargetTimeout
from harness.targets.request_log import deadline

USUAL_DEADLINE_S = 120.0
"""Longest a turn may take where neither the suite nor the command line says."""
TIDY_S = 45.0
"""How long a target may take to close a thread; most give up before."""

_Brought = TypeVar("_Brought")


async def in_time(work: Awaitable[_Brought], within_s: float, what: str) -> _Brought:
    """What the work brings.

    Raises:
        TargetTimeout: It took too long, and was given up.
    """
    try:
        async with deadline(within_s) as limit:
            return await work
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TargetTimeout(
            f"the target took more than {within_s:g} s to {what}",
            hint="see whether it hangs, or give it longer",
        ) from error
