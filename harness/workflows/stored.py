"""Runs read back from the store, and their reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import RunError
from harness.reporters.interface import report_pieces, reporter, write_report
from harness.results import SuiteRun

if TYPE_CHECKING:
    from harness.settings import Settings
    from harness.store.history import RunSummary
    from harness.store.store import Store


def open_store(settings: Settings, *, create: bool = True) -> Store:
    """The store of the settings, loaded only now: a database takes a while to import."""
    from harness.store.store import Store

    return Store.open(settings.store, create=create)


def stored_run(settings: Settings, run_id: str = "latest") -> SuiteRun:
    """A run read back with all its results.

    Raises:
        StoreError: There is no such store or run.
    """
    if run_id.lower().endswith(".csv"):
        raise RunError(
            f"{run_id!r} is a table, and no stored run",
            code="store-run-unknown",
            hint=f"harness gate --csv {run_id} judges a table with a baseline and a candidate.",
        )
    with open_store(settings, create=False) as store:
        return store.run(run_id)


def stored_runs(settings: Settings, limit: int) -> list[RunSummary]:
    """The newest runs of the store, without their results."""
    with open_store(settings, create=False) as store:
        return store.runs(limit)


def render(record: SuiteRun, kind: str) -> str:
    """A report as text: console, csv, html, junit or markdown."""
    return reporter(kind).render(record)


def summary(record: SuiteRun, width: int) -> str:
    """The tables for a terminal of so many columns."""
    from harness.reporters.console import ConsoleReporter

    return ConsoleReporter(width).render(record)


def write(record: SuiteRun, kind: str, path: Path) -> Path:
    """Write a report to a file, whole or not at all."""
    return write_report(report_pieces(reporter(kind), record), path)


def write_html(record: SuiteRun, place: str) -> Path:
    """Write the HTML report to a file ending in .html, or into a folder under the run's id."""
    path = Path(place)
    return write(record, "html", path if path.suffix == ".html" else path / f"{record.id}.html")
