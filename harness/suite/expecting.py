"""What must hold for a turn: the suite's defaults under the turn's own words, and values from Python code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path, PurePath
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.suite.check import Facts, check_conversation
from harness.suite.records import (
    AnswerExpectation,
    Conversation,
    Expect,
    HistoryMessage,
    Rubric,
    ToneExpectation,
    Turn,
)
from harness.suite.rubrics import judged_mistakes
from harness.yamlfile.mistakes import Mistake, mistakes_in
from harness.yamlfile.source import Place

NOTHING_EXPECTED: dict[str, Any] = {**dict.fromkeys(Expect.model_fields), "requires": []}
"""What ``expect: null`` in a turn stands for: every default is switched off."""

_STAND_IN = "?"


def merged(default: Expect, own: Expect) -> Expect:
    """What must hold for a turn: its own expectations over the suite's.

    Each key of the turn replaces the suite's; null switches it off. The parts of ``answer`` and ``tone``
    are replaced one by one. A turn that says nothing of its status must be completed.
    """
    update = {key: getattr(own, key) for key in own.model_fields_set}
    if own.answer is not None and default.answer is not None:
        update["answer"] = _merged_parts(default.answer, own.answer)
    if own.tone is not None and default.tone is not None:
        update["tone"] = _merged_parts(default.tone, own.tone)
    if "requires" not in update and default.requires:
        update["requires"] = tuple(
            key for key in default.requires if not (key in update and update[key] is None)
        )
    if "status" not in update and "status" not in default.model_fields_set:
        update["status"] = "completed"
    return default.model_copy(update=update)


Parts = TypeVar("Parts", AnswerExpectation, ToneExpectation)


def _merged_parts(default: Parts, own: Parts) -> Parts:
    return default.model_copy(update={key: getattr(own, key) for key in own.model_fields_set})


# --- turns of Python code -----------------------------------------------------------------------------------


def made_turn(user: str, given: Mapping[str, Any], default: Expect) -> tuple[Turn | None, list[Mistake]]:
    """A turn from what Python code gives it (``expect``, ``attach``, ``returning``); None with mistakes."""
    data, mistakes = plain({"user": user, **given})
    if "expect" in data and data["expect"] is None:
        data["expect"] = dict(NOTHING_EXPECTED)
    data["attach"] = [each if isinstance(each, dict) else {"file": each} for each in data.get("attach") or ()]
    if mistakes:
        return None, mistakes
    try:
        turn = Turn.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        return None, list(mistakes_in(error, Turn, data))
    return turn.model_copy(update={"expect": merged(default, turn.expect)}), []


def turn_mistakes(
    given: Mapping[str, Any],
    default: Expect,
    facts: Facts | None,
    folder: Path,
    user: str = _STAND_IN,
    rubrics: Mapping[str, Rubric] | None = None,
) -> Iterator[Mistake]:
    """Everything that is wrong with such a turn; places count from the turn down."""
    turn, mistakes = made_turn(user, given, default)
    yield from mistakes
    if turn is not None:
        before = HistoryMessage(role="user", content=_STAND_IN)  # that there were turns is not known here
        alone = Conversation(id=_STAND_IN, turns=(turn,), history=(before,))
        for each in check_conversation(alone, facts, folder, alone=True):
            yield Mistake(each.place[2:], each.message, each.hint, each.at_key)
        yield from judged_mistakes(turn.expect, rubrics or {}, ("expect",))


def plain(value: Any, place: Place = ()) -> tuple[Any, list[Mistake]]:
    """A value of Python code as a YAML file would hold it, and what no such file could hold."""
    if value is None or isinstance(value, str | bool | int | float):
        return value, []
    if isinstance(value, PurePath):
        return value.as_posix(), []
    if isinstance(value, date):
        return value.isoformat(), []
    if isinstance(value, Mapping):
        pairs = {str(key): plain(each, (*place, str(key))) for key, each in value.items()}
        found = [mistake for _, mistakes in pairs.values() for mistake in mistakes]
        return {key: each for key, (each, _) in pairs.items()}, found
    if isinstance(value, list | tuple | set | frozenset):
        entries = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        made = [plain(each, (*place, index)) for index, each in enumerate(entries)]
        return [each for each, _ in made], [mistake for _, mistakes in made for mistake in mistakes]
    message = f"a {type(value).__name__} can't stand here"
    return None, [Mistake(place, message, "give text, numbers, true or false, lists or mappings")]
