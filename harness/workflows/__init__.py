"""Whole jobs in a few calls: run suites, go on with a run, read one back, write its report."""

from harness.workflows.calibrating import Calibrated, calibrate
from harness.workflows.cleaning import Cleaning, Wanted, clean, left_behind
from harness.workflows.comparing import (
    compare_runs,
    comparison_text,
    to_be_run,
    write_comparisons,
)
from harness.workflows.exporting import export
from harness.workflows.forecasting import Forecast, forecast
from harness.workflows.jobs import Job, load, plan_of
from harness.workflows.rescoring import Rescored, rescore
from harness.workflows.running import Control, Listener, evaluate, resume, start
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
    "Rescored",
    "Wanted",
    "calibrate",
    "clean",
    "compare_runs",
    "comparison_text",
    "evaluate",
    "export",
    "forecast",
    "gate_run",
    "gate_table",
    "left_behind",
    "load",
    "plan_of",
    "plan_trials",
    "render",
    "rescore",
    "resume",
    "run_trials",
    "start",
    "stored_run",
    "stored_runs",
    "summary",
    "table_statistics",
    "to_be_run",
    "write",
    "write_comparisons",
    "write_html",
    "write_json",
]
