"""What size costs: CPU, memory and disk of whole commands, up to 10,000 conversations and 100,000 trials.

    python -m benchmarks.scale run 100 1000 10000     # CPU, memory, disk of `harness run`, and of its report
    python -m benchmarks.scale plan 1000 100000       # how long a plan of so many trials takes to start
    python -m benchmarks.scale load 1000              # suites of so many conversations, read and checked

Every figure is of `harness` as a process of its own, started as a user starts it. Conversations have three
turns and two checks of words a turn; the words are those of this documentation. They are answered
by the embedded server with a scripted model (`words`), or by a function that tells what it retrieved (`steps`
below: some 10 KB of JSON a conversation).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
_PLAIN = os.environ | {"PYTHONPATH": str(Path.cwd()), "NO_COLOR": "1"}
_PLAIN.pop("PYTHONDONTWRITEBYTECODE", None)  # as after an installation, byte code is there

_ASSISTANT = """\
name: Scaled
model: scripted
instructions: Answer in one sentence.
"""
_MODELS = """\
models: [{match: "*", scripted: ["An export takes a minute or two, and then a link to the file is sent."]}]
"""
_ROWS = """\
suite: scaled
assistant: assistant.yaml
expect: {answer: {mentions: [export]}}
conversations:
  - foreach: rows.jsonl
    id: "c{{ id }}"
    turns:
      - {user: "{{ first }}", expect: {answer: {mentions: [minute]}}}
      - {user: "{{ second }}", expect: {answer: {mentions: [link]}}}
      - {user: "{{ third }}", expect: {answer: {mentions: [file]}}}
"""
_SPELT = """\
suite: scaled
assistant: assistant.yaml
expect: {answer: {mentions: [export]}}
conversations:
"""
_FUNCTION = """\
import json
import random
import time
from pathlib import Path

PASSAGES = Path("passages.txt").read_text().splitlines()


def answer(question):
    if not Path("first").exists():
        Path("first").write_text(json.dumps([time.time(), time.process_time()]))
    chance = random.Random(question.text)
    found = [{"filename": f"doc-{n % 12}.md", "text": PASSAGES[n], "score": chance.random()}
             for n in chance.sample(range(len(PASSAGES)), 4)]
    said = " ".join(chance.choice(PASSAGES).split()[:40])
    return {"text": f"{said} export minute link file", "retrieved": found,
            "usage": {"prompt_tokens": 900, "completion_tokens": 40}, "model": "gpt-4.1-mini"}
"""
_DOCUMENTATION = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def cost_of(arguments: Sequence[str], folder: Path) -> Cost:
    """CPU of the process and its children, wall time and peak memory of one command."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*HARNESS, *arguments],
        cwd=folder,
        env=_PLAIN,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"harness {' '.join(arguments)} ended with {process.returncode}: {said[-2000:]}")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - begun, used.ru_maxrss / 1024)


def median_cost(arguments: Sequence[str], folder: Path, rounds: int, fresh: Callable[[], None]) -> Cost:
    """The median of each figure over several rounds, each from a fresh start."""
    costs = []
    for _ in range(rounds):
        fresh()
        costs.append(cost_of(arguments, folder))
    return Cost(
        statistics.median(cost.cpu_s for cost in costs),
        statistics.median(cost.wall_s for cost in costs),
        statistics.median(cost.peak_mb for cost in costs),
    )


# --- suites that are made up -----------------------------------------------------------------------------


def prepare(folder: Path, conversations: int, *, spelt: bool = False) -> None:
    """A folder with an assistant, a model table, a function, and a suite of so many conversations."""
    chance = random.Random(conversations)
    words = _prose()
    passages = [" ".join(words[start : start + 60]) for start in range(0, len(words) - 60, 60)]
    (folder / "passages.txt").write_text("\n".join(passages))
    (folder / "assistant.yaml").write_text(_ASSISTANT)
    (folder / "models.yaml").write_text(_MODELS)
    (folder / "application.py").write_text(_FUNCTION)
    rows = [_row(number, chance, words) for number in range(conversations)]
    if spelt:
        (folder / "suite.yaml").write_text(_SPELT + "".join(map(_conversation, rows)))
        return
    (folder / "suite.yaml").write_text(_ROWS)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _prose() -> list[str]:
    """The words of this project's documentation, one after the other: text that compresses as text does."""
    written = " ".join(path.read_text("utf-8") for path in sorted(_DOCUMENTATION.glob("*.md")))
    return [word for word in written.split() if word.isalpha()]


def _row(number: int, chance: random.Random, words: Sequence[str]) -> dict[str, str]:
    starts = {key: chance.randrange(len(words) - 12) for key in ("first", "second", "third")}
    said = {key: " ".join(words[start : start + 12]) + "?" for key, start in starts.items()}
    return {"id": f"{number:06}", **said}


def _conversation(row: dict[str, str]) -> str:
    turns = "".join(
        f'      - user: "{row[key]}"\n        expect: {{answer: {{mentions: [{word}]}}}}\n'
        for key, word in (("first", "minute"), ("second", "link"), ("third", "file"))
    )
    return f"  - id: c{row['id']}\n    tags: [load]\n    turns:\n{turns}"


def _without_store(folder: Path) -> None:
    for path in folder.glob("store.sqlite*"):
        path.unlink()


# --- what is measured ------------------------------------------------------------------------------------

_KINDS = {
    "words": ["--target", "embedded", "--models", "models.yaml"],
    "steps": ["--target", "function", "--target-function", "application.py:answer"],
}


def run(sizes: Sequence[int], rounds: int, distinct: int, *, spelt: bool) -> None:
    """Whole runs of so many conversations, and the report made again from the store."""
    print("| conversations | CPU s | peak MB | CPU ms each more | KB of memory each more | KB on disk each |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for kind, flags in _KINDS.items():
        before: tuple[int, Cost] | None = None
        for size in sizes:
            with tempfile.TemporaryDirectory() as name:
                prepare(Path(name), min(size, distinct), spelt=spelt)
                before = _run_once(kind, flags, size, rounds, Path(name), before, distinct)


def _run_once(
    kind: str,
    flags: Sequence[str],
    size: int,
    rounds: int,
    folder: Path,
    before: tuple[int, Cost] | None,
    distinct: int,
) -> tuple[int, Cost]:
    command = [
        "run",
        "suite.yaml",
        *flags,
        "--store",
        "store.sqlite",
        "--out",
        "report.html",
        "--no-progress",
    ]
    command += ["--repeats", str(max(size // distinct, 1))]
    cost = median_cost(command, folder, rounds, lambda: _without_store(folder))
    disk_kb = (folder / "store.sqlite").stat().st_size / size / 1000
    more = _each_more(size, cost, before)
    print(
        f"| {kind}, {size:,} | {cost.cpu_s:.2f} | {cost.peak_mb:.0f} | {more} | {disk_kb:.2f} |", flush=True
    )
    report = ["report", "--store", "store.sqlite", "--out", "again.html"]
    again = median_cost(report, folder, rounds, lambda: None)
    page_mb = (folder / "again.html").stat().st_size / 1e6
    print(f"| its report ({page_mb:.1f} MB) | {again.cpu_s:.2f} | {again.peak_mb:.0f} | | | |", flush=True)
    return size, cost


def _each_more(size: int, cost: Cost, before: tuple[int, Cost] | None) -> str:
    """What one conversation more costs, against the smaller run before."""
    if before is None or size <= before[0]:
        return " | "
    more = size - before[0]
    cpu_ms = 1000 * (cost.cpu_s - before[1].cpu_s) / more
    return f"{cpu_ms:.2f} | {1024 * (cost.peak_mb - before[1].peak_mb) / more:.1f}"


def plan(sizes: Sequence[int], rounds: int) -> None:
    """How long until the first message is sent: 1,000 conversations, repeated; the run is then ended."""
    print("| trials planned | wall s until the first message | CPU s |\n| --- | ---: | ---: |")
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            prepare(Path(name), min(size, 1000))
            starts = [_first_message(Path(name), max(size // 1000, 1)) for _ in range(rounds)]
        walls, cpus = zip(*starts, strict=True)
        print(f"| {size:,} | {statistics.median(walls):.2f} | {statistics.median(cpus):.2f} |", flush=True)


def _first_message(folder: Path, repeats: int) -> tuple[float, float]:
    (folder / "first").unlink(missing_ok=True)
    _without_store(folder)
    command = ["run", "suite.yaml", *_KINDS["steps"], "--repeats", str(repeats), "--no-progress"]
    begun = time.time()
    process = subprocess.Popen(
        [*HARNESS, *command, "--store", "store.sqlite"],
        cwd=folder,
        env=_PLAIN,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (folder / "first").exists() and process.poll() is None:
        time.sleep(0.02)
    process.terminate()
    process.wait(60)
    at, cpu_s = json.loads((folder / "first").read_text())
    return at - begun, cpu_s


def load(sizes: Sequence[int], rounds: int) -> None:
    """`harness check` of a whole suite, less that of a suite of one conversation."""
    print("| suite | CPU s more than for one conversation | peak MB | KB of memory each more |")
    print("| --- | ---: | ---: | ---: |")
    for size in sizes:
        for spelt, kind in ((True, "YAML"), (False, "JSON Lines, foreach")):
            alone, whole = (_check(count, rounds, spelt=spelt) for count in (1, size))
            more_s, more_kb = whole.cpu_s - alone.cpu_s, 1024 * (whole.peak_mb - alone.peak_mb) / size
            told = f"{more_s:.3f} | {whole.peak_mb:.0f} | {more_kb:.1f}"
            print(f"| {size:,} conversations of three turns, {kind} | {told} |", flush=True)


def _check(conversations: int, rounds: int, *, spelt: bool) -> Cost:
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), conversations, spelt=spelt)
        return median_cost(["check", "suite.yaml"], Path(name), rounds, lambda: None)


def main() -> None:
    """Print a Markdown table of what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["run", "plan", "load"])
    parser.add_argument("sizes", nargs="*", type=int, default=[1000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--distinct", type=int, default=1_000_000, help="of larger runs: so many, repeated")
    parser.add_argument("--spelt", action="store_true", help="of runs: all of it in YAML, no table")
    asked = parser.parse_args()
    if asked.what == "run":
        run(asked.sizes, asked.rounds, asked.distinct, spelt=asked.spelt)
    else:
        {"plan": plan, "load": load}[asked.what](asked.sizes, asked.rounds)


if __name__ == "__main__":
    main()
