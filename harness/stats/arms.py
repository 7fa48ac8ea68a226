"""Two arms of trials as matrices: one row a case, one column a pass over the suite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Vector = NDArray[np.float64]
    Labels = NDArray[np.intp]
else:
    Matrix = Vector = Labels = Any


@dataclass(frozen=True, slots=True)
class Arms:
    """Trials of the same cases under two variants.

    Attributes:
        baseline: N x kB values, NaN where a trial is missing. A column is one pass over the suite.
        candidate: N x kC values, likewise.
        clusters: For each case the number of its cluster, from 0 without gaps.
    """

    baseline: Matrix
    candidate: Matrix
    clusters: Labels

    @property
    def cases(self) -> int:
        """N, the number of cases."""
        return len(self.clusters)

    @property
    def groups(self) -> int:
        """G, the number of clusters."""
        return int(self.clusters.max()) + 1 if len(self.clusters) else 0

    @property
    def clustered(self) -> bool:
        """Whether any cluster holds more than one case."""
        return self.groups < self.cases

    @property
    def complete(self) -> bool:
        """Whether no trial is missing, so that every case has kB and kC trials."""
        import numpy as np

        return not (np.isnan(self.baseline).any() or np.isnan(self.candidate).any())

    @property
    def binary(self) -> bool:
        """Whether every value is 0 or 1."""
        import numpy as np

        seen = self.seen
        return bool(np.all((seen == 0) | (seen == 1)))

    @property
    def shares(self) -> bool:
        """Whether every value is from 0 to 1."""
        seen = self.seen
        return bool(len(seen) and seen.min() >= 0 and seen.max() <= 1)

    @property
    def seen(self) -> Vector:
        """All values of both arms that are there, in one row."""
        import numpy as np

        values: Vector = np.concatenate([self.baseline.ravel(), self.candidate.ravel()])
        return values[~np.isnan(values)]

    @property
    def differences(self) -> Vector:
        """For each case the mean of its candidate trials minus that of its baseline trials."""
        return row_means(self.candidate) - row_means(self.baseline)

    def paired(self) -> Arms:
        """These arms without the cases that have no trial in one of them."""
        kept = (counts(self.baseline) > 0) & (counts(self.candidate) > 0)
        return self if kept.all() else self.subset(kept)

    def subset(self, kept: Any) -> Arms:
        """These arms with some of the cases (a mask or row numbers), clusters numbered anew."""
        import numpy as np

        clusters = np.unique(self.clusters[kept], return_inverse=True)[1]
        return Arms(self.baseline[kept], self.candidate[kept], clusters)


def arms(
    baseline: Sequence[Sequence[float]],
    candidate: Sequence[Sequence[float]],
    clusters: Sequence[object] | None = None,
) -> Arms:
    """Arms from rows of trials, one row a case; shorter rows are filled up with missing trials.

    Args:
        baseline: For each case its values, pass by pass; NaN where one is missing.
        candidate: The same cases in the same order.
        clusters: For each case what names its cluster; each case its own by default.

    Raises:
        ValueError: The three do not speak of the same number of cases.
    """
    if len(baseline) != len(candidate) or (clusters is not None and len(clusters) != len(baseline)):
        raise ValueError("baseline, candidate and clusters need one row for each case")
    return Arms(matrix(baseline), matrix(candidate), labels(clusters, len(baseline)))


def matrix(rows: Sequence[Sequence[float]]) -> Matrix:
    """Rows of unequal length as a matrix, NaN where a row has no value."""
    import numpy as np

    filled: Matrix = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for place, row in enumerate(rows):
        filled[place, : len(row)] = row
    return filled


def labels(clusters: Sequence[object] | None, cases: int) -> Labels:
    """Names of clusters as numbers from 0 in the order of their first case."""
    import numpy as np

    if clusters is None:
        return np.arange(cases)
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in clusters], dtype=np.intp)


def counts(values: Matrix) -> Labels:
    """For each row how many values are there."""
    import numpy as np

    found: Labels = (~np.isnan(values)).sum(axis=1)
    return found


def row_sums(values: Matrix) -> Vector:
    """For each row the sum of the values that are there."""
    import numpy as np

    total: Vector = np.where(np.isnan(values), 0.0, values).sum(axis=1)
    return total


def row_means(values: Matrix) -> Vector:
    """For each row the mean of the values that are there; NaN where there is none."""
    import numpy as np

    n = counts(values)
    means: Vector = np.where(n > 0, row_sums(values) / np.maximum(n, 1), np.nan)
    return means


def cluster_sums(values: Any, clusters: Labels) -> Any:
    """Rows added up within each cluster: N or N x k in, G or G x k out."""
    import numpy as np

    total = np.zeros((int(clusters.max()) + 1, *values.shape[1:]))
    np.add.at(total, clusters, values)
    return total


def within_case_variance(values: Matrix) -> float | None:
    """The mean over cases of the variance between a case's trials; None where no case has two.

    For passes and failures this is c(n-c) / (n(n-1)) for c of n passed, the unbiased sample variance.
    """
    import numpy as np

    n = counts(values)
    repeated = n >= 2
    if not repeated.any():
        return None
    rows = values[repeated]
    squares = row_sums((rows - row_means(rows)[:, None]) ** 2)
    return float(np.mean(squares / (n[repeated] - 1)))
