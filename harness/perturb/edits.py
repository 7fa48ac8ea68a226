"""Single changes of a text: where each kind can be made, and what it makes of the place.

A site is a piece of the text with the texts that may stand there instead, the mildest first. Addresses,
numbers, codes and names of files are left as they are by all kinds but ``emails``: they carry meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.perturb import words
from harness.suite.records import PerturbationKind
from harness.text import sentences

EMAIL = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_WORD = re.compile(r"(?<![\w@./+'’-])[A-Za-z]{4,}(?![\w@/]|[.'’-]\w)")
_GAP = re.compile(r"(?<=\S) (?=\S)")
_MARK = re.compile(r"(?<=\w)[.,!?;:]+(?=\s|$)")
_MOST_ORDERS = 6


@dataclass(frozen=True, slots=True)
class Site:
    """A piece of a text, ``text[start:end]``, and what may stand there instead; at least one."""

    start: int
    end: int
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Palette:
    """Words and sentences that variations are made of.

    Attributes:
        synonyms: By lower-case words or groups of words.
        additions: Sentences beside the point.
    """

    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: words.SYNONYMS)
    additions: tuple[str, ...] = words.ADDITIONS

    @classmethod
    def of(cls, synonyms: Mapping[str, tuple[str, ...]], additions: Sequence[str]) -> Palette:
        """What a suite says, before what is always there."""
        own = {word.casefold(): others for word, others in synonyms.items() if others}
        return cls({**words.SYNONYMS, **own}, (*additions, *words.ADDITIONS))


def sites(kind: PerturbationKind, text: str, palette: Palette) -> list[Site]:
    """Every place of a text where a change of this kind can be made, in order."""
    maker = _MAKERS.get(kind)
    return list(maker(text, palette)) if maker else []


def _typos(text: str, palette: Palette) -> Iterator[Site]:
    for match in _WORD.finditer(text):
        yield Site(match.start(), match.end(), tuple(dict.fromkeys(_mistyped(match.group()))))


def _mistyped(word: str) -> Iterator[str]:
    """Two letters exchanged, one left out, one doubled; the first letter stays."""
    for place in range(1, len(word) - 1):
        swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        if swapped != word:
            yield swapped
    for place in range(1, len(word)):
        yield word[:place] + word[place + 1 :]
        yield word[:place] + word[place] + word[place:]


def _case(text: str, palette: Palette) -> Iterator[Site]:
    spared = [match.span() for match in EMAIL.finditer(text)]
    whole = tuple(each for each in (_cased(text, str.lower), _cased(text, str.upper)) if each != text)
    if whole:
        yield Site(0, len(text), whole)
    for match in _WORD.finditer(text):
        word = match.group()
        if not any(start <= match.start() < end for start, end in spared):
            options = (each for each in (word.upper(), word.lower(), word.capitalize()) if each != word)
            yield Site(match.start(), match.end(), tuple(dict.fromkeys(options)))


def _cased(text: str, change: Callable[[str], str]) -> str:
    return _WORD.sub(lambda match: change(match.group()), text)


def _spacing(text: str, palette: Palette) -> Iterator[Site]:
    for match in _GAP.finditer(text):
        yield Site(match.start(), match.end(), ("  ", "\n", "\t", "\u00a0"))
    yield Site(0, 0, ("  ",))
    yield Site(len(text), len(text), ("   ", "\n\n"))


def _punctuation(text: str, palette: Palette) -> Iterator[Site]:
    for match in _MARK.finditer(text):
        mark = match.group()
        options = (each for each in ("", mark[-1] * 3, "...") if each != mark)
        yield Site(match.start(), match.end(), tuple(options))
    if text[-1:].isalnum():
        yield Site(len(text), len(text), ("...", "!!!"))


def _synonyms(text: str, palette: Palette) -> Iterator[Site]:
    for phrase, others in palette.synonyms.items():
        for match in re.finditer(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE):
            found = match.group()
            yield Site(match.start(), match.end(), tuple(_begun_like(found, other) for other in others))


def _begun_like(found: str, other: str) -> str:
    return other[:1].upper() + other[1:] if found[:1].isupper() else other


def _order(text: str, palette: Palette) -> Iterator[Site]:
    said = [span.text.strip() for span in sentences(text)]
    if len(said) > 1:
        turned = (" ".join([*said[place:], *said[:place]]) for place in range(1, len(said)))
        options = [each for each in (*turned, " ".join(reversed(said))) if each != text]
        yield Site(0, len(text), tuple(dict.fromkeys(options))[:_MOST_ORDERS])


def _additions(text: str, palette: Palette) -> Iterator[Site]:
    yield Site(len(text), len(text), tuple(f" {each}" for each in palette.additions))
    yield Site(0, 0, tuple(f"{each} " for each in palette.additions))


def _lookalikes(text: str, palette: Palette) -> Iterator[Site]:
    table = str.maketrans(words.LOOKALIKES)
    for match in _WORD.finditer(text):
        word = match.group()
        first = next((place for place, letter in enumerate(word) if letter in words.LOOKALIKES), None)
        options = [] if first is None else [_one_alike(word, first), word.translate(table)]
        yield Site(match.start(), match.end(), (*dict.fromkeys(options), f"{word[:2]}\u200b{word[2:]}"))


def _one_alike(word: str, place: int) -> str:
    return word[:place] + words.LOOKALIKES[word[place]] + word[place + 1 :]


def _injection(text: str, palette: Palette) -> Iterator[Site]:
    yield Site(len(text), len(text), tuple(f" {each}" for each in words.INJECTIONS))
    yield Site(0, 0, tuple(f"{each} " for each in words.INJECTIONS))


_MAKERS: dict[PerturbationKind, Callable[[str, Palette], Iterator[Site]]] = {
    "typos": _typos,
    "case": _case,
    "spacing": _spacing,
    "punctuation": _punctuation,
    "synonyms": _synonyms,
    "order": _order,
    "additions": _additions,
    "lookalikes": _lookalikes,
    "injection": _injection,
}
