"""The first tables: suite runs, trials with their bodies, scores.

A new store gets the current tables at once; this script is where the chain of changes starts, and a test
holds that the chain and the current tables agree.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes the tables."""
    _suite_runs()
    _trials()
    op.create_table("trial_bodies", _trial_key(), sa.Column("body", sa.LargeBinary, nullable=False))
    _scores()


def _suite_runs() -> None:
    op.create_table(
        "suite_runs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("planned", sa.Integer, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
    )
    op.create_index("suite_runs_by_time", "suite_runs", ["started_at"])


def _trials() -> None:
    run = sa.ForeignKey("suite_runs.id", ondelete="CASCADE")
    names = ("trial_id", "suite", "conversation", "cluster", "variant", "fingerprint")
    tokens = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    op.create_table(
        "trials",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("run_id", sa.Text, run, nullable=False),
        sa.Column("position", sa.Integer),
        *(sa.Column(name, sa.Text, nullable=False) for name in names),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in tokens),
        sa.Column("cost_pico_usd", sa.BigInteger),
        sa.Column("latency_s", sa.Float, nullable=False),
        sa.UniqueConstraint("run_id", "trial_id", name="trials_once_a_run"),
    )
    op.create_index("trials_by_conversation", "trials", ["suite", "conversation"])


def _scores() -> None:
    op.create_table(
        "scores",
        _trial_key(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("check_name", sa.Text, nullable=False),
        sa.Column("scorer", sa.Text, nullable=False),
        sa.Column("turn", sa.Integer),
        sa.Column("value_num", sa.Float),
        sa.Column("value_text", sa.Text),
        sa.Column("passed", sa.Boolean),
        sa.Column("reason", sa.Text),
        sqlite_with_rowid=False,
    )


def _trial_key() -> sa.Column[int]:
    trial = sa.ForeignKey("trials.number", ondelete="CASCADE")
    return sa.Column("trial", _NUMBER, trial, primary_key=True, autoincrement=False)
