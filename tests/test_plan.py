"""Plans: which trials there are, in which order, made when they are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.plan import Plan, make_plan
from harness.suite.records import AssistantFile, Conversation, Suite, Turn, Variant

VARIANT = Variant(name="main", assistant=AssistantFile(name="Bot", model="m"), fingerprint="f")


def suite(name: str, repeats: int, own: list[int | None]) -> Suite:
    conversations = tuple(
        Conversation(id=f"c{place}", turns=(Turn(user="hello"),), repeats=often)
        for place, often in enumerate(own)
    )
    return Suite(
        name=name, source=Path("s.yaml"), variant=VARIANT, repeats=repeats, conversations=conversations
    )


often = st.integers(1, 4)
suites = st.lists(st.tuples(often, st.lists(st.none() | often, max_size=4)), max_size=3).map(
    lambda drawn: [suite(f"s{place}", repeats, own) for place, (repeats, own) in enumerate(drawn)]
)


@given(suites, st.none() | often)
def test_a_plan_is_whole_passes_over_the_suites_one_repeat_after_the_other(drawn, override):
    expected = [
        f"{each.name}/{conversation.id}@main#{repeat}"
        for repeat in range(1, 5)
        for each in drawn
        for conversation in each.conversations
        if repeat <= (override or conversation.repeats or each.repeats)
    ]
    trials = make_plan(drawn, repeats=override).trials
    assert [trial.id for trial in trials] == expected
    assert [trial.position for trial in trials] == list(range(len(trials)))
    assert [trials[-place].id for place in range(1, len(trials) + 1)] == expected[::-1]


@given(suites, st.data())
def test_what_is_left_of_a_plan_keeps_its_order_and_places(drawn, data):
    plan = make_plan(drawn)
    ids = [trial.id for trial in plan.trials]
    finished = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
    left = plan.without(finished)
    assert [trial.id for trial in left.trials] == [each for each in ids if each not in finished]
    assert all(plan.trials[trial.position] == trial for trial in left.trials)


def test_a_place_outside_the_plan_has_no_trial():
    with pytest.raises(IndexError):
        make_plan([suite("s", 2, [None])]).trials[2]


def test_a_plan_of_a_hundred_million_trials_is_made_at_once():
    plan: Plan = make_plan([suite("s", 10_000, [None] * 10_000)])
    assert len(plan.trials) == 100_000_000
    assert plan.trials[-1].id == "s/c9999@main#10000"
