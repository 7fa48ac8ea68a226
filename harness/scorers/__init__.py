"""Judges traces: every expectation becomes one or more scores."""

from __future__ import annotations

from harness.scorers.checks import checks_of, score_trace
from harness.scorers.interface import Check, Scene, Scorer
from harness.scorers.registry import all_scorers, builtin_scorers

__all__ = ["Check", "Scene", "Scorer", "all_scorers", "builtin_scorers", "checks_of", "score_trace"]
