"""harness perturb as a process, offline, on a sample suite."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from harness.suite.load import load_suite

ROOT = Path(__file__).parents[2]
HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
SUITE = str(ROOT / "suites" / "acme" / "escalation.yaml")


def harness(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HARNESS, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def test_a_typo_in_the_word_that_asks_for_a_person_is_found_and_kept_as_a_regression(tmp_path: Path) -> None:
    asked = ("--only", "angry-and-wants-a-human", "--kinds", "typos", "--examples", "8")
    result = harness(tmp_path, "perturb", SUITE, *asked, "--save", "kept.yaml", "--no-progress")
    assert result.returncode == 1, result.stderr
    assert "acme-escalation/angry-and-wants-a-human~smallest@acme_support#1" in result.stdout
    assert "typos in turn 1: 'human' -> " in result.stdout
    [conversation] = load_suite(tmp_path / "kept.yaml").conversations
    assert "human" not in conversation.turns[0].user
    again = harness(tmp_path, "perturb", SUITE, *asked, "--no-progress")
    assert _found(again.stdout) == _found(result.stdout) != []
    kept = harness(tmp_path, "run", "kept.yaml", "-q")
    assert kept.returncode == 1, "what broke is broken still"


def _found(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("    ")]


def test_a_kind_that_does_not_exist_is_refused_with_those_there_are(tmp_path: Path) -> None:
    result = harness(tmp_path, "perturb", SUITE, "--kinds", "typo")
    assert result.returncode == 4
    told = " ".join(result.stderr.split())
    assert "'typo' is no kind of variation; did you mean 'typos'?" in told and "lookalikes" in told


def test_a_file_that_a_person_wrote_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("suite: mine\n")
    result = harness(tmp_path, "perturb", SUITE, "--save", "mine.yaml")
    assert result.returncode == 4 and "was not written by harness perturb" in result.stderr
    assert not (tmp_path / ".harness").exists()
