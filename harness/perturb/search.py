"""Variations are drawn, and the smallest one under which something breaks is found, by Hypothesis.

Both go through the same sequence of lists of changes, which the seed decides. Smaller means fewer changes,
then milder kinds, earlier turns and places: what Hypothesis makes of a list when it shrinks it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from harness.perturb.variation import Edit, Space, Variation

if TYPE_CHECKING:
    from hypothesis import Phase
    from hypothesis.strategies import SearchStrategy

MOST_EDITS = 3
"""Changes in one variation."""
MOST_STEPS = 40
"""Variations that are played for one conversation while Hypothesis looks for smaller ones."""
_TRIES = 30
"""How often something is drawn for each variation that is wanted: many draws come to the same texts."""
_MOST_IDLE = 150
"""So many draws in a row that bring nothing new say that there is nothing more."""
# Kinds, turns, places and texts are counted by as many bits; numbers wrap around where there are fewer.
_KIND_BITS, _TURN_BITS, _SITE_BITS, _CHOICE_BITS = 6, 5, 8, 5

Breaks = Callable[[Variation], bool]
Said = tuple[object, ...]


def seed_of(seed: int, *names: str) -> int:
    """A seed for one conversation, which no other conversation of the run changes."""
    return zlib.crc32("\0".join([str(seed), *names]).encode())


def draw(space: Space, count: int, seed: int) -> list[Variation]:
    """Different variations of a conversation, as evenly over the kinds as its words allow.

    Fewer than ``count`` when there are no more; the same for the same seed, always.
    """
    from hypothesis import Phase

    found: dict[Said, Variation] = {}
    kinds: Counter[str] = Counter()
    most = -(-count // max(1, len(space.kinds)))
    idle = 0

    def collected(variation: Variation) -> bool:
        nonlocal idle
        first, idle = variation.applied[0].kind, idle + 1
        if variation.said not in found and kinds[first] < most:
            found[variation.said] = variation
            kinds[first] += 1
            idle = 0
        return len(found) >= count or idle >= _MOST_IDLE

    _explore(space, seed, collected, [Phase.generate], _TRIES * count)
    return list(found.values())


def smallest(space: Space, seed: int, known: Mapping[Said, bool], breaks: Breaks) -> Variation | None:
    """The smallest variation under which something breaks; None when none of those that are known does.

    Args:
        space: The variations of the conversation.
        seed: The one that ``draw`` was given.
        known: Whether it breaks under those that were drawn, by what is said in them.
        breaks: Whether it breaks under another one; asked once for each, and only for smaller ones.
    """
    from hypothesis import Phase

    way = _Way(dict(known), breaks)
    found = _explore(space, seed, way.goes_by, [Phase.generate, Phase.shrink], _TRIES * len(known))
    return space.vary(_needed(space, found, way)) if found else None


@dataclass(slots=True)
class _Way:
    """The way to the smallest variation: what is known, and how much was played to know more.

    Attributes:
        told: Whether it breaks under a variation, by what is said in it.
        breaks: Tells it of another one.
        first: The first that breaks, when it was come to.
        steps: How many were played.
    """

    told: dict[Said, bool]
    breaks: Breaks
    first: Variation | None = None
    steps: int = 0

    def goes_by(self, variation: Variation) -> bool:
        """Whether a variation breaks too, as far as one may play to know that."""
        if self.first is None:  # until it comes to the first that is known to break, nothing is played
            self.first = variation if self.told.get(variation.said) else None
            return self.first is not None
        if not _kinds(variation) <= _kinds(self.first):
            return False  # another kind would be another fault
        return self.holds(variation, MOST_STEPS)

    def holds(self, variation: Variation, most: int = MOST_STEPS + 2 * MOST_EDITS) -> bool:
        """The same, with so many steps in all."""
        if variation.said not in self.told:
            if self.steps >= most:
                return False
            self.steps += 1
            self.told[variation.said] = self.breaks(variation)
        return self.told[variation.said]


def _needed(space: Space, edits: list[Edit], way: _Way) -> list[Edit]:
    """The changes without those that it breaks without too: some undo others, or change nothing."""
    for place in range(len(edits)):
        fewer = [*edits[:place], *edits[place + 1 :]]
        if fewer and space.vary(fewer).applied and way.holds(space.vary(fewer)):
            return _needed(space, fewer, way)
    return edits


def _kinds(variation: Variation) -> set[str]:
    return {each.kind for each in variation.applied}


def _explore(
    space: Space, seed: int, condition: Breaks, phases: Iterable[Phase], most: int
) -> list[Edit] | None:
    """The smallest changes that fit the condition, as far as the phases look for them."""
    from hypothesis import HealthCheck, find, settings
    from hypothesis.errors import NoSuchExample

    if not space.kinds:
        return None
    known: dict[tuple[Edit, ...], Variation] = {}

    def holds(edits: list[Edit]) -> bool:
        key = tuple(edits)
        if key not in known:
            known[key] = space.vary(edits)
        return bool(known[key].applied) and condition(known[key])

    asked = settings(
        max_examples=most,
        phases=list(phases),
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        found: list[Edit] = find(_edits(space), holds, settings=asked, random=Random(seed))
    except NoSuchExample:
        return None
    return found


def _edits(space: Space) -> SearchStrategy[list[Edit]]:
    """Lists of changes; their numbers are made of single bits, highest first.

    Where Hypothesis draws whole numbers it also tries those that stand in the code of loaded modules, so what
    it draws would depend on what else is loaded. Bits it draws by the seed alone.
    """
    from hypothesis import strategies

    def number(bits: int) -> SearchStrategy[int]:
        return strategies.tuples(*[strategies.booleans()] * bits).map(_from_bits)

    edit = strategies.builds(
        Edit,
        kind=number(_KIND_BITS).map(lambda drawn: space.kinds[drawn % len(space.kinds)]),
        turn=number(_TURN_BITS),
        site=number(_SITE_BITS),
        choice=number(_CHOICE_BITS),
    )
    return strategies.lists(edit, min_size=1, max_size=MOST_EDITS)


def _from_bits(bits: tuple[bool, ...]) -> int:
    return int("".join(str(int(bit)) for bit in bits), 2)
