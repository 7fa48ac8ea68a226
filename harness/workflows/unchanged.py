"""A run goes on only with what it began with; what has changed since is said part by part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from harness.compare.versions import changes
from harness.errors import RunError
from harness.results import SuiteRun
from harness.suite.assistants import content_of
from harness.suite.records import Suite
from harness.trace.scrubbing import Scrubber
from harness.workflows.jobs import CONTENTS, PARTS, Job, fingerprints, variants_of

_NAMED = 5


def refuse_changed(record: SuiteRun, suites: Sequence[Suite], job: Job) -> None:
    """Refuse to mix trials of what was and of what is now.

    Raises:
        RunError: Something has changed since (code ``suite-changed``); it is named.
    """
    then, now = record.settings["fingerprints"], fingerprints(suites, job)
    changed = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    if changed:
        told = ", ".join(_told(name, record, suites, job.settings.scrubber()) for name in changed)
        raise RunError(
            f"run {record.id} can't go on, for these have changed since it began: {told}",
            code="suite-changed",
            hint="take the change back, or start a new run",
        )


def _told(changed: str, record: SuiteRun, suites: Sequence[Suite], scrubber: Scrubber) -> str:
    kind, _, name = changed.partition(" ")
    parts: Iterable[str] = ()
    if kind == "suite":
        parts = _parts_of_suite(record.settings.get(PARTS, {}).get(name), name, suites)
    elif kind == "assistant":
        content = record.settings.get(CONTENTS, {}).get(record.settings["fingerprints"].get(changed))
        parts = _parts_of_assistant(content, name, suites, scrubber)
    named = list(parts)
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"{changed} ({', '.join(named[:_NAMED])}{more})" if named else changed


def _parts_of_suite(before: Mapping[str, str] | None, name: str, suites: Sequence[Suite]) -> Iterable[str]:
    """The conversations that have changed, came or went, and what else; nothing of what is not known."""
    after = next((suite.parts for suite in suites if suite.name == name), None)
    if before is None or after is None:
        return []
    both = dict.fromkeys([*before, *after])
    return [part for part in both if before.get(part) != after.get(part)]


def _parts_of_assistant(
    before: Mapping[str, Any] | None, name: str, suites: Sequence[Suite], scrubber: Scrubber
) -> Iterable[str]:
    """What differs from what was kept of it, which was kept without secrets."""
    variants = (variant for suite in suites for variant in variants_of(suite) if variant.name == name)
    variant = next(variants, None)
    if before is None or variant is None:
        return []
    with suppress(OSError):  # a document is gone: that it has changed is known all the same
        return [change.part for change in changes(before, scrubber.data(content_of(variant)))]
    return []
