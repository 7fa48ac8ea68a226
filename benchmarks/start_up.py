"""CPU time of commands that only print, and of short runs: user and system milliseconds, best of five.

python -m benchmarks.start_up

Byte code is there, as after an installation: without it every start compiles the whole package.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.scale import prepare

_HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
_ROUNDS = 5
_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def cpu_ms(arguments: list[str], folder: Path) -> float:
    """The least CPU time of a command over several rounds."""
    return min(_once(arguments, folder) for _ in range(_ROUNDS))


def _once(arguments: list[str], folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*_HARNESS, *arguments], cwd=folder, env=_INSTALLED, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Print a Markdown table.

    The suite of ``harness init`` has an assistant with one document. An off-topic message is turned away, and
    nothing is claimed; the answer about returns rests on the document, and a model judges whether it does.
    """
    helps = [[name, "--help"] for name in ("init", "run", "check", "report", "runs", "serve", "completion")]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "scripted").mkdir()
        subprocess.run([*_HARNESS, "init"], cwd=place, check=True, capture_output=True)
        print("| command | CPU ms |\n| --- | ---: |")
        for arguments in [["--version"], ["--help"], *helps]:
            print(f"| `harness {' '.join(arguments)}` | {cpu_ms(arguments, place):.0f} |")
        prepare(place / "scripted", 1)
        scripted = ["scripted/suite.yaml", "--models", "scripted/models.yaml"]
        for arguments in (
            ["check", "suite.yaml"],
            ["run", *scripted],
            ["run", "suite.yaml", "--only", "off-topic"],
            ["run", "suite.yaml", "--only", "return-period"],
        ):
            print(f"| `harness {' '.join(arguments)}` | {cpu_ms(arguments, place):.0f} |")


if __name__ == "__main__":
    main()
