"""What is said of two variants does not hang on order, names or sides."""

from __future__ import annotations

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.asked import Judged
from harness.compare.difference import Differences, Seen, differences
from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.compare.verdict import Question
from harness.compare.versions import changes

Outcomes = list[list[float]]
SUITES = st.lists(
    st.lists(st.sampled_from([1.0, 1.0, 0.0, math.nan]), min_size=1, max_size=5), min_size=1, max_size=8
)


def seen(outcomes: Outcomes, variant: str, first: int = 0, clusters: int = 100) -> list[Seen]:
    return [
        _seen(case + first, repeat, passed, variant, clusters) for case, repeat, passed in _each(outcomes)
    ]


def _each(outcomes: Outcomes) -> list[tuple[int, int, float]]:
    return [(case, n, passed) for case, row in enumerate(outcomes) for n, passed in enumerate(row, start=1)]


def _seen(case: int, repeat: int, passed: float, variant: str, clusters: int) -> Seen:
    trial = Trial(
        f"s/{case}", f"g{case % clusters}", variant, str(repeat), passed, passed, 0.01 * (1 + case), 1.0
    )
    judged = Judged(trial, "s", (f"t{case % 2}",), {"answer": passed}, math.nan, math.nan)
    return Seen(judged, {} if math.isnan(passed) else {"answer": passed})


def found(before: Outcomes, after: Outcomes, **more: int) -> Differences:
    return differences(seen(before, BASELINE, **more), seen(after, CANDIDATE), Question())


@settings(max_examples=40, deadline=None)
@given(SUITES, SUITES)
def test_sides_changed_about_turn_every_list_about(before: Outcomes, after: Outcomes) -> None:
    one, other = found(before, after).conversations, found(after, before).conversations
    assert (one.regressed, one.fixed) == (other.fixed, other.regressed)
    assert (one.worse_unconfirmed, one.better_unconfirmed) == (
        other.better_unconfirmed,
        other.worse_unconfirmed,
    )
    assert (one.new, one.missing, one.flaky) == (other.missing, other.new, other.flaky)


@settings(max_examples=25, deadline=None)
@given(SUITES, SUITES, st.randoms(use_true_random=False))
def test_the_order_of_trials_changes_nothing(
    before: Outcomes, after: Outcomes, chance: random.Random
) -> None:
    sides = seen(before, BASELINE), seen(after, CANDIDATE)
    mixed = [chance.sample(side, len(side)) for side in sides]
    assert differences(*mixed, Question()).as_json() == differences(*sides, Question()).as_json()


@settings(max_examples=25, deadline=None)
@given(SUITES)
def test_what_did_not_change_is_neither_better_nor_worse(outcomes: Outcomes) -> None:
    same = found(outcomes, outcomes)
    parts = (*same.metrics, *same.tags, *same.checks)
    assert {each.opinion for each in parts} <= {"not worse", "undecided"}
    assert not (same.conversations.to_read or same.conversations.fixed)


def test_a_part_among_many_is_held_to_its_share_of_the_level() -> None:
    both = found([[1.0] * 5] * 6, [[1.0] * 5] * 6)
    assert {each.found.question.alpha for each in both.tags} == {0.025}
    assert both.clusters == both.suites == ()


def test_only_clusters_of_several_conversations_are_parts() -> None:
    sides = [seen([[1.0] * 3] * 5, side, clusters=4) for side in (BASELINE, CANDIDATE)]
    assert [each.name for each in differences(*sides, Question()).clusters] == ["g0"]


def test_equal_contents_have_no_changes_and_one_sided_parts_do() -> None:
    bare = {"assistant": {"instructions": "Be kind.\nBe brief.", "model": "m", "temperature": 0.2}}
    assert changes(bare, bare) == ()
    richer = {"assistant": {**bare["assistant"], "tools": [{"type": "file_search"}], "temperature": 0.5}}
    told = {each.part: each.lines for each in changes(bare, richer)}
    assert set(told) == {"tools", "options"}
    assert told["options"][1:] == ("-temperature: 0.2", "+temperature: 0.5")
