"""Bytes to text: byte order marks first, then UTF-8, then what old Windows programs write."""

from __future__ import annotations

import codecs
import re

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


def decode(content: bytes, declared: str | None = None) -> str:
    """The text of a file's bytes; never fails.

    Args:
        content: The bytes.
        declared: The encoding that the file itself names (HTML), tried after byte order marks and UTF-8.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return clean(content.decode(encoding, errors="replace"))
    for name in (_unmarked_utf16(content), "utf-8", declared, "cp1252"):
        text = _decoded(content, name)
        if text is not None:
            return clean(text)
    return clean(content.decode("latin-1"))


def _decoded(content: bytes, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        return content.decode(name)
    except (UnicodeError, LookupError, ValueError):
        return None


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
