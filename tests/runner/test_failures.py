"""When a run has gone wrong often enough."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.results import Outcome, TrialResult
from harness.runner.failures import FailureLimit

NOW = datetime(2026, 1, 2, tzinfo=UTC)
OUTCOMES = st.lists(st.sampled_from(["passed", "failed", "errored", "skipped"]), max_size=30)
MOST = st.none() | st.integers(1, 10)


def ended(outcome: Outcome) -> TrialResult:
    fields: dict[str, Any] = {"suite": "s", "conversation": "c", "variant": "v", "fingerprint": "f"}
    return TrialResult(trial_id="t", repeat=1, outcome=outcome, started_at=NOW, ended_at=NOW, **fields)


@given(OUTCOMES, MOST, MOST)
def test_a_limit_is_reached_by_the_trial_that_makes_the_number_full(
    outcomes: list[Outcome], most_failures: int | None, most_errors: int | None
) -> None:
    limit = FailureLimit(most_failures, most_errors)
    reached = [limit.is_reached_by(ended(outcome)) for outcome in outcomes]
    for place, said in enumerate(reached):
        so_far = outcomes[: place + 1]
        errors, bad = so_far.count("errored"), so_far.count("errored") + so_far.count("failed")
        full = (most_failures is not None and bad >= most_failures) or (
            most_errors is not None and errors >= most_errors
        )
        assert said == (full and outcomes[place] in ("failed", "errored"))


def test_without_a_limit_any_number_may_go_wrong() -> None:
    limit = FailureLimit()
    assert not any(limit.is_reached_by(ended("failed")) for _ in range(1000))
