"""How a session is kept apart from this machine: the ways there are, best first."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import site
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from harness.server.sandbox.limits import Limits

IsolationName = Literal["bubblewrap", "namespaces", "limits"]
ISOLATIONS: tuple[IsolationName, ...] = ("bubblewrap", "namespaces", "limits")
APART: tuple[IsolationName, ...] = ("bubblewrap", "namespaces")
"""The isolations that keep code from the network and from other processes."""

DATA_PATH = "/mnt/data"
_FIGURES_PATH = "/mnt/figures"
# User ids that no account has: systemd's range for services without an account of their own.
_FREE_USERS = range(61184, 65520)
_SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SYSTEM_FILES = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "fonts", "alternatives")

_DESCRIPTIONS = {
    "bubblewrap": "bubblewrap: no network, no host files, no other processes",
    "namespaces": "namespaces: no network, no other processes; files of this machine can be read",
    "limits": "limits only: network and files of this machine are within reach",
}


@dataclass(frozen=True, slots=True)
class Isolation:
    """One way to start the interpreter.

    Attributes:
        name: Which way.
        user: User id that the code runs as; None for this process's own.
        own_users: Whether a user namespace is made (bubblewrap only).
        no_processes: Whether no process can be started at all, because their number cannot be limited.
    """

    name: IsolationName
    user: int | None = None
    own_users: bool = True
    no_processes: bool = False

    @property
    def description(self) -> str:
        """What is out of reach, in words."""
        return _DESCRIPTIONS[self.name]

    @property
    def mounts_data(self) -> bool:
        """Whether the code really sees its files under ``/mnt/data``."""
        return self.name == "bubblewrap"


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of one session on this machine."""

    data: Path
    figures: Path
    scratch: Path
    shared_memory: Path


def candidates(allowed: Sequence[IsolationName]) -> Iterator[Isolation]:
    """Every way worth trying, best first.

    Root is exempt from the limit on processes, so as root the code runs as a user that has no account, and
    where that user cannot reach the interpreter, it cannot start processes.
    """
    if "bubblewrap" in allowed and shutil.which("bwrap"):
        if _is_root():
            yield Isolation("bubblewrap", user=_free_user(), own_users=False)
        yield Isolation("bubblewrap", no_processes=_is_root())
    if "namespaces" in allowed and sys.platform == "linux":
        yield Isolation("namespaces", no_processes=_is_root())
    if "limits" in allowed:
        if _is_root():
            yield Isolation("limits", user=_free_user())
        yield Isolation("limits", no_processes=_is_root() and sys.platform == "linux")


def command(isolation: Isolation, folders: Folders, limits: Limits) -> list[str]:
    """The command line that starts the interpreter with its limits."""
    wrapped = isolation.name == "bubblewrap"
    settings = {
        "data": DATA_PATH if wrapped else str(folders.data),
        "figures": _FIGURES_PATH if wrapped else str(folders.figures),
        "packages": _package_folders(),
        "user": isolation.user,
        "alone": not wrapped,
        "namespaces": isolation.name == "namespaces",
        "no_processes": isolation.no_processes,
        "cpu_s": limits.cpu_s,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
        "processes": limits.processes + 1 + _running_processes(isolation.user),
    }
    source = resources.files("harness.server.sandbox").joinpath("child.py").read_text("utf-8")
    interpreter = os.path.realpath(sys.executable)
    python = [interpreter, "-I", "-S", "-B", "-X", "utf8", "-c", source, json.dumps(settings)]
    return [*_bubblewrap(isolation, folders), "--", *python] if wrapped else python


def environment(isolation: Isolation, folders: Folders) -> dict[str, str]:
    """All environment variables the code will see: nothing of this process's own."""
    scratch = "/tmp" if isolation.name == "bubblewrap" else str(folders.scratch)
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": scratch,
        "TMPDIR": scratch,
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": scratch,
        # One thread each: numerical libraries start as many as the machine has cores, and each takes memory.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def _bubblewrap(isolation: Isolation, folders: Folders) -> list[str]:
    apart = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    rights = ["--cap-drop", "ALL"]
    if isolation.own_users:
        apart.append("--unshare-user")
    else:
        rights += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    writable = ["--bind", str(folders.scratch), "/tmp", "--bind", str(folders.data), DATA_PATH]
    writable += [
        "--bind",
        str(folders.figures),
        _FIGURES_PATH,
        "--bind",
        str(folders.shared_memory),
        "/dev/shm",
    ]
    return [
        shutil.which("bwrap") or "bwrap",
        *apart,
        *rights,
        *("--die-with-parent", "--new-session", "--hostname", "sandbox"),
        *("--proc", "/proc", "--dev", "/dev"),
        # Before the interpreter: an environment that lies below /tmp would otherwise be covered again.
        *writable,
        *(_passable_folders() if isolation.user is not None else ()),
        *_read_only_system(),
        *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"),
    ]


def _read_only_system() -> Iterator[str]:
    """The system's libraries and the interpreter with its packages; nothing of anyone's home or project."""
    yield from ("--ro-bind", "/usr", "/usr")
    for folder in map(Path, _SYSTEM_FOLDERS):
        if folder.is_symlink():
            yield from ("--symlink", str(folder.readlink()), str(folder))
        elif folder.is_dir():
            yield from ("--ro-bind", str(folder), str(folder))
    for name in _SYSTEM_FILES:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for path in _interpreter_paths():
        yield from ("--ro-bind", path, path)


def _passable_folders() -> Iterator[str]:
    """Folders above the mounts, which bubblewrap would make for root's eyes only."""
    mounted = [DATA_PATH, "/etc/localtime", *_interpreter_paths()]
    above = {parent for path in mounted for parent in Path(path).parents if parent != Path("/")}
    for folder in sorted(above):
        yield from ("--perms", "0755", "--dir", str(folder))


def _interpreter_paths() -> list[str]:
    base = Path(os.path.realpath(sys.executable)).parent.parent
    wanted = [base / "bin", base / "lib", base / "lib64", base / "pyvenv.cfg"]
    wanted += [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
    wanted += [Path(folder) for folder in _package_folders()]
    found: list[str] = []
    for path in wanted:
        inside_usr = path.is_relative_to("/usr")
        if path.exists() and not inside_usr and not any(path.is_relative_to(known) for known in found):
            found.append(str(path))
    return found


def _package_folders() -> list[str]:
    """Where this interpreter's installed packages lie (those of the environment and of the user)."""
    folders = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    folders += [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    return [folder for folder in dict.fromkeys(folders) if Path(folder).is_dir()]


def _is_root() -> bool:
    return os.geteuid() == 0


def _free_user() -> int:
    """A user without an account and without a process: who runs code as it ends whatever it leaves behind."""
    taken = {account.pw_uid for account in pwd.getpwall()} | _owners()
    return secrets.choice([user for user in _FREE_USERS if user not in taken])


def _owners() -> set[int]:
    """The users that have a process now."""
    found = set()
    for entry in os.scandir("/proc") if sys.platform == "linux" else ():
        with suppress(OSError):
            found.add(entry.stat().st_uid)
    return found


def _running_processes(user: int | None) -> int:
    """How many the user already has: the limit counts these too."""
    owner = os.getuid() if user is None else user
    try:
        return sum(1 for entry in os.scandir("/proc") if entry.name.isdigit() and _owns(entry, owner))
    except OSError:
        return 500  # no /proc (macOS): a generous guess at what a person has running


def end_leftovers(isolation: Isolation) -> None:
    """Ends what escaped its process group, where the code had a user of its own and so can be told apart."""
    if isolation.user is None or isolation.name == "bubblewrap" or sys.platform != "linux":
        return
    for entry in list(os.scandir("/proc")):
        if entry.name.isdigit() and _owns(entry, isolation.user):
            with suppress(ProcessLookupError):
                os.kill(int(entry.name), signal.SIGKILL)


def _owns(entry: os.DirEntry[str], owner: int) -> bool:
    try:
        return entry.stat().st_uid == owner
    except OSError:
        return False
