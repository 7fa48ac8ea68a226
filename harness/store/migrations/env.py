"""Run by Alembic: the scripts work on the connection that the store hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from harness.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a column by copying its table
)
context.run_migrations()
