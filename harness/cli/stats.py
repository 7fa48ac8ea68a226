"""harness stats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.text import counted

if TYPE_CHECKING:
    from harness.compare.rates import Rates


@click.command("stats")
@click.option(
    "--csv",
    "table",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Table of trials, one row each: case_id, passed, and more if you like.",
)
@click.option("--variant", help="Only this variant of the table.")
@click.option("--json", "out", metavar="OUT", type=click.Path(path_type=Path), help="Write them as JSON too.")
def command(table: Path, variant: str | None, out: Path | None) -> None:
    """Print what a table of trials says of one run: pass rate, pass^j, pass@j, flaky cases.

    \b
    Examples:
      harness stats --csv trials.csv
      harness stats --csv trials.csv --variant candidate --json stats.json

    The rate comes with two intervals: of this suite (would a rerun differ?) and of the population
    (conversations like these). pass^j is how likely all of j trials pass, pass@j at least one of them.
    """
    from harness import workflows

    found = workflows.table_statistics(table, variant)
    if out:
        workflows.write_json(_as_json(found), out)
    click.echo("\n\n".join(_told(one) for one in found))


def _as_json(found: list[Rates]) -> dict[str, Any]:
    """One variant as it is; several under their names."""
    if len(found) == 1:
        return found[0].as_json()
    return {"variants": {one.variant: one.as_json() for one in found}}


def _told(one: Rates) -> str:
    from tabulate import tabulate

    rows = [
        {"j": j, "pass^j": f"{hat.value:.4f}", "pass@j": f"{at.value:.4f}"}
        for j, (hat, at) in enumerate(zip(one.hat, one.at, strict=True), start=1)
    ]
    table = tabulate(rows, headers="keys", disable_numparse=True)
    return "\n".join([*_lines(one), "", table, *_flaky(one)])


def _lines(one: Rates) -> list[str]:
    clusters = f" in {counted(one.clusters, 'cluster')}" if one.clusters < one.cases else ""
    missing = f", {one.missing_trials} more without a judgement" if one.missing_trials else ""
    population = _between(one.population) if one.population else "unknown from a single cluster"
    return [
        *([f"variant {one.variant}"] if one.variant else []),
        f"{counted(one.cases, 'case')}{clusters}, {counted(one.trials, 'trial')}{missing}",
        f"pass rate {one.rate:.4f}",
        f"  suite (these cases again), 95 %: {_between(one.suite)}",
        f"  population (conversations like these), 95 %: {population}",
        *([f"  at least {one.at_least:.4f}, exact one-sided 95 % bound"] if one.at_least is not None else []),
        *(
            f"{each.metric} {each.mean:.6g}" + (f", 95 %: {_between(each.interval)}" if each.interval else "")
            for each in one.means
        ),
        *([f"cases without a judgement: {', '.join(one.unjudged)}"] if one.unjudged else []),
    ]


def _between(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.4g} to {interval[1]:.4g}"


def _flaky(one: Rates) -> list[str]:
    if not one.flaky:
        return []
    return [
        "",
        f"{len(one.flaky)} flaky:",
        *(f"  {each.case_id} {each.passed}/{each.trials}" for each in one.flaky),
    ]
