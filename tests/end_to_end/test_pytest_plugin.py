"""pytest as a process runs suites, and leaves alone what is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = f"""suite: small
assistant: {ROOT}/fixtures/assistants/acme_support.yaml
conversations:
  - id: weather
    tags: [off-topic]
    turns: [{{user: "What's the weather like in Lisbon?", expect: {{redirects: true}}}}]
  - id: wrong
    tags: [smoke]
    turns: [{{user: "What's the weather like in Lisbon?", expect: {{answer: {{mentions: [Zanzibar]}}}}}}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "small.yaml").write_text(SUITE, "utf-8")
    (tmp_path / "suites" / "other.yaml").write_text("services: {web: {}}\n", "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\n", "utf-8")
    return tmp_path


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "harness.pytest_plugin", *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | given, capture_output=True, text=True)


def test_a_conversation_is_a_test_and_its_failure_shows_transcript_and_reason(project: Path) -> None:
    ran = _pytest(project, "suites", "--harness-repeats", "2", "--junit-xml", "out.xml")
    assert ran.returncode == 1, ran.stdout
    assert "1 failed, 1 passed" in ran.stdout
    assert "0 of 2 trials passed" in ran.stdout and "Zanzibar" in ran.stdout
    assert "user: What's the weather like in Lisbon?" in ran.stdout
    xml = (project / "out.xml").read_text("utf-8")
    assert 'name="pass_rate" value="1.0000"' in xml and 'name="cost_usd"' in xml


def test_tags_are_marks_and_nothing_is_run_to_collect(project: Path) -> None:
    ran = _pytest(project, "suites", "-m", "off-topic", "--collect-only", "-q")
    assert "suites/small.yaml::weather" in ran.stdout and "wrong" not in ran.stdout
    assert not (project / ".harness").exists()


def test_a_bare_pytest_collects_no_suite(project: Path) -> None:
    assert _pytest(project).returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_workers_of_xdist_run_suites_side_by_side(project: Path) -> None:
    ran = _pytest(project, "-p", "xdist", "-n", "2", "suites")
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout


def test_a_suite_with_a_mistake_is_named_with_its_place(project: Path) -> None:
    (project / "suites" / "small.yaml").write_text(SUITE.replace("redirects", "redirect"), "utf-8")
    ran = _pytest(project, "suites")
    assert ran.returncode == pytest.ExitCode.INTERRUPTED
    assert "small.yaml:6:" in ran.stdout and "redirects" in ran.stdout


def test_a_test_in_python_holds_a_conversation(project: Path) -> None:
    page = (ROOT / "docs" / "pytest.md").read_text("utf-8")
    (project / "test_weather.py").write_text(page.split("```python\n")[1].split("```")[0], "utf-8")
    named = str(ROOT / "fixtures/assistants/acme_support.yaml")
    ran = _pytest(project, "test_weather.py", "--harness-assistant", named)
    assert ran.returncode == 0, ran.stdout


def test_a_rate_that_is_no_share_is_refused(project: Path) -> None:
    ran = _pytest(project, "suites", "--harness-rate", "80")
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR and "--harness-rate is 80.0" in ran.stderr


def test_a_target_that_there_is_not_is_refused_before_anything_is_run(project: Path) -> None:
    ran = _pytest(project, "suites", "--harness-target", "embeded")
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is no target 'embeded'" in ran.stderr and "did you mean 'embedded'?" in ran.stderr


def test_what_was_recorded_is_replayed(project: Path) -> None:
    _pytest(project, "suites", "-k", "weather", "--harness-record", "talks.yaml")
    ran = _pytest(project, "suites", "-k", "weather", "--harness-replay", "talks.yaml")
    assert ran.returncode == 0, ran.stdout
    lacking = _pytest(project, "suites", "-k", "wrong", "--harness-replay", "talks.yaml")
    assert lacking.returncode == 1 and "1 could not be judged" in lacking.stdout


def test_workers_of_a_bare_pytest_collect_no_suite(project: Path) -> None:
    ran = _pytest(project, "-p", "xdist", "-n", "1")
    assert ran.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, ran.stdout


def test_loading_the_plugin_imports_nothing_heavy(project: Path) -> None:
    code = (
        "import sys, harness.pytest_plugin; print(sorted(m for m in sys.modules if m.startswith('harness')))"
    )
    given = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['harness', 'harness.pytest_plugin', 'harness.pytest_plugin.options']"
