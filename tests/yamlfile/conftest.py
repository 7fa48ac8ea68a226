"""An empty working folder to write files into."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file (dedented text, or bytes) below an empty working folder; gives its relative path."""
    monkeypatch.chdir(tmp_path)

    def write(path: str, content: str | bytes) -> Path:
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
        return file

    return write
