"""harness plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, suggestions
from harness.text import counted

if TYPE_CHECKING:
    from harness.compare.planning import Plan


@click.command("plan")
@click.option(
    "--drop", type=float, default=0.05, show_default=True, help="The drop of the pass rate to find."
)
@click.option("--cases", type=click.IntRange(1), help="How many conversations, where there is no pilot.")
@click.option(
    "--trials", type=click.IntRange(1), help="Trials of each per variant: say what just these can find."
)
@click.option("--variance", type=float, help="Between trials of a case: 0.02 steady, 0.07 usual, 0.17 noisy.")
@click.option(
    "--csv", "table", metavar="FILE", type=click.Path(path_type=Path), help="A pilot: a table of trials."
)
@click.option(
    "--run",
    "run",
    metavar="RUN",
    shell_complete=suggestions.runs,
    help="A pilot: a stored run, its id or 'latest'.",
)
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Level of the gate.")
@click.option(
    "--power", type=float, default=0.80, show_default=True, help="How often the drop is to be found."
)
@click.option(
    "--json", "out", metavar="OUT", type=click.Path(path_type=Path), help="Write the plan as JSON too."
)
@options.store
def command(
    drop: float,
    cases: int | None,
    trials: int | None,
    variance: float | None,
    table: Path | None,
    run: str | None,
    alpha: float,
    power: float,
    out: Path | None,
    store: str | None,
) -> None:
    """Say how many trials it takes to find a drop, what they cost, and what a suite can see.

    \b
    Examples:
      harness plan --drop 0.05 --cases 100
      harness plan --drop 0.10 --run latest
      harness plan --drop 0.05 --csv pilot.csv --json plan.json

    A pilot tells the number of conversations, how much their trials vary and what they cost.
    """
    from harness import workflows
    from harness.compare.planning import Aim
    from harness.settings import load_settings

    aim = Aim(drop, alpha, power, cases, trials, variance)
    plan = workflows.plan_trials(aim, load_settings({"store": store}), table=table, run=run)
    if out:
        workflows.write_json(plan.as_json(), out)
    _print(plan)


def _print(plan: Plan) -> None:
    from tabulate import tabulate

    click.echo(f"{counted(plan.cases, 'case')}, variance between trials {plan.variance:.3g} ({plan.source})")
    needed = f"{counted(plan.needed, 'trial')} per case and variant to find a drop of {plan.drop:.1%}"
    click.echo(f"{needed} with {plan.power:.0%} power: {2 * plan.needed * plan.cases:,} trials in all")
    if plan.needed_usd is not None:
        click.echo(f"at ${plan.trial_usd:.6g} a trial: ${plan.needed_usd:,.2f}")
    rows = [
        {"trials": trials, "smallest drop found": "none" if smallest is None else f"{smallest:.1%}"}
        for trials, smallest in plan.visible
    ]
    click.echo()
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    if plan.levels:
        shown = " ".join(f"{level:.4f}" for level in plan.levels)
        click.echo(f"\nLooking after every pass from the second on needs these levels: {shown}")
