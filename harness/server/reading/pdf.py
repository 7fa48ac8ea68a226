"""The lines of PDF pages with their places, read by PDFium."""

from __future__ import annotations

import re
import threading
from typing import Any

from harness.server.reading import flow, layout
from harness.server.reading.documents import Page, Unreadable
from harness.server.reading.flow import Line
from harness.server.reading.layout import MARKER
from harness.server.reading.names import shown

# PDFium keeps global state: one document at a time in a process.
_PDFIUM = threading.Lock()

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
        lines = [match for match in _PRINTED_LINE.finditer(text) if match.group().strip()]
        if len(text) != textpage.count_chars():  # places are counted otherwise: only the words are certain
            return [Line(match.group().strip()) for match in lines]
        characters = _Characters(textpage)
        return layout.arranged([piece for match in lines for piece in _pieces(characters, match)])
    finally:
        textpage.close()
        page.close()


class _Characters:
    """Where each character of a page stands and how it is set; asked for often, so nothing is made anew."""

    def __init__(self, textpage: Any) -> None:
        import ctypes

        from pypdfium2 import raw

        self._raw = raw
        self._textpage = textpage.raw
        self._box = raw.FS_RECTF()
        self._box_pointer = ctypes.byref(self._box)
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._origin = ctypes.byref(self._x), ctypes.byref(self._y)
        self._name, self._flags = ctypes.create_string_buffer(128), ctypes.c_int()
        self._flags_pointer = ctypes.byref(self._flags)

    def left(self, index: int) -> float:
        self._raw.FPDFText_GetLooseCharBox(self._textpage, index, self._box_pointer)
        return float(self._box.left)

    def right(self, index: int) -> float:
        self._raw.FPDFText_GetLooseCharBox(self._textpage, index, self._box_pointer)
        return float(self._box.right)

    def baseline(self, index: int) -> float:
        self._raw.FPDFText_GetCharOrigin(self._textpage, index, *self._origin)
        return self._y.value

    def size(self, index: int) -> float:
        """In points; where the producer scaled the page instead of the type, the height of the box."""
        self._raw.FPDFText_GetLooseCharBox(self._textpage, index, self._box_pointer)
        height = float(self._box.top - self._box.bottom)
        size = float(self._raw.FPDFText_GetFontSize(self._textpage, index))
        return size if 0.4 * height < size < 2.5 * height else height

    def is_typewriter(self, index: int) -> bool:
        self._raw.FPDFText_GetFontInfo(
            self._textpage, index, self._name, len(self._name), self._flags_pointer
        )
        named = _FIXED_PITCH_NAMES.search(self._name.value)
        return bool(named) or bool(self._flags.value & _FIXED_PITCH_FLAG)


def _pieces(characters: _Characters, match: re.Match[str]) -> list[Line]:
    """The line, parted where the gap between two words is a column's; ``match`` counts as PDFium does."""
    text = match.group().strip()
    first = match.start() + match.group().index(text[0])
    last = first + len(text) - 1
    # Words in a smaller face may open or close a line; a bullet's own size does not count.
    edges = (last,) if MARKER.fullmatch(text.split(maxsplit=1)[0]) else (first, last)
    size = max(characters.size(index) for index in edges)
    code = all(characters.is_typewriter(index) for index in (first, last))
    cells = [(0, len(text))] if code else _cells(characters, text, first, size)
    return [_piece(characters, text[start:end], first + start, size, code) for start, end in cells]


def _piece(characters: _Characters, text: str, first: int, size: float, code: bool) -> Line:
    last = first + len(text) - 1
    left = characters.left(first)
    word = characters.right(first + len(text.split(maxsplit=1)[0]) - 1) - left
    return Line(text, left, characters.right(last), characters.baseline(last), size, False, code, word)


def _cells(characters: _Characters, text: str, first: int, size: float) -> list[tuple[int, int]]:
    """Beginning and end of each piece of the text that is parted from the next by a wide gap."""
    cells: list[tuple[int, int]] = []
    begin = 0
    for space in re.finditer(r"\s+", text):
        gap = characters.left(first + space.end()) - characters.right(first + space.start() - 1)
        parted = gap > _CELL_GAP_EM * size and not MARKER.fullmatch(text[begin : space.start()])
        if parted or gap < -size:  # short entries of two lines may be taken for one
            cells.append((begin, space.start()))
            begin = space.end()
    return [*cells, (begin, len(text))]
