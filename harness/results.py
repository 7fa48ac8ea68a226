"""Score, trial result and suite run: the records that everyone downstream shares."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from harness.cost.usage import Usage
from harness.trace.records import Record, Trace

Role = Literal["assistant", "judge"]
"""Who a request is paid to."""

Outcome = Literal["passed", "failed", "errored", "skipped"]

# How a suite run stands: under way; all trials are in; a person stopped it; its budget or the number of
# failures it was allowed ran out. All but the first two leave trials that `--resume` goes on with.
RunStatus = Literal["running", "finished", "interrupted", "budget_exhausted", "failures_reached", "decided"]


class Score(Record, frozen=True):
    """One judgement of one expectation.

    Attributes:
        check: The expectation's key as the suite spells it, for example ``grounded`` or ``answer.mentions``.
        scorer: Who judged.
        turn: Index of the turn from 0; None for the whole conversation.
        value: True/False for an assertion, a number for a score, text for a label; None when it could not be
            scored, with the reason. None is never counted as 0.
        passed: Whether the expectation is met; None when there is nothing to say.
        reason: One sentence a reader can act on; always set when ``passed`` is not True.
        evidence: What the judgement rests on, plain JSON; each scorer documents its own keys.
    """

    check: str
    scorer: str
    turn: int | None
    value: bool | float | str | None
    passed: bool | None
    reason: str = ""
    evidence: dict[str, Any] = msgspec.field(default_factory=dict)


class Estimate(Record, frozen=True):
    """A number with the interval that it lies in at 95 % confidence."""

    value: float
    low: float
    high: float


class Calibration(Record, frozen=True):
    """How far a judge agrees with people, by one rubric and one version of a model.

    A row is *met* when its label meets the expectation, else *unmet*.

    Attributes:
        rubric: The rubric's name when it was measured.
        fingerprint: Of the rubric's text and all else that decides what the judge is asked.
        model: The model that answered, as it names itself.
        made_at: When.
        rows: How many rows people have labelled.
        judged: For how many of them the judge gave a verdict.
        met: How many of those people found met.
        unmet: How many of those people found unmet.
        kappa: Cohen's kappa between judge and people over met and unmet; None when it has no value.
        sensitivity: Share of the unmet rows that the judge finds unmet; None without such rows.
        specificity: Share of the met rows that the judge finds met; None without such rows.
        agreement: Share of the rows in which both say the same of met and unmet.
        label_kappa: Cohen's kappa over all labels, quadratically weighted on a scale.
        confusion: How often the judge said what: by the label of people, then by that of the judge.
        unjudged: Why there was no verdict, with the number of rows.
    """

    rubric: str
    fingerprint: str
    model: str
    made_at: datetime
    rows: int
    judged: int
    met: int
    unmet: int
    kappa: Estimate | None = None
    sensitivity: Estimate | None = None
    specificity: Estimate | None = None
    agreement: Estimate | None = None
    label_kappa: float | None = None
    confusion: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    unjudged: dict[str, int] = msgspec.field(default_factory=dict)


class Quarantine(Record, frozen=True):
    """Why a trial's outcome decides nothing, or until when it did not.

    Attributes:
        until: The last day on which its conversation is in quarantine.
        reason: Why it is.
        in_force: Whether it was when the trial's run went on; if not, the trial counts again.
    """

    until: date
    reason: str
    in_force: bool


class TrialResult(Record, frozen=True):
    """One trial that ended.

    Attributes:
        trial_id: ``suite/conversation@variant#repeat``.
        suite: The suite's name.
        conversation: The conversation's id.
        cluster: Conversations that share a topic or a document; the conversation's own id by default.
        tags: The conversation's tags.
        variant: Name of the assistant's version.
        fingerprint: Of the variant (instructions, model, options, tools, documents).
        repeat: From 1.
        outcome: ``errored`` means missing data: the harness or the provider failed, not the assistant.
        error: What went wrong, for errored trials.
        scores: In the order of the suite file.
        usage: All turns together; None when any turn's is unknown.
        cost_usd: At list prices of the model that ran; None when unknown.
        cost_reason: Why the cost is unknown.
        judge_cost_usd: What judges cost, no part of ``cost_usd``; None when none was asked, or unknown.
        judge_cost_reason: Why that is unknown; empty when it is known or none was asked.
        latency_s: All turns together, without ``wait_s``.
        wait_s: Seconds that its requests waited for rate limits and between tries; all turns together.
        trace: What happened; None only when nothing was begun.
        replayed: Answered from a recording or a stored trace: no new evidence, and nothing was paid for it.
        quarantine: What the suite says of a quarantine; None where it says nothing.
    """

    trial_id: str
    suite: str
    conversation: str
    variant: str
    fingerprint: str
    repeat: int
    outcome: Outcome
    started_at: datetime
    ended_at: datetime
    cluster: str = ""
    tags: tuple[str, ...] = ()
    error: str | None = None
    scores: tuple[Score, ...] = ()
    usage: Usage | None = None
    cost_usd: Decimal | None = None
    cost_reason: str = ""
    judge_cost_usd: Decimal | None = None
    judge_cost_reason: str = ""
    latency_s: float = 0.0
    wait_s: float = 0.0
    trace: Trace | None = None
    replayed: bool = False
    quarantine: Quarantine | None = None

    @property
    def quarantined(self) -> bool:
        """Whether its outcome decides nothing."""
        return self.quarantine is not None and self.quarantine.in_force


class CaseOutcomes(Record, frozen=True):
    """How the trials of one conversation with one version of an assistant ended in one suite run.

    Attributes:
        suite: The suite's name.
        conversation: The conversation's id.
        variant: Name of the assistant's version.
        fingerprint: Of that version.
        passed: Trials that passed.
        failed: Trials that failed.
        errored: Trials that say nothing, because the harness or the provider failed.
        quarantined_until: The last day of its quarantine, in force or over; None without one.
    """

    suite: str
    conversation: str
    variant: str
    fingerprint: str
    passed: int = 0
    failed: int = 0
    errored: int = 0
    quarantined_until: date | None = None

    @property
    def judged(self) -> int:
        """Trials that are evidence."""
        return self.passed + self.failed


class PastRun(Record, frozen=True):
    """What a stored suite run is evidence for, without its traces; replayed trials are none.

    Attributes:
        id: The suite run's id.
        started_at: When it began.
        target: Where the assistant lived.
        branch: The git branch that it was run on; None where that is not known.
        suites: Fingerprints of its suites by name.
        cases: Its conversations.
    """

    id: str
    started_at: datetime
    target: str
    branch: str | None
    suites: dict[str, str]
    cases: tuple[CaseOutcomes, ...]


class CountedResults(Sequence[TrialResult]):
    """Results whose outcomes are known without looking at each."""

    @property
    @abstractmethod
    def outcomes(self) -> Counter[Outcome]:
        """How many ended with each outcome."""

    @property
    @abstractmethod
    def deciding(self) -> Counter[Outcome]:
        """The same without those in quarantine."""


class Spending(Record, frozen=True):
    """What the paid requests of a suite run under a budget cost.

    Attributes:
        requests: How many there were.
        spent_usd: All of them together, those of unknown cost at the most that they could cost.
        unknown_usd: The part of ``spent_usd`` that is such a worst case.
        overcharged: Requests that cost more than the limits they were sent with allow.
        judge_usd: The part of ``spent_usd`` that judges were asked for.
    """

    requests: int
    spent_usd: Decimal
    unknown_usd: Decimal = Decimal(0)
    overcharged: int = 0
    judge_usd: Decimal = Decimal(0)


RESCORED = "rescored_from"
"""Under this name a run's settings say whose trials it has scored anew."""

SCREEN = "screen"
"""Under this name a run of two assistants says how what got worse in one pass is confirmed."""

SCREENED_BY = "screened_by"
"""Under this name the run of the fresh trials says which run's one pass it confirms."""


class SuiteRun(Record, frozen=True):
    """All trials of one plan, as run once.

    Attributes:
        id: Sorts by time: ``20261122-134501-acme-support``.
        status: ``running`` until it ends; ``finished`` when the last trial is in, else why it ended.
        planned: How many trials the plan has.
        settings: What the run was asked for (target, repeats, concurrency, suites), as given.
        results: In the order of the plan, once all are in. Those of a stored run are read from the store
            whenever they are looked at.
        spending: What was spent; None when the run never had a budget.
    """

    id: str
    started_at: datetime
    target: str
    status: RunStatus
    planned: int
    ended_at: datetime | None = None
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    results: Sequence[TrialResult] = ()
    spending: Spending | None = None

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many trials ended with each outcome."""
        if isinstance(self.results, CountedResults):
            return self.results.outcomes
        return Counter(result.outcome for result in self.results)

    @property
    def deciding(self) -> Counter[Outcome]:
        """How many trials ended with each outcome, without those in quarantine."""
        if isinstance(self.results, CountedResults):
            return self.results.deciding
        return Counter(result.outcome for result in self.results if not result.quarantined)

    @property
    def quarantined(self) -> Counter[Outcome]:
        """How many trials in quarantine, which decide nothing, ended with each outcome."""
        return self.outcomes - self.deciding
