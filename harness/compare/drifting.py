"""Whether one suite gets slowly worse: which of its runs can be compared, and what the chart says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from harness.errors import SettingsError
from harness.results import CaseOutcomes, PastRun
from harness.stats.drift import (
    ARMED_AFTER,
    THRESHOLD,
    Point,
    Step,
    drift_chart,
    located_step,
    run_means,
    trial_errors,
)
from harness.text import counted, nearest

Word = Literal["alarm", "no alarm", "too few runs"]
_MOST_MISSING = 0.10


@dataclass(frozen=True, slots=True)
class Charted:
    """A run on the chart, with its pass rate (the mean over conversations)."""

    run: str
    at: datetime
    mean: float
    point: Point

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        at = self.at.isoformat()
        return {"run": self.run, "at": at, "mean": self.mean, **self.point._asdict()}


@dataclass(frozen=True, slots=True)
class Drift:
    """What the chart of a suite says.

    Attributes:
        suite: The suite.
        variant: Which of its variants.
        target: Where the assistant lived.
        branch: The git branch of the runs; None where that is not known.
        threshold: The sum above which there is an alarm.
        runs: Those on the chart, oldest first.
        cases: How many conversations their means are of.
        left_out: Why runs of this suite are not on the chart, with how many there are.
        quarantined: Conversations that are in quarantine now, left out of every run.
        step: Where the history falls best into two parts; a picture, no alarm.
    """

    suite: str
    variant: str
    target: str
    branch: str | None
    threshold: float
    runs: tuple[Charted, ...]
    cases: int
    left_out: dict[str, int]
    quarantined: tuple[str, ...]
    step: Step | None

    @property
    def alarms(self) -> tuple[Charted, ...]:
        """Every alarm in the history."""
        return tuple(each for each in self.runs if each.point.alarm)

    @property
    def standing(self) -> Charted | None:
        """The last alarm, until the chart has learned the level after it."""
        for each in reversed(self.runs):
            if each.point.alarm:
                return each
            if each.point.z is not None:
                return None
        return None

    @property
    def verdict(self) -> Word:
        """``alarm`` while one stands; without a charted sum at the latest run there are too few runs."""
        if self.standing:
            return "alarm"
        return "no alarm" if self.runs and self.runs[-1].point.z is not None else "too few runs"

    def reasons(self) -> Iterator[str]:
        """What it rests on, in sentences."""
        if self.standing:
            told = f"{self.standing.run} ({self.standing.at:%Y-%m-%d})"
            yield f"the sum passed {self.threshold:g} with run {told}"
            yield f"an alarm stands until {ARMED_AFTER} more runs have shown the level after it"
        elif self.verdict == "no alarm":
            yield f"the sum is {self.runs[-1].point.sum:.2f} and may be up to {self.threshold:g}"
        else:
            there = counted(len(self.runs), "run")
            yield f"{there} to compare, and the chart learns from the first {ARMED_AFTER}"
        for why, count in self.left_out.items():
            yield f"{counted(count, 'run')} left out: {why}"
        if self.quarantined:
            yield f"in quarantine and left out of every run: {', '.join(self.quarantined)}"
        if self.step:
            yield self._told(self.step)

    def _told(self, step: Step) -> str:
        first = self.runs[step.at]
        return (
            f"the history falls best into two parts before run {first.run} ({first.at:%Y-%m-%d}): "
            f"{step.before:.1%}, then {step.after:.1%}; a picture of where to look, no alarm"
        )

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        step = self.step and {**self.step._asdict(), "run": self.runs[self.step.at].run}
        named = ("verdict", "suite", "variant", "target", "branch", "threshold", "cases", "left_out")
        return {
            **{name: getattr(self, name) for name in named},
            "reasons": list(self.reasons()),
            "alarms": [each.run for each in self.alarms],
            "standing": self.standing.run if self.standing else None,
            "quarantined": list(self.quarantined),
            "step": step,
            "runs": [each.as_json() for each in self.runs],
        }


def drift(
    runs: Sequence[PastRun],
    suite: str,
    *,
    variant: str | None = None,
    target: str | None = None,
    threshold: float = THRESHOLD,
) -> Drift:
    """The chart of one suite over the runs that can be compared with the latest one.

    These are the runs of the same version of the suite with the same variant, on the same target and branch,
    in which nine in ten of its conversations were judged. The assistant may change: that is what is watched.

    Args:
        runs: With trials of the suite, oldest first; at least one.
        suite: The suite's name.
        variant: Which variant, watched up to the latest run that has it; the only one of the latest run when
            left out.
        target: Which target; that of the latest run when left out.
        threshold: The sum above which there is an alarm.

    Raises:
        SettingsError: There is no such variant or target, or several variants and none is named.
    """
    latest = _latest(runs, target, variant)
    name = variant or _only_variant(latest)
    quarantined = _quarantined(latest, name)
    reasons = [_unlike(run, latest, suite, name) for run in runs]
    like = [run for run, reason in zip(runs, reasons, strict=True) if reason is None]
    table = _Table.of(like, name, quarantined)
    left_out = Counter(reason for reason in reasons if reason)
    if partly := len(like) - len(table.runs):
        left_out["more than 10 % of its conversations were not judged"] = partly
    means, errors = table.means_and_errors()
    points = zip(table.runs, means, drift_chart(means, errors, threshold), strict=True)
    return Drift(
        suite=suite,
        variant=name,
        target=latest.target,
        branch=latest.branch,
        threshold=threshold,
        runs=tuple(Charted(run.id, run.started_at, mean, point) for run, mean, point in points),
        cases=len(table.cases),
        left_out=dict(left_out),
        quarantined=quarantined,
        step=located_step(means),
    )


def _latest(runs: Sequence[PastRun], target: str | None, variant: str | None) -> PastRun:
    there = [run for run in runs if target in (None, run.target)]
    if not there:
        known = sorted({run.target for run in runs})
        raise SettingsError(f"no run of this suite was at the target {target!r}", hint=_known(target, known))
    found = next((run for run in reversed(there) if variant in (None, *_variants(run))), None)
    if found is None:
        known = sorted({name for run in there for name in _variants(run)})
        raise SettingsError(f"no run of this suite has a variant {variant!r}", hint=_known(variant, known))
    return found


def _variants(run: PastRun) -> list[str]:
    return list(dict.fromkeys(case.variant for case in run.cases))


def _only_variant(latest: PastRun) -> str:
    known = _variants(latest)
    if len(known) > 1:
        told = ", ".join(map(repr, known))
        raise SettingsError(
            f"the latest run {latest.id} has several variants: {told}",
            hint="Say which one is watched with --variant NAME.",
        )
    return known[0]


def _known(asked: str | None, known: Sequence[str]) -> str:
    near = nearest(asked or "", known)
    told = ", ".join(map(repr, known))
    return (f"Did you mean {near!r}? " if near else "") + f"There are: {told}."


def _quarantined(latest: PastRun, variant: str) -> tuple[str, ...]:
    """What was in quarantine in the latest run is left out of all: so a quarantine moves no mean."""
    day = latest.started_at.date()
    kept = (case for case in latest.cases if case.variant == variant and case.quarantined_until)
    return tuple(sorted(case.conversation for case in kept if day <= (case.quarantined_until or day)))


def _unlike(run: PastRun, latest: PastRun, suite: str, variant: str) -> str | None:
    """Why a run can't be compared with the latest one; None if it can."""
    if run.target != latest.target:
        return "another target"
    if run.branch != latest.branch:
        return "another branch"
    if run.suites.get(suite) != latest.suites.get(suite):
        return "another version of the suite"
    return None if any(case.variant == variant for case in run.cases) else "another variant"


@dataclass(frozen=True, slots=True)
class _Table:
    """Judged trials by run and conversation, of the runs in which nearly all conversations were judged."""

    runs: tuple[PastRun, ...]
    cases: tuple[str, ...]
    outcomes: tuple[dict[str, CaseOutcomes], ...]

    @classmethod
    def of(cls, runs: Sequence[PastRun], variant: str, without: Sequence[str]) -> _Table:
        outcomes = [_judged(run, variant, without) for run in runs]
        cases = tuple(sorted({name for found in outcomes for name in found}))
        whole = [len(found) >= (1 - _MOST_MISSING) * len(cases) and bool(found) for found in outcomes]
        kept = [
            pair for pair, is_whole in zip(zip(runs, outcomes, strict=True), whole, strict=True) if is_whole
        ]
        return cls(tuple(run for run, _ in kept), cases, tuple(found for _, found in kept))

    def means_and_errors(self) -> tuple[list[float], list[float]]:
        """The mean of each run, and the standard error that its trials alone give it."""
        import numpy as np

        if not self.runs:
            return [], []
        nothing = CaseOutcomes(suite="", conversation="", variant="", fingerprint="")
        rows = [[found.get(case, nothing) for case in self.cases] for found in self.outcomes]
        passed, judged = (
            np.array([[getattr(case, name) for case in row] for row in rows], dtype=float)
            for name in ("passed", "judged")
        )
        return run_means(passed, judged).tolist(), trial_errors(passed, judged).tolist()


def _judged(run: PastRun, variant: str, without: Sequence[str]) -> dict[str, CaseOutcomes]:
    """The conversations of a run with a judged trial, by id."""
    cases = (case for case in run.cases if case.variant == variant and case.judged)
    return {case.conversation: case for case in cases if case.conversation not in without}
