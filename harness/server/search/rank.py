"""How well a chunk answers a query: one number from 0 to 1 that means the same for every query.

It mixes what the words say with what the embedding says (``fused``). The words' part, which is the whole
score where there is no embedding, adds three shares. Every content word of the query weighs its inverse
document frequency (Robertson and Spärck Jones), so that "export" counts and "workspace", which stands
everywhere, hardly does; of the query's total weight count:

- *density*: each word by BM25's saturation ``tf / (tf + k1 (1 - b + b len/avg))``;
- *coverage*: the words that stand anywhere in the chunk, however often;
- *closeness*: the words that stand together within one passage of the chunk.

By its words a chunk that holds all of them, some repeatedly and close together, has 0.6 to 0.95; one that
shares only a common word with the query has hardly more than 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from harness import text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Number = TypeVar("Number", float, NDArray[np.float64])
    Stem = TypeVar("Stem", bound=Hashable)

# Chosen on the labelled passages of the MTRAG-UN conversations (arXiv 2602.23184); neighbours do as well.
DENSITY_WEIGHT = 0.7
COVERAGE_WEIGHT = 0.1
CLOSENESS_WEIGHT = 0.2
KEYWORD_SHARE = 0.6
"""What the words count in the whole score; the embedding has the rest."""
# Of unrelated texts three quarters lie below the first cosine; hardly an answer lies above the second.
_UNRELATED_COSINE = 0.15
_SAME_COSINE = 0.75
EVERYDAY_SHARE = 0.3
"""What an everyday word weighs of its frequency's weight: rare in a manual, it still says little."""
PASSAGE_STEMS = 40
"""Length of a passage in content words: two or three sentences."""
# The usual BM25 constants (Robertson and Zaragoza 2009), which SQLite's FTS5 has too.
_K1 = 1.2
_B = 0.75


_EVERYDAY_WORDS = """
    able add ask bad become begin believe big bring build call change come consider create day different
    easy end everything explain fact feel fill find follow general give good great happen hear help hold
    idea important include instead keep kind know large late lead leave let like list little live long
    look lot main make many mean mention move much name new next number offer often old open order part
    people person place play point possible put question read really reason right run say see seem set
    several show simple small something sort specific start stay still stop take talk tell thing think
    time today together try turn two type understand want way well whole wonder word work world write
    year yes
"""


@cache
def _everyday_stems() -> frozenset[str]:
    return frozenset(text.stem(word) for word in _EVERYDAY_WORDS.split())


def query_weight(term: str, document_count: int, documents_with_it: int) -> float:
    """How much a query's stem counts."""
    share = EVERYDAY_SHARE if term in _everyday_stems() else 1.0
    return share * weight(document_count, documents_with_it)


def weight(document_count: int, documents_with_it: int) -> float:
    """Inverse document frequency, always above 0."""
    rarity = (document_count - documents_with_it + 0.5) / (documents_with_it + 0.5)
    return math.log(1 + rarity)


def likeness(cosine: float) -> float:
    """What the cosine of two vectors says, from 0 (unrelated) to 1."""
    return min(1.0, max(0.0, (cosine - _UNRELATED_COSINE) / (_SAME_COSINE - _UNRELATED_COSINE)))


def likenesses(cosines: NDArray[np.float64]) -> NDArray[np.float64]:
    """``likeness`` of many at once."""
    return ((cosines - _UNRELATED_COSINE) / (_SAME_COSINE - _UNRELATED_COSINE)).clip(0.0, 1.0)


def fused(keyword: Number, alike: Number, keyword_share: float = KEYWORD_SHARE) -> Number:
    """The whole score: what the words say and how alike the vectors are, each from 0 to 1."""
    return keyword_share * keyword + (1 - keyword_share) * alike


def score(weights: Mapping[Stem, float], stems: Sequence[Stem], average_length: float) -> float:
    """How well the words of a chunk answer.

    Args:
        weights: Every content stem of the query with its ``weight``.
        stems: The chunk's content stems in order.
        average_length: Mean number of stems of all chunks.

    Returns:
        0 (nothing in common) to 1, rounded to six places.
    """
    total = sum(weights.values())
    found = [(place, stem) for place, stem in enumerate(stems) if stem in weights]
    if not found or total <= 0:
        return 0.0
    counts = Counter(stem for _, stem in found)
    slack = saturation(len(stems), average_length)
    coverage = sum(weights[stem] for stem in counts)
    density = sum(weights[stem] * count / (count + slack) for stem, count in counts.items())
    closeness = _closest(weights, found)
    mixed = COVERAGE_WEIGHT * coverage + DENSITY_WEIGHT * density + CLOSENESS_WEIGHT * closeness
    return round(min(1.0, mixed / total), 6)


def saturation(length: Number, average_length: float) -> Number:
    """How often a word must stand in a chunk of this length to have half its weight."""
    return _K1 * (1 - _B + _B * length / max(average_length, 1.0))


def _closest(weights: Mapping[Stem, float], found: Sequence[tuple[int, Stem]]) -> float:
    """The largest weight of query words within one passage."""
    best = inside = 0.0
    counts: Counter[Stem] = Counter()
    first = 0
    for place, stem in found:
        if not counts[stem]:
            inside += weights[stem]
        counts[stem] += 1
        while found[first][0] <= place - PASSAGE_STEMS:
            left = found[first][1]
            counts[left] -= 1
            inside -= 0.0 if counts[left] else weights[left]
            first += 1
        best = max(best, inside)
    return best
