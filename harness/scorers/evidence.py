"""Finding what supports a sentence: passages cut into sentences, indexed by the words they hold.

Support is counted in words: how much of a sentence's content, weighted by how rare each word is among
the passages, stands in the best window of one to three neighbouring sentences of one passage.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import cached_property, lru_cache

import msgspec
from msgspec.structs import replace

from harness.scorers import facts
from harness.scorers.markers import without_controls
from harness.text import fold, sentences, words

MOST_EVIDENCE = 600_000  # characters of passages that are indexed
_LONGEST_SENTENCE = 4_000
_SEEDS = 8  # best sentences around which windows are tried
_WIDEST = 3  # sentences in a window
_MOST_LOOKED_AT = 4_000  # sentences that share a word; the commonest words are left out beyond


Alternatives = tuple[frozenset[str], ...]


class Passage(msgspec.Struct, frozen=True):
    """A piece of text that may support a claim, and where it is from.

    Attributes:
        text: The text itself.
        filename: The document, or what it is when it is none: ``user``, a function's name.
        page: The page, from 1, when known.
        source: ``document``, ``tool``, ``code`` or ``user``.
        chunk: Which of the results it is, from 0 in the order they came; None for what is no chunk.
        file_id: The API's id of the file.
    """

    text: str
    filename: str | None = None
    page: int | None = None
    source: str = "document"
    chunk: int | None = None
    file_id: str | None = None


class Word(msgspec.Struct, frozen=True):
    """A content word: the stem that names it, and the sets of stems any of which stands for it."""

    name: str
    alternatives: Alternatives

    def stands_in(self, stems: Set[str]) -> bool:
        """Whether a text with these stems holds the word."""
        return any(alternative <= stems for alternative in self.alternatives)


class Unit(msgspec.Struct, frozen=True):
    """One sentence of a passage.

    Attributes:
        passage: Index of the passage.
        text: The sentence.
        own: Its stems.
        stems: The same and, for a row of a table, those of the table's header.
        start: Its first character in the passage's text.
    """

    passage: int
    text: str
    own: frozenset[str]
    stems: frozenset[str]
    start: int = 0


class Window(msgspec.Struct, frozen=True):
    """Neighbouring sentences of one passage, and the share of a claim's words they hold (0 to 1)."""

    first: int
    last: int
    coverage: float

    def only_widens(self, other: Window) -> bool:
        """Whether this holds another window and brings nothing more: what that one denies stays denied."""
        wider = self.first <= other.first and other.last <= self.last
        return wider and self.coverage <= other.coverage + 1e-9


def content_words(text: str) -> list[Word]:
    """The content words of a text that aren't plain numbers, each once, in order."""
    found: dict[str, Word] = {}
    for span in words(fold(text)):
        word = _word(span.text)
        if word:
            found.setdefault(word.name, word)
    return list(found.values())


@lru_cache(maxsize=65_536)
def _word(text: str) -> Word | None:
    stems = facts.stems_of(text)
    if not stems or not any(character.isalpha() for character in text):
        return None
    if len(stems) == 1:
        return Word(stems[0], (frozenset(stems),))
    joined = "".join(character for character in text if character.isalnum())
    return Word(stems[0], (frozenset(stems[:1]), frozenset(stems[1:]), frozenset(facts.stems_of(joined))))


class Evidence:
    """Passages, ready to be asked what supports a sentence."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self.passages: list[Passage] = []
        self.units: list[Unit] = []
        self.cut_off = False
        """Whether there was more text than is looked at."""
        self._fill(passages)
        self.stems: set[str] = set().union(*(unit.stems for unit in self.units)) if self.units else set()
        self._holding: dict[str, list[int]] = defaultdict(list)
        for index, unit in enumerate(self.units):
            for made in unit.stems:
                self._holding[made].append(index)

    def _fill(self, passages: Iterable[Passage]) -> None:
        seen: set[str] = set()
        size = 0
        for passage in passages:
            if not passage.text.strip() or passage.text in seen:
                continue
            self.cut_off = self.cut_off or size + len(passage.text) > MOST_EVIDENCE
            text = without_controls(passage.text[: max(0, MOST_EVIDENCE - size)])
            size += len(text)
            seen.add(passage.text)
            self.passages.append(replace(passage, text=without_controls(passage.text)))
            self.units.extend(_units(len(self.passages) - 1, text))

    def __bool__(self) -> bool:
        return bool(self.units)

    @cached_property
    def rows(self) -> Sequence[int]:
        """Which sentences are rows of tables."""
        return [index for index, unit in enumerate(self.units) if unit.stems != unit.own]

    @cached_property
    def numbers(self) -> Mapping[str, Sequence[tuple[Unit, facts.Number]]]:
        """The numbers of the passages by value, each with the sentences that say it."""
        found: dict[str, list[tuple[Unit, facts.Number]]] = defaultdict(list)
        for unit in self.units:
            for number in facts.numbers(unit.text):
                found[number.value].append((unit, number))
        return dict(found)

    def weight(self, word: Word) -> float:
        """How much a word tells: rare among the passages' sentences tells more, absent tells most."""
        least = min((self._count(alternative) for alternative in word.alternatives), default=0)
        return 1.0 + math.log((1 + len(self.units)) / (1 + least))

    def _count(self, alternative: frozenset[str]) -> int:
        return min((len(self._holding.get(made, ())) for made in alternative), default=0)

    def holds(self, word: Word) -> bool:
        """Whether a word stands anywhere in the passages."""
        return word.stands_in(self.stems)

    def names(self, name: str) -> bool:
        """Whether a name stands in the passages, in full or shortened (``apr`` for ``april``)."""
        return name in self.stems or any(
            name[:length] in self.stems for length in range(3, min(len(name), 5))
        )

    def best(self, claim: Sequence[Word], *, most: int = 3) -> list[Window]:
        """The windows that hold most of a claim's words, best first; short ones before long ones."""
        weights = {word: self.weight(word) for word in claim}
        total = sum(weights.values())
        if not total or not self.units:
            return []
        windows = {
            (first, last): self._coverage(weights, first, last) / total
            for first, last in self._candidates(weights)
        }
        order = sorted(windows, key=lambda at: (-round(windows[at], 6), at[1] - at[0], at[0]))
        found: list[Window] = []
        for at in order:
            window = Window(*at, windows[at])
            if not any(window.only_widens(shorter) for shorter in found):
                found.append(window)
            if len(found) == most:
                break
        return found

    def window(self, claim: Sequence[Word], first: int, last: int) -> Window:
        """A window of one's choice, with the share of a claim's words it holds."""
        weights = {word: self.weight(word) for word in claim}
        return Window(first, last, self._coverage(weights, first, last) / sum(weights.values()))

    def _coverage(self, weights: dict[Word, float], first: int, last: int) -> float:
        stems = self._stems(first, last)
        return sum(weight for word, weight in weights.items() if word.stands_in(stems))

    def _candidates(self, weights: dict[Word, float]) -> set[tuple[int, int]]:
        """Windows of up to three sentences around those that share most with the claim."""
        shared: dict[int, float] = defaultdict(float)
        looked_at = 0
        for word in sorted(weights, key=lambda word: (-weights[word], word.name)):
            holding = {
                at for part in word.alternatives for made in part for at in self._holding.get(made, ())
            }
            looked_at += len(holding)
            if looked_at > _MOST_LOOKED_AT and shared:
                break
            for index in holding:
                shared[index] += weights[word]
        seeds = sorted(shared, key=lambda index: (-shared[index], index))[:_SEEDS]
        return {window for seed in seeds for window in self._around(seed)}

    def _around(self, seed: int) -> Iterable[tuple[int, int]]:
        for first in range(max(0, seed - _WIDEST + 1), seed + 1):
            for last in range(seed, min(len(self.units), first + _WIDEST)):
                if self.units[first].passage == self.units[last].passage:
                    yield first, last

    def rows_beside(self, index: int) -> list[Unit]:
        """The other rows of the table that a row stands in."""
        found: list[Unit] = []
        for step in (-1, 1):
            at = index + step
            while 0 <= at < len(self.units) and self._are_rows_of_one_table(index, at):
                found.append(self.units[at])
                at += step
        return found

    def _are_rows_of_one_table(self, one: int, other: int) -> bool:
        row, beside = self.units[one], self.units[other]
        header = row.stems - row.own
        return row.passage == beside.passage and "|" in beside.text and header <= beside.stems

    def text(self, window: Window) -> str:
        """What stands in a window."""
        return " ".join(unit.text for unit in self.units[window.first : window.last + 1])

    def stems_in(self, window: Window) -> Set[str]:
        """The stems of a window's sentences."""
        return self._stems(window.first, window.last)

    def _stems(self, first: int, last: int) -> Set[str]:
        return set().union(*(unit.stems for unit in self.units[first : last + 1]))

    def whole(self) -> str:
        """All that is looked at, passage by passage."""
        return "\n\n".join(passage.text for passage in self.passages)[:MOST_EVIDENCE]

    def place(self, window: Window) -> tuple[int, int]:
        """Where a window stands in its passage's text: first character, and the one after the last."""
        last = self.units[window.last]
        return self.units[window.first].start, last.start + len(last.text)

    def passage(self, window: Window) -> Passage:
        """Where a window is from."""
        return self.passages[self.units[window.first].passage]


def _units(passage: int, text: str) -> Iterable[Unit]:
    """The sentences of a passage; a table's row also counts as holding the words of the table's first row.

    "Basic | 3 euros" under "Package | Price a day" says that the package Basic costs 3 euros a day.
    """
    header: frozenset[str] = frozenset()
    end = -1
    for span in sentences(text):
        if "|" not in span.text:
            header = frozenset()
        elif end < 0 or not header or text[end : span.start].count("\n") > 1:
            header = frozenset(facts.stems_of_text(span.text[:_LONGEST_SENTENCE]))
        end = span.end
        for start in range(0, len(span.text), _LONGEST_SENTENCE):
            part = span.text[start : start + _LONGEST_SENTENCE]
            own = frozenset(facts.stems_of_text(part))
            yield Unit(passage, part, own, header | own, span.start + start)
