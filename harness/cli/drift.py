"""harness drift."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, suggestions

if TYPE_CHECKING:
    from harness.compare.drifting import Charted, Drift

# Verdicts have codes of their own; nothing else may end with one of them.
CODES = {"no alarm": 0, "alarm": 1, "too few runs": 2}
_SHOWN = 20


@click.command("drift")
@click.option("--suite", metavar="NAME", help="The suite. Default: the only one of the store.")
@click.option("--variant", metavar="NAME", help="The variant. Default: the only one of the latest run.")
@click.option(
    "--target",
    metavar="NAME",
    shell_complete=suggestions.targets,
    help="The target. Default: that of the latest run.",
)
@click.option("--branch", metavar="NAME", help="The git branch. Default: that of the latest run.")
@click.option(
    "--last", type=click.IntRange(1), metavar="N", help="Look at the latest N runs. Default: all of them."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, min_open=True),
    default=4.0,
    show_default=True,
    metavar="H",
    help="The sum above which there is an alarm: 4, or 5 for fewer false alarms.",
)
@click.option(
    "--json", "out", metavar="FILE", type=click.Path(path_type=Path), help="Write the chart as JSON too."
)
@options.store
def command(
    suite: str | None,
    variant: str | None,
    target: str | None,
    branch: str | None,
    last: int | None,
    threshold: float,
    out: Path | None,
    store: str | None,
) -> int:
    """Say whether a suite gets slowly worse from run to run.

    \b
    Examples:
      harness drift --suite acme-support
      harness drift --suite acme-support --branch main --threshold 5 --json drift.json

    A gate compares two runs and can miss a decline that is small each time. This chart adds small declines
    up: it learns from ten runs of one version of the suite, and raises an alarm when later ones together are
    too low.

    Exit codes: 0 no alarm, 1 alarm, 2 too few runs; 64 usage, 70 an internal error: no verdict.
    """
    from harness import workflows
    from harness.settings import load_settings

    found = workflows.drifting(
        load_settings({"store": store}),
        suite=suite,
        variant=variant,
        target=target,
        branch=branch,
        last=last,
        threshold=threshold,
    )
    if out:
        workflows.write_json(found.as_json(), out)
    _print(found)
    return CODES[found.verdict]


def _print(found: Drift) -> None:
    where = f" on the branch {found.branch}" if found.branch else ""
    click.echo(f"{found.verdict}: {found.suite}@{found.variant} at {found.target}{where}")
    for reason in found.reasons():
        click.echo(f"  {reason}")
    if found.runs:
        from tabulate import tabulate

        click.echo()
        click.echo(
            tabulate([_row(each) for each in found.runs[-_SHOWN:]], headers="keys", disable_numparse=True)
        )


def _row(each: Charted) -> dict[str, str]:
    return {
        "run": each.run,
        "day": f"{each.at:%Y-%m-%d}",
        "pass rate": f"{each.mean:.1%}",
        "z": "learning" if each.point.z is None else f"{each.point.z:+.2f}",
        "sum": f"{each.point.sum:.2f}",
        **({"": "alarm"} if each.point.alarm else {}),
    }
