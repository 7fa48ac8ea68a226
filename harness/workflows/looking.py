"""What a run of two assistants was begun for is kept to, also when it goes on after an interruption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.plan import Plan
from harness.results import TrialResult
from harness.runner.events import Event, TrialFinished
from harness.runner.executors.local import Stop

if TYPE_CHECKING:
    from harness.compare.sequential import Look, Looks

Cases = set[tuple[str, str]]
"""Conversations, by suite and id."""
LOOKS, SUSPECTS = "looks", "suspects"
"""Under these names a run's settings keep its plan of looks, and the conversations that it confirms."""


def only(plan: Plan, suspects: Iterable[Iterable[str]] | None) -> Plan:
    """The plan with these conversations alone; the whole of it where none are named."""
    if suspects is None:
        return plan
    wanted = {tuple(each) for each in suspects}
    return Plan(tuple(each for each in plan.trials if (each.suite.name, each.conversation.id) in wanted))


def watching(
    settings: Mapping[str, Any], plan: Plan, ended: Iterable[TrialResult], stop: Stop
) -> list[Callable[[Event], None]]:
    """What takes the looks that a run was begun with as it goes on; nothing where it has no such plan.

    Args:
        settings: What the stored run says that it was asked for.
        plan: All of its trials.
        ended: Those that ended before.
        stop: Set when a look decides, which may be at once.
    """
    if not settings.get(LOOKS):
        return []
    from harness.compare.sequential import Looks

    watch = Watch(Looks(**settings[LOOKS]), plan, stop, lambda look: None)
    for result in ended:
        watch.take(result)
    return [watch]


@dataclass(slots=True)
class Watch:
    """Takes a look whenever a pass is complete, and ends the run with the look that decides."""

    looks: Looks
    plan: Plan
    stop: Stop
    told: Callable[[Look], None]
    _left: Counter[int] = field(init=False)
    _trials: list[Trial] = field(default_factory=list)
    _passes: int = 0
    _decided: bool = False

    def __post_init__(self) -> None:
        self._left = Counter(trial.repeat for trial in self.plan.trials)

    def __call__(self, event: Event) -> None:
        """Hear of what happens in the run."""
        if isinstance(event, TrialFinished):
            self.take(event.result)

    def take(self, result: TrialResult) -> None:
        """Count a trial that ended, now or before the run was interrupted."""
        from harness.compare.gate import judged

        self._left[result.repeat] -= 1
        if not result.quarantined:
            self._trials.append(judged(result, self._side(result)).trial)
        while not self._decided and self._passes < self.looks.passes and not self._left[self._passes + 1]:
            self._passes += 1
            if self._passes >= self.looks.first:
                self._look()

    def _side(self, result: TrialResult) -> str:
        return BASELINE if result.variant == self.plan.variants[0].name else CANDIDATE

    def _look(self) -> None:
        look = self.looks.look(self._trials, self._passes)
        self._decided = look.decided
        self.told(look)
        if look.decided:
            self.stop.set("decided")
