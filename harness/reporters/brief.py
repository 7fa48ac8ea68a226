"""What reports keep of each trial: a few hundred bytes, whatever was said in it.

A run of 10,000 conversations is never held as a whole. Its results are read once, one after the other, and
what stays of each is a ``Brief`` and its share of the counts by check.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeVar, cast

import msgspec

from harness.cost.usage import Usage
from harness.reporters import wording
from harness.results import Outcome, Quarantine, Score, TrialResult
from harness.scorers.confusion import HandOvers

_JUDGE = "judge"

Value = TypeVar("Value")


class Brief(msgspec.Struct, frozen=True):
    """One trial without its trace and scores.

    Attributes:
        trial_id: As in ``TrialResult``, and so are the fields up to ``wait_s``.
        turn_latencies_s: Of every turn that was begun.
        unmet: The expectations that were not met, each once, in the order of the suite file.
        reason: Why it did not pass; empty if it did.
        says: What the user said, turn by turn.
        replayed: As in ``TrialResult``, and so is ``quarantine``.
    """

    trial_id: str
    suite: str
    conversation: str
    variant: str
    fingerprint: str
    tags: tuple[str, ...]
    repeat: int
    outcome: Outcome
    usage: Usage | None
    cost_usd: Decimal | None
    cost_reason: str
    judge_cost_usd: Decimal | None
    judge_cost_reason: str
    latency_s: float
    wait_s: float
    turn_latencies_s: tuple[float, ...]
    unmet: tuple[str, ...]
    reason: str
    says: tuple[str, ...]
    replayed: bool = False
    quarantine: Quarantine | None = None

    @property
    def quarantined(self) -> bool:
        """Whether its outcome decides nothing."""
        return self.quarantine is not None and self.quarantine.in_force


class Shared(msgspec.Struct):
    """Values that many trials have, each kept once: a result read from the store brings its own copies."""

    values: dict[Any, Any] = msgspec.field(default_factory=dict)
    talks: dict[str, tuple[str, tuple[str, ...]]] = msgspec.field(default_factory=dict)

    def one(self, value: Value) -> Value:
        """The value that was met first among those equal to this one."""
        return cast("Value", self.values.setdefault(value, value))

    def talk(self, conversation: str, says: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """A conversation's id and what is said in it, as kept of an earlier repeat if that was the same."""
        found = self.talks.setdefault(conversation, (conversation, says))
        return found if found[1] == says else (found[0], says)


def brief(result: TrialResult, shared: Shared | None = None) -> Brief:
    """What is kept of a trial."""
    shared = shared or Shared()
    one, turns = shared.one, result.trace.turns if result.trace else ()
    conversation, says = shared.talk(result.conversation, tuple(turn.user.text for turn in turns))
    return Brief(
        trial_id=result.trial_id,
        suite=one(result.suite),
        conversation=conversation,
        variant=one(result.variant),
        fingerprint=one(result.fingerprint),
        tags=one(tuple(map(one, result.tags))),
        repeat=result.repeat,
        outcome=one(result.outcome),
        usage=one(result.usage),
        cost_usd=one(result.cost_usd),
        cost_reason=one(result.cost_reason),
        judge_cost_usd=one(result.judge_cost_usd),
        judge_cost_reason=one(result.judge_cost_reason),
        latency_s=result.latency_s,
        wait_s=result.wait_s,
        turn_latencies_s=tuple(turn.latency_s for turn in turns),
        unmet=one(tuple(dict.fromkeys(one(score.check) for score in failed_scores(result)))),
        reason=why_not_passed(result),
        says=says,
        replayed=result.replayed,
        quarantine=one(result.quarantine),
    )


def failed_scores(result: TrialResult) -> list[Score]:
    """The judgements of expectations that were not met, in the order of the suite file."""
    return [score for score in result.scores if score.passed is False]


def describe(score: Score) -> str:
    """A judgement in one line: where, what, why."""
    told = f"{wording.turn(score.turn)}, {score.check}"
    return f"{told}: {score.reason}" if score.reason else told


def why_not_passed(result: TrialResult) -> str:
    """The error of an errored trial or the first unmet expectation of a failed one; empty if it passed."""
    if result.outcome == "errored":
        return result.error or "errored without a message"
    failed = failed_scores(result)
    return describe(failed[0]) if failed else ""


# --- counts by check -----------------------------------------------------------------------------------


class FailingCheck(msgspec.Struct, frozen=True):
    """An expectation that was not met somewhere.

    Attributes:
        check: Its key.
        failed: In how many trials.
        judged: In how many trials it was judged.
        conversations: In how many different conversations it failed.
        example: One of the reasons.
    """

    check: str
    failed: int
    judged: int
    conversations: int
    example: str


class UnjudgedCheck(msgspec.Struct, frozen=True):
    """An expectation that could be judged nowhere in the run: nobody knows whether it holds.

    Attributes:
        check: Its key.
        trials: In how many trials it was asked.
        example: One of the reasons.
    """

    check: str
    trials: int
    example: str


class Checks(msgspec.Struct):
    """Every expectation, counted over the trials.

    Attributes:
        judged: In how many trials each was judged.
        failed: In how many trials each was not met.
        failed_in: The conversations in which each was not met.
        examples: The first reason for each.
        asked: In how many trials each was asked, without those that ended in an error.
        known: Those that have a value in one of these trials.
        unknown: Why there is none, the first reason for each.
        handovers: Hand-overs to people: how often expected, how often made, what was wrong with them.
        without_say: In how many trials judges decided each for information only.
        why_without_say: The first reason for each.
        forgotten: How often users asked to be forgotten, by whether the target confirmed it.
    """

    judged: Counter[str] = msgspec.field(default_factory=Counter)
    failed: Counter[str] = msgspec.field(default_factory=Counter)
    failed_in: dict[str, set[tuple[str, str]]] = msgspec.field(default_factory=lambda: defaultdict(set))
    examples: dict[str, str] = msgspec.field(default_factory=dict)
    asked: Counter[str] = msgspec.field(default_factory=Counter)
    known: set[str] = msgspec.field(default_factory=set)
    unknown: dict[str, str] = msgspec.field(default_factory=dict)
    handovers: HandOvers = msgspec.field(default_factory=HandOvers)
    forgotten: Counter[bool] = msgspec.field(default_factory=Counter)
    without_say: Counter[str] = msgspec.field(default_factory=Counter)
    why_without_say: dict[str, str] = msgspec.field(default_factory=dict)

    def take(self, result: TrialResult) -> None:
        """Count the scores of one more trial."""
        self.judged.update({score.check for score in result.scores if score.passed is not None})
        self._take_failed(result)
        self.handovers.take_all(result.scores)
        turns = result.trace.turns if result.trace else ()
        self.forgotten.update(turn.deletion.confirmed for turn in turns if turn.deletion)
        if result.outcome != "errored":
            self._take_values(result.scores)
            self._take_informational(result.scores)

    def _take_failed(self, result: TrialResult) -> None:
        unmet = {score.check: score.reason for score in reversed(failed_scores(result))}
        for check, reason in unmet.items():
            self.failed[check] += 1
            self.failed_in[check].add((result.suite, result.conversation))
            self.examples.setdefault(check, reason)

    def _take_informational(self, scores: Sequence[Score]) -> None:
        told = [each for each in scores if each.scorer == _JUDGE and "informational" in each.evidence]
        self.without_say.update({score.check for score in told})
        for score in told:
            self.why_without_say.setdefault(score.check, str(score.evidence["informational"]))

    def _take_values(self, scores: Sequence[Score]) -> None:
        self.asked.update({score.check for score in scores})
        for score in scores:
            if score.value is None:
                self.unknown.setdefault(score.check, score.reason)
            else:
                self.known.add(score.check)

    def failing(self) -> Iterator[FailingCheck]:
        """Expectations that were not met, most trials first."""
        for check, count in sorted(self.failed.items(), key=lambda item: (-item[1], item[0])):
            found = len(self.failed_in[check])
            yield FailingCheck(check, count, self.judged[check], found, self.examples[check])

    def informational(self) -> Iterator[UnjudgedCheck]:
        """What judges decided for information only, somewhere in the run."""
        for check, trials in sorted(self.without_say.items()):
            yield UnjudgedCheck(check, trials, self.why_without_say[check])

    def never_judged(self) -> Iterator[UnjudgedCheck]:
        """Expectations without a single judgement; trials that ended in an error don't count."""
        for check in sorted(self.asked.keys() - self.known):
            yield UnjudgedCheck(check, self.asked[check], self.unknown[check])
