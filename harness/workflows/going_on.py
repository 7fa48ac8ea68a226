"""One process works on a run at a time: two would play, and pay for, the same trials."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from harness.errors import RunError
from harness.settings import Settings


@contextmanager
def going_on(settings: Settings, run_id: str, *, is_part: bool = False) -> Iterator[None]:
    """Say on this machine that a run goes on, for as long as this lasts or the process lives.

    Args:
        settings: Name the store that the run is in.
        run_id: The run.
        is_part: Whether other processes carry out parts of it beside this one.

    Raises:
        RunError: Another process works on it (code ``run-going-on``).
    """
    path = _lock_path(settings, run_id)
    held = _held(path, run_id, fcntl.LOCK_SH if is_part else fcntl.LOCK_EX)
    try:
        yield
    finally:
        if held is not None:
            with suppress(OSError):  # another part still goes on, or another run of this store
                if not is_part:
                    path.unlink()
                    path.parent.rmdir()
            held.close()


def _lock_path(settings: Settings, run_id: str) -> Path:
    """Beside the store; of a database server beside the ledger, for processes of this folder."""
    beside = Path(settings.ledger if "://" in settings.store else settings.store)
    return beside.with_name(f"{beside.name}-running") / f"{run_id}.lock"


def _held(path: Path, run_id: str, how: int) -> IO[str] | None:
    """The locked file; None where nothing can be locked, which the store will have more to say of."""
    try:
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as closing:
                file = closing.enter_context(path.open("w"))
                fcntl.flock(file, how | fcntl.LOCK_NB)
                if _is_still(path, file):  # else whoever held it took the file away with the run's end
                    closing.pop_all()
                    return file
    except BlockingIOError:
        raise RunError(
            f"another process is working on run {run_id}",
            code="run-going-on",
            hint="wait until it has ended, or start a new run",
        ) from None
    except OSError:
        return None


def _is_still(path: Path, file: IO[str]) -> bool:
    """Whether the open file is the one that others find there."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
