"""How a run is watched: a live display in a terminal, lines in a log, JSON Lines for other programs."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from harness.cli.event_lines import EventLines
from harness.cli.tally import Tally
from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import ReportError
from harness.reporters.wording import one_line, printable, seconds
from harness.runner.events import Event, Provisioned, ResultsWait, RunStarted, TrialFinished
from harness.text import counted

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_QUIET_S = 30.0
"""After so long without a line, a log says that the run still goes on, and what it waits for."""
_LONG_S = 10.0
"""A conversation that takes longer is named in the live display."""

Listen = Callable[[Event], None]


@contextmanager
def progress(mode: str, events: Path | None = None, *, appends: bool = False) -> Iterator[list[Listen]]:
    """Listeners that show the run on standard error.

    Args:
        mode: One of ``options.PROGRESS_MODES``.
        events: A file that gets the events too, as JSON Lines.
        appends: Whether what stands in that file is kept: a run that goes on is told on.

    Raises:
        ReportError: The file can't be written.
    """
    if mode == "auto":
        mode = "bar" if sys.stderr.isatty() else "lines"
    with ExitStack() as stack:
        listeners: list[Listen] = []
        if events is not None:
            listeners.append(stack.enter_context(_file(events, appends=appends)))
        if mode == "bar":
            listeners.append(stack.enter_context(_bar()))
        elif mode == "lines":
            listeners.append(Lines(lambda line: click.echo(line, err=True)))
        elif mode == "json":
            listeners.append(EventLines(lambda line: click.echo(line, err=True)))
        yield listeners


@asynccontextmanager
async def kept_alive(listeners: list[Listen]) -> AsyncIterator[None]:
    """Meanwhile lines are shown also when nothing ends."""
    beats = [asyncio.create_task(_beat(each)) for each in listeners if isinstance(each, Lines)]
    try:
        yield
    finally:
        for beat in beats:
            beat.cancel()
        await asyncio.gather(*beats, return_exceptions=True)


async def _beat(lines: Lines) -> None:
    while True:
        await asyncio.sleep(_QUIET_S)
        lines.still_there()


# --- lines in a log ------------------------------------------------------------------------------------


class Lines:
    """A listener that writes a line for what went wrong, about twenty signs of life, and for silences.

    Args:
        write: Takes a line.
        clock: What time it is.
    """

    def __init__(self, write: Callable[[str], None], clock: Clock = SYSTEM_CLOCK) -> None:
        self._write = write
        self._clock = clock
        self._tally = Tally(clock)
        self._last = clock.monotonic()

    def __call__(self, event: Event) -> None:
        """Write the line of an event that is worth one."""
        self._tally.take(event)
        if isinstance(event, RunStarted) and event.already:
            self._say(f"going on: {event.already} of {self._tally.planned} trials have their result")
        elif isinstance(event, Provisioned):
            self._say(f"assistant {printable(event.variant)} ready after {event.duration_s:.1f} s")
        elif isinstance(event, ResultsWait):
            self._say(_about_the_store(event))
        elif isinstance(event, TrialFinished) and self._is_worth_a_line(event):
            self._say(self._line(event))

    def still_there(self) -> None:
        """Say that the run goes on and what it waits for, unless a line was written lately."""
        if self._clock.monotonic() - self._last < _QUIET_S:
            return
        slowest = [f"{printable(name)} for {seconds(taken_s)}" for name, taken_s in self._tally.slowest()]
        waiting = f"{self._tally.under_way} under way: {', '.join(slowest)}" if slowest else "preparing"
        limits = self._tally.limits()
        told = f"{waiting}; {limits}" if limits else waiting
        self._say(f"{self._tally.done}/{self._tally.planned} {told}")

    def _line(self, event: TrialFinished) -> str:
        result, left_s = event.result, self._tally.left_s()
        checks = dict.fromkeys(score.check for score in result.scores if score.passed is False)
        why = one_line(printable(result.error or ", ".join(checks)), 120)
        left = f", {seconds(left_s)} left" if left_s else ""
        name = printable(result.trial_id) + (", in quarantine" if result.quarantined else "")
        name += f": {why}" if why else ""
        return f"{self._tally.done}/{self._tally.planned} {result.outcome:7} {name}  ({self._tally}{left})"

    def _is_worth_a_line(self, event: TrialFinished) -> bool:
        step = max(self._tally.planned // 20, 1)
        return event.result.outcome in {"failed", "errored"} or self._tally.done % step == 0

    def _say(self, line: str) -> None:
        self._last = self._clock.monotonic()
        self._write(line)


def _about_the_store(event: ResultsWait) -> str:
    if not event.count:
        return "the store can be written to again, and nothing is lost"
    return (
        f"{counted(event.count, 'result')} kept in memory until the store can be written to: {event.reason}"
    )


# --- a file of events ----------------------------------------------------------------------------------


@contextmanager
def _file(path: Path, *, appends: bool) -> Iterator[Listen]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a" if appends else "w", encoding="utf-8", buffering=1)
    except OSError as error:
        raise ReportError(
            f"the events cannot be written to {str(path)!r}: {error.strerror or error}",
            code="report-not-written",
            hint="name a file in a folder that you may write to",
        ) from error
    # Closing writes what could not be written before; that it still can't has been said by then.
    with contextlib.suppress(OSError), contextlib.closing(file):
        yield EventLines(_unless_full(file, path))


def _unless_full(file: TextIO, path: Path) -> Callable[[str], None]:
    """Writes lines until it can't: then it says so once, for a run is worth more than the tale of it."""
    told: list[OSError] = []

    def write(line: str) -> None:
        if told:
            return
        try:
            file.write(f"{line}\n")
        except OSError as error:
            told.append(error)
            reason = error.strerror or error
            click.echo(f"warning: no more events are written to {str(path)!r}: {reason}", err=True)

    return write


# --- a live display ------------------------------------------------------------------------------------


@contextmanager
def _bar() -> Iterator[Listen]:
    from rich.console import Console
    from rich.live import Live

    display = Display(Tally())
    console = Console(stderr=True)
    with Live(display, console=console, transient=True, refresh_per_second=4):
        yield display


class Display:
    """A listener that rich draws: a bar, what stands so far, and what has been under way for long."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._is_ready = False
        self._store = ""

    def __call__(self, event: Event) -> None:
        """Remember an event; it is drawn with the next picture."""
        self._tally.take(event)
        if isinstance(event, ResultsWait):
            self._store = _about_the_store(event) if event.reason else ""
        self._is_ready = self._is_ready or not isinstance(event, RunStarted)

    def __rich_console__(self, console: Console, options: object) -> Iterator[RenderableType]:
        """The picture of this moment."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        tally = self._tally
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(tally.planned or 1, tally.done, width=24)
        name = "conversations" if self._is_ready else "indexing documents"
        row.add_row(name, bar, f"{tally.done}/{tally.planned}", str(tally), _left(tally.left_s()))
        yield row
        if limits := tally.limits():
            yield Text(f"  {limits}", style="yellow")
        if self._store:
            yield Text(f"  {self._store}", style="yellow")
        for trial_id, taken_s in tally.slowest():
            if taken_s >= _LONG_S:
                line = f"  {seconds(taken_s):>9}  {printable(trial_id)}"
                yield Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def _left(left_s: float | None) -> str:
    return "" if not left_s else f"about {seconds(left_s)} left"
