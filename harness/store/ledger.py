"""What suite runs with a budget spent: one row a paid request, written before it is sent."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Connection, func, insert, select, update

from harness.cost.prices import dollars
from harness.errors import BudgetExhausted, BudgetHeld
from harness.results import Role, Spending
from harness.store.tables import spending, trials


def reserve(
    connection: Connection, run_id: str, trial_id: str, usd: Decimal, role: Role = "assistant"
) -> int:
    """Write down what a request can cost; the row's number."""
    values = {"run_id": run_id, "trial_id": trial_id, "reserved_pico_usd": usd, "role": role}
    made = connection.execute(insert(spending), values)
    return int(next(iter(made.inserted_primary_key or ())))


def refuse_above(connection: Connection, run_id: str, usd: Decimal, limit_usd: Decimal) -> None:
    """Refuse an amount that a suite run can't pay beside all that it spent and holds back.

    Raises:
        BudgetExhausted: It is too much.
        BudgetHeld: It is too much for now.
    """
    found = spent(connection, run_id)
    taken_usd, held_usd = (found.spent_usd, found.unknown_usd) if found else (Decimal(0), Decimal(0))
    if taken_usd + usd <= limit_usd:
        return
    told = f"the next request could cost {dollars(usd)}, and of the budget of {dollars(limit_usd)}"
    if taken_usd - held_usd + usd <= limit_usd:
        raise BudgetHeld(f"{told} other requests hold {dollars(held_usd)} back")
    left_usd = max(limit_usd - taken_usd + held_usd, Decimal(0))
    raise BudgetExhausted(f"{told} {dollars(left_usd)} is left")


def settle(connection: Connection, number: int, usd: Decimal) -> None:
    """Write down what a request cost."""
    connection.execute(update(spending).where(spending.c.number == number), {"spent_pico_usd": usd})


def spent(connection: Connection, run_id: str) -> Spending | None:
    """What a suite run spent; None when it never had a budget."""
    unknown = spending.c.spent_pico_usd.is_(None)
    query = select(
        func.count().label("requests"),
        func.sum(spending.c.spent_pico_usd).label("known"),
        func.sum(spending.c.reserved_pico_usd).filter(unknown).label("unknown"),
        func.sum(func.coalesce(spending.c.spent_pico_usd, spending.c.reserved_pico_usd))
        .filter(spending.c.role == "judge")
        .label("judge"),
        func.count().filter(spending.c.spent_pico_usd > spending.c.reserved_pico_usd).label("overcharged"),
    ).where(spending.c.run_id == run_id)
    row = connection.execute(query).one()
    if not row.requests:
        return None
    unknown_usd = row.unknown or Decimal(0)
    return Spending(
        requests=row.requests,
        spent_usd=(row.known or Decimal(0)) + unknown_usd,
        unknown_usd=unknown_usd,
        overcharged=row.overcharged,
        judge_usd=row.judge or Decimal(0),
    )


def carry_over(connection: Connection, run_id: str) -> int:
    """Write down what trials cost that ended before the suite run had a budget.

    Returns:
        Of how many of them nobody knows what they cost.
    """
    noted = select(spending.c.trial_id).where(spending.c.run_id == run_id)
    columns = (trials.c.trial_id, trials.c.cost_pico_usd, trials.c.judge_cost_pico_usd)
    query = select(*columns).where(trials.c.run_id == run_id, trials.c.trial_id.not_in(noted))
    rows = connection.execute(query).all()
    for trial_id, cost, judged in rows:
        if cost is not None:
            settle(connection, reserve(connection, run_id, trial_id, cost), cost)
        if judged:
            settle(connection, reserve(connection, run_id, trial_id, judged, "judge"), judged)
    return sum(cost is None or judged is None for _, cost, judged in rows)
