"""Suites written in Python, for what YAML can't say: a turn that depends on the last answer, a loop, a user.

What stands here only remembers what was written and where; ``harness.suite.python`` checks it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

import msgspec

Talking = Callable[..., Any]
"""An async function that takes a ``Talk``, and the columns of its row when there are rows."""
Function = TypeVar("Function", bound=Talking)


class Written(msgspec.Struct, frozen=True):
    """Something that was written in a file: what was given, and the line of the call.

    Attributes:
        given: Keys as in a YAML suite; only what was given.
        file: The Python file, or what a notebook calls its cell.
        line: Of the call that gave it.
    """

    given: dict[str, Any]
    file: str
    line: int


class WrittenConversation(msgspec.Struct, frozen=True):
    """One decorated function, with what was said of it and the rows it is played for."""

    function: Talking
    written: Written
    rows: str | tuple[Mapping[str, Any], ...] | None


class Recipe(msgspec.Struct):
    """All that a suite was given, in order."""

    suite: Written
    conversations: list[WrittenConversation] = msgspec.field(default_factory=list)


class Suite:
    """A suite in Python: ``@suite.conversation`` makes an async function one of its conversations.

    Args:
        name: One line; unique among the suites that run together.
        assistant: An assistant file, relative to this file, or the id of an assistant that exists.
        expect: What must hold for every turn, unless the turn says otherwise; keys as in YAML.
        tools: What functions are answered: stubs as in YAML, or Python functions, by function.
        rubrics: What a judge decides, by name; keys as in YAML.
        repeats: How often each conversation is run.
        deadline_s: Longest a turn may take, in seconds, unless its conversation says otherwise.
        escalation: What tickets of hand-overs must hold and what errors cost; keys as in YAML.
        faults: A file of faults on demand, relative to this file.
        quarantine: Until when its conversations, or those with some tag, decide nothing, and why; keys as in
            YAML.
        description: What it is for; for people.
    """

    def __init__(
        self,
        name: str,
        *,
        assistant: str | Path | None = None,
        expect: Mapping[str, Any] | None = None,
        tools: Mapping[str, Any] | None = None,
        rubrics: Mapping[str, Any] | None = None,
        repeats: int | None = None,
        deadline_s: float | None = None,
        escalation: Mapping[str, Any] | None = None,
        faults: str | Path | None = None,
        quarantine: Mapping[str, Any] | None = None,
        description: str | None = None,
    ) -> None:
        given = {
            "suite": name,
            "description": description,
            "assistant": _text(assistant),
            "repeats": repeats,
            "deadline_s": deadline_s,
            "escalation": escalation,
            "expect": expect,
            "tools": tools,
            "rubrics": rubrics,
            "faults": _text(faults),
            "quarantine": quarantine,
        }
        self.name = name
        self.recipe = Recipe(_written(given))

    def __repr__(self) -> str:
        return f"Suite({self.name!r}, {len(self.recipe.conversations)} conversations)"

    @overload
    def conversation(self, function: Function, /) -> Function: ...

    @overload
    def conversation(
        self,
        /,
        *,
        id: str | None = None,
        tags: Iterable[str] = (),
        cluster: str | None = None,
        as_: str | None = None,
        repeats: int | None = None,
        deadline_s: float | None = None,
        escalation: Mapping[str, Any] | None = None,
        quarantine: Mapping[str, Any] | None = None,
        history: Sequence[Mapping[str, Any]] = (),
        expect: Mapping[str, Any] | None = None,
        rows: str | Path | Iterable[Mapping[str, Any]] | None = None,
        most_turns: int | None = None,
    ) -> Callable[[Function], Function]: ...

    def conversation(
        self,
        function: Talking | None = None,
        /,
        *,
        id: str | None = None,
        tags: Iterable[str] = (),
        cluster: str | None = None,
        as_: str | None = None,
        repeats: int | None = None,
        deadline_s: float | None = None,
        escalation: Mapping[str, Any] | None = None,
        quarantine: Mapping[str, Any] | None = None,
        history: Sequence[Mapping[str, Any]] = (),
        expect: Mapping[str, Any] | None = None,
        rows: str | Path | Iterable[Mapping[str, Any]] | None = None,
        most_turns: int | None = None,
    ) -> Any:
        """Make an async function a conversation; it is called with a ``Talk`` in every trial.

        Args:
            function: With nothing else to say: ``@suite.conversation``.
            id: Unique in the suite; the function's name with dashes when left out.
            tags: For ``--tag``.
            cluster: Conversations that share a topic or a document.
            as_: The user's id; a returning user gets the same thread again.
            repeats: Overrides the suite's.
            deadline_s: Overrides the suite's.
            escalation: Overrides the suite's.
            quarantine: Until when it decides nothing, and why; keys as in YAML.
            history: Messages ``{role, content}`` that are on the thread before the first turn.
            expect: What must hold for the conversation as a whole.
            rows: One conversation for each row: mappings, or a CSV or JSON Lines file. Columns that the
                function has parameters for are given to it by name; a column ``id`` ends the id.
            most_turns: How many turns it may take; 20 when left out. More are a failure.
        """
        given = {
            "id": id,
            "tags": [tags] if isinstance(tags, str) else list(tags) or None,
            "cluster": cluster,
            "as": as_,
            "repeats": repeats,
            "deadline_s": deadline_s,
            "escalation": escalation,
            "quarantine": quarantine,
            "history": list(history) or None,
            "expect": expect,
            "most_turns": most_turns,
        }
        written, table = _written(given), _rows(rows)

        def remember(decorated: Talking) -> Talking:
            self.recipe.conversations.append(WrittenConversation(decorated, written, table))
            return decorated

        return remember if function is None else remember(function)


def _written(given: Mapping[str, Any]) -> Written:
    """What was given, with the place of the call two frames up."""
    frame = sys._getframe(2)
    kept = {key: value for key, value in given.items() if value is not None}
    return Written(kept, frame.f_code.co_filename, frame.f_lineno)


def _text(path: str | Path | None) -> str | None:
    return path.as_posix() if isinstance(path, Path) else path


def _rows(
    rows: str | Path | Iterable[Mapping[str, Any]] | None,
) -> str | tuple[Mapping[str, Any], ...] | None:
    if rows is None or isinstance(rows, str | Path):
        return _text(rows)
    return tuple(rows)
