"""The budget of a suite run: made from settings, written down in the store."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from harness.clock import Clock
from harness.errors import BudgetError
from harness.plan import Plan
from harness.results import Role
from harness.runner.budget import Budget, Limits, pays
from harness.settings import Settings
from harness.targets.interface import Target
from harness.targets.spending import Caps

if TYPE_CHECKING:
    from harness.store.store import Store


class _InStore(msgspec.Struct, frozen=True):
    """Reservations of one suite run, written into the store."""

    store: Store
    run_id: str
    limit_usd: Decimal | None = None
    """What all processes may spend together; None where this one alone keeps to the budget."""

    def reserve(self, trial_id: str, usd: Decimal, role: Role) -> int:
        return self.store.reserve_spending(self.run_id, trial_id, usd, role, limit_usd=self.limit_usd)

    def settle(self, number: int, usd: Decimal) -> None:
        self.store.settle_spending(number, usd)


def limits_of(settings: Settings) -> Limits:
    """What may be spent."""
    caps = Caps(settings.cap_prompt_tokens, settings.cap_completion_tokens, settings.cap_tool_calls)
    return Limits(settings.budget_usd, settings.budget_per_trial_usd, settings.most_per_turn_usd, caps)


def refuse_unpayable(settings: Settings, plan: Plan, target: Target) -> None:
    """Refuse what nobody can price or limit, before anything is sent.

    Raises:
        BudgetError: A model has no price, or the target can't be limited.
    """
    if not settings.has_budget or pays(target) == "nothing":
        return
    budget = Budget(limits_of(settings), prices=settings.price_book())
    budget.refuse_unbounded(target)
    for variant in plan.variants:
        if variant.assistant_id is None and pays(target) == "requests":
            budget.refuse_unpriced(variant.assistant.model)


def budget_of(
    settings: Settings, store: Store, run_id: str, clock: Clock, *, is_part: bool = False
) -> Budget | None:
    """The budget of a suite run, less what its earlier parts spent; None when there is none.

    With ``is_part`` other processes spend of it at the same time, and the store tells what is left.

    Raises:
        BudgetError: Nobody knows what its earlier parts cost (code ``budget-unknown-past``).
    """
    if not settings.has_budget:
        return None
    if is_part:
        journal = _InStore(store, run_id, settings.budget_usd)
        return Budget(limits_of(settings), prices=settings.price_book(), journal=journal, clock=clock)
    if unknown := store.carry_over_spending(run_id):
        raise BudgetError(
            f"{unknown} trials of run {run_id} ended before it had a budget, and nobody knows what they cost",
            code="budget-unknown-past",
            hint="go on without a budget, or start a new run with one",
        )
    spent = store.spending(run_id)
    return Budget(
        limits_of(settings),
        prices=settings.price_book(),
        journal=_InStore(store, run_id),
        spent_usd=spent.spent_usd if spent else Decimal(0),
        clock=clock,
    )
