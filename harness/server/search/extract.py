"""The text of a file: what it is, judged by its content first, and who reads it."""

from __future__ import annotations

import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from harness.server.search import html, pdf, tables, word
from harness.server.search.decode import clean, decode, is_binary
from harness.server.search.documents import Document, Page, Unreadable

CODE_TYPES = frozenset(
    ".c .cc .cpp .cs .css .go .h .hpp .ini .java .js .jsx .kt .php .ps1 .py .r .rb .rs .sh .sql .swift .tex"
    " .toml .ts .tsx .xml .yaml .yml".split()
)
TEXT_TYPES = frozenset(".log .markdown .md .rst .text .txt".split())
_SPECIAL_TYPES = frozenset(".csv .docx .htm .html .json .jsonl .pdf .tsv".split())
SUPPORTED_TYPES = tuple(sorted(CODE_TYPES | TEXT_TYPES | _SPECIAL_TYPES))

_NUL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.I | re.S
)
_OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")


def extract(filename: str, content: bytes) -> Document:
    """The text of a file, page by page where the format has pages.

    The content decides before the name does: a PDF called ``notes.txt`` is read as a PDF.

    Raises:
        Unreadable: The type is not supported, or the file is empty, encrypted, damaged or has no text.
    """
    name = basename(filename)
    if not content.strip(b"\x00\t\n\r "):
        raise Unreadable("invalid_file", f"{name!r} is empty; upload a file that has text in it")
    pages = tuple(_tidy(page) for page in _reader(name, content)(name, content))
    if not any(page.text for page in pages):
        raise Unreadable("invalid_file", f"no text was found in {name!r}; {_advice(content)}")
    return Document(name, pages)


def basename(filename: str) -> str:
    """The last part of a name a client sent, whichever separators it used."""
    return PurePosixPath(_NUL.sub("", filename).replace("\\", "/")).name or "file"


Reader = Callable[[str, bytes], Iterable[Page]]


def _reader(name: str, content: bytes) -> Reader:
    """Who reads this: by magic bytes, then by suffix, then refused."""
    if b"%PDF-" in content[:1024]:
        return pdf.pages
    if content.startswith(b"PK\x03\x04"):
        return _zip_reader(name, content)
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in (".pdf", ".docx"):
        raise Unreadable("invalid_file", _not_what_it_says(name, suffix, content))
    if suffix and suffix not in SUPPORTED_TYPES:
        raise _unsupported(name, f"its type {suffix!r} is not supported")
    return _text_reader(suffix)


def _zip_reader(name: str, content: bytes) -> Reader:
    try:
        members = set(zipfile.ZipFile(io.BytesIO(content)).namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, zlib.error) as error:
        if not name.lower().endswith(".docx"):
            raise _unsupported(name, "it is a damaged ZIP archive") from error
        raise Unreadable("invalid_file", f"{name!r} is damaged: {error}; save it again") from error
    if "word/document.xml" not in members:
        raise _unsupported(name, "it is a ZIP archive and no Word document")
    return word.pages


def _not_what_it_says(name: str, suffix: str, content: bytes) -> str:
    if suffix == ".docx" and content.startswith(_OLE_MAGIC):
        return f"{name!r} is encrypted or in the old Word format; save it as .docx without a password"
    kind = "PDF" if suffix == ".pdf" else "Word"
    return f"{name!r} is damaged: it does not begin as a {kind} file does; export it again"


def _unsupported(name: str, why: str) -> Unreadable:
    return Unreadable(
        "unsupported_file", f"{name!r} cannot be read: {why}; supported are {' '.join(SUPPORTED_TYPES)}"
    )


def _text_reader(suffix: str) -> Reader:
    def read(name: str, content: bytes) -> list[Page]:
        text = decode(content, html.declared_encoding(content))
        if is_binary(text):
            raise _binary(name, suffix)
        return [Page(None, _text_of(suffix, text))]

    return read


def _text_of(suffix: str, text: str) -> str:
    if suffix in (".html", ".htm") or (suffix not in CODE_TYPES and _HTML_START.match(text[:4000])):
        return html.text_of(text)
    if suffix in (".csv", ".tsv"):
        return tables.text_of(text)
    if suffix == ".json":
        return _json_text(text)
    return text


def _binary(name: str, suffix: str) -> Unreadable:
    if not suffix:
        return _unsupported(name, "it has no suffix and holds no text")
    return Unreadable(
        "invalid_file", f"{name!r} holds binary data, not text; upload the {suffix} source itself"
    )


def _json_text(text: str) -> str:
    """JSON on few long lines is spread out, so that chunks can end between values; other text stays."""
    if text.count("\n") * 200 > len(text):
        return text
    try:
        return json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _tidy(page: Page) -> Page:
    """The page without control characters, trailing spaces and runs of blank lines."""
    text = _NUL.sub("", clean(page.text)).replace("\u00a0", " ")
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return Page(page.number, re.sub(r"\n{3,}", "\n\n", text).strip())


def _advice(content: bytes) -> str:
    if b"%PDF-" in content[:1024]:
        return "its pages are probably scans: run text recognition (OCR) on it first"
    return "upload a file that has text in it"
