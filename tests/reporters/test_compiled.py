"""Templates are compiled once, and again whenever anything about them has changed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from harness.reporters.compiled import CompiledTemplates


@pytest.fixture(autouse=True)
def _may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text("Hello {{ name }}.")
    (tmp_path / "maker.py").write_text("made = 1")
    return tmp_path


def page(folder: Path) -> str:
    cache = CompiledTemplates(folder, folder / "maker.py")
    return (
        Environment(loader=FileSystemLoader(folder), bytecode_cache=cache)
        .get_template("page.html")
        .render(name="x")
    )


def kept(folder: Path) -> set[str]:
    return {each.name for each in (folder / "__pycache__").glob("*")}


def test_what_was_compiled_is_used_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert page(folder) == "Hello x."
    (file,) = kept(folder)
    monkeypatch.setattr(Environment, "_generate", None)  # compiling would fail now
    assert page(folder) == "Hello x."
    assert kept(folder) == {file}


def test_a_changed_template_is_compiled_anew(folder: Path) -> None:
    page(folder)
    (folder / "page.html").write_text("Bye {{ name }}.")
    assert page(folder) == "Bye x."


@pytest.mark.parametrize("change", ["maker", "jinja", "python"])
def test_what_another_version_has_compiled_is_not_used(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    page(folder)
    if change == "maker":
        (folder / "maker.py").write_text("made = 2")
    elif change == "jinja":
        monkeypatch.setattr("jinja2.__version__", "0")
    else:
        monkeypatch.setattr(sys, "version", "0")
    page(folder)
    assert len(kept(folder)) == 2


def test_a_damaged_file_is_no_harm(folder: Path) -> None:
    page(folder)
    for each in (folder / "__pycache__").iterdir():
        each.write_bytes(b"damaged")
    assert page(folder) == "Hello x."


def test_a_folder_that_cannot_be_written_is_no_harm(folder: Path) -> None:
    (folder / "__pycache__").write_text("in the way")
    assert page(folder) == "Hello x."


def test_where_python_writes_no_byte_code_none_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert page(folder) == "Hello x."
    assert kept(folder) == set()
