"""harness runs."""

from __future__ import annotations

import click

from harness.cli import options


@click.command("runs")
@click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first."
)
@options.store
def command(limit: int, store: str | None) -> None:
    r"""List the stored runs, newest first.

    \b
    Example:
      harness runs --limit 5
    """
    from harness import workflows
    from harness.reporters.console import runs_table
    from harness.settings import load_settings

    click.echo(runs_table(workflows.stored_runs(load_settings({"store": store}), limit)))
