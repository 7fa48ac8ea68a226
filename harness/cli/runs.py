"""harness runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.store.history import RunSummary

_NAMES_SHOWN = 2


@click.command("runs")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first."
)
@options.store
def command(limit: int, store: str | None) -> None:
    """List the stored runs, newest first.

    \b
    Example:
      harness runs --limit 5
    """
    from tabulate import tabulate

    from harness import workflows
    from harness.settings import load_settings

    runs = workflows.stored_runs(load_settings({"store": store}), limit)
    click.echo(tabulate([_row(run) for run in runs], headers="keys") if runs else "no runs are stored yet")


def _row(run: RunSummary) -> dict[str, str]:
    kept = _counts(run.quarantined)
    cost = "unknown" if run.cost_usd is None or run.cost_unknown else f"{run.cost_usd:.4f}"
    return {
        "run": run.id,
        "suites": _some(run.suites),
        "assistant": _some(run.variants),
        "target": run.target,
        "status": run.status,
        "trials": f"{run.finished}/{run.planned}" + (f" ({run.replayed} replayed)" if run.replayed else ""),
        "outcomes": _counts(run.outcomes) + (f" (in quarantine: {kept})" if kept else ""),
        "cost USD": cost,
    }


def _counts(outcomes: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(outcomes.items()))


def _some(names: Sequence[str]) -> str:
    """The first two names; a run over many suites must not make the table wider than any terminal."""
    from harness.reporters.wording import printable

    shown = [printable(name) for name in names[:_NAMES_SHOWN]]
    left = len(names) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")
