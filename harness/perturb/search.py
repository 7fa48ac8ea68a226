"""Variations are drawn, and the smallest one under which something breaks is found, by Hypothesis.

Both go through the same sequence of lists of changes, which the seed decides. Smaller means fewer changes,
then milder kinds, earlier turns and places: what Hypothesis makes of a list when it shrinks it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from harness.perturb.variation import Edit, Space, Variation

if TYPE_CHECKING:
    from hypothesis import Phase
    from hypothesis.strategies import SearchStrategy

MOST_EDITS = 3
"""Changes in one variation."""
_TRIES = 30
"""How often something is drawn for each variation that is wanted: many draws come to the same texts."""
_HIGHEST = 9_999

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
        if variation.said not in told:
            if not best:  # until it comes to the first that is known to break, nothing is played
                return False
            told[variation.said] = breaks(variation)
        if told[variation.said]:
            best.append(variation)
        return told[variation.said]

    return _explore(space, seed, smaller, [Phase.generate, Phase.shrink], _TRIES * len(known))


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
    from hypothesis import strategies

    numbers: Any = strategies.integers(0, _HIGHEST)
    edit = strategies.builds(
        Edit,
        kind=strategies.sampled_from(space.kinds),
        turn=strategies.integers(0, len(space.conversation.turns) - 1),
        site=numbers,
        choice=numbers,
    )
    return strategies.lists(edit, min_size=1, max_size=MOST_EDITS)
