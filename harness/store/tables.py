"""The tables of the store, and what one row of each is.

The whole truth about a trial is its body: the JSON of its ``TrialResult``, compressed. The columns and the
``scores`` rows beside it repeat what queries ask for, so that history, costs and dashboards need not unpack
bodies. Nothing that can be worked out from these rows (comparisons, verdicts, reports) is kept.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.types import TypeDecorator

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every format of these tables, oldest first; each has its script under migrations/versions/."""

PICO_USD = Decimal(10) ** 12


class PicoUsd(TypeDecorator[Decimal]):
    """Dollars as whole millionths of a millionth: exact, and both databases can add them up."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """As the database keeps it."""
        return None if value is None else int((value * PICO_USD).to_integral_value())

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """As everyone else sees it."""
        return None if value is None else Decimal(int(value)) / PICO_USD


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, also in a database that forgets time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As the database keeps it."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """As everyone else sees it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows itself only in a column of exactly this type.
RowNumber = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

suite_runs = Table(
    "suite_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("target", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("planned", Integer, nullable=False),
    Column("settings", Text, nullable=False),
    Index("suite_runs_by_time", "started_at"),
    comment="One row is one suite run: what was asked for, and how far it came.",
)

trials = Table(
    "trials",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("suite_runs.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, comment="Place in the plan, from 0; NULL: as they ended, after the others."),
    Column("trial_id", Text, nullable=False),
    Column("suite", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("variant", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("outcome", Text, nullable=False, comment="passed, failed, errored or skipped."),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime, nullable=False),
    Column("prompt_tokens", BigInteger, comment="NULL when the target reported no usage."),
    Column("completion_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("cost_pico_usd", PicoUsd, comment="NULL when unknown, which is never 0."),
    Column(
        "judge_cost_pico_usd",
        PicoUsd,
        server_default="0",
        comment="What judges cost, no part of the cost; 0 when none was asked, NULL when unknown.",
    ),
    Column("latency_s", Float, nullable=False),
    Column(
        "replayed",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="Answered from a recording or a stored trace: no new evidence, and nothing was paid for it.",
    ),
    Column(
        "quarantined",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="In quarantine when it was run: it decides nothing.",
    ),
    Column("quarantined_until", Date, comment="The last day of its quarantine; NULL without one."),
    UniqueConstraint("run_id", "trial_id", name="trials_once_a_run"),
    Index("trials_by_conversation", "suite", "conversation"),
    comment="One row is one trial that ended: one conversation, one variant, one repeat, in one suite run.",
)

trial_bodies = Table(
    "trial_bodies",
    metadata,
    Column(
        "trial",
        RowNumber,
        ForeignKey("trials.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("body", LargeBinary, nullable=False),
    comment="One row is everything about one trial: the JSON of its TrialResult, as one zstandard frame.",
)

spending = Table(
    "spending",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("run_id", Text, ForeignKey("suite_runs.id", ondelete="CASCADE"), nullable=False),
    Column("trial_id", Text, nullable=False),
    Column("reserved_pico_usd", PicoUsd, nullable=False, comment="What it could cost, before it was sent."),
    Column("role", Text, nullable=False, server_default="assistant", comment="assistant or judge."),
    Column("spent_pico_usd", PicoUsd, comment="NULL until it is known; then all that was reserved counts."),
    Index("spending_by_run", "run_id"),
    comment="One row is one paid request of a suite run that has a budget.",
)

scores = Table(
    "scores",
    metadata,
    Column(
        "trial",
        RowNumber,
        ForeignKey("trials.number", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("position", Integer, primary_key=True, comment="Place among the trial's scores, from 0."),
    Column("check_name", Text, nullable=False, comment="The expectation, as the suite spells it."),
    Column("scorer", Text, nullable=False),
    Column("turn", Integer, comment="From 0; NULL for the whole conversation."),
    Column("value_num", Float, comment="A number, or 1 and 0 for an assertion."),
    Column("value_text", Text, comment="A label."),
    Column("passed", Boolean, comment="NULL when there is nothing to say."),
    Column("reason", Text, comment="NULL when there is none; in the body also for scores that passed."),
    comment="One row is one judgement of one expectation in one trial.",
    sqlite_with_rowid=False,
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("fingerprint", Text, nullable=False, comment="Of the rubric and all else that is asked."),
    Column("model", Text, nullable=False, comment="The version that answered, as it names itself."),
    Column("made_at", UtcTime, nullable=False),
    Column("body", Text, nullable=False, comment="The JSON of the Calibration."),
    Index("calibrations_by_rubric", "fingerprint", "model"),
    comment="One row is one time that a judge was measured against people; the latest one counts.",
)

judgements = Table(
    "judgements",
    metadata,
    Column("asked", Text, primary_key=True, comment="Digest of rubric, material and the model asked."),
    Column("made_at", UtcTime, nullable=False),
    Column("body", Text, nullable=False, comment="The JSON of the Judgement."),
    comment="One row is what a judge decided about one labelled row: no calibration pays for it twice.",
)
