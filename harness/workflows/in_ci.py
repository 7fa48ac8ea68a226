"""What CI systems are told of a run or a verdict: job summaries, annotations, code quality reports."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ReportError
from harness.reporters.interface import write_report
from harness.results import SuiteRun
from harness.suite.places import places_in
from harness.workflows.stored import render

if TYPE_CHECKING:
    from harness.compare.comparison import Comparison
    from harness.compare.gate import GateVerdict
    from harness.compare.verdict import Verdict
    from harness.reporters.findings import Level, Places

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file to which a job's summary is added."""


def add_summary(markdown: str, environment: Mapping[str, str]) -> None:
    """Add Markdown to the summary of the CI job, in the file that the environment names.

    Raises:
        ReportError: The file can't be written.
    """
    path = environment[SUMMARY]
    try:
        with Path(path).open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{markdown}\n")
    except OSError as error:
        raise ReportError(
            f"the job summary {path!r} cannot be written: {error.strerror or error}",
            code="report-not-written",
            hint=f"Unset {SUMMARY}, or let it name a file that may be written to.",
        ) from error


def tell_of_run(run: SuiteRun, environment: Mapping[str, str] = os.environ) -> str:
    """Add a run to the job's summary, and get what did not pass as annotations; empty outside CI."""
    from harness.reporters.findings import findings, github

    if environment.get(SUMMARY):
        add_summary(render(run, "markdown"), environment)
    if not _on_github(environment):
        return ""
    return github(findings(run, _places(run)), Path.cwd())


def tell_of_verdict(found: GateVerdict | Verdict, environment: Mapping[str, str] = os.environ) -> str:
    """Add a gate's verdict to the job's summary, and get it as an annotation unless it is a pass."""
    from harness.compare.verdict import Verdict

    if environment.get(SUMMARY):
        from harness.reporters.gating import gate_in_markdown, verdict_in_markdown

        told = verdict_in_markdown(found) if isinstance(found, Verdict) else gate_in_markdown(found)
        add_summary(told, environment)
    if not _on_github(environment) or found.verdict == "pass":
        return ""
    from harness.reporters.findings import remark

    level: Level = "error" if found.verdict == "fail" else "warning"
    title = f"harness gate: {found.verdict}"
    return remark(level, title, "; ".join(found.as_json()["reasons"]))


def tell_of_comparisons(found: Sequence[Comparison], environment: Mapping[str, str] = os.environ) -> None:
    """Add comparisons to the job's summary, where there is one."""
    if environment.get(SUMMARY):
        from harness.reporters.comparison import in_markdown

        add_summary(in_markdown(found), environment)


def write_code_quality(run: SuiteRun, path: Path) -> Path:
    """Write what did not pass as a code quality report for GitLab.

    Raises:
        ReportError: The file can't be written.
    """
    from harness.reporters.findings import code_quality, findings

    return write_report(code_quality(findings(run, _places(run)), Path.cwd()), path)


def _on_github(environment: Mapping[str, str]) -> bool:
    return environment.get("GITHUB_ACTIONS") == "true"


def _places(run: SuiteRun) -> Places:
    return places_in(run.settings.get("suites", ()))
