"""Drawing variations, and finding the smallest."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from harness.perturb.search import MOST_EDITS, _needed, _Way, draw, seed_of, smallest
from harness.perturb.variation import Edit

SAID = ("How do I export my data? I am jo@example.com.", "Please open a ticket for me. It is urgent.")


def test_the_same_seed_draws_the_same_variations_and_another_one_others(make: Any) -> None:
    space = make.space(*SAID)
    drawn = [each.said for each in draw(space, 20, 1)]
    assert drawn == [each.said for each in draw(space, 20, 1)]
    assert drawn != [each.said for each in draw(space, 20, 2)]
    assert len(set(drawn)) == 20


def test_what_is_drawn_does_not_depend_on_what_else_is_loaded(make: Any) -> None:
    """Whole numbers would: Hypothesis also draws those that it finds in the code of loaded modules."""
    program = (
        "from pathlib import Path; import {extra}\n"
        "from harness.perturb.search import draw\n"
        "from harness.perturb.variation import Space\n"
        "from harness.perturb.edits import Palette\n"
        "from harness.suite.records import Conversation\n"
        "c = Conversation.model_validate(dict(id='c', turns=[dict(user={said!r})]))\n"
        "s = Space(c, ('typos', 'case', 'spacing'), Palette(), Path('.'))\n"
        "print([each.said for each in draw(s, 10, 7)])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program.format(extra=extra, said=SAID[0])],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for extra in ("json", "harness.workflows")
    }
    assert len(told) == 1


def test_every_kind_that_is_possible_is_drawn(make: Any) -> None:
    space = make.space(*SAID)
    drawn = draw(space, 2 * len(space.kinds), 3)
    assert {each.applied[0].kind for each in drawn} == set(space.kinds)
    assert max(len(each.applied) for each in drawn) <= MOST_EDITS


def test_a_conversation_of_few_words_has_few_variations(make: Any) -> None:
    space = make.space("Hi", perturb={"kinds": ["punctuation"]})
    assert 0 < len(draw(space, 20, 1)) < 20


@pytest.mark.parametrize("seed", range(6))
def test_a_fault_of_one_kind_is_shrunk_to_one_change_of_that_kind(make: Any, seed: int) -> None:
    space = make.space(*SAID, perturb={"kinds": ["typos", "case", "spacing"]})
    drawn = draw(space, 12, seed)
    known = {each.said: _has(each, "spacing") for each in drawn}
    asked: list[Any] = []

    def breaks(variation: Any) -> bool:
        asked.append(variation.said)
        return _has(variation, "spacing")

    found = smallest(space, seed, known, breaks)
    assert found is not None
    assert [each.kind for each in found.applied] == ["spacing"]
    assert len(asked) == len(set(asked)), "a variation is played once"
    assert not known.keys() & set(asked), "what is known is not played again"


def test_changes_that_it_breaks_without_too_are_taken_away(make: Any) -> None:
    """Two typos that undo each other say nothing, however small their numbers are."""
    space = make.space(*SAID, perturb={"kinds": ["typos", "injection"]})
    undone = [Edit("typos", 0, 0, 0), Edit("typos", 0, 0, 0), Edit("injection")]
    assert space.vary(undone).said == space.vary([Edit("injection")]).said
    way = _Way({}, lambda variation: _has(variation, "injection"))
    assert _needed(space, undone, way) == [Edit("injection")]


def _has(variation: Any, kind: str) -> bool:
    return any(each.kind == kind for each in variation.applied)


def test_where_nothing_breaks_nothing_is_played(make: Any) -> None:
    space = make.space(*SAID)
    known = {each.said: False for each in draw(space, 10, 1)}

    def breaks(variation: Any) -> bool:
        raise AssertionError(variation)

    assert smallest(space, 1, known, breaks) is None


def test_conversations_have_seeds_of_their_own() -> None:
    assert len({seed_of(0, "s", "a"), seed_of(0, "s", "b"), seed_of(1, "s", "a"), seed_of(0, "t", "a")}) == 4
