"""Whether a ticket is right: its arguments, held against their schema, the suite's rules and the talk.

The e-mail address must be one that the user gave; the summary may tell only what was said or looked up in
the talk; the priority is what the first rule of the suite that holds asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness.scorers import facts
from harness.scorers.calls import Call
from harness.scorers.evidence import Evidence, Passage, content_words
from harness.scorers.interface import Scene
from harness.suite.escalation import EscalationRules, PriorityRule, TicketPriority
from harness.suite.matching import matches_object
from harness.text import fold

ENOUGH = 0.5
"""Share of a summary's content words that must have been said in the talk."""

_LEAST_WORDS = 2  # content words below which a summary says nothing
_NAMED = 5
_SEARCHED = 200_000  # characters of what the user said that a rule looks at
# What every report says of every talk: such words need no evidence.
_OF_REPORTS = """
    user customer client caller person contact account issue problem trouble error request question ticket
    case report reported reports state stated states say said says tell told describe described mention
    mentioned ask asked asks want wants wanted need needs needed require requires required wish try tried
    tries attempt attempted experience experiencing encounter encountering face facing unable cannot fail
    failed fails failing work working help assist assistance support resolve resolved unresolved fix fixed
    solve solved step steps troubleshoot troubleshooting follow followed provide provided email mail
    address human agent team technical specialist escalate escalated escalation hand handed transfer
    transferred please still also already since after before during summary details urgent high medium low
    priority persist persists continue continues
"""


def problems_of(call: Call, wanted: Mapping[str, Any], rules: EscalationRules, scene: Scene) -> list[str]:
    """Everything that is wrong with the arguments of one hand-over call, in words; empty when it is right."""
    if call.problem:
        return [call.problem]
    found = [str(mismatch) for mismatch in [matches_object(wanted, call.arguments)] if mismatch]
    ticket, given = rules.ticket, call.arguments
    if ticket.email:
        found += _email_problems(ticket.email, given, users_words(scene, call.turn))
    if ticket.summary:
        found += _summary_problems(ticket.summary, given, talk_until(scene, call))
    if ticket.priority:
        found += _priority_problems(ticket.priority, given, users_words(scene, call.turn))
    return found


def users_words(scene: Scene, turn: int) -> list[str]:
    """What the user said up to and with a turn, what stood on the thread before included."""
    before = [message.text for message in scene.trace.history if message.role == "user"]
    return [*before, *(each.user.text for each in scene.trace.turns[: turn + 1])]


def talk_until(scene: Scene, call: Call) -> Evidence:
    """All that was said, found and answered up to a call, to be asked what supports its summary."""
    return Evidence(_passages(scene, call))


def _passages(scene: Scene, call: Call) -> Iterator[Passage]:
    for message in scene.trace.history:
        yield Passage(message.text, message.role, source="user")
    for index, turn in enumerate(scene.trace.turns[: call.turn + 1]):
        yield Passage(turn.user.text, "user", source="user")
        for other in turn.tool_calls:
            if other.id == call.call.id:
                return
            yield from (Passage(result.text, result.filename) for result in other.results if result.text)
            yield Passage(f"{other.arguments}\n{other.output or ''}", other.name, source="tool")
        if index < call.turn:
            yield Passage(turn.answer, "assistant", source="user")


# --- e-mail address ------------------------------------------------------------------------------------

_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")


def addresses_in(texts: Sequence[str]) -> list[str]:
    """The e-mail addresses that texts hold, as they are written, in order."""
    return list(dict.fromkeys(found for text in texts for found in _ADDRESS.findall(text)))


def _email_problems(argument: str, given: Mapping[str, Any], said: Sequence[str]) -> Iterator[str]:
    value = given.get(argument)
    known = addresses_in(said)
    if not isinstance(value, str) or not value.strip():
        yield f"{argument} is missing" + (f", the user gave {known[-1]!r}" if known else "")
    elif value.strip().casefold() not in {address.casefold() for address in known}:
        told = f"the user gave {' and '.join(map(repr, known[:_NAMED]))}" if known else "the user gave none"
        yield f"{argument} is {value!r}, {told}"


# --- summary -------------------------------------------------------------------------------------------


def _summary_problems(argument: str, given: Mapping[str, Any], talk: Evidence) -> Iterator[str]:
    value = given.get(argument)
    if not isinstance(value, str) or not value.strip():
        yield f"{argument} is missing"
        return
    told = content_words(value)
    own = [word for word in told if not word.stands_in(_common())]
    if len(told) < _LEAST_WORDS or not own:
        yield f"{argument} says nothing of this talk: {value!r}"
        return
    yield from (f"{argument} tells of {each}, which was not said" for each in _made_up(value, talk))
    missing = [word.name for word in own if not talk.holds(word)]
    if len(missing) > (1 - ENOUGH) * len(own):
        listed = ", ".join(missing[:_NAMED])
        yield f"{argument} tells of what was not said in the talk ({listed})"


def _made_up(summary: str, talk: Evidence) -> Iterator[str]:
    """Numbers and addresses of a summary that nobody gave."""
    known = {number.value for unit in talk.units for number in facts.numbers(unit.text)}
    known |= {value for unit in talk.units for value in facts.spelt_numbers(unit.text)}
    for number in dict.fromkeys(facts.numbers(summary)):
        if number.value not in known:
            yield str(number)
    said = " ".join(passage.text for passage in talk.passages).casefold()
    yield from (address for address in sorted(facts.addresses(summary)) if address not in said)


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    return frozenset(facts.stems_of_text(_OF_REPORTS))


# --- priority ------------------------------------------------------------------------------------------


def right_priority(priority: TicketPriority, said: Sequence[str]) -> tuple[int, PriorityRule] | None:
    """The rule that decides, and its place from 0; None when none holds."""
    text = "\n".join(said)[:_SEARCHED]
    return next(((place, rule) for place, rule in enumerate(priority.rules) if _holds(rule, text)), None)


def _holds(rule: PriorityRule, text: str) -> bool:
    folded = fold(text)
    named = any(_stands_in(phrase, folded) for phrase in rule.mentions)
    return rule.always or named or (rule.matches is not None and bool(re.search(rule.matches, text)))


def _stands_in(phrase: str, folded: str) -> bool:
    spelt = r"\s+".join(map(re.escape, fold(phrase).split()))
    return bool(spelt) and re.search(rf"(?<!\w){spelt}(?!\w)", folded) is not None


def _priority_problems(
    priority: TicketPriority, given: Mapping[str, Any], said: Sequence[str]
) -> Iterator[str]:
    found = right_priority(priority, said)
    if found is None:
        return
    place, rule = found
    value = given.get(priority.argument)
    if value not in rule.right:
        shown = "missing" if value is None else repr(value)
        right = " or ".join(map(repr, rule.right))
        yield f"{priority.argument} is {shown}, by rule {place + 1} of the suite it is {right}"
