"""harness report."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options, terminal
from harness.reporters.interface import reporter_names

_BY_ENDING = {".csv": "csv", ".json": "json", ".md": "markdown", ".xml": "junit"}


@click.command("report")
@options.run
@click.option(
    "--format",
    "kind",
    type=click.Choice(reporter_names()),
    help="Default: what the ending of --out says (.csv, .json, .md, .xml), else html.",
)
@click.option(
    "--out", metavar="PATH", help="File to write; html goes to reports/, the others to the terminal."
)
@options.store
def command(run: str, kind: str | None, out: str | None, store: str | None) -> None:
    """Write the report of a stored RUN (its id, or 'latest') again; nothing is run.

    \b
    Examples:
      harness report
      harness report latest --format markdown
      harness report latest --out report.md
      harness report 20260102-030405-ab12 --format junit --out junit.xml
    """
    from harness import workflows
    from harness.settings import load_settings

    kind = kind or _BY_ENDING.get(Path(out or "").suffix.casefold(), "html")
    settings = load_settings({"store": store})
    record = workflows.stored_run(settings, run)
    if kind == "html":
        click.echo(workflows.write_html(record, out or settings.reports))
    elif out:
        click.echo(workflows.write(record, kind, Path(out)))
    elif kind == "console":
        click.echo(workflows.summary(record, terminal.width()))
    else:
        click.echo(workflows.render(record, kind))
