"""Handing over to people: whether it was said or done, exactly when it should be.

What a message says about people is told apart by general rules of English wording and a model that learnt it
from labelled messages (:func:`classify`; :mod:`harness.scorers.stances` hears both); whether a whole talk was
handed over, :func:`handed_over`:

===========  ===============================================================================
none         no hand-over; people may be mentioned in passing
refuses      says that it does not or cannot hand over
recommends   tells the user to contact someone
offers       would hand over if the user wishes, or under a condition
promises     hands over now, or says that it did: the only class that counts as an escalation
===========  ===============================================================================

A turn escalates by text when a sentence holds a phrase of the assistant file (exactly, or nearly so) or
promises a hand-over in the first person, and by action when a function of the assistant file was called
without error. An assistant file without phrases takes only actions as evidence, one without tools only
text, unless the expectation says what it wants to see.

The score's value is a label: ``escalated`` or ``none`` when all is right, otherwise the gravest kind of
error (:mod:`harness.scorers.handover_findings`). Evidence: ``expected`` (None where the suite leaves it
open), ``observed`` (for the confusion matrix), ``found`` (for each hand-over its turn, ``by`` phrase,
near_phrase, wording or tool, and the sentence or the call), ``findings`` (``kind``, ``why``, whether it
``fails`` the expectation or is only noted, ``cost``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from harness.results import Score
from harness.scorers import handover, stances, tickets, wording
from harness.scorers import handover_words as words
from harness.scorers.calls import function_calls
from harness.scorers.confusion import ConfusionMatrix as ConfusionMatrix
from harness.scorers.handover import Stance
from harness.scorers.handover_dialogue import handed_over as handed_over
from harness.scorers.handover_findings import Finding, Seen, findings_of, first_turn, relevant
from harness.scorers.interface import Check, Scene, scored, unscored
from harness.suite.escalation import NO_RULES, EscalationExpectation, EscalationRules, Expected
from harness.suite.records import AssistantFile
from harness.trace.records import ToolCall, TurnTrace

_NEAR = 90  # percent of a phrase's characters that must be there, in order
_SHOWN = 300


# --- wording -------------------------------------------------------------------------------------------


def classify(text: str, phrases: Sequence[str] = ()) -> Stance:
    """What a message says about handing over to a person; the strongest of its sentences.

    At most 60,000 characters are looked at: what a longer message says after them is not known.

    Args:
        text: One message of the assistant.
        phrases: How this assistant words a hand-over; such a sentence promises one unless it is negated,
            conditional, an offer or a question.

    Raises:
        TypeError: The message is no text.
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a text, '' where nothing was said, not {type(text).__name__}")
    found = stances.act_of(text).stance
    if phrases:
        meant = (find_phrase(span.text, phrases) for span in wording.sentences_of(text))
        found = max([found, *(each.stance for each in meant if each)], key=handover.RANK.__getitem__)
    return found


# --- phrases of the assistant file ---------------------------------------------------------------------


class PhraseFound(msgspec.Struct, frozen=True):
    """A phrase of the assistant file in a sentence: which one, how near, and how it is meant."""

    phrase: str
    exact: bool
    stance: Stance


def find_phrase(sentence: str, phrases: Sequence[str]) -> PhraseFound | None:
    """The first of these phrases that a sentence holds, exactly before nearly; None when it holds none."""
    text, question = wording.bare(sentence), wording.is_question(sentence)
    for phrase in phrases:
        wanted = wording.bare(phrase)
        match = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text) if wanted else None
        if match:
            stance = _phrase_stance(text, match.start(), match.end(), question, wanted)
            return PhraseFound(phrase, True, stance)
    for phrase in phrases:
        found = _nearly(text, wording.bare(phrase))
        if found:
            stance = _phrase_stance(text, *found, question, wording.bare(phrase))
            return PhraseFound(phrase, False, stance)
    return None


def _nearly(text: str, phrase: str) -> tuple[int, int] | None:
    """Where a text holds nearly this phrase; a text much shorter than the phrase holds none."""
    from rapidfuzz import fuzz

    if len(phrase) < 8 or len(text) < 0.9 * len(phrase):
        return None
    found = fuzz.partial_ratio_alignment(phrase, text, score_cutoff=_NEAR)
    return (found.dest_start, found.dest_end) if found else None


def _phrase_stance(text: str, start: int, end: int, question: bool, phrase: str) -> Stance:
    """How a phrase is meant: a near match may have slipped in a "not" or a "can"."""
    found = text[start:end]
    if _slipped_in(words.NEGATION, found, phrase):
        return "refuses"
    if _slipped_in(words.ABILITY, found, phrase):
        return "offers"
    return handover.stance_of_phrase(text, start, end, question=question)


def _slipped_in(pattern: re.Pattern[str], found: str, phrase: str) -> bool:
    return bool(pattern.search(found)) and not pattern.search(phrase)


# --- scoring -------------------------------------------------------------------------------------------


class EscalationScorer:
    """Hand-overs to people: whether, when and how; by what was said and what was done."""

    name = "escalation"
    keys = frozenset({"escalates"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score with a label for its value; see the module for labels and evidence."""
        config = scene.assistant.escalation
        if not config.phrases and not config.tools:
            return [
                unscored(
                    check, self.name, "the assistant file says under 'escalation' neither phrases nor tools"
                )
            ]
        wanted, rules = wanted_of(check.value), scene.conversation.escalation or NO_RULES
        seen = _seen(check, scene, wanted, rules)
        return [_judged(check, wanted, seen, rules)]


def wanted_of(value: Any) -> EscalationExpectation:
    """What an expectation asks for, however short the suite writes it."""
    if isinstance(value, EscalationExpectation):
        return value
    return EscalationExpectation(expected=_SHORT.get(value, value))


_SHORT: dict[bool, Expected] = {True: "must", False: "must_not"}


def _seen(check: Check, scene: Scene, wanted: EscalationExpectation, rules: EscalationRules) -> Seen:
    config = scene.assistant.escalation
    any_wording = wanted.evidence in ("phrase", "both")
    first = check.turn or 0
    turns = list(enumerate(scene.turns(check), start=first))
    said = [one for index, turn in turns for one in _sayings(turn, index, config.phrases, any_wording)]
    calls = [call for call in function_calls(check, scene) if _counts(call.call, config.tools)]
    whole = scene.trace.turns
    return Seen(
        said=said,
        done=[_done(call.call, call.turn) for call in calls],
        calls=[call.call for call in calls],
        wrong=[tickets.problems_of(call, wanted.with_, rules, scene) for call in calls],
        # reading all turns again costs time: only where a call stands alone does it matter
        said_ever=bool(said)
        or (bool(calls) and any(_sayings(turn, 0, config.phrases, any_wording) for turn in whole)),
        done_ever=any(_counts(call, config.tools) for turn in whole for call in turn.tool_calls),
        can_say=bool(config.phrases),
        can_do=bool(config.tools),
    )


def hand_overs(turn: TurnTrace, index: int, assistant: AssistantFile) -> list[dict[str, Any]]:
    """Every piece of evidence that a turn hands over: sentences first, then calls."""
    config = assistant.escalation
    done = (_done(call, index) for call in turn.tool_calls if _counts(call, config.tools))
    return [*_sayings(turn, index, config.phrases), *done]


def _sayings(
    turn: TurnTrace, index: int, phrases: Sequence[str], any_wording: bool = False
) -> list[dict[str, Any]]:
    """What each message of a turn says to hand over; nothing where only calls are evidence."""
    if not phrases and not any_wording:
        return []
    said = (_said(text, index, phrases) for text in _messages(turn))
    return [one for one in said if one]


def _messages(turn: TurnTrace) -> Iterable[str]:
    return (message.text for message in turn.messages if message.role == "assistant")


def _counts(call: ToolCall, tools: Sequence[str]) -> bool:
    return call.type == "function" and call.name in tools and call.error is None


def _done(call: ToolCall, turn: int) -> dict[str, Any]:
    arguments = call.arguments[:_SHOWN]
    return {"turn": turn, "by": "tool", "tool": call.name, "call_id": call.id, "arguments": arguments}


def _said(text: str, turn: int, phrases: Sequence[str]) -> dict[str, Any] | None:
    """The sentence of a message that hands over: a phrase of the file before other wording.

    Documents say "someone will contact you" too; of other wording only what the assistant does itself counts.
    """
    own_words = None
    for span, act in stances.acts_in(text):
        phrase = find_phrase(span.text, phrases)
        if phrase and phrase.stance == "promises":
            by = "phrase" if phrase.exact else "near_phrase"
            return {"turn": turn, "by": by, "phrase": phrase.phrase, "sentence": span.text[:_SHOWN]}
        if own_words is None and not phrase and act.own and act.stance == "promises":
            own_words = {"turn": turn, "by": "wording", "sentence": span.text[:_SHOWN]}
    return own_words


def _judged(check: Check, wanted: EscalationExpectation, seen: Seen, rules: EscalationRules) -> Score:
    findings, when = findings_of(wanted, seen), first_turn(wanted, seen)
    failing = [each for each in findings if each.fails]
    open_ended = wanted.expected == "may"
    handed_over = _is_handed_over(wanted, seen)
    in_time = not any(each.kind == "late" for each in failing)
    evidence: dict[str, Any] = {
        "expected": None if open_ended else wanted.expected == "must",
        "observed": handed_over and in_time,
        "found": [*seen.said, *seen.done],
    }
    if wanted.by_turn is not None and when is not None:
        evidence |= {"by_turn": wanted.by_turn, "first_turn": when}
    label = failing[0].kind if failing else "escalated" if handed_over else "none"
    reason = "; ".join(each.why for each in failing)
    evidence["findings"] = [_shown(each, rules) for each in findings]
    return scored(check, EscalationScorer.name, label, not failing, reason, **evidence)


def _is_handed_over(wanted: EscalationExpectation, seen: Seen) -> bool:
    """Whether it happened; where both are wanted, what was done counts, told or not."""
    if wanted.expected == "must_not":
        return bool(relevant(wanted, seen))
    return bool(seen.done) if wanted.evidence == "both" else first_turn(wanted, seen) is not None


def _shown(finding: Finding, rules: EscalationRules) -> dict[str, Any]:
    cost = rules.costs.of(finding.kind) if finding.fails else 0.0
    return {"kind": finding.kind, "why": finding.why, "fails": finding.fails, "cost": cost}
