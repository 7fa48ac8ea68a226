"""The other side of a session: runs in the sandbox, in an interpreter of its own.

Its source is handed to that interpreter as text, so it may import nothing but the standard library. It takes
up its limits, says that it is ready, then runs one piece of code after another in one namespace. Commands and
answers are JSON lines on what were its standard input and output; whatever the code prints goes out by
standard error.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import linecache
import os
import queue
import resource
import site
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Settings = dict[str, Any]

_CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SESSION_CPU_S = 3600
_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp")


def main() -> None:
    """Takes up the limits, then answers commands until the other side goes away."""
    settings: Settings = json.loads(sys.argv[1])
    del sys.argv[1:]
    if settings["namespaces"]:
        _enter_namespaces()
    commands, answers = _take_over_pipes()
    _give_up_rights(settings)
    # Without its site module the interpreter knows no packages: it gets those of the environment it serves.
    sys.path.extend(settings["packages"])
    site.setquit()
    site.sethelper()
    os.chdir(settings["data"])
    figures = Figures(settings["figures"], settings["data"])
    sys.meta_path.insert(0, figures)
    received: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(commands, received), daemon=True).start()
    _send(answers, {"ready": True})
    _serve(received, answers, figures, settings["cpu_s"])


def _serve(received: queue.SimpleQueue[dict[str, Any]], answers: int, figures: Figures, cpu_s: int) -> None:
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = module
    while True:
        command = received.get()
        _allow_cpu(cpu_s)
        error = _run(command["code"], f"<code {command['run']}>", module.__dict__)
        error = _run_figures(figures) or error
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        _send(answers, {"run": command["run"], "error": error})


def _run(code: str, name: str, namespace: dict[str, Any]) -> str | None:
    """Runs the code; an exception's traceback goes to the output, its last line is returned."""
    linecache.cache[name] = (len(code), None, f"{code}\n".splitlines(keepends=True), name)
    try:
        exec(compile(code, name, "exec"), namespace)
    except SystemExit as leaving:
        return None if leaving.code in (None, 0) else f"SystemExit: {leaving.code}"
    except BaseException as error:  # noqa: BLE001 - whatever someone else's code raises is its outcome
        return _report(error, name)
    return None


def _run_figures(figures: Figures) -> str | None:
    try:
        figures.finish()
    except BaseException as error:  # noqa: BLE001 - drawing calls the code's own formatters
        return _report(error, "")
    return None


def _report(error: BaseException, name: str) -> str:
    trace = error.__traceback__
    while name and trace is not None and trace.tb_frame.f_code.co_filename != name:
        trace = trace.tb_next
    lines = traceback.format_exception(type(error), error, trace)
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write("".join(lines))
    return "".join(traceback.format_exception_only(error)).strip().splitlines()[-1][:2000]


class Figures(importlib.abc.MetaPathFinder):
    """Turns what matplotlib shows or leaves open into PNG files, and so finds out when it is imported.

    A figure that the code saved as an image under the data folder counts as shown: one image, not two.
    """

    def __init__(self, folder: str, data: str) -> None:
        self._folder = folder
        self._data = os.path.realpath(data)
        self._count = 0
        self._saved: set[int] = set()
        self._wanted: dict[str, Callable[[types.ModuleType], None]] = {
            "matplotlib.backend_bases": self._watch_saving,
            "matplotlib.pyplot": self._take_over_show,
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Lets the ordinary finders find, and adds to two modules when they have been executed."""
        attach = self._wanted.pop(fullname, None)
        spec = importlib.util.find_spec(fullname) if attach else None
        if attach and spec is not None and spec.loader is not None:
            _after_exec(spec.loader, attach)
        return spec

    def finish(self) -> None:
        """Draws what is still open at the end of a run."""
        if "matplotlib.pyplot" in sys.modules:
            self._show()
        self._saved.clear()

    def _watch_saving(self, backend_bases: types.ModuleType) -> None:
        print_figure = backend_bases.FigureCanvasBase.print_figure

        def noting(canvas: Any, filename: Any, *args: Any, **options: Any) -> Any:
            result = print_figure(canvas, filename, *args, **options)
            self._note(canvas.figure, filename)
            return result

        backend_bases.FigureCanvasBase.print_figure = noting

    def _take_over_show(self, pyplot: types.ModuleType) -> None:
        def show(*_: Any, **__: Any) -> None:
            self._show()

        pyplot.show = show  # type: ignore[attr-defined]

    def _note(self, figure: Any, filename: Any) -> None:
        with contextlib.suppress(TypeError, ValueError):
            path = os.path.realpath(os.fspath(filename))
            if path.startswith(self._data + os.sep) and path.lower().endswith(_IMAGE_SUFFIXES):
                self._saved.add(id(figure))

    def _show(self) -> None:
        from matplotlib import pyplot  # type: ignore[import-not-found, unused-ignore]

        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            if id(figure) not in self._saved and (figure.axes or figure.texts or figure.images):
                self._count += 1
                name = f"figure-{self._count:06d}.png"
                figure.savefig(f"{self._folder}/{name}", format="png", bbox_inches="tight")
        pyplot.close("all")


def _after_exec(loader: Any, then: Callable[[types.ModuleType], None]) -> None:
    original = loader.exec_module

    def exec_module(module: types.ModuleType) -> None:
        original(module)
        then(module)

    loader.exec_module = exec_module


def _take_over_pipes() -> tuple[int, int]:
    """Moves commands and answers to descriptors of their own; prints go to the output pipe."""
    commands, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    return commands, answers


def _receive(commands: int, received: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Hands on commands; when the other side is gone, ends the process whatever it is doing."""
    for line in _lines(commands):
        received.put(json.loads(line))
    os._exit(0)


def _lines(descriptor: int) -> Iterator[bytes]:
    pending = b""
    while True:
        piece = os.read(descriptor, 65536)
        if not piece:
            return
        *lines, pending = (pending + piece).split(b"\n")
        yield from lines


def _send(answers: int, message: dict[str, Any]) -> None:
    content = json.dumps(message).encode() + b"\n"
    while content:
        content = content[os.write(answers, content) :]


def _give_up_rights(settings: Settings) -> None:
    _limit(settings)
    if settings["user"] is not None:
        os.setgroups([])
        os.setresgid(settings["user"], settings["user"], settings["user"])
        os.setresuid(settings["user"], settings["user"], settings["user"])
    if sys.platform == "linux" and settings["alone"]:
        _die_with_parent()
    if settings["namespaces"]:
        _drop_capabilities()
    if settings["no_processes"]:
        _refuse_new_processes()


def _limit(settings: Settings) -> None:
    wanted = {
        "RLIMIT_AS": settings["memory_bytes"],
        "RLIMIT_FSIZE": settings["file_bytes"],
        "RLIMIT_NPROC": settings["processes"],
        "RLIMIT_NOFILE": 256,
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": _SESSION_CPU_S,
    }
    for name, value in wanted.items():
        # Some systems lack one of them, or already have a stricter one.
        with contextlib.suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, name), (value, value))


def _allow_cpu(cpu_s: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (min(soft, _SESSION_CPU_S), _SESSION_CPU_S))


def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        import ctypes

        raise OSError(ctypes.get_errno(), f"{what} was refused")


def _enter_namespaces() -> None:
    """Leaves the network and the other processes behind; goes on in a child that is process 1 there."""
    user, group = os.getuid(), os.getgid()
    flags = _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID | _CLONE_NEWIPC
    _checked(_libc().unshare(flags), "a user namespace")
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(descriptor, line.encode())
        os.close(descriptor)
    # Process 1 of a namespace is deaf to most signals, so the code runs in the one after it.
    _go_on_in_child()
    _go_on_in_child()


def _go_on_in_child() -> None:
    """Forks; the parent only waits, and ends as its child ends."""
    child = os.fork()
    if child:
        _die_with_parent()
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(128 - code if code < 0 else code)


def _die_with_parent() -> None:
    import signal

    _checked(_libc().prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0), "a parent-death signal")


def _drop_capabilities() -> None:
    """A process that made a user namespace may do anything in it, until it says that it won't."""
    import ctypes

    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _checked(_libc().capset(header, nothing), "capset")


def _refuse_new_processes() -> None:
    """Where the count of processes cannot be limited (root is exempt), none can be started at all.

    A seccomp filter, as seccomp(2) describes it: fork and vfork fail, clone only makes threads, and
    clone3, whose flags a filter cannot read, is said not to exist, so that libraries fall back to clone.
    """
    import ctypes
    import platform
    import struct

    arch, forks, clone = {
        "x86_64": (0xC000003E, (57, 58), 56),
        "aarch64": (0xC00000B7, (), 220),
    }[platform.machine()]
    allow, again, missing = 0x7FFF0000, 0x00050000 | 11, 0x00050000 | 38
    load, equal, at_least, has, give = 0x20, 0x15, 0x35, 0x45, 0x06
    lines: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),
        (equal, 1, 0, arch),
        (give, 0, 0, again),
        (load, 0, 0, 0),
    ]
    for number in forks:
        lines += [(equal, 0, 1, number), (give, 0, 0, again)]
    lines += [(at_least, 0, 1, 0x40000000), (give, 0, 0, again)]
    lines += [(equal, 0, 1, 435), (give, 0, 0, missing)]
    lines += [(equal, 1, 0, clone), (give, 0, 0, allow), (load, 0, 0, 16), (has, 0, 1, 0x00010000)]
    lines += [(give, 0, 0, allow), (give, 0, 0, again)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(lines), ctypes.addressof(program)))
    _checked(_libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _checked(_libc().prctl(_PR_SET_SECCOMP, 2, pointer, 0, 0), "a seccomp filter")


if __name__ == "__main__":
    main()
