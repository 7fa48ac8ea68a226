from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.scorers.trajectory import in_partial_order, in_sequence, score_of, unordered
from harness.suite.records import TrajectoryStep
from harness.suite.trajectories import predecessors
from harness.trace.records import RunStep, ToolCall


def made(talk: Any, *batches: str) -> Any:
    """A turn whose run steps call these tools; the tools of one batch stand in one text."""
    steps = []
    for number, batch in enumerate(batches):
        calls = tuple(
            ToolCall(
                id=f"{name}-{number}",
                type=name if name in ("file_search", "code_interpreter") else "function",
                name=name,
                arguments="{}",
            )
            for name in batch.split()
        )
        steps.append(RunStep(id=f"step_{number}", type="tool_calls", status="completed", tool_calls=calls))
    return talk.turn("Done.", steps=tuple(steps))


def judged(talk: Any, turn: Any, **wanted: Any) -> Any:
    return talk.one([turn], {"trajectory": wanted})


@pytest.mark.parametrize(
    ("order", "called", "score"),
    [
        ("sequence", "look_up check file", 1.0),
        ("sequence", "look_up other check file", 1.0),
        ("sequence", "check look_up file", 2 / 3),
        ("sequence", "file check look_up", 1 / 3),
        ("sequence", "", 0.0),
        ("multiset", "file check look_up", 1.0),
        ("multiset", "file look_up", 2 / 3),
        ("set", "file file check look_up", 1.0),
    ],
)
def test_the_score_is_the_share_of_steps_made_in_order(
    talk: Any, order: str, called: str, score: float
) -> None:
    found = judged(talk, made(talk, *called.split()), steps=["look_up", "check", "file"], order=order)
    assert found.value == pytest.approx(score, abs=1e-4)
    assert found.passed is (score == 1.0)


@pytest.mark.parametrize(
    ("order", "steps", "called", "score"),
    [
        ("sequence", ["a", "b"], "a b", 1.0),
        ("sequence", ["a", "b"], "a b c", 4 / 5),
        ("sequence", ["a", "b"], "a a b", 4 / 5),
        ("multiset", ["a", "a", "b"], "b a a", 1.0),
        ("multiset", ["a", "a", "b"], "b a", 4 / 5),
        ("multiset", ["a", "b"], "b a a", 4 / 5),
        ("set", ["a", "b"], "b a a a", 1.0),
        ("set", ["a", "b"], "b a c", 4 / 5),
    ],
)
def test_without_others_calls_beside_the_steps_cost_as_much_as_missing_ones(
    talk: Any, order: str, steps: list[str], called: str, score: float
) -> None:
    found = judged(talk, made(talk, *called.split()), steps=steps, order=order, others=False)
    assert found.value == pytest.approx(score, abs=1e-4)


def test_a_least_score_lets_a_part_of_the_way_pass(talk: Any) -> None:
    turn = made(talk, "a", "c")
    assert judged(talk, turn, steps=["a", "b", "c"], min=0.6).passed
    assert not judged(talk, turn, steps=["a", "b", "c"], min=0.7).passed


def test_searches_and_code_are_steps_too(talk: Any) -> None:
    turn = made(talk, "file_search", "look_up", "code_interpreter")
    assert judged(talk, turn, steps=["file_search", "code_interpreter"]).passed
    assert not judged(talk, turn, steps=["code_interpreter", "file_search"]).passed


def test_a_partial_order_forbids_only_what_comes_too_early(talk: Any) -> None:
    steps = ["search", "weather", {"tool": "book", "after": ["search", "weather"]}]
    for called in ("search weather book", "weather search book"):
        assert judged(talk, made(talk, *called.split()), steps=steps, order="partial").passed
    early = judged(talk, made(talk, "search", "book", "weather"), steps=steps, order="partial")
    assert early.value == pytest.approx(2 / 3, abs=1e-4)
    assert "called, but not when it should be" in early.reason


def test_arguments_decide_which_call_a_step_is(talk: Any) -> None:
    turn = talk.turn(
        "Done.",
        talk.call(id="one", email="a@b.se", severity="minor"),
        talk.call(id="two", email="a@b.se", severity="major"),
    )
    steps = [{"tool": "open_repair", "with": {"severity": name}} for name in ("minor", "major")]
    found = judged(talk, turn, steps=steps)
    assert [step["call"] for step in found.evidence["steps"]] == ["one", "two"]
    back = judged(talk, turn, steps=steps[::-1])
    assert back.value == 0.5


def test_the_reason_names_what_is_missing_and_what_was_called(talk: Any) -> None:
    found = judged(talk, made(talk, "a", "c"), steps=["a", "b"], others=False)
    assert found.reason == (
        "1 of 2 steps were made as expected (sequence); b: never called; calls beside them: c; called: a, c"
    )
    assert found.evidence["steps"] == [
        {"step": "a", "call": "a-0"},
        {"step": "b", "call": None, "why": "never called"},
    ]
    assert [one["tool"] for one in found.evidence["others"]] == ["c"]


def test_steps_that_belong_together_are_called_in_one_batch(talk: Any, by_check: Any) -> None:
    wanted = {"trajectory": {"steps": ["a", "b", "c"], "together": [["a", "b"]]}}
    together = by_check(talk.scores([made(talk, "a b", "c")], wanted))["trajectory.together"]
    apart = by_check(talk.scores([made(talk, "a", "b", "c")], wanted))["trajectory.together"]
    assert together.passed
    assert apart.reason == "a and b should be called in one batch; the batches were: a; b; c"


def test_a_batch_needs_a_call_of_its_own_for_each_of_its_steps(talk: Any, by_check: Any) -> None:
    wanted = {"trajectory": {"steps": ["a", "a"], "together": [["a", "a"]]}}
    assert by_check(talk.scores([made(talk, "a a")], wanted))["trajectory.together"].passed
    assert not by_check(talk.scores([made(talk, "a", "a")], wanted))["trajectory.together"].passed


def test_the_calls_of_a_whole_talk_make_its_trajectory(talk: Any) -> None:
    turns = [made(talk, "a"), made(talk, "b")]
    assert talk.one(turns, whole={"trajectory": {"steps": ["a", "b"]}}).passed
    assert talk.one(turns, {"trajectory": {"steps": ["a", "b"]}}).value == 0.5


def test_a_partial_order_of_many_like_steps_and_calls_is_not_tried_in_every_way() -> None:
    found = [list(range(400))] * 11 + [[]]
    before: list[set[int]] = [set() for _ in found]
    assert count_of(in_partial_order(found, before, 400)) == 11


# --- what the largest number of steps is, by trying all ways ----------------------------------------------

fits = st.integers(1, 4).flatmap(
    lambda count: st.tuples(
        st.lists(st.sets(st.integers(0, count - 1)).map(sorted), min_size=1, max_size=4), st.just(count)
    )
)


def best(found: list[list[int]], before: list[set[int]], count: int) -> int:
    """The most steps with calls of their own, none before its predecessors', among all ways there are."""
    most = 0
    seats: list[int | None] = [*range(count), *[None] * len(found)]
    for way in set(permutations(seats, len(found))):
        held = [at is None or at in found[step] for step, at in enumerate(way)]
        late = any(
            way[step] is not None and way[earlier] is not None and way[earlier] > way[step]  # type: ignore[operator]
            for step in range(len(found))
            for earlier in before[step]
        )
        if all(held) and not late:
            most = max(most, sum(at is not None for at in way))
    return most


def count_of(given: list[int | None]) -> int:
    return sum(at is not None for at in given)


@given(fits)
def test_no_way_gives_more_steps_a_call_than_the_one_that_is_found(case: tuple[list[list[int]], int]) -> None:
    found, count = case
    free: list[set[int]] = [set() for _ in found]
    chain = [set(range(step)) for step in range(len(found))]
    assert count_of(unordered(found)) == best(found, free, count)
    assert count_of(in_partial_order(found, free, count)) == best(found, free, count)
    assert count_of(in_sequence(found, count)) == best(found, chain, count)
    assert count_of(in_partial_order(found, chain, count)) == best(found, chain, count)


@given(fits, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=4))
def test_a_partial_order_is_kept_by_as_many_steps_as_can_keep_it(
    case: tuple[list[list[int]], int], pairs: list[tuple[int, int]]
) -> None:
    found, count = case
    steps = [
        TrajectoryStep(tool="t", id=str(n), after=tuple(str(a) for a, b in pairs if b == n and a < n))
        for n in range(len(found))
    ]
    before = predecessors(steps)
    given_calls = in_partial_order(found, before, count)
    assert count_of(given_calls) == best(found, before, count)
    used = [at for at in given_calls if at is not None]
    assert len(set(used)) == len(used)


@given(st.integers(1, 20), st.integers(0, 20), st.integers(0, 20), st.booleans())
def test_the_score_lies_between_0_and_1_and_only_all_of_it_is_1(
    steps: int, found: int, extra: int, others: bool
) -> None:
    found = min(found, steps)
    value = score_of(steps, found, extra, others=others)
    assert 0 <= value <= 1
    assert (value == 1) is (found == steps and (others or not extra))
