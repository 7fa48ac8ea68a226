"""Whole runs against a server with all its faults on: every trial ends typed, none is lost or counted twice.

``make faults`` does it with 2,000 trials each way.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from harness import workflows
from harness.runner.events import Event, TrialFinished, TrialStarted
from harness.settings import load_settings
from harness.trace.records import RunStatus

TRIALS = int(os.environ.get("FAULT_TRIALS", "100"))
HARNESS = [sys.executable, "-c", "from harness.cli import main; main()"]
FAULTS = """\
seed: 7
faults:
  - {status: 429, retry_after_s: 0.02, rate: 0.05}
  - {status: 503, rate: 0.01, retry_after_s: 0.01}
  - {status: 500, rate: 0.01, retry_after_s: 0.01}
  - {drop_stream_after: 3, rate: 0.01}
  - {run: expired, rate: 0.01}
  - {run: failed, rate: 0.01}
  - {path: /threads/*/runs, method: POST, delay_s: 0.1, rate: 0.02}
"""
SUITE = """\
suite: s
assistant: bot.yaml
conversations: [{id: a, turns: [{user: hello}, {user: and you?}]}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bot.yaml").write_text("{name: Bot, model: m, instructions: Be kind.}")
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "faults.yaml").write_text(FAULTS)
    return tmp_path


@pytest.fixture(params=["embedded", "assistants", "responses over http"])
def where(request: pytest.FixtureRequest, project: Path) -> Iterator[dict[str, Any]]:
    """The settings of a target with faults: in this process, and a server process."""
    if request.param == "embedded":
        yield {"target": "embedded", "faults": str(project / "faults.yaml")}
        return
    command = [*HARNESS, "serve", "--port", "0", "--faults", "faults.yaml"]
    with subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        base_url = process.stderr.readline().split()[2]
        yield {"target": request.param.split()[0], "base_url": base_url}
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=120) == 0


def test_every_trial_ends_typed_and_none_is_lost_or_counted_twice(
    project: Path, where: dict[str, Any]
) -> None:
    events: list[Event] = []
    settings = load_settings(
        {**where, "store": str(project / "store.sqlite"), "repeats": TRIALS, "concurrency": 16}
    )
    job = workflows.Job((str(project / "suite.yaml"),), settings)
    run = asyncio.run(workflows.start(job, workflows.Control([events.append])))
    planned = {f"s/a@bot#{repeat}" for repeat in range(1, TRIALS + 1)}
    begun = [event.trial.id for event in events if isinstance(event, TrialStarted)]
    ended = [event.result.trial_id for event in events if isinstance(event, TrialFinished)]
    assert sorted(begun) == sorted(ended) == sorted(planned)
    assert [result.trial_id for result in run.results] == [f"s/a@bot#{n}" for n in range(1, TRIALS + 1)]
    assert run.status == "finished"
    check_typed(run.results)


def check_typed(results: Any) -> None:
    """Each turn has a status of the API, each error a place; most of what was refused at first went well."""
    statuses: Counter[str] = Counter()
    for result in results:
        assert (result.outcome == "errored") == (result.error is not None)
        assert "internal error" not in (result.error or "")
        assert result.error is None or "server" in result.error or "http://" in result.error
        assert result.latency_s >= 0 and result.ended_at >= result.started_at
        statuses.update(turn.status for turn in result.trace.turns)
        assert result.error is not None or len(result.trace.turns) == 2
    assert set(statuses) <= set(get_args(RunStatus)) - {"unknown", "timed_out", "requires_action"}
    assert statuses["completed"] > 0.9 * sum(statuses.values())
    tried_again = [r for r in results if any(turn.attempts for turn in r.trace.turns)]
    assert tried_again and "passed" in {result.outcome for result in tried_again}
