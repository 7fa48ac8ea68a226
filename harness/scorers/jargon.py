"""Jargon: terms and abbreviations that an answer uses before the user did, without saying what they mean.

Terms come from the suite, from what the documents explain (``Long Form (LF)``, entries under a heading like
*Glossary*), and, as abbreviations, from the answer itself: two to six capitals that are not in everyday use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from harness.text import fold, sentences, words

EVERYDAY = frozenset(
    """
    a ad ai am api app asap atm bc bcc cc cd ceo cet csv cv diy docx dvd edt est eta etc eu eur faq
    faqs fyi gb gbp gif gmt gps hr html http https i id ids ii iii iv it jpeg jpg kb km led lg mac
    mb mp ms no ok pc pdf pdfs pin pm png po pr ps qr sim sms tb tbd tv txt uk un url urls us usa
    usb usd utc v vip vs wifi xl xls xlsx xml zip zone
    """.split()
)
"""Abbreviations that need no explanation."""

_ABBREVIATION = re.compile(r"[A-Z]{2,6}s?\Z")
_MOST_TEXT = 600_000
_LONG_THEN_SHORT = re.compile(r"((?:[A-Za-z][\w'-]*[ ]){1,7})\(([A-Z][A-Za-z&-]{1,9})\)")
_SHORT_THEN_LONG = re.compile(r"\b([A-Z][A-Za-z&-]{1,9}) \(((?:[A-Za-z][\w'-]*[ ,]*){2,8})\)")
_HEADING = re.compile(
    r"^\W*(?:\d[\d.]*\s+)?(?:glossary|abbreviations|acronyms|terms|definitions|terminology|"
    r"(?:terms|abbreviations|acronyms) and (?:terms|definitions|abbreviations))\W*$",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"^[\W_]*(?P<term>[A-Za-z][\w /&+'-]{1,40}?)[*_]*\s*(?::|—|–|\s-\s|\|)[*_|\s]*\S")
_DEFINED = re.compile(
    r"^[\W_]*(?:an?|the)?\s*(?P<term>(?!(?:it|this|that|there|these|those|here|what|which|he|she|we|you|they)\b)"
    r"[A-Za-z][\w/&'-]*(?: [\w/&'-]+){0,2}?)[*_]* "
    r"(?:is|are|means|refers to|stands for) (?:an?|the|any|one|when|how|what)\b",
    re.IGNORECASE,
)
_MISSES = 2  # lines that are no entry, after which a glossary has ended


def explained_in(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The terms that documents explain, each with the document that does, first come first.

    Args:
        texts: Names and texts of documents or passages of them; what :func:`not_read` names is left out.
    """
    found: dict[str, str] = {}
    for name, text in _fitting(texts):
        for term in (*_short_forms(text), *_entries(text)):
            found.setdefault(term, name)
    return found


def not_read(texts: Sequence[tuple[str, str]]) -> list[str]:
    """The documents that are too long to be read with those before them: 600,000 characters together."""
    read = {name for name, _ in _fitting(texts)}
    return [name for name, _ in texts if name not in read]


def _fitting(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    size = 0
    for name, text in texts:
        if size + len(text) <= _MOST_TEXT:
            size += len(text)
            yield name, text


def _short_forms(text: str) -> Iterator[str]:
    for match in _LONG_THEN_SHORT.finditer(text):
        if _abbreviates(match[2], match[1]):
            yield match[2]
    for match in _SHORT_THEN_LONG.finditer(text):
        if _abbreviates(match[1], match[2]):
            yield match[1]


def _abbreviates(short: str, long: str) -> bool:
    """Whether the capitals are the first letters of words of the long form, in order, up to its last word."""
    letters = [letter.lower() for letter in short if letter.isupper()]
    initials = [word[0].lower() for word in re.split(r"[\s-]+", long.strip(" ,")) if word]
    rest = iter(reversed(initials))
    return len(letters) > 1 and all(letter in rest for letter in reversed(letters))


def _entries(text: str) -> Iterator[str]:
    misses, depth = None, 0
    for line in text.splitlines():
        level = len(line.lstrip()) - len(line.lstrip().lstrip("#"))
        if _HEADING.match(line):
            misses, depth = 0, level
        elif misses is None or not line.strip():
            continue
        elif 0 < level <= depth:
            misses = None
        else:
            terms = [] if level else list(_terms(line))
            yield from terms
            misses = 0 if terms else misses + 1
            misses = None if misses > _MISSES else misses


def _terms(line: str) -> Iterator[str]:
    """What a line of a glossary explains: "term: meaning", or sentences such as "A term is the ..."."""
    if entry := _ENTRY.match(line):
        yield entry["term"].strip(" *_")
        return
    for sentence in sentences(line):
        if defined := _DEFINED.match(sentence.text):
            yield defined["term"].strip(" *_")


def abbreviations_in(text: str) -> list[str]:
    """The abbreviations of a text that are not in everyday use, each once; shouting has none."""
    found: dict[str, None] = {}
    for sentence in sentences(text):
        said = [span.text for span in words(sentence.text)]
        capitals = [word for word in said if _ABBREVIATION.match(word)]
        if len(capitals) < 3 or 2 * len(capitals) <= len(said):
            found |= dict.fromkeys(
                word.removesuffix("s") for word in capitals if word.lower() not in EVERYDAY
            )
    return list(found)


def uses(term: str, folded: str) -> bool:
    """Whether a folded text has this term as words of its own, plural or not."""
    return _term(fold(term)).search(folded) is not None


@lru_cache(maxsize=4_096)
def _term(folded: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w]){re.escape(folded)}(?:'?s|es)?(?!\w)")


def explains(term: str, text: str) -> bool:
    """Whether a text says what a term means where it uses it."""
    return _explanation(fold(term)).search(_plain(text)) is not None


def _plain(text: str) -> str:
    """Folded line by line, without emphasis: that a term begins a line is part of what explains it."""
    return "\n".join(fold(line) for line in text.replace("*", "").replace("`", "").splitlines())


@lru_cache(maxsize=4_096)
def _explanation(folded: str) -> re.Pattern[str]:
    term = rf"(?<!\w){re.escape(folded)}(?:s|es)?"
    return re.compile(
        rf"{term} \((?!\d)[^)\n]{{3,}}\)"
        rf"|\w[^\n(]*\((?:or |also |the |an? )*{term}(?:,[^)]*)?\)"
        rf"|{term},? (?:which |that )?(?:stands? for|means?|is short for|refers? to|describes?|is when)\b"
        rf"|{term},? (?:which is |that is |i\.e\.? |in other words |is |are )(?:an? |the |another )"
        rf"|\b(?:called|known as|named|abbreviated(?: as| to)?|short for|referred to as) "
        rf"(?:an? |the )?\"?{term}"
        rf"|^[\W\d]*{term} ?(?::|-) \w",
        re.MULTILINE,
    )


def unexplained(
    answer: str, told: Iterable[str], terms: Mapping[str, str], *, allowed: Iterable[str] = ()
) -> dict[str, str]:
    """The terms an answer uses that nobody had used or explained, each with where it is from.

    Args:
        answer: What the assistant says.
        told: What users said so far.
        terms: Terms that count as jargon, with where they are from.
        allowed: Terms that need no explanation here.
    """
    folded, known = fold(answer), {fold(term) for term in allowed}
    said = [fold(text) for text in told]
    return {
        term: source
        for term, source in terms.items()
        if fold(term) not in known
        and uses(term, folded)
        and not any(uses(term, text) for text in said)
        and not explains(term, answer)
    }
