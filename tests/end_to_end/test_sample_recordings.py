"""The recordings that come with the sample suites answer them, and hold their trials and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import workflows
from harness.settings import load_settings
from harness.trace.recording_file import load_recording, recording_text

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "fixtures" / "recordings"
AREAS = ("acme", "harbor_library")


@pytest.mark.parametrize("area", AREAS)
def test_the_sample_suites_pass_on_their_recording_with_nobody_asked(
    area: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nobody may be asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("harness.targets.embedded.EmbeddedWire.__init__", refuse)
    run = workflows.evaluate(
        ROOT / "suites" / area,
        target="recording",
        recording=str(RECORDINGS / f"{area}.yaml"),
        store=str(tmp_path / "store.sqlite"),
    )
    bad = [
        f"{each.trial_id}: {each.error or each.outcome}" for each in run.results if each.outcome != "passed"
    ]
    assert not bad, "renew the recordings with 'make sample'\n" + "\n".join(bad)


@pytest.mark.parametrize("area", AREAS)
def test_a_sample_recording_has_the_trials_of_its_suites_and_no_others(area: str) -> None:
    job = workflows.Job((str(ROOT / "suites" / area),), load_settings({}))
    planned = {
        (trial.suite.name, trial.conversation.id, trial.variant.name, trial.repeat)
        for trial in workflows.plan_of(job, workflows.load(job)).trials
    }
    assert load_recording(RECORDINGS / f"{area}.yaml").trials.keys() == planned


@pytest.mark.parametrize("area", AREAS)
def test_a_sample_recording_stands_as_it_would_be_written(area: str) -> None:
    path = RECORDINGS / f"{area}.yaml"
    assert recording_text(load_recording(path)) == path.read_text("utf-8")
