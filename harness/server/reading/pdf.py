"""The lines of PDF pages with their places, read by PDFium."""

from __future__ import annotations

import re
import threading
from typing import Any

from harness.server.reading import flow
from harness.server.reading.documents import Page, Unreadable
from harness.server.reading.flow import Line
from harness.server.reading.names import shown

# PDFium keeps global state: one document at a time in a process.
_PDFIUM = threading.Lock()

_MARKER = re.compile(r"\s*(?:[-*•‣–▪◦●○■□\uf0b7]|\(?(?:\d{1,3}|[A-Za-z])[.)])\s*$")

# PDFium joins a line that ends in a hyphen to the next one, with this mark between them.
_PRINTED_LINE = re.compile(r"[^\r\n\ufffe]+\ufffe?|\ufffe")
_FIXED_PITCH_NAMES = re.compile(rb"courier|mono|consol|menlo|typewriter|lettergothic", re.I)
_FIXED_PITCH_FLAG = 1

_CELL_GAP_EM = 0.9
"""A gap this wide, in type sizes, parts two table cells; justified text stays below."""


def pages(name: str, content: bytes) -> list[Page]:
    """The pages with their numbers, also those without text.

    Raises:
        Unreadable: The file is encrypted or damaged.
    """
    printed = flow.without_running_lines(_lines_of_all(name, content))
    vocabulary, pitch = flow.vocabulary_of(printed), flow.usual_pitch(printed)
    return [
        Page(number, flow.flow(lines, vocabulary, pitch)) for number, lines in enumerate(printed, start=1)
    ]


def _lines_of_all(name: str, content: bytes) -> list[list[Line]]:
    import pypdfium2

    with _PDFIUM:
        try:
            with pypdfium2.PdfDocument(content) as document:
                return [_lines(page) for page in document]
        except pypdfium2.PdfiumError as error:
            raise Unreadable("invalid_file", _what_is_wrong(name, content, error)) from error


def _what_is_wrong(name: str, content: bytes, error: Exception) -> str:
    """What to do about a PDF that PDFium refuses.

    It names no reason of its own for one without pages: that of the document before may still stand there.
    """
    reason = str(error).lower()
    if "password" in reason and b"/Encrypt" in content:
        return f"{shown(name)} is encrypted; upload it without a password"
    if "password" in reason or "success" in reason:
        return f"{shown(name)} is a PDF without pages, or damaged; export it again"
    return f"{shown(name)} is a damaged PDF ({error}); export it again"


def _lines(page: Any) -> list[Line]:
    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range()
        placed = len(text) == textpage.count_chars()
        found: list[Line] = []
        for match in _PRINTED_LINE.finditer(text):
            if match.group().strip():
                found.append(_line(textpage, match) if placed else Line(match.group().strip()))
        return found
    finally:
        textpage.close()
        page.close()


def _line(textpage: Any, match: re.Match[str]) -> Line:
    """The line with its place; ``match`` counts characters as PDFium does."""
    text = match.group().strip()
    first = match.start() + match.group().index(text[0])
    last = first + len(text) - 1
    left, right = textpage.get_charbox(first, loose=True)[0], textpage.get_charbox(last, loose=True)[2]
    word_end = textpage.get_charbox(first + len(text.split(maxsplit=1)[0]) - 1, loose=True)[2]
    # Words in a smaller face may open or close a line; a bullet's own size does not count.
    edges = (last,) if _MARKER.fullmatch(text.split(maxsplit=1)[0]) else (first, last)
    size = max(_type_size(textpage, index) for index in edges)
    code = all(_is_typewriter(textpage, index) for index in (first, last))
    cells = [text] if code else _cells(textpage, text, first, size)
    baseline = _baseline(textpage, last)
    return Line(" | ".join(cells), left, right, baseline, size, len(cells) > 1, code, word_end - left)


def _baseline(textpage: Any, index: int) -> float:
    import ctypes

    from pypdfium2 import raw

    x, y = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(textpage, index, x, y)
    return y.value


def _type_size(textpage: Any, index: int) -> float:
    """In points; where the producer scaled the page instead of the type, the height of the box."""
    from pypdfium2 import raw

    _, bottom, _, top = textpage.get_charbox(index, loose=True)
    size = float(raw.FPDFText_GetFontSize(textpage, index))
    return size if 0.4 * (top - bottom) < size < 2.5 * (top - bottom) else top - bottom


def _is_typewriter(textpage: Any, index: int) -> bool:
    import ctypes

    from pypdfium2 import raw

    name, flags = ctypes.create_string_buffer(128), ctypes.c_int()
    raw.FPDFText_GetFontInfo(textpage, index, name, len(name), flags)
    return bool(_FIXED_PITCH_NAMES.search(name.value)) or bool(flags.value & _FIXED_PITCH_FLAG)


def _cells(textpage: Any, text: str, first: int, size: float) -> list[str]:
    """The line's text, parted where the gap between two words is a column's."""
    cells: list[str] = []
    begin = 0
    for space in re.finditer(r"\s+", text):
        before = textpage.get_charbox(first + space.start() - 1, loose=True)[2]
        after = textpage.get_charbox(first + space.end(), loose=True)[0]
        piece = text[begin : space.start()]
        if after - before > _CELL_GAP_EM * size and not _MARKER.fullmatch(piece):
            cells.append(piece)
            begin = space.end()
    return [*cells, text[begin:]]
