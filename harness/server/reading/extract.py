"""The text of a file: what it is, judged by its content first, and who reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.server.reading import jsons, tables
from harness.server.reading.decode import clean, decode, is_binary
from harness.server.reading.documents import Document, Page, Unreadable
from harness.server.reading.limits import MAX_CHARACTERS, MAX_TOKENS, PLAIN_BYTES
from harness.server.reading.names import basename, shown, suffix

CODE_TYPES = frozenset(
    ".c .cc .cpp .cs .css .go .h .hpp .ini .java .js .jsx .kt .php .ps1 .py .r .rb .rs .sh .sql .swift .tex"
    " .toml .ts .tsx .xml .yaml .yml".split()
)
TEXT_TYPES = frozenset(".log .markdown .md .rst .text .txt".split())
_HTML_TYPES = (".htm", ".html")
_MAGIC_TYPES = (".docx", ".pdf", ".pptx")
"""Types that are known by how they begin, whatever their name is."""
SUPPORTED_TYPES = tuple(
    sorted({*CODE_TYPES, *TEXT_TYPES, *_HTML_TYPES, *_MAGIC_TYPES, ".csv", ".json", ".jsonl", ".tsv"})
)
_ADVICE = {
    ".doc": "save it as .docx",
    ".odt": "save it as .docx or .pdf",
    ".odp": "save it as .pptx or .pdf",
    ".ppt": "save it as .pptx",
    ".rtf": "save it as .docx",
    ".xls": "save its sheets as .csv, or give it to code_interpreter",
    ".xlsx": "save its sheets as .csv, or give it to code_interpreter",
}

_NUL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
# Possessive throughout: a page may begin with thousands of comments, and no way to part them is tried twice.
_HTML_START = re.compile(
    r"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:[^-]|-(?!->))*+-->\s*+)*+<(?:!doctype\s+html|html[\s>])", re.I
)
_OLE_MAGIC = bytes.fromhex("d0cf11e0a1b11ae1")
_OCR = "its pages are probably scans: run text recognition (OCR) on it first"
_ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
_WHITE = b"\x00\t\n\r \xef\xbb\xbf\xff\xfe"


def extract(filename: str, content: bytes) -> Document:
    """The text of a file, page by page where the format has pages; to be called where a crash does no harm.

    The content decides before the name does: a PDF called ``notes.txt`` is read as a PDF.

    Raises:
        Unreadable: The type is not supported, or the file is empty, encrypted, damaged or has no text.
    """
    name = basename(filename)
    _refuse_empty(name, content)
    if _is_pdf(name, content):
        from harness.server.reading import pdf

        return _document(name, pdf.pages(name, content), _OCR)
    if content.startswith(_ZIP_MAGIC):
        from harness.server.reading import office

        return _document(name, office.pages(name, content))
    text = _decoded(name, content)
    return _document(name, [Page(None, _html_text(text) if _is_html(name, text) else _text_of(name, text))])


def extract_plain(filename: str, content: bytes) -> Document | None:
    """The text of a small file that no parser written in C has to see; None for every other file.

    Raises:
        Unreadable: As ``extract``.
    """
    name = basename(filename)
    _refuse_empty(name, content)
    if len(content) > PLAIN_BYTES or _is_pdf(name, content) or content.startswith(_ZIP_MAGIC):
        return None
    text = _decoded(name, content)
    return None if _is_html(name, text) else _document(name, [Page(None, _text_of(name, text))])


def _refuse_empty(name: str, content: bytes) -> None:
    # Cheap for large files: only one that begins with much nothing is looked at as a whole.
    if not content[:4096].strip(_WHITE) and not content.strip(_WHITE):
        raise Unreadable("invalid_file", f"{shown(name)} is empty; upload a file that has text in it")


def _is_pdf(name: str, content: bytes) -> bool:
    """A PDF may have something before its beginning, but a text may also speak of how PDFs begin."""
    begins = content[:64].lstrip(_WHITE).startswith(b"%PDF-")
    return begins or (suffix(name) == ".pdf" and b"%PDF-" in content[:1024])


def _decoded(name: str, content: bytes) -> str:
    _refuse_type(name, content)
    if len(content) > 4 * MAX_CHARACTERS:
        raise too_long(name)
    text = decode(content)
    if len(text) > MAX_CHARACTERS:
        raise too_long(name)
    if is_binary(text):
        raise _binary(name)
    return text


def _refuse_type(name: str, content: bytes) -> None:
    kind = suffix(name)
    if kind in _MAGIC_TYPES:
        raise Unreadable("invalid_file", _not_what_it_says(name, kind, content))
    if kind and kind not in SUPPORTED_TYPES:
        raise unsupported(name, f"its type {kind!r} is not supported", _ADVICE.get(kind))


def _not_what_it_says(name: str, kind: str, content: bytes) -> str:
    product = {".pdf": "PDF", ".docx": "Word", ".pptx": "PowerPoint"}[kind]
    if content.startswith(_OLE_MAGIC) and kind != ".pdf":
        return (
            f"{shown(name)} is encrypted or in the old {product} format; save it as {kind} without a password"
        )
    return f"{shown(name)} is damaged: it does not begin as a {product} file does; export it again"


def unsupported(name: str, why: str, advice: str | None = None) -> Unreadable:
    """The refusal of a type that is not read here, with the types that are."""
    said = f"{shown(name)} cannot be read: {why}"
    return Unreadable(
        "unsupported_file",
        "; ".join(filter(None, [said, advice, f"supported are {' '.join(SUPPORTED_TYPES)}"])),
    )


def too_long(name: str) -> Unreadable:
    """The refusal of a text beyond every limit."""
    return Unreadable(
        "invalid_file",
        f"the text of {shown(name)} is longer than {MAX_CHARACTERS:,} characters, and a file may have at most"
        f" {MAX_TOKENS:,} tokens; split it",
    )


def _binary(name: str) -> Unreadable:
    kind = suffix(name)
    if not kind:
        return unsupported(name, "it has no suffix and holds no text")
    return Unreadable(
        "invalid_file", f"{shown(name)} holds binary data, not text; upload the {kind} source itself"
    )


def _is_html(name: str, text: str) -> bool:
    kind = suffix(name)
    return kind in _HTML_TYPES or (kind not in CODE_TYPES and bool(_HTML_START.match(text, 0, 4000)))


def _html_text(text: str) -> str:
    from harness.server.reading import html

    return html.text_of(text)


def _text_of(name: str, text: str) -> str:
    kind = suffix(name)
    if kind in (".csv", ".tsv"):
        return tables.text_of(text)
    if kind in (".json", ".jsonl"):
        return jsons.text_of(text, lines=kind == ".jsonl")
    return text


def _document(
    name: str, pages: Iterable[Page], advice: str = "upload a file that has text in it"
) -> Document:
    tidied: list[Page] = []
    length = 0
    for page in pages:
        tidied.append(_tidy(page))
        length += len(tidied[-1].text)
        if length > MAX_CHARACTERS:
            raise too_long(name)
    if length == 0:
        raise Unreadable("invalid_file", f"no text was found in {shown(name)}; {advice}")
    return Document(name, tuple(tidied))


def _tidy(page: Page) -> Page:
    """The page without control characters, trailing spaces and runs of blank lines."""
    text = _NUL.sub("", clean(page.text)).replace("\u00a0", " ")
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return Page(page.number, re.sub(r"\n{3,}", "\n\n", text).strip())
