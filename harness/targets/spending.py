"""Money that is held back before a paid request is sent, and what becomes of it afterwards.

Targets know nothing of budgets: before each request that costs something a session asks the purse of the
trial under way, if there is one, for the most that the request can cost. The runner keeps the purses.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Protocol

import msgspec

from harness.cost.charges import Charge
from harness.errors import TargetRateLimited, TargetRefused
from harness.targets.request_log import current_log
from harness.trace.records import Attempt


class Caps(msgspec.Struct, frozen=True):
    """Limits that are sent with paid requests under a budget, where the assistant has none of its own.

    Attributes:
        prompt_tokens: Of a whole run of the Assistants API.
        completion_tokens: Of a run, a response or a completion.
        tool_calls: Calls of hosted tools in one response.
    """

    prompt_tokens: int = 50_000
    completion_tokens: int = 8_192
    tool_calls: int = 4


class Held(Protocol):
    """Money that is held back for one request."""

    def settle(self, charge: Charge) -> None:
        """What the request was charged for is known; the rest is given back."""
        ...

    def give_back(self) -> None:
        """The request was never worked on."""
        ...

    def lose(self) -> None:
        """Nobody knows what the request cost: all of it counts as spent."""
        ...


class Purse(Protocol):
    """The money of one trial."""

    @property
    def caps(self) -> Caps:
        """Limits for requests that have none of their own."""
        ...

    async def hold(self, most: Charge) -> Held:
        """Hold back what a request can cost at most; waits while others hold what might come back.

        Raises:
            BudgetError: There is not enough left; the request must not be sent.
        """
        ...

    def hold_now(self, most: Charge) -> Held:
        """The same without waiting, for a request that is tried again."""
        ...


class Payment:
    """One paid request while it is under way; without a purse it costs nobody anything."""

    def __init__(self, purse: Purse | None, most: Charge, held: Held | None) -> None:
        self._purse = purse
        self._most = most
        self._held = held

    def settle(self, charge: Charge) -> None:
        """The request was answered, and charged for this."""
        if (held := self._taken()) is None:
            return
        if charge.usage is None:
            held.lose()
        else:
            held.settle(charge)

    def failed(self, attempt: Attempt) -> None:
        """A try failed, and the next one needs money of its own; if there is none, it counts all the same."""
        if self._purse is None or not _is_paid(attempt):
            return
        self._close(refused=_was_refused(attempt))
        self._held = self._purse.hold_now(self._most)

    def close(self, error: BaseException | None) -> None:
        """The request ended without an answer that says what it cost."""
        self._close(refused=isinstance(error, TargetRefused | TargetRateLimited))

    def _close(self, *, refused: bool) -> None:
        if (held := self._taken()) is None:
            return
        if refused:
            held.give_back()
        else:
            held.lose()

    def _taken(self) -> Held | None:
        held, self._held = self._held, None
        return held


def _is_paid(attempt: Attempt) -> bool:
    """Whether it was a try to have work done; outputs of functions go to a run that is paid already."""
    method, _, path = attempt.request.partition(" ")
    return method == "POST" and not path.endswith("/submit_tool_outputs")


def _was_refused(attempt: Attempt) -> bool:
    """Whether the target said no before it did anything; after a 5xx or a cut nobody knows."""
    return attempt.status is not None and 400 <= attempt.status < 500


# --- the purse of the trial under way --------------------------------------------------------------------

_PURSE: ContextVar[Purse | None] = ContextVar("harness_purse", default=None)


@contextmanager
def spending_from(purse: Purse | None) -> Iterator[None]:
    """Paid requests in here are paid from this purse."""
    token = _PURSE.set(purse)
    try:
        yield
    finally:
        _PURSE.reset(token)


def caps() -> Caps | None:
    """The limits to send with requests; None where there is no budget."""
    purse = _PURSE.get()
    return purse.caps if purse else None


@asynccontextmanager
async def paid(most: Charge) -> AsyncIterator[Payment]:
    """A paid request, sent in here and settled in here; unsettled it counts as spent.

    Every further try of it is a request of its own: the one that failed may have been worked on.

    Raises:
        BudgetError: It could cost more than is left; nothing was sent.
    """
    purse = _PURSE.get()
    if purse is None:
        yield Payment(None, most, None)
        return
    payment, log = Payment(purse, most, await purse.hold(most)), current_log()
    log.on_failure, told_before = payment.failed, log.on_failure
    try:
        yield payment
    except BaseException as error:
        payment.close(error)
        raise
    finally:
        payment.close(None)
        log.on_failure = told_before
