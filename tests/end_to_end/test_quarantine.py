"""pytest runs what is in quarantine, and a failure there is an expected one."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from harness.clock import SYSTEM_CLOCK

ROOT = Path(__file__).parents[2]
SUITE = """suite: small
assistant: bot.yaml
expect: {{answer: {{mentions: ["yes"]}}}}
conversations:
  - {{id: good, turns: [{{user: good}}]}}
  - id: shaky
    quarantine: {{until: {until}, reason: the model guesses}}
    turns: [{{user: hard}}]
"""
APP = "def answer(question):\n    return 'Yes.' if 'good' in question.text else 'No.'\n"
SETTINGS = 'target_function = "app.py:answer"\ntarget = "function"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bot.yaml").write_text("name: Bot\nmodel: small-1\n", "utf-8")
    (tmp_path / "app.py").write_text(APP, "utf-8")
    (tmp_path / "harness.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    return tmp_path


def ran_until(project: Path, until: date) -> subprocess.CompletedProcess[str]:
    (project / "small.yaml").write_text(SUITE.format(until=until), "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "harness.pytest_plugin", "small.yaml", "-rx"]
    given = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=project, env=os.environ | given, capture_output=True, text=True)


def test_a_failure_in_quarantine_is_expected_and_says_why(project: Path) -> None:
    until = SYSTEM_CLOCK.now().date() + timedelta(days=10)
    ran = ran_until(project, until)
    assert ran.returncode == 0, ran.stdout
    assert "1 passed, 1 xfailed" in ran.stdout
    assert f"in quarantine until {until}: the model guesses; 0 of 1 trials passed" in ran.stdout


def test_once_it_is_over_the_failure_counts(project: Path) -> None:
    ran = ran_until(project, SYSTEM_CLOCK.now().date() - timedelta(days=2))
    assert ran.returncode == 1, ran.stdout
    assert "1 failed, 1 passed" in ran.stdout
