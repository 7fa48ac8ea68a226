"""Which words mean the same and which the contrary, by their stems; from WordNet (see the model card)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

FILE = "thesaurus.txt"
"""Lies beside the grounding model: a line for each stem, sorted by bytes, with its synonyms and opposites."""


@dataclass(frozen=True, slots=True)
class Related:
    """The stems of words that mean the same as one, and of those that mean the contrary."""

    synonyms: frozenset[str] = frozenset()
    opposites: frozenset[str] = frozenset()


class Thesaurus:
    """Looks up stems.

    Args:
        content: Lines ``stem TAB synonyms TAB opposites``, sorted; searched as they are, because making a
            dict of them would take longer than all that is ever asked of it.
    """

    def __init__(self, content: bytes) -> None:
        self._content = b"\n" + content.rstrip(b"\n")
        self.related = lru_cache(maxsize=16_384)(self._related)
        """What is related to a stem: ``related(stem)``; nothing where the stem is not known."""

    def _related(self, stem: str) -> Related:
        wanted = stem.encode()
        low, high = 0, len(self._content)  # low is the line break before a line, or the end
        while low < high:
            start = self._content.rfind(b"\n", low, (low + high) // 2 + 1)
            end = self._content.find(b"\n", start + 1)
            end = len(self._content) if end < 0 else end
            found, _, rest = self._content[start + 1 : end].partition(b"\t")
            if found == wanted:
                return Related(*(frozenset(part.split()) for part in rest.decode().split("\t")))
            low, high = (end, high) if found < wanted else (low, start)
        return Related()


@cache
def default() -> Thesaurus:
    """The one that comes with the grounding model, which checks its file before it is used."""
    folder = resources.files("harness.scorers").joinpath("grounding_model")
    return Thesaurus(folder.joinpath(FILE).read_bytes())
