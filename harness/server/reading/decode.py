"""Bytes to text: byte order marks, then UTF-8, then what the file names, then what the bytes look like."""

from __future__ import annotations

import codecs
import re

from harness.text import late

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_BINARY_SHARE = 0.01
_DAMAGED_SHARE = 0.1
"""UTF-8 with fewer damaged places than this, compared with its letters beyond ASCII, is still UTF-8."""

_DECLARATIONS = (
    re.compile(rb"""<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([A-Za-z0-9_.:-]{2,40})""", re.I),
    re.compile(rb"""^\s{0,99}<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}["']([A-Za-z0-9_.:-]{2,40})"""),
)
_SAMPLE_BYTES = 65_536

_KANA = late(r"[\u3040-\u30ff]")
_HAN = late(r"[\u4e00-\u9fff]")
_HANGUL = late(r"[\uac00-\ud7a3]")
_WIDE = late(r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef\uac00-\ud7a3]")
# Encodings without a mark of their own, with the letters that a text in them is full of.
_SCRIPTS = (
    ("cp932", _KANA, 0.2),
    ("euc_jp", _KANA, 0.2),
    ("euc_kr", _HANGUL, 0.6),
    ("gb18030", _HAN, 0.6),
    ("big5", _HAN, 0.6),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_LETTER_BYTES = 1.9
"""Bytes beyond ASCII in a row, on average, in a text of two-byte letters; in Western texts about 1."""
_HIGH_WORD = re.compile(rb"(?<![A-Za-z\x80-\xff])[\xa8\xb8\xc0-\xff]{2,}(?![A-Za-z\x80-\xff])")
_LATIN_WORD = re.compile(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]")


def decode(content: bytes) -> str:
    """The text of a file's bytes; never fails.

    After byte order marks and UTF-8 comes the encoding that the file itself names (HTML, XML).
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return clean(content.decode(encoding, errors="replace"))
    for name in (_unmarked_utf16(content), "utf-8", _declared(content)):
        text = _decoded(content, name)
        if text is not None:
            return clean(text)
    return clean(_damaged_utf8(content) or _decoded(content, _looks_like(content)) or _western(content))


def _declared(content: bytes) -> str | None:
    """The encoding that an HTML page or XML file names in its first bytes."""
    for declaration in _DECLARATIONS:
        match = declaration.search(content[:4096])
        if match:
            return match.group(1).decode("ascii")
    return None


def _decoded(content: bytes, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        return content.decode(name)
    except (UnicodeError, LookupError, ValueError):
        return None


def _damaged_utf8(content: bytes) -> str | None:
    """UTF-8 that was cut in the middle of a letter, or has a few wrong bytes."""
    text = content.decode("utf-8", "replace")
    wrong, letters = text.count("\ufffd"), len(text) - len(text.encode("ascii", "ignore"))
    return text if wrong <= _DAMAGED_SHARE * (letters - wrong) else None


def _looks_like(content: bytes) -> str | None:
    """An encoding of East Asia or Cyrillic, where the bytes make words in it and nothing else would."""
    sample = content[:_SAMPLE_BYTES]
    runs = _HIGH_RUN.findall(sample)
    wide = sum(map(len, runs)) >= _LETTER_BYTES * len(runs)
    for name, letters, share in _SCRIPTS if wide else _SCRIPTS[:1]:
        text = sample.decode(name, "ignore")
        beyond = [mark for mark in text if mark > "\x7f"]
        fitting = len(_WIDE.findall(text))
        typical = len(letters.findall(text)) > share * len(beyond)
        if typical and fitting > 0.95 * len(beyond) and _decoded(content, name) is not None:
            return name
    if len(_HIGH_WORD.findall(sample)) > 3 * len(_LATIN_WORD.findall(sample)):
        return "cp1251"
    return None


def _western(content: bytes) -> str:
    text = _decoded(content, "cp1252")
    return content.decode("latin-1") if text is None else text


def _unmarked_utf16(content: bytes) -> str | None:
    """UTF-16 without its mark: in Western text every other byte is zero."""
    sample = content[:2000]
    if len(sample) < 4 or len(content) % 2:
        return None
    half = len(sample) // 2
    if sample[1::2].count(0) > 0.7 * half and sample[::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if sample[::2].count(0) > 0.7 * half and sample[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return None


def clean(text: str) -> str:
    """The text with line feeds as its line ends and without what no UTF-8 file can hold."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    return _SURROGATE.sub("\ufffd", text)


def is_binary(text: str) -> bool:
    """Whether decoded bytes were no text after all: too many control characters."""
    sample = text[:20_000]
    return len(_CONTROL.findall(sample)) > _BINARY_SHARE * len(sample)
