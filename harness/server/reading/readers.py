"""Documents are read in processes that can end without harm to the server, its memory and its keys.

Parsers of PDF, Office and HTML files are large libraries, mostly in C, fed with whatever people upload. Their
process has limits of memory and time, an emptied environment, and answers in JSON. It is started when first
needed, kept for the next document, replaced after a crash, and ended when idle.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from typing import NoReturn

from harness.errors import HarnessError
from harness.server.reading.documents import Document, Page, Unreadable
from harness.server.reading.limits import MEGABYTE, Limits
from harness.server.reading.names import basename, shown
from harness.server.reading.reader import Answer, Reader, ReaderGoneError, ReaderLostError

_LIMITS = Limits()
_MOST = 2
"""Processes at once: the server indexes two files at a time."""


class Readers:
    """A few reading processes; safe to use from several threads.

    Args:
        limits: What reading one document may use.
        most: Processes at once; who asks for one more waits.
    """

    def __init__(self, limits: Limits = _LIMITS, most: int = _MOST) -> None:
        self._limits = limits
        self._slots = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._idle: list[Reader] = []
        self._idle_timer: threading.Timer | None = None

    def read(self, filename: str, content: bytes) -> Document:
        """The text of a document of any supported type.

        Raises:
            Unreadable: It holds no text that can be read within the limits.
            HarnessError: No process can be started (code ``reader-unavailable``), or our own code failed.
        """
        name = basename(filename)
        with self._slots:
            try:
                answer = self._answer(name, content)
            except ReaderLostError as lost:
                raise Unreadable("invalid_file", _why_lost(name, lost, self._limits)) from lost
        if answer.code or answer.over or answer.failure:
            _refuse(name, answer, self._limits)
        return Document(name, tuple(Page(number, text) for number, text in answer.pages))

    def close(self) -> None:
        """End the processes that have nothing to do; documents that come later are read by new ones."""
        with self._lock:
            idle, self._idle = self._idle, []
            if self._idle_timer is not None:
                self._idle_timer.cancel()
                self._idle_timer = None
        for reader in idle:
            reader.close()

    def _answer(self, name: str, content: bytes) -> Answer:
        while True:
            reader = self._take()
            try:
                answer = reader.read(name, content)
            except ReaderGoneError as gone:
                reader.close()
                if reader.fresh:
                    raise ReaderLostError(1) from gone
            except BaseException:
                reader.close()
                raise
            else:
                self._give_back(reader)
                return answer

    def _take(self) -> Reader:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        try:
            return Reader(self._limits)
        except (ReaderLostError, OSError) as error:
            raise HarnessError(
                f"no process can be started to read documents in: {error}",
                code="reader-unavailable",
                hint="free memory or processes on this machine, and add the file to its vector store again",
            ) from error

    def _give_back(self, reader: Reader) -> None:
        if reader.worn:
            reader.close()
            return
        with self._lock:
            self._idle.append(reader)
            if self._idle_timer is not None:
                self._idle_timer.cancel()
            self._idle_timer = threading.Timer(self._limits.idle_s, self.close)
            self._idle_timer.daemon = True
            self._idle_timer.start()


def _refuse(name: str, answer: Answer, limits: Limits) -> NoReturn:
    if answer.failure:
        raise HarnessError(f"{shown(name)} could not be read: {answer.failure}")
    if answer.over == "memory":
        raise Unreadable("invalid_file", _over_memory(name, limits))
    if answer.over == "depth":
        raise Unreadable("invalid_file", f"{shown(name)} nests too deeply to be read; save it again, flatter")
    raise Unreadable(answer.code or "invalid_file", answer.message)


def _why_lost(name: str, lost: ReaderLostError, limits: Limits) -> str:
    """What ended the process, and what to do."""
    if lost.overdue:
        return f"reading {shown(name)} took longer than {limits.wall_s:g} s; split it or save it again"
    if lost.status == -signal.SIGXCPU:
        most = f"{limits.cpu_s} s of processor time"
        return f"reading {shown(name)} takes more than {most}; split it or save it again"
    if lost.status == -signal.SIGKILL:
        return _over_memory(name, limits)
    return (
        f"reading {shown(name)} ended in a crash ({_ending(lost.status)}): it is damaged, or needs more than"
        f" {limits.memory_bytes // MEGABYTE} MB of memory; save it again, or split it"
    )


def _over_memory(name: str, limits: Limits) -> str:
    most = limits.memory_bytes // MEGABYTE
    return f"reading {shown(name)} takes more than {most} MB of memory; split it or save it again"


def _ending(status: int) -> str:
    known = -status in {item.value for item in signal.Signals}
    return signal.Signals(-status).name if known else f"status {status}"


_READERS = Readers()


def read(filename: str, content: bytes) -> Document:
    """The text of a document, page by page where the format has pages.

    Small files of plain text are read here, everything else in a process of its own.

    Raises:
        Unreadable: Its type is not supported, it is empty, encrypted, damaged or without text, or reading it
            meets a limit.
        HarnessError: No process can be started (code ``reader-unavailable``), or our own code failed.
    """
    from harness.server.reading.extract import extract_plain  # most conversations read no document

    return extract_plain(filename, content) or _READERS.read(filename, content)


def close_readers() -> None:
    """End the processes that have nothing to do; the next document starts one again."""
    _READERS.close()


def _forget_readers() -> None:
    """A forked process must not talk to its parent's readers; they stay referenced, and the parent's."""
    global _READERS
    _PARENTS.append(_READERS)
    _READERS = Readers()


_PARENTS: list[Readers] = []
atexit.register(close_readers)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_readers)
