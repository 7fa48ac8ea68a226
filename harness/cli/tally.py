"""What a run has come to so far, counted from its events: for a display, and for other programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal

from harness.clock import SYSTEM_CLOCK, Clock
from harness.cost.prices import dollars
from harness.reporters.wording import seconds
from harness.results import TrialResult
from harness.runner.events import Event, RunStarted, TrialFinished, TrialStarted, TrialUnpaid
from harness.targets.traffic import TrafficState
from harness.text import counted

_OUTCOMES = ("passed", "failed", "errored", "skipped")


class Tally:
    """What stands so far.

    Attributes:
        planned: Trials of the whole suite run, and those by which a search goes on beyond them.
        already: Those of them that ended before the run went on.
        outcomes: How those ended that this process has run.
        cost_usd: What those cost of which it is known.
        cost_unknown: Trials whose cost is unknown.
        waited_s: Seconds that all trials together waited for rate limits and between tries.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._begun: float | None = None
        self._started: dict[str, float] = {}
        self.planned = 0
        self.already = 0
        self.outcomes: Counter[str] = Counter()
        self.cost_usd = Decimal(0)
        self.cost_unknown = 0
        self.waited_s = 0.0
        self._traffic: Callable[[], TrafficState] | None = None

    @property
    def traffic(self) -> TrafficState | None:
        """How requests stand at this moment; None before the run has begun."""
        return self._traffic() if self._traffic else None

    @property
    def done(self) -> int:
        """Trials that have a result."""
        return self.already + self.outcomes.total()

    @property
    def under_way(self) -> int:
        """Trials that have begun and not ended."""
        return len(self._started)

    def take(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, RunStarted):
            self.already = event.already
            self._traffic = event.traffic
            self.planned = event.already + len(event.plan.trials)
        elif isinstance(event, TrialStarted):
            self._started[event.trial.id] = self._clock.monotonic()
            self._begun = self._begun or self._started[event.trial.id]
            self.planned = max(self.planned, self.done + self.under_way)
        elif isinstance(event, TrialFinished):
            self._started.pop(event.result.trial_id, None)
            self._add(event.result)
        elif isinstance(event, TrialUnpaid):
            self._started.pop(event.trial.id, None)

    def _add(self, result: TrialResult) -> None:
        self.outcomes[result.outcome] += 1
        self.cost_unknown += result.cost_usd is None
        self.cost_usd += result.cost_usd or 0
        self.waited_s += waited_s(result)

    def left_s(self) -> float | None:
        """Seconds to the end at the pace so far; None before there is one."""
        ended = self.outcomes.total()
        if not ended or self._begun is None:
            return None
        return (self._clock.monotonic() - self._begun) / ended * (self.planned - self.done)

    def slowest(self, most: int = 3) -> list[tuple[str, float]]:
        """The trials that have been under way longest, with for how many seconds."""
        now = self._clock.monotonic()
        begun = sorted(self._started.copy().items(), key=lambda entry: entry[1])
        return [(trial_id, now - at) for trial_id, at in begun[:most]]

    def limits(self) -> str:
        """What holds requests up, in words; nothing while nothing does."""
        state = self.traffic
        if state is None or not (state.refused or state.waiting):
            return ""
        told = [f"{counted(state.in_flight, 'request')} under way of {state.limit} at a time"]
        told += [f"{state.waiting} waiting"] if state.waiting else []
        told += [f"refused {counted(state.refused, 'time')}"] if state.refused else []
        told += [f"the server wants none for {seconds(state.held_s)}"] if state.held_s >= 1 else []
        return ", ".join(told)

    def cost(self) -> str:
        """The cost so far, in words."""
        if not self.cost_unknown:
            return dollars(self.cost_usd)
        known = f"{dollars(self.cost_usd)} + " if self.cost_usd else ""
        return f"{known}cost of {counted(self.cost_unknown, 'trial')} unknown"

    def __str__(self) -> str:
        """Counts by outcome, cost, and what was waited for."""
        counts = [f"{self.outcomes[name]} {name}" for name in _OUTCOMES if self.outcomes[name]]
        waits = [f"waited {seconds(self.waited_s)}"] if self.waited_s >= 1 else []
        return ", ".join([*(counts or ["none ended"]), self.cost(), *waits])


def waited_s(result: TrialResult) -> float:
    """Seconds that a trial waited for rate limits and between tries."""
    return sum(turn.wait_s for turn in result.trace.turns) if result.trace else 0.0
