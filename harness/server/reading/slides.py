"""The text of a presentation: a page for each slide, with its tables, charts and the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.server.reading import drawing, tables
from harness.server.reading.documents import Page
from harness.server.reading.office import Package, Relation, child, local, relation_id, value

_TITLES = ("title", "ctrTitle")
_FURNITURE = ("sldNum", "dt", "ftr", "hdr", "sldImg")
_UNSEEN = frozenset("Fallback pPr rPr endParaRPr nvSpPr nvGrpSpPr nvPicPr spPr grpSpPr style".split())


def pages(package: Package, main: str) -> Iterator[Page]:
    """The slides in their order, numbered from 1.

    Raises:
        Unreadable: The file is damaged, or would unpack to an absurd size.
    """
    relations = package.relations(main)
    listed = child(package.xml(main), "sldIdLst")
    for number, entry in enumerate(() if listed is None else listed, start=1):
        link = relations.get(relation_id(entry))
        yield Page(number, "" if link is None else _slide(package, link.target))


def _slide(package: Package, part: str) -> str:
    root = package.xml(part)
    if root is None:
        return ""
    relations = package.relations(part)
    blocks = list(_blocks(root, _Slide(package, relations)))
    blocks.sort(key=lambda block: not block.startswith("# "))  # the title may be drawn last
    notes = [link.target for link in relations.values() if link.kind == "notesSlide"]
    return "\n\n".join(filter(None, [*blocks, *(_notes(package, target) for target in notes)]))


@dataclass(frozen=True, slots=True)
class _Slide:
    package: Package
    relations: dict[str, Relation] = field(default_factory=dict)


def _notes(package: Package, part: str) -> str:
    root = package.xml(part)
    text = "\n\n".join(filter(None, [] if root is None else _blocks(root, _Slide(package))))
    return f"Notes: {text}" if text else ""


def _blocks(parent: Any, slide: _Slide) -> Iterator[str]:
    """The text of shapes, groups of shapes, tables, charts and diagrams, in their order."""
    for element in parent:
        name = local(element)
        if name == "sp":
            yield _shape(element)
        elif name == "tbl":
            yield "\n".join(row for row in _rows(element) if row.strip(" |"))
        elif name == "graphicData":
            yield from drawing.texts(element, slide.package, slide.relations)
            yield from _blocks(element, slide)
        elif name not in _UNSEEN:
            yield from _blocks(element, slide)


def _shape(shape: Any) -> str:
    holder = child(shape, "nvSpPr", "nvPr", "ph")
    role = "" if holder is None else value(holder, "type") or "body"
    body = child(shape, "txBody")
    if body is None or role in _FURNITURE:
        return ""
    if role in _TITLES:
        title = " ".join(_text(body).split())
        return f"# {title}" if title else ""
    return _paragraphs(body, listed=role == "body")


def _paragraphs(body: Any, *, listed: bool) -> str:
    """The paragraphs, each on its own line; those of a list are marked.

    Args:
        body: The text of a shape.
        listed: Whether several paragraphs are a list even where no bullet is named: the layout has them.
    """
    paragraphs = [each for each in body if local(each) == "p"]
    filled = [(each, text) for each in paragraphs if (text := _text(each).strip())]
    bulleted = listed and len(filled) > 1
    written = ""
    number = 0
    for each, text in filled:
        ordered = child(each, "pPr", "buAutoNum") is not None
        number = number + 1 if ordered else 0
        mark = f"{number}. " if ordered else "- " if _has_bullet(each, bulleted) else ""
        written += ("\n" if mark else "\n\n") + mark + text
    return written.strip()


def _has_bullet(paragraph: Any, usual: bool) -> bool:
    if child(paragraph, "pPr", "buNone") is not None:
        return False
    return usual or child(paragraph, "pPr", "buChar") is not None


def _text(element: Any) -> str:
    """The text of runs and fields, with the line breaks below an element."""
    parts: list[str] = []
    for each in element.iter():
        if local(each) == "t":
            parts.append(each.text or "")
        elif local(each) in ("br", "p"):
            parts.append("\n")
    return "".join(parts)


def _rows(table: Any) -> Iterator[str]:
    """A cell over several rows is repeated in each of them, one over several columns is written once."""
    above: dict[int, str] = {}
    for row in (each for each in table if local(each) == "tr"):
        texts: list[str] = []
        for column, cell in enumerate(each for each in row if local(each) == "tc"):
            if value(cell, "hMerge") not in (None, "0", "false"):
                continue
            text = above.get(column, "") if value(cell, "vMerge") not in (None, "0", "false") else _text(cell)
            above[column] = text
            texts.append(text)
        yield tables.row_text(texts)
