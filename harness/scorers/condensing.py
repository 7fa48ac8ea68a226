"""A very long answer, condensed to what is most at risk of being unsupported.

Answers of megabytes happen where a target is broken or a test is unkind. Every sentence of such an answer is
weighed by its words, and the heaviest are judged as an ordinary answer would be: time stays bounded, and
nothing is left out only because it stands late.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from harness.scorers.claims import header_rows, without_code
from harness.scorers.markers import without_markers
from harness.text import Span, content_stems, sentences

LONGEST_READ = 20_000
"""Characters of an answer that are judged as they are, and of a longer one that are chosen."""
MOST_READ = 500
"""Sentences, likewise."""
_FEWEST_OF_A_SENTENCE = 3  # characters, with what parts it from the next
_LONGEST_SENTENCE = 4_000
_SPREAD = 0.618_033_988_749_895  # multiples of the golden ratio fall evenly between 0 and 1


def is_long(answer: str) -> bool:
    """Whether an answer is condensed before it is judged."""
    if len(answer) > LONGEST_READ:
        return True
    return len(answer) > _FEWEST_OF_A_SENTENCE * MOST_READ and len(sentences(answer)) > MOST_READ


def condensed(answer: str, known: Set[str]) -> str:
    """Of a long answer the different sentences that are most at risk, in their order; others as they are.

    A sentence weighs as many as it has content words that nobody knows; of equals, those spread evenly over
    the answer come first. A sentence said twice is taken once; a run of words without an end is cut.

    Args:
        answer: What the assistant said.
        known: Stems of the question and of the context.
    """
    if not is_long(answer):
        return answer
    different = _different(without_code(without_markers(answer)))
    weights = [_novelty(text, known) for text in different]
    order = sorted(range(len(different)), key=lambda index: (-weights[index], index * _SPREAD % 1.0))
    return "\n\n".join(different[index] for index in sorted(_fitting(different, order)))


def _different(answer: str) -> Sequence[str]:
    """Each sentence once, without the headers of tables."""
    spans = sentences(answer)
    headers = header_rows(spans)
    parts = (part for index, span in enumerate(spans) if index not in headers for part in _parts(span))
    return list(dict.fromkeys(parts))


def _parts(span: Span) -> Sequence[str]:
    """A sentence as it is, or one that is no sentence any more in pieces between words."""
    if len(span.text) <= _LONGEST_SENTENCE:
        return (span.text,)
    pieces, begin = [], 0
    while begin < len(span.text):
        end = begin + _LONGEST_SENTENCE
        cut = span.text.rfind(" ", begin + 1, end) if end < len(span.text) else -1
        pieces.append(span.text[begin : cut if cut > begin else end])
        begin += len(pieces[-1])
    return [piece.strip() for piece in pieces if piece.strip()]


def _novelty(text: str, known: Set[str]) -> int:
    return sum(stem not in known for stem in content_stems(text))


def _fitting(different: Sequence[str], order: Sequence[int]) -> Sequence[int]:
    """The first of an order that together are not too long."""
    chosen: list[int] = []
    room = LONGEST_READ
    for index in order:
        if len(chosen) < MOST_READ and len(different[index]) + 2 <= room:
            chosen.append(index)
            room -= len(different[index]) + 2
    return chosen
