"""Users who asked to be forgotten: every report says whether the target confirmed it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from harness.reporters.console import ConsoleReporter
from harness.reporters.junit import JunitReporter
from harness.reporters.transcripts import Answers, Texts, trial_record
from harness.results import SuiteRun, TrialResult
from harness.trace.records import Deletion

CONFIRMED = Deletion(confirmed=True, deleted=("thread_1",))
NOT_CONFIRMED = Deletion(confirmed=False, error="thread_2: still there")


def forgetting(run: SuiteRun, *deletions: Deletion) -> SuiteRun:
    """The run, in whose first trials users asked to be forgotten after the first turn."""
    results = list(run.results)
    for place, deletion in enumerate(deletions):
        results[place] = _with(results[place], deletion)
    return replace(run, results=tuple(results))


def _with(result: TrialResult, deletion: Deletion) -> TrialResult:
    assert result.trace is not None
    first, *others = result.trace.turns
    return replace(result, trace=replace(result.trace, turns=(replace(first, deletion=deletion), *others)))


def properties(run: SuiteRun) -> list[str]:
    root = ET.fromstring(JunitReporter().render(run))
    return [each.get("value") or "" for each in root.iter("property") if each.get("name") == "user_forgotten"]


def test_the_terminal_counts_what_was_confirmed(run: SuiteRun) -> None:
    text = ConsoleReporter().render(forgetting(run, CONFIRMED, NOT_CONFIRMED))
    assert "users forgotten on request: 1 of 2 confirmed by the target" in text
    assert "forgotten" not in ConsoleReporter().render(run)


def test_junit_has_it_as_a_property_of_the_test_case(run: SuiteRun) -> None:
    asked = forgetting(run, CONFIRMED, NOT_CONFIRMED)
    assert sorted(properties(asked)) == ["confirmed", "no: thread_2: still there"]
    assert properties(run) == []


@pytest.mark.parametrize(
    ("deletion", "shown"),
    [
        (CONFIRMED, {"confirmed": True, "deleted": ["thread_1"]}),
        (NOT_CONFIRMED, {"confirmed": False, "error": "thread_2: still there"}),
    ],
    ids=["confirmed", "not confirmed"],
)
def test_the_page_is_given_what_came_of_it(
    run: SuiteRun, deletion: Deletion, shown: dict[str, object]
) -> None:
    result = forgetting(run, deletion).results[0]
    assert result.trace is not None
    says = [turn.user.text for turn in result.trace.turns]
    record = trial_record(result, says, Answers(0), Texts())
    assert record["turns"][0]["deletion"] == shown
