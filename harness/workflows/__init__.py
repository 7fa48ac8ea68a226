"""Whole jobs in a few calls: run suites, go on with a run, read one back, write its report.

A job's module loads when the job is asked for: a run needs neither calibration nor cleaning nor export.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.workflows.baselines import is_searched
    from harness.workflows.calibrating import Calibrated, calibrate
    from harness.workflows.cleaning import Cleaning, Wanted, clean, left_behind
    from harness.workflows.comparing import compare_runs, comparison_text, to_be_run, write_comparisons
    from harness.workflows.exporting import export
    from harness.workflows.forecasting import Forecast, forecast
    from harness.workflows.in_ci import tell_of_comparisons, tell_of_run, tell_of_verdict, write_code_quality
    from harness.workflows.jobs import Job, load, plan_of
    from harness.workflows.over_time import drifting, flakiness
    from harness.workflows.parity import parity_jobs, parity_sides, run_side_by_side
    from harness.workflows.piecewise import PiecewiseRun, conclude, more_planned
    from harness.workflows.rescoring import Rescored, rescore
    from harness.workflows.running import Control, Listener, Part, evaluate, resume, start
    from harness.workflows.sequential import confirm, decide
    from harness.workflows.stored import render, stored_run, stored_runs, summary, write, write_html
    from harness.workflows.verdicts import (
        gate_run,
        gate_table,
        plan_trials,
        run_trials,
        table_statistics,
        write_json,
    )

__all__ = [
    "Calibrated",
    "Cleaning",
    "Control",
    "Forecast",
    "Job",
    "Listener",
    "Part",
    "PiecewiseRun",
    "Rescored",
    "Wanted",
    "calibrate",
    "clean",
    "compare_runs",
    "comparison_text",
    "conclude",
    "confirm",
    "decide",
    "drifting",
    "evaluate",
    "export",
    "flakiness",
    "forecast",
    "gate_run",
    "gate_table",
    "is_searched",
    "left_behind",
    "load",
    "more_planned",
    "parity_jobs",
    "parity_sides",
    "plan_of",
    "plan_trials",
    "render",
    "rescore",
    "resume",
    "run_side_by_side",
    "run_trials",
    "start",
    "stored_run",
    "stored_runs",
    "summary",
    "table_statistics",
    "tell_of_comparisons",
    "tell_of_run",
    "tell_of_verdict",
    "to_be_run",
    "write",
    "write_code_quality",
    "write_comparisons",
    "write_html",
    "write_json",
]

_HOME = {
    "Calibrated": "calibrating",
    "Cleaning": "cleaning",
    "Control": "running",
    "Forecast": "forecasting",
    "Job": "jobs",
    "Listener": "running",
    "Part": "running",
    "PiecewiseRun": "piecewise",
    "Rescored": "rescoring",
    "Wanted": "cleaning",
    "calibrate": "calibrating",
    "clean": "cleaning",
    "compare_runs": "comparing",
    "comparison_text": "comparing",
    "conclude": "piecewise",
    "confirm": "sequential",
    "decide": "sequential",
    "drifting": "over_time",
    "evaluate": "running",
    "export": "exporting",
    "flakiness": "over_time",
    "forecast": "forecasting",
    "gate_run": "verdicts",
    "gate_table": "verdicts",
    "is_searched": "baselines",
    "left_behind": "cleaning",
    "load": "jobs",
    "more_planned": "piecewise",
    "parity_jobs": "parity",
    "parity_sides": "parity",
    "plan_of": "jobs",
    "plan_trials": "verdicts",
    "render": "stored",
    "rescore": "rescoring",
    "resume": "running",
    "run_side_by_side": "parity",
    "run_trials": "verdicts",
    "start": "running",
    "stored_run": "stored",
    "stored_runs": "stored",
    "summary": "stored",
    "table_statistics": "verdicts",
    "tell_of_comparisons": "in_ci",
    "tell_of_run": "in_ci",
    "tell_of_verdict": "in_ci",
    "to_be_run": "comparing",
    "write": "stored",
    "write_code_quality": "in_ci",
    "write_comparisons": "comparing",
    "write_html": "stored",
    "write_json": "verdicts",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'harness.workflows' has no attribute {name!r}")
    # Kept, so that whoever looks again finds it at once.
    found = globals()[name] = getattr(importlib.import_module(f"harness.workflows.{_HOME[name]}"), name)
    return found


def __dir__() -> list[str]:
    return __all__
