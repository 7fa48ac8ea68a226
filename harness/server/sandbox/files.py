"""The files of a session, handled as what a stranger may have put there.

Names are never trusted, links never followed, and only regular files read; folders are opened one level at
a time, so that nobody can swap one for a link half-way.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.server.sandbox.limits import Limits

_MAX_DEPTH = 12
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_HIDDEN = ("__pycache__",)

Stamp = tuple[int, int, int]
"""Inode, size and time of the last change: differs whenever a file was made or written."""


class OverLimit(Exception):
    """The files of a session are too large, too many or nested too deeply."""


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file in a session's folder; ``read`` works only while the walk stands at it."""

    path: str
    stamp: Stamp
    changed_ns: int
    allocated_bytes: int
    read: Callable[[int], bytes]


def walk(folder: Path) -> Iterator[Found]:
    """Every regular file below the folder, in the order of names.

    Raises:
        OverLimit: Folders are nested too deeply or cannot be looked into.
    """
    with _opened(str(folder)) as descriptor:
        yield from _walk(descriptor, PurePosixPath(), 1)


def _walk(folder: int, prefix: PurePosixPath, depth: int) -> Iterator[Found]:
    if depth > _MAX_DEPTH:
        raise OverLimit(f"folders nested more than {_MAX_DEPTH} deep")
    for name in sorted(os.listdir(folder)):
        with suppress(FileNotFoundError):
            info = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                yield from _walk_into(folder, name, prefix, depth)
            elif stat.S_ISREG(info.st_mode):
                yield _found(folder, name, prefix, info)


def _walk_into(folder: int, name: str, prefix: PurePosixPath, depth: int) -> Iterator[Found]:
    try:
        with _opened(name, folder) as inner:
            yield from _walk(inner, prefix / name, depth + 1)
    except (PermissionError, NotADirectoryError) as error:
        raise OverLimit(f"a folder that cannot be looked into ({str(prefix / name)!r})") from error


@contextmanager
def _opened(name: str, folder: int | None = None) -> Iterator[int]:
    descriptor = os.open(name, _OPEN_FOLDER, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _found(folder: int, name: str, prefix: PurePosixPath, info: os.stat_result) -> Found:
    def read(most: int) -> bytes:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            return file.read(most) if regular else b""

    stamp = (info.st_ino, info.st_size, info.st_ctime_ns)
    return Found(str(prefix / name), stamp, info.st_ctime_ns, info.st_blocks * 512, read)


def stamps(folder: Path) -> dict[str, Stamp]:
    """What there is now, to be compared with later."""
    return {found.path: found.stamp for found in walk(folder)}


def is_hidden(path: str) -> bool:
    """Whether a file is no result: dot files and caches."""
    return any(part.startswith(".") or part in _HIDDEN for part in PurePosixPath(path).parts)


def shown_name(path: str) -> str:
    """A path that code made up, as text that can be written anywhere; control characters are replaced."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(sign if sign.isprintable() else "_" for sign in text)


def check_disk(folders: list[Path], limits: Limits) -> None:
    """Makes sure that all files together stay within the limits.

    Raises:
        OverLimit: They do not; says which limit.
    """
    size = count = 0
    for folder in folders:
        for found in walk(folder):
            size += found.allocated_bytes
            count += 1
            if size > limits.disk_bytes:
                raise OverLimit(f"more than {limits.disk_bytes:,} bytes of files")
            if count > limits.files:
                raise OverLimit(f"more than {limits.files:,} files")


def put(folder: Path, name: str, content: bytes, owner: int | None) -> str:
    """Writes a file into the folder under the last part of its name, replacing whatever is there.

    Returns:
        The name it has there.
    """
    safe = _safe_name(name)
    with _opened(str(folder)) as descriptor:
        _clear(descriptor, safe)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(safe, flags, 0o600, dir_fd=descriptor), "wb") as file:
            file.write(content)
            if owner is not None:
                os.fchown(file.fileno(), owner, owner)
    return safe


def _safe_name(name: str) -> str:
    last = PurePosixPath(name.replace("\\", "/").replace("\x00", "")).name
    cut = last.encode("utf-8", "replace")[-200:].decode("utf-8", "ignore")
    return cut if cut not in ("", ".", "..") else "file"


def _clear(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=folder)
    except FileNotFoundError:
        return


def empty(folder: Path) -> None:
    """Removes all that lies in the folder."""
    with _opened(str(folder)) as descriptor:
        for name in os.listdir(descriptor):  # noqa: PTH208 - a descriptor has no path
            with suppress(OSError):
                _clear(descriptor, name)


def move_unchanged(source: Path, target: Path, before: dict[str, Stamp]) -> None:
    """Moves the files that still are what they were; only for when nothing runs in there any more."""
    with suppress(OverLimit):
        for found in walk(source):
            if before.get(found.path) == found.stamp:
                (target / found.path).parent.mkdir(parents=True, exist_ok=True)
                (source / found.path).rename(target / found.path)
