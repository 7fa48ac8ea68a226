"""The text of a Word document: paragraphs, headings, lists, tables, text boxes and notes in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.server.reading import drawing, tables
from harness.server.reading.documents import Page
from harness.server.reading.numbering import Numbering
from harness.server.reading.office import Package, child, local, value

# What Word does not print: taken back, hidden, commands of fields, a second drawing for older programs.
_UNSEEN = frozenset(
    "del moveFrom delText instrText pPr rPr tblPr tblGrid trPr tcPr sdtPr sectPr Fallback rt".split()
)
_MARKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_MOST_BASED_ON = 20
"""Styles that build on one another; more of them is a circle."""


def pages(package: Package, main: str) -> Iterator[Page]:
    """One page without a number (Word decides page breaks only when it prints).

    Raises:
        Unreadable: The file is damaged, or would unpack to an absurd size.
    """
    writer = _Writer(package, main)
    root = package.xml(main)
    blocks = [*writer.blocks(root), *writer.edges()]
    yield Page(None, "\n\n".join(block for block in blocks if block.strip()))


@dataclass(slots=True)
class _Style:
    """What a paragraph's style says of its place in the text."""

    name: str = ""
    based_on: str = ""
    level: int | None = None
    """Of a heading, from 1."""
    list_key: str | None = None
    list_depth: int = 0


@dataclass(slots=True)
class _Inline:
    """The text of a paragraph while it is collected, and what stands beside it."""

    parts: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)


class _Writer:
    def __init__(self, package: Package, main: str) -> None:
        self._package = package
        self._relations = package.relations(main)
        self._styles = _styles(self._related("styles"))
        self._numbering = Numbering(self._related("numbering"))
        self._notes = {kind: _by_id(self._related(kind + "s")) for kind in ("footnote", "endnote")}
        self._noted = 0

    def blocks(self, parent: Any) -> Iterator[str]:
        """The paragraphs and tables inside an element, in order."""
        for element in parent:
            name = local(element)
            if name == "p":
                yield from self._paragraph(element)
            elif name == "tbl":
                yield "\n".join(row for row in self._rows(element) if row.strip(" |"))
            elif name not in _UNSEEN:
                yield from self.blocks(element)

    def edges(self) -> Iterator[str]:
        """Running headers and footers, each once."""
        parts = sorted(
            {link.target for link in self._relations.values() if link.kind in ("header", "footer")}
        )
        written = ("\n".join(self.blocks(self._package.xml(part))) for part in parts if self._has(part))
        yield from dict.fromkeys(text for text in written if any(mark.isalpha() for mark in text))

    def _has(self, part: str) -> bool:
        return self._package.xml(part) is not None

    def _related(self, kind: str) -> Any:
        target = next((link.target for link in self._relations.values() if link.kind == kind), None)
        return None if target is None else self._package.xml(target)

    def _paragraph(self, element: Any) -> Iterator[str]:
        inline = _Inline()
        self._collect(element, inline)
        text = "".join(inline.parts).strip()
        if text:
            yield f"{self._opening(element)}{text}"
        yield from inline.beside

    def _collect(self, element: Any, inline: _Inline) -> None:
        for each in element:
            name = local(each)
            if name == "t":
                inline.parts.append(each.text or "")
            elif name in _MARKS:
                inline.parts.append(_MARKS[name])
            elif name in ("footnoteReference", "endnoteReference"):
                self._note(name.removesuffix("Reference"), value(each, "id") or "", inline)
            elif name == "txbxContent":
                inline.beside.extend(self.blocks(each))
            elif name == "graphicData":
                self._graphic(each, inline)
            elif name not in _UNSEEN and not _is_hidden(each):
                self._collect(each, inline)

    def _graphic(self, element: Any, inline: _Inline) -> None:
        inline.beside.extend(drawing.texts(element, self._package, self._relations))
        self._collect(element, inline)

    def _note(self, kind: str, key: str, inline: _Inline) -> None:
        """The note's number in the text, and the note below the paragraph."""
        note = self._notes[kind].pop(key, None)
        if note is not None:
            self._noted += 1
            number = self._noted
            inline.parts.append(f"[{number}]")
            inline.beside.append(f"[{number}] " + " ".join(self.blocks(note)))

    def _opening(self, element: Any) -> str:
        """What stands before a paragraph's text: signs of a heading, the number or bullet of a list item."""
        properties = child(element, "pPr")
        style = self._style(properties)
        key, depth = _list_of(properties, style)
        mark = self._numbering.mark(key, depth) if key else ""
        level = _outline_level(properties) or style.level
        if level:
            return f"{'#' * level} {mark} ".replace("  ", " ")
        if not mark and style.name.startswith("list bullet"):
            mark = "-"
        return f"{mark} " if mark else ""

    def _style(self, properties: Any) -> _Style:
        """The paragraph's style with what it takes over from those it is based on."""
        named = None if properties is None else child(properties, "pStyle")
        key = "" if named is None else value(named, "val") or ""
        style = found = self._styles.get(key, _Style())
        merged = _Style(found.name, "", found.level, found.list_key, found.list_depth)
        for _ in range(_MOST_BASED_ON):
            style = self._styles.get(style.based_on, _Style())
            merged.level = merged.level or style.level
            if merged.list_key is None:
                merged.list_key, merged.list_depth = style.list_key, style.list_depth
        return merged

    def _rows(self, table: Any) -> Iterator[str]:
        """The rows with bars between cells; a cell that spans rows is repeated in each."""
        above: dict[int, str] = {}
        for row in _inside(table, "tr"):
            column = 0
            texts: list[str] = []
            for cell in _inside(row, "tc"):
                text = above.get(column, "") if _goes_on(cell) else self._cell(cell)
                texts.append(text)
                above[column] = text
                column += _span(cell)
            yield tables.row_text(texts)

    def _cell(self, cell: Any) -> str:
        return " ".join(block for block in self.blocks(cell) if block)


def _inside(element: Any, name: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, also those wrapped into controls."""
    for each in element:
        if local(each) == name:
            yield each
        elif local(each) in ("sdt", "sdtContent", "customXml", "ins"):
            yield from _inside(each, name)


def _span(cell: Any) -> int:
    span = child(cell, "tcPr", "gridSpan")
    text = "" if span is None else value(span, "val") or ""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 4 else 1


def _goes_on(cell: Any) -> bool:
    """Whether the cell is the lower part of one that spans rows."""
    merge = child(cell, "tcPr", "vMerge")
    return merge is not None and value(merge, "val") != "restart"


def _is_hidden(run: Any) -> bool:
    hidden = child(run, "rPr", "vanish") if local(run) == "r" else None
    return hidden is not None and value(hidden, "val") not in ("0", "false", "off")


def _styles(root: Any) -> dict[str, _Style]:
    elements = [] if root is None else [each for each in root if local(each) == "style"]
    return {value(each, "styleId") or "": _read_style(each) for each in elements}


def _read_style(element: Any) -> _Style:
    name, base = child(element, "name"), child(element, "basedOn")
    style = _Style(
        "" if name is None else (value(name, "val") or "").casefold(),
        "" if base is None else value(base, "val") or "",
    )
    properties = child(element, "pPr")
    if properties is not None:
        key, style.list_depth = _list_of(properties, _Style())
        style.list_key = key or None
    style.level = 1 if style.name == "title" else _outline_level(properties)
    return style


def _outline_level(properties: Any) -> int | None:
    """Level of a heading, from 1; None for ordinary text."""
    outline = None if properties is None else child(properties, "outlineLvl")
    text = "" if outline is None else value(outline, "val") or ""
    return int(text) + 1 if text in tuple("012345678") else None


def _list_of(properties: Any, style: _Style) -> tuple[str, int]:
    """The list that a paragraph belongs to and its depth there; list 0 takes it out of its style's list."""
    numbered = None if properties is None else child(properties, "numPr")
    if numbered is None:
        return style.list_key or "", style.list_depth
    key, depth = child(numbered, "numId"), child(numbered, "ilvl")
    named = style.list_key or "" if key is None else value(key, "val") or ""
    text = "" if depth is None else value(depth, "val") or ""
    return ("" if named == "0" else named), int(text) if text in tuple("012345678") else style.list_depth


def _by_id(root: Any) -> dict[str, Any]:
    elements = [] if root is None else [each for each in root if value(each, "type") is None]
    return {value(each, "id") or "": each for each in elements}
