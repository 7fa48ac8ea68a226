"""code_interpreter at work: one sandbox session a thread, and the files that come out of it."""

from __future__ import annotations

import codecs
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from harness.clock import SYSTEM_CLOCK, Clock
from harness.errors import HarnessError
from harness.server.llms.interface import FileInfo
from harness.server.state import FileRecord

if TYPE_CHECKING:
    from harness.server.sandbox import Outcome, Sandbox, SandboxSession

FOLDER = "/mnt/data/"
"""Where code sees its files."""
MOST_IDLE_SESSIONS = 16
"""So many threads (and containers) keep their variables while nothing runs in them; files are always kept."""
LONGEST_IDLE_S = 3600
"""Nobody keeps them longer than that without use."""
_HEAD_CHARACTERS = 2_000


class _Bench(msgspec.Struct):
    """A thread's session, the files it has been given, how many runs are in it, and when the last ended.

    Until something has run in it, it lacks what code made for the thread in an earlier life of the server.
    """

    session: SandboxSession
    given: set[str] = msgspec.field(default_factory=set)
    running: int = 0
    used_at_s: float = 0.0
    is_resting: bool = True
    is_new: bool = True

    @property
    def is_idle(self) -> bool:
        """Whether it keeps an interpreter in which nothing runs."""
        return not self.running and not self.is_resting


class Workshop:
    """Runs code; a session is opened when a thread first needs it and kept for its variables and files.

    Nobody has to delete threads, and each interpreter is a process with memory of its own: of too many, the
    longest unused are ended. Where code may not run at all, the outcome says so.

    Args:
        make_sandbox: Makes the sandbox when code is first run.
        clock: What idleness is measured by.
    """

    def __init__(
        self, make_sandbox: Callable[[], Sandbox] | None = None, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._make_sandbox = make_sandbox or _default_sandbox
        self._clock = clock
        self._sandbox: Sandbox | None = None
        self._benches: dict[str, _Bench] = {}
        self._lock = threading.Lock()

    def run(
        self,
        thread_id: str,
        source: str,
        files: Iterable[FileRecord],
        made_before: Callable[[], Iterable[FileRecord]] = tuple,
    ) -> Outcome:
        """Run a piece of code with these files at hand.

        Args:
            thread_id: Whose variables and files it sees.
            source: The code.
            files: What users have given.
            made_before: What earlier code has made; asked for when the thread has no session yet.
        """
        try:
            bench, over = self._take(thread_id)
        except HarnessError as problem:
            return _not_run(problem)
        for each in over:
            each.session.rest()
        try:
            _lay_out(bench, files, made_before)
            return bench.session.run(source)
        finally:
            with self._lock:
                bench.running -= 1
                bench.used_at_s = self._clock.monotonic()

    def _take(self, thread_id: str) -> tuple[_Bench, list[_Bench]]:
        """The bench of a thread, for a run, and those whose interpreters are to be ended for it.

        Raises:
            HarnessError: Code may not be run here.
        """
        with self._lock:
            if self._sandbox is None:
                self._sandbox = self._make_sandbox()
            bench = self._benches.get(thread_id)
            if bench is None:
                bench = self._benches[thread_id] = _Bench(self._sandbox.open(thread_id))
            bench.running += 1
            bench.is_resting = False
            return bench, self._over()

    def _over(self) -> list[_Bench]:
        idle = sorted(
            (each for each in self._benches.values() if each.is_idle), key=lambda each: each.used_at_s
        )
        oldest_s = self._clock.monotonic() - LONGEST_IDLE_S
        too_many = max(0, len(idle) - MOST_IDLE_SESSIONS)
        over = [each for i, each in enumerate(idle) if i < too_many or each.used_at_s < oldest_s]
        for each in over:
            each.is_resting = True
        return over

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


def unisolated_sandbox() -> Sandbox:
    """A sandbox that runs code also where nothing keeps it from the network and this machine's files."""
    from harness.server.sandbox import ISOLATIONS, Sandbox

    return Sandbox(isolations=ISOLATIONS)


def _lay_out(
    bench: _Bench, files: Iterable[FileRecord], made_before: Callable[[], Iterable[FileRecord]]
) -> None:
    for record in files:
        if record.file.id not in bench.given:
            bench.given.add(record.file.id)
            bench.session.put(record.file.filename, record.content)
            bench.session.put(record.file.id, record.content)
    if bench.is_new:  # after those: code may have written over one of them
        bench.is_new = False
        for record in made_before():
            bench.session.put(record.file.filename, record.content)


def _not_run(problem: HarnessError) -> Outcome:
    """What the model and the user read in place of the code's output."""
    from harness.server.sandbox import Outcome

    told = f"PermissionError: {problem.message}. To run it: {problem.hint}."
    return Outcome(f"{told}\n", error=told)


def describe(record: FileRecord) -> FileInfo:
    """What the model is told about a file that code can read."""
    file = record.file
    return FileInfo(file.id, file.filename, f"{FOLDER}{file.id}", _head(record.content))


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
