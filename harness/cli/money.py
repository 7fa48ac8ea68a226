"""Options about money, and what a run with a budget says at its end."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import click

from harness.cli.options import together

if TYPE_CHECKING:
    from harness.runner.events import Event
    from harness.workflows import Forecast
    from harness.workflows.forecasting import Range


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


budget = click.option(
    "--budget",
    "budget_usd",
    callback=_usd,
    metavar="USD",
    help="Send nothing that could cost more in all.",
)
_PRICES = click.option(
    "--price",
    "prices",
    multiple=True,
    callback=_given,
    metavar="MODEL=IN/OUT",
    help="Price of a model in USD per million tokens, e.g. my-model=1.10/4.40. Repeatable.",
)


budget_and_prices = together(budget, _PRICES)
"""What may be spent in all, and what it is counted by."""


options = together(
    budget,
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
    _PRICES,
)
"""What may be spent, and what it is counted by."""


class Unpaid:
    """Remembers the first request that the budget could not pay."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self, event: Event) -> None:
        """Hear of an event."""
        from harness.runner.events import TrialUnpaid

        if isinstance(event, TrialUnpaid) and self.reason is None:
            self.reason = event.reason


def told(forecast: Forecast, budget_usd: Decimal | None) -> str:
    """A forecast in words."""
    from harness.cost.prices import dollars
    from harness.text import counted

    lines = [
        f"forecast: {counted(forecast.trials, 'trial')} with {counted(forecast.turns, 'turn')} "
        f"on the target {forecast.target}; nothing was sent"
    ]
    if forecast.as_before.trials:
        how = f"  {counted(forecast.as_before.trials, 'trial')} as in earlier runs"
        lines.append(f"{how}: {_range(forecast.as_before)}")
    if forecast.counted.trials:
        how = f"  {counted(forecast.counted.trials, 'trial')} that never ran here, by tokens and limits"
        lines.append(f"{how}: {_range(forecast.counted)}")
    lines += [f"  unknown for {counted(count, 'trial')}: {why}" for why, count in forecast.unknown.items()]
    if forecast.judges.trials:
        how = f"  judges of {counted(forecast.judges.trials, 'trial')}, by votes and limits"
        lines.append(f"{how}: {_range(forecast.judges)}")
    total = forecast.total
    lines.append(f"in all: {_range(total)}{' and what is unknown' if forecast.unknown else ''}")
    if budget_usd is not None:
        lines.append(f"the budget of {dollars(budget_usd)} {_enough(forecast, budget_usd)}")
    return "\n".join(lines)


def _range(some: Range) -> str:
    from harness.cost.prices import dollars

    if not some.trials:
        return "unknown"
    most = "nobody knows how much" if some.most_usd is None else dollars(some.most_usd)
    mean = f", {dollars(some.mean_usd)} on average" if some.mean_usd is not None else ""
    return f"{dollars(some.least_usd)} to {most}{mean}"


def _enough(forecast: Forecast, budget_usd: Decimal) -> str:
    total = forecast.total
    if total.least_usd > budget_usd:
        return "is not enough"
    if total.most_usd is None or forecast.unknown or total.most_usd > budget_usd:
        return "may not be enough"
    return "is enough, if the trials go as foreseen"
