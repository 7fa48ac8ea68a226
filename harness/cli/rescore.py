"""harness rescore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from harness.cli import money, options

if TYPE_CHECKING:
    from harness.results import Score
    from harness.settings import Settings
    from harness.workflows import Rescored
    from harness.workflows.rescoring import ScoreChange

_SHOWN = 50
_OF_JUDGE = ("judge_model", "judge_base_url", "budget_usd", "prices")


@click.command("rescore")
@options.run
@options.reports
@options.no_progress
@click.option(
    "--judge", "asks_judge", is_flag=True, help="Ask judges where what they decided no longer fits."
)
@options.judge
@money.budget_and_prices
@options.store
def command(
    run: str,
    junit: str | None,
    markdown: str | None,
    code_quality: str | None,
    no_progress: bool,
    asks_judge: bool,
    **flags: Any,
) -> int:
    """Score a stored RUN (its id, or 'latest') anew, with changed expectations or scorers; nothing is asked.

    \b
    Examples:
      harness rescore
      harness rescore 20260102-030405-ab12 --junit out.xml
      harness rescore --judge --judge-model gpt-5.4-mini --budget 0.50

    The run stays as it is; what was scored anew is a run of its own. Trials whose messages, tool stubs or
    assistant have changed since can't be scored anew, and are named. With --judge the judges of rubrics are
    asked about the stored answers, the assistant never. Exit codes are those of harness run.
    """
    import asyncio

    from harness.cli.run import Files, conclude, print_summary
    from harness.settings import load_settings

    of_judge = [name for name in _OF_JUDGE if flags[name] is not None]
    if of_judge and not asks_judge:
        raise click.UsageError(f"{_flags(of_judge)} is for a judge: give --judge too, or leave it out.")
    settings = load_settings(flags)
    rescored = asyncio.run(_rescored(run, settings, of_judge, quiet=no_progress, asks_judge=asks_judge))
    _tell(rescored)
    print_summary(rescored.run)
    return conclude(rescored.run, settings, Files(junit, markdown, code_quality))


def _flags(names: list[str]) -> str:
    spelt = {"budget_usd": "--budget", "prices": "--price"}
    return ", ".join(spelt.get(name, f"--{name.replace('_', '-')}") for name in names)


async def _rescored(
    run: str, settings: Settings, changed: list[str], *, quiet: bool, asks_judge: bool
) -> Rescored:
    from harness import workflows
    from harness.cli.progress import progress

    with progress("off" if quiet else "auto") as listeners:
        control = workflows.Control(listeners)
        return await workflows.rescore(run, settings, control, asks_judge=asks_judge, changed=changed)


def _tell(rescored: Rescored) -> None:
    """What changed from the run to this one, before the tables of this one."""
    from harness.reporters.wording import printable
    from harness.text import counted

    lines = [f"{printable(trial)}: {printable(why)}" for trial, why in rescored.left_out.items()]
    if lines:
        _list(f"{counted(len(lines), 'trial')} of {rescored.source} not scored anew", lines)
    _list(f"{counted(len(rescored.changes), 'score')} changed", [_change(each) for each in rescored.changes])
    click.echo()


def _list(headline: str, lines: list[str]) -> None:
    click.echo(f"{headline}{':' if lines else ''}")
    for line in lines[:_SHOWN]:
        click.echo(f"  {line}")
    if len(lines) > _SHOWN:
        click.echo(f"  and {len(lines) - _SHOWN} more")


def _change(change: ScoreChange) -> str:
    from harness.reporters.wording import one_line, printable, turn

    why = change.after.reason if change.after and change.after.passed is not True else ""
    judged = f"{_judged(change.before)} -> {_judged(change.after)}"
    told = f"{change.trial_id} {turn(change.turn)}, {change.check}: {judged}"
    return one_line(printable(f"{told} ({why})" if why else told), 300)


def _judged(score: Score | None) -> str:
    if score is None:
        return "not asked"
    from harness.reporters.wording import verdict

    told = verdict(score)
    return told if isinstance(score.value, bool | None) else f"{told} ({score.value})"
