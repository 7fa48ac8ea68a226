"""The numbers of a suite run that every report shows, counted once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from harness.cost.usage import Usage
from harness.cost.usage import total as total_usage
from harness.results import Outcome, Score, SuiteRun, TrialResult

if TYPE_CHECKING:
    from harness.scorers.escalation import ConfusionMatrix


@dataclass(frozen=True)
class Group:
    """Some trials of a suite run under one name: a suite, a tag, a variant, or all of them."""

    name: str
    results: tuple[TrialResult, ...]

    @cached_property
    def outcomes(self) -> Counter[Outcome]:
        """How many trials ended with each outcome."""
        return Counter(result.outcome for result in self.results)

    @property
    def passed(self) -> int:
        """Trials whose every expectation was met."""
        return self.outcomes["passed"]

    @property
    def failed(self) -> int:
        """Trials of which an expectation was not met."""
        return self.outcomes["failed"]

    @property
    def errored(self) -> int:
        """Trials without a judgement, because the harness or the provider failed."""
        return self.outcomes["errored"]

    @property
    def skipped(self) -> int:
        """Trials that were not begun."""
        return self.outcomes["skipped"]

    @property
    def pass_rate(self) -> float | None:
        """Passed trials as a share of those judged; errored and skipped ones are missing data."""
        judged = self.passed + self.failed
        return self.passed / judged if judged else None

    @cached_property
    def conversations(self) -> int:
        """Different conversations."""
        return len({(result.suite, result.conversation) for result in self.results})

    @cached_property
    def usage(self) -> Usage | None:
        """Tokens of all trials whose usage is known; None when it is known of none."""
        return total_usage(result.usage for result in self.results)

    @cached_property
    def usage_unknown(self) -> int:
        """Begun trials without a known usage."""
        return sum(result.usage is None and result.outcome != "skipped" for result in self.results)

    @cached_property
    def cost_usd(self) -> Decimal | None:
        """Cost of all trials whose cost is known; None when it is known of none."""
        known = [result.cost_usd for result in self.results if result.cost_usd is not None]
        return sum(known, Decimal(0)) if known else None

    @cached_property
    def cost_unknown(self) -> int:
        """Begun trials without a known cost."""
        return sum(result.cost_usd is None and result.outcome != "skipped" for result in self.results)

    @cached_property
    def cost_reason(self) -> str:
        """Why a cost is unknown: the most frequent reason."""
        reasons = Counter(result.cost_reason for result in self.results if result.cost_usd is None)
        del reasons[""]
        return reasons.most_common(1)[0][0] if reasons else ""

    @cached_property
    def turn_latencies_s(self) -> tuple[float, ...]:
        """Seconds of every turn, sorted; waiting for rate limits is not in them."""
        traces = (result.trace for result in self.results if result.trace)
        return tuple(sorted(turn.latency_s for trace in traces for turn in trace.turns))

    @property
    def latency_p50_s(self) -> float | None:
        """The median turn."""
        return percentile(self.turn_latencies_s, 0.50)

    @property
    def latency_p95_s(self) -> float | None:
        """The turn that 95 % of turns do not exceed."""
        return percentile(self.turn_latencies_s, 0.95)


@dataclass(frozen=True)
class ConversationResult:
    """One conversation with one variant: all its repeats."""

    suite: str
    conversation: str
    variant: str
    results: tuple[TrialResult, ...]

    @cached_property
    def outcome(self) -> Outcome:
        """The worst of its repeats: failed before errored before passed; skipped when none was begun."""
        outcomes = {result.outcome for result in self.results}
        ranked: tuple[Outcome, ...] = ("failed", "errored", "passed", "skipped")
        return next(outcome for outcome in ranked if outcome in outcomes)

    @property
    def passed(self) -> int:
        """How many repeats passed."""
        return sum(result.outcome == "passed" for result in self.results)

    @property
    def flaky(self) -> bool:
        """Some repeats passed and some failed."""
        return {"passed", "failed"} <= {result.outcome for result in self.results}

    @property
    def tags(self) -> tuple[str, ...]:
        """The conversation's tags."""
        return self.results[0].tags

    @property
    def failing_checks(self) -> tuple[str, ...]:
        """The expectations that were not met in any repeat, each once, in the order of the suite file."""
        failed = (score.check for result in self.results for score in failed_scores(result))
        return tuple(dict.fromkeys(failed))

    @property
    def reason(self) -> str:
        """Why it did not pass: the first reason of the first repeat that has one."""
        return next(filter(None, map(why_not_passed, self.results)), "")


@dataclass(frozen=True, slots=True)
class FailingCheck:
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


@dataclass(frozen=True, slots=True)
class UnjudgedCheck:
    """An expectation that could be judged nowhere in the run: nobody knows whether it holds.

    Attributes:
        check: Its key.
        trials: In how many trials it was asked.
        example: One of the reasons.
    """

    check: str
    trials: int
    example: str


@dataclass(frozen=True)
class Summary:
    """A suite run, counted; every part is worked out when it is first asked for."""

    run: SuiteRun

    @cached_property
    def total(self) -> Group:
        """All trials."""
        return Group("total", self.run.results)

    @cached_property
    def suites(self) -> tuple[Group, ...]:
        """Trials by suite, in the order of the plan."""
        return _groups(self.run.results, lambda result: (result.suite,))

    @cached_property
    def variants(self) -> tuple[Group, ...]:
        """Trials by variant, in the order of the plan."""
        return _groups(self.run.results, lambda result: (result.variant,))

    @cached_property
    def tags(self) -> tuple[Group, ...]:
        """Trials by tag, by name; a trial counts under each of its tags."""
        return tuple(
            sorted(_groups(self.run.results, lambda result: result.tags), key=lambda group: group.name)
        )

    @cached_property
    def conversations(self) -> tuple[ConversationResult, ...]:
        """Every conversation with each variant, in the order of the plan."""
        repeats: dict[tuple[str, str, str], list[TrialResult]] = defaultdict(list)
        for result in self.run.results:
            repeats[result.suite, result.conversation, result.variant].append(result)
        return tuple(ConversationResult(*key, tuple(results)) for key, results in repeats.items())

    @cached_property
    def not_passed(self) -> tuple[ConversationResult, ...]:
        """Conversations that failed or errored, failed ones first."""
        found = [row for row in self.conversations if row.outcome in {"failed", "errored"}]
        return tuple(sorted(found, key=lambda row: row.outcome != "failed"))

    @cached_property
    def failing_checks(self) -> tuple[FailingCheck, ...]:
        """Expectations that were not met, most trials first."""
        return tuple(_failing_checks(self.run.results))

    @cached_property
    def never_judged(self) -> tuple[UnjudgedCheck, ...]:
        """Expectations without a single judgement; trials that ended in an error don't count."""
        return tuple(_never_judged(result for result in self.run.results if result.outcome != "errored"))

    @cached_property
    def escalation(self) -> ConfusionMatrix | None:
        """The confusion matrix of escalation; None when no expectation was about it."""
        from harness.scorers.escalation import confusion_matrix

        matrix = confusion_matrix(chain.from_iterable(result.scores for result in self.run.results))
        return matrix if matrix.total else None

    @property
    def missing(self) -> int:
        """Trials of the plan that have no result."""
        return max(0, self.run.planned - len(self.run.results))

    @property
    def duration_s(self) -> float | None:
        """From the beginning to the end of the suite run; None when the time of day jumped back between."""
        ended, started = self.run.ended_at, self.run.started_at
        return (ended - started).total_seconds() if ended and ended >= started else None


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which ``share`` of sorted values lie, interpolated between neighbours.

    Hyndman and Fan's type 7, the default of numpy and of spreadsheets; None without values.
    """
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def failed_scores(result: TrialResult) -> list[Score]:
    """The judgements of expectations that were not met, in the order of the suite file."""
    return [score for score in result.scores if score.passed is False]


def describe(score: Score) -> str:
    """A judgement in one line: where, what, why."""
    where = "conversation" if score.turn is None else f"turn {score.turn + 1}"
    return f"{where}, {score.check}: {score.reason}" if score.reason else f"{where}, {score.check}"


def why_not_passed(result: TrialResult) -> str:
    """The error of an errored trial or the first unmet expectation of a failed one; empty if it passed."""
    if result.outcome == "errored":
        return result.error or "errored without a message"
    failed = failed_scores(result)
    return describe(failed[0]) if failed else ""


def _groups(
    results: Iterable[TrialResult], names: Callable[[TrialResult], Iterable[str]]
) -> tuple[Group, ...]:
    members: dict[str, list[TrialResult]] = defaultdict(list)
    for result in results:
        for name in names(result):
            members[name].append(result)
    return tuple(Group(name, tuple(found)) for name, found in members.items())


def _failing_checks(results: Iterable[TrialResult]) -> list[FailingCheck]:
    judged: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    conversations: dict[str, set[tuple[str, str]]] = defaultdict(set)
    examples: dict[str, str] = {}
    for result in results:
        judged.update({score.check for score in result.scores if score.passed is not None})
        unmet = {score.check: score.reason for score in reversed(failed_scores(result))}
        failed.update(unmet.keys())
        for check, reason in unmet.items():
            conversations[check].add((result.suite, result.conversation))
            examples.setdefault(check, reason)
    return [
        FailingCheck(check, count, judged[check], len(conversations[check]), examples[check])
        for check, count in sorted(failed.items(), key=lambda item: (-item[1], item[0]))
    ]


def _never_judged(results: Iterable[TrialResult]) -> Iterator[UnjudgedCheck]:
    judged: set[str] = set()
    asked: Counter[str] = Counter()
    reasons: dict[str, str] = {}
    for result in results:
        asked.update({score.check for score in result.scores})
        for score in result.scores:
            if score.value is None:
                reasons.setdefault(score.check, score.reason)
            else:
                judged.add(score.check)
    for check in sorted(asked.keys() - judged):
        yield UnjudgedCheck(check, asked[check], reasons[check])
