"""Whether a whole talk was handed over to a person, told from its messages alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from harness.scorers import handover, stances, wording
from harness.scorers import handover_words as words
from harness.text import late
from harness.trace.records import Message


class _Said(msgspec.Struct, frozen=True):
    role: str
    text: str


def handed_over(messages: Sequence[Mapping[str, Any] | Message]) -> bool:
    """Whether the assistant handed over: it promised to, or the user clearly accepted its offer.

    A promise still to come that the user turns down at once does not count, an acceptance that the assistant
    then refuses does not either. An offer stands: a talk that ends with the user coming back to it is handed
    over. A request of the user alone is no hand-over.

    Args:
        messages: In order; mappings with ``role`` and ``content`` (a string, None, or a list of parts with
            ``text``), or messages of a trace. Only ``assistant`` and ``user`` are read.

    Raises:
        TypeError: These are no messages.
    """
    _check(messages)
    talk = [said for said in map(_said, messages) if said.role in {"assistant", "user"} and said.text.strip()]
    offered = False
    for index, said in enumerate(talk):
        answer = _next(talk, index)
        if said.role == "assistant":
            act = stances.act_of(said.text)
            offered = offered or act.stance == "offers"
            if _goes_through(act, said.text, answer, _next(talk, index + 1), offered=offered):
                return True
            offered = offered and not _turns_down(answer)
        elif offered and asks_for_person(said.text) and (answer is None or _only_holds(answer)):
            return True
    return False


def _goes_through(
    act: handover.Act, text: str, answer: _Said | None, later: _Said | None, *, offered: bool
) -> bool:
    """Whether a message hands over, given what the user answers and the assistant says after that."""
    if act.stance == "promises":
        begun = act.words.partition(" ")[0].endswith("ing")
        return not (
            (act.pending or begun)
            and (_turns_down(answer) or _refused(answer) or _refused(later) or _goes_on(act, later))
        )
    taken = _accepts(answer, text) if act.stance == "offers" else offered and _agrees_again(answer, text)
    return taken and not _refused(later)


def _goes_on(act: handover.Act, later: _Said | None) -> bool:
    """Whether the assistant, instead of passing the user on, goes on with a question of its own."""
    if later is None or later.role != "assistant" or not _PASSES_USER.search(act.words):
        return False
    told = stances.acts_in(later.text)
    if any(each.stance in ("promises", "offers") for _, each in told):
        return False
    asked = [words.clausal(span.text) for span, _ in told if wording.is_question(span.text)]
    return any(not _ANYTHING_ELSE.search(question) for question in asked)


_PASSES_USER = late(r"\b(?:transfer|connect|put|hand|patch|pass)\w* you\b")
_ANYTHING_ELSE = late(r"\b(?:anything|something|any other|further|more)\b")


def _only_holds(said: _Said) -> bool:
    """Whether the assistant only asks to wait, or says that it does so."""
    read = _read(said.text)
    return said.role == "assistant" and bool(_HOLDS.fullmatch(read))


_HOLDS = late(
    r"(?:(?:ok|okay|sure|of course|certainly|alright|all right|right away|understood|absolutely|thank you|"
    r"thanks|great|yes|no problem|(?:just )?(?:one|a) (?:moment|second|minute)|please (?:hold(?: on)?|wait|"
    r"stay on the line|bear with me)|hold on|for (?:your patience|waiting|holding)|please)[ ,|]*)+"
)


def _check(messages: object) -> None:
    if not isinstance(messages, Sequence) or isinstance(messages, (str, bytes)):
        raise TypeError(f"messages must be a list of messages, not {type(messages).__name__}")
    for index, message in enumerate(messages):
        if not isinstance(message, (Mapping, Message)):
            told = type(message).__name__
            raise TypeError(f"messages[{index}] must be a mapping with 'role' and 'content', not {told}")


def _said(message: Mapping[str, Any] | Message) -> _Said:
    if isinstance(message, Message):
        return _Said(message.role, message.text)
    return _Said(str(message.get("role", "")), _text_of(message.get("content")))


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "\n".join(_value(part) for part in parts)


def _value(text: Any) -> str:
    """The text of a part: plain, or under ``value`` as messages of the Assistants API hold it."""
    inner = text.get("value") if isinstance(text, Mapping) else text
    return inner if isinstance(inner, str) else ""


def _next(talk: Sequence[_Said], index: int) -> _Said | None:
    return talk[index + 1] if index + 1 < len(talk) else None


def _refused(said: _Said | None) -> bool:
    """Whether the assistant says that it does not hand over; it may tell whom to ask instead."""
    if said is None or said.role != "assistant":
        return False
    stances_said = {act.stance for _, act in stances.acts_in(said.text)}
    return "refuses" in stances_said and stances_said.isdisjoint({"offers", "promises"})


# --- what the user answers -----------------------------------------------------------------------------

_YES = late(
    r"^(?:(?:oh|ok|okay|well|hmm|i guess so|i think so|great|thanks|thank you|alright|all right|fine|in "
    r"that case|"
    r"if that is the only (?:way|option)|if so|then|good) ?[,|]? ?)*"
    r"(?:yes|y|yeah|obviously|naturally|affirmative|i would appreciate|"
    r"yep|yup|ya|sure|absolutely|definitely|certainly|of course|please|ok|okay|alright|all "
    r"right|"
    r"go ahead|do it|do that|do so|proceed|by all means|sounds good|that works|fine|correct|indeed|why not|"
    r"i (?:would|do|agree|confirm|accept|guess so|think so|suppose so)|let us do (?:that|it)|"
    r"(?:that|it|this) (?:would|will|is|sounds) (?:be )?(?:great|good|fine|ok|okay|nice|perfect|helpful|"
    r"lovely|"
    r"wonderful|all ?right)|that would help)\b"
)
_NO = late(
    r"\b(?:no|nope|nah|not now|not yet|not right now|not necessary|not needed|do not|never ?mind|rather not|"
    r"no thanks|not interested|forget it|cancel that|without a transfer|hold on|stop)\b"
)
_TAKES_BACK = late(
    r"\b(?:no thanks|no thank you|not (?:now|yet|right now)|do not (?:want|need|transfer|bother|connect)|"
    r"never ?mind|"
    r"rather not|without|but no|, no)\b"
)
_ASKS = late(
    r"\b(?:transfer|connect|put|hand|pass|escalat\w*|forward) (?:me|this|it|us|my \w+)\b(?! from)|"
    r"\b(?:speak|talk|chat) (?:to|with) |\b(?:get|give|arrange|bring|call|send|find)\b (?:me )?|"
    r"\b(?:want|need|prefer|like|take|choose)\b|\bthe transfer\b|\btransfer (?:to|please)\b|"
    r"\b(?:human|agent|person|representative|supervisor|manager)(?: please)?$"
)
_PERSON_MEANT = late(
    rf"{words.DETERMINED}|\b(?:the|that|this|an?|your) (?:[\w'-]+ )?(?:transfer|escalation|call ?back)\b|"
    r"\b(?:transfer|connect|escalate|put) (?:me|this|it)\b|\b(?:human|person|agent|representative)\b"
)
_OTHER_CHOICE = late(r"\bor\b")


def asks_for_person(text: str) -> bool:
    """Whether a user asks to be handed over, and does not say the opposite."""
    return any(
        _PERSON_MEANT.search(part) and _ASKS.search(part) and not _NO.search(part) for part in _parts(text)
    )


def _turns_down(answer: _Said | None) -> bool:
    if answer is None or answer.role != "user":
        return False
    read = _read(answer.text)
    return bool(
        re.match(
            r"(?:no\b|nope|wait\b|hold on\b|never ?mind|please do not|do not|stop\b|i do not want)", read
        )
    )


def _accepts(answer: _Said | None, offer: str) -> bool:
    """Whether the answer to an offer is a clear yes to the hand-over, and not to something else in it."""
    if answer is None or answer.role != "user":
        return False
    if asks_for_person(answer.text):
        return True
    return _says_yes(answer.text) and _asks_about_it(offer)


def _agrees_again(answer: _Said | None, asked: str) -> bool:
    """Whether the answer is a yes to a message that only asks again about what was offered before."""
    if answer is None or answer.role != "user" or not _says_yes(answer.text):
        return False
    told = stances.acts_in(asked)
    questions = [span.text for span, _ in told if wording.is_question(span.text)]
    again = bool(questions) and handover.asks_consent(questions[-1]) and "confirm" not in questions[-1]
    return again and not any(_proposes(span.text) for span, _ in told)


def _says_yes(text: str) -> bool:
    """Whether a yes comes before any no, within the first sentences, and goes on with no other wish."""
    if _NODS.fullmatch(text.strip()):
        return True
    for sentence in _read(text).split(" | ")[:_SENTENCES_TO_YES]:
        if _YES.match(sentence):
            return not _TAKES_BACK.search(sentence) and not _picks_other(sentence)
        if _NO.search(sentence):
            return False
    return False


_SENTENCES_TO_YES = 3
_NODS = late(
    "(?:[\N{THUMBS UP SIGN}\N{OK HAND SIGN}\N{WHITE HEAVY CHECK MARK}]"
    "[\N{VARIATION SELECTOR-16}\U0001f3fb-\U0001f3ff]*)+"
)


def _asks_about_it(offer: str) -> bool:
    """Whether a bare yes can only mean the hand-over: the last question or proposal is about it."""
    told = stances.acts_in(offer)
    asked = [(span, act) for span, act in told if wording.is_question(span.text)]
    if asked and asked[-1][1].stance == "offers":
        return not _OTHER_CHOICE.search(words.clausal(asked[-1][0].text))
    if asked and not handover.asks_consent(asked[-1][0].text):
        return False
    proposals = [(span, act) for span, act in told if act.stance != "none" or _proposes(span.text)]
    if not proposals or proposals[-1][1].stance != "offers":
        return False
    return bool(asked) or not _depends_on_events(proposals[-1][0].text)


def _depends_on_events(sentence: str) -> bool:
    """Whether an offer waits for something else than the user's wish: "if it is still slow"."""
    return bool(_IF_EVENT.search(words.clausal(sentence)))


_IF_EVENT = late(
    r"\b(?:if|should|in case) (?:it|this|that|the|anything|something|nothing|none|these|those|any|your|you "
    r"(?:still |ever )?"
    r"(?:have|need|see|get))\b"
)


def _proposes(sentence: str) -> bool:
    return handover.proposes(sentence) and not wording.is_question(sentence)


def _picks_other(read: str) -> bool:
    """Whether a yes goes on with a wish of its own: "yes, the exercises"."""
    return bool(
        re.match(
            r"(?:yes|ok|okay|sure) ,? ?(?:the|just|cancel|refund|change|i (?:did|have|can|will|see))\b", read
        )
    )


def _parts(text: str) -> list[str]:
    return re.split(r" [|,] ", _read(text))


def _read(text: str) -> str:
    """All sentences of an answer in clausal form, a bar between them."""
    return " | ".join(words.clausal(span.text) for span in wording.sentences_of(text))
