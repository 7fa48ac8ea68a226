"""The documented example of a judge as processes, and a calibration that is killed and goes on."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from judging import saying

from harness.server.app import App, ServerOptions
from harness.server.http import background
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted

DOCS = Path(__file__).parents[2] / "docs" / "judge.md"
HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The documented suite and model table, with 24 labelled answers, friendly and cold in turn."""
    suite, models = re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    (tmp_path / "suite.yaml").write_text(suite)
    (tmp_path / "models.yaml").write_text(models)
    (tmp_path / "assistant.yaml").write_text("name: Desk\nmodel: gpt-5.4-mini\ninstructions: Be kind.\n")
    with (tmp_path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["label", "user", "answer"])
        for number in range(24):
            lines.writerow(["cold" if number % 2 else "friendly", "Where is it?", f"Answer {number}."])
    return tmp_path


def command(line: str) -> list[str]:
    return [*HARNESS, *line.split()[1:], "--no-progress"]


def done(folder: Path, line: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command(line), *more],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )


def test_the_documented_example_calibrates_a_scripted_judge_and_lets_it_decide(folder: Path) -> None:
    calibrate, run = re.findall(
        r"^harness (?:calibrate|run) .*scripted-judge.*$", DOCS.read_text("utf-8"), re.M
    )
    before = done(folder, run)
    assert before.returncode == 0, before.stderr
    assert "judge.friendly in 1 trial: scripted-judge was not calibrated on this rubric" in before.stdout

    measured = done(folder, calibrate)
    assert measured.returncode == 0, measured.stdout + measured.stderr
    assert "kappa        1.000 (1.000 to 1.000)" in measured.stdout
    assert "may gate: yes (kappa 0.4 is needed)" in measured.stdout

    after = done(folder, run)
    assert after.returncode == 0 and "information" not in after.stdout

    suite = folder / "suite.yaml"
    suite.write_text(suite.read_text().replace("blames nobody", "accuses nobody"))
    assert "was not calibrated on this rubric" in done(folder, run).stdout


def test_a_calibration_that_was_killed_goes_on_and_pays_for_no_row_twice(folder: Path) -> None:
    asked: list[str] = []
    enough, go_on = threading.Event(), threading.Event()

    def judge(request: Any) -> str:
        asked.append(request.messages[-1].content)
        if len(asked) == 9:
            enough.set()
            go_on.wait(60)
        return saying("cold" if int(asked[-1].rpartition("Answer ")[2].partition(".")[0]) % 2 else "friendly")

    line = "harness calibrate labels.csv --suite suite.yaml --judge-model judge --concurrency 1"
    with background(App(ServerOptions(models=ModelTable([("judge", Scripted(judge))])))) as url:
        process = subprocess.Popen(
            [*command(line), "--judge-base-url", url], cwd=folder, stdout=subprocess.DEVNULL
        )
        assert enough.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait(120)
        go_on.set()
        finished = done(folder, line, "--judge-base-url", url)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "24 labelled, 24 judged, 8 of them before" in finished.stdout
    assert len(asked) == 24 + 1  # the one that was under way is asked again
    assert len(set(asked)) == 24
