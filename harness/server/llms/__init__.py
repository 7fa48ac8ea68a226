"""What answers when a run names a model."""
