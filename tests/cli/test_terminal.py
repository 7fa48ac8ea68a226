"""Terminals that are narrow, or lack characters."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import terminal
from harness.cli.runs import _some


def test_what_a_terminal_lacks_is_shown_by_its_nearest_plain_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    terminal.show_what_it_can()
    sys.stdout.write("─── ≥ 3 trials … 日\n")
    sys.stdout.flush()
    assert raw.getvalue() == b"--- >= 3 trials ... ?\n"


def test_output_that_goes_to_a_file_has_the_usual_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal.width() == 100


def test_a_run_over_many_suites_stays_one_short_row() -> None:
    assert _some(["a", "b"]) == "a, b"
    assert _some(["a", "b", "c", "d"]) == "a, b and 2 more"
    assert _some([]) == ""


def test_the_summary_fits_a_narrow_terminal(tmp_path: Path) -> None:
    import pty

    harness = [sys.executable, "-c", "from harness.cli import main; main()"]
    subprocess.run([*harness, "init", "."], cwd=tmp_path, check=True, capture_output=True)
    run = [*harness, "run", "suite.yaml", "--no-progress"]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60"}
    report = [*harness, "report", "--format", "console"]
    subprocess.run(report, cwd=tmp_path, check=True, stdout=theirs, env=environment)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    tables = shown.replace("\r\n", "\n").split("\n\n")[1:]
    assert "first-suite" in tables[0]
    assert max(map(len, "\n".join(tables).splitlines())) <= 60
