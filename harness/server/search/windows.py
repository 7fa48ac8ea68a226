"""Which vectors belong to which chunk: chunks overlap, and their common text is embedded once.

The chunks of a file are laid out as the running text that they were cut from; the text is cut into windows,
and a chunk has the windows whose middle lies inside it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

import msgspec

from harness.embedding.encoder import Window
from harness.server.search.chunk import Chunk

Span = tuple[int, int]
"""The first window of a chunk, and the one after its last."""


class _Stretch(msgspec.Struct, frozen=True):
    """Chunks that continue each other, and the pieces of the text that they make."""

    chunks: list[Chunk]
    pieces: list[str]

    def takes(self, chunk: Chunk) -> bool:
        """Adds a chunk that continues the last one and agrees with it; False where it does not."""
        last = self.chunks[-1]
        shift = chunk.start - last.start
        known = last.text[shift:]
        if not (0 < shift < len(last.text)) or not chunk.text.startswith(known):
            return False
        self.chunks.append(chunk)
        self.pieces.append(chunk.text[len(known) :])
        return True


def windows(
    chunks: Sequence[Chunk], cut: Callable[[str], Sequence[Window]]
) -> tuple[list[Window], list[Span]]:
    """The windows of a file in order, and for each chunk which of them are its own, one at least.

    Args:
        chunks: All of the file's, in order.
        cut: Cuts a text into windows.
    """
    found: list[Window] = []
    spans: list[Span] = []
    for stretch in _stretches(chunks):
        text = "".join(stretch.pieces)
        made = list(cut(text)) or [Window(0, len(text), b"")]
        middles = [(window.start + window.end) // 2 for window in made]
        for chunk in stretch.chunks:
            first, last = _inside(middles, chunk.start - stretch.chunks[0].start, len(chunk.text))
            spans.append((len(found) + first, len(found) + last))
        found += made
    return found, spans


def _stretches(chunks: Sequence[Chunk]) -> list[_Stretch]:
    made: list[_Stretch] = []
    for chunk in chunks:
        if not made or not made[-1].takes(chunk):
            made.append(_Stretch([chunk], [chunk.text]))
    return made


def _inside(middles: Sequence[int], start: int, length: int) -> Span:
    """The windows with their middle in this part of the text, else the one whose middle is nearest."""
    first, last = bisect_left(middles, start), bisect_left(middles, start + length)
    if first < last:
        return first, last
    middle = start + length // 2
    nearest = min(
        range(max(0, first - 1), min(first + 1, len(middles))), key=lambda n: abs(middles[n] - middle)
    )
    return nearest, nearest + 1
