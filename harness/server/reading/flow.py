"""Printed lines become running text: paragraphs whole, words unhyphenated, running headers gone.

A PDF knows where its characters stand and nothing of paragraphs. A line break is taken back where the next
line is plainly the same text going on: same type size, usual distance, and a first word that would not have
fitted on the line before.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_BULLET = re.compile(r"\s*(?:[-*•‣–▪◦●○■□\uf0b7]|\(?\d{1,3}[.)]|\(?[a-z]\))\s+\S")
_PAGE_NUMBER = re.compile(r"\W*(?:page\s*)?(\d{1,4})(?:\s*(?:/|of|von|de|sur)\s*\d{1,4})?\W*", re.I)
_SENTENCE_OVER = re.compile(r"[.!?:;…][\"'”’)\]]*$")
_SOFT_HYPHENS = "\ufffe\x02\u00ad"
_PARAGRAPH_PITCH = 1.3
"""Lines this much farther apart than usual belong to different paragraphs."""
_MARGIN_GAP = 1.6
"""A running header or footer keeps at least this distance, in type sizes, from the text."""
_NARROW_SHARE = 0.6
"""A line that ends before this share of the column is no full line, whatever follows."""


@dataclass(frozen=True, slots=True)
class Line:
    """One printed line; positions in points, ``y`` growing upwards."""

    text: str
    left: float = 0.0
    right: float = 0.0
    baseline: float = 0.0
    size: float = 0.0
    row: bool = False
    """Whether it is a table row: its cells are parted by bars."""
    code: bool = False
    """Whether it is set in a typewriter face, where line breaks mean something."""
    first_word: float = 0.0
    """Width of its first word: would that have fitted on the line before?"""
    above: float = 0.0
    """How far a row with cells of several lines reaches above its lowest line."""


def without_running_lines(printed: list[list[Line]]) -> list[list[Line]]:
    """The pages without what repeats from page to page: headers, footers and page numbers."""
    filled = sum(1 for lines in printed if lines)
    if filled < 2:
        return printed
    margins = [_margins(lines) for lines in printed]
    forms = Counter(form for lines in margins for form in {_form(line) for line in lines})
    running = {form for form, count in forms.items() if count >= max(3, round(0.6 * filled))}
    offset = _numbering(margins, enough=max(2, round(0.5 * filled)))
    return [
        _kept(
            lines, [line for line in lines if not _is_running(line, margins[index], running, index - offset)]
        )
        for index, lines in enumerate(printed)
    ]


def _kept(lines: Sequence[Line], text: list[Line]) -> list[Line]:
    """A page's lines without the running ones; where nothing else is on it, they are its text."""
    return text or [line for line in lines if not _PAGE_NUMBER.fullmatch(line.text)]


def _is_running(line: Line, margins: Sequence[Line], running: set[str], number: float) -> bool:
    in_margin = any(line is other for other in margins)
    return in_margin and (_form(line) in running or number in _numbers(line))


def _margins(lines: Sequence[Line]) -> list[Line]:
    """The lines apart from the text at its top and bottom, at most two each; drawn in any order."""
    ordered = sorted(lines, key=lambda line: -line.baseline)
    return [*_apart(ordered), *_apart(ordered[::-1])]


def _apart(lines: Sequence[Line]) -> Sequence[Line]:
    """The first one or two lines, if a gap follows them."""
    for count, (outer, inner) in enumerate(pairwise(lines[:3]), start=1):
        gap = abs(outer.baseline - inner.baseline)
        if gap > _MARGIN_GAP * max(outer.size, inner.size) or not inner.size:
            return lines[:count]
    return lines if len(lines) == 1 else ()


def _numbering(margins: Sequence[Sequence[Line]], *, enough: int) -> float:
    """How far printed page numbers lag behind the pages; not a number where pages carry none.

    A page number is one that grows by one from page to page in the margin lines.
    """
    offsets = Counter(
        offset
        for index, lines in enumerate(margins)
        for offset in {index - number for line in lines for number in _numbers(line)}
    )
    offset, count = max(offsets.items(), key=lambda item: item[1], default=(0, 0))
    return offset if count >= enough else math.nan


def _numbers(line: Line) -> set[int]:
    """The numbers that could be this line's page number: at one of its ends, or ``2 of 7``."""
    match = _PAGE_NUMBER.fullmatch(line.text)
    found = [match.group(1)] if match else re.findall(r"^\d{1,4}(?=\s)|(?<=\s)\d{1,4}$", line.text)
    return {int(number) for number in found}


def _form(line: Line) -> str:
    """What stays the same of a running line when its numbers change."""
    return re.sub(r"\d+", "#", line.text.casefold())


def vocabulary_of(printed: Sequence[Sequence[Line]]) -> frozenset[str]:
    """Every word that stands inside a line: tells whether a hyphen at a line's end belongs to the word."""
    text = "\n".join(line.text for lines in printed for line in lines)
    return frozenset(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*(?![-\w]*\n)", text.casefold()))


def flow(lines: Sequence[Line], vocabulary: frozenset[str], pitch: float) -> str:
    """The lines as running text."""
    if not lines:
        return ""
    breaks = list(_breaks(lines, pitch))
    text = lines[0].text
    for line, mark in zip(lines[1:], breaks, strict=True):
        text = (
            _joined(text, line.text, vocabulary)
            if mark == " "
            else text.rstrip(_SOFT_HYPHENS) + mark + line.text
        )
    return re.sub(f"[{_SOFT_HYPHENS}]", "", text)


def _breaks(lines: Sequence[Line], pitch: float) -> Iterator[str]:
    """What stands between each two lines: a space, a line break or a blank line."""
    blocks = _blocks(lines, pitch)
    page_right = max(line.right for line in lines)
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        edge = max(line.right for line in block)
        left = min(line.left for line in block)
        if left < 0.4 * page_right and not _stands_beside(block, lines):
            edge = max(edge, left + _NARROW_SHARE * (page_right - left))
        for before, after in pairwise(block):
            yield _break_inside(before, after, edge)
        if following:
            yield _break_between(block[-1], following[0])


def _stands_beside(block: Sequence[Line], lines: Sequence[Line]) -> bool:
    """Whether the page has another column to the right of a block, whose own width is then its column's."""
    right = max(line.right for line in block)
    return len(block) > 2 and sum(1 for line in lines if line.left > right) > 2


def _blocks(lines: Sequence[Line], pitch: float) -> list[list[Line]]:
    """Lines of one type size at the usual distance, one below the other."""
    blocks = [[lines[0]]]
    for before, after in pairwise(lines):
        if _same_block(before, after, pitch):
            blocks[-1].append(after)
        else:
            blocks.append([after])
    return blocks


def usual_pitch(printed: Sequence[Sequence[Line]]) -> float:
    """Distance of two lines of one paragraph, in type sizes.

    Spaced-out lists and short paragraphs make larger steps; inside paragraphs the steps are the small ones.
    """
    steps = sorted(
        (before.baseline - after.baseline) / after.size
        for lines in printed
        for before, after in pairwise(lines)
        if after.size and not after.row and not after.code
    )
    plausible = [step for step in steps if 0.9 < step < 2.5]
    return plausible[len(plausible) // 4] if plausible else 1.3


def _same_block(before: Line, after: Line, pitch: float) -> bool:
    if not after.size:
        return True
    if abs(before.size - after.size) > 0.04 * after.size or (before.row, before.code) != (
        after.row,
        after.code,
    ):
        return False
    step = before.baseline - after.baseline - after.above
    if before.row:
        return 0 < step < 2.5 * after.size
    return 0 < step <= _PARAGRAPH_PITCH * pitch * after.size


def _break_inside(before: Line, after: Line, edge: float) -> str:
    if after.row or after.code or _BULLET.match(after.text):
        return "\n"
    if before.text.endswith(tuple(_SOFT_HYPHENS)):
        return " "
    if not after.size:
        return _break_without_places(before, after)
    indented = after.left - before.left > 0.8 * after.size and not _BULLET.match(before.text)
    if indented and _SENTENCE_OVER.search(before.text):
        return "\n\n"
    fitted = before.right + after.first_word + 0.2 * after.size < edge
    return "\n" if fitted else " "


def _break_without_places(before: Line, after: Line) -> str:
    """Where PDFium cannot say where characters stand: only the words and lengths tell."""
    goes_on = after.text[:1].islower() or len(before.text) > 60
    return " " if goes_on and not _SENTENCE_OVER.search(before.text[-2:]) else "\n"


def _break_between(before: Line, after: Line) -> str:
    """Blocks are paragraphs apart, unless a sentence plainly goes on (next column, odd type size)."""
    in_the_middle = not _SENTENCE_OVER.search(before.text) and after.text[:1].islower()
    same_type = abs(before.size - after.size) <= 0.04 * after.size
    if (
        in_the_middle
        and same_type
        and not (before.row or after.row or after.code or _BULLET.match(after.text))
    ):
        return " "
    return "\n\n"


def _joined(text: str, line: str, vocabulary: frozenset[str]) -> str:
    """Two lines of one paragraph; a word that was hyphenated to fit is made whole again."""
    if not text.endswith(("-", *_SOFT_HYPHENS)):
        return f"{text} {line}"
    stem = text.rstrip("-" + _SOFT_HYPHENS)
    head = re.search(r"[^\W\d_]+$", stem)
    tail = re.match(r"[^\W\d_]+", line)
    if not head or not tail:
        return f"{stem}-{line}" if head or tail else f"{text} {line}"
    whole, compound = head.group() + tail.group(), f"{head.group()}-{tail.group()}"
    keeps = compound.casefold() in vocabulary and whole.casefold() not in vocabulary
    # E-mail, X-ray and names like Rhine-Main never lose their hyphen.
    always = len(head.group()) == 1 or tail.group()[0].isupper()
    return f"{stem}-{line}" if keeps or always else stem + line
