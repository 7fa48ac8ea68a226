"""Trials that were answered from a recording or a stored trace are told apart: they are no new evidence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; no trial was replayed before there were recordings."""
    op.add_column("trials", sa.Column("replayed", sa.Boolean, nullable=False, server_default=sa.false()))
