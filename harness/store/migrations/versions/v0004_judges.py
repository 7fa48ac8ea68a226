"""How far judges agree with people, and what they decided about the rows that people labelled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables, and tells apart who was paid: until now only assistants were."""
    op.add_column("spending", sa.Column("role", sa.Text, nullable=False, server_default="assistant"))
    op.add_column("trials", sa.Column("judge_cost_pico_usd", sa.BigInteger, server_default="0"))
    op.create_table(
        "calibrations",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("calibrations_by_rubric", "calibrations", ["fingerprint", "model"])
    op.create_table(
        "judgements",
        sa.Column("asked", sa.Text, primary_key=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
