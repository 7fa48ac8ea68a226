"""How many trials a drop takes: from numbers, or from the trials of a pilot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.compare.pairs import side
from harness.compare.table import Trial, variants_in
from harness.errors import SettingsError
from harness.stats.arms import counts, within_case_variance
from harness.stats.looks import spending_levels
from harness.stats.planning import POWER, USUAL_VARIANCE, smallest_drop, trials_needed

_SHOWN = (1, 2, 3, 5, 8, 12, 20)
_MOST_LOOKS = 20
_LARGEST_VARIANCE = 0.5
"""Of two trials with both outcomes: no mean of sample variances is above it."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a plan is for.

    Attributes:
        drop: The drop of the pass rate to be found.
        alpha: Level of the gate.
        power: How often it is to be found.
        cases: How many conversations; from the pilot where not said.
        trials: Trials of each per variant whose reach is asked about.
        variance: Between trials of one case; from the pilot where not said.
    """

    drop: float = 0.05
    alpha: float = 0.05
    power: float = POWER
    cases: int | None = None
    trials: int | None = None
    variance: float | None = None

    def __post_init__(self) -> None:
        limits = (
            ("drop", self.drop, 1.0),
            ("alpha", self.alpha, 0.5),
            ("power", self.power, 1.0),
            ("variance", self.variance, _LARGEST_VARIANCE),
        )
        for name, value, most in limits:
            if value is not None and not 0 < value < most:
                raise SettingsError(f"--{name} {value:g} is not between 0 and {most:g}")
        if self.power <= self.alpha:
            raise SettingsError(
                f"--power {self.power:g} is not above --alpha {self.alpha:g}, which finds as much by chance",
                hint=f"Usual is --power {POWER:g}.",
            )


@dataclass(frozen=True, slots=True)
class Pilot:
    """What trials of a suite say for planning.

    Attributes:
        cases: With a judged trial.
        variance: Mean variance between trials of one case; None where none was tried twice.
        trial_usd: What a trial costs on average; None where it is not known.
    """

    cases: int
    variance: float | None
    trial_usd: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How many trials it takes.

    Attributes:
        drop: To be found.
        alpha: Level of the gate.
        power: How often.
        cases: How many.
        variance: Between trials of one case.
        source: Where the variance is from.
        needed: Trials per case and variant.
        trial_usd: What one costs.
        needed_usd: What all trials of both variants cost.
        visible: Trials per case and variant, with the smallest drop that they find; None where they find
            none.
        levels: Of looks after every pass from the second to the last; empty for one or many passes.
    """

    drop: float
    alpha: float
    power: float
    cases: int
    variance: float
    source: str
    needed: int
    trial_usd: float | None
    needed_usd: float | None
    visible: tuple[tuple[int, float | None], ...]
    levels: tuple[float, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        fields = {name: getattr(self, name) for name in Plan.__slots__}
        visible = [{"trials": trials, "smallest_drop": smallest} for trials, smallest in self.visible]
        return {**fields, "visible": visible, "levels": list(self.levels)}


def pilot(trials: Sequence[Trial]) -> Pilot:
    """What a pilot says; the trials of all its variants count, each variant's cases by themselves."""
    found: list[tuple[int, float]] = []
    cases: set[str] = set()
    for variant in variants_in(trials):
        rows = [trial for trial in trials if trial.variant == variant]
        ids = sorted({trial.case_id for trial in rows})
        values = side(rows, ids, "passed")
        judged = counts(values) > 0
        cases.update(case for case, there in zip(ids, judged, strict=True) if there)
        variance = within_case_variance(values[judged]) if judged.any() else None
        if variance is not None:
            found.append((int((counts(values) >= 2).sum()), variance))
    whole = sum(weight for weight, _ in found)
    variance = sum(weight * each for weight, each in found) / whole if whole else None
    return Pilot(len(cases), variance, _trial_usd(trials))


def _trial_usd(trials: Sequence[Trial]) -> float | None:
    ids = list(dict.fromkeys((trial.case_id, trial.variant) for trial in trials))
    sums = {each: [0.0, 0.0] for each in ids}
    for trial in trials:
        if trial.cost_usd == trial.cost_usd:  # NaN is a cost that is not known
            known = sums[trial.case_id, trial.variant]
            known[0] += trial.cost_usd
            known[1] += 1
    means = [usd / n for usd, n in sums.values() if n]
    return sum(means) / len(means) if means else None


def plan(aim: Aim, seen: Pilot | None = None) -> Plan:
    """The plan for an aim.

    Args:
        aim: What is to be found.
        seen: What a pilot says of cases, variance and cost.

    Raises:
        SettingsError: Nobody says how many cases there are.
    """
    cases = aim.cases or (seen.cases if seen else None)
    if cases == 0:
        raise SettingsError(
            "not one trial of the pilot was judged, so it says nothing of the suite",
            hint="Name another one, or give --cases N and --variance V.",
        )
    if not cases:
        raise SettingsError(
            "how many conversations the suite has is not known",
            hint="Give --cases N, or a pilot with --csv FILE or --run RUN.",
        )
    variance, source = _variance(aim, seen)
    needed = trials_needed(cases, aim.drop, variance, aim.alpha, aim.power)
    if needed is None:
        raise SettingsError(
            f"no number of trials that anybody runs finds a drop of {aim.drop:g} with {cases} cases",
            hint="More than a million of each case would be needed; ask for a larger --drop.",
        )
    usd = seen.trial_usd if seen else None
    shown = [aim.trials] if aim.trials else sorted({*_SHOWN, needed})
    return Plan(
        aim.drop,
        aim.alpha,
        aim.power,
        cases,
        variance,
        source,
        needed,
        usd,
        None if usd is None else usd * 2 * needed * cases,
        tuple((k, smallest_drop(cases, k, k, variance, aim.alpha, aim.power)) for k in shown),
        spending_levels(needed, aim.alpha) if 2 < needed <= _MOST_LOOKS else (),
    )


def _variance(aim: Aim, seen: Pilot | None) -> tuple[float, str]:
    if aim.variance is not None:
        return aim.variance, "as given"
    if seen and seen.variance is not None:
        return seen.variance, "from the pilot"
    return USUAL_VARIANCE, "assumed: a third of the cases flaky; a pilot with two trials a case tells better"
