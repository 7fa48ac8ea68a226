"""Options about money, and what a run with a budget says at its end."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from harness.results import SuiteRun
    from harness.runner.events import Event


def _usd(context: click.Context, parameter: click.Parameter, value: str | None) -> Decimal | None:
    """An amount in USD, exact to the last digit."""
    if value is None:
        return None
    try:
        amount = Decimal(value.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise click.BadParameter(
            f"{value!r} is no amount above 0 in USD; write it as 2.00", context, parameter
        )
    return amount


def _given(
    context: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...] | None:
    return value or None


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What may be spent, and what it is counted by."""
    decorators = [
        click.option(
            "--budget",
            "budget_usd",
            callback=_usd,
            metavar="USD",
            help="Send nothing that could cost more in all.",
        ),
        click.option(
            "--budget-per-trial",
            "budget_per_trial_usd",
            callback=_usd,
            metavar="USD",
            help="The same for every single trial, which then ends as errored.",
        ),
        click.option(
            "--most-per-turn",
            "most_per_turn_usd",
            callback=_usd,
            metavar="USD",
            help="With a budget: the most a turn can cost where nothing limits it (--target function).",
        ),
        click.option(
            "--price",
            "prices",
            multiple=True,
            callback=_given,
            metavar="MODEL=IN/OUT",
            help="Price of a model in USD per million tokens, e.g. my-model=1.10/4.40. Repeatable.",
        ),
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    return function


class Unpaid:
    """Remembers the first request that the budget could not pay."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self, event: Event) -> None:
        """Hear of an event."""
        from harness.runner.events import TrialUnpaid

        if isinstance(event, TrialUnpaid) and self.reason is None:
            self.reason = event.reason


def told(record: SuiteRun, unpaid: Unpaid) -> str | None:
    """What became of the money, in a line or two; None for a run without a budget."""
    from harness.cost.prices import dollars

    limit = record.settings.get("budget_usd")
    spent = record.spending
    if spent is None and limit is None:
        return None
    spent_usd = spent.spent_usd if spent else Decimal(0)
    parts = [f"spent {dollars(spent_usd)}"]
    if spent and spent.unknown_usd:
        parts.append(f"{dollars(spent.unknown_usd)} of it held for requests that never said what they cost")
    if limit is not None:
        parts.append(
            f"{dollars(max(Decimal(limit) - spent_usd, Decimal(0)))} left of {dollars(Decimal(limit))}"
        )
    if spent and spent.overcharged:
        parts.append(f"{spent.overcharged} requests charged more than the limits sent with them allow")
    line = f"budget: {'; '.join(parts)}"
    return f"{line}\nended early: {unpaid.reason}" if unpaid.reason else line
