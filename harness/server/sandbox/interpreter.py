"""The interpreter's process and the talk with it: JSON lines out and in, its output beside them."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from harness.clock import SYSTEM_CLOCK

_CHECK_EVERY_S = 0.25
"""How often a running session is looked at (its files are measured)."""
_MAX_ANSWER_BYTES = 1_000_000
_READ_AT_ONCE = 1_000_000


class TooLong(Exception):
    """No answer within the time allowed."""


class Ended(Exception):
    """The interpreter is gone; the text is what it said last.

    Attributes:
        status: Its exit status; minus the signal's number when a signal ended it.
    """

    def __init__(self, status: int, said: str = "") -> None:
        super().__init__(said)
        self.status = status


class Output:
    """What a run prints, up to a limit: the beginning and, so that an error at the end is seen, the end."""

    def __init__(self, most: int) -> None:
        self._most_head = most * 3 // 4
        self._most_tail = most - self._most_head
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, piece: bytes) -> None:
        """Takes what was printed next."""
        room = self._most_head - len(self._head)
        self._head += piece[: max(room, 0)]
        self._tail += piece[max(room, 0) :]
        excess = len(self._tail) - self._most_tail
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def add_line(self, line: str) -> str:
        """Adds a line of our own and returns it."""
        printed = self._tail or self._head
        self.add(b"\n" if printed and not printed.endswith(b"\n") else b"")
        self.add(f"{line}\n".encode())
        return line

    def text(self) -> str:
        """All that was kept, with a note where something was left out."""
        note = f"\n[... {self._dropped:,} bytes of output left out ...]\n" if self._dropped else ""
        return bytes(self._head + note.encode() + self._tail).decode("utf-8", errors="replace")


class Interpreter:
    """A running interpreter; answers come in the order of requests."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process = process
        self._requests: IO[bytes] = process.stdin
        self._answers: IO[bytes] = process.stdout
        self._prints: IO[bytes] = process.stderr
        self._unsent = bytearray()
        self._received = bytearray()
        for pipe in self._pipes():
            os.set_blocking(pipe.fileno(), False)

    def wait_ready(self, seconds: float) -> None:
        """Waits until the interpreter has taken up its limits.

        Raises:
            Ended: It could not, or not in time.
        """
        output = Output(20_000)
        try:
            self._next_answer(output, seconds, lambda: None)
        except TooLong as late:
            raise Ended(-int(signal.SIGKILL), f"it was not ready within {seconds:g} s") from late
        except Ended as ended:
            raise Ended(ended.status, output.text().strip()) from ended

    def ask(
        self, request: dict[str, Any], output: Output, seconds: float, check: Callable[[], None]
    ) -> dict[str, Any]:
        """The answer to a request; ``check`` is called now and then until it comes.

        Raises:
            TooLong: It did not come in time.
            Ended: The interpreter ended instead.
        """
        self._unsent += json.dumps(request).encode() + b"\n"
        deadline = SYSTEM_CLOCK.monotonic() + seconds
        while True:
            answer = self._next_answer(output, deadline - SYSTEM_CLOCK.monotonic(), check)
            if answer.get("run") == request["run"]:
                return answer

    def kill(self) -> None:
        """Ends the process with all it started and waits for its end."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in self._pipes():
            with suppress(OSError):
                pipe.close()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        return self._requests, self._answers, self._prints

    def _next_answer(self, output: Output, seconds: float, check: Callable[[], None]) -> dict[str, Any]:
        deadline = SYSTEM_CLOCK.monotonic() + seconds
        next_check = SYSTEM_CLOCK.monotonic() + _CHECK_EVERY_S
        with self._waiting() as waiting:
            while (now := SYSTEM_CLOCK.monotonic()) < deadline:
                if now >= next_check:
                    check()
                    self._refuse_ended(waiting, output)
                    next_check = now + _CHECK_EVERY_S
                if b"\n" in self._received:
                    self._print(waiting, output)
                    return self._take_answer()
                for key, _ in waiting.select(min(_CHECK_EVERY_S, deadline - now)):
                    key.data(waiting, output)
        raise TooLong

    def _waiting(self) -> selectors.BaseSelector:
        waiting = selectors.DefaultSelector()
        waiting.register(self._prints, selectors.EVENT_READ, self._print)
        waiting.register(self._answers, selectors.EVENT_READ, self._answer)
        if self._unsent:
            waiting.register(self._requests, selectors.EVENT_WRITE, self._send)
        return waiting

    def _send(self, waiting: selectors.BaseSelector, output: Output) -> None:
        try:
            del self._unsent[: os.write(self._requests.fileno(), self._unsent[:65536])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unsent.clear()  # it is ending; its answers will say so
        if not self._unsent:
            waiting.unregister(self._requests)

    def _print(self, waiting: selectors.BaseSelector, output: Output) -> None:
        """Takes what was printed, at most so much that a flood cannot hold us up."""
        for _ in range(_READ_AT_ONCE // 65536):
            piece = self._read(self._prints)
            if not piece:
                break
            output.add(piece)
        if piece == b"" and self._prints in {key.fileobj for key in waiting.get_map().values()}:
            waiting.unregister(self._prints)

    def _answer(self, waiting: selectors.BaseSelector, output: Output) -> None:
        piece = self._read(self._answers)
        self._received += piece or b""
        if piece == b"" or len(self._received) > _MAX_ANSWER_BYTES:
            self._print(waiting, output)
            raise Ended(self._status())

    def _take_answer(self) -> dict[str, Any]:
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return _parsed(line)

    def _refuse_ended(self, waiting: selectors.BaseSelector, output: Output) -> None:
        """Notices the end of an interpreter whose own children still hold its pipes open."""
        status = self._process.poll()
        if status is not None:
            self._print(waiting, output)
            raise Ended(status)

    def _status(self) -> int:
        """The exit status; one that closed its pipes and lives on is ended."""
        try:
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.kill()
            return -int(signal.SIGKILL)

    @staticmethod
    def _read(pipe: IO[bytes]) -> bytes | None:
        """What is there; None when there is nothing yet, empty at the end."""
        try:
            return os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return None


def _parsed(line: bytes) -> dict[str, Any]:
    """An answer; code can write to this pipe too, so that anything may come."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
