"""What the votes of a judge come to: one label that more than half of them gave, or why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

from harness.suite.records import Rubric
from harness.trace.records import Judgement, Vote


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge decided.

    Attributes:
        label: One of the rubric's; None when there is no decision.
        met: Whether that meets the expectation; None without a label.
        reason: The judge's own words for it; without a label, why there is none.
        share: Votes for it, of all that were asked for.
    """

    label: str | None
    met: bool | None
    reason: str
    share: float = 0.0


def verdict_of(judgement: Judgement, rubric: Rubric) -> Verdict:
    """What the votes come to; a label needs more than half of all votes, those without one included."""
    if judgement.error is not None:
        return Verdict(None, None, judgement.error)
    counted = _in_pairs(judgement.votes) if rubric.compares else list(judgement.votes)
    given = [vote.label for vote in counted if vote.label is not None]
    if 2 * len(given) <= len(counted):
        return Verdict(None, None, _too_few(counted, len(given)))
    label = _middle(given) if rubric.scale is not None else Counter(given).most_common(1)[0][0]
    share = given.count(label) / len(counted)
    if rubric.scale is None and share <= 0.5:
        return Verdict(None, None, f"the votes don't agree: {_counts(counted)}")
    words = next((vote.reason for vote in counted if vote.label == label and vote.reason), "")
    return Verdict(label, label in rubric.passing, words, share)


def _middle(labels: Sequence[str]) -> str:
    """The middle number of a scale; of two middle ones the lower: doubt is not in favour."""
    return str(median_low(sorted(int(label) for label in labels)))


def _in_pairs(votes: Sequence[Vote]) -> list[Vote]:
    """Of two answers each vote is asked in both positions, and counts when both say the same."""
    return [_agreed(votes[at : at + 2]) for at in range(0, len(votes), 2)]


def _agreed(pair: Sequence[Vote]) -> Vote:
    without = next((vote for vote in pair if vote.label is None), None)
    if without is not None or len(pair) < 2:
        return without or Vote(reason="it was asked in one position only")
    if pair[0].label == pair[1].label:
        return pair[0]
    return Vote(reason="the judge's choice changes with the position of the answers")


def _too_few(votes: Sequence[Vote], given: int) -> str:
    whys = Counter(_why(vote) for vote in votes if vote.label is None)
    told = "; ".join(f"{count} x {why}" if count > 1 else why for why, count in whys.most_common(3))
    return f"{given} of {len(votes)} votes gave a label: {told}" if told else "the judge gave no vote"


def _why(vote: Vote) -> str:
    return f"the judge abstains ({vote.reason})" if vote.abstained else vote.reason


def _counts(votes: Sequence[Vote]) -> str:
    names = Counter(vote.label or ("abstained" if vote.abstained else "no label") for vote in votes)
    return ", ".join(f"{count} {name}" for name, count in names.most_common())
