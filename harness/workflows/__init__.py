"""Whole jobs in a few calls: run suites, go on with a run, read one back, write its report."""

from harness.workflows.cleaning import Cleaning, Wanted, clean, left_behind
from harness.workflows.forecasting import Forecast, forecast
from harness.workflows.jobs import Job, load, plan_of
from harness.workflows.rescoring import Rescored, rescore
from harness.workflows.running import Control, Listener, evaluate, resume, start
from harness.workflows.stored import render, stored_run, stored_runs, summary, write, write_html

__all__ = [
    "Cleaning",
    "Control",
    "Forecast",
    "Job",
    "Listener",
    "Rescored",
    "Wanted",
    "clean",
    "evaluate",
    "forecast",
    "left_behind",
    "load",
    "plan_of",
    "render",
    "rescore",
    "resume",
    "start",
    "stored_run",
    "stored_runs",
    "summary",
    "write",
    "write_html",
]
