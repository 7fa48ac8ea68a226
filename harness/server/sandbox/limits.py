"""How much a session may use."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one session may use; a run that goes over is ended, and the error says which limit it was.

    Attributes:
        wall_s: Seconds one run may take.
        cpu_s: Seconds of processor time one run may take.
        memory_bytes: Address space of each process.
        processes: Processes and threads besides the interpreter itself.
        file_bytes: Largest file.
        disk_bytes: All files together.
        files: Number of files, and of files returned from one run at most a hundredth of it.
        output_chars: Output kept of one run; what is cut is said in its place.
        start_s: Seconds the interpreter may take to come up.
    """

    wall_s: float = 60.0
    cpu_s: int = 60
    memory_bytes: int = 2048 * MEGABYTE
    processes: int = 32
    file_bytes: int = 64 * MEGABYTE
    disk_bytes: int = 256 * MEGABYTE
    files: int = 5000
    output_chars: int = 100_000
    start_s: float = 30.0
