"""code_interpreter at work: one sandbox session a thread, and the files that come out of it."""

from __future__ import annotations

import codecs
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.server.llms.interface import FileInfo
from harness.server.state import FileRecord

if TYPE_CHECKING:
    from harness.server.sandbox import Outcome, Sandbox, SandboxSession

_HEAD_CHARACTERS = 2_000
_FOLDER = "/mnt/data/"


@dataclass(slots=True)
class _Bench:
    """A thread's session and the files it has been given."""

    session: SandboxSession
    given: set[str] = field(default_factory=set)


class Workshop:
    """Runs code; a session is opened when a thread first needs it and kept for its variables and files.

    Args:
        make_sandbox: Makes the sandbox when code is first run.
    """

    def __init__(self, make_sandbox: Callable[[], Sandbox] | None = None) -> None:
        self._make_sandbox = make_sandbox or _default_sandbox
        self._sandbox: Sandbox | None = None
        self._benches: dict[str, _Bench] = {}
        self._lock = threading.Lock()

    def run(self, thread_id: str, source: str, files: Iterable[FileRecord]) -> Outcome:
        """Run a piece of code with these files at hand."""
        bench = self._bench(thread_id)
        for record in files:
            if record.file.id not in bench.given:
                bench.given.add(record.file.id)
                bench.session.put(record.file.filename, record.content)
                bench.session.put(record.file.id, record.content)
        return bench.session.run(source)

    def _bench(self, thread_id: str) -> _Bench:
        with self._lock:
            if self._sandbox is None:
                self._sandbox = self._make_sandbox()
            bench = self._benches.get(thread_id)
            if bench is None:
                bench = self._benches[thread_id] = _Bench(self._sandbox.open(thread_id))
            return bench

    def leave(self, thread_id: str) -> None:
        """Close the session of a thread that is gone."""
        with self._lock:
            bench = self._benches.pop(thread_id, None)
        if bench is not None:
            bench.session.close()

    def close(self) -> None:
        """Close every session and the sandbox."""
        with self._lock:
            sandbox, self._sandbox = self._sandbox, None
            self._benches.clear()
        if sandbox is not None:
            sandbox.close()


def _default_sandbox() -> Sandbox:
    from harness.server.sandbox import Sandbox

    return Sandbox()


def describe(record: FileRecord) -> FileInfo:
    """What the model is told about a file that code can read."""
    file = record.file
    return FileInfo(file.id, file.filename, f"{_FOLDER}{file.id}", _head(record.content))


def _head(content: bytes) -> str:
    start = content[: 4 * _HEAD_CHARACTERS + len(codecs.BOM_UTF8)]
    if b"\0" in start:
        return ""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        # Only the whole file has to end with a whole character; its beginning may cut one in two.
        text = decoder.decode(start, final=len(start) == len(content))
    except UnicodeDecodeError:
        return ""
    return text[:_HEAD_CHARACTERS]
