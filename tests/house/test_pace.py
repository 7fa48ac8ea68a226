"""Tests that draw examples do so at any pace: a busy machine is slow, not wrong."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parents[1]


def test_examples_are_the_same_in_every_run_and_may_take_their_time() -> None:
    usual = settings.get_profile("harness")
    assert (usual.derandomize, usual.deadline) == (True, None)
    assert HealthCheck.too_slow in usual.suppress_health_check


def test_health_checks_that_a_test_names_itself_still_let_it_be_slow() -> None:
    named = {
        (str(file.relative_to(TESTS)), checks)
        for file in TESTS.rglob("*.py")
        for checks in re.findall(r"suppress_health_check=(\[[^\]]*\])", file.read_text("utf-8"))
    }
    assert len(named) > 5
    assert [each for each in sorted(named) if "too_slow" not in each[1]] == []
