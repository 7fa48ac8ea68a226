"""The live display of a run; lines instead of a bar when nobody watches a terminal."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import click

from harness.reporters.wording import printable
from harness.runner.events import Event, Provisioned, RunStarted, TrialFinished


class Tally:
    """What the display shows, counted from events."""

    def __init__(self) -> None:
        self.planned = 0
        self.outcomes: Counter[str] = Counter()
        self.cost_usd: Decimal | None = Decimal(0)

    @property
    def done(self) -> int:
        """Trials that ended."""
        return self.outcomes.total()

    def take(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, RunStarted):
            self.planned = len(event.plan.trials)
        elif isinstance(event, TrialFinished):
            self.outcomes[event.result.outcome] += 1
            cost = event.result.cost_usd
            self.cost_usd = None if cost is None or self.cost_usd is None else self.cost_usd + cost

    def __str__(self) -> str:
        bad = [f"{count} {name}" for name, count in sorted(self.outcomes.items()) if name != "passed"]
        cost = "cost unknown" if self.cost_usd is None else f"${self.cost_usd:.4f}"
        return ", ".join([f"{self.outcomes['passed']} passed", *bad, cost])


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[Event], None]]:
    """A listener that shows the run on standard error."""
    if quiet:
        yield lambda event: None
    elif sys.stderr.isatty():
        with _bar() as listener:
            yield listener
    else:
        yield _lines()


def _lines() -> Callable[[Event], None]:
    tally = Tally()

    def listen(event: Event) -> None:
        tally.take(event)
        if isinstance(event, Provisioned):
            click.echo(f"assistant {event.variant} ready after {event.duration_s:.1f} s", err=True)
        elif isinstance(event, TrialFinished) and _worth_a_line(tally, event):
            result = event.result
            name = printable(result.trial_id)
            click.echo(f"{tally.done}/{tally.planned} {result.outcome:7} {name}  ({tally})", err=True)

    return listen


def _worth_a_line(tally: Tally, event: TrialFinished) -> bool:
    """Every failure, and about twenty signs of life."""
    step = max(tally.planned // 20, 1)
    return event.result.outcome in {"failed", "errored"} or tally.done % step == 0


@contextmanager
def _bar() -> Iterator[Callable[[Event], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    tally = Tally()
    display = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[tally]}"),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with display:
        task: Any = display.add_task("preparing", total=None, tally="")

        def listen(event: Event) -> None:
            tally.take(event)
            ready = tally.done or isinstance(event, Provisioned)
            display.update(
                task,
                description="conversations" if ready else "indexing documents",
                total=tally.planned or None,
                completed=tally.done,
                tally=str(tally),
            )

        yield listen
