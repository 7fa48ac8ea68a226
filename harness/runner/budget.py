"""The budget of a suite run: what paid requests can cost is reserved before they are sent.

``spent + reserved`` never exceeds the budget, in whatever order requests are reserved, settled and fail. The
one exception is a target that charges more than the limits it was sent allow; then nothing more is sent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from decimal import ROUND_UP, Decimal
from typing import Protocol

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.cost.charges import Charge, CodeSessions
from harness.cost.prices import Cost, PriceBook, dollars
from harness.errors import BudgetError, BudgetExhausted, BudgetHeld, TargetUnavailable, TrialBudgetExhausted
from harness.results import Role
from harness.targets.interface import Target
from harness.targets.request_log import current_log
from harness.targets.spending import Caps

_PICO = Decimal(1).scaleb(-12)
_ZERO = Decimal(0)
_PATIENCE_S = 300.0
"""How long money is waited for that other processes hold: one that was killed gives nothing back."""
_LOOK_AGAIN_S = 0.1


class Limits(msgspec.Struct, frozen=True):
    """What may be spent.

    Attributes:
        run_usd: By the whole suite run, its earlier parts included; None for as much as it takes.
        trial_usd: By each trial.
        turn_usd: The most that a turn can cost where the target itself can't be limited.
        caps: Limits that are sent with requests which have none of their own.
    """

    run_usd: Decimal | None = None
    trial_usd: Decimal | None = None
    turn_usd: Decimal | None = None
    caps: Caps = msgspec.field(default_factory=Caps)


class Journal(Protocol):
    """Where reservations are written down before their requests are sent, so that no kill loses them."""

    def reserve(self, trial_id: str, usd: Decimal, role: Role) -> int:
        """Write a reservation down; its number.

        Raises:
            BudgetHeld: Other processes spend of the same budget, and hold what is left of it.
            BudgetExhausted: They have spent what was left.
        """
        ...

    def settle(self, number: int, usd: Decimal) -> None:
        """Write down what the request cost."""
        ...


class _Unwritten:
    """A journal for runs that nobody goes on with."""

    def reserve(self, trial_id: str, usd: Decimal, role: Role) -> int:
        return 0

    def settle(self, number: int, usd: Decimal) -> None:
        return None


class _Waiting(msgspec.Struct):
    """A request whose money may come back from others."""

    usd: Decimal
    what: str
    granted: asyncio.Future[None]


class Budget:
    """The money of one suite run, shared by all its trials.

    Attributes:
        spent_usd: What requests cost, those of unknown cost at their worst case.
        reserved_usd: Held back for requests under way.
        overcharged: How a target charged more than it could; None while none did.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        prices: PriceBook | None = None,
        journal: Journal | None = None,
        spent_usd: Decimal = _ZERO,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.limits = limits
        self.prices = prices or PriceBook()
        self.journal: Journal = journal or _Unwritten()
        self.clock = clock
        self.spent_usd = spent_usd
        self.reserved_usd = _ZERO
        self.overcharged: str | None = None
        self._waiting: deque[_Waiting] = deque()

    def purse(self, trial_id: str) -> TrialPurse:
        """The money of one trial."""
        return TrialPurse(self, trial_id)

    def refuse_unbounded(self, target: Target) -> None:
        """Refuse a target that nobody can limit.

        Raises:
            BudgetError: Nothing says what its turns can cost at most (code ``budget-unbounded``).
        """
        if pays(target) == "turns" and self.limits.turn_usd is None:
            raise BudgetError(
                f"nobody knows what a turn of the target {target.name!r} can cost at most",
                code="budget-unbounded",
                hint="say what a turn costs at the most with --most-per-turn USD (in harness.toml: "
                "most_per_turn_usd), or run without a budget",
            )

    def refuse_unpriced(self, model: str) -> None:
        """Refuse a model that has no price.

        Raises:
            BudgetError: Nobody knows what it costs (code ``budget-unpriced``).
        """
        if not self.prices.knows(model):
            raise BudgetError(
                f"no price is known for model {model!r}, so nobody knows what a request costs",
                code="budget-unpriced",
                hint=f"give its price in USD per million tokens: --price {model}=INPUT/OUTPUT, or a table "
                f'[prices."{model}"] in harness.toml; --price {model}=0/0 if it costs nothing',
            )

    # --- reserving -----------------------------------------------------------------------------------

    def reserve(self, usd: Decimal, what: str = "a turn") -> bool:
        """Hold back an amount now; false when others hold what might come back.

        Args:
            usd: The amount.
            what: What it is for, in words.

        Raises:
            BudgetExhausted: It can't be paid whatever comes back.
        """
        self._refuse(usd, what)
        if self._waiting or not self._fits(usd):
            return False
        self.reserved_usd += usd
        return True

    async def reserve_in_turn(self, usd: Decimal, what: str = "a turn") -> None:
        """Hold back an amount as soon as there is enough; the wait is no time of the assistant's.

        Raises:
            BudgetExhausted: It can't be paid.
        """
        if self.reserve(usd, what):
            return
        waiting = _Waiting(usd, what, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            with current_log().waiting(self.clock):
                await waiting.granted
        except asyncio.CancelledError:
            self._forget(waiting)
            raise

    def settle(self, reserved_usd: Decimal, spent_usd: Decimal) -> None:
        """An amount that was held back was spent as far as said; the rest is free again."""
        self.reserved_usd -= reserved_usd
        self.spent_usd += spent_usd
        self._grant()

    def _fits(self, usd: Decimal) -> bool:
        limit = self.limits.run_usd
        return limit is None or self.spent_usd + self.reserved_usd + usd <= limit

    def _refuse(self, usd: Decimal, what: str) -> None:
        limit = self.limits.run_usd
        if self.overcharged:
            raise BudgetExhausted(f"nothing more is sent: {self.overcharged}")
        if limit is not None and self.spent_usd + usd > limit:
            left = max(limit - self.spent_usd, _ZERO)
            raise BudgetExhausted(
                f"the next request could cost {dollars(usd)} ({what}), and of the budget of {dollars(limit)} "
                f"{dollars(left)} is left"
            )

    def _grant(self) -> None:
        """Give those who wait what came back, in their order; nobody overtakes a bigger request."""
        while self._waiting:
            first = self._waiting[0]
            try:
                self._refuse(first.usd, first.what)
            except BudgetExhausted as error:
                first.granted.set_exception(error)
            else:
                if not self._fits(first.usd):
                    return
                self.reserved_usd += first.usd
                first.granted.set_result(None)
            self._waiting.popleft()

    def _forget(self, waiting: _Waiting) -> None:
        """Somebody stopped waiting; what was granted meanwhile is free again."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)
            self._grant()
        elif not waiting.granted.cancelled() and waiting.granted.exception() is None:
            self.settle(waiting.usd, _ZERO)


class TrialPurse:
    """The money of one trial; its requests come one after the other.

    Attributes:
        role: Who is paid from now on.
        spent_usd: What the trial's requests cost.
        is_certain: Whether each of them said what it cost.
    """

    def __init__(self, budget: Budget, trial_id: str) -> None:
        self._budget = budget
        self._trial_id = trial_id
        self._sessions = CodeSessions()
        self.role: Role = "assistant"
        self.spent_usd = _ZERO
        self.is_certain = True

    @property
    def caps(self) -> Caps:
        """Limits for requests that have none of their own."""
        return self._budget.limits.caps

    async def hold(self, most: Charge) -> Holding:
        """Hold back what a request can cost at most.

        Raises:
            BudgetError: There is not enough left, or its model has no price.
        """
        return await self._hold(self._most_usd(most), self._costing(most), most.tokens)

    def hold_now(self, most: Charge) -> Holding:
        """The same without waiting, for a request that is tried again.

        Raises:
            BudgetError: There is not enough left.
            TargetUnavailable: Other requests hold what is left.
        """
        usd = self._most_usd(most)
        self._refuse(usd, most.tokens)
        if not self._budget.reserve(usd, most.tokens):
            raise _held_by_others()
        try:
            return self._holding(usd, self._costing(most))
        except BudgetHeld as error:
            raise _held_by_others() from error

    async def hold_turn(self) -> Holding:
        """Hold back what a turn can cost at most, where the target can't be limited.

        Raises:
            BudgetError: There is not enough left.
        """
        usd = self._budget.limits.turn_usd
        assert usd is not None  # or the target would have been refused
        return await self._hold(_rounded_up(usd), lambda charge, at: Cost(None), "a turn")

    def note(self, spent_usd: Decimal, *, is_certain: bool) -> None:
        """A request of this trial cost so much."""
        self.spent_usd += spent_usd
        self.is_certain = self.is_certain and is_certain

    async def _hold(self, usd: Decimal, costing: Costing, what: str) -> Holding:
        self._refuse(usd, what)
        clock = self._budget.clock
        until = clock.monotonic() + _PATIENCE_S
        while True:
            await self._budget.reserve_in_turn(usd, what)
            try:
                return self._holding(usd, costing)
            except BudgetHeld as error:
                if clock.monotonic() >= until:
                    raise BudgetExhausted(str(error)) from error
            with current_log().waiting(clock):
                await asyncio.sleep(_LOOK_AGAIN_S)

    def _holding(self, usd: Decimal, costing: Costing) -> Holding:
        try:
            number = self._budget.journal.reserve(self._trial_id, usd, self.role)
        except BaseException:
            self._budget.settle(usd, _ZERO)
            raise
        return Holding(self._budget, self, self._trial_id, usd, number, costing)

    def _most_usd(self, most: Charge) -> Decimal:
        self._budget.refuse_unpriced(most.model)
        cost = most.cost(self._budget.prices.asked_for(most.model), code_sessions=int(most.runs_code))
        assert cost.usd is not None  # the model has a price, and nothing says another tier
        return _rounded_up(cost.usd)

    def _costing(self, most: Charge) -> Costing:
        price = self._budget.prices.asked_for(most.model)

        def cost(charge: Charge, at: datetime) -> Cost:
            begins = charge.runs_code and self._sessions.begins(at, charge.api)
            return charge.cost(price, code_sessions=int(begins))

        return cost

    def _refuse(self, usd: Decimal, what: str) -> None:
        limit = self._budget.limits.trial_usd
        if limit is not None and self.spent_usd + usd > limit:
            left = max(limit - self.spent_usd, _ZERO)
            raise TrialBudgetExhausted(
                f"the trial's next request could cost {dollars(usd)} ({what}), and of the {dollars(limit)} "
                f"that a trial may cost {dollars(left)} is left; it was not sent"
            )


Costing = Callable[[Charge, datetime], Cost]


class Holding:
    """Money that is held back for one request, or for one turn."""

    def __init__(
        self,
        budget: Budget,
        purse: TrialPurse,
        trial_id: str,
        usd: Decimal,
        number: int,
        costing: Costing,
    ) -> None:
        self._budget = budget
        self._purse = purse
        self._trial_id = trial_id
        self._usd = usd
        self._number = number
        self._costing = costing
        self._begun_at = budget.clock.now()

    def settle(self, charge: Charge) -> None:
        """What the request was charged for is known; the rest is given back."""
        cost = self._costing(charge, self._begun_at)
        if cost.usd is None:  # its tokens are known, and may have cost more than was held back
            self._budget.overcharged = f"nobody knows what {self._trial_id} was charged: {cost.reason}"
        self.settle_at(cost, charge.tokens)

    def settle_at(self, cost: Cost, of_what: str = "a turn") -> None:
        """The cost is known, or why nobody knows it: then all that was held back counts as spent."""
        if cost.usd is None:
            self._end(self._usd, is_certain=False)
            return
        spent = _rounded_up(cost.usd)
        if spent > self._usd:
            self._budget.overcharged = (
                f"{self._trial_id} was charged {dollars(spent)} ({of_what}) for what could cost "
                f"{dollars(self._usd)} by the limits that were sent"
            )
        self._end(spent, is_certain=True)

    def give_back(self) -> None:
        """The request was never worked on."""
        self._end(_ZERO, is_certain=True)

    def lose(self) -> None:
        """Nobody knows what the request cost: all of it counts as spent."""
        self._end(self._usd, is_certain=False)

    def _end(self, spent: Decimal, *, is_certain: bool) -> None:
        self._purse.note(spent, is_certain=is_certain)
        self._budget.settle(self._usd, spent)
        if is_certain:  # what stays unsettled in the journal counts in full
            self._budget.journal.settle(self._number, spent)


def _held_by_others() -> TargetUnavailable:
    return TargetUnavailable(
        "a request failed, and other requests hold what its next try could cost",
        code="budget-held",
        hint="go on with --resume RUN --retry-errors, or give a bigger --budget",
    )


def pays(target: Target) -> str:
    """How the target is paid; one that does not say is paid by the turn."""
    return str(getattr(target, "pays", "turns"))


def _rounded_up(usd: Decimal) -> Decimal:
    """As fine as the store keeps money, and never less than it is."""
    return usd.quantize(_PICO, rounding=ROUND_UP)
