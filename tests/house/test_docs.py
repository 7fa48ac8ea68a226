"""Everything that exists is documented, and what the documents show is true."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import harness.errors
import harness.store.faults
from harness.cli import _COMMANDS, cli
from harness.judge.labels import COLUMNS
from harness.server.app import called_paths
from harness.server.faults import FaultFile, FaultRule, read_faults
from harness.server.llms.table import Entry, RemoteEntry, read_models
from harness.settings import Settings
from harness.suite.records import AnswerExpectation, Conversation, Expect, JudgeExpectation, Rubric

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def _headings_and_code(file: str) -> set[str]:
    text = (DOCS / file).read_text("utf-8")
    return set(re.findall(r"`([^`\n]+)`", text)) | set(re.findall(r"^#+ (.+)$", text, re.MULTILINE))


def _raised_codes() -> set[str]:
    """Every slug given as ``code=`` to an error of ours, and every default."""
    codes = {error.default_code for error in vars(harness.errors).values() if hasattr(error, "default_code")}
    for file in (ROOT / "harness").rglob("*.py"):
        if "server" in file.relative_to(ROOT).parts:
            continue  # the server's codes are the API's
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                codes.add(node.value.value)
    codes |= {meaning[0] for meaning in vars(harness.store.faults).values() if _is_meaning(meaning)}
    return {code for code in codes if code}


def _is_meaning(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 3


def test_every_error_code_has_its_place_in_the_docs() -> None:
    assert _raised_codes() - _headings_and_code("errors.md") == set()


def test_every_error_code_that_the_docs_explain_is_one_that_the_product_gives() -> None:
    headings = re.findall(r"^## ([a-z][a-z0-9-]+)$", (DOCS / "errors.md").read_text("utf-8"), re.MULTILINE)
    assert set(headings) - set(_texts_of_the_product()) == set()


def _texts_of_the_product() -> Iterator[str]:
    for file in (ROOT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_setting_is_documented() -> None:
    assert set(Settings.model_fields) - _headings_and_code("settings.md") == set()


def test_every_expectation_is_documented() -> None:
    documented = _headings_and_code("suites.md")
    keys = {*Expect.model_fields, *AnswerExpectation.model_fields} - {"words"}
    keys |= {field.alias or name for name, field in Conversation.model_fields.items()}
    assert keys - documented == set()


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    text = (DOCS / "cli.md").read_text("utf-8")
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    section = text.split(f"## harness {name}\n")[1].split("\n## ")[0]
    options = {parameter.opts[0] for parameter in command.params if isinstance(parameter, click.Option)}
    assert options - set(re.findall(r"`(--[a-z-]+)", section)) == set()


@pytest.mark.parametrize("name", _COMMANDS)
def test_every_command_help_teaches_with_an_example(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert f"harness {name}" in (command.help or "")


def test_the_tables_and_faults_that_the_docs_show_can_be_used(tmp_path: Path) -> None:
    text = (DOCS / "embedded-server.md").read_text("utf-8")
    models, faults = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    for name, content in (("models", models), ("faults", faults)):
        (tmp_path / name).write_text(content, "utf-8")
    assert len(read_models(tmp_path / "models", {"GATEWAY_KEY": "x"}).entries) == 2
    assert len(read_faults(tmp_path / "faults", called_paths()).faults) == 5


def test_every_key_of_a_rubric_and_every_column_of_labels_is_documented() -> None:
    keys = {field.alias or name for name, field in Rubric.model_fields.items()}
    assert {*keys, *JudgeExpectation.model_fields, *COLUMNS} - _headings_and_code("judge.md") == set()


def test_every_key_of_tables_and_faults_is_documented() -> None:
    keys = {*Entry.model_fields, *RemoteEntry.model_fields, *FaultRule.model_fields, *FaultFile.model_fields}
    text = (DOCS / "embedded-server.md").read_text("utf-8")
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()


@pytest.mark.parametrize("file", [*sorted(DOCS.glob("*.md")), ROOT / "README.md"], ids=lambda file: file.name)
def test_links_lead_to_files_that_exist(file: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", file.read_text("utf-8"))
    assert [target for target in targets if not (file.parent / target).exists()] == []
