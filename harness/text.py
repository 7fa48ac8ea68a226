"""Words and sentences: the only place that splits, stems or folds text.

Everything is deterministic and offset-true: a sentence or word says where it stands in the text it
came from, so that evidence can be marked there.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a text with its place: ``source[start:end] == text`` (characters, end exclusive)."""

    text: str
    start: int
    end: int


class _Late:
    """Stands for a pattern until somebody uses it."""

    def __init__(self, spelt: str, flags: int) -> None:
        self._spelt = spelt, flags

    def __getattr__(self, name: str) -> Any:
        """What the pattern has; kept, so that asking again costs nothing more."""
        if "_pattern" not in self.__dict__:
            self._pattern = re.compile(*self._spelt)
        found = getattr(self._pattern, name)
        setattr(self, name, found)
        return found


def late(spelt: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern of our own that is compiled when it is first used: a short run needs few that a room knows.

    What a user wrote is compiled at once, because a mistake in it must be told where it is read.
    """
    return cast("re.Pattern[str]", _Late(spelt, flags))


_WORD = re.compile(r"[^\W_]+(?:[’'._@:/+-][^\W_]+)*[%+#]?", re.UNICODE)
_SPLIT_INSIDE = re.compile(r"[’'._@:/+-]")

# English function words: they carry grammar, not subject matter.
STOP_WORDS = frozenset(
    """
    a about above after again against all also am an and any are aren't as at be because been before being
    below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't down
    during each either else few for from further get gets getting got had has have haven't having he her here
    hers him his how i i'd i'll i'm i've if in into is isn't it it's its itself just let let's like ll may me
    might more most much must my myself need no nor not now of off on once only or other our ours out over own
    please re same shall she should so some such than that that's the their theirs them then there there's
    these they they're this those through to too under until up us use used using ve very via want was wasn't
    we we're were what what's when where which while who whom whose why will with won't would you you'd you'll
    you're your yours yourself s t d m
    """.split()
)

_ABBREVIATIONS = frozenset(
    """
    e.g i.e etc vs cf approx no nr fig sec dr mr mrs ms prof inc ltd co corp st jr sr dept est min max
    a.m p.m u.s
    """.split()
)
# Tried once for each run of marks and never given back: rows of dots take time in proportion to their length.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]]*+(?=\s|$|【)")
_LONGEST_ABBREVIATION = 20
"""Characters before a full stop that can make it one of an abbreviation."""
_LINE_STARTER = re.compile(r"\s*(?:[-*•–▪◦]|\(?\d{1,3}[.)]|#{1,6})\s+")


def fold(text: str) -> str:
    """The text in the form comparisons use: NFKC, lower case, straight quotes, single spaces."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.translate(_QUOTES)
    return " ".join(text.split())


_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})


def words(text: str) -> Iterator[Span]:
    """The words of a text in order; numbers, e-mail addresses and versions stay whole.

    A trailing full stop is never part of a word, an inner one is: ``5.2``, ``jo@example.com``.
    """
    for match in _WORD.finditer(text):
        yield Span(match.group(), match.start(), match.end())


class _Stemmers(threading.local):
    """A stemmer for each thread: one keeps the word it is at work on in itself."""

    def __init__(self) -> None:
        import snowballstemmer

        self.english: Any = snowballstemmer.stemmer("english")


@cache
def _stemmers() -> _Stemmers:
    return _Stemmers()


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of one folded word (Snowball English); words with digits are left as they are."""
    if any(character.isdigit() for character in word) or not word.isascii():
        return word
    return str(_stemmers().english.stemWord(word))


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order, with repetitions.

    Compound words contribute themselves and their parts (``sign-up`` gives sign-up, sign, up without
    the stop word), so that a hyphen does not hide a match.
    """
    stems: list[str] = []
    for word in words(fold(text)):
        stems.extend(_stems_of(word.text))
    return stems


@lru_cache(maxsize=65_536)
def _stems_of(word: str) -> tuple[str, ...]:
    if word in STOP_WORDS:
        return ()
    parts = [part for part in _SPLIT_INSIDE.split(word) if part and part not in STOP_WORDS]
    if len(parts) <= 1:
        return (stem(parts[0]),) if parts else ()
    return (word, *(stem(part) for part in parts))


def sentences(text: str) -> list[Span]:
    """The sentences of a text with their places; list items, headings and table rows count as one each.

    A line break ends a sentence when the next line starts a list item or heading, after a blank line,
    or when the line is itself a heading or list item; wrapped prose is joined. Abbreviations, decimals and
    versions do not end a sentence.
    """
    return [
        Span(text[start:end], start, end)
        for block_start, block_end in _blocks(text)
        for start, end in _sentences_in(text, block_start, block_end)
    ]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Runs of lines that belong together: paragraphs and single list items, headings or table rows."""
    start: int | None = None
    position = 0
    for line in text.splitlines(keepends=True):
        end = position + len(line)
        blank = not line.strip()
        begins_anew = bool(_LINE_STARTER.match(line)) or "|" in line
        if start is not None and (blank or begins_anew):
            yield start, position
            start = None
        if not blank and start is None:
            start = position
        if start is not None and (line.lstrip().startswith("#") or "|" in line):
            yield start, end
            start = None
        position = end
    if start is not None:
        yield start, len(text)


def _sentences_in(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begin = start
    for match in _SENTENCE_END.finditer(text, start, end):
        if _is_abbreviation(text, begin, match.start()):
            continue
        stop = _after_markers(text, match.end(), end)
        yield from _trimmed(text, begin, stop)
        begin = stop
    yield from _trimmed(text, begin, end)


_CITATION_MARKERS = re.compile(r"(?:\s?【[^】]{1,200}】)+[.!?]?")


def _after_markers(text: str, position: int, end: int) -> int:
    """Citation markers that follow a full stop belong to the sentence before them."""
    match = _CITATION_MARKERS.match(text, position, end)
    return match.end() if match else position


def _is_abbreviation(text: str, begin: int, stop: int) -> bool:
    if text[stop : stop + 1] != ".":
        return False
    near = text[max(begin, stop - _LONGEST_ABBREVIATION) : stop]
    last = near.rsplit(maxsplit=1)[-1:] or [""]
    token = last[0].lstrip("([\"'").casefold()
    if token in _ABBREVIATIONS:
        return True
    return bool(re.fullmatch(r"\(?\d{1,3}|[#]", token)) and len(text[begin:stop].split()) == 1


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if end > start:
        yield start, end


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like ``word``, for hints after a misspelling; None when nothing is near."""
    from rapidfuzz import fuzz, process

    best = process.extractOne(word, list(candidates), scorer=fuzz.ratio, score_cutoff=60)
    return str(best[0]) if best else None


def did_you_mean(word: str, allowed: Sequence[str], *, label: str = "allowed here") -> str:
    """The hint after a word that is none of the allowed ones: the nearest first, then all of them."""
    if not allowed:
        return f"{label}: none"
    near = nearest(word, allowed)
    listed = f"{label}: " + ", ".join(allowed)
    return f"did you mean {near!r}? {listed[0].upper()}{listed[1:]}" if near else listed


def one_line(text: str, most: int) -> str:
    """The text on one line of at most this many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: max(0, most - 1)].rstrip() + "…"


def counted(count: int, noun: str) -> str:
    """A number with its noun: ``1 trial``, ``3 trials``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
