"""Memory, disk and CPU of a server that keeps everything in a file, over many runs.

    python -m benchmarks.state [--runs 20000]

A run is: create a thread, a message and a run with a scripted model; read the run, its steps and the
messages. Handlers are called directly. Memory is resident memory of the process. It is read after the first
2,000 runs, when the rows that a server keeps in memory are all there, and at the end.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.server.app import App, Request, ServerOptions
from harness.server.llms.models import ModelTable
from harness.server.llms.scripted import Scripted
from harness.server.rows import RECENT_ROWS


def memory_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _body(app: App, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    reply = app.handle(Request(method, path, body))
    assert reply.status == 200, reply.body
    return reply.body or {}


def _run(app: App, assistant: str, number: int) -> None:
    thread = _body(app, "POST", "/threads", {})["id"]
    question = {"role": "user", "content": f"Question {number}: how long does an export take?"}
    _body(app, "POST", f"/threads/{thread}/messages", question)
    run = _body(app, "POST", f"/threads/{thread}/runs", {"assistant_id": assistant})["id"]
    assert _body(app, "GET", f"/threads/{thread}/runs/{run}")["status"] == "completed"
    _body(app, "GET", f"/threads/{thread}/runs/{run}/steps")
    _body(app, "GET", f"/threads/{thread}/messages")


def _measure(runs: int, state: Path | None) -> tuple[float, float, float]:
    """CPU milliseconds a run, memory after the first 2,000 runs, and at the end."""
    models = ModelTable(default=Scripted(["An export takes a minute."], cycle=True))
    with App(ServerOptions(models=models, eager=True, state=state)) as app:
        assistant = _body(app, "POST", "/assistants", {"model": "gpt-5.4"})["id"]
        begun, early = time.process_time(), 0.0
        for number in range(runs):
            _run(app, assistant, number)
            if number == min(2_000, runs) - 1:
                early = memory_mb()
        return 1000 * (time.process_time() - begun) / runs, early, memory_mb()


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20_000)
    runs = parser.parse_args().runs
    print(
        "| kept | CPU ms a run | MB after 2,000 runs | MB at the end | file, bytes a run |\n"
        "| --- | --: | --: | --: | --: |"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        cpu_ms, early, late = _measure(runs, path)
        size = path.stat().st_size // runs
    print(
        f"| in a file, {RECENT_ROWS:,} rows in memory | {cpu_ms:.2f} | {early:.1f} | {late:.1f} | {size:,} |"
    )
    cpu_ms, early, late = _measure(runs // 10, None)
    print(f"| in memory, {runs // 10:,} runs | {cpu_ms:.2f} | {early:.1f} | {late:.1f} | |")


if __name__ == "__main__":
    main()
