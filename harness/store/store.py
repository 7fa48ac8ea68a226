"""The store: suite runs with their trials, traces and scores in one SQLite file or PostgreSQL database.

Trials are committed before ``add_trials`` returns; a run adds some at a time, so a killed process
loses what had not ended, and at most what ended in the last second. Nothing that was stored is changed
later, except that a trial run again after an error takes the place of the earlier one. Scoring a run anew
makes a run of its own.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from sys import intern
from types import TracebackType
from typing import Any, Self, cast

import msgspec
import zstandard
from sqlalchemy import Connection, Engine, Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from harness.errors import RunError, StoreError
from harness.results import (
    Calibration,
    Outcome,
    PastRun,
    Role,
    RunStatus,
    Score,
    Spending,
    SuiteRun,
    TrialResult,
)
from harness.store import judges, ledger
from harness.store.database import connect, database_url, ensure_current
from harness.store.faults import damaged, translated
from harness.store.history import (
    PastCost,
    PastTrial,
    RunSummary,
    conversation_history,
    past_costs,
    run_summaries,
)
from harness.store.outcomes import past_runs
from harness.store.results import StoredResults
from harness.store.tables import scores, suite_runs, trial_bodies, trials
from harness.trace.records import Judgement

_NO_USD = Decimal(0)
LATEST = "latest"
"""Stands for the id of the newest suite run."""

_COMPRESSION_LEVEL = 3  # 19 saves a tenth more and takes 60 times as long

Placed = tuple[TrialResult, int | None]
"""A trial and its place in the plan."""


class Store:
    """An open store; use it as a context manager, or close it.

    It may be used from several threads, and several processes may have the same store open.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._closed = False

    @classmethod
    def open(cls, location: str | Path, *, create: bool = True, busy_timeout_s: float = 10.0) -> Self:
        """The store at a path or database URL, made if it is not there, migrated if it is an older one.

        Args:
            location: Path of a SQLite file, or ``postgresql://...``.
            create: False to refuse a SQLite file that does not exist, for commands that only read.
            busy_timeout_s: How long to wait while another process writes.

        Raises:
            StoreError: It can't be opened, is not a store, or was written by a newer version.
        """
        url = database_url(location)
        name = url.render_as_string() if url.get_backend_name() != "sqlite" else str(url.database)
        if url.get_backend_name() == "sqlite" and url.database:
            _prepare_folder(Path(url.database), create=create)
        engine = connect(url, busy_timeout_s=busy_timeout_s)
        try:
            with translated(name):
                ensure_current(engine, name)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives every connection back. Results of a run that was read before can still be looked at."""
        self._closed = True
        self._engine.dispose()

    # --- writing -------------------------------------------------------------------------------------

    def begin_run(self, run: SuiteRun) -> None:
        """Stores a suite run at its beginning, with the results it already has (mostly none).

        Raises:
            StoreError: A suite run with this id is there already.
        """
        try:
            with self._writing() as connection:
                connection.execute(insert(suite_runs), _run_values(run))
                if run.results:
                    _insert_trials(connection, run.id, [(each, at) for at, each in enumerate(run.results)])
        except IntegrityError as error:
            raise StoreError(
                f"the store already has a suite run {run.id!r}",
                code="store-run-exists",
                hint="Resume that one, or start the new one under another id.",
            ) from error

    def add_trials(self, run_id: str, found: Sequence[Placed]) -> None:
        """Stores trials that ended, all in one transaction; when this returns they are committed.

        A trial of the same id in the same suite run is replaced, in its place. Only where some are there
        already is each a transaction of its own.

        Args:
            run_id: The suite run, as given to ``begin_run``.
            found: Trials, each with its place in the plan, from 0; after all others where that is None.

        Raises:
            StoreError: No such suite run, or it can't be written.
        """
        try:
            with self._writing() as connection:
                _insert_trials(connection, run_id, found)
        except IntegrityError:
            for result, position in found:
                self._replace_trial(run_id, result, position)

    def _replace_trial(self, run_id: str, result: TrialResult, position: int | None) -> None:
        with self._writing() as connection:
            self._run_row(connection, run_id)
            same = (trials.c.run_id == run_id) & (trials.c.trial_id == result.trial_id)
            former = connection.execute(select(trials.c.number, trials.c.position).where(same)).one_or_none()
            connection.execute(delete(trials).where(same))
            place = former.position if former and position is None else position
            # Whoever has read the run already finds the trial under its number, as it is now.
            _insert_trials(connection, run_id, [(result, place)], number=former.number if former else None)

    def finish_run(
        self,
        run_id: str,
        status: RunStatus,
        ended_at: datetime | None,
    ) -> None:
        """Notes how a suite run ended; ``running`` and None open it again for more trials."""
        with self._writing() as connection:
            run_id = self._run_row(connection, run_id).id
            values = {"status": status, "ended_at": ended_at}
            connection.execute(update(suite_runs).where(suite_runs.c.id == run_id), values)

    def change_planned(self, run_id: str, planned: int) -> None:
        """Notes how many trials a suite run has that was not known whole when it began."""
        with self._writing() as connection:
            row = self._run_row(connection, run_id)
            connection.execute(update(suite_runs).where(suite_runs.c.id == row.id), {"planned": planned})

    def add_planned(self, run_id: str, more: int) -> None:
        """Notes that a suite run has further trials; several processes may do so at the same time."""
        with self._writing() as connection:
            row = self._run_row(connection, run_id)
            values = {"planned": suite_runs.c.planned + more}
            connection.execute(update(suite_runs).where(suite_runs.c.id == row.id).values(values))

    def change_settings(self, run_id: str, changed: Mapping[str, Any]) -> None:
        """Notes settings that a suite run goes on with instead of those it began with."""
        with self._writing() as connection:
            row = self._run_row(connection, run_id)
            settings = msgspec.json.encode(msgspec.json.decode(row.settings) | dict(changed)).decode()
            connection.execute(update(suite_runs).where(suite_runs.c.id == row.id), {"settings": settings})

    def reserve_spending(
        self,
        run_id: str,
        trial_id: str,
        usd: Decimal,
        role: Role = "assistant",
        *,
        limit_usd: Decimal | None = None,
    ) -> int:
        """Writes down what a request can cost before it is sent; the number to settle it by.

        Args:
            run_id: The suite run.
            trial_id: Whose request it is.
            usd: The most that it can cost.
            role: Who is paid.
            limit_usd: What the suite run may spend, when several processes spend of it.

        Raises:
            BudgetExhausted: There is not so much left.
            BudgetHeld: There may be, when requests under way have ended.
        """
        with self._writing() as connection:
            if limit_usd is not None:
                self._run_row(connection, run_id, alone=True)
                ledger.refuse_above(connection, run_id, usd, limit_usd)
            return ledger.reserve(connection, run_id, trial_id, usd, role)

    def settle_spending(self, number: int, usd: Decimal) -> None:
        """Writes down what a request cost; until then all that was reserved counts."""
        with self._writing() as connection:
            ledger.settle(connection, number, usd)

    def carry_over_spending(self, run_id: str) -> int:
        """Counts trials that ended before their suite run had a budget; of how many the cost is unknown."""
        with self._writing() as connection:
            return ledger.carry_over(connection, run_id)

    def add_calibration(self, found: Calibration) -> None:
        """Writes down how far a judge agrees with people."""
        with self._writing() as connection:
            judges.add_calibration(connection, found)

    def keep_judgement(self, judgement: Judgement, at: datetime) -> None:
        """Writes down what a judge decided about a labelled row."""
        with self._writing() as connection:
            judges.keep_judgement(connection, judgement, at)

    # --- reading -------------------------------------------------------------------------------------

    def calibrations(self) -> dict[tuple[str, str], Calibration]:
        """How far judges agree with people: the latest by rubric fingerprint and model."""
        with self._reading() as connection:
            return judges.latest_calibrations(connection)

    def kept_judgements(self, asked: Sequence[str]) -> dict[str, Judgement]:
        """What judges decided about labelled rows, by the digest of what was asked."""
        with self._reading() as connection:
            return {each.asked: each for each in judges.kept_judgements(connection, asked)}

    def run(self, run_id: str = LATEST) -> SuiteRun:
        """A suite run with all its results, in the order of the plan; ``latest`` is the newest.

        Raises:
            StoreError: There is no such suite run; the message names the nearest ids.
        """
        with self._reading() as connection:
            row = self._run_row(connection, run_id)
            found = connection.execute(_ROWS, {"run": row.id})
            rows = [(number, cast("Outcome", intern(outcome)), kept) for number, outcome, kept in found]
            spent = ledger.spent(connection, row.id)
            settings = msgspec.json.decode(row.settings, type=dict[str, Any])
        columns = {name: getattr(row, name) for name in _RUN_COLUMNS}
        return SuiteRun(
            **columns, settings=settings, results=StoredResults(rows, self._fetch), spending=spent
        )

    def spending(self, run_id: str) -> Spending | None:
        """What a suite run spent under a budget; None when it never had one."""
        with self._reading() as connection:
            return ledger.spent(connection, run_id)

    def runs(self, limit: int | None = 20) -> list[RunSummary]:
        """The latest suite runs, newest first; all of them when ``limit`` is None."""
        with self._reading() as connection:
            return run_summaries(connection, limit)

    def finished_trials(self, run_id: str = LATEST, *, errored: bool = True) -> set[str]:
        """Ids of the trials that need not be run again.

        Args:
            run_id: The suite run.
            errored: False to leave out trials that ended in an error, so that they are tried again.
        """
        with self._reading() as connection:
            query = select(trials.c.trial_id).where(trials.c.run_id == self._run_row(connection, run_id).id)
            if not errored:
                query = query.where(trials.c.outcome != "errored")
            return set(connection.execute(query).scalars())

    def history(self, suite: str, conversation: str, *, replayed: bool = False) -> list[PastTrial]:
        """How every trial of one conversation ended, over all suite runs, oldest first.

        Args:
            suite: The suite's name.
            conversation: The conversation's id.
            replayed: True to have replayed trials too, which repeat what is known already.
        """
        with self._reading() as connection:
            return conversation_history(connection, suite, conversation, replayed=replayed)

    def past_runs(
        self, *, suite: str | None = None, branch: str | None = None, limit: int | None = None
    ) -> list[PastRun]:
        """The latest suite runs as evidence, oldest first: how the trials of each conversation ended.

        Args:
            suite: Only its trials, and runs that have some.
            branch: Only runs on this git branch.
            limit: How many runs at most; all of them when left out.
        """
        with self._reading() as connection:
            return past_runs(connection, suite=suite, branch=branch, limit=limit)

    def past_costs(self, suite: str, target: str) -> list[PastCost]:
        """What the conversations of a suite cost in earlier suite runs on a target."""
        with self._reading() as connection:
            return past_costs(connection, suite, target)

    def _fetch(self, numbers: Sequence[int]) -> Iterator[TrialResult]:
        """The results of some rows, in that order; a trial that was replaced meanwhile as it is now."""
        with self._reading() as connection:
            rows = connection.execute(_BODIES, {"numbers": list(numbers)}).all()
        bodies = {row.trial: row.body for row in rows}
        unpack = zstandard.ZstdDecompressor().decompress
        for number in numbers:
            try:
                yield _RESULT.decode(unpack(bodies[number]))
            except (KeyError, zstandard.ZstdError, msgspec.MsgspecError) as error:
                raise damaged(self._name, self._named(number)) from error

    def _named(self, number: int) -> str:
        with self._reading() as connection:
            query = select(trials.c.trial_id, trials.c.run_id).where(trials.c.number == number)
            row = connection.execute(query).one_or_none()
        return f"trial {row.trial_id} of suite run {row.run_id}" if row else f"the row of trial {number}"

    def _run_row(self, connection: Connection, run_id: str, *, alone: bool = False) -> Row[Any]:
        query = select(suite_runs).order_by(suite_runs.c.started_at.desc(), suite_runs.c.id.desc()).limit(1)
        if run_id != LATEST:
            query = query.where(suite_runs.c.id == run_id)
        if alone:  # nobody else gets it until this transaction ends; SQLite has one writer at a time anyway
            query = query.with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None:
            raise self._unknown_run(connection, run_id)
        return row

    def _unknown_run(self, connection: Connection, run_id: str) -> RunError:
        query = select(suite_runs.c.id).order_by(suite_runs.c.started_at.desc()).limit(1000)
        ids = list(connection.execute(query).scalars())
        near = difflib.get_close_matches(run_id, ids, n=3, cutoff=0.5) or ids[:3]
        hint = f"Nearest: {', '.join(near)}; or use 'latest'." if near else "Run a suite first."
        what = f"has no suite run {run_id!r}" if ids else "has no suite runs yet"
        return RunError(f"the store {self._name} {what}", code="store-run-unknown", hint=hint)

    # --- transactions --------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with translated(self._name), self._engine.connect() as connection:
                yield connection
        except (ValueError, msgspec.MsgspecError) as error:
            raise damaged(self._name, f"a value in it ({error})") from error
        finally:
            if self._closed:
                self._engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that is committed at the end; a broken constraint comes out as it is."""
        with translated(self._name), self._engine.connect() as plain:
            connection = plain.execution_options(writes=True)
            with connection.begin():
                yield connection


def _prepare_folder(path: Path, *, create: bool) -> None:
    if not create and not path.exists():
        raise RunError(
            f"there is no store at {str(path)!r}",
            code="store-missing",
            hint="Run a suite first, or name the store of an earlier run.",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the folder of the store {str(path)!r} cannot be made: {error.strerror}",
            code="store-unavailable",
            hint="Name a path in a folder that you may write to.",
        ) from error


_RESULT = msgspec.json.Decoder(TrialResult)

_ROWS = (
    select(trials.c.number, trials.c.outcome, trials.c.quarantined)
    .where(trials.c.run_id == bindparam("run"))
    .order_by(trials.c.position.is_(None), trials.c.position, trials.c.number)
)
_BODIES = select(trial_bodies).where(trial_bodies.c.trial.in_(bindparam("numbers", expanding=True)))

_RUN_COLUMNS = ("id", "started_at", "ended_at", "target", "status", "planned")


def _run_values(run: SuiteRun) -> dict[str, Any]:
    settings = msgspec.json.encode(run.settings).decode()
    return {name: getattr(run, name) for name in _RUN_COLUMNS} | {"settings": settings}


def _insert_trials(
    connection: Connection, run_id: str, found: Sequence[Placed], *, number: int | None = None
) -> None:
    """Adds trials; the only one under this number, where one is given."""
    rows = [_trial_row(run_id, result, position) for result, position in found]
    if number is not None:
        rows[0]["number"] = number
    inserted = connection.execute(_INSERT_TRIALS, rows).all()
    numbers = {row.trial_id: row.number for row in inserted}
    pack = zstandard.ZstdCompressor(_COMPRESSION_LEVEL, write_checksum=True).compress
    bodies = [{"trial": numbers[result.trial_id], "body": pack(_json(result))} for result, _ in found]
    connection.execute(_INSERT_BODIES, bodies)
    judged = [
        _score_row(numbers[result.trial_id], place, score)
        for result, _ in found
        for place, score in enumerate(result.scores)
    ]
    if judged:
        connection.execute(_INSERT_SCORES, judged)


_INSERT_TRIALS = insert(trials).returning(trials.c.number, trials.c.trial_id)
_INSERT_BODIES = insert(trial_bodies)
_INSERT_SCORES = insert(scores)


def _json(result: TrialResult) -> bytes:
    try:
        return msgspec.json.encode(result)
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can carry and UTF-8 cannot
        text = json.dumps(msgspec.to_builtins(result), ensure_ascii=False)
        return text.encode(errors="replace")


_COPIED = (
    "trial_id suite conversation variant fingerprint repeat outcome started_at ended_at latency_s replayed "
    "quarantined"
).split()


def _trial_row(run_id: str, result: TrialResult, position: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(result, name) for name in _COPIED}
    row |= {"run_id": run_id, "position": position, "cost_pico_usd": result.cost_usd}
    was_judged = result.judge_cost_usd is not None or bool(result.judge_cost_reason)
    row["judge_cost_pico_usd"] = result.judge_cost_usd if was_judged else _NO_USD
    row["cluster"] = result.cluster or result.conversation
    row["quarantined_until"] = result.quarantine.until if result.quarantine else None
    for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"):
        row[name] = getattr(result.usage, name) if result.usage else None
    return row


def _score_row(number: int, place: int, score: Score) -> dict[str, Any]:
    value = score.value
    return {
        "trial": number,
        "position": place,
        "check_name": score.check,
        "scorer": score.scorer,
        "turn": score.turn,
        "value_num": float(value) if isinstance(value, int | float) else None,
        "value_text": _queryable(value) if isinstance(value, str) else None,
        "passed": score.passed,
        "reason": _queryable(score.reason) if score.passed is not True and score.reason else None,
    }


def _queryable(text: str) -> str:
    """What every database takes as text: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
