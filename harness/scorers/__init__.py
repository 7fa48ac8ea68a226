"""Judges traces: every expectation becomes one or more scores."""

from __future__ import annotations

from harness.scorers.checks import checks_of, score_trace
from harness.scorers.interface import Assessment, Check, Scene, Scorer, View
from harness.scorers.registry import all_scorers, builtin_scorers

__all__ = [
    "Assessment",
    "Check",
    "Scene",
    "Scorer",
    "View",
    "all_scorers",
    "builtin_scorers",
    "checks_of",
    "score_trace",
]
