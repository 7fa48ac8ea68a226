"""What the grounding model reads: pieces of an answer, each with the sentences of the context that match it.

The model sees at most ``MOST_TOKENS`` tokens at a time: the question, evidence chosen for the piece, and the
piece of the answer itself. Every token has a type that tells what plain comparison of words already knows,
for example that a number of the answer stands nowhere in the context.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from harness.text import STOP_WORDS, Span, content_stems, fold, sentences, words

MOST_TOKENS = 320
"""Tokens of one reading, all parts together."""
MOST_QUESTION = 40
MOST_ANSWER = 190
"""Tokens of the answer in one reading; a longer answer is cut at sentences into several."""
_MOST_SENTENCES = 2_000  # of a context; a longer one is looked through for those that share rare words

# Types of tokens. Those of the answer say how its word relates to the context.
OTHER, EVIDENCE, SHARED, STOP, ABSENT, ASKED, PRESENT, TOGETHER, NO_NUMBER, NUMBER = range(10)
TYPES = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """One input of the model.

    Attributes:
        ids: Token ids, the special ones included.
        types: The type of each token.
        first: Index of the first token of the answer; from there to the last but one are the answer's.
        places: For each of these, where it stands in the whole answer: (start, end) in characters.
    """

    ids: list[int]
    types: list[int]
    first: int
    places: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Sentence:
    ids: list[int]
    places: list[tuple[int, int]]
    text: str
    stems: frozenset[str]


class Reader:
    """Cuts questions, contexts and answers into readings.

    Args:
        tokenizer: Of the ``tokenizers`` package, without padding and cutting.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._begin, self._end = (tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))

    def readings(self, question: str, context: str, answer: str) -> list[Reading]:
        """The readings of an answer, which together hold each of its tokens once."""
        known = _Known(question, context)
        evidence = self._sentences(context)
        asked = self._encode(question).ids[:MOST_QUESTION]
        tokens = self._encode(answer)
        types = known.types(answer, tokens.offsets)
        found = []
        for begin, end in _pieces(answer, tokens.offsets):
            text = answer[tokens.offsets[begin][0] : tokens.offsets[end - 1][1]]
            room = MOST_TOKENS - 4 - len(asked) - (end - begin)
            chosen = choose(text, evidence, room, known.rarity)
            found.append(
                self._reading(asked, chosen, text, tokens.ids[begin:end], types[begin:end], tokens.offsets[begin:end])
            )
        return found

    def _reading(
        self,
        asked: list[int],
        chosen: Sequence[_Sentence],
        text: str,
        ids: list[int],
        types: list[int],
        places: list[tuple[int, int]],
    ) -> Reading:
        mine = set(content_stems(text))
        told = [token for sentence in chosen for token in sentence.ids]
        told_types = [kind for sentence in chosen for kind in _shared(sentence, mine)]
        head = [self._begin, *asked, self._end]
        return Reading(
            ids=[*head, *told, self._end, *ids, self._end],
            types=[*[OTHER] * len(head), *told_types, OTHER, *types, OTHER],
            first=len(head) + len(told) + 1,
            places=places,
        )

    def _encode(self, text: str) -> Any:
        return self._tokenizer.encode(text, add_special_tokens=False)

    def _sentences(self, context: str) -> list[_Sentence]:
        found = []
        for span in sentences(context)[:_MOST_SENTENCES]:
            tokens = self._encode(span.text)
            found.append(_Sentence(tokens.ids, tokens.offsets, span.text, frozenset(content_stems(span.text))))
        return found


def choose(
    text: str, evidence: Sequence[_Sentence], room: int, rarity: dict[str, float]
) -> list[_Sentence]:
    """The sentences that together hold most of the text's rarer words, in the order of the context."""
    if sum(len(sentence.ids) for sentence in evidence) <= room:
        return list(evidence)
    wanted = set(content_stems(text))
    left = dict(enumerate(evidence))
    chosen: dict[int, _Sentence] = {}
    open_words = set(wanted)
    while left:
        def gain(index: int) -> tuple[float, float, int]:
            stems = left[index].stems
            return (_weight(stems & open_words, rarity), _weight(stems & wanted, rarity), -index)

        best = max(left, key=gain)
        sentence = left.pop(best)
        if len(sentence.ids) > room:
            sentence = _Sentence(sentence.ids[:room], sentence.places[:room], sentence.text, sentence.stems)
        if sentence.ids:
            chosen[best] = sentence
            room -= len(sentence.ids)
        open_words -= sentence.stems
        if room < 8:
            break
        if not open_words & frozenset().union(*(each.stems for each in left.values())):
            open_words = set(wanted)
    return [chosen[index] for index in sorted(chosen)]


def _weight(stems: Set[str], rarity: dict[str, float]) -> float:
    return sum(rarity.get(stem, 1.0) for stem in stems)


def _pieces(answer: str, places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Token ranges of the answer, each of at most ``MOST_ANSWER``, of about equal length, cut at sentences."""
    total = len(places)
    if not total:
        return
    count = math.ceil(total / MOST_ANSWER)
    starts = [start for start, _ in places]
    cuts = sorted({bisect_right(starts, span.start - 1) for span in sentences(answer)} - {0})
    begin = 0
    for left in range(count, 0, -1):
        aim = begin + math.ceil((total - begin) / left)
        limit = min(begin + MOST_ANSWER, total)
        near = [cut for cut in cuts if begin + MOST_ANSWER // 3 < cut <= limit and cut >= total - (left - 1) * MOST_ANSWER]
        end = total if left == 1 else min(near, key=lambda cut: abs(cut - aim), default=min(aim, limit))
        yield begin, end
        begin = end
        if begin >= total:
            return


class _Known:
    """What plain comparison of words knows of a context."""

    def __init__(self, question: str, context: str) -> None:
        stems = [content_stems(word.text) for word in words(context)]
        flat = [stem for group in stems for stem in group]
        counts = Counter(flat)
        self.rarity = {stem: 1.0 / math.sqrt(count) for stem, count in counts.items()}
        self._stems = set(counts)
        self._asked = set(content_stems(question))
        self._pairs = {(a, b) for one, two in zip(*_shifted([g for g in stems if g]), strict=False) for a in one for b in two}
        self._folded = {fold(word.text) for word in words(context)}

    def types(self, answer: str, places: Sequence[tuple[int, int]]) -> list[int]:
        """The type of each token of the answer."""
        spans = list(words(answer))
        kinds = self._of_words(spans)
        starts = [span.start for span in spans]
        found = []
        for start, end in places:
            at = bisect_right(starts, start) - 1
            inside = at >= 0 and start < spans[at].end and end > spans[at].start
            found.append(kinds[at] if inside else STOP)
        return found

    def _of_words(self, spans: Sequence[Span]) -> list[int]:
        stems = [content_stems(span.text) for span in spans]
        content = [index for index, group in enumerate(stems) if group]
        paired = set()
        for one, two in zip(content, content[1:], strict=False):
            if any((a, b) in self._pairs for a in stems[one] for b in stems[two]):
                paired |= {one, two}
        return [self._of_word(span, group, index in paired) for index, (span, group) in enumerate(zip(spans, stems, strict=True))]

    def _of_word(self, span: Span, stems: list[str], is_paired: bool) -> int:
        if not stems or fold(span.text) in STOP_WORDS:
            return STOP
        there = fold(span.text) in self._folded or any(stem in self._stems for stem in stems)
        if any(character.isdigit() for character in span.text):
            return NUMBER if there else NO_NUMBER
        if not there:
            return ASKED if any(stem in self._asked for stem in stems) else ABSENT
        return TOGETHER if is_paired else PRESENT


def _shifted(groups: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
    return groups, groups[1:]


def _shared(sentence: _Sentence, mine: Set[str]) -> list[int]:
    """Types of a sentence's tokens: whether their word is one of the answer's."""
    spans = list(words(sentence.text))
    starts = [span.start for span in spans]
    kinds = [SHARED if any(stem in mine for stem in content_stems(span.text)) else EVIDENCE for span in spans]
    found = []
    for start, _ in sentence.places:
        at = bisect_right(starts, start) - 1
        found.append(kinds[at] if at >= 0 and start < spans[at].end else EVIDENCE)
    return found
