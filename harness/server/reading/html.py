"""The text that a reader of an HTML page would see."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

_UNSEEN = frozenset("script style noscript template head svg iframe object canvas select option".split())
_BLOCKS = frozenset(
    "address article aside blockquote body dd details div dl dt fieldset figcaption figure footer form header"
    " hr main nav ol p pre section summary table ul".split()
)
_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}


def text_of(markup: str) -> str:
    """The visible text: headings marked with ``#``, table cells parted by ``|``.

    Items of a list are marked with ``-``, those of an ordered one with their numbers.
    """
    from selectolax.lexbor import LexborHTMLParser

    root = LexborHTMLParser(markup).root
    writer = _Writer()
    if root is not None:
        _walk(root, writer)
    return writer.text()


@dataclass(slots=True)
class _Writer:
    """Collects text and puts the breaks that block elements call for."""

    parts: list[str] = field(default_factory=list)
    lists: list[int | None] = field(default_factory=list)
    """The number of the next item of each open list, innermost last; None for lists without numbers."""

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

    def text(self) -> str:
        text = re.sub(r"[ \t]+", " ", "".join(self.parts))
        text = re.sub(r" ?\|? ?\n ?", "\n", text)
        text = re.sub(r"(^|\n)(#+|-|\d+\.) ?\n+", r"\1\2 ", text)
        return re.sub(r"\n{3,}", "\n\n", text).replace("\u00a0", " ").strip()


def _walk(root: Any, writer: _Writer) -> None:
    """Depth first with a stack of our own: pages may nest deeper than Python recurses."""
    stack: list[tuple[Any, bool, bool]] = [(root, False, False)]
    while stack:
        node, leaving, verbatim = stack.pop()
        tag = node.tag
        if leaving:
            _close(tag, writer)
        elif tag == "-text":
            (writer.add_verbatim if verbatim else writer.add)(node.text_content or "")
        elif tag not in _UNSEEN and not tag.startswith(("-", "_")):
            _open(node, writer)
            stack.append((node, True, verbatim))
            inner = verbatim or tag in ("pre", "textarea")
            children = list(node.iter(include_text=True))
            stack.extend((child, False, inner) for child in reversed(children))


def _open(node: Any, writer: _Writer) -> None:
    tag = node.tag
    if tag in ("ol", "ul"):
        writer.lists.append(_first_number(node) if tag == "ol" else None)
    if tag in _HEADINGS:
        writer.break_with(f"\n\n{_HEADINGS[tag]} ")
    elif tag in _BLOCKS:
        writer.break_with("\n\n")
    elif tag == "li":
        writer.break_with(f"\n{writer.mark_of_item()} ")
    elif tag in ("br", "tr"):
        writer.break_with("\n")


def _first_number(ordered: Any) -> int:
    start = (ordered.attributes.get("start") or "").strip()
    return int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1


def _close(tag: str, writer: _Writer) -> None:
    if tag in ("ol", "ul"):
        writer.lists.pop()
    if tag in _HEADINGS or tag in _BLOCKS:
        writer.break_with("\n\n")
    elif tag in ("td", "th"):
        writer.break_with(" | ")
