"""One process that reads documents, seen from the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

import msgspec

from harness.server.reading.frames import ANSWER, REQUEST
from harness.server.reading.limits import MEGABYTE, Limits

_MOST_ANSWER_BYTES = 512 * MEGABYTE
_BOOT = (
    "import json, sys; boot = json.loads(sys.argv[1]); sys.path[:] = boot['path'];"
    " from harness.server.reading.worker import main; main(boot)"
)
# All that an interpreter may need to start; keys and settings of the server stay behind.
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a reading process says of a document; only the fields of its case are filled.

    Attributes:
        pages: Number and text of each page.
        code: Why it cannot be read, as ``Unreadable`` knows it.
        message: Says that in words.
        over: The limit it met without being ended.
        failure: What went wrong in our own code.
    """

    pages: list[tuple[int | None, str]] = []
    code: Literal["unsupported_file", "invalid_file"] | None = None
    message: str = ""
    over: Literal["memory", "depth"] | None = None
    failure: str | None = None


class ReaderGoneError(Exception):
    """The process had ended before it was asked; another one may be asked instead."""


class ReaderLostError(Exception):
    """The process ended without an answer.

    Attributes:
        status: As ``Popen.returncode``.
        overdue: Whether it was ended because it took too long.
    """

    def __init__(self, status: int, *, overdue: bool = False, said: str = "") -> None:
        super().__init__(said or f"it ended with status {status}")
        self.status = status
        self.overdue = overdue


class Reader:
    """A process, for one document at a time.

    Attributes:
        worn: Whether it is time for a new one.

    Raises:
        ReaderLostError: It does not come up.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._overdue = False
        self._documents = 0
        self.worn = False
        self._process = _start(limits)
        self._wait_ready()

    @property
    def fresh(self) -> bool:
        """Whether it has read no document yet."""
        return self._documents == 0

    def read(self, name: str, content: bytes) -> Answer:
        """The process's answer on a document.

        Raises:
            ReaderGoneError: It had ended before.
            ReaderLostError: It ended over this document.
        """
        timer = self._timer(self._limits.wall_s)
        try:
            self._ask(name, content)
            answer = msgspec.json.decode(self._receive(), type=Answer)
        finally:
            timer.cancel()
        self._documents += 1
        many, large = self._documents >= self._limits.documents, len(content) > self._limits.large_bytes
        self.worn = many or large or answer.over is not None
        return answer

    def close(self) -> None:
        """End the process; nothing of it remains."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):  # what had not been sent need not arrive
                _open(pipe).close()

    def _wait_ready(self) -> None:
        timer = self._timer(self._limits.start_s)
        try:
            self._receive()
        except ReaderLostError as lost:
            said = _open(self._process.stderr).read().decode("utf-8", "replace").strip()
            self.close()
            raise ReaderLostError(lost.status, said=said.rpartition("\n")[2]) from lost
        finally:
            timer.cancel()

    def _timer(self, seconds: float) -> threading.Timer:
        """Ends the process when it takes longer than this; reading its answer then ends, too."""
        timer = threading.Timer(seconds, self._end_overdue)
        timer.daemon = True
        timer.start()
        return timer

    def _end_overdue(self) -> None:
        self._overdue = True
        self._process.kill()

    def _ask(self, name: str, content: bytes) -> None:
        encoded = name.encode("utf-8", "surrogatepass")
        pipe = _open(self._process.stdin)
        try:
            pipe.write(REQUEST.pack(len(encoded), len(content)) + encoded)
            pipe.write(content)
            pipe.flush()
        except BrokenPipeError as error:
            if self._overdue:
                raise self._lost() from error
            raise ReaderGoneError from error

    def _receive(self) -> bytes:
        pipe = _open(self._process.stdout)
        header = pipe.read(ANSWER.size)
        size = ANSWER.unpack(header)[0] if len(header) == ANSWER.size else -1
        answer = pipe.read(size) if 0 <= size <= _MOST_ANSWER_BYTES else b""
        if len(answer) != size:
            raise self._lost()
        return answer

    def _lost(self) -> ReaderLostError:
        self._process.kill()  # it may still run when it sent nonsense
        return ReaderLostError(self._process.wait(), overdue=self._overdue)


def _start(limits: Limits) -> subprocess.Popen[bytes]:
    """A fresh interpreter: no fork of a process with threads, no modules or memory of the server."""
    boot = {"path": _import_path(), "memory_bytes": limits.memory_bytes, "cpu_s": limits.cpu_s}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", _BOOT, json.dumps(boot)],
        env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the server, which lets documents under way finish
    )


def _import_path() -> list[str]:
    """Where this package and what it needs were found, also for editable installations."""
    here = str(Path(__file__).parents[3])
    return [here, *(place for place in sys.path if Path(place).is_absolute() and place != here)]


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("this pipe was not asked for")
    return pipe
