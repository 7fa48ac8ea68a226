"""Long patterns, compiled when that pays: most runs are short, and most texts hold nothing that they find.

A pattern of words for people, for what is passed on and for how it is done soon has thousands of characters,
and compiling it takes longer than reading hundreds of texts by it. So it is written in parts. Where the
whole matches, each part matches by itself too; a text that lacks one of them needs no more than that part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, cached_property, lru_cache

_FEW = 200  # texts; for more the whole pattern is worth compiling, it reads a text in a fifth of the time


class OneOf:
    """A part of a pattern for which there are several ways.

    Args:
        ways: Each as text, or in parts; of several that match at a place the first counts.
        name: Of the group, if what is found is asked for.
    """

    def __init__(self, *ways: str | OneOf | tuple[str | OneOf, ...], name: str = "") -> None:
        self._ways = tuple(map(_Way, ways))
        group = f"P<{name}>" if name else ":"
        self.spelt: str = f"(?{group}{'|'.join(way.spelt for way in self._ways)})"

    def may_be_in(self, text: str) -> bool:
        """Whether there is a sign of one of the ways."""
        return any(way.may_be_in(text) for way in self._ways)


class _Way:
    """One way to say something, in parts that follow each other."""

    def __init__(self, parts: str | OneOf | tuple[str | OneOf, ...]) -> None:
        listed = parts if isinstance(parts, tuple) else (parts,)
        each = [part if isinstance(part, OneOf) else _Text(part) for part in listed]
        self.spelt = "".join(part.spelt for part in each)
        # Short ones first: they are cheap, and say no as often.
        self._signs = sorted(each, key=lambda part: len(part.spelt))

    def may_be_in(self, text: str) -> bool:
        """Whether each part is in the text by itself."""
        return all(part.may_be_in(text) for part in self._signs)

    @property
    def pattern(self) -> re.Pattern[str]:
        return _compiled(self.spelt)


class _Text:
    """A part of a pattern as it is."""

    def __init__(self, spelt: str) -> None:
        self.spelt = spelt

    def may_be_in(self, text: str) -> bool:
        return _is_in(self.spelt, text)


class Phrases:
    """Several ways to say something: finds what one pattern of all of them, in their order, finds.

    Whoever asks for groups gives all of them to one way: a match may know those of its own way alone.

    Args:
        ways: Each as text, or in parts, none of which closes a group that another one opens. None matches
            where nothing is.
    """

    def __init__(self, *ways: str | OneOf | tuple[str | OneOf, ...]) -> None:
        self._ways = tuple(map(_Way, ways))
        self._read = 0

    @property
    def spelt(self) -> str:
        """All of it as the text of one pattern."""
        return "|".join(way.spelt for way in self._ways)

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        return re.compile(self.spelt)

    def search(self, text: str) -> re.Match[str] | None:
        """The first place that says it."""
        return next(self.finditer(text), None)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Every place that says it, from left to right, none within another."""
        self._read += 1
        return self._piecewise(text) if self._read <= _FEW else self._whole.finditer(text)

    def _piecewise(self, text: str) -> Iterator[re.Match[str]]:
        likely = [way.pattern for way in self._ways if way.may_be_in(text)]
        found = [match for pattern in likely if (match := pattern.search(text))]
        while found:
            first = min(found, key=re.Match.start)
            yield first
            found = list(_from(first.end(), found))


def _from(place: int, found: Sequence[re.Match[str]]) -> Iterator[re.Match[str]]:
    """The next match of each pattern from a place on, in the same order."""
    for match in found:
        later = match if match.start() >= place else match.re.search(match.string, place)
        if later is not None:
            yield later


@lru_cache(maxsize=4_096)
def _is_in(spelt: str, text: str) -> bool:
    """Whether a part is anywhere in a text; many ways share the same parts."""
    return _compiled(spelt).search(text) is not None


@cache
def _compiled(spelt: str) -> re.Pattern[str]:
    return re.compile(spelt)
