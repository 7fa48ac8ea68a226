"""What the runner tells whoever listens, in order; it knows no listener."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from harness.plan import Plan, Trial
from harness.results import RunStatus, TrialResult

if TYPE_CHECKING:
    from harness.targets.traffic import TrafficState


class RunStarted(msgspec.Struct, frozen=True):
    """Provisioning begins.

    Attributes:
        plan: The trials that are to be run.
        at: When.
        run_id: The suite run; empty where nobody keeps it.
        already: Trials of the suite run that ended before, when it goes on.
        traffic: Tells at any time how the requests of the run stand.
    """

    plan: Plan
    at: datetime
    run_id: str = ""
    already: int = 0
    traffic: Callable[[], TrafficState] | None = None


class Provisioned(msgspec.Struct, frozen=True):
    """A variant is ready at the target.

    Attributes:
        variant: Its name.
        duration_s: How long that took.
        waited_s: How much of it was waiting for rate limits and between tries.
    """

    variant: str
    duration_s: float
    waited_s: float = 0.0


class TrialStarted(msgspec.Struct, frozen=True):
    """A trial's first message is about to be sent."""

    trial: Trial


class TrialFinished(msgspec.Struct, frozen=True):
    """A trial ended, however it ended; its scores are in."""

    result: TrialResult


class TrialUnpaid(msgspec.Struct, frozen=True):
    """The budget can't pay the trial's next request; the trial has no result, and no other begins."""

    trial: Trial
    reason: str


class ResultsWait(msgspec.Struct, frozen=True):
    """Results are kept in memory, for the store can't be written to; without a reason: it can again."""

    count: int
    reason: str


class RunFinished(msgspec.Struct, frozen=True):
    """The last event: all trials are in, or something ended the run before."""

    at: datetime
    status: RunStatus


Event = RunStarted | Provisioned | TrialStarted | TrialFinished | TrialUnpaid | ResultsWait | RunFinished
