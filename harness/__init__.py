"""Evaluation and regression testing for AI assistants.

Importing this package does no work: the public names load their modules when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.errors import HarnessError
    from harness.reporters.tables import scores_frame, trials_frame, turns_frame
    from harness.results import Score, SuiteRun, TrialResult
    from harness.runner.simulated import ChatUser
    from harness.runner.talk import Answer, Talk
    from harness.suite.authoring import Suite
    from harness.trace.records import Trace
    from harness.workflows import evaluate

__version__ = "0.1.0"
__all__ = [
    "Answer",
    "ChatUser",
    "HarnessError",
    "Score",
    "Suite",
    "SuiteRun",
    "Talk",
    "Trace",
    "TrialResult",
    "__version__",
    "evaluate",
    "scores_frame",
    "trials_frame",
    "turns_frame",
]

_HOME = {
    "Answer": "harness.runner.talk",
    "ChatUser": "harness.runner.simulated",
    "HarnessError": "harness.errors",
    "Score": "harness.results",
    "Suite": "harness.suite.authoring",
    "SuiteRun": "harness.results",
    "Talk": "harness.runner.talk",
    "Trace": "harness.trace.records",
    "TrialResult": "harness.results",
    "evaluate": "harness.workflows",
    "scores_frame": "harness.reporters.tables",
    "trials_frame": "harness.reporters.tables",
    "turns_frame": "harness.reporters.tables",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
