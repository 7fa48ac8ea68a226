"""Trials of conversations in quarantine are told apart: they decide nothing until a certain day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns; nothing was in quarantine before there was any."""
    op.add_column("trials", sa.Column("quarantined", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("trials", sa.Column("quarantined_until", sa.Date))
