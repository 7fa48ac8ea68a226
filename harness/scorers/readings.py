"""What the grounding model reads: pieces of an answer, each with the sentences of the context that match it.

The model sees at most :data:`MOST_TOKENS` tokens at a time: the question, evidence chosen for the piece,
and the piece of the answer itself. Every token has a type that tells what plain comparison of words already
knows, for example that a number of the answer stands nowhere in the context. Nothing of an answer is left
out, and no sentence of a context is dropped unseen: where not all fit, those that share the piece's rarer
words are chosen.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import pairwise, product
from typing import Any

import msgspec

from harness.text import STOP_WORDS, Span, content_stems, fold, sentences, words

MOST_TOKENS = 320
"""Tokens of one reading, all parts together."""
_MOST_OF_QUESTION = 40
_MOST_OF_ANSWER = 190
"""Tokens of the answer in one reading; a longer answer is cut at sentences into several."""
_MARKS = 4  # [CLS] and three [SEP]
_TOO_FEW = 8  # tokens of room into which no further sentence is put
_MOST_WEIGHED = 2_000  # sentences that are weighed against each other for one piece

# Types of tokens. Those of the answer, from STOP on, say how its word relates to the context.
_OTHER, _EVIDENCE, _SHARED, _STOP, _ABSENT, _ASKED, _PRESENT, _TOGETHER, _NO_NUMBER, _NUMBER = range(10)
TYPES = 10
"""How many types of tokens there are."""


class Reading(msgspec.Struct, frozen=True):
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

    def key(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the model sees of it."""
        return tuple(self.ids), tuple(self.types)


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
        evidence = [_Sentence(span.text, self._tokenizer) for span in sentences(context)]
        asked = self._encode(question).ids[:_MOST_OF_QUESTION]
        tokens = self._encode(answer)
        ids, places = tokens.ids, tokens.offsets  # asked for once: each time they are made anew
        types = known.types(answer, places)
        found = []
        for begin, end in _pieces(answer, places):
            text = answer[places[begin][0] : places[end - 1][1]]
            chosen = choose(text, evidence, MOST_TOKENS - _MARKS - len(asked) - (end - begin), known.rarity)
            told = [
                self._begin,
                *asked,
                self._end,
                *(token for one in chosen for token in one.ids),
                self._end,
            ]
            told_types = [_OTHER] * (len(asked) + 2) + _shared(chosen, text) + [_OTHER]
            found.append(
                Reading(
                    ids=[*told, *ids[begin:end], self._end],
                    types=[*told_types, *types[begin:end], _OTHER],
                    first=len(told),
                    places=places[begin:end],
                )
            )
        return found

    def _encode(self, text: str) -> Any:
        return self._tokenizer.encode(text, add_special_tokens=False)


# --- the answer ----------------------------------------------------------------------------------------


def _pieces(answer: str, places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Token ranges of the answer, about equally long and none too long, cut at sentences if possible."""
    total = len(places)
    starts = [start for start, _ in places]
    cuts = sorted({bisect_right(starts, span.start - 1) for span in sentences(answer)} - {0})
    begin = 0
    for left in range(math.ceil(total / _MOST_OF_ANSWER), 0, -1):
        end = total if left == 1 else _cut(begin, total, left, cuts)
        yield begin, end
        begin = end


def _cut(begin: int, total: int, left: int, cuts: Sequence[int]) -> int:
    """Where the next of so many pieces ends."""
    aim = begin + math.ceil((total - begin) / left)
    limit = min(begin + _MOST_OF_ANSWER, total)
    least = max(begin + _MOST_OF_ANSWER // 3 + 1, total - (left - 1) * _MOST_OF_ANSWER)
    near = [cut for cut in cuts if least <= cut <= limit]
    return min(near, key=lambda cut: abs(cut - aim), default=min(aim, limit))


class _Known:
    """What plain comparison of words knows of a context."""

    def __init__(self, question: str, context: str) -> None:
        spans = list(words(context))
        groups = [group for group in (content_stems(span.text) for span in spans) if group]
        counts = Counter(stem for group in groups for stem in group)
        self.rarity = {stem: 1.0 / math.sqrt(count) for stem, count in counts.items()}
        self._asked = set(content_stems(question))
        self._pairs = {pair for one, two in pairwise(groups) for pair in product(one, two)}
        self._folded = {fold(span.text) for span in spans}

    def types(self, answer: str, places: Sequence[tuple[int, int]]) -> list[int]:
        """The type of each token of the answer."""
        spans = list(words(answer))
        return _by_place(spans, self._of_words(spans), places, otherwise=_STOP)

    def _of_words(self, spans: Sequence[Span]) -> list[int]:
        stems = [content_stems(span.text) for span in spans]
        content = [index for index, group in enumerate(stems) if group]
        paired = {
            index
            for one, two in pairwise(content)
            if any(pair in self._pairs for pair in product(stems[one], stems[two]))
            for index in (one, two)
        }
        return [
            self._of_word(span, group, index in paired)
            for index, (span, group) in enumerate(zip(spans, stems, strict=True))
        ]

    def _of_word(self, span: Span, stems: Sequence[str], is_paired: bool) -> int:
        folded = fold(span.text)
        if not stems or folded in STOP_WORDS:
            return _STOP
        there = folded in self._folded or any(stem in self.rarity for stem in stems)
        if any(character.isdigit() for character in span.text):
            return _NUMBER if there else _NO_NUMBER
        if not there:
            return _ASKED if any(stem in self._asked for stem in stems) else _ABSENT
        return _TOGETHER if is_paired else _PRESENT


def _by_place(
    spans: Sequence[Span], kinds: Sequence[int], places: Sequence[tuple[int, int]], *, otherwise: int
) -> list[int]:
    """For each token the kind of the word it stands in."""
    starts = [span.start for span in spans]
    found = []
    for start, _ in places:
        at = bisect_right(starts, start) - 1
        found.append(kinds[at] if at >= 0 and start < spans[at].end else otherwise)
    return found


# --- the evidence --------------------------------------------------------------------------------------


class _Sentence:
    """A sentence of the context; its tokens are made when first asked for."""

    def __init__(self, text: str, tokenizer: Any) -> None:
        self.text = text
        self.stems = frozenset(content_stems(text))
        self._tokenizer = tokenizer
        self._most: int | None = None

    @cached_property
    def _encoding(self) -> Any:
        return self._tokenizer.encode(self.text, add_special_tokens=False)

    @property
    def ids(self) -> list[int]:
        ids: list[int] = self._encoding.ids
        return ids[: self._most]

    @property
    def places(self) -> list[tuple[int, int]]:
        places: list[tuple[int, int]] = self._encoding.offsets
        return places[: self._most]

    def cut(self, most: int) -> _Sentence:
        """Its beginning, of so many tokens."""
        made = _Sentence(self.text, self._tokenizer)
        made._most = most
        return made


def choose(
    text: str, evidence: Sequence[_Sentence], room: int, rarity: Mapping[str, float]
) -> list[_Sentence]:
    """The sentences that together hold most of the text's rarer words, in the order of the context."""
    if len(evidence) <= room and sum(len(sentence.ids) for sentence in evidence) <= room:
        return list(evidence)
    wanted = frozenset(content_stems(text))
    left = {index: evidence[index] for index in _most_alike(wanted, evidence, rarity)}
    gains = Gains(wanted, {index: sentence.stems & wanted for index, sentence in left.items()}, rarity)
    chosen: dict[int, _Sentence] = {}
    while left and room >= _TOO_FEW:
        best = max(left, key=gains.of)
        sentence = left.pop(best)
        chosen[best] = sentence if len(sentence.ids) <= room else sentence.cut(room)
        room -= len(chosen[best].ids)
        gains.take(best)
    return [chosen[index] for index in sorted(chosen)]


class Gains:
    """What each sentence that is left would add to those chosen; only what changes is weighed again.

    Args:
        wanted: Stems of the text.
        shared: Those that each sentence has, by its index.
        rarity: What a stem weighs.
    """

    def __init__(
        self, wanted: frozenset[str], shared: dict[int, frozenset[str]], rarity: Mapping[str, float]
    ) -> None:
        self._wanted, self._shared, self._rarity = wanted, shared, rarity
        self._open = wanted
        self._in_all = {index: _weight(stems, rarity) for index, stems in shared.items()}
        self._in_open = dict(self._in_all)

    def of(self, index: int) -> tuple[float, float, int]:
        """The weight of its words that no chosen sentence has, that of all its words, the earlier first."""
        return self._in_open[index], self._in_all[index], -index

    def take(self, index: int) -> None:
        """A sentence is chosen; once all words that can be had are, they count anew."""
        taken = self._shared.pop(index) & self._open
        self._open -= taken
        if not any(self._open & stems for stems in self._shared.values()):
            self._open, self._in_open = self._wanted, dict(self._in_all)
            return
        for other, stems in self._shared.items():
            if not taken.isdisjoint(stems):
                self._in_open[other] = _weight(stems & self._open, self._rarity)


def _most_alike(
    wanted: Set[str], evidence: Sequence[_Sentence], rarity: Mapping[str, float]
) -> Sequence[int]:
    """Of a very long context the sentences that share most with the text."""
    order = range(len(evidence))
    if len(evidence) <= _MOST_WEIGHED:
        return order
    return sorted(order, key=lambda index: (-_weight(evidence[index].stems & wanted, rarity), index))[
        :_MOST_WEIGHED
    ]


def _weight(stems: Set[str], rarity: Mapping[str, float]) -> float:
    # Sorted: the sum of floats must not depend on the order in which a set gives them.
    return sum(rarity.get(stem, 1.0) for stem in sorted(stems))


def _shared(chosen: Sequence[_Sentence], text: str) -> list[int]:
    """Types of the evidence's tokens: whether their word is one of the text's."""
    mine = set(content_stems(text))
    found = []
    for sentence in chosen:
        spans = list(words(sentence.text))
        kinds = [_SHARED if mine.intersection(content_stems(span.text)) else _EVIDENCE for span in spans]
        found += _by_place(spans, kinds, sentence.places, otherwise=_EVIDENCE)
    return found
