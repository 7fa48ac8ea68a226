"""Kappa and shares as the literature has them, with intervals that hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.agreement import kappa, kappa_with_interval, share

TWO = ("met", "unmet")


def pairs(both: int, first: int, second: int, neither: int) -> list[tuple[str, str]]:
    kinds = [("met", "met"), ("met", "unmet"), ("unmet", "met"), ("unmet", "unmet")]
    counts = (both, first, second, neither)
    return [kind for kind, count in zip(kinds, counts, strict=True) for _ in range(count)]


def test_kappa_of_a_worked_example() -> None:
    # Observed 0.7, by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5: (0.7 - 0.5) / (1 - 0.5).
    assert kappa(pairs(20, 5, 10, 15), TWO) == pytest.approx(0.4)


def test_kappa_is_one_where_both_always_agree_and_none_where_nothing_varies() -> None:
    assert kappa(pairs(5, 0, 0, 5), TWO) == 1
    assert kappa(pairs(9, 0, 0, 0), TWO) is None
    assert kappa_with_interval(pairs(9, 0, 0, 0), TWO) is None


def test_a_rater_that_always_says_the_same_has_kappa_zero() -> None:
    assert kappa(pairs(10, 0, 10, 0), TWO) == 0


def test_on_a_scale_near_misses_weigh_less() -> None:
    scale = ("1", "2", "3")
    near = [("1", "2"), ("2", "2"), ("3", "3"), ("1", "1")]
    far = [("1", "3"), ("2", "2"), ("3", "3"), ("1", "1")]
    assert kappa(near, scale, weighted=True) > kappa(far, scale, weighted=True)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_shares_have_wilsons_interval(hits: int, of: int, low: float, high: float) -> None:
    found = share(hits, of)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((hits / of, low, high), abs=2e-4)


def test_a_share_of_nothing_is_none() -> None:
    assert share(0, 0) is None


@given(st.tuples(*[st.integers(0, 40)] * 4).filter(sum))
def test_intervals_hold_their_value_and_come_again_alike(counts: tuple[int, int, int, int]) -> None:
    found = kappa_with_interval(pairs(*counts), TWO)
    assert found == kappa_with_interval(pairs(*counts), TWO)
    if found is not None:
        assert -1 <= found.low <= found.value <= found.high <= 1


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_wilsons_interval_holds_the_share_and_stays_between_nothing_and_all(numbers: tuple[int, int]) -> None:
    found = share(*numbers)
    assert found is not None and 0 <= found.low <= found.value <= found.high <= 1


def test_more_rows_make_the_interval_narrower() -> None:
    few, many = kappa_with_interval(pairs(8, 2, 2, 8), TWO), kappa_with_interval(pairs(80, 20, 20, 80), TWO)
    assert few is not None and many is not None
    assert many.high - many.low < (few.high - few.low) / 2
