"""The hard facts of a sentence: numbers with their units, addresses, names, negated words.

These decide what mere overlap of words can't: a claim with another number says something else, however
alike the rest is.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from harness.text import STOP_WORDS, content_stems, fold, stem, words

_NUMBER = re.compile(
    r"(?P<money>[$€£]\s?)?(?P<digits>\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:[.:]\d+)*)\s?-?(?P<unit>%|[a-zµ°]+)?"
)
# "step 3" counts the answer's own parts, "1990s" is a decade, not so many seconds.
_OWN_PARTS = re.compile(
    r"\b(?:passages?|steps?|options?|points?|tips?|sections?|parts?|items?|sources?|notes?|methods?|"
    r"figures?) #?\d+"
    r"(?:(?:,| and| or| to|-| &)+ ?\d+)*\b"
)
_DECADE = re.compile(r"\b(\d{3}0)'?s\b")
_LIST_MARK = re.compile(r"^\s*(?:[-*•–▪◦]\s+)?\(?\d{1,3}[.)]\s+")
_SPELT = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90", "hundred": "100"}
_SPELT |= {"twice": "2", "double": "2", "dozen": "12", "first": "1", "second": "2", "third": "3"}

# Words that measure; two different ones after the same number are two different facts.
_UNITS = {
    unit: name
    for name, spellings in {
        "%": "% percent pct",
        "byte": "b byte bytes",
        "kb": "kb kib kilobyte kilobytes",
        "mb": "mb mib megabyte megabytes",
        "gb": "gb gib gigabyte gigabytes",
        "tb": "tb tib terabyte terabytes",
        "ms": "ms millisecond milliseconds",
        "second": "s sec secs second seconds",
        "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours hourly",
        "day": "d day days daily",
        "week": "week weeks weekly",
        "month": "mo month months monthly",
        "year": "yr yrs year years yearly annually",
        "usd": "$ usd dollar dollars",
        "eur": "€ eur euro euros",
        "gbp": "£ gbp pound pounds",
        "cent": "cent cents",
        "mm": "mm millimeter millimeters",
        "cm": "cm centimeter centimeters",
        "m": "meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres",
        "inch": "inch inches",
        "foot": "foot feet ft",
        "mile": "mile miles mi",
        "g": "gram grams",
        "mg": "mg milligram milligrams",
        "kg": "kg kilogram kilograms",
        "lb": "lb lbs",
        "oz": "oz ounce ounces",
        "thousand": "k thousand",
        "million": "million millions",
        "billion": "billion billions",
        "am": "am",
        "pm": "pm",
    }.items()
    for unit in spellings.split()
}
_NEGATIONS = frozenset(
    "not no never cannot can't without unable neither nor none nothing nobody isnt dont".split()
)
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s)\]>\"']+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_CLAUSE_ENDS = re.compile(r"[.;:,!?()]")
_JOINS = frozenset({"but", "and", "so", "because", "while", "although"})
_NEGATED_REACH = 3  # content words after a "not" that it is taken to deny


class Number(msgspec.Struct, frozen=True):
    """A number with its unit, both in one spelling: ``5 GB`` and ``5gb`` are the same."""

    value: str
    unit: str | None

    def __str__(self) -> str:
        return f"{self.value} {self.unit}" if self.unit else self.value


def numbers(text: str) -> list[Number]:
    """The numbers written in digits, in order; list numbering is none."""
    return list(_numbers(text))


@lru_cache(maxsize=16_384)
def _numbers(text: str) -> tuple[Number, ...]:
    if not any(character.isdigit() for character in text):
        return ()
    plain = fold(_ADDRESS.sub(" ", _LIST_MARK.sub("", text)))
    plain = _DECADE.sub(r"\1", _OWN_PARTS.sub(" ", plain))
    return tuple(_number(match) for match in _NUMBER.finditer(plain))


def _number(match: re.Match[str]) -> Number:
    unit = "$" if (match["money"] or "").startswith("$") else (match["money"] or "").strip() or match["unit"]
    return Number(_value(match["digits"]), _UNITS.get(unit or ""))


def _value(digits: str) -> str:
    digits = digits.replace(",", "")
    if ":" in digits:
        return digits.removesuffix(":00").lstrip("0") or "0"
    if digits.count(".") == 1 and set(digits.partition(".")[2]) == {"0"}:
        digits = digits.partition(".")[0]
    return digits.lstrip("0") or "0" if digits.isdigit() else digits


@lru_cache(maxsize=4_096)
def spelt_numbers(text: str) -> frozenset[str]:
    """The values of numbers written as words: they confirm digits, but need no confirmation."""
    return frozenset(_SPELT[word.text] for word in words(fold(text)) if word.text in _SPELT)


def addresses(text: str) -> set[str]:
    """E-mail addresses and URLs, folded, without a closing full stop or slash."""
    return {match.group().casefold().rstrip(".,;:/*_`") for match in _ADDRESS.finditer(text)}


def names(text: str) -> set[str]:
    """Stems of capitalised words that don't open a sentence or a list item: most are names.

    A sentence that capitalises most of its words is a title and has none.
    """
    found = [word for word in words(text) if word.text[0].isalpha() and len(word.text) > 1]
    upper = [word for word in found if word.text[0].isupper()]
    if len(upper) * 2 > len(found):
        return set()
    opening = re.compile(r"(?:^|[.:!?(\[\"“*_`>|-]\s*)$")
    inner = [word.text for word in upper if not opening.search(text[max(0, word.start - 6) : word.start])]
    return {made for name in inner for made in stems_of(fold(name))[:1]}


def negated(text: str) -> set[str]:
    """Stems of the content words that follow a negation closely, in the same clause."""
    found: set[str] = set()
    folded, reach, last = fold(text), 0, 0
    for word in words(folded):
        if reach and _CLAUSE_ENDS.search(folded[last : word.start]):
            reach = 0
        last = word.end
        if _is_negation(word.text):
            reach = _NEGATED_REACH
        elif word.text in _JOINS:
            reach = 0
        elif reach and word.text not in STOP_WORDS:
            found.add(stem(word.text))
            reach -= 1
    return found


def _is_negation(word: str) -> bool:
    return word in _NEGATIONS or word.endswith("n't")


def denies(text: str) -> bool:
    """Whether a text holds a negation at all."""
    return any(_is_negation(word.text) for word in words(fold(text)))


@lru_cache(maxsize=65_536)
def stems_of(word: str) -> tuple[str, ...]:
    """The stems of one folded word: itself and, for a compound, its parts; none for a function word."""
    return tuple(content_stems(word))


def stems_of_text(text: str) -> set[str]:
    """Every stem of a text."""
    return {made for span in words(fold(text)) for made in stems_of(span.text)}


def only_negated(name: str, text: str) -> bool:
    """Whether a text never uses a word without denying it."""
    uses = sum(name in stems_of(span.text)[:1] for span in words(fold(text)))
    return name in negated(text) and uses == 1
