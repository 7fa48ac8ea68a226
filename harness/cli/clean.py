"""harness clean."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from harness import cli

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.targets.leftovers import Leftover
    from harness.workflows import Cleaning

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_STATES = {
    "left": "left over",
    "kept": "kept",
    "in_use": "in use",
    "unknown": "unknown",
    "other_key": "not ours",
}
_LEFT_ALONE = {
    "kept": "kept on purpose (--kept deletes those too)",
    "in_use": "in use by a run that goes on",
    "unknown": "whose id never came back",
    "other_key": "made with another API key (set that one to delete them)",
}


class _Age(click.ParamType[timedelta]):
    """A length of time such as 30m, 12h or 7d."""

    name = "age"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d{1,6})([smhdw])", value)
        if match is None:
            self.fail(f"{value!r} is no age; write a number and a unit: 30m, 12h, 7d, 2w", param, ctx)
        return timedelta(**{_UNITS[match[2]]: int(match[1])})


@click.command("clean")
@click.option("--yes", "delete", is_flag=True, help="Delete; without it nothing is changed at any server.")
@click.option("--run", "run_id", metavar="RUN", help="Only what this run left.")
@click.option(
    "--base-url", metavar="URL", help="Only at this address; it is looked at also where the ledger is empty."
)
@click.option("--older-than", type=_Age(), help="Only what was made longer ago, e.g. 30m, 12h, 7d.")
@click.option("--kept", is_flag=True, help="Also what --keep-assistants and --keep-users have kept.")
@click.option("--ledger", metavar="FILE", help="Ledger of what was made. Default: .harness/ledger.sqlite")
def command(
    delete: bool,
    run_id: str | None,
    base_url: str | None,
    older_than: timedelta | None,
    kept: bool,
    ledger: str | None,
) -> int:
    """List what runs left behind at the servers of others, and delete it with --yes.

    Every object that a run makes at an address stands in the ledger until the server says that it is gone: a
    run that was killed or cut off leaves entries there. What a run that goes on works with is never deleted.
    The key is read as by "harness run": OPENAI_API_KEY, for Azure AZURE_OPENAI_API_KEY.

    \b
    Examples:
      harness clean
      harness clean --yes --older-than 12h
      harness clean --yes --kept --base-url http://127.0.0.1:8080/v1

    Exit codes: 0 done, 1 something could not be looked for or deleted, 4 usage.
    """
    import asyncio

    from harness import workflows
    from harness.settings import load_settings

    flags = {"ledger": ledger}
    wanted = workflows.Wanted(run=run_id, base_url=base_url, older_than=older_than, kept=kept)
    done = asyncio.run(workflows.clean(load_settings(flags), wanted, delete=delete, flags=flags))
    _print(done, delete=delete, kept=kept)
    return cli.FAILED if done.failures or done.unreachable else cli.PASSED


def _print(done: Cleaning, *, delete: bool, kept: bool) -> None:
    from tabulate import tabulate

    from harness.text import counted

    now = datetime.now(UTC)
    if done.found:
        click.echo(tabulate(_rows(done.found, now), headers="keys", disable_numparse=True))
    for failure in done.failures:
        click.echo(f"not deleted: {failure.entry.kind} {failure.entry.id}: {failure.reason}", err=True)
    for url, reason in done.unreachable.items():
        click.echo(f"not looked at: {url}: {reason}", err=True)
    if done.given_up:
        told = counted(done.given_up, "conversation")
        click.echo(f"given up: {told} whose id never came back, for no API lists them")
    if delete:
        click.echo(f"{counted(done.deleted, 'object')} deleted")
    else:
        _print_what_would_happen(done, kept=kept)
    _print_left_alone(done, kept=kept)


def _print_what_would_happen(done: Cleaning, *, kept: bool) -> None:
    from harness.text import counted

    states = {"left", "kept"} if kept else {"left"}
    count = sum(each.state in states for each in done.found)
    if count:
        click.echo(f"nothing was changed; --yes deletes {counted(count, 'object')}")
    else:
        click.echo("nothing is left over")


def _print_left_alone(done: Cleaning, *, kept: bool) -> None:
    """What is at a server all the same, and stays there: nobody should take it for gone."""
    states: Counter[str] = Counter(each.state for each in done.found)
    states["unknown"] -= done.given_up
    if kept:
        del states["kept"]
    told = [f"{states[name]:,} {why}" for name, why in _LEFT_ALONE.items() if states[name] > 0]
    if told:
        click.echo(f"left alone: {'; '.join(told)}")


def _rows(found: Sequence[Leftover], now: datetime) -> list[dict[str, str]]:
    """The table; where there is only one address, it need not stand in every row."""
    rows = [_row(each, now) for each in found]
    if len({row["target"] for row in rows}) == 1:
        click.echo(f"at {rows[0]['target']}:")
        rows = [{key: value for key, value in row.items() if key != "target"} for row in rows]
    return rows


def _row(leftover: Leftover, now: datetime) -> dict[str, str]:
    from harness.reporters.wording import printable, seconds

    entry = leftover.entry
    return {
        "kind": entry.kind.replace("_", " "),
        "id": printable(entry.id or (f"({entry.name})" if entry.name else "?")),
        "target": printable(entry.place.url),
        "run": entry.run,
        "age": seconds((now - entry.made_at).total_seconds()),
        "state": _STATES[leftover.state],
        "why": printable(leftover.why),
    }
