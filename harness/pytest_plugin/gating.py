"""The end of a session: its suite run is ended, and the gate says what it is worth as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import workflows
from harness.clock import SYSTEM_CLOCK
from harness.errors import HarnessError
from harness.pytest_plugin import options
from harness.pytest_plugin.told import told
from harness.results import RunStatus, SuiteRun

if TYPE_CHECKING:
    from harness.compare.gate import GateVerdict, RuleVerdict
    from harness.compare.rules import RuleFile

_MARGIN = 0.05
_RULES: pytest.StashKey[RuleFile] = pytest.StashKey()
_BASELINE = pytest.StashKey[str | None]()


def prepare(config: pytest.Config) -> None:
    """Read the rules and find the baseline before anything is run.

    Raises:
        pytest.UsageError: The rules have mistakes, or there is no such run.
    """
    try:
        config.stash[_RULES] = _rules(config)
        config.stash[_BASELINE] = _baseline(config)
    except HarnessError as error:
        raise pytest.UsageError(told(error)) from error


def _rules(config: pytest.Config) -> RuleFile:
    from harness.compare.rules import Rule, RuleFile, read_rules

    given = config.getoption("harness_gate")
    if given:
        return read_rules(Path(config.invocation_params.dir) / given)
    return RuleFile(rule=(Rule(metric="passed", margin=_MARGIN),))


def _baseline(config: pytest.Config) -> str | None:
    """The run to compare with; the newest one is named now, for soon it will be this session's."""
    given: str | None = config.getoption("harness_baseline")
    if given is None or workflows.is_searched(given):
        return given
    return workflows.stored_run(options.settings_of(config), given).id


def conclude(session: pytest.Session) -> None:
    """End this process's part; where the session began, end the run and judge it."""
    config = session.config
    failure = _closed(session)
    if options.is_worker(config):
        return
    lines = [failure] if failure else []
    record: SuiteRun | None = None
    if options.has_run(config):
        try:
            record = _ended(session)
            lines += _summary(record)
        except HarnessError as error:
            # Tests that could not begin a run have said why; then there is nothing to end.
            if options.noted(config).was_played or not session.testsfailed:
                failure = told(error)
                lines.append(f"error: {failure}")
    if options.wants_gate(config):
        lines += _gated(session, record)
    if failure:
        _fail(session)
    if record or lines:
        config.stash[options.SUMMARY] = [f"harness: {record.id}" if record else "harness", *lines]


def _closed(session: pytest.Session) -> str:
    """Why the results of this process could not all be written; empty when they were."""
    playing = session.config.stash.get(options.PLAYING, None)
    if playing is None:
        return ""
    try:
        playing.close(at_once=session.exitstatus == pytest.ExitCode.INTERRUPTED)
    except HarnessError as error:
        return f"error: {told(error)}"
    return ""


def _ended(session: pytest.Session) -> SuiteRun:
    run_id = options.shared_by_workers(session.config)["run"]
    settings = options.settings_of(session.config)
    return workflows.conclude(settings, run_id, _why_early(session), SYSTEM_CLOCK.now())


def _why_early(session: pytest.Session) -> RunStatus:
    """Why trials are missing, if some are."""
    playing = session.config.stash.get(options.PLAYING, None)
    status = options.noted(session.config).ended or (playing.status if playing else "finished")
    if status in ("budget_exhausted", "failures_reached"):
        return status  # type: ignore[return-value]  # reports of workers carry it as text
    most: int = session.config.getoption("maxfail")
    return "failures_reached" if most and session.testsfailed >= most else "interrupted"


def _summary(record: SuiteRun) -> Iterator[str]:
    outcomes = ", ".join(f"{number} {name}" for name, number in sorted(record.outcomes.items()))
    yield f"{len(record.results)} of {record.planned} trials: {outcomes or 'none ended'}"
    if record.status != "finished":
        yield f"{record.status.replace('_', ' ')}; go on with: harness run --resume {record.id}"
    yield f"look at it with: harness report {record.id}"


# --- the gate -------------------------------------------------------------------------------------------


def _gated(session: pytest.Session, record: SuiteRun | None) -> list[str]:
    """What the gate says; the session fails with it."""
    config = session.config
    if record is None or not record.results:
        _fail(session)
        return ["gate: not judged, for not one conversation was run"]
    if record.status != "finished":
        _fail(session)
        return ["gate: not judged, for the run has not come to its end"]
    try:
        settings, against = options.settings_of(config), config.stash[_BASELINE]
        verdict = workflows.gate_run(settings, config.stash[_RULES], record.id, against)
    except HarnessError as error:
        _fail(session)
        return [f"gate: not judged: {told(error)}"]
    is_open = verdict.verdict == "inconclusive" and config.getoption("harness_on_inconclusive") == "pass"
    if verdict.verdict != "pass" and not is_open:
        _fail(session)
    return list(_lines(verdict))


def _fail(session: pytest.Session) -> None:
    if session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _lines(gate: GateVerdict) -> Iterator[str]:
    against = f" against {gate.baseline}" if gate.baseline else ""
    yield f"gate: {gate.verdict}{against}"
    yield from (f"  {reason}" for reason in (*gate.unfit, *gate.quarantines.reasons()))
    for rule in gate.rules:
        yield f"  {rule.rule}: {rule.verdict}: {rule.reasons[0]}"
        yield from (f"    {line}" for line in _more(rule))


def _more(rule: RuleVerdict) -> Iterator[str]:
    yield from rule.reasons[1:]
    found = rule.compared
    if found is None:
        return
    for word, ids in (("regressed", found.regressions), ("flaky", found.flaky)):
        if ids:
            yield f"{word}: {', '.join(ids)}"
    if found.mde80 is not None:
        yield f"found with 80 % power: {found.mde80:.1%}"
