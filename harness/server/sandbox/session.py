"""One session: an interpreter that keeps its variables from run to run, and its files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.server.sandbox import files
from harness.server.sandbox.interpreter import Ended, Interpreter, Output, TooLong
from harness.server.sandbox.isolation import (
    DATA_PATH,
    Folders,
    Isolation,
    command,
    end_leftovers,
    environment,
)
from harness.server.sandbox.limits import Limits

Start = Callable[[list[str], dict[str, str], Path], "subprocess.Popen[bytes]"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_PNG = b"\x89PNG\r\n\x1a\n"
_LOST = "variables are lost, earlier files are kept"


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that the code made.

    Attributes:
        name: Last part of its path.
        path: Where the code sees it, below ``/mnt/data``; empty for a figure that was only shown.
        content: Its bytes.
    """

    name: str
    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        logs: All output, standard output and error in their order, tracebacks included.
        images: Figures that were shown or left open, and image files, in the order of their making.
        files: Other files that were made or changed.
        error: The exception's last line, or which limit was exceeded; None when all went well.
    """

    logs: str
    images: tuple[MadeFile, ...] = ()
    files: tuple[MadeFile, ...] = ()
    error: str | None = None


class SandboxSession:
    """Made by ``Sandbox.open``; safe to use from several threads, one run at a time.

    Args:
        folder: A folder for this session alone; made here.
        limits: What the session may use.
        isolation: How it is kept apart.
        start: Starts a process with this command line, environment and working directory.
    """

    def __init__(self, folder: Path, limits: Limits, isolation: Isolation, start: Start) -> None:
        self._folder = folder
        self._limits = limits
        self._isolation = isolation
        self._start = start
        self._folders = Folders(folder / "data", folder / "figures", folder / "scratch", folder / "shm")
        self._lock = threading.RLock()
        self._interpreter: Interpreter | None = None
        self._runs = 0
        self._closed = False
        self._make_folders()

    def put(self, name: str, content: bytes) -> str:
        """Lays a file into ``/mnt/data`` and returns its path there; only the name's last part counts."""
        with self._lock:
            self._refuse_closed()
            return f"{DATA_PATH}/{files.put(self._folders.data, name, content, self._isolation.user)}"

    def run(self, code: str) -> Outcome:
        """Runs the code; never raises for what the code does.

        Variables of earlier runs are there, unless a limit was exceeded since: then the interpreter
        was ended, and the next run starts in a fresh one with the same files.
        """
        with self._lock:
            self._refuse_closed()
            self._runs += 1
            output = Output(self._limits.output_chars)
            before: dict[str, files.Stamp] = {}
            try:
                before = files.stamps(self._folders.data)
                error = self._run(code, output)
                images, made = self._collect(before, output)
            except files.OverLimit as over:
                self._throw_away(before)
                images, made = (), ()
                error = output.add_line(f"OSError: the code made {over}; they were removed; {_LOST}")
            return Outcome(self._shown(output.text()), images, made, error and self._shown(error))

    def start(self) -> None:
        """Starts the interpreter now instead of at the first run.

        Raises:
            Ended: It cannot be started in this isolation.
        """
        with self._lock:
            self._refuse_closed()
            self._running()

    def rest(self) -> None:
        """Ends the interpreter and keeps the files; the next run starts in a fresh one."""
        with self._lock:
            self._stop()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def close(self) -> None:
        """Ends the interpreter and removes the files."""
        with self._lock:
            self._stop()
            self._closed = True
            _remove_tree(self._folder)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RuntimeError("this sandbox session is closed")

    def _make_folders(self) -> None:
        # Others may pass through (the code may run as another user) but not look around.
        self._folder.mkdir(mode=0o711)
        for folder in self._all_folders():
            self._make(folder)

    def _make(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        if self._isolation.user is not None:
            os.chown(folder, self._isolation.user, self._isolation.user)

    def _throw_away(self, before: dict[str, files.Stamp]) -> None:
        """Ends the interpreter and removes all files but those that were there before."""
        self._stop()
        earlier = self._folder / "earlier"
        self._folders.data.rename(earlier)
        for folder in self._all_folders():
            _remove_tree(folder)
            self._make(folder)
        files.move_unchanged(earlier, self._folders.data, before)
        _remove_tree(earlier)

    def _all_folders(self) -> list[Path]:
        mine = self._folders
        return [mine.data, mine.figures, mine.scratch, mine.shared_memory]

    def _running(self) -> Interpreter:
        if self._interpreter is None:
            line = command(self._isolation, self._folders, self._limits)
            variables = environment(self._isolation, self._folders)
            self._interpreter = Interpreter(self._start(line, variables, self._folders.data))
            try:
                self._interpreter.wait_ready(self._limits.start_s)
            except Ended:
                self._stop()
                raise
        return self._interpreter

    def _run(self, code: str, output: Output) -> str | None:
        """The error of the run, None when there is none."""
        request = {"run": self._runs, "code": self._located(code)}
        try:
            answer = self._running().ask(request, output, self._limits.wall_s, self._check_disk)
        except TooLong:
            self._stop()
            limit = f"{self._limits.wall_s:g} s"
            return output.add_line(f"TimeoutError: the code ran longer than {limit} and was stopped; {_LOST}")
        except Ended as ended:
            self._stop()
            return output.add_line(f"{self._why(ended)}; {_LOST}")
        error = answer.get("error")
        return error if isinstance(error, str) else None

    def _check_disk(self) -> None:
        files.check_disk(self._all_folders(), self._limits)

    def _why(self, ended: Ended) -> str:
        """What the exit status says; bubblewrap and shells report signal n as 128 + n."""
        number = -ended.status if ended.status < 0 else ended.status - 128
        if number == signal.SIGXCPU:
            return f"TimeoutError: the code used more than {self._limits.cpu_s} s of processor time"
        if number == signal.SIGKILL:
            return "MemoryError: the interpreter was killed, most likely because memory ran out"
        if number in {item.value for item in signal.Signals}:
            return f"SystemError: the interpreter was ended by {signal.Signals(number).name}"
        said = f" ({ended})" if str(ended) else ""
        return f"SystemExit: the interpreter ended with status {ended.status}{said}"

    def _located(self, code: str) -> str:
        """The code as it must read where ``/mnt/data`` is not really mounted."""
        return code if self._isolation.mounts_data else code.replace(DATA_PATH, str(self._folders.data))

    def _shown(self, text: str) -> str:
        return text if self._isolation.mounts_data else text.replace(str(self._folders.data), DATA_PATH)

    def _collect(
        self, before: dict[str, files.Stamp], output: Output
    ) -> tuple[tuple[MadeFile, ...], tuple[MadeFile, ...]]:
        """The images and the other files of this run."""
        self._check_disk()
        images = self._take_figures()
        made: list[MadeFile] = []
        most, left_out = max(1, self._limits.files // 100), 0
        for found in files.walk(self._folders.data):
            if files.is_hidden(found.path) or before.get(found.path) == found.stamp:
                continue
            if len(images) + len(made) >= most:
                left_out += 1
            elif found.path.lower().endswith(IMAGE_SUFFIXES):
                images.append((found.changed_ns, self._made(found)))
            else:
                made.append(self._made(found))
        if left_out:
            output.add_line(f"[{left_out} more files were made; they stay in {DATA_PATH}]")
        ordered = sorted(images, key=lambda image: image[0])
        return tuple(file for _, file in ordered), tuple(made)

    def _made(self, found: files.Found) -> MadeFile:
        path = files.shown_name(found.path)
        name = PurePosixPath(path).name
        return MadeFile(name, f"{DATA_PATH}/{path}", found.read(self._limits.file_bytes))

    def _take_figures(self) -> list[tuple[int, MadeFile]]:
        """The figures that were shown, with the time of each; the folder is empty afterwards."""
        taken: list[tuple[int, MadeFile]] = []
        for found in files.walk(self._folders.figures):
            content = found.read(self._limits.file_bytes)
            if content.startswith(_PNG):
                taken.append((found.changed_ns, MadeFile(PurePosixPath(found.path).name, "", content)))
        files.empty(self._folders.figures)
        return taken

    def _stop(self) -> None:
        if self._interpreter is not None:
            self._interpreter.kill()
            self._interpreter = None
            end_leftovers(self._isolation)


def _remove_tree(folder: Path) -> None:
    """Also folders that were made unreadable."""

    def unlock(function: Callable[..., Any], path: str, _: object) -> None:
        with suppress(OSError):
            Path(path).parent.chmod(0o700)
            if not Path(path).is_symlink():
                Path(path).chmod(0o700)

    shutil.rmtree(folder, onerror=unlock)
    shutil.rmtree(folder, ignore_errors=True)
