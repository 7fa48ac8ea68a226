"""harness compare."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli import options


@click.command("compare")
@click.argument("runs", metavar="BASELINE [CANDIDATE]...", nargs=-1, required=True)
@click.option(
    "--variants",
    metavar="A,B",
    help="Of a single run: its variants to compare, the baseline first. Of several: one for each.",
)
@click.option(
    "--margin", type=float, default=0.05, show_default=True, help="The drop from which on it is not wanted."
)
@click.option(
    "--alpha", type=float, default=0.05, show_default=True, help="How often 'worse' may be said for nothing."
)
@click.option(
    "--show",
    type=click.IntRange(0),
    default=3,
    show_default=True,
    metavar="N",
    help="How many conversations that got worse are shown turn by turn.",
)
@click.option(
    "--json", "json_file", metavar="FILE", type=click.Path(path_type=Path), help="All of it as JSON."
)
@click.option(
    "--markdown",
    "markdown_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="All of it as Markdown.",
)
@options.store
def command(
    runs: tuple[str, ...],
    variants: str | None,
    margin: float,
    alpha: float,
    show: int,
    json_file: Path | None,
    markdown_file: Path | None,
    store: str | None,
) -> None:
    """Show what differs between stored runs, or between variants of one run (ids, 'latest', 'green').

    \b
    Examples:
      harness compare 20260102-030405-ab12 latest
      harness compare green latest --markdown comparison.md
      harness compare latest --variants short,long

    Conversations are paired by their ids. It ends with 0 whatever it finds; harness gate decides.
    """
    from harness import workflows
    from harness.compare.verdict import Question
    from harness.settings import load_settings

    names = [name.strip() for name in variants.split(",")] if variants else []
    settings = load_settings({"store": store})
    found = workflows.compare_runs(settings, runs, Question(margin=margin, alpha=alpha), names)
    workflows.write_comparisons(found, json=json_file, markdown=markdown_file)
    click.echo("\n".join(workflows.comparison_text(each, show) for each in found), nl=False)
