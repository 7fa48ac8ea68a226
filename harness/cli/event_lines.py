"""A run as JSON Lines, one object an event: how other programs follow it.

docs/cli.md says what each field is. Fields are only added within a version; what a field means, or that it is
there, changes with the version.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from harness.cli.tally import Tally, waited_s
from harness.clock import SYSTEM_CLOCK, Clock
from harness.results import TrialResult
from harness.runner.events import (
    Event,
    Provisioned,
    ResultsWait,
    RunFinished,
    RunStarted,
    TrialFinished,
    TrialStarted,
    TrialUnpaid,
)
from harness.scorers.confusion import HandOvers
from harness.targets.traffic import TrafficState

VERSION = 1


class EventLines:
    """A listener that writes one line an event.

    Args:
        write: Takes a line without its end; it must be whole at the reader before this returns.
        clock: What time it is.
    """

    def __init__(self, write: Callable[[str], None], clock: Clock = SYSTEM_CLOCK) -> None:
        self._write = write
        self._clock = clock
        self._tally = Tally(clock)
        self._begun = clock.monotonic()
        self._run = ""
        self._hand_overs = HandOvers()

    def __call__(self, event: Event) -> None:
        """Tell of an event."""
        self._tally.take(event)
        if isinstance(event, RunStarted):
            self._run = event.run_id
        if isinstance(event, TrialFinished):
            self._hand_overs.take_all(event.result.scores)
        name, fields = self._told(event)
        head = {"event": name, "version": VERSION, "run": self._run, "at": _moment(self._clock.now())}
        self._write(msgspec.json.encode(head | fields).decode())

    def _told(self, event: Event) -> tuple[str, dict[str, Any]]:
        if isinstance(event, RunStarted):
            return "run_started", _started(event)
        if isinstance(event, Provisioned):
            return "provisioned", {"variant": event.variant, "duration_s": event.duration_s}
        if isinstance(event, TrialStarted):
            trial = event.trial
            return "trial_started", {
                "trial": trial.id,
                "suite": trial.suite.name,
                "conversation": trial.conversation.id,
                "variant": trial.variant.name,
                "repeat": trial.repeat,
            }
        if isinstance(event, TrialFinished):
            return "trial_finished", _finished(event.result) | self._standing()
        if isinstance(event, ResultsWait):
            return "results_wait", {"count": event.count, "reason": event.reason}
        if isinstance(event, TrialUnpaid):
            return "trial_unpaid", {"trial": event.trial.id, "reason": event.reason}
        return "run_finished", self._ended(event)

    def _ended(self, event: RunFinished) -> dict[str, Any]:
        duration_s = self._clock.monotonic() - self._begun
        matrix = self._hand_overs.matrix()
        told = {"escalation": matrix.as_json() if matrix else None}
        return {"status": event.status, "duration_s": duration_s, **self._standing(), **told}

    def _standing(self) -> dict[str, Any]:
        """How the whole run stands after this event."""
        tally = self._tally
        return {
            "done": tally.done,
            "planned": tally.planned,
            "outcomes": dict(tally.outcomes),
            "run_cost_usd": str(tally.cost_usd),
            "run_cost_unknown": tally.cost_unknown,
            "run_wait_s": tally.waited_s,
            "left_s": tally.left_s(),
            "requests": _requests(tally.traffic),
        }


def _requests(state: TrafficState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "in_flight": state.in_flight,
        "limit": state.limit,
        "waiting": state.waiting,
        "refused": state.refused,
        "retries": state.retries,
    }


def _started(event: RunStarted) -> dict[str, Any]:
    trials = event.plan.trials
    return {
        "suites": list(dict.fromkeys(trial.suite.name for trial in trials)),
        "variants": [variant.name for variant in event.plan.variants],
        "planned": event.already + len(trials),
        "already": event.already,
    }


def _finished(result: TrialResult) -> dict[str, Any]:
    return {
        "trial": result.trial_id,
        "suite": result.suite,
        "conversation": result.conversation,
        "variant": result.variant,
        "repeat": result.repeat,
        "outcome": result.outcome,
        "quarantined": result.quarantined,
        "error": result.error,
        "failed_checks": [score.check for score in result.scores if score.passed is False],
        "duration_s": (result.ended_at - result.started_at).total_seconds(),
        "latency_s": result.latency_s,
        "wait_s": waited_s(result),
        "tokens": result.usage.total_tokens if result.usage else None,
        "cost_usd": None if result.cost_usd is None else str(result.cost_usd),
    }


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
