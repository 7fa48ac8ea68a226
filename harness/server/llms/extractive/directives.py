"""The sentences of an assistant's instructions, each with what it hangs from; quotations stand apart."""

from __future__ import annotations

import re

import msgspec

from harness.text import sentences

_QUOTED = re.compile(
    r"“([^”\n]{2,400})”|\"([^\"\n]{2,400})\"|"
    r"«\s?([^»\n]{2,400}?)\s?»|„([^“”\n]{2,400})[“”]|"
    r"‘((?:[^’\n]|(?<=\w)’(?=\w)){2,400})’(?!\w)|`([^`\n]{2,400})`|"
    r"(?<![\w'])'((?:[^'\n]|(?<=\w)'(?=\w)){2,400})'(?!\w)"
)
MASK = re.compile(r"⟦(\d+)⟧")


def mask_quotes(instructions: str) -> tuple[str, list[str]]:
    """Quotations replaced by numbered marks, so that a full stop inside ends no sentence outside."""
    quotes: list[str] = []

    def mask(match: re.Match[str]) -> str:
        quotes.append(next(group for group in match.groups() if group).strip().rstrip(","))
        return f" ⟦{len(quotes) - 1}⟧" + ("." if quotes[-1][-1] in ".!?" and _ends_here(match) else " ")

    return _QUOTED.sub(mask, instructions), quotes


def _ends_here(match: re.Match[str]) -> bool:
    """Whether the quotation closes its sentence: nothing, or a capital, follows it."""
    rest = match.string[match.end() : match.end() + 3].lstrip(" *_")
    return not rest or rest[0] == "\n" or rest[0].isupper()


class Directive(msgspec.Struct, frozen=True):
    """One sentence of the instructions with what it hangs from: its heading, or what opens its list."""

    text: str
    heading: str
    lead: str
    before: str


def _is_heading(raw: str) -> bool:
    if raw.startswith("#") or re.fullmatch(r"\*\*[^*]+\*\*:?|[A-Z][A-Z /&-]{3,40}:?", raw):
        return True
    return len(raw.split()) <= 6 and raw[0].isupper() and raw[-1] not in ".!?:;,⟧" and "⟦" not in raw


_ITEM = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,2}[.)])\s+")


def directives_in(masked: str) -> list[Directive]:
    """All sentences of the masked instructions, in order, without their headings."""
    found: list[Directive] = []
    heading = lead = before = ""
    for raw in (part for span in sentences(masked) for part in _parts(span.text.strip())):
        text = _ITEM.sub("", raw).strip()
        if _is_heading(raw):
            heading, lead, before = raw.strip("#*: "), "", ""
            continue
        is_item = bool(_ITEM.match(raw))
        found.append(Directive(text.replace("**", ""), heading, lead if is_item else "", before))
        if not is_item:
            lead = "" if text.rstrip()[-1:] in (".", "!", "?", "") else text
        before = text
    return found


def _parts(sentence: str) -> list[str]:
    """A sentence cut at its semicolons, unless these part the items that a colon announces."""
    return [sentence] if ":" in sentence.partition(";")[0] else re.split(r"(?<=;)\s+", sentence)
