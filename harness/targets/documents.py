"""The text of documents on this machine, read as the embedded server reads uploads."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from harness.errors import TargetError
from harness.server.reading.documents import Page, Unreadable
from harness.server.reading.extract import extract


def pages_of(path: Path) -> tuple[Page, ...]:
    """The pages of a document that have text; a file without pages is one.

    Raises:
        TargetError: The file is gone, or its text can't be had (code ``document-unreadable``).
    """
    try:
        status = path.stat()
        return _pages(path, status.st_mtime_ns, status.st_size)
    except (OSError, Unreadable) as problem:
        raise TargetError(f"{path}: {problem}", code="document-unreadable") from problem


@lru_cache(maxsize=1024)
def _pages(path: Path, changed_ns: int, size: int) -> tuple[Page, ...]:
    return tuple(page for page in extract(path.name, path.read_bytes()).pages if page.text.strip())
