"""Citation markers in answers, such as ``【4:0†faq.pdf】``."""

from __future__ import annotations

import re

_MARKER = re.compile(r"【[^】\n]{1,200}】")


def without_markers(text: str, markers: tuple[str, ...] = ()) -> str:
    """The text with citation markers blanked out; every other character keeps its place."""
    text = _MARKER.sub(lambda match: " " * len(match.group()), text)
    for marker in markers:
        if marker:
            text = text.replace(marker, " " * len(marker))
    return text
