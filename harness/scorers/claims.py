"""What an answer claims, and what it only says: each sentence with its kind.

A claim is a sentence that documents could support or contradict. Greetings, thanks, apologies, questions,
offers, hand-overs, lead-ins, headings, code, turning away and admitting not to know are none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from harness.scorers import courtesies, escalation, handover, wording
from harness.text import Span, content_stems

Kind = Literal[
    "claim",
    "question",
    "pleasantry",
    "handover",
    "redirection",
    "abstention",
    "lead_in",
    "heading",
    "code",
    "empty",
]

MOST_SENTENCES = 1_000

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_LIST_ITEM = re.compile(r"\s*(?:[-*•–▪◦]|\(?\d{1,3}[.)])\s+")
_TITLE = re.compile(r"^\s*(?:#{1,6}\s+.*|\*\*[^*]{1,80}\*\*:?|__[^_]{1,80}__:?)\s*$", re.DOTALL)
_UNDER_HEADER = re.compile(r"[\s|:]*-[\s|:-]*")  # the row of dashes below a table's header
_LEAD_IN_WORDS = 22
# After these a list only spells out what the assistant can do or asks.
_PASSED_ON: frozenset[Kind] = frozenset({"redirection", "abstention", "question", "pleasantry", "handover"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer: its text, place and kind."""

    text: str
    start: int
    end: int
    kind: Kind


def sorted_out(text: str, phrases: Sequence[str] = ()) -> list[Sentence]:
    """The sentences of an answer with their kinds, citation markers blanked out.

    At most 60,000 characters and 1,000 sentences are looked at.

    Args:
        text: The answer.
        phrases: How this assistant words a hand-over to people.
    """
    found: list[Sentence] = []
    lead: Kind | None = None
    spans = wording.sentences_of(without_code(text))[:MOST_SENTENCES]
    headers = header_rows(spans)
    for index, span in enumerate(spans):
        is_item = bool(_LIST_ITEM.match(span.text))
        kind = "heading" if index in headers else kind_of(span.text, phrases)
        if is_item and lead and kind == "claim" and not wording.carries_facts(_LIST_ITEM.sub("", span.text)):
            kind = lead
        if not is_item:
            lead = kind if kind in _PASSED_ON and span.text.rstrip("*_ ").endswith(":") else None
        found.append(Sentence(span.text, span.start, span.end, kind))
    return found


def is_cut_off(text: str) -> bool:
    """Whether an answer has more than :func:`sorted_out` looks at."""
    if len(text) > wording.LONGEST_TEXT:
        return True
    return len(text) > MOST_SENTENCES and len(wording.sentences_of(without_code(text))) > MOST_SENTENCES


def header_rows(spans: Sequence[Span]) -> frozenset[int]:
    """Which sentences are the header of a Markdown table: they name columns and claim nothing."""
    return frozenset(
        index
        for index, (row, below) in enumerate(pairwise(spans))
        if "|" in row.text and "|" in below.text and _UNDER_HEADER.fullmatch(below.text)
    )


def without_code(text: str) -> str:
    """Fenced code blanked out: nobody's documents support a program."""
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def kind_of(sentence: str, phrases: Sequence[str] = ()) -> Kind:
    """What a single sentence does."""
    if not content_stems(sentence):
        return "empty"
    for kind, applies in _RULES:
        if applies(sentence):
            return kind
    return "handover" if _is_handover(sentence, phrases) else "claim"


def _is_handover(sentence: str, phrases: Sequence[str]) -> bool:
    """Talk about a hand-over, as long as it states no checkable fact (an address, opening hours)."""
    if escalation.find_phrase(sentence, phrases):
        return True
    return not wording.carries_facts(sentence) and handover.act_of(sentence).stance != "none"


def _is_lead_in(sentence: str) -> bool:
    if wording.announces(sentence):
        return True
    text = sentence.rstrip("*_ \t")
    return text.endswith(":") and len(text.split()) <= _LEAD_IN_WORDS and not wording.carries_facts(text)


def _is_heading(sentence: str) -> bool:
    return bool(_TITLE.match(sentence)) and not wording.carries_facts(_LIST_ITEM.sub("", sentence))


_RULES: tuple[tuple[Kind, Callable[[str], bool]], ...] = (
    ("redirection", wording.turns_away),
    ("question", wording.is_question),
    ("abstention", wording.lacks_information),
    ("pleasantry", wording.is_pleasantry),
    ("pleasantry", courtesies.is_courtesy),
    ("lead_in", _is_lead_in),
    ("heading", _is_heading),
)
