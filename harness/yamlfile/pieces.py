"""A YAML file cut along the entries of one long list, so that a few entries at a time can be read.

The tree of a parsed file takes sixty times the memory of its text. Where a list is written in the usual way,
one entry below the other, its entries are found by their indentation alone: each begins with a dash in the
same column, and whatever belongs to it stands further right. Only quoted text and brackets may break that
rule; a cut through these leaves a quote or bracket open, so that the piece is refused as YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

_PIECE = 50_000  # characters that are read together: few calls of the parser, and a small tree


class Pieces(msgspec.Struct, frozen=True):
    """A file without the entries of a list, and these entries.

    Attributes:
        frame: The file with an empty line for each line of the entries, so that all else keeps its place.
        text: The whole file.
        starts: Where each entry begins in it; at last, where the list ends.
    """

    frame: str
    text: str
    starts: Sequence[int]

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """The text of a few entries at a time, a list of its own, with the number of its entries."""
        first = 0
        for number in range(1, len(self.starts)):
            if number == len(self.starts) - 1 or self.starts[number] - self.starts[first] >= _PIECE:
                yield self.text[self.starts[first] : self.starts[number]], number - first
                first = number


def cut(text: str, key: str) -> Pieces | None:
    """The pieces of a file by the list below one of its outermost keys; None when it is written otherwise.

    That a piece can't be read by itself shows when it is parsed: it has an open quote or bracket, or an alias
    of something outside.
    """
    head = re.search(rf"^{key}:[ \t]*(?:#.*)?\r?\n", text, re.MULTILINE)
    first = _DASH.match(text, _next_line(text, head.end())) if head else None
    if head is None or first is None:
        return None
    starts, dash = [], first.group()
    outside = re.compile(rf"^ {{0,{len(dash) - 1}}}[^ \r\n#]", re.MULTILINE)
    end = len(text)
    for line in outside.finditer(text, first.start()):
        if line.group() != dash or text[line.end() : line.end() + 1] not in _BEHIND_DASH:
            end = line.start()
            break
        starts.append(line.start())
    frame = text[: starts[0]] + "\n" * text.count("\n", starts[0], end) + text[end:] if starts else ""
    return Pieces(frame, text, (*starts, end)) if starts else None


_DASH = re.compile(r" *-(?=[ \r\n])")
_BEHIND_DASH = (" ", "\r", "\n")
_UNSAID = re.compile(r"(?:[ \t]*(?:#.*)?\r?\n)*")


def _next_line(text: str, start: int) -> int:
    """The first line from here that is neither empty nor a remark."""
    found = _UNSAID.match(text, start)
    return found.end() if found else start
