"""Trials of a table become matrices: cases in rows, passes in columns, what is missing counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.compare.table import BASELINE, CANDIDATE, Trial
from harness.stats.arms import Arms, Labels, Matrix, Vector, counts, labels

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
else:
    Flags = Any


@dataclass(frozen=True, slots=True)
class Pairs:
    """The cases of two variants for one metric.

    Attributes:
        both: Cases with at least one value on each side.
        case_ids: Their ids, in the order of the rows.
        missing: Cases of the baseline without a value of the candidate.
        new: Cases of the candidate without a value of the baseline.
        missing_baseline: Share of the baseline's trials that are missing; cases that it never tried are not.
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
    rows = [trial for trial in trials if trial.variant in (baseline, candidate)]
    return Columns.of(rows, candidate).pairs(column(rows, metric))


def column(trials: Sequence[Trial], metric: str) -> Vector:
    """One metric of every trial, in their order; NaN where one has no value."""
    import numpy as np

    place = Trial._fields.index(metric)
    values: Vector = np.array([trial[place] for trial in trials], dtype=float)
    return values


def side(trials: Sequence[Trial], cases: Sequence[str], metric: str, *, shared: bool = True) -> Matrix:
    """One variant's trials as a matrix: a row a case, a column a pass, NaN where a trial has no value.

    Args:
        trials: Of the variant.
        cases: One for each row.
        metric: The value of a trial.
        shared: Whether cases share clusters, so that it matters which trials ran in the same pass.
    """
    row_of = {case: row for row, case in enumerate(cases)}
    rows = _numbers([row_of[trial.case_id] for trial in trials])
    return _filled(rows, _labels(trials), column(trials, metric), len(cases), shared=shared)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each trial belongs, as numbers in the order of the trials.

    Made once, it pairs any metric of any part of the trials without looking at a name again.

    Attributes:
        case: The place of each trial's case among ``case_ids``.
        case_ids: All cases, sorted.
        cluster: The number of each case's cluster.
        label: For each trial the place of its label (the pass that it ran in) among all labels.
        after: Whether it is of the candidate.
    """

    case: Labels
    case_ids: tuple[str, ...]
    cluster: Labels
    label: Labels
    after: Flags

    @classmethod
    def of(cls, trials: Sequence[Trial], candidate: str = CANDIDATE) -> Columns:
        """The places of trials; every other variant than the candidate is the baseline."""
        cluster_of = {trial.case_id: trial.cluster for trial in trials}
        case_ids = sorted(cluster_of)
        place = {case: number for number, case in enumerate(case_ids)}
        return cls(
            _numbers([place[trial.case_id] for trial in trials]),
            tuple(case_ids),
            labels([cluster_of[case] for case in case_ids], len(case_ids)),
            _labels(trials),
            _numbers([trial.variant == candidate for trial in trials]).astype(bool),
        )

    def pairs(self, values: Vector, kept: Any = slice(None)) -> Pairs:
        """Pair the trials by case.

        Args:
            values: One number for each trial that is kept, NaN where it has none.
            kept: Which trials: their places, or a mask.
        """
        import numpy as np

        cases, rows = np.unique(self.case[kept], return_inverse=True)
        clusters = np.unique(self.cluster[cases], return_inverse=True)[1]
        shared = len(np.unique(clusters)) < len(cases)
        sides = [
            _side(rows[of], self.label[kept][of], values[of], len(cases), shared=shared)
            for of in (~self.after[kept], self.after[kept])
        ]
        return _pairs(sides, clusters, [self.case_ids[case] for case in cases])


class _Side(NamedTuple):
    """One variant: its matrix, how many of each case's trials it should have, and which cases it tried."""

    values: Matrix
    passes: int
    tried: Flags


def _side(rows: Labels, labels: Labels, values: Vector, cases: int, *, shared: bool) -> _Side:
    import numpy as np

    filled = _filled(rows, labels, values, cases, shared=shared)
    return _Side(filled, _expected_passes(rows, labels), np.bincount(rows, minlength=cases) > 0)


def _pairs(sides: Sequence[_Side], clusters: Labels, case_ids: Sequence[str]) -> Pairs:
    before, after = (counts(each.values) > 0 for each in sides)
    return Pairs(
        both=Arms(sides[0].values, sides[1].values, clusters).paired(),
        case_ids=_those(case_ids, before & after),
        missing=_those(case_ids, before & ~after),
        new=_those(case_ids, after & ~before),
        missing_baseline=_missing_share(sides[0], sides[0].tried),
        missing_candidate=_missing_share(sides[1], sides[0].tried | sides[1].tried),
    )


def _those(case_ids: Sequence[str], which: Flags) -> tuple[str, ...]:
    return tuple(compress(case_ids, which))


def _filled(rows: Labels, labels: Labels, values: Vector, cases: int, *, shared: bool) -> Matrix:
    """Each trial's value in the row of its case and the column of its pass.

    Trials with the same label ran in the same pass. Where that does not matter, and where labels are never
    shared (a number over all trials), a case's first trial stands in the first column, and so on.
    """
    import numpy as np

    of_case = np.bincount(rows, minlength=cases)
    seen, columns = np.unique(labels, return_inverse=True)
    if not (shared and len(seen) <= 2 * of_case.max(initial=0)):
        order = np.lexsort((labels, rows))
        columns[order] = np.arange(len(rows)) - (np.cumsum(of_case) - of_case)[rows[order]]
    filled: Matrix = np.full((cases, int(columns.max(initial=-1)) + 1), np.nan)
    filled[rows, columns] = values
    return filled


def _labels(trials: Sequence[Trial]) -> Labels:
    seen = sorted({trial.trial for trial in trials}, key=_in_order)
    place = {label: number for number, label in enumerate(seen)}
    return _numbers([place[trial.trial] for trial in trials])


def _numbers(values: Sequence[int]) -> Labels:
    import numpy as np

    return np.array(values, dtype=np.intp)


def _in_order(label: str) -> tuple[int, int, str, str]:
    """Numbers by their size, however long they are, then everything else."""
    digits = label.lstrip("0") if label.isascii() and label.isdigit() else None
    return (1, 0, "", label) if digits is None else (0, len(digits), digits, label)


def _missing_share(of: _Side, expected: Flags) -> float:
    """How many of the expected cases' trials have no value."""
    import numpy as np

    if not expected.any():
        return 0.0
    n = np.minimum(counts(of.values)[expected], of.passes)
    return 1 - float(n.sum()) / (len(n) * of.passes)


def _expected_passes(rows: Labels, labels: Labels) -> int:
    """How many trials a case should have, those counted that ended in an error.

    As many passes as half of the cases took part in, and no fewer than nine in ten cases have at most: one
    case that was tried more often than all others makes nothing missing.
    """
    import numpy as np

    if not len(rows):
        return 1
    of_case = np.bincount(rows)
    of_case = of_case[of_case > 0]
    shared = int((2 * np.bincount(labels) >= len(of_case)).sum())
    return max(shared, int(np.quantile(of_case, 0.9, method="higher")))
