"""What stands in a text and says nothing: citation markers (``【4:0†faq.pdf】``), colours of a terminal."""

from __future__ import annotations

import re

_MARKER = re.compile(r"【[^】\n]{1,200}】")
# ECMA-48: control sequences (colours, cursor), system commands (titles, links), escapes of two characters.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,100}[ -/]{0,10}[@-~]|\x1b\][^\x07\x1b\n]{0,1000}(?:\x07|\x1b\\)|\x1b[@-Z\\^_]"
)


def without_markers(text: str, markers: tuple[str, ...] = ()) -> str:
    """The text with citation markers and control sequences blanked out; all else keeps its place."""
    text = without_controls(_MARKER.sub(_blank, text))
    for marker in markers:
        if marker:
            text = text.replace(marker, " " * len(marker))
    return text


def without_controls(text: str) -> str:
    """The text with control sequences of a terminal blanked out: the 31 of a colour is no number."""
    if "\x1b" not in text and "\x9b" not in text:
        return text
    return _CONTROL.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())
