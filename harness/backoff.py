"""When a refused request is worth another try, and how long to wait before it.

The rules are those of the hosted API's own clients: connection errors, 408, 409, 429 and 5xx may go through
later, unless the answer says otherwise; the wait is what the answer asks for, or grows from try to try.
"""

from __future__ import annotations

import email.utils
import math
from collections.abc import Mapping
from datetime import datetime

LONGEST_WAIT_S = 60.0
"""A server that asks for more is not waited for."""
MOST_TRIES = 4
"""How often a target is asked for the same thing."""
_PASSING = frozenset({408, 409, 429})


def wait_before_retry(
    number: int,
    status: int | None,
    headers: Mapping[str, str],
    now: datetime,
    *,
    longest_s: float = LONGEST_WAIT_S,
) -> float | None:
    """Seconds to wait before the next try; None when there should be none.

    Args:
        number: How many tries there were, counted from 1.
        status: Of the answer; None when nothing answered.
        headers: Of the answer, names in lower case: ``x-should-retry``, ``retry-after-ms`` and
            ``retry-after`` (seconds or a date) are heeded.
        now: What a date is measured from.
        longest_s: A server that asks for more is not waited for.
    """
    told = headers.get("x-should-retry")
    passing = status is None or status in _PASSING or status >= 500
    if told == "false" or (told != "true" and not passing):
        return None
    asked = asked_wait_s(headers, now)
    if asked is None:
        return growing_wait_s(number)
    return asked if asked <= longest_s else None


def growing_wait_s(number: int) -> float:
    """Half a second after the first try, then twice as long each time, 8 seconds at most."""
    return float(min(0.5 * 2 ** (number - 1), 8.0))


def asked_wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait as the answer asks by ``retry-after-ms`` or ``retry-after``; None when it does not."""
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(headers.get(name))
        if seconds is not None:
            return seconds * factor
    when = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return None if when is None else max(email.utils.mktime_tz(when) - now.timestamp(), 0.0)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
