"""A run as it goes on, for programs and notebooks: one line that counts what has ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

from harness.runner.events import Event, RunStarted, TrialFinished


@contextmanager
def watched() -> Iterator[Callable[[Event], None]]:
    """A listener that shows a bar on standard error, or in the output of a notebook's cell."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("indexing documents", total=None)
        count = Count()

        def listen(event: Event) -> None:
            count.take(event)
            if count.planned:
                bar.update(task, description=str(count), total=count.planned, completed=count.ended)

        yield listen


class Count:
    """Trials that ended, by outcome, and what they cost."""

    def __init__(self) -> None:
        self.planned = 0
        self._outcomes: Counter[str] = Counter()
        self._cost_usd: Decimal | None = Decimal(0)

    @property
    def ended(self) -> int:
        """How many ended."""
        return self._outcomes.total()

    def take(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, RunStarted):
            self.planned = len(event.plan.trials)
        elif isinstance(event, TrialFinished):
            cost, so_far = event.result.cost_usd, self._cost_usd
            self._outcomes[event.result.outcome] += 1
            self._cost_usd = None if cost is None or so_far is None else so_far + cost

    def __str__(self) -> str:
        cost = "cost unknown" if self._cost_usd is None else f"${self._cost_usd:.4f}"
        return ", ".join([*(f"{number} {name}" for name, number in sorted(self._outcomes.items())), cost])
