"""The gate's rule: what must hold exactly, whatever the numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compare.pairs import Pairs, pair
from harness.compare.table import Trial
from harness.compare.verdict import Question, judge
from harness.errors import SettingsError
from harness.stats.arms import Arms, arms

ORDER = {"fail": 0, "inconclusive": 1, "pass": 2}


def asked(baseline, candidate, clusters=None, question=None, **gaps):
    both = arms(baseline, candidate, clusters)
    names = tuple(f"case-{row}" for row in range(both.cases))
    return judge(Pairs(both, names, **gaps), question or Question())


def test_ten_cases_green_twice_prove_nothing():
    found = asked([[1]] * 10, [[1]] * 10)
    assert found.verdict == "inconclusive"
    assert found.delta_low == pytest.approx(-0.2129, abs=5e-5)


def test_one_flip_in_thirty_proves_nothing_and_is_unconfirmed():
    found = asked([[1]] * 30, [[1]] * 29 + [[0]])
    assert (found.verdict, found.changed, found.regressions, found.flaky) == (
        "inconclusive",
        ("case-29",),
        (),
        (),
    )


def test_a_case_that_turned_in_too_few_trials_to_prove_it_is_named_all_the_same():
    found = asked([[1] * 3] * 10, [[1] * 3] * 9 + [[0] * 3])
    assert (found.changed, found.regressions, found.flaky) == (("case-9",), (), ())
    assert [(each.case_id, each.baseline, each.candidate) for each in found.counts] == [
        ("case-9", "3/3", "0/3")
    ]


def test_one_case_that_broke_in_eight_of_eight_trials_fails():
    found = asked([[1] * 8] * 30, [[1] * 8] * 29 + [[0] * 8])
    assert (found.verdict, found.regressions) == ("fail", ("case-29",))
    assert found.alpha_suite == pytest.approx(0.0375)
    assert found.reasons[0] == "1 case (case-29) broke, by the case's own trials"


def test_all_red_after_all_green_fails():
    assert asked([[1] * 5] * 10, [[0] * 5] * 10).verdict == "fail"


def test_a_hundred_cases_green_in_five_passes_twice_pass():
    assert asked([[1] * 5] * 100, [[1] * 5] * 100).verdict == "pass"


def test_a_small_but_real_drop_passes_and_is_said():
    found = asked([[1] * 5] * 400, [[1] * 5] * 394 + [[0, 1, 1, 1, 1]] * 6)
    assert found.verdict == "pass"
    assert found.reasons[1].startswith("a small but real drop")


def test_three_trials_keep_all_of_alpha_for_the_suite():
    assert asked([[1] * 3] * 10, [[1] * 3] * 10).alpha_suite == 0.05


def test_a_flaky_case_is_named_with_its_counts_and_is_no_regression():
    found = asked([[1] * 5] * 20 + [[1, 0, 1, 0, 1]], [[1] * 5] * 20 + [[0, 1, 0, 1, 1]])
    assert (found.flaky, found.regressions) == (("case-20",), ())
    assert [(each.baseline, each.candidate) for each in found.counts] == [("3/5", "3/5")]


@pytest.mark.parametrize(
    "gaps", [{"missing": ("gone",)}, {"missing_candidate": 0.11}, {"missing_baseline": 0.2}], ids=str
)
def test_what_is_missing_forbids_a_pass_and_nothing_else(gaps):
    green = [[1] * 5] * 100
    assert asked(green, green, **gaps).verdict == "inconclusive"
    assert asked(green, [[0] * 5] * 100, **gaps).verdict == "fail"


def test_a_tenth_missing_is_still_comparable():
    assert asked([[1] * 5] * 100, [[1] * 5] * 100, missing_candidate=0.10).verdict == "pass"


def test_half_the_candidates_cases_missing_is_never_a_pass():
    rows = [Trial(f"c{n}", f"c{n}", "baseline", str(t), 1.0) for n in range(200) for t in range(5)]
    rows += [Trial(f"c{n}", f"c{n}", "candidate", str(t), 1.0) for n in range(100) for t in range(5)]
    found = judge(pair(rows, "passed"), Question())
    assert found.verdict == "inconclusive"
    assert len(found.missing) == 100
    assert found.reasons[0].startswith("100 cases (c100, c101,")


def test_nothing_compared_is_no_verdict():
    rows = [Trial("a", "a", "baseline", "1", 1.0), Trial("b", "b", "candidate", "1", 1.0)]
    found = judge(pair(rows, "passed"), Question())
    assert (found.verdict, found.delta, found.p) == ("inconclusive", None, None)
    assert "nothing was compared" in found.reasons[0]


def test_cases_of_one_topic_are_one_unit():
    found = asked([[1, 1]] * 10, [[1, 0]] * 5 + [[1, 1]] * 5, [case // 5 for case in range(10)])
    assert (found.unit, found.clusters) == ("cluster", 2)
    assert found.p > 0.05


@pytest.mark.parametrize(
    ("baseline", "candidate"),
    [([[1]], [[0]]), ([[1, 1]], [[0, 0]]), ([[1] * 20], [[1] * 20]), ([[0]] * 5, [[0]] * 5)],
    ids=["one trial", "two trials", "many trials", "all fail"],
)
def test_one_case_and_all_failing_suites_have_a_verdict_in_words(baseline, candidate):
    found = asked(baseline, candidate)
    assert found.verdict == "inconclusive"
    assert found.reasons


def test_one_cluster_tried_once_is_inconclusive():
    found = asked([[1]] * 10, [[1]] * 10, ["same"] * 10)
    assert (found.verdict, found.delta_low, found.delta_high) == ("inconclusive", -1.0, 1.0)


def test_missing_cells_are_judged_too():
    gap = math.nan
    worse = [[1, 1, 1], [1, 1, gap]] * 15, [[0, 0, 0], [0, gap, 0]] * 15
    assert asked(*worse).verdict == "fail"
    same = [[1, 1, 1, 1], [1, 1, 1, gap]] * 60
    assert asked(same, same).verdict == "pass"


@pytest.mark.parametrize("metric", ["passed", "score", "cost_usd", "latency_s"])
def test_every_verdict_is_plain_json(metric):
    found = asked([[1]], [[1]], question=Question(metric)).as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    keys = "verdict delta delta_low delta_high p alpha margin mde80 unit reasons regressions flaky missing"
    assert set(keys.split()) <= set(found)


def test_a_margin_that_nothing_proves_is_said_to_be_one():
    found = asked([[1]] * 10, [[1]] * 10, question=Question(margin=1e-300))
    assert "no number of trials that anybody runs proves so small a margin" in found.reasons


def test_a_pass_after_a_rise_speaks_of_no_drop_below_zero():
    found = asked([[0] * 5] * 20, [[1] * 5] * 20)
    assert found.reasons[0].startswith("the pass rate is at most 0.0 points lower")


@pytest.mark.parametrize("bad", [{"margin": 0}, {"margin": math.nan}, {"alpha": 0.5}, {"alpha": -1}], ids=str)
def test_margins_and_levels_that_mean_nothing_are_refused(bad):
    with pytest.raises(SettingsError, match="is not between"):
        Question(**bad)


# --- scores, costs, latencies ------------------------------------------------------------------------------


def spread(seed: int, factor: float = 1.0, cases: int = 40) -> tuple[list[list[float]], list[list[float]]]:
    generator = np.random.Generator(np.random.PCG64(seed))
    usual = generator.uniform(0.4, 0.8, (cases, 1))
    before, after = (usual * generator.uniform(0.95, 1.05, (cases, 4)) for _ in range(2))
    return before.tolist(), (after * factor).tolist()


@pytest.mark.parametrize(
    ("metric", "factor", "verdict"),
    [
        ("score", 1.0, "pass"),
        ("score", 0.7, "fail"),
        ("cost_usd", 1.0, "pass"),
        ("cost_usd", 1.3, "fail"),
        ("latency_s", 0.5, "pass"),
    ],
)
def test_scores_may_not_drop_and_costs_may_not_rise(metric, factor, verdict):
    assert asked(*spread(2, factor), question=Question(metric)).verdict == verdict


def test_costs_of_nothing_are_left_out_and_said():
    before, after = spread(3)
    found = asked([[0.0] * 4, *before], [[0.1] * 4, *after], question=Question("cost_usd"))
    assert found.cases == 40
    assert "1 of 41 cases have trials of cost_usd 0 and were left out" in found.reasons


def test_what_cost_nothing_and_costs_something_now_never_passes():
    before, after = spread(2)
    found = asked([[0.0] * 4, *before], [[9.0] * 4, *after], question=Question("cost_usd"))
    assert found.verdict == "inconclusive"
    assert "1 of 41 cases had cost_usd 0 and have more now: no pass" in found.reasons


def test_what_is_free_on_both_sides_is_left_out_and_may_pass():
    before, after = spread(2)
    free = [[0.0] * 4] * 40
    assert asked([*free, *before], [*free, *after], question=Question("cost_usd")).verdict == "pass"


def test_where_many_trials_cost_nothing_there_is_no_proof():
    before, after = spread(2)
    now_free = [[0.0, *row[1:]] for row in after[:8]]
    found = asked(before, [*now_free, *after[8:]], question=Question("cost_usd"))
    assert found.verdict == "inconclusive"
    assert "20% of the cases have no ratio of cost_usd: no pass" in found.reasons


def test_costs_of_nothing_at_all_are_inconclusive():
    assert asked([[0.0]] * 5, [[0.0]] * 5, question=Question("cost_usd")).verdict == "inconclusive"


def test_few_scores_that_never_vary_are_inconclusive():
    assert asked([[0.8]] * 10, [[0.8]] * 10, question=Question("score")).verdict == "inconclusive"


# --- invariants -------------------------------------------------------------------------------------------


@st.composite
def tables(draw, fewest_trials=1):
    trials = st.integers(fewest_trials, 4)
    cases, before, after = draw(st.integers(1, 40)), draw(trials), draw(trials)
    seed, rate = draw(st.integers(0, 2**32)), draw(st.sampled_from([0.5, 0.9, 0.99, 1.0]))
    generator = np.random.Generator(np.random.PCG64(seed))
    passed = (generator.random((cases, before + after)) < rate).astype(float)
    return Arms(passed[:, :before], passed[:, before:], np.arange(cases) // draw(st.sampled_from([1, 1, 4])))


def verdict_on(both: Arms, margin: float = 0.05):
    return judge(Pairs(both, tuple(map(str, range(both.cases)))), Question(margin=margin))


@given(tables(), st.sampled_from([0.02, 0.05, 0.1, 0.2]), st.data())
@settings(deadline=None, max_examples=200)
def test_more_failures_of_the_candidate_never_improve_the_verdict(both, margin, data):
    passed = np.argwhere(both.candidate == 1)
    if not len(passed):
        return
    worse = both.candidate.copy()
    for place in data.draw(st.lists(st.integers(0, len(passed) - 1), min_size=1, max_size=4)):
        worse[tuple(passed[place])] = 0
    after = verdict_on(Arms(both.baseline, worse, both.clusters), margin)
    assert ORDER[after.verdict] <= ORDER[verdict_on(both, margin).verdict]


@given(tables(), st.randoms())
@settings(deadline=None, max_examples=60)
def test_order_names_and_repetition_change_nothing(both, random):
    rows = [
        Trial(f"c{row}", f"t{both.clusters[row]}", variant, str(t), float(value))
        for variant, side in (("baseline", both.baseline), ("candidate", both.candidate))
        for row in range(both.cases)
        for t, value in enumerate(side[row])
    ]
    names = random.sample(range(1000), both.cases)
    moved = [
        trial._replace(case_id=f"x{names[int(trial.case_id[1:])]}", cluster="z" + trial.cluster)
        for trial in rows
    ]
    random.shuffle(moved)
    first, again, other = (judge(pair(each, "passed"), Question()) for each in (rows, rows, moved))
    assert first == again
    assert (other.verdict, len(other.flaky)) == (first.verdict, len(first.flaky))
    assert (other.p, other.delta_low) == pytest.approx((first.p, first.delta_low), abs=1e-9)


@given(tables(fewest_trials=2))
@settings(deadline=None, max_examples=60)
def test_one_more_steady_case_leaves_p_alone_and_makes_no_failure(both):
    more = Arms(
        np.vstack([both.baseline, np.ones((1, both.baseline.shape[1]))]),
        np.vstack([both.candidate, np.ones((1, both.candidate.shape[1]))]),
        np.append(both.clusters, both.groups),
    )
    before, after = verdict_on(both), verdict_on(more)
    assert after.p == pytest.approx(before.p, abs=1e-12)
    assert after.verdict != "fail" or before.verdict == "fail"


@given(tables())
@settings(deadline=None, max_examples=60)
def test_a_variant_compared_with_itself_is_never_worse(both):
    same = Arms(both.baseline, both.baseline, both.clusters)
    assert verdict_on(same).verdict != "fail"
