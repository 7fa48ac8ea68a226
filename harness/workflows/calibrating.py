"""A judge is measured on rows that people have labelled; each judged row is kept as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.clock import SYSTEM_CLOCK, Clock
from harness.cost.prices import Cost
from harness.errors import SettingsError, TargetError
from harness.judge import prompt
from harness.judge.asking import Judge, is_answered
from harness.judge.calibration import calibration_of
from harness.judge.gating import why_not_enough
from harness.judge.labels import LabelledRow, read_labels
from harness.judge.verdict import verdict_of
from harness.results import Calibration
from harness.runner.budget import Budget
from harness.settings import Settings
from harness.suite.load import load_suite
from harness.suite.records import Rubric
from harness.targets.spending import spending_from
from harness.text import did_you_mean
from harness.trace.costs import judge_cost
from harness.trace.recording_file import load_recording, update_recording
from harness.trace.records import Judgement
from harness.workflows.budgeting import limits_of
from harness.workflows.judging import judge_of, no_judge, replaying_judge
from harness.workflows.stored import open_store

if TYPE_CHECKING:
    from harness.store.store import Store

_SHOWN = 10
OnRow = Callable[[int, int], None]
"""Told how many rows have an answer, and how many there are."""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What came of measuring a judge.

    Attributes:
        calibration: How far it agrees with people; stored.
        why_not: Why it may not gate; None when it may.
        kept: Rows that were judged before, and not paid for again.
        cost: What the others cost.
    """

    calibration: Calibration
    why_not: str | None
    kept: int
    cost: Cost


async def calibrate(
    labels: Path,
    suite: Path,
    settings: Settings,
    *,
    rubric: str | None = None,
    afresh: bool = False,
    record: Path | None = None,
    replay: Path | None = None,
    on_row: OnRow = lambda done, rows: None,
    clock: Clock = SYSTEM_CLOCK,
) -> Calibrated:
    """Ask the judge about every labelled row, and store how far it agrees with people.

    Rows that it was asked about before, in just these words, are not asked again; so a calibration that was
    interrupted goes on where it was.

    Args:
        labels: A CSV file, one labelled answer a row.
        suite: The suite that has the rubric.
        settings: The judge's model and address, budget, concurrency, store.
        rubric: The rubric's name; may be left out where the suite has one only.
        afresh: Ask about every row again.
        record: A recording to keep what the judge decided in.
        replay: A recording that answers instead of the judge; nobody is asked.
        on_row: Told of each row.
        clock: What time it is.

    Raises:
        SuiteError: The suite has mistakes.
        SettingsError: The labels have mistakes, or there is no such rubric or no model.
        TargetError: The judge can't be asked, or a recording does not have what it decided.
        RecordingError: A recording has mistakes, or can't be written.
        BudgetError: The budget is used up; what was judged is kept.
    """
    name, wanted = _rubric(load_suite(suite).rubrics, rubric, suite)
    recorded = _recorded(replay, record)
    model = wanted.model or settings.judge_model or _judge_in(recorded if replay else {}, wanted)
    if model is None:
        raise no_judge(name)
    rows = read_labels(labels, name, wanted)
    with open_store(settings) as store:
        work = _Work(name, wanted, model, rows, store, settings, on_row, clock)
        known = recorded if replay else {} if afresh else work.kept_before()
        judge = replaying_judge(settings, clock) if replay else judge_of(settings, clock)
        done, made = await work.done(known, judge)
    if record is not None:
        update_recording(record, (), (), made)
    return done


def _recorded(replay: Path | None, record: Path | None) -> Mapping[str, Judgement]:
    """What a recording has; one that is to be written is read too, for it must be fit for that."""
    if replay is not None:
        return load_recording(replay).judgements
    if record is not None and record.exists():
        load_recording(record)
    return {}


def _judge_in(recorded: Mapping[str, Judgement], rubric: Rubric) -> str | None:
    """Who was asked by a rubric when it was recorded."""
    wanted = prompt.fingerprint(rubric)
    return next((each.judge for each in recorded.values() if each.fingerprint == wanted), None)


def _rubric(rubrics: dict[str, Rubric], name: str | None, suite: Path) -> tuple[str, Rubric]:
    if name is None and len(rubrics) == 1:
        return next(iter(rubrics.items()))
    if name is not None and name in rubrics:
        return name, rubrics[name]
    raise SettingsError(
        f"{suite} has no rubric {name!r}" if name else f"{suite} has {len(rubrics)} rubrics: which one?",
        code="rubric-unknown",
        hint=did_you_mean(name or "", list(rubrics), label="give --rubric NAME, one of"),
    )


@dataclass(slots=True)
class _Work:
    """One calibration under way."""

    name: str
    rubric: Rubric
    model: str
    rows: Sequence[LabelledRow]
    store: Store
    settings: Settings
    on_row: OnRow
    clock: Clock
    answered: int = 0

    def kept_before(self) -> Mapping[str, Judgement]:
        """What the judge decided about these rows before."""
        return self.store.kept_judgements([self._blank(row).asked for row in self.rows])

    async def done(
        self, recorded: Mapping[str, Judgement], judge: Judge
    ) -> tuple[Calibrated, list[Judgement]]:
        """Everything judged, measured and stored, and what was decided."""
        blank = [self._blank(row) for row in self.rows]
        wanted = {each.asked for each in blank}
        known = {asked: found for asked, found in recorded.items() if asked in wanted}
        if judge.asks_nobody:
            self._refuse_missing(blank, known)
        try:
            made = await self._all(blank, dict(known), judge)
        finally:
            await judge.close()
        decided = {each.asked: each for each in made}
        asked = [each for each in decided.values() if each.asked not in known]
        measured = self._measured(made)
        self.store.add_calibration(measured)
        cost = judge_cost(asked, self.settings.price_book())
        why_not = why_not_enough(measured, self.settings.judge_min_kappa)
        kept = sum(each.asked in known for each in made)
        return Calibrated(measured, why_not, kept, cost), list(decided.values())

    def _refuse_missing(self, blank: Sequence[Judgement], known: Mapping[str, Judgement]) -> None:
        pairs = zip(self.rows, blank, strict=True)
        missing = [row.name for row, each in pairs if each.asked not in known]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (" ..." if len(missing) > _SHOWN else "")
            raise TargetError(
                f"the recording has no judgement by {self.model} of {len(missing)} rows: {shown}",
                code="recording-miss",
                hint="the rubric or the rows have changed since: record again with --record FILE",
            )

    def _blank(self, row: LabelledRow) -> Judgement:
        return Judgement(
            turn=None,
            rubric=self.name,
            fingerprint=prompt.fingerprint(self.rubric),
            asked=prompt.asked(self.rubric, row.material, self.model),
            judge=self.model,
        )

    async def _all(
        self, blank: Sequence[Judgement], known: dict[str, Judgement], judge: Judge
    ) -> list[Judgement]:
        """The judgement of every row; rows that say the same are asked about once."""
        places: dict[str, list[int]] = {}
        for place, each in enumerate(blank):
            places.setdefault(each.asked, []).append(place)
        self.answered = sum(len(places[asked]) for asked in known)
        self.on_row(self.answered, len(self.rows))
        left = [each for each in places if each not in known]
        queue = iter(left)
        budget = self._budget()

        async def worker() -> None:
            for asked in queue:
                first = places[asked][0]
                with spending_from(budget.purse(f"calibrate {self.name}") if budget else None):
                    found = await judge.judged(blank[first], self.rubric, self.rows[first].material)
                self._keep(found, judge)
                known[asked] = found
                self.answered += len(places[asked])
                self.on_row(self.answered, len(self.rows))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.settings.concurrency, len(left))):
                    group.create_task(worker())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return [known[each.asked] for each in blank]

    def _budget(self) -> Budget | None:
        if not self.settings.has_budget:
            return None
        budget = Budget(limits_of(self.settings), prices=self.settings.price_book(), clock=self.clock)
        budget.refuse_unpriced(self.model)
        return budget

    def _keep(self, found: Judgement, judge: Judge) -> None:
        """Keep what was answered; what was not is asked again the next time."""
        if judge.stopped is not None:
            kept = f"{self.answered} of {len(self.rows)} rows are judged and kept: the same command goes on"
            judge.stopped.hint = " ".join(filter(None, [judge.stopped.hint, kept]))
            raise judge.stopped
        if is_answered(found):
            self.store.keep_judgement(found, self.clock.now())

    def _measured(self, made: Sequence[Judgement]) -> Calibration:
        verdicts = [verdict_of(each, self.rubric) for each in made]
        return calibration_of(
            self.rows,
            verdicts,
            self.rubric,
            name=self.name,
            fingerprint=prompt.fingerprint(self.rubric),
            model=self._version(made, [verdict.reason for verdict in verdicts]),
            made_at=self.clock.now(),
        )

    def _version(self, made: Sequence[Judgement], reasons: Sequence[str]) -> str:
        """The one version that answered.

        Raises:
            TargetError: None did, or several did, so that nothing could be said of any.
        """
        versions = sorted({model for each in made for model in each.models})
        if not versions:
            raise TargetError(f"the judge answered nothing: {reasons[0]}", code="judge-unanswered")
        if len(versions) > 1:
            raise TargetError(
                f"rows were judged by several versions of the model: {', '.join(versions)}",
                code="judge-changed",
                hint="ask about every row again with --afresh",
            )
        return versions[0]
