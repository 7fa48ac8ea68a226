"""What a suite says of hand-overs must fit together, and fit the functions of the assistant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.suite.arguments import argument_mistakes, regex_problem
from harness.suite.escalation import EscalationExpectation, EscalationRules, TicketPriority
from harness.yamlfile.mistakes import Mistake, did_you_mean
from harness.yamlfile.source import Place

_REGEX_HINT = "it is a Python regular expression; a backslash goes into single quotes"

Functions = Mapping[str, dict[str, Any]]


# --- expectations -----------------------------------------------------------------------------------------


def check_wish(
    wanted: EscalationExpectation, place: Place, *, turns: int, of_turn: bool, functions: Functions | None
) -> Iterator[Mistake]:
    """Mistakes in one expectation.

    Args:
        wanted: The expectation.
        place: Where it stands.
        turns: How many turns the conversation has.
        of_turn: It belongs to a single turn.
        functions: JSON Schemas of the hand-over functions by name; None when the assistant is not known.
    """
    yield from _single_turn(wanted, place) if of_turn else _turns(wanted, place, turns)
    if wanted.expected == "must_not":
        yield from _needless(wanted, place)
    yield from _without_functions(wanted, place, functions)
    for name in functions or ():
        yield from argument_mistakes(name, wanted.with_, (*place, "with"), (functions or {})[name])


def _single_turn(wanted: EscalationExpectation, place: Place) -> Iterator[Mistake]:
    for key in ("by_turn", "not_before"):
        if getattr(wanted, key) is not None:
            message = f"{key} counts the turns of a conversation and has no meaning in a single turn"
            yield Mistake(place, message, "write true or false, or move it to the conversation's expect")


def _turns(wanted: EscalationExpectation, place: Place, turns: int) -> Iterator[Mistake]:
    for key in ("by_turn", "not_before"):
        number = getattr(wanted, key)
        if number is not None and turns and number > turns:
            message = f"{key} is {number}, but the conversation has {turns} turn{'s' * (turns != 1)}"
            yield Mistake((*place, key), message, f"allowed: 1 to {turns}" if turns > 1 else "allowed: 1")
    if wanted.by_turn is not None and wanted.not_before is not None and wanted.by_turn < wanted.not_before:
        message = f"not_before is {wanted.not_before}, after by_turn {wanted.by_turn}"
        yield Mistake((*place, "not_before"), message, "exchange them")


def _needless(wanted: EscalationExpectation, place: Place) -> Iterator[Mistake]:
    for key in ("by_turn", "not_before", "with_", "at_most"):
        if getattr(wanted, key):
            name = key.rstrip("_")
            message = f"{name} says how to hand over, but expected is must_not"
            yield Mistake((*place, name), message, "remove it, or write expected: must or may", at_key=True)


def _without_functions(
    wanted: EscalationExpectation, place: Place, functions: Functions | None
) -> Iterator[Mistake]:
    if functions is None or functions:
        return
    hint = "add escalation: {tools: [...]} to the assistant file"
    if wanted.evidence in ("tool", "both"):
        message = f"evidence is {wanted.evidence}, but the assistant's file names no function that hands over"
        yield Mistake((*place, "evidence"), message, hint)
    for key in ("with_", "at_most"):
        if getattr(wanted, key):
            name = key.rstrip("_")
            message = f"{name} needs a function that hands over, and the assistant's file names none"
            yield Mistake((*place, name), message, hint, at_key=True)


# --- rules of a suite -------------------------------------------------------------------------------------


def check_rules(rules: EscalationRules, functions: Functions | None) -> Iterator[Mistake]:
    """Mistakes in the rules of a suite or conversation; places count from its ``escalation`` down."""
    place: Place = ("escalation", "ticket")
    if functions is not None:
        for key, name in rules.ticket.arguments.items():
            at = (*place, key, "argument") if key == "priority" else (*place, key)
            yield from _unknown_argument(name, at, functions)
    if rules.ticket.priority:
        yield from _priorities(rules.ticket.priority, (*place, "priority"), functions or {})


def _unknown_argument(name: str, place: Place, functions: Functions) -> Iterator[Mistake]:
    if not functions:
        message = "there is no ticket: the assistant's file names no function that hands over"
        yield Mistake(place, message, "add escalation: {tools: [...]} to the assistant file")
        return
    known = sorted({each for schema in functions.values() for each in schema.get("properties", {})})
    if name not in known:
        message = f"no function that hands over has an argument {name!r}"
        yield Mistake(place, message, did_you_mean(name, known, label="arguments"))


def _priorities(priority: TicketPriority, place: Place, functions: Functions) -> Iterator[Mistake]:
    allowed = _choices(priority.argument, list(functions.values()))
    always = None
    for index, rule in enumerate(priority.rules):
        at = (*place, "rules", index)
        if always is not None:
            message = f"this rule is never reached: rule {always + 1} has no condition and always holds"
            yield Mistake(at, message, "move the rule without mentions and matches to the end")
        elif rule.always:
            always = index
        if rule.matches is not None and (problem := regex_problem(rule.matches)):
            message = f"the expression {rule.matches!r} cannot be used: {problem}"
            yield Mistake((*at, "matches"), message, _REGEX_HINT)
        for value in rule.right if allowed else ():
            if value not in allowed:
                message = f"{value!r} is no value of {priority.argument!r}"
                yield Mistake((*at, "is"), message, did_you_mean(value, allowed, label="values"))


def _choices(argument: str, schemas: Sequence[dict[str, Any]]) -> list[str]:
    """The values that the functions' schemas allow for an argument; empty when they don't list them."""
    found = [schema.get("properties", {}).get(argument, {}) for schema in schemas]
    listed = [each["enum"] for each in found if isinstance(each, dict) and isinstance(each.get("enum"), list)]
    return [value for values in listed for value in values if isinstance(value, str)]
