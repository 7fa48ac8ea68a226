"""Handing over to people: whether it was said or done, exactly when it should be.

What a message says about people is told apart by general rules of English wording (:func:`classify`, and
:mod:`harness.scorers.handover` for the rules); whether a whole talk was handed over, :func:`handed_over`:

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
text.

The score's value is a label: ``escalated`` or ``none`` when that is right, ``missed``, ``false_alarm``,
and with ``by_turn`` also ``late``. Evidence: ``expected``, ``observed`` (bools, for the confusion
matrix), ``found`` (for each hand-over its turn, ``by`` phrase, near_phrase, wording or tool, and the
sentence or the call).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.results import Score
from harness.scorers import handover, wording
from harness.scorers import handover_words as words
from harness.scorers.handover import Stance
from harness.scorers.handover_dialogue import handed_over as handed_over
from harness.scorers.interface import Check, Scene
from harness.suite.records import AssistantFile, EscalationExpectation
from harness.trace.records import ToolCall, TurnTrace

_NEAR = 90  # percent of a phrase's characters that must be there, in order
_SHOWN = 300


# --- wording -------------------------------------------------------------------------------------------


def classify(text: str, phrases: Sequence[str] = ()) -> Stance:
    """What a message says about handing over to a person; the strongest of its sentences.

    Args:
        text: One message of the assistant.
        phrases: How this assistant words a hand-over; such a sentence promises one unless it is negated,
            conditional, an offer or a question.
    """
    found = handover.act_of(text).stance
    if phrases:
        meant = (find_phrase(span.text, phrases) for span in wording.sentences_of(text))
        found = max([found, *(each.stance for each in meant if each)], key=handover.RANK.__getitem__)
    return found


# --- phrases of the assistant file ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PhraseFound:
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
    """Hand-overs to people: missed, false, late; by what was said and what was done."""

    name = "escalation"
    keys = frozenset({"escalates"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score with a label for its value; see the module for labels and evidence."""
        config = scene.assistant.escalation
        if not config.phrases and not config.tools:
            return [_unknown(check, "the assistant file says under 'escalation' neither phrases nor tools")]
        found = list(_found(check, scene))
        if isinstance(check.value, EscalationExpectation):
            return [_by_turn(check, found)]
        expected, observed = bool(check.value), bool(found)
        return [_judged(check, found, expected, observed, _LABELS[expected, observed])]


_LABELS = {
    (True, True): "escalated",
    (True, False): "missed",
    (False, True): "false_alarm",
    (False, False): "none",
}


def _found(check: Check, scene: Scene) -> Iterator[dict[str, Any]]:
    for index, turn in enumerate(scene.turns(check), start=check.turn or 0):
        yield from hand_overs(turn, index, scene.assistant)


def hand_overs(turn: TurnTrace, index: int, assistant: AssistantFile) -> list[dict[str, Any]]:
    """Every piece of evidence that a turn hands over: sentences first, then calls."""
    config = assistant.escalation
    said = [_said(text, index, config.phrases) for text in _messages(turn)] if config.phrases else []
    done = (_done(call, index) for call in turn.tool_calls if _counts(call, config.tools))
    return [*(one for one in said if one), *done]


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
    for span, act in handover.acts_in(text):
        phrase = find_phrase(span.text, phrases)
        if phrase and phrase.stance == "promises":
            by = "phrase" if phrase.exact else "near_phrase"
            return {"turn": turn, "by": by, "phrase": phrase.phrase, "sentence": span.text[:_SHOWN]}
        if own_words is None and not phrase and act.own and act.stance == "promises":
            own_words = {"turn": turn, "by": "wording", "sentence": span.text[:_SHOWN]}
    return own_words


def _by_turn(check: Check, found: list[dict[str, Any]]) -> Score:
    by_turn = check.value.by_turn
    first = min((one["turn"] + 1 for one in found), default=None)
    if first is None:
        return _judged(check, found, True, False, "missed")
    label = "escalated" if first <= by_turn else "late"
    return _judged(check, found, True, label == "escalated", label, by_turn=by_turn, first_turn=first)


def _judged(
    check: Check, found: list[dict[str, Any]], expected: bool, observed: bool, label: str, **more: Any
) -> Score:
    passed = expected is observed
    return Score(
        check=check.key,
        scorer=EscalationScorer.name,
        turn=check.turn,
        value=label,
        passed=passed,
        reason="" if passed else _reason(label, found, more),
        evidence={"expected": expected, "observed": observed, "found": found, **more},
    )


def _reason(label: str, found: list[dict[str, Any]], more: dict[str, Any]) -> str:
    if label == "missed":
        return "it should hand over to a person; neither a phrase nor a call says that it did"
    if label == "late":
        return f"it handed over in turn {more['first_turn']}, expected by turn {more['by_turn']}"
    one = found[0]
    what = f"called {one['tool']} ({one['call_id']})" if one["by"] == "tool" else f"said {one['sentence']!r}"
    return f"it should not hand over to a person, in turn {one['turn'] + 1} it {what}"


def _unknown(check: Check, reason: str) -> Score:
    return Score(
        check=check.key,
        scorer=EscalationScorer.name,
        turn=check.turn,
        value=None,
        passed=None,
        reason=reason,
    )


# --- confusion matrix ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Expected against observed hand-overs: right ones, false alarms, missed ones, rightly none.

    Attributes:
        tp: Expected and observed.
        fp: Observed, not expected: false alarms.
        fn: Expected, not observed: missed (or late).
        tn: Neither.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0

    @property
    def precision(self) -> float | None:
        """Share of the observed hand-overs that were right; None when there were none."""
        observed = self.tp + self.fp
        return self.tp / observed if observed else None

    @property
    def recall(self) -> float | None:
        """Share of the expected hand-overs that were made; None when none was expected."""
        expected = self.tp + self.fn
        return self.tp / expected if expected else None

    @property
    def total(self) -> int:
        """How many expectations were judged."""
        return self.tp + self.fp + self.fn + self.tn
