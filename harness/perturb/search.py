"""Variations are drawn, and the smallest one under which something breaks is found, by Hypothesis.

Both go through the same sequence of lists of changes, which the seed decides. Smaller means fewer changes,
then milder kinds, earlier turns and places: what Hypothesis makes of a list when it shrinks it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import TYPE_CHECKING

from harness.perturb.variation import Edit, Space, Variation

if TYPE_CHECKING:
    from hypothesis import Phase
    from hypothesis.strategies import SearchStrategy

MOST_EDITS = 3
"""Changes in one variation."""
_TRIES = 30
"""How often something is drawn for each variation that is wanted: many draws come to the same texts."""
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

    def collected(variation: Variation) -> bool:
        first = variation.applied[0].kind
        if variation.said not in found and kinds[first] < most:
            found[variation.said] = variation
            kinds[first] += 1
        return len(found) >= count

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

    told = dict(known)
    best: list[Variation] = []

    def smaller(variation: Variation) -> bool:
        if not best and variation.said not in told:
            return False  # until it comes to the first that is known to break, nothing is played
        if best and not _kinds(variation) <= _kinds(best[0]):
            return False  # another kind would be another fault
        if variation.said not in told:
            told[variation.said] = breaks(variation)
        if told[variation.said]:
            best.append(variation)
        return told[variation.said]

    return _explore(space, seed, smaller, [Phase.generate, Phase.shrink], _TRIES * len(known))


def _kinds(variation: Variation) -> set[str]:
    return {each.kind for each in variation.applied}


def _explore(
    space: Space, seed: int, condition: Breaks, phases: Iterable[Phase], most: int
) -> Variation | None:
    """The smallest variation that fits the condition, as far as the phases look for one."""
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
        return space.vary(find(_edits(space), holds, settings=asked, random=Random(seed)))
    except NoSuchExample:
        return None


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
