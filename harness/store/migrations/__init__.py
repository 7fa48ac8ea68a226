"""How an older store becomes a current one: one script a format, run by Alembic."""
