"""Who may gate: a judge whose agreement with people was measured, by this rubric and this model version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harness.results import Calibration
from harness.suite.records import Rubric

LEAST_ROWS = 20
"""Rows with a verdict that a calibration needs; with fewer its intervals say next to nothing."""
LEAST_OF_A_KIND = 5
"""Rows that people found met, and rows that they found unmet: without both nothing is told apart."""
LEAST_KAPPA = 0.4
"""Cohen's kappa that a judge must reach unless a setting says otherwise: moderate agreement (Landis and
Koch, 1977)."""


class Judging(msgspec.Struct, frozen=True):
    """What judges were asked, and how far they agree with people.

    Attributes:
        rubrics: Of the suite, by name.
        calibrations: The latest by rubric fingerprint and model.
        least_kappa: What a judge must reach.
    """

    rubrics: Mapping[str, Rubric] = msgspec.field(default_factory=dict)
    calibrations: Mapping[tuple[str, str], Calibration] = msgspec.field(default_factory=dict)
    least_kappa: float = LEAST_KAPPA

    def of_suite(self, rubrics: Mapping[str, Rubric]) -> Judging:
        """The same for the rubrics of a suite."""
        return Judging(rubrics, self.calibrations, self.least_kappa)

    def why_informational(self, fingerprint: str, models: Sequence[str]) -> str | None:
        """Why verdicts by this rubric and these model versions may not gate; None when they may."""
        for model in models:
            if why := self._why(self.calibrations.get((fingerprint, model)), fingerprint, model):
                return why
        return None

    def _why(self, found: Calibration | None, fingerprint: str, model: str) -> str | None:
        if found is not None:
            return why_not_enough(found, self.least_kappa)
        others = sorted(name for known, name in self.calibrations if known == fingerprint)
        if others:
            return f"it was calibrated for {', '.join(others)}, and {model} answered: another version"
        return f"{model} was not calibrated on this rubric"


NOTHING_JUDGED = Judging()


def why_not_enough(found: Calibration, least_kappa: float) -> str | None:
    """Why a calibration does not let its judge gate; None when it does."""
    if found.judged < LEAST_ROWS:
        return f"it was calibrated on {found.judged} rows with a verdict, and {LEAST_ROWS} are needed"
    if min(found.met, found.unmet) < LEAST_OF_A_KIND:
        kinds = f"{found.met} rows that people found met and {found.unmet} unmet"
        return f"it was calibrated on {kinds}, and {LEAST_OF_A_KIND} of each are needed"
    if found.kappa is None:
        return "its agreement with people has no value: it always says the same"
    told = f"its agreement with people is kappa {found.kappa.value:.2f}"
    interval = f"({found.kappa.low:.2f} to {found.kappa.high:.2f})"
    if found.kappa.value < least_kappa:
        return f"{told} {interval}, and {least_kappa:g} is needed"
    return f"{told} {interval}, which may be chance" if found.kappa.low <= 0 else None
