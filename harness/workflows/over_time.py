"""What stored runs say when they are looked at together: what is flaky, and whether a suite gets worse."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import SettingsError
from harness.results import PastRun
from harness.settings import Settings
from harness.text import nearest
from harness.workflows.stored import open_store

if TYPE_CHECKING:
    from harness.compare.drifting import Drift
    from harness.compare.flakiness import Steadiness


@dataclass(frozen=True, slots=True)
class Steadied:
    """How steady conversations were over some runs.

    Attributes:
        runs: The runs that were looked at, oldest first.
        today: The day by which quarantines are in force.
        found: Every conversation, what hurts most first.
    """

    runs: tuple[PastRun, ...]
    today: date
    found: tuple[Steadiness, ...]

    @property
    def flaky(self) -> tuple[Steadiness, ...]:
        """The conversations that both passed and failed although nothing changed."""
        return tuple(each for each in self.found if each.flaky)

    @property
    def told(self) -> tuple[Steadiness, ...]:
        """What is flaky, and what is or was in quarantine, be it flaky or not."""
        return tuple(each for each in self.found if each.flaky or each.quarantined_until)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "today": self.today.isoformat(),
            "runs": [run.id for run in self.runs],
            "conversations": [each.as_json() for each in self.found],
        }


def flakiness(
    settings: Settings,
    *,
    suite: str | None = None,
    last: int | None = None,
    branch: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Steadied:
    """How steady every conversation was over the latest runs.

    Args:
        settings: Where the store is.
        suite: Only this one.
        last: How many runs at most.
        branch: Only runs on this git branch.
        clock: Which quarantines are in force.

    Raises:
        StoreError: There is no such store.
        SettingsError: No run is evidence (code ``no-evidence``).
    """
    from harness.compare.flakiness import steadiness

    runs = _past_runs(settings, suite=suite, branch=branch, limit=last)
    today = clock.now().date()
    return Steadied(tuple(runs), today, tuple(steadiness(runs, today)))


def drifting(
    settings: Settings,
    *,
    suite: str | None = None,
    variant: str | None = None,
    target: str | None = None,
    branch: str | None = None,
    last: int | None = None,
    threshold: float = 4.0,
) -> Drift:
    """The drift chart of a suite over its stored runs.

    Args:
        settings: Where the store is.
        suite: Which one; the only one of the store when left out.
        variant: Which variant; the only one of the latest run when left out.
        target: Which target; that of the latest run when left out.
        branch: Which git branch; that of the latest run when left out.
        last: How many runs at most.
        threshold: The sum above which there is an alarm.

    Raises:
        StoreError: There is no such store.
        SettingsError: No run is evidence (code ``no-evidence``), it is not clear which suite is meant, or no
            sum is ever above such a threshold.
    """
    from harness.compare.drifting import drift

    if not 0 < threshold < math.inf:
        raise SettingsError(f"--threshold {threshold:g} is no number above 0", hint="Usual is --threshold 4.")
    name = suite or _only_suite(settings, branch)
    runs = _past_runs(settings, suite=name, branch=branch, limit=last)
    return drift(runs, name, variant=variant, target=target, threshold=threshold)


def _past_runs(
    settings: Settings, *, suite: str | None, branch: str | None, limit: int | None
) -> list[PastRun]:
    with open_store(settings, create=False) as store:
        found = store.past_runs(suite=suite, branch=branch, limit=limit)
        if not found:
            raise _no_evidence(store.past_runs(), suite, branch)
    return found


def _no_evidence(runs: Sequence[PastRun], suite: str | None, branch: str | None) -> SettingsError:
    """Says which suites and branches there are instead."""
    where = f" on the branch {branch!r}" if branch else ""
    which = f" of the suite {suite!r}" if suite else ""
    suites = sorted({case.suite for run in runs for case in run.cases})
    branches = sorted({run.branch for run in runs if run.branch})
    near = nearest(suite, suites) if suite and suite not in suites else None
    known = [f"Suites: {', '.join(suites)}."] if suites else []
    known += [f"Branches: {', '.join(branches)}."] if branches else []
    hint = " ".join([*([f"Did you mean {near!r}?"] if near else []), *known])
    return SettingsError(
        f"the store has no run{which}{where} with trials of its own: replayed ones are no evidence",
        code="no-evidence",
        hint=hint or "Run a suite first.",
    )


def _only_suite(settings: Settings, branch: str | None) -> str:
    runs = _past_runs(settings, suite=None, branch=branch, limit=None)
    suites = sorted({case.suite for run in runs for case in run.cases})
    if len(suites) > 1:
        raise SettingsError(
            f"the store has runs of several suites: {', '.join(suites)}",
            hint="Say which one is watched with --suite NAME.",
        )
    return suites[0]
