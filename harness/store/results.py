"""The results of a stored run, read when they are looked at: a run of any size takes little memory."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from harness.results import CountedResults, Outcome, TrialResult

BATCH = 100
"""Results that are fetched at a time: few round trips, little memory."""

Fetch = Callable[[Sequence[int]], Iterator[TrialResult]]


class StoredResults(CountedResults):
    """Trials of one suite run in the order of the plan, as many as there were when it was read.

    Each look at them reads them again, from the store they came from, which need not be open any more.

    Args:
        rows: The numbers of the trials' rows, each with the trial's outcome and whether it is in quarantine.
        fetch: Gets the results of some rows by their numbers, in that order.
    """

    def __init__(self, rows: Iterable[tuple[int, Outcome, bool]], fetch: Fetch) -> None:
        self._numbers = array("q")
        self._outcomes: list[Outcome] = []
        self._quarantined = array("b")
        for number, outcome, quarantined in rows:
            self._numbers.append(number)
            self._outcomes.append(outcome)
            self._quarantined.append(quarantined)
        self._fetch = fetch

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many ended with each outcome."""
        return Counter(self._outcomes)

    @property
    def deciding(self) -> Counter[Outcome]:
        """The same without those in quarantine."""
        both = zip(self._outcomes, self._quarantined, strict=True)
        return Counter(outcome for outcome, quarantined in both if not quarantined)

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[TrialResult]:
        for start in range(0, len(self._numbers), BATCH):
            yield from self._fetch(self._numbers[start : start + BATCH])

    @overload
    def __getitem__(self, index: int) -> TrialResult: ...

    @overload
    def __getitem__(self, index: slice) -> StoredResults: ...

    def __getitem__(self, index: int | slice) -> TrialResult | StoredResults:
        if isinstance(index, slice):
            columns = (self._numbers, self._outcomes, self._quarantined)
            rows = zip(*(column[index] for column in columns), strict=True)
            return StoredResults(rows, self._fetch)
        return next(self._fetch([self._numbers[index]]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # it equals lists and tuples of the same results

    def __repr__(self) -> str:
        return f"<{len(self)} stored results>"
