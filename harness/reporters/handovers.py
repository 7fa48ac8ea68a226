"""Hand-overs to people in words: precision and recall with their certainty, errors and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.reporters import wording

if TYPE_CHECKING:
    from harness.scorers.confusion import ConfusionMatrix, Interval


def lines(matrix: ConfusionMatrix) -> list[str]:
    """Everything below the table, a sentence a line; lines without news are left out."""
    return [line for line in (shares(matrix), certainty(matrix), errors(matrix), noted(matrix)) if line]


def shares(matrix: ConfusionMatrix) -> str:
    """Precision and recall with their 95 % intervals."""
    precision = f"precision {wording.percent(matrix.precision)}{between(matrix.precision_interval)}"
    return f"{precision}, recall {wording.percent(matrix.recall)}{between(matrix.recall_interval)}"


def between(interval: Interval | None) -> str:
    """The interval in brackets; nothing where there is none."""
    if interval is None:
        return ""
    return f" (95% interval: {wording.percent(interval.low)} to {wording.percent(interval.high)})"


def certainty(matrix: ConfusionMatrix) -> str:
    """What it means that no hand-over was missed; empty when some were, or none was expected."""
    most = matrix.missed_at_most
    if most is None:
        return ""
    return f"none of {matrix.tp:,} missed: with 95% certainty at most {wording.percent(most)} are"


def errors(matrix: ConfusionMatrix) -> str:
    """How often each kind of error was made, and what that costs in the suite's points."""
    if not matrix.errors:
        return ""
    told = ", ".join(
        f"{count:,} {named(kind)} ({points(matrix.points.get(kind, 0.0))})"
        for kind, count in matrix.errors.items()
    )
    return f"errors and their cost in points: {told}; together {points(matrix.cost)}"


def noted(matrix: ConfusionMatrix) -> str:
    """What was seen and fails nothing."""
    told = ", ".join(f"{count:,} {named(kind)}" for kind, count in matrix.noted.items())
    return f"noted, and no error for this suite: {told}" if told else ""


def rows(matrix: ConfusionMatrix) -> Iterator[tuple[str, int, str]]:
    """A row for each kind of error: its name, how often, what it costs together."""
    for kind, count in matrix.errors.items():
        yield named(kind), count, points(matrix.points.get(kind, 0.0))


def named(kind: str) -> str:
    """A kind of error in words."""
    return kind.replace("_", " ")


def points(cost: float) -> str:
    """A cost without needless digits."""
    return f"{cost:,.2f}".rstrip("0").rstrip(".")
