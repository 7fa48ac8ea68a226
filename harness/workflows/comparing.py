"""Stored runs side by side: what changed between two versions of an assistant, or between two targets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.compare.table import BASELINE, CANDIDATE
from harness.errors import SettingsError
from harness.results import RESCORED, SCREENED_BY, SuiteRun, TrialResult
from harness.settings import Settings
from harness.text import did_you_mean
from harness.workflows.baselines import baseline_of, is_searched
from harness.workflows.jobs import CONTENTS, Job, recalled
from harness.workflows.stored import stored_run

if TYPE_CHECKING:
    from harness.compare.asked import Judged
    from harness.compare.comparison import Comparison, Side
    from harness.compare.difference import Seen
    from harness.compare.sequential import Look, Looks
    from harness.compare.transcripts import TranscriptPair
    from harness.compare.verdict import Question
    from harness.compare.versions import Change

_NEVER = 1e-9


def compare_runs(
    settings: Settings, runs: Sequence[str], question: Question, variants: Sequence[str] = ()
) -> list[Comparison]:
    """Every candidate against one baseline, paired by conversation; nothing is asked.

    With several candidates each is held to its share of the level.

    Args:
        settings: Where the store is.
        runs: Ids, or ``latest``: the baseline and its candidates. A single run has both, as variants. The
            baseline may be ``green``: the newest run before the candidate in which all passed.
        question: Margin and level.
        variants: For each run which of its variants is meant; of a single run the baseline and its
            candidates.

    Raises:
        StoreError: There is no such store or run.
        SettingsError: It is not clear what is to be compared.
    """
    from harness.compare.sequential import Looks

    before, *after = _sides(_records(settings, runs), variants)
    looks = Looks.kept(before.run.settings)
    if looks and len(after) == 1 and after[0].run.id == before.run.id:
        return [_looked_at(before, after[0], looks)]
    each = replace(question, alpha=question.alpha / len(after))
    return [_compared(before, candidate, each) for candidate in after]


@dataclass(frozen=True, slots=True)
class ToRun:
    """What is run before it is compared.

    Attributes:
        job: The run.
        baseline: The stored run to compare with, and its variant; None where the job's first assistant is it.
    """

    job: Job
    baseline: tuple[str, str] | None

    def sides(self, record: SuiteRun) -> tuple[list[str], list[str]]:
        """The runs and their variants to compare, once the job was carried out as this run."""
        known: list[str] = record.settings["variants"]
        if self.baseline is None:
            return [record.id], known
        run, variant = self.baseline
        return [run, *[record.id] * len(known)], [variant, *known]


def to_be_run(
    settings: Settings,
    names: Sequence[str],
    suites: Sequence[str] = (),
    changed: Collection[str] = (),
    variants: Sequence[str] = (),
) -> ToRun | None:
    """The assistants among these names as a job; None where all are stored runs.

    Args:
        settings: How it is run.
        names: Assistants only, which are run side by side; or a stored run and assistants, which are run as
            that run was: its suites, selection, target and repeats.
        suites: What to run; of a stored run its own.
        changed: Settings that are as given, and not as the stored run had them.
        variants: Which variant of the stored run is the baseline, where it has several.

    Raises:
        SettingsError: It is not clear what is to be compared.
        StoreError: There is no such run, or it can't be run again.
    """
    are = [_is_assistant(name) for name in names]
    if not any(are):
        return None
    if len(names) == 1 or not all(are[1:]):
        raise SettingsError(
            f"{names[are.index(True)]!r} is an assistant to be run, and it is not clear against what",
            hint="Name the baseline first (an assistant or a stored run), then one or more assistants.",
        )
    if len(variants) > (not are[0]):
        raise SettingsError(
            f"--variants names {', '.join(variants)}, and assistants are compared as they are named",
            hint="It names the variant of a stored run: harness compare RUN FILE.yaml --variants NAME.",
        )
    if are[0]:
        return ToRun(Job(tuple(suites), settings, tuple(names)), None)
    if suites:
        raise SettingsError(
            "--suite is given, and a stored run", hint="The run's own suites are run; leave it out."
        )
    record = stored_run(settings, names[0])
    baseline = (record.id, _meant(record, _variants(record), variants[0] if variants else None))
    again = recalled(record, settings, changed)
    unrecorded = again.settings.model_copy(update={"record": None})
    return ToRun(
        msgspec.structs.replace(again, settings=unrecorded, assistants=tuple(names[1:]), names=()), baseline
    )


def _is_assistant(name: str) -> bool:
    """Whether this is an assistant file, one at a revision, or the id of one that exists."""
    from harness.suite.assistants import is_assistant_id
    from harness.suite.revisions import split_revision

    return name.endswith((".yaml", ".yml")) or is_assistant_id(name) or split_revision(name) is not None


def _records(settings: Settings, runs: Sequence[str]) -> list[SuiteRun]:
    if len(runs) > 1 and is_searched(runs[0]):
        after = [stored_run(settings, run) for run in runs[1:]]
        return [baseline_of(settings, after[0], runs[0]), *after]
    return [stored_run(settings, run) for run in runs]


def _sides(records: Sequence[SuiteRun], variants: Sequence[str]) -> list[Side]:
    if len(records) == 1:
        if len(variants) < 2:
            known = ", ".join(_variants(records[0]))
            raise SettingsError(
                f"only the run {records[0].id} is named, and a comparison needs two sides",
                hint=f"Name a second run, or two of its variants with --variants A,B. It has: {known}.",
            )
        found = [_side(records[0], variant) for variant in variants]
    else:
        found = [_side(*each) for each in zip(records, _named(records, variants), strict=True)]
    _refuse_same(found)
    return found


def _named(records: Sequence[SuiteRun], variants: Sequence[str]) -> Sequence[str | None]:
    if variants and len(variants) != len(records):
        raise SettingsError(
            f"--variants names {len(variants)} variants for {len(records)} runs",
            hint="Name one for each run, in the order of the runs, separated by commas.",
        )
    return variants or [None] * len(records)


def _refuse_same(sides: Sequence[Side]) -> None:
    known: set[tuple[str, str]] = set()
    for side in sides:
        if (side.run.id, side.variant) in known:
            raise SettingsError(
                f"{side.variant!r} of the run {side.run.id} is compared with itself",
                hint="Name two different runs (harness runs lists them), or two variants of one run.",
            )
        known.add((side.run.id, side.variant))


def _variants(run: SuiteRun) -> list[str]:
    return list(dict.fromkeys(result.variant for result in run.results))


def _side(run: SuiteRun, variant: str | None) -> Side:
    """One variant of a run; without a name its only one.

    Raises:
        SettingsError: It has no such variant, or several and none is named.
    """
    from harness.compare.comparison import Side
    from harness.compare.difference import seen

    found: dict[str, list[Seen]] = {}
    prints: dict[str, list[str]] = {}
    replayed: dict[str, int] = {}
    for result in run.results:
        found.setdefault(result.variant, []).append(seen(result, BASELINE))
        prints.setdefault(result.variant, []).append(result.fingerprint)
        replayed[result.variant] = replayed.get(result.variant, 0) + result.replayed
    name = _meant(run, list(found), variant)
    return Side(run, name, tuple(found[name]), tuple(dict.fromkeys(prints[name])), replayed[name])


def _meant(run: SuiteRun, known: Sequence[str], variant: str | None) -> str:
    told = ", ".join(map(repr, known))
    if not known:
        raise SettingsError(f"the run {run.id} has no trials", hint="Compare runs that have some.")
    if variant is None and len(known) > 1:
        raise SettingsError(
            f"the run {run.id} has several variants: {told}",
            hint="Say which is meant with --variants: one name for each run (--variants A,B), or that of the "
            "baseline where assistants are run after it (--variants A).",
        )
    if variant is not None and variant not in known:
        hint = did_you_mean(variant, known, label="variants")
        raise SettingsError(f"the run {run.id} has no variant {variant!r}", hint=hint)
    return variant or known[0]


def _compared(before: Side, after: Side, question: Question) -> Comparison:
    from harness.compare.comparison import Comparison
    from harness.compare.difference import differences
    from harness.compare.gate import changed_judgement
    from harness.compare.quarantine import Quarantines

    changed = tuple(changed_judgement(before.run, after.run))
    quarantines = Quarantines.of(each.judged for each in after.seen)
    sides = [quarantines.counting(side.seen, _judged) for side in (before, after)]
    if not sides[1]:
        raise SettingsError(
            f"every conversation of the run {after.run.id} is in quarantine, so there is nothing to compare",
            hint="Read its results with: harness report " + after.run.id,
        )
    repeated = any(map(_repeats_what_is_known, (before, after))) or _are_same_trials(before, after)
    found = differences(sides[0], _as_candidate(sides[1]), question, changed=bool(changed) or repeated)
    changes, unknown = _changes(before, after)
    return Comparison(
        before,
        after,
        found,
        changes,
        tuple(_transcripts(before, after, found.conversations.to_read)),
        (
            *(f"{each} ('worse' may still be said)" for each in changed),
            *quarantines.reasons(),
            *_notes(before, after),
            *unknown,
        ),
        quarantines,
    )


def _repeats_what_is_known(side: Side) -> bool:
    """Whether it was answered from a recording; a run scored anew stands for the trials of the first."""
    return side.replayed > 0 and RESCORED not in side.run.settings


def _are_same_trials(before: Side, after: Side) -> bool:
    """Whether one side is the other one, scored anew, or both are scored anew from the same."""
    first, second = (side.run.settings.get(RESCORED, side.run.id) for side in (before, after))
    return first == second and before.variant == after.variant


def _looked_at(before: Side, after: Side, looks: Looks) -> Comparison:
    """The comparison at the look that decided, else at the last one, by the run's own plan of looks."""
    from harness.compare.quarantine import Quarantines
    from harness.compare.verdict import Question

    quarantines = Quarantines.of(each.judged for each in after.seen)
    counting = [quarantines.counting(side.seen, _judged) for side in (before, after)]
    trials = [each.judged.trial for each in (*counting[0], *_as_candidate(counting[1]))]
    taken = looks.taken(trials)
    if not taken:
        # Nothing of alpha is planned for now, so next to nothing may be said.
        found = _compared(before, after, Question(margin=looks.margin, alpha=_NEVER, confidence=1 - _NEVER))
        return replace(found, notes=("no look was taken yet: too few passes are complete", *found.notes))
    last = taken[-1]
    sides = [_up_to(side, last.passes) for side in (before, after)]
    found = _compared(sides[0], sides[1], last.found.question)
    told = f"{'decided' if last.decided else 'looked at'} after {last.passes} of {last.of} passes"
    return replace(found, looks=tuple(taken), notes=(f"{told} {_level(last, looks)}", *found.notes))


def _level(look: Look, looks: Looks) -> str:
    if look.found.question.lasting:
        return f"by evidence that holds at all looks together: level {looks.alpha:g}"
    return f"at level {look.found.question.alpha:.4f}, the rest of {looks.alpha:g} is for the other looks"


def _up_to(side: Side, passes: int) -> Side:
    return replace(side, seen=tuple(each for each in side.seen if int(each.judged.trial.trial) <= passes))


def _judged(trial: Seen) -> Judged:
    return trial.judged


def _as_candidate(trials: Sequence[Seen]) -> list[Seen]:
    return [
        each._replace(judged=each.judged._replace(trial=each.judged.trial._replace(variant=CANDIDATE)))
        for each in trials
    ]


def _notes(before: Side, after: Side) -> Iterator[str]:
    for side in (before, after):
        if side.run.status not in ("finished", "decided"):
            yield f"the run {side.run.id} is not finished ({side.run.status.replace('_', ' ')})"
        if screened := side.run.settings.get(SCREENED_BY):
            yield f"{side.variant}: fresh trials of what got worse in the run {screened}, and nothing else"
        if _repeats_what_is_known(side):
            yield (
                f"{side.replayed} of {len(side.seen)} trials of the run {side.run.id} were answered from a "
                "recording: no new evidence"
            )
    if _are_same_trials(before, after):
        yield "both sides are the same trials, scored anew: no new evidence"
    if before.run.target != after.run.target:
        yield f"the targets differ: {before.run.target} and {after.run.target}"


def _changes(before: Side, after: Side) -> tuple[tuple[Change, ...] | None, list[str]]:
    """What differs in the assistants; None, and why, where that is not known."""
    from harness.compare.versions import changes

    if before.fingerprints == after.fingerprints:
        return (), ["both sides are the same version of the assistant"]
    contents = [_content(side) for side in (before, after)]
    if contents[0] is None or contents[1] is None:
        return None, ["the versions of the assistant differ, but what is in them is not known of both"]
    return changes(contents[0], contents[1]), []


def _content(side: Side) -> Mapping[str, Any] | None:
    """What a variant consists of; None where suites differ in that, and for runs from before it was kept."""
    kept = side.run.settings.get(CONTENTS, {})
    return kept.get(side.fingerprints[0]) if len(side.fingerprints) == 1 else None


def _transcripts(before: Side, after: Side, wanted: Sequence[str]) -> Iterator[TranscriptPair]:
    """The conversations in this order, each with the trials that tell most."""
    from harness.compare.transcripts import transcripts

    shown = _examples(before, wanted, "passed"), _examples(after, wanted, "failed")
    for case in wanted:
        yield transcripts(case, shown[0][case], shown[1][case])


def _examples(side: Side, wanted: Sequence[str], outcome: str) -> dict[str, TrialResult]:
    from harness.compare.transcripts import better_example

    found: dict[str, TrialResult] = {}
    if not wanted:
        return found
    cases = set(wanted)
    for result in side.run.results:
        case = f"{result.suite}/{result.conversation}"
        if result.variant == side.variant and case in cases:
            found[case] = better_example(found.get(case), result, outcome)
    return found


def comparison_text(comparison: Comparison, shown: int) -> str:
    """The comparison for a terminal, with so many conversations turn by turn."""
    from harness.reporters.comparison import terminal

    return terminal(comparison, shown)


def write_comparisons(comparisons: Sequence[Comparison], *, json: Path | None, markdown: Path | None) -> None:
    """Write all of every comparison to the files that are named.

    Raises:
        ReportError: A file can't be written.
    """
    from harness.reporters.comparison import in_markdown
    from harness.reporters.interface import write_report
    from harness.workflows.verdicts import write_json

    if json:
        write_json({"comparisons": [each.as_json() for each in comparisons]}, json)
    if markdown:
        write_report(in_markdown(comparisons), markdown)
