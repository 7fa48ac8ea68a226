"""harness export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options, suggestions

if TYPE_CHECKING:
    from harness.workflows.exporting import Format

_BY_ENDING: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


@click.command("export")
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=suggestions.runs)
@click.option(
    "--baseline",
    metavar="RUN",
    shell_complete=suggestions.runs,
    help="Also this run, its variant called baseline.",
)
@click.option(
    "--candidate",
    metavar="RUN",
    shell_complete=suggestions.runs,
    help="Also this run, its variant called candidate.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="Default: what the ending of --out says, else csv.",
)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="Default: the terminal.")
@options.store
def command(
    runs: tuple[str, ...],
    baseline: str | None,
    candidate: str | None,
    kind: Format | None,
    out: Path | None,
    store: str | None,
) -> None:
    """Write the trials of stored runs (ids, or 'latest') as one table, one row each.

    \b
    Examples:
      harness export --out trials.csv
      harness export --baseline 20260102-030405-ab12 --candidate latest --out trials.csv
      harness export latest --out trials.parquet

    harness gate --csv and harness stats --csv read the CSV table.
    """
    from harness import workflows
    from harness.settings import load_settings

    kind = kind or _BY_ENDING.get(out.suffix.casefold() if out else "", "csv")
    settings = load_settings({"store": store})
    named = [(run, None) for run in runs or ([] if baseline or candidate else ["latest"])]
    renamed = [(run, name) for run, name in ((baseline, "baseline"), (candidate, "candidate")) if run]
    records = [(workflows.stored_run(settings, run), name) for run, name in [*named, *renamed]]
    click.echo(workflows.export(records, kind, out), nl=out is not None)
