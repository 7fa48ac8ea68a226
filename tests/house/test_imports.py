"""Start-up stays cheap, and rooms import only rooms below them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "openai",
    "pandas",
    "numpy",
    "jinja2",
    "tiktoken",
    "sqlalchemy",
    "rich",
    "matplotlib",
    "pydantic",
    "starlette",
}


def _loaded_by(code: str) -> set[str]:
    lines = ["import sys", "try:", f"    {code}", "except SystemExit:", "    pass"]
    script = "\n".join([*lines, "import json", "print(json.dumps(sorted(sys.modules)))"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_the_package_loads_nothing_of_it() -> None:
    assert not _loaded_by("import harness") & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], *([name, "--help"] for name in ("run", "check", "report", "runs", "serve"))],
    ids=" ".join,
)
def test_help_and_version_load_no_heavy_library(arguments: list[str]) -> None:
    code = f"sys.argv = ['harness', *{arguments!r}]; import harness.cli; harness.cli.main()"
    assert not _loaded_by(code) & HEAVY


def test_an_offline_run_does_not_load_the_openai_client() -> None:
    code = "from harness.targets.making import TargetOptions, make_target; make_target(TargetOptions())"
    assert "openai" not in _loaded_by(code)
