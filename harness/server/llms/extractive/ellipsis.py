"""Follow-ups that only name what is different: "And for XLSX?" becomes the earlier question, about XLSX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.server.llms.extractive.lexicon import DATE, generic_stems
from harness.server.llms.extractive.talk import points_back
from harness.text import STOP_WORDS, content_stems, fold, words

_ELLIPSIS = re.compile(
    r"^(?:(?:ok(?:ay)?|thanks?|thank you|great|alright|hm+|well|fine|(?:back|hello|hi|me|here) "
    r"again)[,.!\s–-]*)*"
    r"(?:and|what about|how about|or)\s+(?:then\s+|also\s+)?(?P<rest>[^?.!\n]{1,60})[?.!\s]*$",
    re.IGNORECASE,
)
_WHOLE_QUESTION = re.compile(
    r"\b(?:how|what|when|where|who|why|which|is|are|do|does|did|can|could|will|would|may|should|"
    r"has|have|if|i|we|it|they|that)\b",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"^(for|on|in|with|at|by|from|to|of|about|during|after|per)\s+", re.IGNORECASE)


def expanded(said: str, earlier: Sequence[str], names: frozenset[str] = frozenset()) -> str | None:
    """The whole question that an elliptic message stands for; None when it is not elliptic.

    Args:
        said: The message.
        earlier: What the user said before, oldest first.
        names: Stems of names that are never exchanged: the company's.
    """
    resolved = _resolved(said, list(earlier[-6:]), names)
    return resolved[0] if resolved else None


def _resolved(said: str, earlier: list[str], names: frozenset[str]) -> tuple[str, str] | None:
    """The expanded message and the words that were put in."""
    match = _ELLIPSIS.match(said.strip())
    if match is None or not earlier or _WHOLE_QUESTION.search(match["rest"]):
        return None
    if not 1 <= len(content_stems(match["rest"])) <= 4:
        return None
    before = _resolved(earlier[-1], earlier[:-1], names)
    question, put_in = before or (_question_of(earlier[-1]), "")
    if re.match(r"(?:by|per|for each|each|every)\s", match["rest"], re.IGNORECASE):
        return f"{question.rstrip(' ?.!')} {match['rest']}?", match["rest"]
    span = _exchanged(question, match["rest"], put_in, names)
    if span is None:
        return None
    new = _PREPOSITION.sub("", match["rest"]).strip()
    whole = f"{question[: span[0]]}{new}{question[span[1] :]}"
    return re.sub(r"\b(the|an?) (?:the|an?)\b", r"\1", whole, flags=re.IGNORECASE), new


def _question_of(message: str) -> str:
    """The last sentence of a message that asks, else the message."""
    pieces = re.split(r"(?<=[.!?])\s+", message.strip())
    return next((piece for piece in reversed(pieces) if piece.endswith("?")), message.strip())


def _exchanged(question: str, rest: str, put_in: str, names: frozenset[str]) -> tuple[int, int] | None:
    """Where the words stand that the new ones take the place of."""
    if put_in and put_in in question:
        start = question.index(put_in)
        return start, start + len(put_in)
    preposition = _PREPOSITION.match(rest)
    core = _PREPOSITION.sub("", rest)
    for find in (_by_name, _by_head, _by_article):
        span = find(question, core, names)
        if span:
            return span
    span = _by_preposition(question, preposition.group(1)) if preposition else None
    return span or (None if points_back(question) else _last_word(question, core))


def _by_name(question: str, core: str, names: frozenset[str]) -> tuple[int, int] | None:
    """The last name of the same look, when the new words are one: XLSX for CSV, Business for Team."""
    new = next((w.text for w in words(core) if w.text[:1].isupper()), None)
    if new is None:
        return None
    old = [
        w
        for w in list(words(question))[1:]
        if w.text[:1].isupper() and len(w.text) > 1 and not set(content_stems(w.text)) & names
    ]
    alike = [w for w in old if w.text.isupper() == new.isupper()] or old
    return (alike[-1].start, alike[-1].end) if alike else None


def _by_head(question: str, core: str, names: frozenset[str]) -> tuple[int, int] | None:
    """The phrase with the same last word: "the invitation link" for "the reset link"."""
    spans = list(words(question))
    head = [w.text for w in words(fold(core))][-1:]
    for index in range(len(spans) - 1, 0, -1):
        before = spans[index - 1]
        if [fold(spans[index].text)] == head and fold(before.text) not in STOP_WORDS and " " in core:
            return before.start, spans[index].end
    return None


def _by_article(question: str, core: str, names: frozenset[str]) -> tuple[int, int] | None:
    """The last phrase with the same indefinite article: "a downgrade" for "an upgrade"."""
    if not re.match(r"an?\s", core, re.IGNORECASE):
        return None
    found = list(re.finditer(r"\ban? \w+(?: (?!(?:" + _BREAKS + r")\b)\w+)?", question, re.IGNORECASE))
    return found[-1].span() if found else None


_BREAKS = (
    "take|takes|cost|costs|get|have|has|be|is|are|work|works|last|need|needs|of|for|on|in|at|by|"
    "with|from|to|and|or|expire|expires"
)


def _by_preposition(question: str, preposition: str) -> tuple[int, int] | None:
    """What stands behind the same preposition."""
    found = list(
        re.finditer(
            rf"\b{preposition}\s+((?:(?!(?:{_BREAKS})\b)[\w'’-]+)(?:\s(?!(?:{_BREAKS})\b)[\w'’-]+){{0,3}})",
            question,
            re.IGNORECASE,
        )
    )
    return found[-1].span(1) if found else None


def _last_word(question: str, core: str) -> tuple[int, int] | None:
    """The last word that says what the question is about; a day makes room for nothing but a day."""
    telling = [w for w in words(question) if set(content_stems(w.text)) - generic_stems()]
    if telling and DATE.search(telling[-1].text) and not DATE.search(core):
        return None
    return (telling[-1].start, telling[-1].end) if telling else None
