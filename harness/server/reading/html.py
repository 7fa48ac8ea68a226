"""The text that a reader of an HTML page would see, without what only leads to other pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_UNSEEN = frozenset("script style noscript template head svg iframe object canvas select option".split())
_LEADS_AWAY = frozenset("navigation menu menubar search".split())
"""Roles of parts that say where else to go; ``nav`` has the first of them by itself."""

_BLOCKS = frozenset(
    "address article aside blockquote body dd details div dl dt fieldset figcaption figure footer form header"
    " hr main nav ol p pre section summary table ul".split()
)
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_CELLS = ("td", "th")
_MOST_CELL_PARTS = 400
"""A cell with more pieces than this lays out a page."""


def text_of(markup: str) -> str:
    """The visible text: headings marked with ``#``, table cells parted by ``|``.

    Items of a list are marked with ``-``, those of an ordered one with their numbers. A page without a main
    heading begins with its title. Menus are left out, unless the page has nothing else.
    """
    from selectolax.lexbor import LexborHTMLParser

    parser = LexborHTMLParser(markup)
    if parser.root is None:
        return ""
    text = _seen(parser.root, menus=False) or _seen(parser.root, menus=True)
    title = parser.css_first("head > title")
    name = " ".join((title.text() if title is not None else "").split())
    return f"# {name}\n\n{text}" if name and text and parser.css_first("h1") is None else text


def _seen(root: Any, *, menus: bool) -> str:
    writer = _Writer()
    _walk(root, writer, menus=menus)
    return writer.text()


@dataclass(slots=True)
class _Table:
    """A table whose rows are being written."""

    column: int = 0
    below: dict[int, tuple[int, str]] = field(default_factory=dict)
    """By column: for how many more rows a cell above goes on, and its text."""
    cell: int = 0
    """Where the parts of the open cell begin."""
    holds_table: bool = False
    """Whether the open cell has a table of its own inside."""


@dataclass(slots=True)
class _Writer:
    """Collects text and puts the breaks that block elements call for."""

    parts: list[str] = field(default_factory=list)
    lists: list[int | None] = field(default_factory=list)
    """The number of the next item of each open list, innermost last; None for lists without numbers."""
    tables: list[_Table] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.parts.append(re.sub(r"[ \t\r\n\f]+", " ", text))

    def add_verbatim(self, text: str) -> None:
        """Preformatted text: its spaces are made unbreakable until the end, so that nobody folds them."""
        self.parts.append(text.replace("\t", "    ").replace(" ", "\u00a0"))

    def break_with(self, mark: str) -> None:
        self.parts.append(mark)

    def mark_of_item(self) -> str:
        """``-``, or the number of the next item of an ordered list."""
        number = self.lists[-1] if self.lists else None
        if number is None:
            return "-"
        self.lists[-1] = number + 1
        return f"{number}."

    def open_row(self) -> None:
        self.break_with("\n")
        if self.tables:
            self.tables[-1].column = 0
            self._repeat_from_above(self.tables[-1])

    def open_cell(self) -> None:
        if self.tables:
            self.tables[-1].cell = len(self.parts)
            self.tables[-1].holds_table = False

    def close_table(self) -> None:
        self.tables.pop()
        if self.tables:
            self.tables[-1].holds_table = True

    def close_cell(self, columns: int, rows: int) -> None:
        """A cell is one line of its row, unless it lays out a page; one over several rows stands in each."""
        if not self.tables:
            self.break_with(" | ")
            return
        table = self.tables[-1]
        written = self._cell(table)
        if written is not None:
            self.parts[table.cell :] = [written]
            if rows > 1:
                table.below[table.column] = (rows - 1, written)
        self.break_with(" | ")
        table.column += columns
        self._repeat_from_above(table)

    def _cell(self, table: _Table) -> str | None:
        """The open cell on one line; None for one that lays out a page."""
        pieces = self.parts[table.cell : table.cell + _MOST_CELL_PARTS + 1]
        written = "".join(pieces)
        if table.holds_table or len(pieces) > _MOST_CELL_PARTS or "\n\n#" in written:
            return None
        return written.replace("\n", " ").strip(" ")

    def _repeat_from_above(self, table: _Table) -> None:
        while table.column in table.below:
            rows, text = table.below.pop(table.column)
            if rows > 1:
                table.below[table.column] = (rows - 1, text)
            self.parts += (text, " | ")
            table.column += 1

    def text(self) -> str:
        text = re.sub(r"[ \t]+", " ", "".join(self.parts))
        text = re.sub(r" ?\|? ?\n ?", "\n", text)
        text = re.sub(r"(^|\n)(#+|-|\d+\.) ?\n+", r"\1\2 ", text)
        return re.sub(r"\n{3,}", "\n\n", text).replace("\u00a0", " ").strip()


def _walk(root: Any, writer: _Writer, *, menus: bool) -> None:
    """Depth first with a stack of our own: pages may nest deeper than Python recurses."""
    stack: list[tuple[Any, bool, bool]] = [(root, False, False)]
    while stack:
        node, leaving, verbatim = stack.pop()
        tag = node.tag
        if leaving:
            _close(node, writer)
        elif tag == "-text":
            (writer.add_verbatim if verbatim else writer.add)(node.text_content or "")
        elif not _is_unseen(node, menus):
            _open(node, writer)
            stack.append((node, True, verbatim))
            inner = verbatim or tag in ("pre", "textarea")
            children = list(node.iter(include_text=True))
            stack.extend((child, False, inner) for child in reversed(children))


def _is_unseen(node: Any, menus: bool) -> bool:
    tag = node.tag
    if tag in _UNSEEN or tag.startswith(("-", "_")):
        return True
    if menus or tag == "html":
        return False
    attributes = node.attributes
    return tag == "nav" or "hidden" in attributes or (attributes.get("role") or "").lower() in _LEADS_AWAY


def _open(node: Any, writer: _Writer) -> None:
    tag = node.tag
    if tag in ("ol", "ul"):
        writer.lists.append(_number(node, "start") if tag == "ol" else None)
    if tag == "table":
        writer.tables.append(_Table())
    if tag in _HEADINGS:
        writer.break_with(f"\n\n{_HEADINGS[tag]} ")
    elif tag in _BLOCKS:
        writer.break_with("\n\n")
    elif tag == "li":
        writer.break_with(f"\n{writer.mark_of_item()} ")
    elif tag == "br":
        writer.break_with("\n")
    elif tag == "tr":
        writer.open_row()
    elif tag in _CELLS:
        writer.open_cell()


def _number(node: Any, attribute: str) -> int:
    text = (node.attributes.get(attribute) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _close(node: Any, writer: _Writer) -> None:
    tag = node.tag
    if tag in ("ol", "ul"):
        writer.lists.pop()
    if tag == "table":
        writer.close_table()
    if tag in _HEADINGS or tag in _BLOCKS:
        writer.break_with("\n\n")
    elif tag in _CELLS:
        writer.close_cell(min(_number(node, "colspan"), 1000), min(_number(node, "rowspan"), 1000))
