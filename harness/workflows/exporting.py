"""Trials of stored runs as one table for other programs: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.errors import ReportError, SettingsError
from harness.reporters.csv import COLUMNS, trial_rows
from harness.reporters.interface import write_report
from harness.results import SuiteRun

Format = Literal["csv", "jsonl", "parquet"]
_WHOLE = ("trial", "passed", "prompt_tokens", "completion_tokens")
_NUMBERS = ("score", "cost_usd", "latency_s")


def export(runs: Sequence[tuple[SuiteRun, str | None]], kind: Format, path: Path | None) -> str:
    """Write the trials of runs as one table; without a path CSV and JSON lines are given back as text.

    Args:
        runs: Each with the name that its variant gets in the table, or None to leave it.
        kind: ``csv``, ``jsonl`` or ``parquet``.
        path: The file.

    Raises:
        SettingsError: A run is named twice, one to be renamed has several variants, or Parquet has no file
            to go to.
        ReportError: The file can't be written, or Parquet can't be written here at all.
    """
    _refuse_twice([run.id for run, _ in runs])
    rows = _numbered_on(runs)
    if kind == "parquet":
        return _write_parquet(rows, path)
    text = _csv(rows) if kind == "csv" else _json_lines(rows)
    return text if path is None else str(write_report(text, path))


def _refuse_twice(runs: Sequence[str]) -> None:
    twice = next((run for run in runs if runs.count(run) > 1), None)
    if twice is not None:
        raise SettingsError(
            f"the run {twice} is named twice, and its trials are no new ones the second time",
            hint="Name each run once; harness runs lists them.",
        )


def _numbered_on(runs: Sequence[tuple[SuiteRun, str | None]]) -> Iterator[dict[str, Any]]:
    """The trials of all runs; passes of a later run of the same variant have numbers of their own."""
    passes: dict[str, int] = {}
    for run, name in runs:
        before = dict(passes)
        for row in _renamed(run, name):
            variant, trial = row["variant"], row["trial"] + before.get(row["variant"], 0)
            passes[variant] = max(passes.get(variant, 0), trial)
            yield row | {"trial": trial}


def _renamed(run: SuiteRun, name: str | None) -> Iterator[dict[str, Any]]:
    known: set[str] = set()
    for row in trial_rows(run):
        known.add(row["variant"])
        if name and len(known) > 1:
            raise SettingsError(
                f"run {run.id} has several variants: {', '.join(sorted(known))}",
                hint="Export it as it is, and name them with harness gate --baseline NAME --candidate NAME.",
            )
        yield row | {"variant": name or row["variant"]}


def _csv(rows: Iterator[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json_lines(rows: Iterator[dict[str, Any]]) -> str:
    lines = (json.dumps(_typed(row), ensure_ascii=False, allow_nan=False) for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    """What is not known as null, a cost as a number."""
    numbers = {name: None if row[name] == "" else float(row[name]) for name in _NUMBERS}
    whole = {name: None if row[name] == "" else int(row[name]) for name in _WHOLE}
    return row | numbers | whole


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path | None) -> str:
    import pandas as pd

    if path is None:
        raise SettingsError("Parquet is not text", hint="Name a file with --out FILE.")
    types = {**dict.fromkeys(_WHOLE, "Int64"), **dict.fromkeys(_NUMBERS, "float64")}
    frame = pd.DataFrame([_typed(row) for row in rows], columns=list(COLUMNS)).astype(types)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(path, index=False)
    except ImportError as error:
        raise ReportError(
            "Parquet files are written by pyarrow, which is not installed",
            code="parquet-missing",
            hint="Install it with: pip install 'harness[parquet]'",
        ) from error
    except OSError as error:
        raise ReportError(
            f"the table {str(path)!r} cannot be written: {error.strerror or error}",
            code="report-not-written",
            hint="Name a file in a folder that you may write to, on a disk with free space.",
        ) from error
    return str(path)
