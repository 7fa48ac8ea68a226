"""A found chunk as units that can be quoted: sentences, list items, table rows, each under its headings.

Chunks come from PDF pages, Markdown, web pages: with ``#`` headings or bare lines, with wrapped or whole
paragraphs. Layout is read from the lines themselves: a line that ends although the next word would have
fitted ends on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import msgspec
from msgspec.structs import replace

from harness.server.llms.extractive.lexicon import subject_stems
from harness.text import content_stems, fold, sentences, stem, words

UnitKind = Literal["prose", "item", "step", "row", "code", "heading"]


class Unit(msgspec.Struct, frozen=True):
    """One quotable piece of a chunk.

    Attributes:
        text: Its words as they stand there, without bullets, ``#`` and ``|``.
        stems: Its content stems.
        heading: Content stems of the headings above it.
        kind: What it is in the layout.
        block: Number of its paragraph or list within the chunk.
        number: Its number in a list of steps.
        whole: False when the chunk's edge cut it off.
        parts: Stems that occur only as parts of compounds.
        answers_heading: Whether it begins the text under a heading that is a question.
        title: The words of the headings above it.
    """

    text: str
    stems: frozenset[str]
    heading: frozenset[str]
    kind: UnitKind
    block: int
    number: int | None = None
    whole: bool = True
    answers_heading: bool = False
    parts: frozenset[str] = frozenset()
    title: str = ""


class _Block(msgspec.Struct, frozen=True):
    kind: UnitKind
    text: str
    number: int | None = None
    depth: int = 1


_BULLET = re.compile(r"^\s*(?:[-*•–▪◦]|[oO](?=\s))\s+")
_NUMBERED = re.compile(r"^\s*(?:\*\*)?\(?(\d{1,2}|[a-h])[.)](?:\*\*)?\s+(?=\S)")
_HASHES = re.compile(r"^\s*(#{1,6})\s+")
_FURNITURE = re.compile(r".{0,60}\bpage \d+(?: of \d+)?\s*$|^\s*\d{1,4}\s*$", re.IGNORECASE)
_SEPARATOR = re.compile(r"^[\s|:+=-]{3,}$")
_ENDS = re.compile(r"[.!?…:;,][\"'”’)\]*]*$")


@lru_cache(maxsize=4096)
def units_of(chunk: str) -> tuple[Unit, ...]:
    """The quotable units of a chunk in reading order."""
    return tuple(_units(list(_blocks(chunk))))


def _units(blocks: list[_Block]) -> Iterator[Unit]:
    headings: dict[int, str] = {}
    list_number = 0
    previous = nearest = ""
    for position, block in enumerate(blocks):
        if block.kind == "heading":
            headings = {depth: text for depth, text in headings.items() if depth < block.depth}
            headings[block.depth] = block.text
            previous, nearest = "heading", block.text
            continue
        if not (block.kind == previous and block.kind in ("item", "step", "row")):
            list_number += 1
        answers = previous == "heading" and nearest.endswith("?")
        previous = block.kind
        title = " ".join(headings.values())
        heading = frozenset(content_stems(title))
        for unit in _units_of_block(block, heading, list_number, position, len(blocks)):
            yield replace(unit, answers_heading=answers, title=clean(title))
            answers = False


def _units_of_block(
    block: _Block, heading: frozenset[str], number: int, position: int, count: int
) -> Iterator[Unit]:
    kind = block.kind
    pieces = [block.text] if kind in ("row", "code", "step") else [s.text for s in sentences(block.text)]
    for index, piece in enumerate(pieces):
        text = clean(piece)
        if not text:
            continue
        first = position == 0 and index == 0
        last = position == count - 1 and index == len(pieces) - 1
        whole = not (first and text[:1].islower()) and not (last and kind != "row" and not _ENDS.search(text))
        stems = frozenset(subject_stems(text))
        yield Unit(text, stems, heading, kind, number, block.number, whole, parts=_only_parts(text, stems))


def _only_parts(text: str, stems: frozenset[str]) -> frozenset[str]:
    """Stems that no word of the text is by itself: "book" where only "e-books" stands."""
    if "-" not in text:
        return frozenset()
    whole = {stem(span.text) for span in words(fold(text)) if "-" not in span.text}
    return frozenset(part for part in stems if part not in whole and "-" not in part)


def clean(text: str) -> str:
    """A quotation without the marks of its layout."""
    text = _HASHES.sub("", " ".join(text.split()))
    text = re.sub(
        r"!\[([^\]]*)\]\([^)]*\)|\[([^\]]+)\]\([^)\s]*\)", lambda m: m.group(1) or m.group(2) or "", text
    )
    text = re.sub(r"\*\*(.+?)\*\*|__(.+?)__", lambda m: m.group(1) or m.group(2), text)
    text = re.sub(
        r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])|(?<!\w)`([^`]+)`(?!\w)",
        lambda m: m.group(1) or m.group(2),
        text,
    )
    text = re.sub(r"【[^】]*】", "", text)
    return text.strip(" \t|")


# --- lines ----------------------------------------------------------------------------------------


def _blocks(chunk: str) -> Iterator[_Block]:
    lines = [line.rstrip() for line in chunk.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    lines = _with_bars(lines)
    width = _width(lines)
    group: list[str] = []
    groups: list[list[str]] = []
    fenced = False
    for line in [*lines, ""]:
        fence = line.lstrip().startswith("```")
        if group and not fenced and (fence or _begins_anew(group[-1], line, width)):
            groups.append(group)
            group = []
        if fence:
            if fenced and group:
                groups.append(["```", *group])
                group = []
            fenced = not fenced
        elif line.strip() and not (not fenced and _FURNITURE.fullmatch(line.strip()) and len(line) < 90):
            group.append(line)
    if group:
        groups.append(group)
    yield from _with_text(list(_classified(groups)))


_GAP = re.compile(r"(?<=\S)(?: {2,}|\t+)(?=\S)")


def _with_bars(lines: list[str]) -> list[str]:
    """The lines; where columns stand apart by spaces alone, in at least three lines, with bars between."""
    cells = [_cells(line) for line in lines]
    begin = 0
    made = list(lines)
    while begin < len(lines):
        end = begin
        while end < len(lines) and len(cells[end]) == len(cells[begin]):
            end += 1
        if len(cells[begin]) > 1 and end - begin > 2:
            made[begin:end] = [" | ".join(row) for row in cells[begin:end]]
        begin = end
    return made


def _cells(line: str) -> list[str]:
    text = line.strip()
    return [text] if "|" in text or _starts_a_block(text) else _GAP.split(text)


def _with_text(blocks: list[_Block]) -> list[_Block]:
    """The blocks; where nothing but headings stands, they are the text."""
    if any(block.kind != "heading" for block in blocks):
        return blocks
    return [replace(block, kind="row") for block in blocks]


def _width(lines: list[str]) -> int:
    """How long a full line is; wrapped text comes near it again and again."""
    lengths = sorted(len(line) for line in lines if line.strip())
    return lengths[int(len(lengths) * 0.9)] if lengths else 0


def _begins_anew(line: str, following: str, width: int) -> bool:
    if not following.strip() or _starts_a_block(following) or line.lstrip().startswith(("#", "|")):
        return True
    if _is_row(following) or _is_row(line):
        return True
    first_word = following.split(maxsplit=1)[0]
    fitted = len(line) + 1 + len(first_word) < 0.85 * width
    return fitted and not re.search(r"[,;(–-]$|\b(?:the|a|an|of|to|and|or|in|for|with|is|are)$", line)


def _starts_a_block(line: str) -> bool:
    return bool(
        _BULLET.match(line) or _NUMBERED.match(line) or _HASHES.match(line) or line.lstrip().startswith("|")
    )


def _classified(groups: list[list[str]]) -> Iterator[_Block]:
    run: list[str] = []
    table: list[str] = []
    begun = False
    for group in [*groups, []]:
        text = " ".join(line.strip() for line in group)
        is_bare = len(group) == 1 and _is_bare_line(text)
        if run and not is_bare:
            yield from _bare_lines(run)
            run = []
        if table and not (group and _is_row(text)):
            yield from _rows(table, headed=begun)
            table, begun = [], True
        if not group:
            continue
        if _is_row(text) and group[0] != "```":
            table.append(text)
            continue
        begun = True
        if is_bare:
            run.append(text)
        else:
            yield _classify(group, text)


def _is_bare_line(text: str) -> bool:
    """A short line that is no sentence: a heading, or the row of a table without rules."""
    if _starts_a_block(text) or "|" in text or len(text) > 90 or len(text.split()) > 14:
        return False
    if re.search(r"[.!?] [A-Z]", text):
        return False
    return not _ENDS.search(text) or (text.endswith("?") and len(text.split()) <= 14)


def _bare_lines(run: list[str]) -> Iterator[_Block]:
    if len(run) >= 4 or (len(run) == 3 and sum(any(c.isdigit() for c in line) for line in run) >= 1):
        title = [] if any(character.isdigit() for character in run[0]) else run[:1]
        for line in title:
            yield _Block("heading", line, depth=3)
        for line in run[len(title) :]:
            yield _Block("row", line)
    else:
        for depth, line in enumerate(run, start=3 - min(len(run), 2)):
            yield _Block("heading", line, depth=depth + 1)


def _classify(group: list[str], text: str) -> _Block:
    if group[0] == "```":
        return _Block("code", " ".join(line.strip() for line in group[1:]))
    hashes = _HASHES.match(text)
    if hashes:
        return _Block("heading", _HASHES.sub("", text), depth=len(hashes.group(1)))
    if re.fullmatch(r"\*\*[^*]+\*\*:?", text):
        return _Block("heading", text.strip("*:"), depth=6)
    step = _NUMBERED.match(text)
    if step:
        label = step.group(1)
        number = int(label) if label.isdigit() else ord(label) - ord("a") + 1
        return _Block("step", _NUMBERED.sub("", text), number)
    if _BULLET.match(text):
        return _Block("item", _BULLET.sub("", text))
    return _Block("prose", text)


def _is_row(text: str) -> bool:
    """Whether a line is a row of a table: cells between bars."""
    return text.count("|") >= 2 or " | " in text


def _rows(table: list[str], *, headed: bool) -> Iterator[_Block]:
    """The rows in words; ``headed`` tells that the table begins in this chunk, with a row of names."""
    ruled = len(table) > 1 and bool(_SEPARATOR.match(table[1]))
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in table
        if not _SEPARATOR.match(line)
    ]
    header: list[str] = []
    if ruled or (headed and len(rows) > 2 and not any(c.isdigit() for c in "".join(rows[0]))):
        header, rows = rows[0], rows[1:]
    for row in rows:
        yield _Block("row", _row_in_words(header, row))


def _row_in_words(header: list[str], row: list[str]) -> str:
    """``Team: Price 49 USD, Members 20`` from a row and its header."""
    if len(header) != len(row) or len(row) < 2:
        return ", ".join(cell for cell in row if cell)
    rest = ", ".join(
        f"{name} {cell}" if fold(name) not in fold(cell) else cell
        for name, cell in zip(header[1:], row[1:], strict=True)
        if cell
    )
    return f"{row[0]}: {rest}" if row[0] else rest
