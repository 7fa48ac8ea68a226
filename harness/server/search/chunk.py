"""Chunks of a document: as many tokens as asked, cut where a reader would cut."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from harness import text as words_and_sentences
from harness.cost import tokens
from harness.server.reading import Document, Unreadable
from harness.server.reading.limits import MAX_TOKENS
from harness.server.reading.names import shown

DEFAULT_MAX_TOKENS = 800
DEFAULT_OVERLAP_TOKENS = 400
# Current models all count by this encoding; search has no model of its own.
_ENCODING = "o200k_base"

_SLICE_CHARACTERS = 1_000_000

_EARLIEST_END_SHARE = 0.75
"""A chunk is never cut shorter than this share of its maximum for the sake of a nicer end."""
_START_SHIFT_SHARE = 0.1
"""The next chunk may start this share of the maximum earlier or later, to start with a sentence."""


class Chunk(msgspec.Struct, frozen=True):
    """A piece of a document.

    Attributes:
        text: The text, without white space around it.
        page: Number of the page it starts on; None where the format has no pages.
        index: Its place among the document's chunks, from 0.
        tokens: Exact length.
        start: Where it starts in the document's running text, in characters.
    """

    text: str
    page: int | None
    index: int
    tokens: int
    start: int = 0


def chunk(
    document: Document,
    *,
    max_chunk_size_tokens: int = DEFAULT_MAX_TOKENS,
    chunk_overlap_tokens: int = DEFAULT_OVERLAP_TOKENS,
) -> list[Chunk]:
    """The chunks of a document, in order; together they hold all of its text.

    A chunk ends at the last paragraph, else sentence, else word that fits (never before three quarters of the
    maximum), and starts where the asked overlap lies, moved by at most a tenth of the maximum to the start of
    a sentence. No chunk is longer than the maximum; a document that fits is one chunk.

    Raises:
        ValueError: The overlap is negative or more than half of the maximum, or the maximum is below 8.
        Unreadable: The document has more tokens than a file may have.
    """
    if max_chunk_size_tokens < 8 or not 0 <= chunk_overlap_tokens <= max_chunk_size_tokens / 2:
        raise ValueError(
            f"max_chunk_size_tokens {max_chunk_size_tokens!r} must be at least 8 and chunk_overlap_tokens"
            f" {chunk_overlap_tokens!r} between 0 and half of it"
        )
    source = _Source(document)
    ranges = _ranges(source, max_chunk_size_tokens, chunk_overlap_tokens)
    return [source.chunk(index, start, end) for index, (start, end) in enumerate(ranges)]


def _too_long(filename: str) -> Unreadable:
    return Unreadable(
        "invalid_file", f"{shown(filename)} has more than {MAX_TOKENS:,} tokens, the most of a file; split it"
    )


class _Source:
    """The running text of a document with the places where it may be cut.

    Places are characters; tokens are counted on the whole text and checked on every piece, because a
    piece may be some tokens longer or shorter than its share of the whole.
    """

    def __init__(self, document: Document) -> None:
        self.text, self._page_starts = _running_text(document)
        self._pages = [page.number for page in document.pages if page.text]
        starts = token_starts(self.text, MAX_TOKENS)
        if starts is None:
            raise _too_long(document.filename)
        self._token_starts = starts
        self.sentence_starts = [span.start for span in words_and_sentences.sentences(self.text)]
        self.paragraph_starts = [
            start for start in self.sentence_starts if self.text[max(0, start - 2) : start] in ("", "\n\n")
        ]

    def chunk(self, index: int, start: int, end: int) -> Chunk:
        piece = self.text[start:end]
        page = self._pages[max(0, bisect_right(self._page_starts, start) - 1)]
        return Chunk(piece, page, index, self.count(start, end), start)

    def count(self, start: int, end: int) -> int:
        return len(tokens.cut(self.text[start:end], _ENCODING))

    def trimmed(self, start: int, end: int) -> tuple[int, int]:
        piece = self.text[start:end]
        return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))

    def after(self, start: int, count: int) -> int:
        """The character that lies this many tokens (fewer than none: before) away."""
        place = bisect_left(self._token_starts, start) + count
        if place >= len(self._token_starts):
            return len(self.text)
        return self._token_starts[max(0, place)]


def token_starts(text: str, most: int = MAX_TOKENS) -> list[int] | None:
    """The character that each token starts with, or that it starts inside of; None if there are too many.

    Long texts are encoded in slices, so that one that is much too long costs no more than a long one.
    """
    starts: list[int] = []
    length = 0
    for piece in _slices(text):
        for token in tokens.cut(piece, _ENCODING):
            starts.append(length - (token[0] & 0xC0 == 0x80))
            length += len(token) if token.isascii() else sum(byte & 0xC0 != 0x80 for byte in token)
        if len(starts) > most:
            return None
    return starts


def _slices(text: str) -> Iterator[str]:
    """The text in long pieces, cut before single spaces, where tokens are never cut."""
    start = 0
    while start < len(text):
        end = min(len(text), start + _SLICE_CHARACTERS)
        blank = text.rfind(" ", start + 1, end) if end < len(text) else -1
        end = blank if blank > 0 and not text[blank - 1].isspace() else end
        yield text[start:end]
        start = end


def _running_text(document: Document) -> tuple[str, list[int]]:
    """All pages as one text, and where each of them starts; a sentence may run on to the next page."""
    pieces: list[str] = []
    starts: list[int] = []
    length = 0
    for page in document.pages:
        if page.text:
            gap = _page_gap(pieces[-1] if pieces else "", page.text)
            starts.append(length + len(gap))
            length += len(gap) + len(page.text)
            pieces += (gap, page.text)
    return "".join(pieces), starts


def _page_gap(before: str, after: str) -> str:
    if not before:
        return ""
    last_line = before.rsplit("\n", 1)[-1]
    runs_on = before[-1].isalnum() or before[-1] == ","
    return " " if runs_on and after[0].islower() and "|" not in last_line else "\n\n"


def _ranges(source: _Source, most: int, overlap: int) -> Iterator[tuple[int, int]]:
    start, length = 0, len(source.text)
    while start < length:
        end = _end(source, start, most)
        first, last = source.trimmed(start, end)
        if first < last:
            yield first, last
        if end >= length:
            return
        start = max(start + 1, _next_start(source, start, end, most, overlap))


def _end(source: _Source, start: int, most: int) -> int:
    """Where the chunk that starts here ends: the nicest place near the maximum, exactly counted."""
    limit = source.after(start, most)
    if limit >= len(source.text) and source.count(*source.trimmed(start, len(source.text))) <= most:
        return len(source.text)
    earliest = source.after(start, int(most * _EARLIEST_END_SHARE))
    while True:
        end = _nicest(source, earliest, limit)
        excess = source.count(*source.trimmed(start, end)) - most
        if excess <= 0:
            return max(end, start + 1)
        limit = max(start + 1, min(limit - 1, source.after(limit, -excess)))
        earliest = min(earliest, limit)


def _nicest(source: _Source, earliest: int, limit: int) -> int:
    for starts in (source.paragraph_starts, source.sentence_starts):
        place = _last_between(starts, earliest, limit)
        if place is not None:
            return place
    blank = max(source.text.rfind(" ", earliest, limit + 1), source.text.rfind("\n", earliest, limit + 1))
    return blank if blank > earliest else limit


def _last_between(places: Sequence[int], earliest: int, latest: int) -> int | None:
    position = bisect_right(places, latest) - 1
    return places[position] if position >= 0 and places[position] > earliest else None


def _next_start(source: _Source, start: int, end: int, most: int, overlap: int) -> int:
    """Where the next chunk starts: the overlap before this one's end, at a sentence where one is near."""
    if overlap == 0:
        return end
    wanted = source.after(end, -overlap)
    shift = int(most * _START_SHIFT_SHARE)
    low, high = source.after(wanted, -shift), min(end, source.after(wanted, shift))
    near = [place for place in _between(source.sentence_starts, low, high) if start < place <= end]
    if near:
        return min(near, key=lambda place: (abs(place - wanted), place))
    blank = source.text.find(" ", wanted, high)
    return blank + 1 if blank >= 0 else wanted


def _between(places: Sequence[int], low: int, high: int) -> Sequence[int]:
    return places[bisect_left(places, low) : bisect_right(places, high)]
