"""What a search looks through: words and vectors of all chunks of a store, as arrays in memory.

Words are known by the check sums of their stems, so that a chunk's words are one row of numbers on disk and
in memory. Every chunk gets the largest score that it could have; the likeliest are then looked at in full.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from harness import text as words_and_sentences
from harness.server.search import rank

Kind = TypeVar("Kind", bound=np.generic)
Floats = NDArray[np.float64]
_LEAST_LOOKED_AT = 200
"""So many of the likeliest chunks are looked at in full, if the best are not certain before."""
_ROUNDING = 1e-6


@lru_cache(maxsize=65_536)
def code(stem: str) -> int:
    """The number that a stem is known by: 4 bytes, so that two of 100,000 words share one by rare chance."""
    return zlib.crc32(stem.encode("utf-8", "surrogatepass"))


def codes(text: str) -> bytes:
    """The content stems of a text in order, 4 bytes each."""
    return np.array([code(stem) for stem in words_and_sentences.content_stems(text)], np.uint32).tobytes()


class Scored(msgspec.Struct, frozen=True):
    """What a chunk is worth to a query: in all, by its words, and the cosine of the vectors, if any."""

    score: float
    keyword: float
    similarity: float | None


class FileArrays:
    """The chunks of one file.

    Args:
        chunks: Their row numbers in the database.
        stems: Of each chunk, see ``codes``.
        spans: Of each chunk, its first vector and the one after its last.
        vectors: All of the file's, half precision; None without an embedding.
    """

    def __init__(
        self,
        chunks: Sequence[int],
        stems: Sequence[bytes],
        spans: Sequence[tuple[int, int]],
        vectors: bytes | None,
    ) -> None:
        self.chunks = np.array(chunks, np.int64)
        self.stems = [np.frombuffer(each, np.uint32) for each in stems]
        self.spans = np.array(spans, np.int64).reshape(-1, 2)
        self.vectors = None if vectors is None else np.frombuffer(vectors, np.float16)
        words = [np.unique(each, return_counts=True) for each in self.stems]
        self.words = _joined([each for each, _ in words], np.uint32)
        self.counts = _joined([counts for _, counts in words], np.float32)
        self.owners = np.repeat(np.arange(len(words)), [len(each) for each, _ in words])


class StoreArrays:
    """The chunks of all files of a store, in the order of adding.

    Args:
        files: By their row numbers in the database.
        dimensions: Of a vector; None leaves vectors out.
    """

    def __init__(self, files: Mapping[int, FileArrays], dimensions: int | None) -> None:
        parts = list(files.values())
        sizes = [len(part.chunks) for part in parts]
        before = np.cumsum([0, *sizes])
        self.chunks = _joined([part.chunks for part in parts], np.int64)
        self.files = np.repeat(np.array(list(files), np.int64), sizes)
        self._stems = [stems for part in parts for stems in part.stems]
        self._words = _joined([part.words for part in parts], np.uint32)
        self._counts = _joined([part.counts for part in parts], np.float32)
        self._owners = _joined(
            [part.owners + shift for part, shift in zip(parts, before, strict=False)], np.int64
        )
        lengths = np.array([len(stems) for stems in self._stems], np.float64)
        self._average = float(lengths.mean()) if len(lengths) else 0.0
        self._slack = rank.saturation(lengths, self._average)
        self._vectors, self._bounds = _vectors(parts, dimensions)

    def score(
        self,
        query: str,
        vector: NDArray[np.float32] | None,
        *,
        allowed: NDArray[np.bool_] | None,
        most: int,
        keyword_share: float,
    ) -> dict[int, Scored]:
        """The best chunks (by their place in ``chunks``) with their scores.

        Chunks that score 0 are among them only where the whole store is wanted.

        Args:
            query: What is asked.
            vector: Of the query; None to go by words alone.
            allowed: Whether each chunk may be found; None if all may.
            most: How many are wanted; there may be more.
            keyword_share: What words count beside vectors, 0 to 1.
        """
        if not len(self.chunks):
            return {}
        words = self._found_words(query)
        cosines = self._cosines(vector)
        likeliest = self._upper_bound(words, cosines, keyword_share)
        if len(self.chunks) <= most:
            likeliest += _ROUNDING
        if allowed is not None:
            likeliest[~allowed] = 0.0
        weights = {word.code: word.weight for word in words}
        best: list[float] = []
        found: dict[int, Scored] = {}
        for place in _best_first(likeliest, max(_LEAST_LOOKED_AT, 3 * most)):
            if len(best) == most and likeliest[place] < best[0]:
                break
            found[place] = self._scored(place, weights, cosines, keyword_share)
            _keep_best(best, found[place].score, most)
        return found

    def _found_words(self, query: str) -> list[_Word]:
        stems = dict.fromkeys(words_and_sentences.content_stems(query))
        return [self._found_word(stem) for stem in stems]

    def _found_word(self, stem: str) -> _Word:
        where = np.flatnonzero(self._words == np.uint32(code(stem)))
        weight = rank.query_weight(stem, len(self.chunks), len(where))
        return _Word(code(stem), weight, self._owners[where], self._counts[where])

    def _cosines(self, vector: NDArray[np.float32] | None) -> Floats | None:
        """Of each chunk's vector that is nearest to the query's."""
        if vector is None or self._vectors is None:
            return None
        # Row by row: a product of matrices may round a row differently beside other rows.
        each = np.einsum("ij,j->i", self._vectors, vector).astype(np.float64)
        nearest = np.maximum.reduceat(np.append(each, -1.0), self._bounds)[::2]
        result: Floats = nearest.round(4)
        return result

    def _upper_bound(self, words: Sequence[_Word], cosines: Floats | None, keyword_share: float) -> Floats:
        """What each chunk would score if all its words stood together."""
        density, coverage = np.zeros(len(self.chunks)), np.zeros(len(self.chunks))
        for word in words:
            density[word.chunks] += word.weight * word.counts / (word.counts + self._slack[word.chunks])
            coverage[word.chunks] += word.weight
        total = sum(word.weight for word in words) or 1.0
        together = rank.COVERAGE_WEIGHT + rank.CLOSENESS_WEIGHT
        keyword = (rank.DENSITY_WEIGHT * density + together * coverage) / total
        if cosines is not None:
            keyword = rank.fused(keyword, rank.likenesses(cosines), keyword_share)
        return np.where(keyword > 0, keyword + _ROUNDING, 0.0)

    def _scored(
        self, place: int, weights: Mapping[int, float], cosines: Floats | None, keyword_share: float
    ) -> Scored:
        keyword = rank.score(weights, self._stems[place].tolist(), self._average)
        if cosines is None:
            return Scored(keyword, keyword, None)
        cosine = float(cosines[place])
        whole = rank.fused(keyword, rank.likeness(cosine), keyword_share)
        return Scored(round(whole, 6), keyword, cosine)


class _Word(msgspec.Struct, frozen=True):
    """A word of the query: what it weighs, and which chunks hold it how often."""

    code: int
    weight: float
    chunks: NDArray[np.int64]
    counts: NDArray[np.float32]


def _vectors(
    parts: Sequence[FileArrays], dimensions: int | None
) -> tuple[NDArray[np.float32] | None, NDArray[np.int64]]:
    """All vectors, and for each chunk the first of its own and the one after the last, in one row."""
    if dimensions is None or not parts:
        return None, np.empty(0, np.int64)
    each = [np.empty(0, np.float16) if part.vectors is None else part.vectors for part in parts]
    before = np.cumsum([0, *(len(vectors) // dimensions for vectors in each)])
    spans = [part.spans + shift for part, shift in zip(parts, before, strict=False)]
    joined = np.concatenate(each).astype(np.float32).reshape(-1, dimensions)
    return joined, np.concatenate(spans).ravel()


def _joined(parts: Sequence[NDArray[Any]], kind: type[Kind]) -> NDArray[Kind]:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind, copy=False)


def _best_first(values: Floats, most: int) -> list[int]:
    """Places of the largest values above 0, largest first; of equal ones the first first."""
    above = np.flatnonzero(values > 0)
    order = np.argsort(-values[above], kind="stable")[:most]
    places: list[int] = above[order].tolist()
    return places


def _keep_best(best: list[float], score: float, most: int) -> None:
    if len(best) < most:
        heapq.heappush(best, score)
    elif best:
        heapq.heappushpop(best, score)
