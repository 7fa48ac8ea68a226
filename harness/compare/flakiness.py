"""Which conversations both pass and fail although nothing changed, told from the stored runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from harness.results import CaseOutcomes, PastRun
from harness.stats.intervals import Interval, population_interval, wilson

_CONFIDENCE = 0.95


class Sighting(NamedTuple):
    """A run in which something was seen."""

    run: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How one conversation with one variant ended over many runs.

    It is flaky when one *version* of it had both outcomes: the same suite, the same content of the assistant,
    the same target. What fails before a change and passes after it was repaired, and is not flaky.

    Attributes:
        suite: The suite's name.
        conversation: The conversation's id.
        variant: The variant's name.
        runs: Runs with a judged trial.
        versions: How many versions these are of.
        trials: Judged trials; replayed and errored ones are no evidence.
        passed: How many of them passed.
        errored: Trials that ended in an error.
        interval: Of the pass rate, 95 %; trials of one run are taken together.
        failed_runs: Runs with a failed trial, of versions that passed too.
        since: The first run by which one version had both outcomes; None when it is not flaky.
        last: The last run with a failed trial, of versions that passed too.
        failing: How many of the latest runs it failed in without a single pass.
        quarantined_until: What the latest run says of a quarantine.
        quarantined: Whether that is in force today.
    """

    suite: str
    conversation: str
    variant: str
    runs: int
    versions: int
    trials: int
    passed: int
    errored: int
    interval: Interval
    failed_runs: int
    since: Sighting | None
    last: Sighting | None
    failing: int
    quarantined_until: date | None
    quarantined: bool

    @property
    def flaky(self) -> bool:
        """Whether one and the same version both passed and failed."""
        return self.since is not None

    @property
    def rate(self) -> float:
        """The share of its judged trials that passed."""
        return self.passed / self.trials

    @property
    def name(self) -> str:
        """Suite, conversation and variant."""
        return f"{self.suite}/{self.conversation}@{self.variant}"

    @property
    def _hurts(self) -> tuple[bool, int, int, str]:
        return self.quarantined, -self.failed_runs, self.passed - self.trials, self.name

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        until = self.quarantined_until
        return {
            "suite": self.suite,
            "conversation": self.conversation,
            "variant": self.variant,
            "flaky": self.flaky,
            "runs": self.runs,
            "versions": self.versions,
            "trials": self.trials,
            "passed": self.passed,
            "errored": self.errored,
            "rate": self.rate,
            "interval": list(self.interval),
            "failed_runs": self.failed_runs,
            "since": _seen(self.since),
            "last": _seen(self.last),
            "failing": self.failing,
            "quarantined_until": until.isoformat() if until else None,
            "quarantined": self.quarantined,
        }


def _seen(sighting: Sighting | None) -> dict[str, str] | None:
    return sighting and {"run": sighting.run, "at": sighting.at.isoformat()}


def steadiness(runs: Sequence[PastRun], today: date) -> list[Steadiness]:
    """How every conversation ended over these runs, what hurts most first.

    That is: what made most runs bad although its version passes too; what is in quarantine comes last.

    Args:
        runs: Oldest first.
        today: The day by which a quarantine is in force or over.
    """
    found: dict[tuple[str, str, str], _Past] = {}
    for run in runs:
        for case in run.cases:
            key = (case.suite, case.conversation, case.variant)
            found.setdefault(key, _Past()).take(run, case)
    told = (past.told(key, today) for key, past in found.items() if past.judged)
    return sorted(told, key=lambda each: each._hurts)


@dataclass(slots=True)
class _Past:
    """One conversation with one variant on its way through the runs."""

    judged: list[tuple[PastRun, CaseOutcomes]] = field(default_factory=list)
    errored: int = 0
    until: date | None = None

    def take(self, run: PastRun, case: CaseOutcomes) -> None:
        self.until = case.quarantined_until
        self.errored += case.errored
        if case.judged:
            self.judged.append((run, case))

    def told(self, key: tuple[str, str, str], today: date) -> Steadiness:
        versions = self._versions()
        mixed = [version for version in versions if _is_mixed(case for _, case in version)]
        failed = sorted(_at(run) for version in mixed for run, case in version if case.failed)
        return Steadiness(
            *key,
            runs=len({run.id for run, _ in self.judged}),
            versions=len(versions),
            trials=sum(case.judged for _, case in self.judged),
            passed=sum(case.passed for _, case in self.judged),
            errored=self.errored,
            interval=_interval([case for _, case in self.judged]),
            failed_runs=len(failed),
            since=_sighting(min(map(_first_mixed, mixed))) if mixed else None,
            last=_sighting(failed[-1]) if failed else None,
            failing=_failing([case for _, case in self.judged]),
            quarantined_until=self.until,
            quarantined=self.until is not None and today <= self.until,
        )

    def _versions(self) -> list[list[tuple[PastRun, CaseOutcomes]]]:
        """The runs by what was run: suite, assistant and target as they were."""
        found: dict[tuple[str, str, str], list[tuple[PastRun, CaseOutcomes]]] = {}
        for run, case in self.judged:
            version = (run.suites.get(case.suite, ""), case.fingerprint, run.target)
            found.setdefault(version, []).append((run, case))
        return list(found.values())


def _is_mixed(cases: Iterable[CaseOutcomes]) -> bool:
    outcomes = [(case.passed, case.failed) for case in cases]
    return any(passed for passed, _ in outcomes) and any(failed for _, failed in outcomes)


def _at(run: PastRun) -> tuple[datetime, str]:
    return run.started_at, run.id


def _sighting(at: tuple[datetime, str]) -> Sighting:
    return Sighting(at[1], at[0])


def _first_mixed(version: Sequence[tuple[PastRun, CaseOutcomes]]) -> tuple[datetime, str]:
    """The run by which both outcomes had been seen."""
    runs = range(1, len(version) + 1)
    first = next(number for number in runs if _is_mixed(case for _, case in version[:number]))
    return _at(version[first - 1][0])


def _failing(cases: Sequence[CaseOutcomes]) -> int:
    """How many of the latest runs have no pass."""
    count = 0
    for case in reversed(cases):
        if case.passed:
            break
        count += 1
    return count


def _interval(cases: Sequence[CaseOutcomes]) -> Interval:
    """Trials of one run share its faults; with a single run there is nothing but its trials."""
    import numpy as np

    outcomes = [value for case in cases for value in (1.0,) * case.passed + (0.0,) * case.failed]
    runs = [number for number, case in enumerate(cases) for _ in range(case.judged)]
    found = population_interval(np.array(outcomes)[:, None], np.array(runs), _CONFIDENCE)
    return found or wilson(sum(outcomes) / len(outcomes), len(outcomes), _CONFIDENCE)


def suggested_quarantine(found: Steadiness, until: date) -> Iterator[str]:
    """The lines of YAML that put a conversation into quarantine, with why."""
    since = f" since {found.since.at:%Y-%m-%d}" if found.since else ""
    failed = found.trials - found.passed
    yield f"# suite {found.suite}, conversation {found.conversation}: beside its id"
    yield (
        f"quarantine: {{until: {until}, "
        f'reason: "flaky{since}: {failed} of {found.trials} trials in {found.runs} runs failed"}}'
    )
