"""Start-up stays cheap, and rooms import only rooms below them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness import workflows

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


DATACLASSES = {
    "harness.scorers.claims",
    "harness.scorers.grounding",
    "harness.scorers.verdicts",
    "harness.server.state",
}
"""Rooms whose records are dataclasses by the dozen, with those of plugins' interfaces."""
_CLASSES = """[
    f"{name}.{each.__name__}" for name, module in list(sys.modules.items()) for each in vars(module).values()
    if name.startswith("harness.") and isinstance(each, type) and dataclasses.is_dataclass(each)
    and each.__module__ == name
]"""


def _printed_after(code: str, told: str) -> set[str]:
    lines = ["import sys", "try:", f"    {code}", "except SystemExit:", "    pass"]
    script = "\n".join([*lines, "import dataclasses, json", f"print(json.dumps({told}))"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def _modules_loaded_by(code: str) -> set[str]:
    return _printed_after(code, "sorted(sys.modules)")


def _loaded_by(code: str) -> set[str]:
    return {name.partition(".")[0] for name in _modules_loaded_by(code)}


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


def _short_run(folder: Path) -> str:
    """Code that carries out a run of one scripted conversation."""
    (folder / "bot.yaml").write_text("name: Bot\nmodel: scripted\n")
    (folder / "models.yaml").write_text("models: [{match: '*', scripted: [Yes.]}]\n")
    (folder / "suite.yaml").write_text(
        "suite: s\nassistant: bot.yaml\n"
        "conversations: [{id: a, turns: [{user: Hi, expect: {answer: {mentions: [yes]}}}]}]\n"
    )
    words = ["harness", "run", "suite.yaml", "--models", "models.yaml"]
    there = f"import os; os.chdir({str(folder)!r})"
    return f"{there}; sys.argv = {words!r}; import harness.cli; harness.cli.main()"


def test_a_run_without_documents_loads_no_model_no_prices_and_nothing_of_comparisons(tmp_path: Path) -> None:
    loaded = _modules_loaded_by(_short_run(tmp_path))
    assert "harness.store.store" in loaded
    assert not {name.partition(".")[0] for name in loaded} & {
        "numpy",
        "onnxruntime",
        "tokenizers",
        "genai_prices",
    }
    assert not loaded & {"harness.compare.gate", "harness.scorers.grounding", "harness.scorers.escalation"}


# Making a dataclass takes ten times as long as a Struct: two hundred were a seventh of a short run.
def test_a_run_makes_few_dataclasses(tmp_path: Path) -> None:
    made = _printed_after(_short_run(tmp_path), _CLASSES)
    rooms = {name.rpartition(".")[0] for name in made}
    assert "harness.server.state" in rooms
    others = [name for name in made if name.rpartition(".")[0] not in DATACLASSES and "interface" not in name]
    assert len(others) <= 25, sorted(others)


def test_a_job_loads_without_the_other_jobs() -> None:
    loaded = _modules_loaded_by("from harness.workflows import start")
    others = ("calibrating", "cleaning", "comparing", "exporting", "forecasting", "verdicts")
    assert not loaded & {f"harness.workflows.{name}" for name in others}


def test_every_job_named_is_there_and_no_other() -> None:
    assert sorted(workflows.__all__) == sorted(workflows.__dir__())
    assert all(hasattr(workflows, name) for name in workflows.__all__)
    with pytest.raises(AttributeError, match="no attribute 'evaluates'"):
        _ = workflows.evaluates
