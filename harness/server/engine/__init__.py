"""A run from queued to its end."""
