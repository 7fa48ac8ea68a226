"""Small suites that several tests of statistics take."""

from __future__ import annotations

from hypothesis import strategies as st

from harness.stats.arms import arms

BASELINE = [[1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 1, 1], [0, 1, 1], [0, 0, 0]]
CANDIDATE = [[1, 1, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 1, 0]]
PAIRS = [0, 0, 1, 1, 2, 2]


@st.composite
def suites(draw, most_cases=5, most_trials=3):
    cases = draw(st.integers(1, most_cases))
    before, after = draw(st.integers(1, most_trials)), draw(st.integers(1, most_trials))
    bit = st.integers(0, 1)
    rows = [draw(st.lists(bit, min_size=before + after, max_size=before + after)) for _ in range(cases)]
    clusters = draw(st.lists(st.integers(0, 2), min_size=cases, max_size=cases))
    return arms([row[:before] for row in rows], [row[before:] for row in rows], clusters)
