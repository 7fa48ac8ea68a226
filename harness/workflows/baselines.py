"""The run that a candidate is compared with: by its id, the newest green one, or the newest of a branch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.errors import SettingsError
from harness.results import PastRun, SuiteRun
from harness.text import did_you_mean
from harness.workflows.stored import open_store, stored_run, stored_runs

if TYPE_CHECKING:
    from harness.settings import Settings
    from harness.store.history import RunSummary

GREEN = "green"
BRANCH = "branch:"
_RUNS_LOOKED_THROUGH = 1000


def is_searched(name: str) -> bool:
    """Whether a baseline is named by what it is, and must be looked for."""
    return name == GREEN or name.startswith(BRANCH)


def baseline_of(settings: Settings, candidate: SuiteRun, named: str) -> SuiteRun:
    """The run to compare a candidate with.

    Args:
        settings: Where the store is.
        candidate: The run that is judged.
        named: A run's id; ``green``, the newest earlier run of the same suites all of whose trials passed;
            or ``branch:NAME``, the newest earlier finished run of the same suites at the same target that
            was started from this git branch. Runs that were answered from a recording are never found, and
            neither are those that played a selection of conversations only, or one of them with several
            variants.

    Raises:
        StoreError: There is no such store or run.
        SettingsError: No run is what was asked for (code ``no-baseline``).
    """
    if named.startswith(BRANCH):
        return stored_run(settings, _of_branch(settings, candidate, named.removeprefix(BRANCH)))
    return stored_run(settings, green_before(settings, candidate) if named == GREEN else named)


def banked(settings: Settings, baseline: SuiteRun, most: int) -> list[SuiteRun]:
    """So many earlier runs at most of the very same version, whose trials can be added to a baseline's.

    Same suites, assistants, target, judge and grounding model; newest first.
    """
    found: list[SuiteRun] = []
    for each, _ in _comparable(settings, baseline) if most else ():
        if each.target == baseline.target and _version(run := stored_run(settings, each.id)) == _version(
            baseline
        ):
            found.append(run)
        if len(found) == most:
            break
    return found


def _version(run: SuiteRun) -> list[Any]:
    return [
        run.settings.get(name)
        for name in ("fingerprints", "judge_model", "grounding_model", "handover_model")
    ]


def green_before(settings: Settings, candidate: SuiteRun) -> str:
    """The id of the newest run before this one with its suites, all of whose trials passed.

    Raises:
        SettingsError: There is none (code ``no-baseline``).
    """
    for each, _ in _comparable(settings, candidate):
        if set(each.deciding) == {"passed"}:
            return each.id
    raise SettingsError(
        f"no run before {candidate.id} that played all its conversations has passed in all its trials",
        code="no-baseline",
        hint="Name a run as the baseline by its id; harness runs lists them.",
    )


def _of_branch(settings: Settings, candidate: SuiteRun, branch: str) -> str:
    runs = [past for _, past in _comparable(settings, candidate) if past.target == candidate.target]
    found = next((run.id for run in runs if run.branch == branch), None)
    if found:
        return found
    known = sorted({run.branch for run in runs if run.branch})
    raise SettingsError(
        f"no finished run of all these conversations at {candidate.target} was started from the branch "
        f"{branch!r} before {candidate.id}",
        code="no-baseline",
        hint=did_you_mean(branch, known, label="branches with such runs")
        if known
        else "Run the suites on that branch first, with the same --store; docs/ci.md shows how to keep it.",
    )


def _comparable(settings: Settings, candidate: SuiteRun) -> Iterator[tuple[RunSummary, PastRun]]:
    """Finished runs before this one that ran all it did and asked somebody, newest first."""
    suites = {result.suite for result in candidate.results}
    with open_store(settings, create=False) as store:
        past = {each.id: each for each in store.past_runs()}
    for each in stored_runs(settings, _RUNS_LOOKED_THROUGH):
        earlier = each.status == "finished" and each.started_at < candidate.started_at
        whole = each.id in past and _stands_for(past[each.id], candidate)
        if earlier and whole and suites <= set(each.suites) and not each.replayed:
            yield each, past[each.id]


def _stands_for(past: PastRun, candidate: SuiteRun) -> bool:
    """Whether a run can be the other side of this one: nothing that it lacks would go unseen.

    What another version of a suite lacks may be new. One of the same version that lacks something played a
    selection, such as ``--tag`` or ``-k``: only that part would be compared.
    """
    played = [(case.suite, case.conversation) for case in past.cases]
    if len(played) > len(set(played)) and not _is_of_several(candidate):
        return False
    prints = candidate.settings.get("fingerprints", {})
    wanted = {
        (result.suite, result.conversation)
        for result in candidate.results
        if prints.get(f"suite {result.suite}") == past.suites.get(result.suite)
    }
    return wanted <= set(played)


def _is_of_several(run: SuiteRun) -> bool:
    """Whether a conversation was played with several variants."""
    first: dict[tuple[str, str], str] = {}
    return any(
        first.setdefault((each.suite, each.conversation), each.variant) != each.variant
        for each in run.results
    )
