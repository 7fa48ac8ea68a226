"""Runs are charted with those they can be compared with, and the others are counted by why they can't."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from harness.compare.drifting import drift
from harness.errors import SettingsError
from harness.results import CaseOutcomes, PastRun

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
CASES = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")


def run(number: int, failed: int = 0, cases: tuple[str, ...] = CASES, **changes: Any) -> PastRun:
    """A run of ten trials of each conversation, some of which fail, one in each conversation in turn."""
    outcomes = (
        CaseOutcomes(
            suite="shop",
            conversation=name,
            variant="bot",
            fingerprint=f"v{number}",
            passed=10 - (place < failed),
            failed=int(place < failed),
        )
        for place, name in enumerate(cases)
    )
    fields: dict[str, Any] = {
        "id": f"run-{number:02}",
        "started_at": START + timedelta(days=number),
        "target": "embedded",
        "branch": "main",
        "suites": {"shop": "s1"},
        "cases": tuple(outcomes),
    }
    return PastRun(**(fields | changes))


def history(*failures: int, first: int = 0) -> list[PastRun]:
    return [run(first + number, failed) for number, failed in enumerate(failures)]


STEADY = [2, 3] * 6


def test_up_to_ten_runs_are_too_few():
    found = drift(history(*STEADY[:10]), "shop")
    assert found.verdict == "too few runs"
    assert next(found.reasons()) == "10 runs to compare, and the chart learns from the first 10"


def test_a_steady_history_has_no_alarm_also_when_the_assistant_changes():
    found = drift(history(*STEADY), "shop")
    assert found.verdict == "no alarm"
    assert len(found.runs) == 12
    assert found.runs[0].mean == pytest.approx(0.98)


def test_a_drop_raises_an_alarm_that_stands_until_the_level_is_learned():
    dropped = [*STEADY, 9, 9]
    found = drift(history(*dropped), "shop")
    assert found.verdict == "alarm"
    assert found.standing.run == "run-13"
    assert drift(history(*dropped, *[9, 8] * 5), "shop").verdict == "alarm"
    later = drift(history(*dropped, *[9, 8] * 5, 9), "shop")
    assert later.verdict == "no alarm"
    assert [each.run for each in later.alarms] == ["run-13"]


def test_where_the_step_was_is_a_picture():
    found = drift(history(*STEADY, 9, 9, 9), "shop")
    assert found.runs[found.step.at].run == "run-12"
    assert any("a picture of where to look, no alarm" in each for each in found.reasons())


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (run(50, 9, target="chat"), "another target"),
        (run(50, 9, branch="topic"), "another branch"),
        (run(50, 9, suites={"shop": "s0"}), "another version of the suite"),
        (run(50, 9, ("a", "b")), "more than 10 % of its conversations were not judged"),
    ],
)
def test_a_run_that_can_not_be_compared_is_left_out_and_counted(other, why):
    found = drift([other, *history(*STEADY, first=60)], "shop")
    assert found.left_out == {why: 1}
    assert len(found.runs) == 12
    assert any(each == f"1 run left out: {why}" for each in found.reasons())


def test_what_is_in_quarantine_now_is_left_out_of_every_run():
    runs = history(*STEADY, 2)
    until = runs[-1].started_at.date()
    kept = msgspec.structs.replace(runs[-1].cases[0], quarantined_until=until)
    runs[-1] = msgspec.structs.replace(runs[-1], cases=(kept, *runs[-1].cases[1:]))
    found = drift(runs, "shop")
    assert found.quarantined == ("a",)
    assert found.cases == 9
    assert found.runs[0].mean == pytest.approx(1 - 1 / 90)
    over = msgspec.structs.replace(kept, quarantined_until=until - timedelta(days=1))
    runs[-1] = msgspec.structs.replace(runs[-1], cases=(over, *runs[-1].cases[1:]))
    assert drift(runs, "shop").quarantined == ()


def test_a_suite_that_is_in_quarantine_as_a_whole_has_nothing_to_chart():
    runs = history(2)
    until = runs[-1].started_at.date()
    kept = tuple(msgspec.structs.replace(each, quarantined_until=until) for each in runs[-1].cases)
    found = drift([msgspec.structs.replace(runs[-1], cases=kept)], "shop")
    assert found.verdict == "too few runs"
    assert found.step is None


def test_errored_trials_are_missing_and_not_failed():
    errored = tuple(msgspec.structs.replace(each, passed=5, failed=0, errored=5) for each in run(0).cases)
    found = drift([run(0), msgspec.structs.replace(run(1), cases=errored)], "shop")
    assert [each.mean for each in found.runs] == [1.0, 1.0]


def test_a_variant_that_is_named_is_watched_up_to_the_latest_run_that_has_it():
    experiment = run(2)
    cases = tuple(msgspec.structs.replace(each, variant="tried") for each in experiment.cases)
    runs = [run(0), run(1), msgspec.structs.replace(experiment, cases=cases)]
    assert len(drift(runs, "shop", variant="bot").runs) == 2
    assert drift(runs, "shop").variant == "tried"


def test_of_several_variants_one_must_be_named():
    twice = run(0)
    other = tuple(msgspec.structs.replace(each, variant="new", passed=0, failed=10) for each in twice.cases)
    both = [msgspec.structs.replace(twice, cases=(*twice.cases, *other))]
    with pytest.raises(SettingsError, match="several variants: 'bot', 'new'"):
        drift(both, "shop")
    assert drift(both, "shop", variant="new").runs[0].mean == 0
    with pytest.raises(SettingsError, match="no run of this suite has a variant 'bit'") as caught:
        drift(both, "shop", variant="bit")
    assert "Did you mean 'bot'?" in str(caught.value.hint)


def test_an_unknown_target_is_refused_with_those_there_are():
    with pytest.raises(SettingsError, match="no run of this suite was at the target 'chat'") as caught:
        drift(history(1), "shop", target="chat")
    assert "'embedded'" in str(caught.value.hint)


def test_the_chart_as_json_names_every_run():
    told = drift(history(*STEADY, 9, 9), "shop").as_json()
    assert told["verdict"] == "alarm"
    assert told["standing"] == "run-13"
    assert told["runs"][0] == {
        "run": "run-00",
        "at": "2026-05-01T08:00:00+00:00",
        "mean": pytest.approx(0.98),
        "z": None,
        "sum": 0.0,
        "alarm": False,
    }
    assert told["step"]["run"] == "run-12"
