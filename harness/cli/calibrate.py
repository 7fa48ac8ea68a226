"""harness calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import cli
from harness.cli import money, options

if TYPE_CHECKING:
    from harness.results import Calibration, Estimate
    from harness.settings import Settings
    from harness.workflows import Calibrated


@click.command("calibrate")
@click.argument("labels", type=click.Path(path_type=Path))
@click.option(
    "--suite", required=True, type=click.Path(path_type=Path), help="The suite file that has the rubric."
)
@click.option("--rubric", metavar="NAME", help="Which of its rubrics; may be left out where it has one.")
@options.judge
@click.option("--models", metavar="FILE", help="YAML: which model answers to which name (embedded server).")
@click.option("--concurrency", type=click.IntRange(1), help="Rows at the same time. Default: 8.")
@click.option(
    "--record", type=click.Path(path_type=Path), help="Keep what the judge decides in this recording."
)
@click.option(
    "--replay", type=click.Path(path_type=Path), help="Take it from this recording; nobody is asked."
)
@click.option("--afresh", is_flag=True, help="Ask about every row again, also those judged before.")
@money.budget_and_prices
@click.option("--no-progress", is_flag=True, help="No signs of life, only the result.")
@options.store
def command(
    labels: Path,
    suite: Path,
    rubric: str | None,
    record: Path | None,
    replay: Path | None,
    afresh: bool,
    no_progress: bool,
    **flags: Any,
) -> int:
    """Measure a judge on LABELS, a CSV file of answers that people have labelled.

    \b
    Examples:
      harness calibrate labels.csv --suite suites/acme/tone.yaml --judge-model gpt-5.4-mini
      harness calibrate labels.csv --suite tone.yaml --rubric friendly --budget 0.50
      harness calibrate labels.csv --suite tone.yaml --record judge.yaml
      harness calibrate labels.csv --suite tone.yaml --replay judge.yaml

    Prints how far the judge agrees with people (kappa, sensitivity, specificity, with 95 % intervals) and
    stores it: only a judge that was calibrated on just this rubric and model version may decide whether a
    conversation passes. Rows that were judged before are not asked or paid for again, so a calibration that
    was interrupted goes on with the same command. Exit codes: 0 it may gate, 1 it may not, 2 interrupted,
    4 usage.
    """
    import asyncio

    from harness import workflows
    from harness.settings import load_settings

    if replay and (record or afresh):
        raise click.UsageError("--replay asks nobody: leave out --record and --afresh.")
    settings = load_settings(flags)
    done = asyncio.run(
        workflows.calibrate(
            labels,
            suite,
            settings,
            rubric=rubric,
            afresh=afresh,
            record=record,
            replay=replay,
            on_row=(lambda done, rows: None) if no_progress else _Signs(),
        )
    )
    _tell(done, settings)
    return cli.PASSED if done.why_not is None else cli.FAILED


class _Signs:
    """A line on standard error for about every tenth of the rows."""

    def __init__(self) -> None:
        self._told = -1

    def __call__(self, done: int, rows: int) -> None:
        tenth = done * 10 // rows
        if tenth != self._told:
            self._told = tenth
            click.echo(f"judged {done} of {rows} rows", err=True)


def _tell(done: Calibrated, settings: Settings) -> None:
    from harness.cost.prices import dollars
    from harness.reporters.wording import one_line, printable

    found = done.calibration
    click.echo(f"rubric {found.rubric!r} ({found.fingerprint[:12]}), judge {printable(found.model)}")
    click.echo(f"  rows         {found.rows} labelled, {found.judged} judged, {done.kept} of them before")
    for name, told in _numbers(found):
        click.echo(f"  {name:12} {told}")
    for line in _table(found):
        click.echo(f"  {line}")
    for why, count in list(found.unjudged.items())[:5]:
        click.echo(f"  without a verdict, {count} times: {one_line(printable(why), 200)}")
    cost = dollars(done.cost.usd) if done.cost.usd is not None else f"unknown ({done.cost.reason})"
    click.echo(f"  cost         {cost}")
    needed = f"kappa {settings.judge_min_kappa:g} is needed"
    click.echo(f"may gate: {f'no, {done.why_not}' if done.why_not else f'yes ({needed})'}")


def _numbers(found: Calibration) -> list[tuple[str, str]]:
    return [
        ("kappa", _estimate(found.kappa, "met or unmet")),
        ("sensitivity", _estimate(found.sensitivity, f"of {found.unmet} rows that people found unmet")),
        ("specificity", _estimate(found.specificity, f"of {found.met} rows that people found met")),
        ("agreement", _estimate(found.agreement, f"of {found.judged} rows")),
        ("label kappa", "none" if found.label_kappa is None else f"{found.label_kappa:.3f}"),
    ]


def _estimate(found: Estimate | None, of_what: str) -> str:
    if found is None:
        return f"none ({of_what})"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})  {of_what}"


def _table(found: Calibration) -> list[str]:
    """What people said down, what the judge said across."""
    import tabulate

    names = list(found.confusion)
    rows = [[one, *(found.confusion[one].get(other, 0) for other in names)] for one in names]
    return tabulate.tabulate(rows, headers=["people \\ judge", *names]).splitlines()
