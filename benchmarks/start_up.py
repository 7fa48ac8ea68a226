"""CPU time of commands that only print, and of a first run: user and system milliseconds, best of five.

python -m benchmarks.start_up
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

_HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
_ROUNDS = 5


def cpu_ms(arguments: list[str], folder: Path) -> float:
    """The least CPU time of a command over several rounds."""
    return min(_once(arguments, folder) for _ in range(_ROUNDS))


def _once(arguments: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*_HARNESS, *arguments], cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Print a Markdown table."""
    helps = [[name, "--help"] for name in ("init", "run", "check", "report", "runs", "serve", "completion")]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run([*_HARNESS, "init"], cwd=place, check=True, capture_output=True)
        print("| command | CPU ms |\n| --- | ---: |")
        for arguments in [["--version"], ["--help"], *helps]:
            print(f"| `harness {' '.join(arguments)}` | {cpu_ms(arguments, place):.0f} |")
        for arguments in (["check", "suite.yaml"], ["run", "suite.yaml", "--only", "off-topic"]):
            print(f"| `harness {' '.join(arguments)}` | {cpu_ms(arguments, place):.0f} |")


if __name__ == "__main__":
    main()
