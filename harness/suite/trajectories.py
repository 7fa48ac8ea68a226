"""Trajectories as suites write them: their steps, what must come before each, and what can't be meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.suite.arguments import call_mistakes, unknown_function
from harness.suite.records import TrajectoryExpectation, TrajectoryStep
from harness.yamlfile.mistakes import Mistake, did_you_mean
from harness.yamlfile.source import Place

_HOSTED = ("file_search", "code_interpreter")
MOST_IN_PARTIAL_ORDER = 12
"""Steps of a partial order: every set of them may have to be looked at."""


def steps_of(trajectory: TrajectoryExpectation) -> list[TrajectoryStep]:
    """The steps, those that are only a name written out."""
    return [TrajectoryStep(tool=step) if isinstance(step, str) else step for step in trajectory.steps]


def name_of(step: TrajectoryStep) -> str:
    """What other steps call it."""
    return step.id or step.tool


def predecessors(steps: Sequence[TrajectoryStep]) -> list[set[int]]:
    """For each step the indexes of all that must come before it, directly or not."""
    direct = [{at for at, other in enumerate(steps) if name_of(other) in step.after} for step in steps]
    return [_reachable(step, direct) for step in range(len(steps))]


def _reachable(step: int, direct: Sequence[set[int]]) -> set[int]:
    found: set[int] = set()
    waiting = list(direct[step])
    while waiting:
        earlier = waiting.pop()
        if earlier not in found:
            found.add(earlier)
            waiting.extend(direct[earlier])
    return found


def step_mistakes(
    trajectory: TrajectoryExpectation,
    place: Place,
    functions: dict[str, dict[str, Any]] | None,
    hosted: dict[str, bool] | None,
) -> Iterator[Mistake]:
    """Tools that the assistant does not have, and arguments that can't be.

    Args:
        trajectory: What is expected.
        place: Where it stands.
        functions: JSON Schemas of arguments by function; None when the assistant's are not known.
        hosted: Which of file_search and code_interpreter it has; None likewise.
    """
    for index, step in enumerate(steps_of(trajectory)):
        is_name = isinstance(trajectory.steps[index], str)
        at: Place = (*place, "steps", index)
        if step.tool in _HOSTED:
            yield from _hosted_step(step, at if is_name else (*at, "tool"), hosted)
        elif not is_name:
            yield from call_mistakes(step, at, functions)
        elif functions is not None:
            yield from unknown_function(step.tool, [*functions, *_HOSTED], at)


def _hosted_step(step: TrajectoryStep, place: Place, hosted: dict[str, bool] | None) -> Iterator[Mistake]:
    if hosted is not None and not hosted[step.tool]:
        message = f"the trajectory needs {step.tool}, which the assistant does not have"
        yield Mistake(place, message, f"add {{type: {step.tool}}} to its tools, or leave the step out")
    if step.with_ or step.json_schema is not None:
        message = f"{step.tool} has no arguments to compare"
        yield Mistake(place, message, "leave with and json_schema out")


def trajectory_mistakes(trajectory: TrajectoryExpectation, place: Place) -> Iterator[Mistake]:
    """Names that no step has, orders that can't be, more steps than can be looked through."""
    steps = steps_of(trajectory)
    names = list(dict.fromkeys(map(name_of, steps)))
    for number, step in enumerate(steps):
        yield from _after_mistakes(trajectory, step, (*place, "steps", number), names)
    yield from _circles(steps, place)
    yield from _ids_used_twice(steps, place)
    for number, group in enumerate(trajectory.together):
        yield from _group_mistakes(group, (*place, "together", number), names)
    if trajectory.order == "partial" and len(steps) > MOST_IN_PARTIAL_ORDER:
        message = f"a partial order has at most {MOST_IN_PARTIAL_ORDER} steps, not {len(steps)}"
        yield Mistake((*place, "steps"), message, "write a sequence, or leave out what need not be ordered")


def _after_mistakes(
    trajectory: TrajectoryExpectation, step: TrajectoryStep, place: Place, names: list[str]
) -> Iterator[Mistake]:
    if step.after and trajectory.order != "partial":
        message = f"after means nothing where the order is {trajectory.order!r}"
        yield Mistake((*place, "after"), message, "write order: partial, or remove after")
    for index, name in enumerate(step.after):
        if name not in names:
            hint = did_you_mean(name, names, label="steps")
            yield Mistake((*place, "after", index), f"no step is called {name!r}", hint)


def _circles(steps: Sequence[TrajectoryStep], place: Place) -> Iterator[Mistake]:
    for number, before in enumerate(predecessors(steps)):
        if number in before:
            message = f"{name_of(steps[number])!r} would have to come before itself"
            yield Mistake((*place, "steps", number, "after"), message, "take one step out of the circle")


def _ids_used_twice(steps: Sequence[TrajectoryStep], place: Place) -> Iterator[Mistake]:
    seen: set[str] = set()
    for number, step in enumerate(steps):
        if step.id is not None and step.id in seen:
            yield Mistake((*place, "steps", number, "id"), f"two steps have the id {step.id!r}", "rename one")
        seen |= {step.id} if step.id is not None else set()


def _group_mistakes(group: Sequence[str], place: Place, names: list[str]) -> Iterator[Mistake]:
    if len(group) < 2:
        yield Mistake(place, "a batch has at least two steps", "name the steps that are called together")
    for index, name in enumerate(group):
        if name not in names:
            yield Mistake(
                (*place, index), f"no step is called {name!r}", did_you_mean(name, names, label="steps")
            )
