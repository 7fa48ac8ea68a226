import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.server.search import rank

STEMS = st.lists(st.sampled_from("alpha beta gamma delta omega".split()), max_size=120)
WEIGHTS = st.dictionaries(
    st.sampled_from("alpha beta gamma delta sigma".split()), st.floats(0.01, 10), min_size=1
)


@given(WEIGHTS, STEMS, st.floats(0, 500))
def test_a_score_lies_between_nothing_and_one(weights, stems, average):
    found = rank.score(weights, stems, average)
    assert 0 <= found <= 1
    assert (found == 0) == (not set(stems) & set(weights))


@given(WEIGHTS, STEMS, st.floats(0.5, 20))
def test_weights_count_only_against_each_other(weights, stems, factor):
    scaled = {stem: weight * factor for stem, weight in weights.items()}
    assert rank.score(scaled, stems, 50) == pytest.approx(rank.score(weights, stems, 50), abs=2e-6)


def test_words_close_together_score_higher_than_the_same_words_far_apart():
    weights = {"export": 2.0, "format": 2.0}
    together = ["export", "format"] + ["other"] * 100
    apart = ["export"] + ["other"] * 100 + ["format"]
    assert rank.score(weights, together, 100) > rank.score(weights, apart, 100)


def test_a_rare_word_counts_more_than_one_that_stands_everywhere():
    weights = {"webhook": rank.weight(100, 1), "workspac": rank.weight(100, 95)}
    assert rank.score(weights, ["webhook"], 1) > 5 * rank.score(weights, ["workspac"], 1)


@given(st.integers(1, 10_000).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count))))
def test_every_weight_is_positive_and_grows_with_rarity(counts):
    count, with_it = counts
    assert rank.weight(count, with_it) > 0
    assert with_it == 0 or rank.weight(count, with_it - 1) > rank.weight(count, with_it)


def test_an_everyday_word_counts_less_than_a_word_of_the_subject_that_is_as_rare():
    assert rank.query_weight("come", 100, 2) == pytest.approx(0.3 * rank.query_weight("invoic", 100, 2))
