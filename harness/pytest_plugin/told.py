"""What a test says of its trials: whether enough passed, why others did not, and numbers for JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from harness.pytest_plugin.options import ENDED_PROPERTY, RUN_PROPERTY
from harness.reporters.brief import describe, failed_scores
from harness.reporters.junit import transcript
from harness.reporters.wording import quarantine
from harness.results import Score, TrialResult
from harness.suite.records import Conversation

_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a conversation in this session.

    Attributes:
        run_id: The stored run.
        results: Of the trials that ended.
        planned: How many trials there should be.
        why_ended: Why the others were not begun; empty when they were.
        ended: The same as the stored run's status.
    """

    run_id: str
    results: Sequence[TrialResult]
    planned: int
    why_ended: str = ""
    ended: str = "finished"


class TooFewPassed(AssertionError):
    """Fewer of a conversation's trials passed than must."""


def judge(played: Played, conversation: Conversation, least: float) -> None:
    """Fail below the rate; a trial that errored or never began is missing data, and can't help to pass.

    Raises:
        TooFewPassed: With the reasons and transcripts of the trials that did not pass.
    """
    results, planned = played.results, played.planned
    if planned and all(result.outcome == "skipped" for result in results) and len(results) == planned:
        pytest.skip("no expectation of this conversation could be judged")
    passed = sum(result.outcome == "passed" for result in results)
    if planned and passed / planned >= least:
        return
    missing = planned - passed - sum(result.outcome == "failed" for result in results)
    lacking = f"; {missing} could not be judged" if missing else ""
    head = f"{passed} of {planned} trials passed, {least:.0%} must{lacking}"
    if played.why_ended and len(results) < planned:
        head += f"\n{planned - len(results)} not begun: {played.why_ended}"
    _expect_in_quarantine(results, head.partition("\n")[0])
    others = (_explained(result, conversation) for result in results if result.outcome != "passed")
    raise TooFewPassed("\n\n".join([head, *others]))


def _expect_in_quarantine(results: Sequence[TrialResult], failure: str) -> None:
    """A failure in quarantine is an expected one: shown with why, and the session does not fail by it."""
    said = results[-1].quarantine if results else None
    if said is not None and all(result.quarantined for result in results):
        pytest.xfail(f"in quarantine {quarantine(said)}; {failure}")


def _explained(result: TrialResult, conversation: Conversation) -> str:
    """A trial that did not pass: what was expected, why it is not met, and the transcript."""
    why = [result.error] if result.error else []
    for score in failed_scores(result):
        why += [describe(score), *_grounds(score, conversation)]
    return "\n".join([f"{result.trial_id} {result.outcome}", *why, "", transcript(result)])


def _grounds(score: Score, conversation: Conversation) -> Iterator[str]:
    """What a judgement rests on: the expectation as the suite has it, and the evidence."""
    expected = _expected(score, conversation)
    if expected is not None:
        yield f"  expected: {_short(expected)}"
    for name, value in score.evidence.items():
        if value not in (None, "", [], {}):
            yield f"  {name}: {_short(value)}"


def _expected(score: Score, conversation: Conversation) -> Any:
    """The expectation that a score judges; None where it can't be told."""
    expects = [conversation.expect, *(turn.expect for turn in conversation.turns)]
    place = 0 if score.turn is None else score.turn + 1
    expect = expects[place] if place < len(expects) else None
    found: Any = expect.model_dump(mode="json", exclude_none=True, by_alias=True) if expect else None
    for part in score.check.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def properties(played: Played) -> list[tuple[str, object]]:
    """What JUnit XML tells of a conversation beside its outcome; one unknown cost makes the sum unknown."""
    results = played.results
    found: list[tuple[str, object]] = [
        (RUN_PROPERTY, played.run_id),
        ("trials", str(len(results))),
        ("pass_rate", _mean([float(result.outcome == "passed") for result in results])),
        ("score", _mean([float(bool(score.passed)) for score in _judged(results)])),
        ("cost_usd", _cost(results)),
    ]
    return found + ([(ENDED_PROPERTY, played.ended)] if played.ended != "finished" else [])


def _judged(results: Sequence[TrialResult]) -> Iterator[Score]:
    return (score for result in results for score in result.scores if score.passed is not None)


def _mean(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.4f}" if values else "unknown"


def _cost(results: Sequence[TrialResult]) -> str:
    costs = [result.cost_usd for result in results if result.cost_usd is not None]
    return f"{sum(costs):f}" if len(costs) == len(results) else "unknown"


def told(error: Exception) -> str:
    """An error with what to do about it."""
    hint = getattr(error, "hint", None)
    return f"{error}\nhint: {hint}" if hint and hint not in str(error) else str(error)
