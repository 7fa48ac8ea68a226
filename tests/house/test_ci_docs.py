"""The CI examples of the documentation are run, step by step, as a CI system would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCS = Path(__file__).parents[2] / "docs" / "ci.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_GITHUB_KEYS = {
    "": {"name", "on", "jobs"},
    "job": {"runs-on", "env", "steps"},
    "step": {"name", "uses", "with", "run", "if"},
}
_GITLAB_KEYS = {"stage", "extends", "image", "before_script", "cache", "artifacts", "rules", "script"}


def blocks(language: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(DOCS.read_text("utf-8")) if found == language]


def github() -> list[dict[str, Any]]:
    # YAML 1.1 reads the key "on" as true; GitHub's parser does not.
    loaded = [yaml.safe_load(text) for text in blocks("yaml")]
    return [
        {"on" if key is True else key: value for key, value in each.items()}
        for each in loaded
        if "jobs" in each
    ]


def gitlab() -> dict[str, Any]:
    [found] = [each for each in map(yaml.safe_load, blocks("yaml")) if "jobs" not in each]
    return found


def steps(workflow: dict[str, Any]) -> list[str]:
    [job] = workflow["jobs"].values()
    return [step["run"] for step in job["steps"] if "run" in step]


class Checkout:
    """A team's repository with one suite, and what a CI system runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "team"
        self.summary = folder / "summary.md"
        tools = folder / "bin"
        tools.mkdir()
        (tools / "harness").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m harness "$@"\n')
        (tools / "pip").write_text('#!/bin/sh\ntest "$*" = "install harness"\n')
        for tool in tools.iterdir():
            tool.chmod(0o755)
        kept = {name: os.environ[name] for name in ("HOME", "PYTHONPATH") if name in os.environ}
        self.environment = {**kept, "PATH": f"{tools}:{os.environ['PATH']}", "COLUMNS": "120"}
        self.folder.mkdir()
        self.run("harness init suites && printf '.harness/\\nreports/\\n' > .gitignore")
        self.run("git init -q -b main && git add -A && git -c user.name=t -c user.email=t@t commit -qm first")

    def run(self, script: str, code: int = 0, **environment: str) -> str:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def change(self, branch: str, *, breaks: bool) -> None:
        self.run(f"git checkout -qb {branch}")
        if breaks:
            document = self.folder / "suites" / "documents" / "returns.md"
            document.write_text(document.read_text("utf-8").replace("30", "14"), "utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_workflows_have_no_key_that_github_does_not_know() -> None:
    assert len(github()) == 3
    for workflow in github():
        assert workflow.keys() == _GITHUB_KEYS[""]
        for job in workflow["jobs"].values():
            assert job.keys() <= _GITHUB_KEYS["job"]
            assert all(step.keys() <= _GITHUB_KEYS["step"] for step in job["steps"])


def test_the_pipeline_has_no_key_that_gitlab_does_not_know() -> None:
    jobs = {name: job for name, job in gitlab().items() if name != "stages"}
    assert jobs.keys() == {".assistant", "baseline", "gate", "nightly"}
    assert all(job.keys() <= _GITLAB_KEYS for job in jobs.values())


def test_on_github_a_change_that_breaks_something_is_stopped_and_shown_at_its_line(
    checkout: Checkout,
) -> None:
    install, run, gate = steps(github()[0])
    on_push = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REF_NAME": "main",
        "GITHUB_STEP_SUMMARY": str(checkout.summary),
    }
    for step in (install, run):
        checkout.run(step, **on_push)
    checkout.change("harmless", breaks=False)
    on_change = on_push | {"GITHUB_HEAD_REF": "harmless", "GITHUB_BASE_REF": "main"}
    checkout.run(run, **on_change)
    assert checkout.run(gate, **on_change).startswith("pass: ")
    checkout.change("broken", breaks=True)
    told = checkout.run(run, **on_change)
    assert "::error file=suites/suite.yaml,line=6,title=first-suite/return-period@assistant::0 of 10" in told
    assert "::error title=harness gate%3A fail::" in checkout.run(gate, 1, **on_change)
    summary = checkout.summary.read_text("utf-8")
    assert summary.count("<!-- harness: summary -->") == 3
    assert summary.count("<!-- harness: gate -->") == 2


def test_the_nightly_report_and_the_gate_against_itself_pass_when_nothing_changed(checkout: Checkout) -> None:
    nightly, itself = github()[1:]
    checkout.run(steps(nightly)[1])
    for workflow in (nightly, itself):
        for step in steps(workflow):
            checkout.run(step)


def test_on_gitlab_the_gate_compares_with_the_default_branch(checkout: Checkout) -> None:
    jobs = gitlab()
    variables = {"CI_DEFAULT_BRANCH": "main"}
    for name, branch, code in (("baseline", "main", 0), ("nightly", "main", 0), ("gate", "broken", 1)):
        if branch == "broken":
            checkout.change(branch, breaks=True)
        *before, last = [*jobs[".assistant"]["before_script"], *jobs[name]["script"]]
        for step in before:
            checkout.run(step, **variables)
        checkout.run(last, code, **variables)
    assert '"path": "suites/suite.yaml"' in (checkout.folder / "quality.json").read_text("utf-8")
    assert 'name="trace"' in (checkout.folder / "junit.xml").read_text("utf-8")


@pytest.mark.parametrize(("breaks", "code"), [(False, 0), (True, 1)], ids=["harmless", "broken"])
def test_in_a_plain_shell_the_gate_decides(checkout: Checkout, breaks: bool, code: int) -> None:
    baseline, change, _ = blocks("bash")
    checkout.run(baseline)
    checkout.change("change", breaks=breaks)
    checkout.run(change, code)


def test_a_baseline_can_be_run_beside_the_change_from_git(checkout: Checkout) -> None:
    *_, beside = blocks("bash")
    checkout.change("change", breaks=False)
    assert "pass: " in checkout.run(beside)
