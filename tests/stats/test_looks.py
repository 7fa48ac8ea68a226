"""Levels of looks before all trials are in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from harness.stats.looks import spending_levels

TABLE = {
    3: [0.0222, 0.0415],
    4: [0.0125, 0.0227, 0.0387],
    5: [0.0080, 0.0142, 0.0240, 0.0370],
    6: [0.0056, 0.0097, 0.0162, 0.0248, 0.0354],
    8: [0.0031, 0.0053, 0.0088, 0.0133, 0.0189, 0.0257, 0.0336],
    10: [0.0020, 0.0033, 0.0055, 0.0083, 0.0116, 0.0157, 0.0206, 0.0262, 0.0324],
}


@pytest.mark.parametrize("passes", TABLE)
def test_the_levels_are_those_of_the_published_table(passes):
    assert spending_levels(passes) == pytest.approx(TABLE[passes], abs=2.5e-4)


def test_the_second_look_spends_what_an_integral_says():
    first, second = spending_levels(3)
    bound, last = norm.isf(first) * 2**0.5, norm.isf(second) * 3**0.5
    spent = quad(lambda sums: norm.pdf(sums, scale=2**0.5) * norm.sf(last - sums), -12, bound)[0]
    assert first + spent == pytest.approx(0.05, abs=1e-4)


def test_all_looks_together_cross_as_often_as_they_may():
    generator = np.random.Generator(np.random.PCG64(11))
    sums = np.cumsum(generator.standard_normal((200_000, 6)), axis=1)[:, 1:] / np.sqrt(np.arange(2, 7))
    crossed = (sums > norm.isf(spending_levels(6))).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.002)
