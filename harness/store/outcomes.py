"""How trials ended over many suite runs: what flakiness and drift are told from, without unpacking a body."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, exists, false, func, select

from harness.results import CaseOutcomes, PastRun
from harness.store.tables import suite_runs, trials

_AT_ONCE = 100
_SUITE = "suite "


class _Git(msgspec.Struct):
    branch: str | None = None


class _Asked(msgspec.Struct):
    """The part of a run's settings that says which evidence it is."""

    fingerprints: dict[str, str] = msgspec.field(default_factory=dict)
    git: _Git | None = None
    perturbed: Any = None


def past_runs(
    connection: Connection, *, suite: str | None, branch: str | None, limit: int | None
) -> list[PastRun]:
    """The latest suite runs that are evidence, oldest first.

    Runs that varied users' words are none, and neither are trials that were answered from a recording.

    Args:
        connection: To the store.
        suite: Only its trials, and runs that have some.
        branch: Only runs on this git branch.
        limit: How many runs at most; all of them when None.
    """
    found: list[tuple[Row[Any], _Asked]] = []
    for row in connection.execute(_runs(suite)):
        asked = msgspec.json.decode(row.settings, type=_Asked)
        if asked.perturbed is None and (branch is None or _branch(asked) == branch):
            found.append((row, asked))
        if limit is not None and len(found) == limit:
            break
    cases = _cases(connection, [row.id for row, _ in found], suite)
    return [_past_run(row, asked, cases[row.id]) for row, asked in reversed(found)]


def _runs(suite: str | None) -> Select[Any]:
    evidence = exists().where(trials.c.run_id == suite_runs.c.id, trials.c.replayed.is_(false()))
    if suite is not None:
        evidence = evidence.where(trials.c.suite == suite)
    newest_first = (suite_runs.c.started_at.desc(), suite_runs.c.id.desc())
    return select(suite_runs).where(evidence).order_by(*newest_first)


def _branch(asked: _Asked) -> str | None:
    return asked.git.branch if asked.git else None


def _cases(
    connection: Connection, run_ids: Sequence[str], suite: str | None
) -> dict[str, dict[tuple[str, ...], list[Row[Any]]]]:
    """Rows by run, and there by conversation and version, in the order of the runs' plans."""
    found: dict[str, dict[tuple[str, ...], list[Row[Any]]]] = defaultdict(lambda: defaultdict(list))
    for start in range(0, len(run_ids), _AT_ONCE):
        for row in connection.execute(_outcomes(run_ids[start : start + _AT_ONCE], suite)):
            found[row.run_id][row.suite, row.conversation, row.variant, row.fingerprint].append(row)
    return found


def _outcomes(run_ids: Sequence[str], suite: str | None) -> Select[Any]:
    named = ("run_id", "suite", "conversation", "variant", "fingerprint", "outcome")
    keys = [trials.c[name] for name in named]
    query = (
        select(*keys, func.count().label("trials"), func.max(trials.c.quarantined_until).label("until"))
        .where(trials.c.run_id.in_(run_ids), trials.c.replayed.is_(false()))
        .group_by(*keys)
        .order_by(func.min(trials.c.number))
    )
    return query if suite is None else query.where(trials.c.suite == suite)


def _past_run(row: Row[Any], asked: _Asked, cases: dict[tuple[str, ...], list[Row[Any]]]) -> PastRun:
    return PastRun(
        id=row.id,
        started_at=row.started_at,
        target=row.target,
        branch=_branch(asked),
        suites={
            name.removeprefix(_SUITE): digest
            for name, digest in asked.fingerprints.items()
            if name.startswith(_SUITE)
        },
        cases=tuple(_case(key, rows) for key, rows in cases.items()),
    )


def _case(key: tuple[str, ...], rows: Sequence[Row[Any]]) -> CaseOutcomes:
    ended = {row.outcome: row.trials for row in rows}
    suite, conversation, variant, fingerprint = key
    return CaseOutcomes(
        suite=suite,
        conversation=conversation,
        variant=variant,
        fingerprint=fingerprint,
        passed=ended.get("passed", 0),
        failed=ended.get("failed", 0),
        errored=ended.get("errored", 0),
        quarantined_until=max((row.until for row in rows if row.until), default=None),
    )
