"""Looks before all passes are in keep to a plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.sequential import Looks, complete_passes
from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.errors import SettingsError
from harness.stats.looks import spending_levels


def rows(outcomes, variant):
    """Trials of a pass after the other, each a list of outcomes by case."""
    return [
        Trial(f"c{case}", f"c{case}", variant, str(label), float(passed))
        for label, cases in enumerate(outcomes, start=1)
        for case, passed in enumerate(cases)
    ]


passes = st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=6, max_size=6)


@given(passes, passes)
def test_looks_end_with_the_first_that_decides_and_later_passes_change_none_of_them(before, after):
    looks = Looks(6)
    trials = [*rows(before, BASELINE), *rows(after, CANDIDATE)]
    found = looks.taken(trials)
    assert [each.passes for each in found] == list(range(2, 2 + len(found)))
    assert not any(each.decided for each in found[:-1])
    assert found[-1].decided or len(found) == 5
    early = [*rows(before[:3], BASELINE), *rows(after[:3], CANDIDATE)]
    assert looks.taken(early) == found[:2]


@given(passes)
def test_every_look_has_its_level_for_both_verdicts(outcomes):
    trials = [*rows(outcomes, BASELINE), *rows(outcomes, CANDIDATE)]
    for look in Looks(6, alpha=0.1).taken(trials):
        level = spending_levels(6, 0.1)[look.passes - 2]
        assert look.found.question.alpha == level
        assert look.found.question.confidence == 1 - level
        assert look.found.verdict != "fail"  # nothing differs


def test_what_breaks_at_once_is_seen_early_and_what_holds_takes_longer():
    broken = [*rows([[1] * 30] * 10, BASELINE), *rows([[0] * 30] * 10, CANDIDATE)]
    same = [*rows([[1] * 30] * 10, BASELINE), *rows([[1] * 30] * 10, CANDIDATE)]
    assert [str(each) for each in Looks(10).taken(broken)] == [
        "after 2 of 10 passes, at level 0.0020: worse: the pass rate is lower by 100.0 points: p = 2.26e-24, "
        "at most 0.002"
    ]
    assert [each.found.verdict for each in Looks(10).taken(same)][-1] == "pass"
    assert len(Looks(10).taken(same)) > 2


@given(passes, passes)
def test_always_valid_looks_begin_after_the_first_pass_and_never_use_up_their_level(before, after):
    looks = Looks(6, alpha=0.1, method="always-valid")
    found = looks.taken([*rows(before, BASELINE), *rows(after, CANDIDATE)])
    assert [each.passes for each in found] == list(range(1, 1 + len(found)))
    assert {each.found.question.alpha for each in found} == {0.1}
    assert not any(each.decided for each in found[:-1])
    assert all(each.found.regressions == () for each in found)
    assert all((each.found.p <= 0.1) == (each.found.verdict == "fail") for each in found)


def test_both_methods_pass_what_never_fails_and_fail_what_breaks():
    broken = [*rows([[1] * 30] * 20, BASELINE), *rows([[0] * 30] * 20, CANDIDATE)]
    [at_once] = Looks(20, method="always-valid").taken(broken)
    assert at_once.found.verdict == Looks(10).taken(broken)[-1].found.verdict == "fail"
    same = [*rows([[1] * 30] * 20, BASELINE), *rows([[1] * 30] * 20, CANDIDATE)]
    planned, lasting = Looks(10).taken(same), Looks(20, method="always-valid").taken(same)
    assert planned[-1].found.verdict == lasting[-1].found.verdict == "pass"
    assert (planned[-1].passes, lasting[-1].passes) == (5, 4)


def test_a_pass_is_complete_when_it_has_as_many_trials_as_the_first():
    whole = rows([[1, 1]] * 3, BASELINE)
    assert complete_passes(whole) == 3
    assert complete_passes(whole[:-1]) == 2
    assert complete_passes([]) == 0


def test_a_plan_is_the_same_after_it_was_stored_and_one_look_is_none():
    assert Looks.kept({"looks": Looks(7, 0.1, 0.02).as_json()}) == Looks(7, 0.1, 0.02)
    bets = Looks(7, method="always-valid")
    assert Looks.kept({"looks": bets.as_json()}) == bets
    assert Looks.kept({"looks": {"passes": 7, "margin": 0.05, "alpha": 0.05}}) == Looks(7)
    assert Looks.kept({}) is None
    with pytest.raises(SettingsError, match="leaves nothing to look at twice"):
        Looks(1)
