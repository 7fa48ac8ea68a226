"""Rubrics must be such that a judge can decide by them, and expectations must name those that are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.suite.records import ABSTAINS, CodedConversation, Conversation, Expect, Rubric
from harness.yamlfile.mistakes import Mistake, did_you_mean
from harness.yamlfile.source import Place

_MOST_NAME = 64


def check_rubrics(rubrics: Mapping[str, Rubric]) -> Iterator[Mistake]:
    """Mistakes in the rubrics of a suite; places count from the suite down."""
    for name, rubric in rubrics.items():
        place: Place = ("rubrics", name)
        if not rubric.asks.strip():
            yield Mistake((*place, "asks"), "the rubric asks nothing", "write what the judge decides")
        yield from _kinds(rubric, place)
        yield from _labels(rubric, place)
        yield from _passing(rubric, place)


def _kinds(rubric: Rubric, place: Place) -> Iterator[Mistake]:
    kinds = {"labels": rubric.labels is not None, "scale": rubric.scale is not None}
    given = [key for key, is_there in {**kinds, "compares": rubric.compares}.items() if is_there]
    if len(given) > 1:
        message = f"a rubric has one of labels, scale and compares, not {' and '.join(given)}"
        yield Mistake((*place, given[-1]), message, "remove the others, or make them rubrics of their own")


def _labels(rubric: Rubric, place: Place) -> Iterator[Mistake]:
    if rubric.labels is None:
        return
    names = list(rubric.labels)
    here: Place = (*place, "labels")
    if len(names) < 2:
        yield Mistake(here, f"a judge needs two labels at least, not {len(names)}", "write [good, bad]")
    for index, name in enumerate(names):
        at: Place = (*here, name if isinstance(rubric.labels, dict) else index)
        if not name.strip() or len(name) > _MOST_NAME:
            yield Mistake(at, f"a label has 1 to {_MOST_NAME} characters, not {name!r}")
        elif name.casefold() == ABSTAINS:
            message = f"the label {name!r} is taken: every judge may say so when it can't decide"
            yield Mistake(at, message, "give it another name, or leave it out")
        elif name in names[:index]:
            yield Mistake(at, f"the label {name!r} stands twice", "remove one of them")


def _passing(rubric: Rubric, place: Place) -> Iterator[Mistake]:
    wanted, here = rubric.pass_, (*place, "pass")
    if rubric.scale is not None:
        if wanted is not None and not (isinstance(wanted, int) and 1 < wanted <= rubric.scale):
            message = (
                f"of a scale, pass is the least number that is enough: 2 to {rubric.scale}, not {wanted!r}"
            )
            yield Mistake(here, message, f"write pass: {rubric.scale // 2 + 1}")
        return
    for name in rubric.passing if wanted is not None else ():
        if name not in rubric.names:
            message = f"pass names {name!r}, which is no label of this rubric"
            yield Mistake(here, message, did_you_mean(name, list(rubric.names), label="labels"))
    if set(rubric.passing) >= set(rubric.names) and len(set(rubric.names)) > 1:
        yield Mistake(here, "every label passes, so nothing could ever fail", "leave one of them out")


def check_judged(conversation: Conversation, rubrics: Mapping[str, Rubric]) -> Iterator[Mistake]:
    """Mistakes in what a conversation wants judged; places count from the conversation down."""
    yield from judged_mistakes(conversation.expect, rubrics, ("expect",))
    if isinstance(conversation, CodedConversation):
        yield from judged_mistakes(conversation.default, rubrics, ("expect",))
    for index, turn in enumerate(conversation.turns):
        yield from judged_mistakes(turn.expect, rubrics, ("turns", index, "expect"))


def judged_mistakes(expect: Expect, rubrics: Mapping[str, Rubric], place: Place) -> Iterator[Mistake]:
    """Rubrics that are not there, stand twice, or lack the answer that they compare with."""
    if expect.judge is None:
        return
    seen: set[str] = set()
    for index, each in enumerate(expect.judged):
        here: Place = (*place, "judge", index) if isinstance(expect.judge, tuple) else (*place, "judge")
        rubric = rubrics.get(each.rubric)
        if rubric is None:
            message = f"there is no rubric {each.rubric!r}"
            has = did_you_mean(each.rubric, list(rubrics), label="rubrics")
            yield Mistake(here, message, has if rubrics else "write it under rubrics: in the suite")
        elif rubric.compares and each.against is None:
            message = f"the rubric {each.rubric!r} compares, and nothing says with what"
            yield Mistake(here, message, f"write {{rubric: {each.rubric}, against: the other answer}}")
        elif not rubric.compares and each.against is not None:
            message = f"the rubric {each.rubric!r} compares nothing, so against has no meaning"
            yield Mistake(here, message, "remove it, or give the rubric compares: true")
        if each.rubric in seen:
            yield Mistake(here, f"the rubric {each.rubric!r} is named twice", "name each once")
        seen.add(each.rubric)
