"""Memory: what the user told in an earlier turn is used, and not asked for again.

``remembers.used`` is the share of the facts that must be used and are: the answer says them, or a function
call has them among its arguments; all of them must. ``remembers.not_asked`` says whether no question and no
request of the answer names what the user had told already; a sentence that says the fact itself only confirms
it. At a conversation every turn after the one that tells a fact counts.

A fact that the user did not tell, as when a simulated user said something else, can't be remembered: the
score has no value then. Evidence: ``facts`` (value, the turn that told it, where it is used), ``asked``
(turn and sentence).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.results import Score
from harness.scorers import calls
from harness.scorers.answers import says
from harness.scorers.interface import Check, Scene, scored, unscored
from harness.scorers.markers import without_markers
from harness.scorers.wording import bare, is_question, sentences_of
from harness.suite.records import Remembered
from harness.trace.records import TurnTrace

_SHOWN = 160
_REQUEST = re.compile(
    r"\b(?:please (?:\w+ ){0,2}(?:provide|tell|send|share|give|enter|confirm|specify|include|let me know)|"
    r"(?:can|could|would|will|may|might) (?:you|i) (?:please |kindly |also )*(?:provide|tell|send|share|give|"
    r"confirm|specify|have|get|ask|know)|(?:i|we) (?:\w+ ){0,2}(?:need|require|have to know|must know)|"
    r"what is your|which \w+|let me know (?:your|what|which)|i am (?:still )?missing|reply with|"
    r"provide (?:me|us|your)|send (?:me|us) your|tell (?:me|us) your)\b"
)


@dataclass(frozen=True, slots=True)
class _Told:
    """A fact, and where the talk stands with it.

    Attributes:
        fact: As the suite has it.
        turn: Index of the turn that told it; -1 for the history, None when nobody did.
        later: The turns of the check that come after, by their index.
    """

    fact: Remembered
    turn: int | None
    later: tuple[tuple[int, TurnTrace], ...]


class MemoryScorer:
    """Facts from earlier turns that are used, or not asked for again."""

    name = "memory"
    keys = frozenset({"remembers"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """``remembers.used`` and ``remembers.not_asked``, as far as the suite asks for them."""
        told = [_told(fact, check, scene) for fact in check.value]
        used = [one for one in told if one.fact.used]
        not_asked = [one for one in told if one.fact.not_asked]
        scores = [_used(check, scene, used)] if used else []
        return [*scores, _asked(check, not_asked)] if not_asked else scores


# --- who told what -------------------------------------------------------------------------------------


def _told(fact: Remembered, check: Check, scene: Scene) -> _Told:
    turns = scene.trace.turns
    last = len(turns) if check.turn is None else check.turn
    tellers = [at for at in range(-1, last) if _is_meant(fact, at) and _tells(fact, at, scene)]
    if not tellers:
        return _Told(fact, None, ())
    later = range(tellers[0] + 1, last) if check.turn is None else range(check.turn, check.turn + 1)
    return _Told(fact, tellers[0], tuple((at, turns[at]) for at in later))


def _is_meant(fact: Remembered, at: int) -> bool:
    return fact.from_ is None or fact.from_ == at + 1


def _tells(fact: Remembered, at: int, scene: Scene) -> bool:
    """Whether the user says the fact in a turn; in the history for -1."""
    history = [message.text for message in scene.trace.history if message.role == "user"]
    return any(_mentions(fact, text) for text in (history if at < 0 else [scene.trace.turns[at].user.text]))


def _mentions(fact: Remembered, text: str) -> bool:
    return any(says(form, text) for form in (fact.value, *fact.also))


def _unknown(told: Sequence[_Told]) -> str | None:
    """Why memory can't be judged."""
    for one in told:
        if one.turn is None:
            where = "no earlier turn" if one.fact.from_ is None else f"not turn {one.fact.from_}"
            where = "not the history" if one.fact.from_ == 0 else where
            return f"there was nothing to remember: {where} says {one.fact.value!r}"
        if not one.later:
            return f"no turn came after the one that says {one.fact.value!r}"
    return None


# --- used ----------------------------------------------------------------------------------------------


def _used(check: Check, scene: Scene, told: Sequence[_Told]) -> Score:
    why_not = _unknown(told)
    if why_not:
        return unscored(check, MemoryScorer.name, why_not, part="used")
    facts = [_place(one, scene) for one in told]
    missing = [fact for fact in facts if fact["used_in"] is None]
    share = round(1 - len(missing) / len(facts), 4)
    listed = ", ".join(f"{fact['value']!r} (told in {_turn_name(fact['told'])})" for fact in missing)
    why = f"not used: {listed}"
    return scored(check, MemoryScorer.name, share, not missing, why, part="used", facts=facts)


def _turn_name(turn: int) -> str:
    return "the history" if turn < 0 else f"turn {turn + 1}"


def _place(one: _Told, scene: Scene) -> dict[str, Any]:
    found = next(_uses(one, scene), (None, None))
    return {"value": one.fact.value, "told": one.turn, "used_in": found[0], "turn": found[1]}


def _uses(one: _Told, scene: Scene) -> Iterator[tuple[str, int]]:
    for at, turn in one.later:
        if one.fact.used != "calls" and _mentions(one.fact, without_markers(turn.answer)):
            yield "answer", at
        if one.fact.used == "answer":
            continue
        for call in calls.function_calls(Check("calls", (), at), scene):
            if any(_mentions(one.fact, text) for text in _texts(call.arguments)):
                yield call.call.name, at


def _texts(value: Any) -> Iterator[str]:
    """Every plain value in the arguments of a call, as text."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


# --- asked again ---------------------------------------------------------------------------------------


def _asked(check: Check, told: Sequence[_Told]) -> Score:
    why_not = _unknown(told)
    if why_not:
        return unscored(check, MemoryScorer.name, why_not, part="not_asked")
    asked = [question for one in told for question in _questions(one)]
    first = (
        f"{asked[0]['value']!r} was told, and is asked for again: {asked[0]['sentence']!r}" if asked else ""
    )
    return scored(check, MemoryScorer.name, not asked, not asked, first, part="not_asked", asked=asked)


def _questions(one: _Told) -> Iterator[dict[str, Any]]:
    for at, turn in one.later:
        for span in sentences_of(turn.answer):
            named = any(says(name, span.text) for name in one.fact.not_asked)
            if named and _asks(span.text) and not _mentions(one.fact, span.text):
                short = " ".join(span.text.split())[:_SHOWN]
                yield {"value": one.fact.value, "turn": at, "sentence": short}


def _asks(sentence: str) -> bool:
    return is_question(sentence) or _REQUEST.search(bare(sentence)) is not None
