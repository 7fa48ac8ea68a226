"""The test of "nothing changed", against counting all exchanges, McNemar and Cochran-Mantel-Haenszel."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, hypergeom
from stats.examples import BASELINE, CANDIDATE, PAIRS, suites
from statsmodels.stats.contingency_tables import StratifiedTable, mcnemar

from harness.stats.arms import Arms, arms
from harness.stats.exchange import exchange_test, relabelling_p


def counted(both: Arms) -> tuple[float, float]:
    """P(S* < s) and P(S* = s) by going through every exchange."""
    values = np.hstack([both.baseline, both.candidate])
    kept = both.baseline.shape[1]
    blocks = [values[both.clusters == g].sum(axis=0) for g in range(both.groups)]
    draws = [
        [sum(block[list(chosen)]) for chosen in combinations(range(len(block)), len(block) - kept)]
        for block in blocks
    ]
    observed = sum(block[kept:].sum() for block in blocks)
    sums = [sum(each) for each in product(*draws)]
    return sum(s < observed for s in sums) / len(sums), sum(s == observed for s in sums) / len(sums)


def test_six_cases_exchanged_one_by_one():
    found = exchange_test(arms(BASELINE, CANDIDATE))
    assert found == pytest.approx((0.027625, 0.101), abs=1e-12)
    assert found.mid_p == pytest.approx(0.078125)


def test_six_cases_exchanged_by_cluster():
    found = exchange_test(arms(BASELINE, CANDIDATE, PAIRS))
    assert found == pytest.approx((0.05525, 0.121), abs=1e-12)
    assert found.mid_p == pytest.approx(0.11575)


@given(suites())
@settings(deadline=None)
def test_it_counts_what_going_through_every_exchange_counts(both):
    assert exchange_test(both) == pytest.approx(counted(both), abs=1e-12)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 20))
def test_one_trial_each_without_clusters_is_mcnemars_test(lost, gained, same):
    rows = [(1, 0)] * lost + [(0, 1)] * gained + [(1, 1)] * same or [(1, 1)]
    found = exchange_test(arms([[b] for b, _ in rows], [[c] for _, c in rows]))
    if not lost + gained:
        assert sum(found) == 1
        return
    assert sum(found) == pytest.approx(binomtest(gained, gained + lost, alternative="less").pvalue)
    two_sided = mcnemar([[same, lost], [gained, 0]], exact=True).pvalue
    assert min(1, 2 * min(sum(found), 1 - found.below)) == pytest.approx(two_sided)


def test_six_lost_one_gained_has_the_published_p():
    found = exchange_test(arms([[1]] * 6 + [[0]], [[0]] * 6 + [[1]]))
    assert sum(found) == pytest.approx(0.0625)
    assert found.mid_p == pytest.approx(0.0352, abs=5e-5)


def test_one_case_is_fishers_test():
    found = exchange_test(arms([[1] * 7 + [0]], [[1] * 2 + [0] * 4]))
    assert sum(found) == pytest.approx(hypergeom.cdf(2, 14, 9, 6))


def test_many_cases_agree_with_the_asymptotic_stratified_test():
    generator = np.random.Generator(np.random.PCG64(7))
    chances = generator.uniform(0.4, 0.9, 200)[:, None]
    before, after = (generator.random((200, 4)) < chances for _ in range(2))
    found = exchange_test(arms(before.astype(float).tolist(), after.astype(float).tolist()))
    tables = [[[a.sum(), 4 - a.sum()], [b.sum(), 4 - b.sum()]] for b, a in zip(before, after, strict=True)]
    two_sided = StratifiedTable([np.array(t, float) for t in tables]).test_null_odds(correction=False).pvalue
    assert 2 * min(found.mid_p, 1 - found.mid_p) == pytest.approx(two_sided, abs=0.01)


def test_ten_thousand_cases_keep_their_small_probabilities():
    before, after = np.ones((10_000, 5)), np.ones((10_000, 5))
    after[:40, 0] = 0
    found = exchange_test(Arms(before, after, np.arange(10_000)))
    assert sum(found) == pytest.approx(0.5**40, rel=1e-6)


@given(suites(), st.randoms())
@settings(deadline=None)
def test_swapping_the_labels_mirrors_it(both, random):
    there = exchange_test(both)
    back = exchange_test(Arms(both.candidate, both.baseline, both.clusters))
    assert there.equal == pytest.approx(back.equal)
    assert there.below == pytest.approx(1 - back.below - back.equal, abs=1e-12)


@given(suites(), st.randoms())
@settings(deadline=None)
def test_neither_the_order_of_cases_nor_the_names_of_clusters_matter(both, random):
    order = list(range(both.cases))
    random.shuffle(order)
    moved = arms(
        both.baseline[order].tolist(), both.candidate[order].tolist(), [f"t{c}" for c in both.clusters[order]]
    )
    assert exchange_test(moved) == pytest.approx(exchange_test(both), abs=1e-12)


@given(suites(), st.integers(0, 1))
@settings(deadline=None)
def test_a_case_that_never_varies_changes_nothing(both, outcome):
    more = Arms(
        np.vstack([both.baseline, np.full((1, both.baseline.shape[1]), outcome)]),
        np.vstack([both.candidate, np.full((1, both.candidate.shape[1]), outcome)]),
        np.append(both.clusters, both.groups),
    )
    assert exchange_test(more) == pytest.approx(exchange_test(both), abs=1e-12)


@given(suites(), st.data())
@settings(deadline=None)
def test_one_more_failure_of_the_candidate_never_raises_p(both, data):
    passed = np.argwhere(both.candidate == 1)
    if not len(passed):
        return
    row, column = passed[data.draw(st.integers(0, len(passed) - 1))]
    worse = both.candidate.copy()
    worse[row, column] = 0
    after = exchange_test(Arms(both.baseline, worse, both.clusters))
    assert after.mid_p <= exchange_test(both).mid_p + 1e-12


# --- drawn relabellings -----------------------------------------------------------------------------------


def test_drawn_relabellings_come_near_the_exact_p():
    for clusters in (None, PAIRS):
        both = arms(BASELINE, CANDIDATE, clusters)
        assert relabelling_p(both) == pytest.approx(sum(exchange_test(both)), abs=0.012)


def test_drawn_relabellings_are_the_same_every_time_and_under_any_order():
    generator = np.random.Generator(np.random.PCG64(3))
    values = generator.random((12, 6))
    both = Arms(values[:, :3], values[:, 3:], np.arange(12) // 2)
    order = generator.permutation(12)
    moved = arms(values[order, :3].tolist(), values[order, 3:].tolist(), (order // 2).tolist())
    assert relabelling_p(both) == relabelling_p(both) == relabelling_p(moved)


def test_a_pass_that_a_topic_did_not_see_is_left_out_there():
    gap = float("nan")
    short = arms([[1, 1, 0]] * 4, [[0, 0]] * 4)
    gapped = arms([[1, gap, 1, 0]] * 4, [[0, gap, 0]] * 4)
    assert relabelling_p(short) == relabelling_p(gapped)


def test_missing_cells_inside_a_topic_are_tested_too():
    gap = float("nan")
    both = arms([[1, 1, 1], [1, 1, gap]] * 6, [[0, 0, 0], [0, gap, 0]] * 6, [case // 2 for case in range(12)])
    assert relabelling_p(both) < 0.001


def test_more_passes_than_can_be_listed_are_drawn_too():
    both = arms([[1.0] * 15] * 3, [[0.5] * 15] * 3)
    assert relabelling_p(both) == pytest.approx(1 / 10_000)


def test_where_nothing_varies_nothing_is_worse():
    assert relabelling_p(arms([[0.7, 0.7]], [[0.7, 0.7]])) == 1.0


def test_more_passes_than_a_number_has_bits_are_all_exchanged():
    found = relabelling_p(arms([[0.1] * 63 + [0.9] * 8], [[0.5]]))
    assert found == pytest.approx(64 / 72, abs=0.02)
