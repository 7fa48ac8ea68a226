"""A text that arrives in pieces: what of it can be passed on before the next piece is there."""

from __future__ import annotations

from collections.abc import Collection


class Holdback:
    """Keeps back the end of a text as long as it may be the beginning of something that must stay whole.

    Args:
        wholes: What must not be passed on in parts: citation markers, links to files, stop sequences.
    """

    def __init__(self, wholes: Collection[str]) -> None:
        self._wholes = tuple(wholes)
        self._firsts = {whole[0] for whole in self._wholes if whole}
        self._longest = max(map(len, self._wholes), default=0)

    def decided(self, text: str, start: int) -> int:
        """Up to where the text is decided, whatever comes after it; everything before ``start`` is."""
        for position in range(max(start, len(text) - self._longest + 1), len(text)):
            if text[position] in self._firsts and self._may_go_on(text[position:]):
                return position
        return len(text)

    def _may_go_on(self, end: str) -> bool:
        return any(len(whole) > len(end) and whole.startswith(end) for whole in self._wholes)
