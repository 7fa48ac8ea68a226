"""CPU, memory, wall time and bytes of ``harness run`` beside a script on the openai package (the floor).

    python -m benchmarks.clients                                  # W1 and W2, five rounds
    python -m benchmarks.clients W1L W2L                          # the same with 200 ms latency
    python -m benchmarks.clients W1 --concurrency 1 50 200
    python -m benchmarks.clients W1 W2L --promptfoo node_modules/.bin/promptfoo --inspect venv/bin/inspect
    python -m benchmarks.clients --samples 20 --conversations 5 --rounds 1        # in seconds

W1 is 1,000 questions to chat completions; W2 is 200 conversations of three turns with an Assistants API. Each
client is a process, started anew for every measurement, one after the other in each round; a mock server that
answers at once is a process of its own. Measured is what a user runs: Python's start, imports, the suite read
and checked, one string looked for in each answer, every trial committed to the store as it ends, and the HTML
report. CPU is user and system time of the process and its children; figures are medians over the rounds,
ratios the medians of the ratios within a round. A smaller run of each client in each round tells what is
spent once from what each sample costs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.clients import peers, suites

_KIND = {"W1": "chat", "W2": "threads"}
_PART = 10  # the smaller run has this part of the samples
_CLIENTS = ("floor", "harness", "limit")
Command = Callable[["Asked", str, Path], list[str]]
"""What a client is started by for a workload at a base_url; its files are written to the folder."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One workload: what is asked, how often, how many at a time, and how slow the answers are."""

    name: str
    samples: int
    concurrency: int
    latency_ms: float

    @property
    def kind(self) -> str:
        """The API: ``chat`` or ``threads``."""
        return _KIND[self.name[:2]]


class Measured(NamedTuple):
    """What one process of a client took."""

    cpu_s: float
    wall_s: float
    peak_mb: float
    written_kb: float
    requests: float
    most_in_flight: float


@contextmanager
def serving(latency_ms: float) -> Iterator[str]:
    """The base_url of a mock server, a process of its own."""
    command = [sys.executable, "-m", "benchmarks.clients.mock", "--latency-ms", str(latency_ms)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=_environment(), **pipes) as process:  # type: ignore[call-overload]
        assert process.stdin and process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


def measure(client: Command, asked: Asked, base_url: str) -> Measured:
    """What a client takes for a workload, in a folder of its own.

    Raises:
        RuntimeError: It failed; with what it said.
    """
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place), Path(place, "out")
        out.mkdir()
        command = client(asked, base_url, folder)
        _counts(base_url)
        begun = time.perf_counter()
        with Path(place, "said.txt").open("w+b") as said:
            process = subprocess.Popen(command, cwd=out, stdout=said, stderr=said, env=_environment())
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            wall_s = time.perf_counter() - begun
            if process.returncode:
                said.seek(0)
                raise RuntimeError(f"{command[0]} ended with {process.returncode}: {said.read().decode()}")
        requests, most = _counts(base_url)
        written = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return Measured(
        used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss / 1024, written / 1024, requests, most
    )


def _script(name: str) -> Command:
    """A client that is a module here."""

    def command(asked: Asked, base_url: str, folder: Path) -> list[str]:
        rows = suites.write_questions(folder, asked.kind, asked.samples)
        module = f"benchmarks.clients.{name}"
        told = [asked.kind, base_url, str(rows), ".", str(asked.concurrency)]
        return [sys.executable, "-m", module, *told]

    return command


def _harness(asked: Asked, base_url: str, folder: Path) -> list[str]:
    suite = suites.write_suite(folder, asked.kind, asked.samples)
    target = "chat" if asked.kind == "chat" else "assistants"
    run = ["run", str(suite), "--target", target, "--base-url", base_url, "--no-progress"]
    return [
        *(sys.executable, "-c", "from harness.cli import main; main()"),
        *(*run, "--concurrency", str(asked.concurrency)),
    ]


def _peer(written: Callable[[str, str, int, str, Path, int], list[str]], program: Path) -> Command:
    def command(asked: Asked, base_url: str, folder: Path) -> list[str]:
        path = str(program.absolute())
        return written(path, asked.kind, asked.samples, base_url, folder, asked.concurrency)

    return command


def _clients(given: argparse.Namespace) -> dict[str, Command]:
    """The clients that are asked for, and the peers whose programs are named."""
    own = {"floor": _script("floor"), "harness": _harness, "limit": _script("limit")}
    found = {name: own[name] for name in given.clients}
    if given.promptfoo:
        found["promptfoo"] = _peer(peers.promptfoo, given.promptfoo)
    if given.inspect:
        found["inspect"] = _peer(peers.inspect, given.inspect)
    return found


def _environment() -> dict[str, str]:
    """The clients' own: this copy of the project, and no settings of the shell."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HARNESS_", "OPENAI_"))}
    root = str(Path(__file__).parents[2])
    return kept | {"PYTHONPATH": root, "OPENAI_API_KEY": "any", "NO_PROXY": "127.0.0.1"} | peers.QUIET


def _counts(base_url: str) -> tuple[int, int]:
    """Requests since the last time, and the most at once."""
    connection = http.client.HTTPConnection(base_url.split("/")[2], timeout=30)
    connection.request("GET", "/v1/counts")
    told = json.loads(connection.getresponse().read())
    connection.close()
    return told["requests"], told["most_in_flight"]


class Rounds:
    """Measurements of several clients at one workload, round by round."""

    def __init__(self, asked: Asked, clients: Mapping[str, Command]) -> None:
        self._asked = asked
        self._clients = clients
        self._small = Asked(asked.name, max(asked.samples // _PART, 1), asked.concurrency, asked.latency_ms)
        self._whole: dict[str, list[Measured]] = defaultdict(list)
        self._part: dict[str, list[Measured]] = defaultdict(list)

    def play(self, rounds: int) -> None:
        """Measure each client in each round, the whole workload and a part of it."""
        with serving(self._asked.latency_ms) as base_url:
            for _ in range(rounds):
                for name, client in self._clients.items():
                    self._part[name].append(measure(client, self._small, base_url))
                    self._whole[name].append(measure(client, self._asked, base_url))

    def table(self) -> str:
        """A Markdown table, a row for each client."""
        asked = self._asked
        head = f"{asked.name}: {asked.samples:,} samples, concurrency {asked.concurrency}"
        columns = (
            "client | CPU s | of the floor | once, s | ms a sample | wall s | of the limit | peak MB "
            "| KB a sample | requests | most at once"
        )
        rules = " | ".join(["---", *["---:"] * columns.count("|")])
        rows = "\n".join(self._row(client) for client in self._clients)
        return f"{head}, latency {asked.latency_ms:g} ms\n\n| {columns} |\n| {rules} |\n{rows}\n"

    def _row(self, client: str) -> str:
        middle = Measured(*(statistics.median(column) for column in zip(*self._whole[client], strict=True)))
        each = statistics.median(
            (whole.cpu_s - part.cpu_s) / max(self._asked.samples - self._small.samples, 1)
            for whole, part in zip(self._whole[client], self._part[client], strict=True)
        )
        once = middle.cpu_s - each * self._asked.samples
        return (
            f"| {client} | {middle.cpu_s:.2f} | {self._ratio(client, 'cpu_s', 'floor')} | {once:.2f} "
            f"| {1000 * each:.2f} | {middle.wall_s:.2f} | {self._ratio(client, 'wall_s', 'limit')} "
            f"| {middle.peak_mb:.0f} | {middle.written_kb / self._asked.samples:.2f} "
            f"| {middle.requests:,.0f} | {middle.most_in_flight:.0f} |"
        )

    def _ratio(self, client: str, figure: str, base: str) -> str:
        """The median of a client's ratios to another in the same rounds; nothing where that was not run."""
        if base not in self._whole:
            return ""
        pairs = zip(self._whole[client], self._whole[base], strict=True)
        return f"{statistics.median(getattr(a, figure) / getattr(b, figure) for a, b in pairs):.2f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__.split("\n")[0])
    choices = [f"{name}{late}" for late in ("", "L") for name in _KIND]
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {' '.join(choices)}")
    parser.add_argument("--samples", type=int, default=1000, help="questions of W1")
    parser.add_argument("--conversations", type=int, default=200, help="conversations of W2")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[50])
    parser.add_argument("--latency-ms", type=float, default=200.0, help="of W1L and W2L")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", nargs="+", choices=_CLIENTS, default=list(_CLIENTS))
    parser.add_argument("--promptfoo", type=Path, metavar="FILE", help="its program, to be measured too")
    parser.add_argument("--inspect", type=Path, metavar="FILE", help="the program of inspect-ai, likewise")
    given = parser.parse_args()
    if unknown := set(given.workloads) - set(choices):
        parser.error(f"no such workload: {' '.join(sorted(unknown))}; there are {' '.join(choices)}")
    for program in (given.promptfoo, given.inspect):
        if program and not program.is_file():
            parser.error(f"there is no program {program}")
    return given


def main() -> None:
    """Print a table for each workload and concurrency."""
    given = _arguments()
    for name in given.workloads or _KIND:
        samples = given.samples if name.startswith("W1") else given.conversations
        latency_ms = given.latency_ms if name.endswith("L") else 0.0
        for concurrency in given.concurrency:
            rounds = Rounds(Asked(name, samples, concurrency, latency_ms), _clients(given))
            rounds.play(given.rounds)
            print(rounds.table(), flush=True)


if __name__ == "__main__":
    main()
