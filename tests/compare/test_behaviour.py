"""What two variants do, and their hand-overs, side by side."""

from __future__ import annotations

import math

from harness.compare.asked import Judged
from harness.compare.behaviour import Did
from harness.compare.difference import Differences, Seen, differences
from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.compare.verdict import Question
from harness.reporters.comparison import beyond

LOOKS_UP = Did(
    functions=2, searches=1, code=0, citations=1, called=frozenset({"lookup"}), cited=frozenset({"a"})
)
IDLE = Did(functions=0, searches=1, code=0, citations=1, cited=frozenset({"b"}))


def side(variant: str, done: Did, missed: float = math.nan, needless: float = math.nan) -> list[Seen]:
    return [
        Seen(
            Judged(Trial(f"s/{case}", f"g{case}", variant, str(repeat), 1.0), "s", (), {}, missed, needless),
            {},
            done,
        )
        for case in range(12)
        for repeat in range(2)
    ]


def found(before: list[Seen], after: list[Seen]) -> Differences:
    return differences(before, after, Question())


def test_what_is_done_more_or_less_is_said_and_what_is_never_done_is_not() -> None:
    told = found(side(BASELINE, LOOKS_UP), side(CANDIDATE, IDLE)).behaviour
    means = {each.name: (each.before, each.after) for each in told.habits}
    assert means == {"function calls": (2, 0), "searches": (1, 1), "citations": (1, 1)}
    assert len(told.other_calls) == len(told.other_citations) == 12


def test_trials_without_a_trace_differ_in_nothing() -> None:
    told = found(side(BASELINE, LOOKS_UP), side(CANDIDATE, Did()))
    assert told.behaviour.other_calls == ()
    assert told.behaviour.habits == ()
    assert found(side(BASELINE, Did()), side(CANDIDATE, Did())).behaviour.as_json()["means"] == []


def test_hand_overs_are_shown_as_recognition_where_they_are_judged() -> None:
    told = found(side(BASELINE, IDLE, 1.0, 1.0), side(CANDIDATE, IDLE, 0.0, 1.0))
    assert told.hand_overs is not None
    before, after = told.hand_overs
    assert (before.right, before.rightly_none, after.missed) == (24, 24, 24)
    assert (before.recall.value, after.recall.value, after.precision.value) == (1.0, 0.0, None)
    lines = list(beyond(told))
    assert lines[1].startswith("hand-overs of the baseline: recall 1.00 (")
    assert "precision not known" in lines[2]
    assert found(side(BASELINE, IDLE), side(CANDIDATE, IDLE)).hand_overs is None
