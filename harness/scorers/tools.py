"""Function calls: those that must happen, with the right arguments, and those that must not.

``calls`` gives one score for each expected call (``calls.NAME``) and one, ``calls.schema``, that says
whether the arguments of every call made fit the JSON Schema of their function. Turns in which nobody
expects a call get ``calls.schema`` too when a function was called, see :func:`argument_scores`.
``never_calls`` gives one score for each forbidden function (``never_calls.NAME``). At the conversation the
calls of all turns count. ``trajectory`` is judged in ``trajectory.py``.

Evidence of ``calls.NAME``: ``matched`` (ids of the calls that are as expected), ``others`` (id, turn,
arguments and the first mismatch of every other call of that function).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.results import Score
from harness.scorers import calls
from harness.scorers.calls import Call
from harness.scorers.interface import Check, Scene, scored
from harness.suite.records import CallExpectation, Limit, WantedCall


class ToolScorer:
    """Function calls, their arguments by matcher and by JSON Schema."""

    name = "tools"
    keys = frozenset({"calls", "never_calls", "trajectory"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score for each expected or forbidden function, and one for the schemas."""
        if check.key == "trajectory":
            from harness.scorers.trajectory import trajectory_scores

            return trajectory_scores(check, calls.tool_calls(check, scene))
        made = calls.function_calls(check, scene)
        if check.key == "never_calls":
            return [_never(check, each, made) for each in check.value]
        return [*(_expected(check, call, made) for call in check.value), _schemas(check, made)]


def argument_scores(scene: Scene) -> Iterator[Score]:
    """``calls.schema`` of every turn in which a function was called and no check looks at the calls.

    Nobody has to ask for arguments that a function can take; ``calls: null`` says that it does not matter.
    """
    if scene.conversation.expect.calls:
        return
    for turn, _ in enumerate(scene.trace.turns[: len(scene.conversation.turns)]):
        expect = scene.conversation.turns[turn].expect
        check = Check("calls", (), turn)
        made = [] if "calls" in expect.model_fields_set else calls.function_calls(check, scene)
        if any(call.problem or call.call.name in calls.known_schemas(scene) for call in made):
            yield _schemas(check, made)


def _expected(check: Check, expected: CallExpectation, made: Sequence[Call]) -> Score:
    same = [call for call in made if call.call.name == expected.tool]
    mismatches = [(call, calls.mismatch(expected, call)) for call in same]
    matched = [call for call, mismatch in mismatches if mismatch is None]
    others = [(call, mismatch) for call, mismatch in mismatches if mismatch is not None]
    enough = _is_enough(expected.times, len(matched))
    return scored(
        check,
        ToolScorer.name,
        enough,
        enough,
        "" if enough else _reason(expected, matched, others, made),
        part=expected.tool,
        expected=expected.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        matched=[call.call.id for call in matched],
        others=[calls.shown(call, mismatch) for call, mismatch in others],
    )


def _is_enough(times: int | Limit | None, count: int) -> bool:
    if isinstance(times, Limit):
        return (times.min is None or count >= times.min) and (times.max is None or count <= times.max)
    return count > 0 if times is None else count == times


def _how_often(times: int | Limit | None) -> str:
    if times is None:
        return "at least once"
    if not isinstance(times, Limit):
        return f"{times} times"
    ends = [f"at least {times.min:g}" if times.min is not None else ""]
    ends += [f"at most {times.max:g}" if times.max is not None else ""]
    return " and ".join(filter(None, ends)) + " times"


def _reason(
    expected: CallExpectation,
    matched: Sequence[Call],
    others: Sequence[tuple[Call, str]],
    made: Sequence[Call],
) -> str:
    fitting = " with these arguments" if calls.wants_arguments(expected) else ""
    wanted = f"{_how_often(expected.times)}{fitting}"
    reason = f"{expected.tool} should be called {wanted}, it was called {len(matched)} times"
    if others:
        call, mismatch = min(others, key=lambda other: calls.distance(expected, other[0]))
        return f"{reason}; the nearest other call {call.call.id} (turn {call.turn + 1}): {mismatch}"
    return reason if matched else f"{reason}; functions called: {calls.names(made)}"


def _schemas(check: Check, made: Sequence[Call]) -> Score:
    wrong = list(calls.wrong_arguments(made))
    first = wrong[0] if wrong else None
    reason = f"{first.call.name} ({first.call.id}): {first.problem}" if first else ""
    shown = [calls.shown(call, call.problem or "") for call in wrong]
    return scored(
        check, ToolScorer.name, not wrong, not wrong, reason, part="schema", calls=len(made), wrong=shown
    )


def _never(check: Check, forbidden: str | WantedCall, made: Sequence[Call]) -> Score:
    wanted = WantedCall(tool=forbidden) if isinstance(forbidden, str) else forbidden
    same = [call for call in made if call.call.name == wanted.tool]
    # A forbidden call is one even when its arguments break the function's schema.
    found = [
        call for call in same if not calls.wants_arguments(wanted) or calls.mismatch(wanted, call) is None
    ]
    fitting = " with such arguments" if calls.wants_arguments(wanted) else ""
    reason = f"{wanted.tool} must not be called{fitting}, it was in turn {found[0].turn + 1}" if found else ""
    shown = [calls.shown(call) for call in found]
    return scored(check, ToolScorer.name, not found, not found, reason, part=wanted.tool, calls=shown)
