"""What the page of the Python API shows can be run as it stands."""

from __future__ import annotations

import linecache
import re
from pathlib import Path

import pytest

from harness.runner.simulated import ChatUser

ROOT = Path(__file__).parents[2]


def test_the_examples_of_the_page_run_one_after_the_other_as_in_a_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("suites", "fixtures"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    page = (ROOT / "docs" / "python-api.md").read_text("utf-8")
    for number, cell in enumerate(re.findall(r"```python\n(.*?)```", page, re.DOTALL)):
        file = f"<cell {number}>"
        linecache.cache[file] = (len(cell), None, cell.splitlines(keepends=True), file)  # as a notebook does
        exec(compile(cell, file, "exec"), names)
    printed = capsys.readouterr().out
    assert "failed" not in printed and "errored" not in printed
    assert printed.count("passed") >= 4
    assert isinstance(names["angry"], ChatUser)
