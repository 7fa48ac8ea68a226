"""Trials of a table become matrices: cases in rows, passes in columns, what is missing counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.stats.arms import Arms, Matrix, arms, counts, matrix


@dataclass(frozen=True, slots=True)
class Pairs:
    """The cases of two variants for one metric.

    Attributes:
        both: Cases with at least one value on each side.
        case_ids: Their ids, in the order of the rows.
        missing: Cases of the baseline without a value of the candidate.
        new: Cases of the candidate without a value of the baseline.
        missing_baseline: Share of the baseline's trials that are missing.
        missing_candidate: Share of the candidate's; all trials of a missing case are.
    """

    both: Arms
    case_ids: tuple[str, ...]
    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    missing_baseline: float = 0.0
    missing_candidate: float = 0.0


def pair(trials: Iterable[Trial], metric: str, baseline: str = BASELINE, candidate: str = CANDIDATE) -> Pairs:
    """Pair the trials of two variants by case.

    Args:
        trials: One row a trial; other variants are left aside.
        metric: ``passed``, ``score``, ``cost_usd`` or ``latency_s``.
        baseline: The variant that was.
        candidate: The variant that may come.
    """
    rows = sorted(trials, key=lambda trial: trial.case_id)
    before, after = ([trial for trial in rows if trial.variant == name] for name in (baseline, candidate))
    cluster_of = {trial.case_id: trial.cluster for trial in rows}
    cases = list(cluster_of)
    shared = len(set(cluster_of.values())) < len(cases)
    sides = side(before, cases, metric, shared=shared), side(after, cases, metric, shared=shared)
    whole = Arms(*sides, arms(*([[0.0]] * len(cases),) * 2, list(cluster_of.values())).clusters)
    has = [[bool(n) for n in counts(values)] for values in sides]
    return Pairs(
        both=whole.paired(),
        case_ids=tuple(case for case, *there in zip(cases, *has, strict=True) if all(there)),
        missing=tuple(case for case, b, c in zip(cases, *has, strict=True) if not c and b),
        new=tuple(case for case, b, c in zip(cases, *has, strict=True) if c and not b),
        missing_baseline=_missing_share(before, sides[0], [b or not c for b, c in zip(*has, strict=True)]),
        missing_candidate=_missing_share(after, sides[1], [True] * len(cases)),
    )


def side(trials: Sequence[Trial], cases: Sequence[str], metric: str, *, shared: bool = True) -> Matrix:
    """One variant's trials as a matrix: a row a case, a column a pass, NaN where a trial has no value.

    Args:
        trials: Of the variant.
        cases: One for each row.
        metric: The value of a trial.
        shared: Whether cases share clusters, so that it matters which trials ran in the same pass.
    """
    columns = _columns(trials, shared=shared)
    rows: dict[str, list[float]] = {case: [math.nan] * columns.width for case in cases}
    for trial in trials:
        rows[trial.case_id][columns.place(trial)] = getattr(trial, metric)
    return matrix(list(rows.values()))


@dataclass(slots=True)
class _Columns:
    """Which column each trial belongs to.

    Trials with the same label ran in the same pass. Where that does not matter, and where labels are never
    shared (a number over all trials), a case's first trial stands in the first column, and so on.
    """

    labels: dict[str, int]
    width: int
    ranks: dict[tuple[str, str], int] | None = None

    def place(self, trial: Trial) -> int:
        if self.ranks is not None:
            return self.ranks[trial.case_id, trial.trial]
        return self.labels[trial.trial]


def _columns(trials: Sequence[Trial], *, shared: bool) -> _Columns:
    labels = sorted({trial.trial for trial in trials}, key=_in_order)
    of_case: dict[str, list[str]] = {}
    for trial in trials:
        of_case.setdefault(trial.case_id, []).append(trial.trial)
    most = max(map(len, of_case.values()), default=0)
    if shared and len(labels) <= 2 * most:
        return _Columns({label: place for place, label in enumerate(labels)}, len(labels))
    ranks = {
        (case, label): place
        for case, mine in of_case.items()
        for place, label in enumerate(sorted(mine, key=_in_order))
    }
    return _Columns({}, most, ranks)


def _in_order(label: str) -> tuple[int, int, str]:
    return (0, int(label), "") if label.isascii() and label.isdigit() else (1, 0, label)


def _missing_share(trials: Sequence[Trial], values: Matrix, expected: Sequence[bool]) -> float:
    """How many of the expected cases' trials have no value."""
    import numpy as np

    if not any(expected):
        return 0.0
    passes = _expected_passes(trials)
    n = np.minimum(counts(values)[np.array(expected)], passes)
    return 1 - float(n.sum()) / (len(n) * passes)


def _expected_passes(trials: Sequence[Trial]) -> int:
    """How many trials a case should have, those counted that ended in an error.

    As many passes as half of the cases took part in, and no fewer than nine in ten cases have at most: one
    case that was tried more often than all others makes nothing missing.
    """
    import numpy as np

    if not trials:
        return 1
    of_case = Counter(trial.case_id for trial in trials)
    of_pass = Counter(trial.trial for trial in trials)
    shared = sum(2 * found >= len(of_case) for found in of_pass.values())
    return max(shared, int(np.quantile(list(of_case.values()), 0.9, method="higher")))
