"""A pytest session is one suite run: one server, shared limits, one stored run, judged as a whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.results import SuiteRun
from harness.store.store import Store
from harness.trace.recording_file import load_recording

ROOT = Path(__file__).parents[2]
ACME = ROOT / "fixtures/assistants/acme_support.yaml"
ASKS = "What's the weather like in Lisbon?"
SUITE = f"""suite: small
assistant: {ACME}
conversations:
  - id: wrong
    tags: [smoke]
    turns: [{{user: "{ASKS}", expect: {{answer: {{mentions: [Zanzibar]}}}}}}]
  - id: weather
    tags: [off-topic, fast]
    turns: [{{user: "{ASKS}", expect: {{redirects: true}}}}]
  - id: again
    turns: [{{user: "{ASKS}", expect: {{redirects: true}}}}]
"""
IN_PYTHON = f"""from harness import Suite

suite = Suite("made", assistant={str(ACME)!r})


@suite.conversation(tags=["coded"])
async def asks_for_weather(talk):
    await talk.say("{ASKS}", expect={{"redirects": True}})
"""
A_TEST = f"""def test_two_talks(conversation):
    assert conversation("{ASKS}", expect={{"redirects": True}}).outcome == "passed"
    assert conversation("{ASKS}", expect={{"redirects": False}}).outcome == "failed"
"""
RATES = '[[rule]]\nmetric = "passed"\nat_least = {}\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "small.yaml").write_text(SUITE, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers --strict-config\n", "utf-8")
    return tmp_path


def command(*arguments: str) -> Sequence[str]:
    return [sys.executable, "-m", "pytest", "-p", "harness.pytest_plugin", "-p", "xdist", *arguments]


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | more


def ran(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment(**more), capture_output=True, text=True
    )


def stored(folder: Path) -> SuiteRun:
    """The only run there is."""
    with Store.open(folder / ".harness/store.sqlite", create=False) as store:
        (summary,) = store.runs(None)
        return store.run(summary.id)


def test_all_suites_and_tests_of_a_session_are_one_stored_run(project: Path) -> None:
    (project / "suites" / "made.py").write_text(IN_PYTHON, "utf-8")
    (project / "test_talks.py").write_text(A_TEST, "utf-8")
    found = ran(
        project,
        *("suites", "test_talks.py", f"--assistant={ACME}", "--record=talks.yaml", "--repeats=2"),
        *("--junit-xml=out.xml", "--deselect=suites/small.yaml::again"),
    )
    assert "1 failed, 3 passed, 1 deselected" in found.stdout, found.stdout
    run = stored(project)
    assert run.id in found.stdout and "8 of 8 trials: 3 failed, 5 passed" in found.stdout
    assert (run.status, run.planned, len(run.results)) == ("finished", 8, 8)
    held = [result.conversation for result in run.results if result.suite == "pytest"]
    assert held == ["test_talks.py::test_two_talks", "test_talks.py::test_two_talks (2)"]
    assert len(load_recording(project / "talks.yaml").trials) == 8
    cases = {case.get("name"): _properties(case) for case in ET.parse(project / "out.xml").iter("testcase")}
    assert cases["wrong"] == {
        "suite_run": run.id,
        "trials": "2",
        "pass_rate": "0.0000",
        "score": "0.5000",
        "cost_usd": cases["wrong"]["cost_usd"],
    }
    assert float(cases["wrong"]["cost_usd"]) > 0 and cases["test_two_talks"]["suite_run"] == run.id


def _properties(case: ET.Element) -> dict[str, str]:
    return {str(each.get("name")): str(each.get("value")) for each in case.iter("property")}


def test_a_session_of_tests_in_python_alone_is_a_run_that_finished(project: Path) -> None:
    (project / "test_talks.py").write_text(A_TEST, "utf-8")
    found = ran(project, "test_talks.py", f"--assistant={ACME}")
    assert found.returncode == 0 and "2 of 2 trials: 1 failed, 1 passed" in found.stdout, found.stdout
    assert (stored(project).status, stored(project).planned) == ("finished", 2)


def test_a_mistake_in_what_a_test_expects_stands_at_its_line(project: Path) -> None:
    (project / "test_talks.py").write_text(A_TEST.replace("redirects", "redirect"), "utf-8")
    found = ran(project, "test_talks.py", f"--assistant={ACME}")
    assert "test_talks.py:2: unknown key 'redirect' in expect" in found.stdout, found.stdout
    assert "error: " not in found.stdout and not (project / ".harness").exists()


def test_workers_play_one_run_under_one_budget_and_the_gate_sees_all_of_it(project: Path) -> None:
    (project / "gate.toml").write_text(RATES.format(0.01), "utf-8")
    # What one request can cost at most is more than half of it: the workers wait for each other.
    shared = ("-n", "2", "--budget=0.5", "--record=talks.yaml", "--gate=gate.toml")
    found = ran(project, "suites", *shared, HARNESS_REQUESTS_PER_MINUTE="3000")
    assert found.returncode == pytest.ExitCode.TESTS_FAILED and "1 failed, 2 passed" in found.stdout
    run = stored(project)
    assert (run.status, run.planned, len(run.results)) == ("finished", 3, 3)
    assert run.spending is not None and run.spending.requests == 3
    assert "gate: pass" in found.stdout and "passed: at least 0.01: pass" in found.stdout
    assert len(load_recording(project / "talks.yaml").trials) == 3


def test_a_gate_that_does_not_pass_fails_a_session_whose_tests_passed(project: Path) -> None:
    (project / "gate.toml").write_text(RATES.format(0.99), "utf-8")
    asked = ("suites", "-m", "not smoke", "--gate=gate.toml")
    undecided = ran(project, *asked)
    assert undecided.returncode == pytest.ExitCode.TESTS_FAILED
    assert "2 passed" in undecided.stdout and "gate: inconclusive" in undecided.stdout
    allowed = ran(project, *asked, "--on-inconclusive=pass", "--baseline=latest")
    assert allowed.returncode == pytest.ExitCode.OK, allowed.stdout
    assert "gate: inconclusive against 2" in allowed.stdout
    empty = ran(project, "suites", "-k", "nothing-of-the-kind", "--gate=gate.toml")
    assert "gate: not judged, for not one conversation was run" in empty.stdout
    assert empty.returncode == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--gate=gate.toml", "a rule needs exactly one of margin, at_least and at_most"),
        ("--gate=none.toml", "none.toml: there is no such file"),
        ("--baseline=20260101-000000-abcd", "there is no store"),
    ],
)
def test_a_gate_that_can_not_judge_is_refused_before_anything_is_run(
    project: Path, given: str, told: str
) -> None:
    (project / "gate.toml").write_text('[[rule]]\nmetric = "passed"\n', "utf-8")
    found = ran(project, "suites", given)
    assert found.returncode == pytest.ExitCode.USAGE_ERROR and told in found.stderr, found.stderr
    assert not (project / ".harness").exists()


def test_a_session_that_stops_at_the_first_failure_leaves_a_run_that_goes_on(project: Path) -> None:
    found = ran(project, "suites", "-x")
    assert found.returncode == pytest.ExitCode.TESTS_FAILED
    run = stored(project)
    assert (run.status, run.planned, len(run.results)) == ("failures_reached", 3, 1)
    assert f"go on with: harness run --resume {run.id}" in found.stdout
    main = [sys.executable, "-c", "from harness.cli import main; main()", "run", "--resume", run.id, "-q"]
    subprocess.run(main, cwd=project, env=environment(), check=False, capture_output=True)
    run = stored(project)
    assert (run.status, len(run.results)) == ("finished", 3)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_ctrl_c_keeps_what_was_played(project: Path, workers: str) -> None:
    (project / "app.py").write_text(_STUCK, "utf-8")
    asked = command("suites", "--target=function", "-n", workers, "-k", "not wrong")
    process = subprocess.Popen(
        asked,
        cwd=project,
        env=environment(HARNESS_TARGET_FUNCTION="app.py:answer"),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    # The one has its result, and the other is under way.
    while not ((project / "stuck").exists() and len(stored(project).results) == 1):
        assert process.poll() is None, process.communicate()[0]
    os.killpg(process.pid, signal.SIGINT)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, told
    run = stored(project)
    assert (run.status, run.planned, len(run.results)) == ("interrupted", 2, 1)


# The first conversation is answered; the second one waits until it is given up.
_STUCK = """import asyncio
from pathlib import Path

async def answer(turn):
    try:
        Path("answered").open("x").close()
    except FileExistsError:
        Path("stuck").touch()
        await asyncio.sleep(3600)
    return "Sorry, I can't help with that."
"""


def test_a_used_up_budget_fails_what_it_could_not_pay(project: Path) -> None:
    found = ran(project, "suites", "--budget=0.001")
    assert "3 failed" in found.stdout and "of the budget of $0.001 $0.001 is left" in found.stdout
    run = stored(project)
    assert (run.status, run.planned, len(run.results)) == ("budget_exhausted", 3, 0)


def test_suites_of_one_name_in_two_files_are_a_mistake(project: Path) -> None:
    (project / "suites" / "twin.yaml").write_text(SUITE, "utf-8")
    found = ran(project, "suites")
    assert found.returncode == pytest.ExitCode.INTERRUPTED
    assert "twin.yaml:1:" in found.stdout and "the suite name 'small' is taken by" in found.stdout


def test_the_tree_of_tests_shows_files_conversations_and_tags(project: Path) -> None:
    (project / "suites" / "made.py").write_text(IN_PYTHON, "utf-8")
    found = ran(project, "suites", "--collect-only", "-m", "fast or coded")
    assert "<SuiteFile small.yaml>" in found.stdout
    assert "<Conversation weather [off-topic, fast]>" in found.stdout
    assert "<Conversation asks-for-weather [coded]>" in found.stdout
    assert "wrong" not in found.stdout


def test_an_option_that_a_project_has_itself_is_left_to_it(project: Path) -> None:
    (project / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--target', choices=['staging'])\n", "utf-8"
    )
    theirs = ran(project, "suites", "--target=staging", "--collect-only", "-q")
    assert theirs.returncode == 0, theirs.stderr
    assert ran(project, "suites", "--target=embedded", "--collect-only").returncode == 4
    ours = ran(project, "suites", "--harness-target=nowhere", "-k", "weather")
    assert ours.returncode == 4 and "there is no target 'nowhere'" in ours.stderr


def test_suites_with_faults_of_their_own_share_the_run(project: Path) -> None:
    (project / "faults.yaml").write_text("seed: 1\nfaults: [{status: 500, nth: 1}]\n", "utf-8")
    other = SUITE.replace("suite: small", "suite: faulty\nfaults: ../faults.yaml")
    (project / "suites" / "faulty.yaml").write_text(other, "utf-8")
    found = ran(project, "suites", "-k", "weather")
    assert found.returncode == 0, found.stdout
    run = stored(project)
    assert (run.status, {result.suite for result in run.results}) == ("finished", {"small", "faulty"})


def test_what_can_not_be_reached_is_not_tried_again_for_every_conversation(project: Path) -> None:
    address = {"HARNESS_BASE_URL": "http://127.0.0.1:9/v1", "HARNESS_MAX_TRIES": "1"}
    found = ran(project, "suites", "--target=assistants", **address)
    assert "3 failed" in found.stdout and "127.0.0.1:9" in found.stdout, found.stdout
    assert stored(project).status == "interrupted"


def test_the_commands_and_rules_that_the_docs_show_can_be_used(project: Path) -> None:
    page = (ROOT / "docs" / "pytest.md").read_text("utf-8")
    (project / "gate.toml").write_text(page.split("```toml\n")[1].split("```")[0], "utf-8")
    (project / "suites" / "acme").mkdir()
    (project / "suites" / "acme" / "small.yaml").write_text(SUITE.replace("fast]", "smoke]"), "utf-8")
    (project / "suites" / "small.yaml").unlink()
    shown = page.split("```console\n")[1].split("```")[0].splitlines()
    assert len(shown) == 5
    ran(project, "suites", "-k", "weather")  # what is green, to compare with
    for line in shown:
        found = ran(project, *line.split()[2:], "-k", "weather")
        assert "1 passed" in found.stdout, found.stdout + found.stderr


def test_every_option_of_the_plugin_is_documented() -> None:
    told = ran(ROOT, "--help").stdout
    known = {word.strip(",") for word in told.replace("=", " ").split() if word.startswith("--harness-")}
    page = (ROOT / "docs" / "pytest.md").read_text("utf-8")
    assert len(known) == 10 and all(f"`{name} " in page for name in known)


def test_a_project_without_suites_loads_next_to_nothing_of_harness(tmp_path: Path) -> None:
    (tmp_path / "test_sum.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n", "utf-8")
    (tmp_path / "compose.yaml").write_text("services: {web: {}}\n", "utf-8")
    (tmp_path / "tool.py").write_text("import json\n", "utf-8")
    (tmp_path / "conftest.py").write_text(_TELLS_MODULES, "utf-8")
    found = ran(tmp_path, ".", "-n", "1")
    assert found.returncode == 0, found.stdout
    own = {"harness", "harness.pytest_plugin", "harness.pytest_plugin.options"}
    loaded = [set((tmp_path / name).read_text("utf-8").split()) for name in ("controller", "worker")]
    assert loaded == [own | {"harness.clock"}, own]
    assert "harness:" not in found.stdout


_TELLS_MODULES = """import sys
from pathlib import Path

def pytest_unconfigure(config):
    name = "worker" if hasattr(config, "workerinput") else "controller"
    loaded = [module for module in sys.modules if module.partition(".")[0] == "harness"]
    Path(__file__).with_name(name).write_text(" ".join(loaded))
"""
