"""The tool calls of a turn or a talk as a whole: which of the expected steps were made, in the right order.

``trajectory`` is the score, 0 to 1. Of the ``n`` expected steps, ``m`` is the largest number that can each
be given a call of its own that fits it, none before the call of a step it must follow: in a sequence all
steps before it, with ``partial`` those it names in ``after`` and theirs, otherwise none. With ``set`` a call
may stand for several steps, and repeats are nothing. With ``k`` calls in all::

    others: true     m / n
    others: false    2m / (n + k), where calls that only repeat a step of a set don't count in k

``trajectory.together`` says whether each group of steps was called in one batch, that is in one run step.
Calls of one batch stand in the order in which the API tells them.

Evidence: ``steps`` (name, the id of its call or null, why not), ``others`` (calls that are no step's).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.results import Score
from harness.scorers import calls
from harness.scorers.calls import Call
from harness.scorers.interface import Check, scored
from harness.suite.records import TrajectoryExpectation, TrajectoryStep
from harness.suite.trajectories import name_of, predecessors, steps_of

_SCORER = "tools"
_MOST_CALLS = 400  # that are looked at
_SHOWN = 10  # calls that no step stands for, in evidence

Given = list[int | None]
"""For each step the index of its call."""


@dataclass(frozen=True, slots=True)
class _Fits:
    """Which calls fit which steps: ``of[step]`` has the indexes of calls, in order."""

    of: list[list[int]]

    @classmethod
    def between(cls, steps: Sequence[TrajectoryStep], made: Sequence[Call]) -> _Fits:
        return cls([[at for at, call in enumerate(made) if _fits(step, call)] for step in steps])


def _fits(step: TrajectoryStep, call: Call) -> bool:
    return call.call.name == step.tool and calls.mismatch(step, call) is None


def trajectory_scores(check: Check, made: Sequence[Call]) -> list[Score]:
    """``trajectory``, and ``trajectory.together`` where batches are asked for."""
    wanted: TrajectoryExpectation = check.value
    steps, made = steps_of(wanted), made[:_MOST_CALLS]
    fits = _Fits.between(steps, made)
    given = _given(wanted, steps, fits, len(made))
    extra = _extra(wanted, fits, given, made)
    value = score_of(len(steps), sum(at is not None for at in given), len(extra), others=wanted.others)
    passed = value >= wanted.min
    whole = scored(
        check,
        _SCORER,
        round(value, 4),
        passed,
        "" if passed else _reason(wanted, steps, given, extra, made),
        order=wanted.order,
        steps=[_shown(step, at, made) for step, at in zip(steps, given, strict=True)],
        others=[calls.shown(call) | {"tool": call.call.name} for call in extra[:_SHOWN]],
    )
    return [whole, _together(check, wanted, steps, made)] if wanted.together else [whole]


def score_of(steps: int, found: int, extra: int, *, others: bool) -> float:
    """The trajectory score, 0 to 1: recall when other calls may be there, else F1."""
    return found / steps if others else 2 * found / (steps + found + extra)


def _given(wanted: TrajectoryExpectation, steps: Sequence[TrajectoryStep], fits: _Fits, count: int) -> Given:
    if wanted.order == "set":
        return [found[0] if found else None for found in fits.of]
    if wanted.order == "multiset":
        return unordered(fits.of)
    if wanted.order == "sequence":
        return in_sequence(fits.of, count)
    return in_partial_order(fits.of, predecessors(steps), count)


def _extra(wanted: TrajectoryExpectation, fits: _Fits, given: Given, made: Sequence[Call]) -> list[Call]:
    """The calls that stand for no step."""
    used = {at for at in given if at is not None}
    if wanted.order == "set":
        used = {at for found in fits.of for at in found}
    return [call for at, call in enumerate(made) if at not in used]


# --- giving calls to steps -----------------------------------------------------------------------------


def unordered(fits: Sequence[Sequence[int]]) -> Given:
    """The largest number of steps with a call of their own: bipartite matching along augmenting paths."""
    owner: dict[int, int] = {}

    def place(step: int, tried: set[int]) -> bool:
        for at in fits[step]:
            if at not in tried:
                tried.add(at)
                if at not in owner or place(owner[at], tried):
                    owner[at] = step
                    return True
        return False

    for step in range(len(fits)):
        place(step, set())
    by_step = {step: at for at, step in owner.items()}
    return [by_step.get(step) for step in range(len(fits))]


def in_sequence(fits: Sequence[Sequence[int]], count: int) -> Given:
    """The longest common subsequence of steps and calls."""
    n = len(fits)
    holds = [set(found) for found in fits]
    length = [[0] * (count + 1) for _ in range(n + 1)]
    for step in reversed(range(n)):
        for at in reversed(range(count)):
            skipped = max(length[step + 1][at], length[step][at + 1])
            taken = length[step + 1][at + 1] + 1 if at in holds[step] else 0
            length[step][at] = max(skipped, taken)
    given: Given = [None] * n
    step = at = 0
    while step < n and at < count:
        if at in holds[step] and length[step][at] == length[step + 1][at + 1] + 1:
            given[step] = at
            step, at = step + 1, at + 1
        elif length[step + 1][at] >= length[step][at + 1]:
            step += 1
        else:
            at += 1
    return given


def in_partial_order(fits: Sequence[Sequence[int]], before: Sequence[set[int]], count: int) -> Given:
    """The largest number of steps with a call of their own, none before one of its predecessors'.

    Sets of steps that were made so far, each with one way to get there, are carried from call to call; a step
    may be added as long as none that must follow it is in the set. Of steps that differ in nothing only
    the first that is not made yet is tried.

    Args:
        fits: Indexes of calls by step.
        before: For each step all that must come before it, directly or not.
        count: How many calls there are.
    """
    ways: dict[frozenset[int], tuple[tuple[int, int], ...]] = {frozenset(): ()}
    alike, possible = _alike(fits, before), sum(map(bool, fits))
    for at in range(count):
        able = [step for step, found in enumerate(fits) if at in found]
        for done, way in list(ways.items()) if able else ():
            for step in able:
                if step in done or not alike[step] <= done:
                    continue
                if not any(step in before[later] for later in done):
                    ways.setdefault(done | {step}, (*way, (step, at)))
        if any(len(done) == possible for done in ways):
            break
    best = max(ways, key=len)
    placed = dict(ways[best])
    return [placed.get(step) for step in range(len(fits))]


def _alike(fits: Sequence[Sequence[int]], before: Sequence[set[int]]) -> list[set[int]]:
    """For each step the earlier ones that differ from it in nothing: same calls, same order to all others."""
    marks = [
        (tuple(found), frozenset(before[step]), frozenset(n for n, b in enumerate(before) if step in b))
        for step, found in enumerate(fits)
    ]
    return [{other for other in range(step) if marks[other] == mark} for step, mark in enumerate(marks)]


# --- batches -------------------------------------------------------------------------------------------


def _together(
    check: Check, wanted: TrajectoryExpectation, steps: Sequence[TrajectoryStep], made: Sequence[Call]
) -> Score:
    batches = [list(group) for _, group in groupby(made, key=lambda call: call.batch)]
    named: dict[str, list[TrajectoryStep]] = {}
    for step in steps:
        named.setdefault(name_of(step), []).append(step)
    apart = [group for group in wanted.together if not _in_one(group, named, batches)]
    told = "; ".join(", ".join(call.call.name for call in batch) for batch in batches) or "none"
    reason = (
        f"{' and '.join(apart[0])} should be called in one batch; the batches were: {told}" if apart else ""
    )
    ids = [[call.call.id for call in batch] for batch in batches]
    return scored(check, _SCORER, not apart, not apart, reason, part="together", batches=ids, apart=apart)


def _in_one(
    group: Sequence[str], named: dict[str, list[TrajectoryStep]], batches: Sequence[Sequence[Call]]
) -> bool:
    """Whether one batch has a call of its own for each step of the group."""
    queues = {name: list(found) for name, found in named.items()}
    # A name that stands in the group twice means the first two steps of that name.
    steps = [queues[name].pop(0) if len(queues[name]) > 1 else queues[name][0] for name in group]
    return any(None not in unordered(_Fits.between(steps, batch).of) for batch in batches)


# --- showing -------------------------------------------------------------------------------------------


def _shown(step: TrajectoryStep, at: int | None, made: Sequence[Call]) -> dict[str, Any]:
    if at is not None:
        return {"step": name_of(step), "call": made[at].call.id}
    return {"step": name_of(step), "call": None, "why": _why_not(step, made)}


def _why_not(step: TrajectoryStep, made: Sequence[Call]) -> str:
    same = [call for call in made if call.call.name == step.tool]
    if not same:
        return "never called"
    mismatches = [(calls.distance(step, call), calls.mismatch(step, call)) for call in same]
    if any(found is None for _, found in mismatches):
        return "called, but not when it should be, or not often enough"
    return str(min(mismatches, key=lambda pair: pair[0])[1])


def _reason(
    wanted: TrajectoryExpectation,
    steps: Sequence[TrajectoryStep],
    given: Given,
    extra: Sequence[Call],
    made: Sequence[Call],
) -> str:
    missing = [step for step, at in zip(steps, given, strict=True) if at is None]
    parts = [f"{len(steps) - len(missing)} of {len(steps)} steps were made as expected ({wanted.order})"]
    parts += [f"{name_of(step)}: {_why_not(step, made)}" for step in missing[:3]]
    if extra and not wanted.others:
        parts.append(f"calls beside them: {calls.names(extra)}")
    parts.append(f"called: {', '.join(call.call.name for call in made[:20]) or 'nothing'}")
    return "; ".join(parts)
