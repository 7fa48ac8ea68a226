"""Office files (DOCX, PPTX): ZIP archives of XML parts, opened without trust."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harness.server.reading.documents import Page, Unreadable
from harness.server.reading.extract import unsupported
from harness.server.reading.limits import MAX_MEMBERS, MAX_PART_BYTES, MEGABYTE
from harness.server.reading.names import shown, suffix

# Ordinary XML shrinks 5 to 20 times; a bomb shrinks a thousand times.
_MAX_RATIO = 200
_SMALL_BYTES = 10 * MEGABYTE

_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, NotImplementedError, RuntimeError)
"""What the standard library lets through when an archive is damaged or encrypted."""

_CENTRAL_ENTRY = b"PK\x01\x02"
_DOCTYPE = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_MAIN_PARTS = ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml")


def pages(name: str, content: bytes) -> Iterable[Page]:
    """The pages of a Word document or a presentation, whatever its name is.

    Raises:
        Unreadable: It is another archive, damaged, or would unpack to an absurd size.
    """
    package = Package(name, content)
    main = package.main_part()
    root = package.xml(main) if main else None
    kind = "" if root is None else local(root)
    if main and kind == "document":
        from harness.server.reading import word

        return word.pages(package, main)
    if main and kind == "presentation":
        from harness.server.reading import slides

        return slides.pages(package, main)
    raise _no_document(name, kind)


def _no_document(name: str, kind: str) -> Unreadable:
    if kind == "workbook":
        advice = "save its sheets as .csv, or give it to code_interpreter"
        return unsupported(name, "it is an Excel workbook", advice)
    if suffix(name) in (".docx", ".pptx"):
        return damaged(name, "its main part is missing")
    return unsupported(name, "it is a ZIP archive and neither a Word document nor a presentation")


def damaged(name: str, why: object) -> Unreadable:
    """The refusal of a file that its own program would refuse, too."""
    return Unreadable("invalid_file", f"{shown(name)} is damaged: {why}; open it and save it again")


@dataclass(frozen=True, slots=True)
class Relation:
    """A reference from one part to another: the last word of its type, and the other part's name."""

    kind: str
    target: str


class Package:
    """The parts of an Office file, unpacked and parsed one by one as they are asked for.

    Args:
        name: The file's name, for messages.
        content: Its bytes.

    Raises:
        Unreadable: It is no archive that can be opened.
    """

    def __init__(self, name: str, content: bytes) -> None:
        self.name = name
        if content.count(_CENTRAL_ENTRY) > MAX_MEMBERS:
            raise damaged(name, f"it has more than {MAX_MEMBERS:,} parts")
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(content))
        except _DAMAGE as error:
            if suffix(name) not in (".docx", ".pptx"):
                raise unsupported(name, "it is a damaged ZIP archive") from error
            raise damaged(name, error) from error
        self._members = {_part(member.filename): member for member in self._archive.infolist()}

    def main_part(self) -> str | None:
        """The part that an Office program opens first."""
        named = [link.target for link in self.relations("").values() if link.kind == "officeDocument"]
        return next((part for part in (*named, *_MAIN_PARTS) if part in self._members), None)

    def xml(self, part: str) -> Any:
        """The root element of a part; None if there is no such part.

        Raises:
            Unreadable: The part is damaged, or would unpack to an absurd size.
        """
        from lxml import etree

        content = self._read(part)
        if content is None:
            return None
        if any(mark in content for mark in _DOCTYPE):
            raise damaged(self.name, f"{part} declares a document type, which no Office program writes")
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
        )
        try:
            return etree.fromstring(content, parser)
        except etree.LxmlError as error:
            raise damaged(self.name, f"{part}: {error}") from error

    def relations(self, part: str) -> dict[str, Relation]:
        """What a part refers to inside the file, by id; the file's own references for no part."""
        folder, _, file = part.rpartition("/")
        root = self.xml(_part(f"{folder}/_rels/{file}.rels"))
        found: dict[str, Relation] = {}
        for element in () if root is None else root:
            target = element.get("Target", "")
            if element.get("TargetMode") != "External":
                place = target if target.startswith("/") else posixpath.join(folder, target)
                kind = element.get("Type", "").rpartition("/")[2]
                found[element.get("Id", "")] = Relation(kind, _part(posixpath.normpath(place)))
        return found

    def _read(self, part: str) -> bytes | None:
        member = self._members.get(part)
        if member is None:
            return None
        self._refuse_bomb(member)
        try:
            return self._archive.read(member)
        except _DAMAGE as error:
            raise damaged(self.name, f"{part}: {error}") from error

    def _refuse_bomb(self, member: zipfile.ZipInfo) -> None:
        """By the size it declares: the library unpacks no more than that."""
        size = member.file_size
        absurd = size > _SMALL_BYTES and size > _MAX_RATIO * max(1, member.compress_size)
        if size > MAX_PART_BYTES or absurd:
            raise Unreadable(
                "invalid_file",
                f"{shown(self.name)} would unpack to {size:,} bytes; split it or save it again",
            )
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise damaged(
                self.name, f"it is compressed by method {member.compress_type}, not as Office files are"
            )


def _part(name: str) -> str:
    """A part's name as it is compared: case does not count, and some programs write backslashes."""
    return name.replace("\\", "/").lstrip("/").lower()


def local(element: Any) -> str:
    """An element's name without its namespace: the two editions of the standard differ only there."""
    return str(element.tag).rpartition("}")[2]


def value(element: Any, name: str) -> str | None:
    """An attribute by its name without namespace; one without a namespace wins."""
    if name in element.attrib:
        return str(element.attrib[name])
    return next((str(held) for key, held in element.attrib.items() if key.endswith("}" + name)), None)


def relation_id(element: Any, name: str = "id") -> str:
    """The id of the relation that an element names; empty if it names none."""
    ending = "/relationships}" + name
    return next((str(held) for key, held in element.attrib.items() if key.endswith(ending)), "")


def child(element: Any, *path: str) -> Any:
    """The first descendant along a path of names, or None."""
    for name in path:
        if element is None:
            return None
        element = next((each for each in element if local(each) == name), None)
    return element
