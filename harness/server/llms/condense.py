"""A talk in its weightiest sentences: facts first, in the order in which they were said.

Chosen by rules, always the same way: names, addresses, numbers, ids and decisions outweigh everything else,
then words that are rare in the talk; what was said before is said once.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from harness.text import content_stems, fold, sentences

_MOST_CHARACTERS = 400
_FACTS: tuple[tuple[re.Pattern[str], float], ...] = (
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"), 6.0),
    (re.compile(r"\b(?=[A-Z0-9-]*\d)[A-Z]{1,6}[-#]?\d[\w-]+\b|#\d{2,}"), 6.0),
    (re.compile(r"\b(?:my|our) (?:\w+ ){1,3}(?:is|are|was|were)\b|\bi am\b|\bi'm\b|\bcall me\b", re.I), 4.0),
    (
        re.compile(
            r"\b(?:decided|agreed|confirmed|chose|prefer|promised|cancell?ed|must|always|never)\b", re.I
        ),
        3.0,
    ),
    (re.compile(r"\d"), 2.0),
    (re.compile(r"(?<![.!?]\s)(?<!^)\b[A-Z][a-z]+\b"), 1.0),
)


class _Sentence(msgspec.Struct, frozen=True):
    """A sentence, who said it, and its place in the talk."""

    text: str
    speaker: int
    place: int


def condense(
    speakers: Sequence[Sequence[str]], most_tokens: int, count: Callable[[str], int]
) -> list[list[str]]:
    """The sentences of each speaker that are kept.

    Args:
        speakers: What each speaker said, oldest first; the first one's words weigh more.
        most_tokens: So many tokens may be kept in all.
        count: How many tokens a text is.
    """
    told = _told_once(speakers)
    rarity = _rarity(told)
    ranked = sorted(told, key=lambda each: (-_weight(each, rarity), -each.place, each.speaker))
    kept: list[_Sentence] = []
    left = most_tokens
    for each in ranked:
        tokens = count(each.text) + 1
        if tokens <= left:
            left -= tokens
            kept.append(each)
    kept.sort(key=lambda each: each.place)
    return [[each.text for each in kept if each.speaker == speaker] for speaker in range(len(speakers))]


def _told_once(speakers: Sequence[Sequence[str]]) -> list[_Sentence]:
    """Every sentence where it was said last."""
    told: dict[tuple[int, str], _Sentence] = {}
    for speaker, texts in enumerate(speakers):
        place = 0
        for text in texts:
            for span in sentences(text):
                place += 1
                sentence = " ".join(span.text.split())
                if len(sentence) <= _MOST_CHARACTERS:
                    told[speaker, fold(sentence)] = _Sentence(sentence, speaker, place)
    return list(told.values())


def _rarity(told: Sequence[_Sentence]) -> dict[str, float]:
    """How much a word tells: the more, the fewer sentences have it."""
    occurrences = Counter(stem for each in told for stem in set(content_stems(each.text)))
    return {stem: math.log((1 + len(told)) / number) for stem, number in occurrences.items()}


def _weight(sentence: _Sentence, rarity: dict[str, float]) -> float:
    stems = set(content_stems(sentence.text))
    tells = sum(rarity[stem] for stem in stems) / (3 + len(stems))
    facts = sum(weight for pattern, weight in _FACTS if pattern.search(sentence.text))
    is_question = sentence.text.endswith("?")
    return (tells + facts) * (1.0 if sentence.speaker == 0 else 0.4) * (0.3 if is_question else 1.0)
