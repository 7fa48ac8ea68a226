"""Judges traces: every expectation becomes one or more scores."""
