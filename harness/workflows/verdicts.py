"""Verdicts, statistics and plans from bare tables of trials: no run and no store is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.compare.table import (
    BASELINE,
    CANDIDATE,
    ERRORED,
    METRICS,
    OUTCOME,
    Trial,
    read_table,
    variants_in,
)
from harness.errors import Problem, SettingsError, TableError, Where
from harness.results import SCREEN, SCREENED_BY, SuiteRun
from harness.workflows.baselines import banked, baseline_of
from harness.workflows.stored import stored_run

if TYPE_CHECKING:
    from harness.compare.gate import GateVerdict
    from harness.compare.planning import Aim, Plan
    from harness.compare.rates import Rates
    from harness.compare.rules import RuleFile
    from harness.compare.verdict import Question, Verdict
    from harness.settings import Settings


def gate_table(
    path: Path, question: Question, baseline: str = BASELINE, candidate: str = CANDIDATE
) -> Verdict:
    """The verdict on a table with trials of a baseline and a candidate.

    Raises:
        SettingsError: Both sides are the same variant.
        TableError: The table can't be used; every mistake is named.
    """
    from harness.compare.pairs import pair
    from harness.compare.verdict import judge

    if baseline == candidate:
        raise SettingsError(
            f"--baseline and --candidate are both {candidate!r}, and nothing is worse than itself",
            hint="Name two variants of the table.",
        )
    trials = read_table(path, needed=("variant", question.metric), variants=(baseline, candidate))
    return judge(pair(trials, question.metric, baseline, candidate), question)


def gate_run(
    settings: Settings, rules: RuleFile | None, run: str, against: str | None = None, bank: int = 0
) -> GateVerdict:
    """The verdict of rules on a stored run; nothing is asked.

    Args:
        settings: Where the store is.
        rules: What must hold; None for the plan of a run that went on until it was decided, and for a
            screen.
        run: The run's id, or ``latest``.
        against: The run to compare with: its id, ``green`` or ``branch:NAME``.
        bank: So many earlier runs of the baseline's version at most add their trials to it.

    Raises:
        StoreError: There is no such store or run.
        SettingsError: No run is what ``against`` asks for, or the run has no plan.
    """
    from harness.compare.gate import gate, gate_by_looks, gate_of_screen
    from harness.compare.sequential import Looks

    candidate = stored_run(settings, run)
    if rules is None:
        looks = Looks.kept(candidate.settings)
        if looks is None and candidate.settings.keys() & {SCREEN, SCREENED_BY}:
            return gate_of_screen(candidate)
        if looks is None:
            raise SettingsError(
                f"nothing says what the run {candidate.id} is judged by",
                hint="Give --against RUN, --rules FILE, or a table with --csv FILE.",
            )
        return gate_by_looks(candidate, looks)
    if against is None:
        return gate(rules, candidate)
    baseline = baseline_of(settings, candidate, against)
    return gate(rules, candidate, baseline, banked(settings, baseline, bank))


def table_statistics(path: Path, variant: str | None = None) -> list[Rates]:
    """The statistics of every variant of a table, or of one; the variant column may be absent.

    Raises:
        TableError: The table can't be used, or no trial of a variant was judged.
    """
    from harness.compare.rates import rates

    trials = read_table(path, needed=("passed",))
    there = variants_in(trials)
    if variant is not None and variant not in there:
        known = ", ".join(repr(each) for each in there)
        raise TableError(
            [Problem(f"there is no variant {variant!r}", Where(str(path)), f"There are: {known}.")]
        )
    found = []
    for name in there if variant is None else [variant]:
        one = rates(trials, name)
        if one is None:
            which = f" of the variant {name!r}" if name else ""
            raise TableError([Problem(f"not one trial{which} was judged", Where(str(path)))])
        found.append(one)
    return found


def plan_trials(aim: Aim, settings: Settings, *, table: Path | None = None, run: str | None = None) -> Plan:
    """How many trials a drop takes, from numbers, from a table, or from a stored run.

    Raises:
        SettingsError: Nobody says how many conversations there are, or two pilots were named.
        TableError: The table can't be used.
        StoreError: There is no such store or run.
    """
    from harness.compare.planning import pilot, plan

    if table and run:
        raise SettingsError("--csv and --run both name a pilot", hint="Leave one of them out.")
    if table:
        return plan(aim, pilot(read_table(table, needed=("passed",))))
    return plan(aim, pilot(run_trials(stored_run(settings, run))) if run else None)


def run_trials(run: SuiteRun) -> list[Trial]:
    """The trials of a stored run as a table has them; what was not judged or is not known is NaN."""
    from harness.reporters.csv import trial_rows

    return [_trial(row) for row in trial_rows(run)]


def _trial(row: dict[str, Any]) -> Trial:
    known = {name: row[name] for name in METRICS if row[name] != "" and row[OUTCOME] != ERRORED}
    numbers = {name: float(value) for name, value in known.items()}
    return Trial(row["case_id"], row["cluster"], row["variant"], str(row["trial"]), **numbers)


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write an object as JSON.

    Raises:
        ReportError: The file can't be written.
    """
    from harness.reporters.interface import write_report

    write_report(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", path)
