"""What an assistant does, whether right or wrong: its calls, searches, citations and tokens, side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.compare.pairs import Columns
from harness.results import TrialResult
from harness.stats.arms import Labels, Matrix, Vector, row_means
from harness.stats.bounds import difference_bounds
from harness.stats.intervals import Interval

if TYPE_CHECKING:
    from harness.compare.asked import Judged
    from harness.stats.detection import Detection

_CONFIDENCE = 0.95


class Did(NamedTuple):
    """What was done in one trial, counted over its turns; NaN is not known.

    Attributes:
        functions: Calls of functions.
        searches: Searches in files.
        code: Runs of code.
        citations: Marks in answers that name a file.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        called: Which functions were called.
        cited: Which files were cited.
    """

    functions: float = math.nan
    searches: float = math.nan
    code: float = math.nan
    citations: float = math.nan
    prompt_tokens: float = math.nan
    completion_tokens: float = math.nan
    called: frozenset[str] = frozenset()
    cited: frozenset[str] = frozenset()

    @property
    def known(self) -> bool:
        """Whether anything is known of it."""
        return not math.isnan(self.citations)


UNKNOWN = Did()
"""A trial that ended in an error, or of which no trace is kept."""

MEASURES = {
    "functions": "function calls",
    "searches": "searches",
    "code": "runs of code",
    "citations": "citations",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "completion tokens",
}


def did(result: TrialResult) -> Did:
    """What was done in a stored trial."""
    if result.outcome == "errored" or result.trace is None:
        return UNKNOWN
    turns = result.trace.turns
    calls = [call for turn in turns for call in turn.tool_calls]
    cited = [each.filename or each.file_id for turn in turns for each in turn.citations]
    kinds = [call.type for call in calls]
    usage = result.usage
    return Did(
        functions=kinds.count("function"),
        searches=kinds.count("file_search"),
        code=kinds.count("code_interpreter"),
        citations=len(cited),
        prompt_tokens=math.nan if usage is None else usage.prompt_tokens,
        completion_tokens=math.nan if usage is None else usage.completion_tokens,
        called=frozenset(call.name for call in calls if call.type == "function"),
        cited=frozenset(cited),
    )


@dataclass(frozen=True, slots=True)
class Habit:
    """How often one thing is done in a conversation, by baseline and candidate; more is no worse in itself.

    Attributes:
        name: What is done.
        before: Mean under the baseline.
        after: Mean under the candidate.
        interval: Two one-sided 95 % bounds of ``after - before``.
    """

    name: str
    before: float
    after: float
    interval: Interval

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; a bound that is not known is null."""
        low, high = (each if math.isfinite(each) else None for each in self.interval)
        return {"name": self.name, "before": self.before, "after": self.after, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What differs in what two variants do.

    Attributes:
        habits: What is done at all, on average.
        other_calls: Conversations in which different functions are called, over all their trials.
        other_citations: Conversations in which different files are cited.
    """

    habits: tuple[Habit, ...] = ()
    other_calls: tuple[str, ...] = ()
    other_citations: tuple[str, ...] = ()

    def lists(self) -> dict[str, tuple[str, ...]]:
        """The lists by what they are called."""
        return {"other functions called": self.other_calls, "other files cited": self.other_citations}

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "means": [each.as_json() for each in self.habits],
            "other_calls": list(self.other_calls),
            "other_citations": list(self.other_citations),
        }


def behaviour(columns: Columns, done: Sequence[Did]) -> Behaviour:
    """What differs in what was done, of the conversations that both variants have.

    Args:
        columns: The trials.
        done: What was done in each of them.
    """
    if not any(each.known for each in done):
        return Behaviour()
    found = [_habit(columns, done, measure, name) for measure, name in MEASURES.items()]
    return Behaviour(
        tuple(each for each in found if each),
        _different(columns, done, "called"),
        _different(columns, done, "cited"),
    )


def _habit(columns: Columns, done: Sequence[Did], measure: str, name: str) -> Habit | None:
    """None where it is never done, or not known of both."""
    import numpy as np

    both = columns.pairs(np.array([getattr(each, measure) for each in done], dtype=float)).both
    if not both.cases or not both.seen.any():
        return None
    bounds = difference_bounds(both, _CONFIDENCE)
    before, after = (float(row_means(side).mean()) for side in (both.baseline, both.candidate))
    return Habit(name, before, after, Interval(bounds.low, bounds.high))


def _different(columns: Columns, done: Sequence[Did], names: str) -> tuple[str, ...]:
    sides: tuple[dict[int, set[str]], dict[int, set[str]]] = ({}, {})
    for case, after, each in zip(columns.case.tolist(), columns.after.tolist(), done, strict=True):
        if each.known:
            sides[after].setdefault(case, set()).update(getattr(each, names))
    before, after = sides
    return tuple(
        columns.case_ids[case] for case in sorted(before) if after.get(case, before[case]) != before[case]
    )


# --- hand-overs to people ---------------------------------------------------------------------------------


def hand_overs(columns: Columns, trials: Sequence[Judged]) -> tuple[Detection, Detection] | None:
    """Hand-overs of baseline and candidate as recognition; None where none of them are expected or forbidden.

    A trial counts once among those that should hand over somewhere, right if it did wherever it should, and
    once among those that should not somewhere.
    """
    import numpy as np

    from harness.stats.detection import detection

    missed, needless = (
        np.array([getattr(each, name) for each in trials], dtype=float) for name in ("missed", "needless")
    )
    if np.isnan(missed).all() and np.isnan(needless).all():
        return None
    counted = np.stack([missed == 1, needless == 0, missed == 0, needless == 1], axis=1).astype(float)
    before, after = (
        detection(_by_case(counted[of], columns.case[of], len(columns.case_ids)), columns.cluster)
        for of in (~columns.after, columns.after)
    )
    return before, after


def _by_case(counted: Matrix, case: Labels, cases: int) -> Matrix:
    import numpy as np

    total: Vector = np.zeros((cases, counted.shape[1]))
    np.add.at(total, case, counted)
    return total


def hand_overs_json(found: tuple[Detection, Detection] | None) -> Mapping[str, Any] | None:
    """Plain JSON."""
    return None if found is None else {"baseline": found[0].as_json(), "candidate": found[1].as_json()}
