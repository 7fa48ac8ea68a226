"""Questions over many suite runs, answered from the index columns without unpacking a body."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, false, func, select, true

from harness.results import Outcome
from harness.store.tables import suite_runs, trials
from harness.trace.records import Record


class RunSummary(Record, frozen=True):
    """One suite run in a list of many.

    Attributes:
        id: The suite run's id.
        started_at: When it began.
        ended_at: When it ended; None while it runs and after it was killed.
        target: Where the assistant lived.
        status: How it stands, as in ``SuiteRun``.
        planned: Trials in its plan.
        suites: Names of the suites that have results, sorted.
        variants: Names of the variants that have results, sorted.
        outcomes: How many trials ended with each outcome; outcomes that did not occur are left out.
        quarantined: The same of those in quarantine alone, which decide nothing.
        prompt_tokens: Of the trials whose usage is known; replayed ones spent none.
        completion_tokens: Of the trials whose usage is known; replayed ones spent none.
        cost_usd: Of the trials whose cost is known; None when it is known of none. Replayed ones cost 0.
        cost_unknown: How many trials' cost is unknown.
        replayed: How many trials were answered from a recording or a stored trace.
    """

    id: str
    started_at: datetime
    target: str
    status: str
    planned: int
    ended_at: datetime | None = None
    suites: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    outcomes: dict[str, int] = msgspec.field(default_factory=dict)
    quarantined: dict[str, int] = msgspec.field(default_factory=dict)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: Decimal | None = None
    cost_unknown: int = 0
    replayed: int = 0

    @property
    def finished(self) -> int:
        """How many trials have a result."""
        return sum(self.outcomes.values())

    @property
    def deciding(self) -> Counter[str]:
        """How many trials ended with each outcome, without those in quarantine."""
        return Counter(self.outcomes) - Counter(self.quarantined)


class PastTrial(Record, frozen=True):
    """How one trial of a conversation ended in some suite run."""

    run_id: str
    started_at: datetime
    variant: str
    fingerprint: str
    repeat: int
    outcome: Outcome
    cost_usd: Decimal | None
    latency_s: float
    replayed: bool = False


class PastCost(Record, frozen=True):
    """What the trials of one conversation with one version of an assistant cost on one target.

    Attributes:
        conversation: The conversation's id.
        fingerprint: Of the assistant's version.
        trials: How many trials say what they cost.
        least_usd: The cheapest of them.
        mean_usd: All of them on average.
        most_usd: The dearest of them.
    """

    conversation: str
    fingerprint: str
    trials: int
    least_usd: Decimal
    mean_usd: Decimal
    most_usd: Decimal


def past_costs(connection: Connection, suite: str, target: str) -> list[PastCost]:
    """What the conversations of a suite cost on a target; trials without a whole result don't count."""
    cost = trials.c.cost_pico_usd
    query = (
        select(
            trials.c.conversation,
            trials.c.fingerprint,
            func.count().label("trials"),
            func.min(cost).label("least_usd"),
            func.sum(cost).label("sum_usd"),
            func.max(cost).label("most_usd"),
        )
        .join(suite_runs, suite_runs.c.id == trials.c.run_id)
        .where(
            trials.c.suite == suite,
            suite_runs.c.target == target,
            cost.is_not(None),
            trials.c.outcome != "errored",
        )
        .group_by(trials.c.conversation, trials.c.fingerprint)
        .order_by(trials.c.conversation, trials.c.fingerprint)
    )
    return [_past_cost(row) for row in connection.execute(query)]


def _past_cost(row: Row[Any]) -> PastCost:
    return PastCost(
        conversation=row.conversation,
        fingerprint=row.fingerprint,
        trials=row.trials,
        least_usd=row.least_usd,
        mean_usd=row.sum_usd / row.trials,
        most_usd=row.most_usd,
    )


def run_summaries(connection: Connection, limit: int | None) -> list[RunSummary]:
    """The latest suite runs, newest first."""
    query = select(suite_runs).order_by(suite_runs.c.started_at.desc(), suite_runs.c.id.desc()).limit(limit)
    runs = connection.execute(query).all()
    groups = _groups(connection, [run.id for run in runs])
    return [_summary(run, groups.get(run.id, ())) for run in runs]


def conversation_history(
    connection: Connection, suite: str, conversation: str, *, replayed: bool
) -> list[PastTrial]:
    """Every trial of one conversation over all suite runs, oldest first; replayed ones when asked for."""
    columns = [trials.c[name] for name in PastTrial.__struct_fields__ if name != "cost_usd"]
    query = (
        select(*columns, trials.c.cost_pico_usd.label("cost_usd"))
        .where(trials.c.suite == suite, trials.c.conversation == conversation)
        .where(true() if replayed else trials.c.replayed.is_(false()))
        .order_by(trials.c.started_at, trials.c.number)
    )
    return [PastTrial(**row._mapping) for row in connection.execute(query)]


def _groups(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[Row[Any]]]:
    """Counts and sums by run, suite, variant and outcome, replayed trials and those in quarantine apart."""
    told = (trials.c.suite, trials.c.variant, trials.c.outcome)
    keys = (trials.c.run_id, *told, trials.c.replayed, trials.c.quarantined)
    query = (
        select(
            *keys,
            func.count().label("trials"),
            func.sum(trials.c.prompt_tokens).label("prompt_tokens"),
            func.sum(trials.c.completion_tokens).label("completion_tokens"),
            func.sum(trials.c.cost_pico_usd).label("cost_usd"),
            func.count(trials.c.cost_pico_usd).label("priced"),
        )
        .where(trials.c.run_id.in_(run_ids))
        .group_by(*keys)
    )
    groups: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(query):
        groups[row.run_id].append(row)
    return groups


def _summary(run: Row[Any], groups: Sequence[Row[Any]]) -> RunSummary:
    outcomes: dict[str, int] = defaultdict(int)
    quarantined: dict[str, int] = defaultdict(int)
    for group in groups:
        outcomes[group.outcome] += group.trials
        if group.quarantined:
            quarantined[group.outcome] += group.trials
    paid = [group for group in groups if not group.replayed]
    costs = [group.cost_usd for group in paid if group.cost_usd is not None]
    return RunSummary(
        id=run.id,
        started_at=run.started_at,
        ended_at=run.ended_at,
        target=run.target,
        status=run.status,
        planned=run.planned,
        suites=tuple(sorted({group.suite for group in groups})),
        variants=tuple(sorted({group.variant for group in groups})),
        outcomes=dict(outcomes),
        quarantined=dict(quarantined),
        prompt_tokens=sum(int(group.prompt_tokens or 0) for group in paid),
        completion_tokens=sum(int(group.completion_tokens or 0) for group in paid),
        cost_usd=sum(costs, Decimal(0)) if costs or (groups and not paid) else None,
        cost_unknown=sum(group.trials - group.priced for group in paid),
        replayed=sum(group.trials for group in groups if group.replayed),
    )
