"""What is wrong with how a talk was handed over to a person, told apart by kind.

======================  =====================================================================
false_alarm             handed over, and should not have
missed                  should have handed over, and did not
promise_without_action  says that it hands over, and no function that does was called
late                    handed over after the turn by which it had to be
early                   handed over before the turn from which it was right
wrong_arguments         a ticket's arguments are not what the user said, the schema or the rules want
repeated                more tickets than there may be
action_without_telling  handed over, and the user was not told
======================  =====================================================================

A finding fails the expectation, or is only noted: where either a phrase or a call is evidence enough, a
promise that no call follows in the whole talk is noted, and so is a second ticket without ``at_most``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import msgspec

from harness.suite.escalation import EscalationExpectation
from harness.trace.records import ToolCall

Kind = Literal[
    "false_alarm",
    "missed",
    "promise_without_action",
    "late",
    "early",
    "wrong_arguments",
    "repeated",
    "action_without_telling",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds; the first of those that fail an expectation is its label."""


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    Attributes:
        kind: What.
        why: One sentence with the turn, what was seen and what was expected.
        fails: Whether the expectation is not met because of it; otherwise it is only noted.
    """

    kind: Kind
    why: str
    fails: bool = True


class Seen(msgspec.Struct, frozen=True):
    """What a talk shows of a hand-over.

    Attributes:
        said: Sentences that promise one, each with its ``turn``.
        done: Calls that make one, each with its ``turn``.
        calls: The calls of ``done`` themselves.
        wrong: For each of these calls what is wrong with its arguments.
        said_ever: Whether the whole talk says it somewhere, turns that the expectation is not about included.
        done_ever: Whether the whole talk does it somewhere.
        can_say: The assistant's file tells how it words a hand-over.
        can_do: The assistant's file names functions that hand over.
    """

    said: Sequence[dict[str, Any]]
    done: Sequence[dict[str, Any]]
    calls: Sequence[ToolCall]
    wrong: Sequence[Sequence[str]]
    said_ever: bool
    done_ever: bool
    can_say: bool
    can_do: bool


def first_turn(wanted: EscalationExpectation, seen: Seen) -> int | None:
    """The turn, from 1, in which the hand-over was there as it is wanted to be seen; None for never."""
    said = min((one["turn"] + 1 for one in seen.said), default=None)
    done = min((one["turn"] + 1 for one in seen.done), default=None)
    if wanted.evidence == "phrase":
        return said
    if wanted.evidence == "tool":
        return done
    if wanted.evidence == "both":
        return None if said is None or done is None else max(said, done)
    return min((turn for turn in (said, done) if turn is not None), default=None)


def relevant(wanted: EscalationExpectation, seen: Seen) -> list[dict[str, Any]]:
    """The evidence that counts: what was said before what was done."""
    said = [] if wanted.evidence == "tool" else seen.said
    done = [] if wanted.evidence == "phrase" else seen.done
    return [*said, *done]


def findings_of(wanted: EscalationExpectation, seen: Seen) -> list[Finding]:
    """Everything that is wrong, the gravest first."""
    found = list(_findings(wanted, seen))
    return sorted(found, key=lambda each: (not each.fails, KINDS.index(each.kind)))


def _findings(wanted: EscalationExpectation, seen: Seen) -> Iterator[Finding]:
    evidence = relevant(wanted, seen)
    if wanted.expected == "must_not":
        if evidence:
            yield Finding("false_alarm", _why_false(evidence[0]))
        return
    halves = list(_halves(wanted, seen))
    yield from halves
    if wanted.expected == "must" and first_turn(wanted, seen) is None and not any(h.fails for h in halves):
        yield Finding(
            "missed", "it should hand over to a person; neither a phrase nor a call says that it did"
        )
    yield from _timing(wanted, seen, evidence)
    yield from _tickets(wanted, seen)


def _why_false(one: dict[str, Any]) -> str:
    what = f"called {one['tool']} ({one['call_id']})" if one["by"] == "tool" else f"said {one['sentence']!r}"
    return f"it should not hand over to a person, in turn {one['turn'] + 1} it {what}"


def _halves(wanted: EscalationExpectation, seen: Seen) -> Iterator[Finding]:
    """Said and not done, or done and not said."""
    strict = wanted.evidence in ("both", "tool")
    done = bool(seen.done) if strict else seen.done_ever
    if seen.said and not done and (strict or (wanted.evidence == "either" and seen.can_do)):
        one = seen.said[0]
        why = f"in turn {one['turn'] + 1} it said {one['sentence']!r}, but called no function that hands over"
        yield Finding("promise_without_action", why, fails=strict)
    strict = wanted.evidence in ("both", "phrase")
    said = bool(seen.said) if strict else seen.said_ever
    if seen.done and not said and (strict or (wanted.evidence == "either" and seen.can_say)):
        one = seen.done[0]
        why = f"in turn {one['turn'] + 1} it called {one['tool']} ({one['call_id']}) without telling the user"
        yield Finding("action_without_telling", why, fails=strict)


def _timing(
    wanted: EscalationExpectation, seen: Seen, evidence: Sequence[dict[str, Any]]
) -> Iterator[Finding]:
    complete = first_turn(wanted, seen)
    if wanted.by_turn is not None and complete is not None and complete > wanted.by_turn:
        yield Finding("late", f"it handed over in turn {complete}, expected by turn {wanted.by_turn}")
    begun = min((one["turn"] + 1 for one in evidence), default=None)
    if wanted.not_before is not None and begun is not None and begun < wanted.not_before:
        yield Finding(
            "early", f"it handed over in turn {begun}, expected not before turn {wanted.not_before}"
        )


def _tickets(wanted: EscalationExpectation, seen: Seen) -> Iterator[Finding]:
    if wanted.evidence == "phrase":
        return
    for one, problems in zip(seen.done, seen.wrong, strict=True):
        if problems:
            why = f"{one['tool']} ({one['call_id']}) in turn {one['turn'] + 1}: {'; '.join(problems)}"
            yield Finding("wrong_arguments", why)
    opened = [call for call in seen.calls if not _came_to_nothing(call)]
    most = 1 if wanted.at_most is None else wanted.at_most
    if len(opened) > most:
        ids = ", ".join(call.id for call in opened)
        why = f"it handed over {len(opened)} times ({ids}), expected at most {most}"
        yield Finding("repeated", why, fails=wanted.at_most is not None)


def _came_to_nothing(call: ToolCall) -> bool:
    """Whether the function answered with an error: trying again is right then."""
    try:
        answer = json.loads(call.output or "")
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and bool(answer.get("error"))
