"""How often the gate is right: simulated suites, judged by the function that `harness gate` calls.

    python -m benchmarks.gates                         # every cell, 200 comparisons each
    python -m benchmarks.gates --rounds 50 --cells 30x3 100x5
    python -m benchmarks.gates looks                   # passes until decided, and screening
    python -m benchmarks.gates speed                   # how long a verdict and a whole comparison take

A suite is a list of chances to pass. *stable*: nine in ten cases pass 99 % of the time, the others 80 %.
*flaky*: a third of the cases pass 30 to 95 % of the time. *noisy*: every case passes 50 to 98 % of the time.
With *topics* five cases share a cluster; with *faults* all cases of a topic fail together in one pass of
twenty. All is seeded.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from harness.compare.asked import Judged
from harness.compare.difference import Seen, differences
from harness.compare.pairs import Pairs
from harness.compare.sequential import METHODS, Look, Looks, Method
from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.compare.verdict import Question, judge
from harness.stats.arms import Arms

_CELLS = ["10x1", "10x5", "30x1", "30x3", "30x5", "100x1", "100x3", "100x5", "300x3"]
_TOPIC = 5
_FAULTS = 0.05

Chances = NDArray[np.float64]
Generator = np.random.Generator


def _stable(generator: Generator, cases: int) -> Chances:
    return np.where(generator.random(cases) < 0.9, 0.99, 0.80)


def _flaky(generator: Generator, cases: int) -> Chances:
    return np.where(generator.random(cases) < 2 / 3, 0.99, generator.uniform(0.3, 0.95, cases))


def _noisy(generator: Generator, cases: int) -> Chances:
    return generator.uniform(0.5, 0.98, cases)


_SUITES: dict[str, Callable[[Generator, int], Chances]] = {
    "stable": _stable,
    "flaky": _flaky,
    "noisy": _noisy,
}
_SHAPES = {"": (1, 0.0), "topics": (_TOPIC, 0.0), "faults": (_TOPIC, _FAULTS)}


def _unchanged(chances: Chances, generator: Generator) -> Chances:
    return chances


def _less(points: float) -> Callable[[Chances, Generator], Chances]:
    return lambda chances, generator: np.clip(chances - points, 0, 1)


def _margin_in_few(chances: Chances, generator: Generator) -> Chances:
    """Five points in all, taken from as few cases as that takes; what is left over from one more."""
    after, left = chances.copy(), 0.05 * len(chances)
    for row in generator.permutation(len(chances)):
        taken = min(left, after[row])
        after[row] -= taken
        left -= taken
    return after


def _broken(chances: Chances, generator: Generator) -> Chances:
    after = chances.copy()
    after[generator.permutation(len(chances))[: max(1, len(chances) // 10)]] = 0.0
    return after


def _better(chances: Chances, generator: Generator) -> Chances:
    return chances + (1 - chances) / 2


_CHANGES: dict[str, Callable[[Chances, Generator], Chances]] = {
    "nothing changed": _unchanged,
    "better": _better,
    "5 points off every case": _less(0.05),
    "5 points in few cases": _margin_in_few,
    "10 points off every case": _less(0.10),
    "20 points off every case": _less(0.20),
    "10 % of the cases break": _broken,
}


def _trials(generator: Generator, chances: Chances, passes: int, shape: tuple[int, float]) -> Chances:
    topic, faults = shape
    passed = (generator.random((len(chances), passes)) < chances[:, None]).astype(float)
    topics = np.arange(len(chances)) // topic
    down = generator.random((int(topics[-1]) + 1, passes)) < faults
    passed[down[topics]] = 0.0
    return passed


@cache
def verdicts(
    suite: str, shape: str, change: str, cases: int, passes: int, rounds: int, margin: float = 0.05
) -> Counter[str]:
    """How often each verdict is given, over so many comparisons."""
    generator = np.random.Generator(np.random.PCG64([len(suite), len(shape), len(change), cases, passes]))
    found: Counter[str] = Counter()
    names = tuple(map(str, range(cases)))
    for _ in range(rounds):
        before = _SUITES[suite](generator, cases)
        after = _CHANGES[change](before, generator)
        sides = [_trials(generator, chances, passes, _SHAPES[shape]) for chances in (before, after)]
        both = Arms(sides[0], sides[1], np.arange(cases) // _SHAPES[shape][0])
        found[judge(Pairs(both, names), Question(margin=margin)).verdict] += 1
    return found


def _table(title: str, word: str, change: str, cells: Sequence[str], rounds: int, margin: float) -> None:
    print(f"\n| {title} | {' | '.join(cells)} |")
    print("|---" * (len(cells) + 1) + "|")
    for suite in _SUITES:
        for shape in _SHAPES:
            rates = [_rate(word, suite, shape, change, cell, rounds, margin) for cell in cells]
            print(f"| {suite}{', ' if shape else ''}{shape} | {' | '.join(rates)} |", flush=True)


def _rate(word: str, suite: str, shape: str, change: str, cell: str, rounds: int, margin: float) -> str:
    cases, passes = map(int, cell.split("x"))
    found = verdicts(suite, shape, change, cases, passes, rounds, margin)
    return f"{100 * found[word] / rounds:.1f}"


# --- fewer trials -----------------------------------------------------------------------------------------

_LOOKED_AT = (
    "nothing changed",
    "5 points in few cases",
    "10 points off every case",
    "20 points off every case",
)
_SCREENED = ("nothing changed", "10 points off every case", "10 % of the cases break")
_FRESH = 5


def _until_decided(
    method: Method, before: Chances, after: Chances, shape: tuple[int, float], generator: Generator
) -> Look:
    """The look that decided, or the one after the tenth pass."""
    looks = Looks(10, method=method)
    sides = [_trials(generator, chances, looks.passes, shape) for chances in (before, after)]
    names, clusters = tuple(map(str, range(len(before)))), np.arange(len(before)) // shape[0]
    for passes in range(looks.first, looks.passes + 1):
        pairs = Pairs(Arms(sides[0][:, :passes], sides[1][:, :passes], clusters), names)
        look = Look(passes, looks.passes, judge(pairs, looks.question(passes)))
        if look.decided:
            break
    return look


def _last_looks(method: Method, suite: str, shape: str, cases: int, change: str, rounds: int) -> list[Look]:
    """How so many comparisons ended."""
    generator = np.random.Generator(np.random.PCG64([len(suite), len(shape), cases, len(change)]))
    found = []
    for _ in range(rounds):
        before = _SUITES[suite](generator, cases)
        after = _CHANGES[change](before, generator)
        found.append(_until_decided(method, before, after, _SHAPES[shape], generator))
    return found


def _screened(before: Chances, after: Chances, generator: Generator) -> tuple[str, int]:
    """The verdict over fresh trials of what passed once and then failed, and how many trials it took."""
    once = [generator.random(len(before)) < chances for chances in (before, after)]
    suspects = np.flatnonzero(once[0] & ~once[1])
    if not len(suspects):
        return "inconclusive", 2 * len(before)
    sides = [_trials(generator, chances[suspects], _FRESH, (1, 0.0)) for chances in (before, after)]
    pairs = Pairs(Arms(sides[0], sides[1], np.arange(len(suspects))), tuple(map(str, suspects)))
    return judge(pairs, Question()).verdict, 2 * (len(before) + _FRESH * len(suspects))


def _fewer(rounds: int) -> None:
    for method in METHODS:
        print(f"\n{method}\n\n| suite | cases | change | fail % | pass % | passes |")
        print("| --- | ---: | --- | ---: | ---: | ---: |")
        for suite, shape, cases, change in product(_SUITES, ("", "topics"), (10, 30, 100), _LOOKED_AT):
            looks = _last_looks(method, suite, shape, cases, change, rounds)
            words = Counter(each.found.verdict for each in looks)
            mean = sum(each.passes for each in looks) / rounds
            rates = f"{100 * words['fail'] / rounds:.1f} | {100 * words['pass'] / rounds:.1f}"
            print(f"| {suite} {shape} | {cases} | {change} | {rates} | {mean:.1f} |", flush=True)
    print("\n| suite | cases | change | fail % | trials |\n| --- | ---: | --- | ---: | ---: |")
    for suite, cases, change in product(_SUITES, (10, 30, 100), _SCREENED):
        generator = np.random.Generator(np.random.PCG64([len(suite), cases, len(change)]))
        ends = []
        for _ in range(rounds):
            before = _SUITES[suite](generator, cases)
            ends.append(_screened(before, _CHANGES[change](before, generator), generator))
        failed = 100 * sum(word == "fail" for word, _ in ends) / rounds
        print(f"| {suite} | {cases} | {change} | {failed:.1f} | {sum(n for _, n in ends) / rounds:.0f} |")


def _speed() -> None:
    print("| cases x passes per variant | unit | seconds |\n| --- | --- | ---: |")
    for cases in (300, 10_000):
        for topic in (1, _TOPIC):
            for metric in ("passed", "score"):
                took = _seconds(cases, topic, metric)
                print(f"| {cases:,} x 10, {metric} | {topic} in a cluster | {took:.3f} |")
        print(
            f"| {cases:,} x 10, everything that `harness compare` says | {_TOPIC} | {_compared(cases):.3f} |"
        )


def _compared(cases: int) -> float:
    """Seconds for the pass rate, score, cost and latency, seven tags, all clusters and three checks."""
    before, after = (_records(cases, variant) for variant in (BASELINE, CANDIDATE))
    differences(before[:60], after[:60], Question())  # imports
    start = time.process_time()
    differences(before, after, Question())
    return time.process_time() - start


def _records(cases: int, variant: str) -> list[Seen]:
    generator = np.random.Generator(np.random.PCG64(cases))
    chances = _flaky(generator, cases)
    money = generator.lognormal(-4, 0.5, (cases, 10))
    passed = _trials(generator, chances, 10, (_TOPIC, 0.0))
    return [
        _record(case, trial, variant, float(passed[case, trial]), float(money[case, trial]))
        for case in range(cases)
        for trial in range(10)
    ]


def _record(case: int, trial: int, variant: str, passed: float, cost: float) -> Seen:
    row = Trial(
        f"s/{case}", f"c{case // _TOPIC}", variant, str(trial), passed, 0.9 * passed, cost, 100 * cost
    )
    met = {f"check {number}": passed for number in range(3)}
    return Seen(Judged(row, "s", ("all", f"tag {case % 6}"), met, math.nan, math.nan), {"check 0": cost})


def _seconds(cases: int, topic: int, metric: str) -> float:
    generator = np.random.Generator(np.random.PCG64(cases))
    chances = _flaky(generator, cases)
    sides = [_trials(generator, chances, 10, (topic, 0.0)) for _ in range(2)]
    if metric == "score":
        sides = [side * generator.uniform(0.5, 1.0, side.shape) for side in sides]
    pairs = Pairs(Arms(sides[0], sides[1], np.arange(cases) // topic), tuple(map(str, range(cases))))
    judge(pairs, Question(metric))  # imports
    start = time.perf_counter()
    judge(pairs, Question(metric))
    return time.perf_counter() - start


def _rates(changes: Sequence[str], cells: Sequence[str], rounds: int) -> None:
    for change in changes:
        for word in ("pass", "fail"):
            if word == "fail" or not change.startswith(("10", "20")):
                _table(f"{word} %, {change}", word, change, cells, rounds, 0.05)
    if "nothing changed" in changes:
        _table("pass %, nothing changed, margin 0.10", "pass", "nothing changed", cells, rounds, 0.10)


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["rates", "looks", "speed"], default="rates")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--changes", nargs="+", default=list(_CHANGES), choices=_CHANGES)
    parser.add_argument("--cells", nargs="+", default=_CELLS)
    options = parser.parse_args()
    if options.what == "speed":
        _speed()
    elif options.what == "looks":
        _fewer(options.rounds)
    else:
        _rates(options.changes, options.cells, options.rounds)


if __name__ == "__main__":
    main()
