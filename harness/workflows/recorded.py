"""Runs are kept as recordings, to answer from later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from harness.errors import SettingsError
from harness.results import TrialResult
from harness.settings import Settings
from harness.suite.assistants import content_of
from harness.suite.records import Variant
from harness.trace.recording import RecordedTrial, RecordedVariant, kept_judgements, kept_turns
from harness.trace.recording_file import load_recording, update_recording
from harness.trace.records import Trace


def refuse_recording_of_replay(settings: Settings) -> None:
    """What a run records must be new and fit for its file: this is known before anything is paid.

    Raises:
        SettingsError: The answers come from a recording themselves.
        RecordingError: The file is there, and has mistakes.
    """
    if settings.record is None:
        return
    if settings.target == "recording":
        raise SettingsError(
            "a run that answers from a recording has nothing to record",
            hint="leave out --record, or --replay",
        )
    if Path(settings.record).exists():
        load_recording(Path(settings.record))


def keep_recording(path: Path, variants: Sequence[Variant], results: Iterable[TrialResult]) -> None:
    """Put the trials of a run into a file, without those that ended in an error: their answers are missing.

    Raises:
        RecordingError: It can't be written, or was damaged in the meantime.
    """
    trials = [trial for result in results if (trial := recorded_trial(result))]
    if trials:
        update_recording(path, [_variant(each) for each in variants], trials)


def recorded_trial(result: TrialResult) -> RecordedTrial | None:
    """What can be answered from, of a trial that ended; None when it was cut short by an error."""
    if result.trace is None or result.outcome == "errored":
        return None
    turns, documents = kept_turns(result.trace)
    judgements = kept_judgements(result.trace)
    kept = msgspec.structs.replace(result.trace, turns=turns, documents=documents, judgements=judgements)
    return whole_trial(result, kept)


def whole_trial(result: TrialResult, trace: Trace) -> RecordedTrial:
    """A trial to answer from, with everything that this trace of it has."""
    return RecordedTrial(
        suite=result.suite,
        conversation=result.conversation,
        variant=result.variant,
        fingerprint=result.fingerprint,
        repeat=result.repeat,
        target=trace.target,
        turns=trace.turns,
        history=trace.history,
        documents=trace.documents,
        judgements=trace.judgements,
    )


def _variant(variant: Variant) -> RecordedVariant:
    return RecordedVariant(fingerprint=variant.fingerprint, name=variant.name, content=content_of(variant))
