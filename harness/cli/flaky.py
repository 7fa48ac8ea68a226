"""harness flaky."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import options

if TYPE_CHECKING:
    from harness.compare.flakiness import Steadiness
    from harness.workflows.over_time import Steadied

_DAYS = 14
"""How long a suggested quarantine is: time to repair something, and not to forget it."""


@click.command("flaky")
@click.option("--suite", metavar="NAME", help="Only conversations of this suite.")
@click.option(
    "--last",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    metavar="N",
    help="Look at the latest N runs.",
)
@click.option("--branch", metavar="NAME", help="Only runs on this git branch.")
@click.option("--suggest", is_flag=True, help="Print the YAML that puts what is flaky into quarantine.")
@click.option(
    "--json",
    "out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write every conversation as JSON too.",
)
@options.store
def command(
    suite: str | None, last: int, branch: str | None, suggest: bool, out: Path | None, store: str | None
) -> None:
    """List the conversations that both pass and fail although nothing changed, what hurts most first.

    \b
    Examples:
      harness flaky
      harness flaky --suite acme-support --last 20 --branch main
      harness flaky --suggest

    Outcomes are compared only within one version of suite and assistant on one target: what fails before a
    change and passes after it was repaired. Replayed trials and those that ended in an error are no evidence.
    Conversations in quarantine are listed too, also when they are steady. It ends with 0 whatever it finds.
    """
    from harness import workflows
    from harness.settings import load_settings

    found = workflows.flakiness(load_settings({"store": store}), suite=suite, last=last, branch=branch)
    if out:
        workflows.write_json(found.as_json(), out)
    click.echo(_told(found))
    if suggest:
        _suggest(found)


def _told(found: Steadied) -> str:
    from harness.text import counted

    first, latest = (run.started_at for run in (found.runs[0], found.runs[-1]))
    head = (
        f"{len(found.flaky):,} of {counted(len(found.found), 'conversation')} flaky "
        f"in {counted(len(found.runs), 'run')} ({first:%Y-%m-%d} to {latest:%Y-%m-%d})"
    )
    return f"{head}\n\n{_table(found.told)}" if found.told else head


def _table(rows: Sequence[Steadiness]) -> str:
    from tabulate import tabulate

    return tabulate([_row(each) for each in rows], headers="keys", disable_numparse=True)


def _row(each: Steadiness) -> dict[str, str]:
    from harness.reporters.wording import printable

    broken = {"": f"failing in each of the last {each.failing} runs"} if each.failing > 1 else {}
    return {
        "conversation": printable(each.name),
        "passed": f"{each.passed}/{each.trials}",
        "rate": f"{each.rate:.0%} ({each.interval.low:.0%} to {each.interval.high:.0%})",
        "failed in": f"{each.failed_runs} of {each.runs} runs",
        "flaky since": f"{each.since.at:%Y-%m-%d}" if each.since else "steady",
        "last failed": f"{each.last.at:%Y-%m-%d}" if each.last else "",
        "quarantine": _quarantine(each),
        **broken,
    }


def _quarantine(each: Steadiness) -> str:
    if each.quarantined_until is None:
        return ""
    return f"{'until' if each.quarantined else 'over on'} {each.quarantined_until}"


def _suggest(found: Steadied) -> None:
    """What is in quarantine already needs no more; what is steady needs none."""
    from harness.compare.flakiness import suggested_quarantine

    until = found.today + timedelta(days=_DAYS)
    first: dict[tuple[str, str], Steadiness] = {}
    for each in found.flaky:  # one line each, however many variants played it
        first.setdefault((each.suite, each.conversation), each)
    for each in first.values():
        if not each.quarantined:
            click.echo("\n" + "\n".join(suggested_quarantine(each, until)))
