"""The numbers of a suite run that every report shows, counted once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from harness.cost.prices import FREE, Cost
from harness.cost.usage import Usage
from harness.cost.usage import total as total_usage
from harness.reporters.brief import Brief, Checks, FailingCheck, Shared, UnjudgedCheck, brief
from harness.results import Outcome, Quarantine, SuiteRun, TrialResult

if TYPE_CHECKING:
    from harness.scorers.confusion import ConfusionMatrix


@dataclass(frozen=True)
class Group:
    """Some trials of a suite run under one name: a suite, a tag, a variant, or all of them."""

    name: str
    results: tuple[Brief, ...]

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

    @cached_property
    def replayed(self) -> int:
        """Trials answered from a recording or a stored trace: no new evidence."""
        return sum(result.replayed for result in self.results)

    @cached_property
    def quarantined(self) -> Counter[Outcome]:
        """How many trials in quarantine, which decide nothing, ended with each outcome."""
        return Counter(result.outcome for result in self.results if result.quarantined)

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
    def judge_cost(self) -> Cost | None:
        """What judges cost, no part of the assistant's cost; None when none was asked."""
        asked = [each for each in self.results if each.judge_cost_usd is not None or each.judge_cost_reason]
        costs = (Cost(each.judge_cost_usd, each.judge_cost_reason) for each in asked)
        return sum(costs, start=FREE) if asked else None

    @cached_property
    def turn_latencies_s(self) -> tuple[float, ...]:
        """Seconds of every turn, sorted; waiting for rate limits is not in them."""
        return tuple(sorted(chain.from_iterable(result.turn_latencies_s for result in self.results)))

    @cached_property
    def waited_s(self) -> float:
        """Seconds that trials waited for rate limits and between tries, added up."""
        return sum(result.wait_s for result in self.results)

    @property
    def latency_p50_s(self) -> float | None:
        """The median turn."""
        return percentile(self.turn_latencies_s, 0.50)

    @property
    def latency_p95_s(self) -> float | None:
        """The turn that 95 % of turns do not exceed."""
        return percentile(self.turn_latencies_s, 0.95)


class ConversationResult(msgspec.Struct, frozen=True):
    """One conversation with one variant: all its repeats."""

    suite: str
    conversation: str
    variant: str
    results: tuple[Brief, ...]

    @property
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
    def quarantined(self) -> bool:
        """Whether it decides nothing: all of its repeats are in quarantine."""
        return all(result.quarantined for result in self.results)

    @property
    def quarantine(self) -> Quarantine | None:
        """What the suite said of a quarantine at the last repeat, be it in force or over."""
        return self.results[-1].quarantine

    @property
    def tags(self) -> tuple[str, ...]:
        """The conversation's tags."""
        return self.results[0].tags

    @property
    def failing_checks(self) -> tuple[str, ...]:
        """The expectations that were not met in any repeat, each once, in the order of the suite file."""
        return tuple(dict.fromkeys(chain.from_iterable(result.unmet for result in self.results)))

    @property
    def reason(self) -> str:
        """Why it did not pass: the first reason of the first repeat that has one."""
        return next(filter(None, (result.reason for result in self.results)), "")

    @property
    def says(self) -> tuple[str, ...]:
        """What the user says in each turn, as far as the repeats agree on it: see ``spoken``."""
        says: tuple[str, ...] = ()
        for result in self.results:
            says = spoken(says, result.says)
        return says


@dataclass(frozen=True)
class Summary:
    """A suite run, counted; its results are read once, when something is first asked for."""

    run: SuiteRun

    def reading(self) -> Iterator[TrialResult]:
        """The results one by one; whoever goes through all of them has them counted on the way."""
        if "_counted" in self.__dict__:
            yield from self.run.results
            return
        briefs: list[Brief] = []
        checks, shared = Checks(), Shared()
        for result in self.run.results:
            briefs.append(brief(result, shared))
            checks.take(result)
            yield result
        self.__dict__["_counted"] = (tuple(briefs), checks)

    @cached_property
    def _counted(self) -> tuple[tuple[Brief, ...], Checks]:
        for _ in self.reading():
            pass
        counted: tuple[tuple[Brief, ...], Checks] = self.__dict__["_counted"]
        return counted

    @property
    def briefs(self) -> tuple[Brief, ...]:
        """What is kept of each trial, in the order of the plan."""
        return self._counted[0]

    @cached_property
    def total(self) -> Group:
        """All trials."""
        return Group("total", self.briefs)

    @cached_property
    def suites(self) -> tuple[Group, ...]:
        """Trials by suite, in the order of the plan."""
        return _groups(self.briefs, lambda result: (result.suite,))

    @cached_property
    def variants(self) -> tuple[Group, ...]:
        """Trials by variant, in the order of the plan."""
        return _groups(self.briefs, lambda result: (result.variant,))

    @property
    def side_by_side(self) -> tuple[Group, ...]:
        """Trials by variant, where conversations were played with several; suites may each have their own."""
        return self.variants if self.total.conversations < len(self.conversations) else ()

    @cached_property
    def tags(self) -> tuple[Group, ...]:
        """Trials by tag, by name; a trial counts under each of its tags."""
        return tuple(sorted(_groups(self.briefs, lambda result: result.tags), key=lambda group: group.name))

    @cached_property
    def conversations(self) -> tuple[ConversationResult, ...]:
        """Every conversation with each variant, in the order of the plan."""
        repeats: dict[tuple[str, str, str], list[Brief]] = defaultdict(list)
        for result in self.briefs:
            repeats[result.suite, result.conversation, result.variant].append(result)
        return tuple(ConversationResult(*key, tuple(results)) for key, results in repeats.items())

    @cached_property
    def deciding(self) -> tuple[ConversationResult, ...]:
        """Conversations that are not in quarantine: by them the run is good or bad."""
        return tuple(row for row in self.conversations if not row.quarantined)

    @cached_property
    def quarantined(self) -> tuple[ConversationResult, ...]:
        """Conversations in quarantine, those that did not pass first."""
        found = [row for row in self.conversations if row.quarantined]
        return tuple(sorted(found, key=lambda row: row.outcome == "passed"))

    @cached_property
    def released(self) -> tuple[ConversationResult, ...]:
        """Conversations whose quarantine is over, so that they count again."""
        return tuple(row for row in self.deciding if row.quarantine is not None)

    @cached_property
    def not_passed(self) -> tuple[ConversationResult, ...]:
        """Conversations that failed or errored and count, failed ones first."""
        found = [row for row in self.deciding if row.outcome in {"failed", "errored"}]
        return tuple(sorted(found, key=lambda row: row.outcome != "failed"))

    @cached_property
    def failing_checks(self) -> tuple[FailingCheck, ...]:
        """Expectations that were not met, most trials first."""
        return tuple(self._counted[1].failing())

    @cached_property
    def informational(self) -> tuple[UnjudgedCheck, ...]:
        """What judges decided for information only: they were not measured on it."""
        return tuple(self._counted[1].informational())

    @cached_property
    def never_judged(self) -> tuple[UnjudgedCheck, ...]:
        """Expectations without a single judgement; trials that ended in an error don't count."""
        return tuple(self._counted[1].never_judged())

    @cached_property
    def escalation(self) -> ConfusionMatrix | None:
        """The confusion matrix of escalation; None when no expectation was about it."""
        return self._counted[1].handovers.matrix()

    @property
    def forgotten(self) -> Counter[bool]:
        """How often users asked to be forgotten: confirmed by the target (True), and not."""
        return self._counted[1].forgotten

    @property
    def missing(self) -> int:
        """Trials of the plan that have no result."""
        return max(0, self.run.planned - len(self.run.results))

    @property
    def duration_s(self) -> float | None:
        """From the beginning to the end of the suite run; None when the time of day jumped back between."""
        ended, started = self.run.ended_at, self.run.started_at
        return (ended - started).total_seconds() if ended and ended >= started else None


def spoken(known: tuple[str, ...], said: tuple[str, ...]) -> tuple[str, ...]:
    """What a user is known to say, after one more repeat: a longer talk counts if it begins the same way.

    So what is known only ever grows at its end, and a transcript that was compared with less of it is right.
    """
    return said if said[: len(known)] == known else known


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


def _groups(briefs: Iterable[Brief], names: Callable[[Brief], Iterable[str]]) -> tuple[Group, ...]:
    members: dict[str, list[Brief]] = defaultdict(list)
    for each in briefs:
        for name in names(each):
            members[name].append(each)
    return tuple(Group(name, tuple(found)) for name, found in members.items())
