"""Token counts of the first texts of a process, before its encoder is worth building.

Building tiktoken's encoder takes a third of a second, which is more than all else that a short run does.
A few texts are counted by looking each word up in the published ranks themselves, pair by pair where it is
not one token. Texts with letters beyond ASCII, and all texts after a few hundred look-ups, are left to the
encoder: the count is the same either way.
"""

from __future__ import annotations

import binascii
import re
from itertools import pairwise

_MOST_LOOKUPS = 400
_LONGEST_BYTES = 40
"""Longer words and runs of signs are left to the encoder: they are looked up pair by pair."""

_ENDING = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
# The split pattern of o200k_base where the only letters and digits are those of ASCII.
_PIECE = re.compile(
    "|".join(
        [
            rf"[^\r\nA-Za-z0-9]?[A-Z]*[a-z]+{_ENDING}",
            rf"[^\r\nA-Za-z0-9]?[A-Z]+[a-z]*{_ENDING}",
            r"[0-9]{1,3}",
            r" ?[^\sA-Za-z0-9]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        ]
    ),
    re.ASCII,
)
_PLAIN = re.compile(r"[\x00-\x7f‘’“”–—…•†€£°→【】]*")
"""ASCII and signs that are neither letters, digits, marks nor spaces."""


class FirstCounts:
    """Counts the tokens of a few texts.

    Args:
        ranks: The published file of o200k_base: a token in Base64 and its rank a line, the commonest first.
    """

    def __init__(self, ranks: bytes) -> None:
        self._ranks = b"\n" + ranks
        self._known: dict[bytes, int | None] = {}
        self._cut: dict[str, list[bytes]] = {}

    def tokens(self, text: str) -> list[bytes] | None:
        """The tokens of a text; None when it is to be left to the encoder."""
        if not _PLAIN.fullmatch(text):
            return None
        found: list[bytes] = []
        for piece in _PIECE.findall(text):
            tokens = self._cut.get(piece) or self._of_piece(piece.encode())
            if tokens is None:
                return None
            self._cut[piece] = tokens
            found += tokens
        return found

    def _of_piece(self, piece: bytes) -> list[bytes] | None:
        if len(piece) > _LONGEST_BYTES or len(self._known) > _MOST_LOOKUPS:
            return None
        return [piece] if self._rank(piece) is not None else self._merged(piece)

    def _merged(self, piece: bytes) -> list[bytes]:
        """The piece in tokens: of two neighbours those are joined first that make the commonest token."""
        parts = [piece[at : at + 1] for at in range(len(piece))]
        while True:
            pairs = [self._rank(one + other) for one, other in pairwise(parts)]
            known = [(rank, at) for at, rank in enumerate(pairs) if rank is not None]
            if not known:
                return parts
            at = min(known)[1]
            parts[at : at + 2] = [parts[at] + parts[at + 1]]

    def _rank(self, token: bytes) -> int | None:
        if token not in self._known:
            self._known[token] = self._looked_up(token)
        return self._known[token]

    def _looked_up(self, token: bytes) -> int | None:
        line = b"\n" + binascii.b2a_base64(token, newline=False) + b" "
        found = self._ranks.find(line)
        if found < 0:
            return None
        begin = found + len(line)
        return int(self._ranks[begin : self._ranks.index(b"\n", begin)])
