"""What a judge is shown: the talk, the answer, and what a rubric wants shown beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from harness.suite.records import JudgeExpectation, Rubric
from harness.trace.records import Trace, TurnTrace

Clean = Callable[[str], str]
"""Takes secrets out of a text."""

_MOST_PASSAGES = 40
_MOST_CHARACTERS = 200_000
_UNKNOWN = ("timed_out", "unknown")


class Material(msgspec.Struct, frozen=True):
    """What is judged, as plain texts.

    Attributes:
        talk: What was said before, oldest first, with who said it; for a whole conversation all of it.
        answer: The answer that is judged; None for a whole conversation.
        shown: What the rubric wants shown beside: passages, calls, instructions.
        against: The answer to compare it with.
        reference: What a right answer says.
    """

    talk: tuple[tuple[str, str], ...]
    answer: str | None
    shown: tuple[tuple[str, Any], ...] = ()
    against: str | None = None
    reference: str | None = None

    @property
    def is_too_long(self) -> bool:
        """Whether no model could be shown all of it; nothing is ever cut off in silence."""
        texts = [text for _, text in self.talk] + [self.answer or "", self.against or "", repr(self.shown)]
        return sum(map(len, texts)) > _MOST_CHARACTERS


def not_judgeable(trace: Trace, turn: int | None) -> str | None:
    """Why there is nothing to judge; None when there is."""
    turns = _turns(trace, turn)
    if not turns:
        return "there is no such turn in the trace"
    for each in turns:
        if each.status in _UNKNOWN:
            return f"the outcome of a turn is not known, it ended {each.status!r}"
    if not any(each.answer.strip() for each in turns):
        return "the answer is empty: there is nothing to judge"
    return None


def material_of(
    trace: Trace, turn: int | None, wanted: JudgeExpectation, rubric: Rubric, instructions: str, clean: Clean
) -> Material:
    """What a judge is shown of a trace, without secrets."""
    before = trace.turns if turn is None else trace.turns[:turn]
    said = [(message.role, message.text) for message in trace.history]
    said += [pair for each in before for pair in (("user", each.user.text), ("assistant", each.answer))]
    answer = None
    if turn is not None:
        said.append(("user", trace.turns[turn].user.text))
        answer = clean(trace.turns[turn].answer)
    return Material(
        talk=tuple((who, clean(text)) for who, text in said),
        answer=answer,
        shown=tuple(_shown(rubric, _turns(trace, turn), instructions, clean)),
        against=wanted.against,
        reference=wanted.reference,
    )


def _turns(trace: Trace, turn: int | None) -> Sequence[TurnTrace]:
    return trace.turns if turn is None else trace.turns[turn : turn + 1]


def _shown(
    rubric: Rubric, turns: Sequence[TurnTrace], instructions: str, clean: Clean
) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name in dict.fromkeys(rubric.shows):
        if name == "instructions":
            found.append((name, clean(instructions)))
        elif name == "passages":
            found.append((name, _passages(turns, clean)))
        else:
            found.append((name, _calls(turns, clean)))
    return found


def _passages(turns: Sequence[TurnTrace], clean: Clean) -> list[dict[str, str]]:
    """What file_search found, each passage once; the most relevant come first in each search."""
    found = [result for turn in turns for result in turn.search_results if result.text]
    texts = dict.fromkeys((result.filename, clean(result.text or "")) for result in found)
    return [{"document": name, "text": text} for name, text in list(texts)[:_MOST_PASSAGES]]


def _calls(turns: Sequence[TurnTrace], clean: Clean) -> list[dict[str, str]]:
    calls = [call for turn in turns for call in turn.tool_calls if call.type == "function"]
    return [
        {
            "function": call.name,
            "arguments": clean(call.arguments),
            "output": clean(call.output or call.error or ""),
        }
        for call in calls
    ]
