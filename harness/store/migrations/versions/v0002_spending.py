"""What the paid requests of suite runs with a budget cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "spending",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("run_id", sa.Text, sa.ForeignKey("suite_runs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("trial_id", sa.Text, nullable=False),
        sa.Column("reserved_pico_usd", sa.BigInteger, nullable=False),
        sa.Column("spent_pico_usd", sa.BigInteger),
    )
    op.create_index("spending_by_run", "spending", ["run_id"])
