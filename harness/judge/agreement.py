"""How far two raters agree, as numbers with intervals: pairs of labels in, estimates out.

Kappa: Cohen (1960); weighted by squared distance on a scale: Cohen (1968). Its interval is the bootstrap's
percentiles over rows, drawn with a fixed seed. Shares have Wilson's interval (1927), which also holds near 0
and 1 and for few rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.results import Estimate
from harness.stats.intervals import wilson

_RESAMPLES = 4_000

Pair = tuple[str, str]
"""What people said and what the judge said of one row."""


def share(hits: int, of: int) -> Estimate | None:
    """A share with Wilson's interval; None of nothing."""
    if of == 0:
        return None
    interval = wilson(hits / of, of)
    # Rounding must not put a bound beyond the share itself.
    return Estimate(value=hits / of, low=min(interval.low, hits / of), high=max(interval.high, hits / of))


def kappa(pairs: Sequence[Pair], labels: Sequence[str], *, weighted: bool = False) -> float | None:
    """Cohen's kappa; None when both say the same of every row and nothing else, so that it has no value.

    Args:
        pairs: Of every row.
        labels: All there are, in their order.
        weighted: Near labels count as nearer: the labels are a scale.
    """
    found = _kappas([_counts(pairs, labels)], len(labels), weighted=weighted)
    return found[0]


def kappa_with_interval(pairs: Sequence[Pair], labels: Sequence[str], *, seed: int = 0) -> Estimate | None:
    """Cohen's kappa with the bootstrap's interval; None when it has no value."""
    import numpy as np

    value = kappa(pairs, labels)
    if value is None:
        return None
    counts = _counts(pairs, labels)
    drawn = np.random.default_rng(seed).multinomial(
        len(pairs), np.array(counts) / len(pairs), size=_RESAMPLES
    )
    # A resample in which both raters say one thing only has no kappa, and says nothing of its spread.
    known = [each for each in _kappas(drawn.tolist(), len(labels)) if each is not None]
    low, high = np.percentile(known or [value], [2.5, 97.5])
    return Estimate(value=value, low=float(min(low, value)), high=float(max(high, value)))


def _counts(pairs: Sequence[Pair], labels: Sequence[str]) -> list[int]:
    """How often each cell of the table of both raters stands there, row by row."""
    found = Counter(pairs)
    return [found[one, other] for one in labels for other in labels]


def _kappas(tables: Sequence[Sequence[int]], size: int, *, weighted: bool = False) -> list[float | None]:
    return [_kappa(table, size, weighted=weighted) for table in tables]


def _kappa(table: Sequence[int], size: int, *, weighted: bool) -> float | None:
    total = sum(table)
    ones = [sum(table[row * size : row * size + size]) for row in range(size)]
    others = [sum(table[column::size]) for column in range(size)]
    seen = expected = 0.0
    for row in range(size):
        for column in range(size):
            apart = (row - column) ** 2 if weighted else float(row != column)
            seen += apart * table[row * size + column]
            expected += apart * ones[row] * others[column] / max(total, 1)
    return 1 - seen / expected if expected else None
