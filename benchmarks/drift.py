"""How often the drift chart cries wolf, and how soon it sees a drop: simulated histories.

They are charted by the function that `harness drift` calls.

    python -m benchmarks.drift                  # runs to a false alarm, and to seeing 5 points less
    python -m benchmarks.drift --histories 50

Suites are those of `benchmarks.gates`. A history that has no alarm after 1,500 armed runs counts as 1,500; of
the runs to a false alarm the mean is printed. A drop comes after 50 runs, from every case, and half of the
histories show it within the runs printed. All is seeded.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from benchmarks.gates import _SUITES, Chances, Generator
from harness.stats.drift import ARMED_AFTER, drift_chart, run_means, trial_errors

_CELLS = ["30x1", "30x3", "100x1", "100x3"]
_LONGEST = 1500
_BEFORE = 50
_AFTER = 100
_DROP = 0.05


def _history(generator: Generator, chances: Chances, trials: int) -> tuple[list[float], list[float]]:
    """Means and errors of runs: one row of chances each."""
    passed = generator.binomial(trials, chances).astype(float)
    judged = np.full(passed.shape, float(trials))
    return run_means(passed, judged).tolist(), trial_errors(passed, judged).tolist()


def runs_to_false_alarm(suite: str, cell: str, threshold: float, histories: int) -> float:
    """Armed runs until the chart alarms although nothing changes, on average."""
    return float(np.mean([_first(suite, cell, threshold, number, 0.0) for number in range(histories)]))


def runs_to_see(suite: str, cell: str, threshold: float, histories: int) -> float:
    """Runs from a drop of five points to the alarm, the median; without histories that alarm before it."""
    found = [_first(suite, cell, threshold, number, _DROP) for number in range(histories)]
    return float(np.median([each for each in found if each > 0]))


def _first(suite: str, cell: str, threshold: float, number: int, drop: float) -> int:
    cases, trials = map(int, cell.split("x"))
    generator = np.random.Generator(np.random.PCG64([len(suite), cases, trials, number]))
    usual = _SUITES[suite](generator, cases)
    less = np.clip(usual - drop, 0, 1)
    before, after = (_BEFORE, _AFTER) if drop else (ARMED_AFTER, _LONGEST)
    chances = np.vstack([np.tile(usual, (before, 1)), np.tile(less, (after, 1))])
    points = drift_chart(*_history(generator, chances, trials), threshold)
    return next((place + 1 - before for place, point in enumerate(points) if point.alarm), after)


def _table(title: str, measure: Callable[[str, str, float, int], float], histories: int) -> None:
    print(f"\n| {title} | {' | '.join(_CELLS)} |")
    print("|---" * (len(_CELLS) + 1) + "|")
    for threshold in (4.0, 5.0):
        for suite in _SUITES:
            found = [f"{measure(suite, cell, threshold, histories):.0f}" for cell in _CELLS]
            print(f"| {suite}, h = {threshold:g} | {' | '.join(found)} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=200)
    histories = parser.parse_args().histories
    _table("runs to a false alarm", runs_to_false_alarm, histories)
    _table("runs to see 5 points less", runs_to_see, histories)


if __name__ == "__main__":
    main()
