"""Pieces of printed lines become rows of tables: what stands side by side belongs together.

A PDF draws a table cell by cell or line by line and says nothing of rows. Pieces that follow one another
in the file are one row when each begins to the right of the one before and at its height; a cell may have
several lines. Columns of prose that were drawn line by line are taken apart again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from harness.server.reading.flow import Line

MARKER = re.compile(r"\s*(?:[-*•‣–▪◦●○■□\uf0b7]|\(?(?:\d{1,3}|[A-Za-z])[.)])\s*$")

_SAME_HEIGHT_EM = 0.3
_LINE_STEP_EM = 1.6
"""The next line of a cell is at most this far below, in type sizes."""
_STEADY = 1.15
"""Lines of one cell keep their distance; a larger one by this factor begins something else."""
_MOST_HIGHER_EM = 5.0
"""The next cell of a row begins at most this much higher than the ones before it, in type sizes."""
_MOST_CELL_LINES = 8
"""A block of more lines is a column of text, not a cell."""
_COLUMN_CHARACTERS = 25
"""Lines of a column of prose are longer than this on average; short entries of a table are not."""


@dataclass(slots=True)
class _Cell:
    """Lines one below the other."""

    lines: list[Line]

    @property
    def left(self) -> float:
        return min(line.left for line in self.lines)

    @property
    def right(self) -> float:
        return max(line.right for line in self.lines)

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


_Row = list[_Cell]


def arranged(pieces: Sequence[Line]) -> list[Line]:
    """The lines of a page, those of tables as rows whose cells are parted by bars."""
    found: list[Line] = []
    for is_table, group in groupby(_rows(pieces), key=lambda row: len(row) > 1):
        rows = list(group)
        if is_table:
            found.extend(_table(rows))
        else:
            found.extend(line for row in rows for cell in row for line in cell.lines)
    return found


def _rows(pieces: Sequence[Line]) -> list[_Row]:
    rows: list[_Row] = []
    for piece in pieces:
        if rows and len(rows[-1]) == 1 and _opens_row(rows[-1][0], piece):
            rows.append([_Cell([rows[-1][0].lines.pop()])])
        ceiling = (
            min((cell.lines[-1].baseline for cell in rows[-2]), default=math.inf) if rows[1:] else math.inf
        )
        if not rows or not piece.size or piece.code or not _joins(rows[-1], piece, ceiling):
            rows.append([_Cell([piece])])
    return rows


def _opens_row(cell: _Cell, piece: Line) -> bool:
    """Whether the last line of what looked like a paragraph is the first cell of a row."""
    last = cell.lines[-1]
    return len(cell.lines) > 1 and _is_level(last, piece) and last.right <= piece.left < cell.right


def _joins(row: _Row, piece: Line, ceiling: float) -> bool:
    """Whether the piece was found a place in the row; the row before it reaches down to ``ceiling``."""
    last = row[-1]
    before = last.lines[-1]
    if _is_level(before, piece) and MARKER.fullmatch(before.text) and piece.left >= before.right:
        last.lines[-1] = replace(piece, text=f"{before.text} {piece.text}", left=before.left)
    elif _is_below(last, piece):
        last.lines.append(piece)
    elif _is_beside(row, piece, ceiling):
        row.append(_Cell([piece]))
    else:
        return _continues(row, piece)
    return True


def _is_level(before: Line, piece: Line) -> bool:
    return bool(before.size) and abs(before.baseline - piece.baseline) < _SAME_HEIGHT_EM * piece.size


def _is_below(cell: _Cell, piece: Line) -> bool:
    last = cell.lines[-1]
    usual = _LINE_STEP_EM * piece.size
    if len(cell.lines) > 1:
        usual = min(usual, _STEADY * (cell.lines[-2].baseline - last.baseline))
    alike = abs(last.size - piece.size) < 0.1 * piece.size and not last.code
    overlaps = piece.left < cell.right and piece.right > cell.left
    return alike and overlaps and 0 < last.baseline - piece.baseline <= usual


def _is_beside(row: _Row, piece: Line, ceiling: float) -> bool:
    """Cells may stand at the top, the middle or the bottom of their row: the next one may begin higher."""
    last = row[-1]
    if len(last.lines) > _MOST_CELL_LINES or last.lines[-1].code or piece.left < last.right:
        return False
    highest = max(cell.lines[0].baseline for cell in row)
    lowest = min(cell.lines[-1].baseline for cell in row)
    slack = _SAME_HEIGHT_EM * piece.size
    limit = max(highest + slack, min(highest + _MOST_HIGHER_EM * piece.size, ceiling - slack))
    return lowest - slack <= piece.baseline <= limit


def _continues(row: _Row, piece: Line) -> bool:
    """Whether it is the next line of an earlier cell, where a table was drawn line by line."""
    for cell in row[1:-1]:
        aligned = abs(cell.left - piece.left) < 0.5 * piece.size
        if aligned and piece.text[:1].islower() and _is_below(cell, piece):
            cell.lines.append(piece)
            return True
    return False


def _table(rows: Sequence[_Row]) -> Iterator[Line]:
    rows = [part for row in rows for part in _parted(row)]
    if _is_prose(rows):
        for column in range(len(rows[0])):
            yield from (line for row in rows for line in row[column].lines)
        return
    columns = max(rows, key=len)
    for row in rows:
        yield _row_line(row, columns)


def _parted(row: _Row) -> Iterator[_Row]:
    """A row for each line, where a table of short entries was drawn column by column."""
    lines = [cell.lines for cell in row]
    count = len(lines[0])
    level = all(
        len(each) == count and all(_is_level(*pair) for pair in zip(lines[0], each, strict=True))
        for each in lines
    )
    texts = [line.text for each in lines for line in each]
    short = all(len(text) <= _COLUMN_CHARACTERS for text in texts)
    goes_on = sum(text[:1].islower() for each in lines for text in [line.text for line in each[1:]])
    if count > 1 and level and short and goes_on <= 0.3 * len(texts):
        yield from ([_Cell([line]) for line in entries] for entries in zip(*lines, strict=True))
    else:
        yield row


def _is_prose(rows: Sequence[_Row]) -> bool:
    """Whether these are columns of running text: tight lines of one width that go on below one another."""
    if len(rows) < 4 or len({len(row) for row in rows}) > 1:
        return False
    if any(not _is_below(upper[0], lower[0].lines[0]) for upper, lower in pairwise(rows)):
        return False
    cells = [cell.text for row in rows for cell in row]
    goes_on = sum(cell.text[:1].islower() for row in rows[1:] for cell in row)
    return sum(map(len, cells)) > _COLUMN_CHARACTERS * len(cells) and goes_on > 0.4 * (
        len(cells) - len(rows[0])
    )


def _row_line(row: _Row, columns: _Row) -> Line:
    """The row with an empty cell wherever one of the table's columns is not filled."""
    places = [_column_of(cell, columns) for cell in row]
    if any(before >= after for before, after in pairwise(places)):
        places = list(range(len(row)))
    texts = dict(zip(places, (cell.text for cell in row), strict=True))
    text = " | ".join(texts.get(place, "") for place in range(max(places) + 1))
    lines = [line for cell in row for line in cell.lines]
    lowest, highest = min(line.baseline for line in lines), max(line.baseline for line in lines)
    first = row[0].lines[0]
    right = max(line.right for line in lines)
    return Line(text, first.left, right, lowest, first.size, row=True, above=highest - lowest)


def _column_of(cell: _Cell, columns: _Row) -> int:
    """The column whose left edge, right edge or middle is nearest to the cell's."""

    def distance(place: int) -> float:
        column = columns[place]
        left, right = abs(column.left - cell.left), abs(column.right - cell.right)
        return min(left, right, abs(column.left + column.right - cell.left - cell.right) / 2)

    return min(range(len(columns)), key=distance)
