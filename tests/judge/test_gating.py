"""A judge has a say only where it was measured, on this rubric and version, and was good enough."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from harness.judge.gating import Judging, why_not_enough
from harness.results import Calibration, Estimate


def calibration(**changed: Any) -> Calibration:
    told: dict[str, Any] = {
        "rubric": "kind",
        "fingerprint": "f",
        "model": "j-1",
        "made_at": datetime(2026, 1, 1, tzinfo=UTC),
        "rows": 40,
        "judged": 40,
        "met": 20,
        "unmet": 20,
        "kappa": Estimate(value=0.7, low=0.5, high=0.9),
    }
    return Calibration(**{**told, **changed})


def judging(*known: Calibration, least: float = 0.4) -> Judging:
    return Judging(calibrations={(each.fingerprint, each.model): each for each in known}, least_kappa=least)


def test_a_judge_that_agrees_with_people_may_gate() -> None:
    assert judging(calibration()).why_informational("f", ["j-1"]) is None


@pytest.mark.parametrize(
    ("fingerprint", "models", "told"),
    [
        ("g", ["j-1"], "j-1 was not calibrated on this rubric"),
        ("f", ["j-2"], "calibrated for j-1, and j-2 answered: another version"),
        ("f", ["j-1", "j-2"], "j-2 answered"),
    ],
)
def test_another_rubric_or_version_was_not_measured(fingerprint: str, models: list[str], told: str) -> None:
    assert told in str(judging(calibration()).why_informational(fingerprint, models))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"judged": 19}, "calibrated on 19 rows with a verdict, and 20 are needed"),
        ({"met": 36, "unmet": 4}, "36 rows that people found met and 4 unmet, and 5 of each are needed"),
        ({"kappa": None}, "it always says the same"),
        ({"kappa": Estimate(value=0.3, low=0.1, high=0.5)}, "kappa 0.30 (0.10 to 0.50), and 0.4 is needed"),
        ({"kappa": Estimate(value=0.5, low=-0.1, high=0.9)}, "which may be chance"),
    ],
)
def test_a_calibration_that_says_too_little_or_nothing_good_lets_nobody_gate(changed: Any, told: str) -> None:
    found = calibration(**changed)
    assert told in str(why_not_enough(found, 0.4))
    assert told in str(judging(found).why_informational("f", ["j-1"]))


def test_what_is_needed_can_be_set() -> None:
    assert judging(calibration(), least=0.8).why_informational("f", ["j-1"]) is not None
