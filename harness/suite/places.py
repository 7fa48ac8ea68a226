"""Where conversations stand in their suite files, for programs that show results beside the source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.errors import SuiteError, Where
from harness.yamlfile.source import Source, read_source

Places = dict[tuple[str, str], Where]
"""By suite and conversation."""


def places_in(paths: Iterable[str | Path]) -> Places:
    """The lines of the conversations in suite files and folders.

    What no file says (a file that is gone, suites made in Python, rows of ``foreach``) is left out.
    """
    found: Places = {}
    for path in (file for each in paths for file in _files(Path(each))):
        try:
            source = read_source(path)
        except SuiteError:
            continue
        found.update(_conversations(source))
    return found


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for ending in ("*.yaml", "*.yml") for file in path.rglob(ending))
    return [path] if path.suffix in (".yaml", ".yml") else []


def _conversations(source: Source) -> Iterator[tuple[tuple[str, str], Where]]:
    suite: dict[str, Any] = source.data if isinstance(source.data, dict) else {}
    listed = suite.get("conversations")
    for place, conversation in enumerate(listed if isinstance(listed, list) else ()):
        name = conversation.get("id") if isinstance(conversation, dict) else None
        if isinstance(name, str):
            yield (str(suite.get("suite")), name), source.where(("conversations", place, "id"))
