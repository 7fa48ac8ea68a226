"""A judge's answer read strictly: a label of the rubric, or why there is none. Nothing is ever repaired."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.judge.prompt import FIRST, SAME, allowed
from harness.suite.records import ABSTAINS, Rubric
from harness.text import one_line
from harness.trace.records import Vote

_SHOWN = 120
_LONGEST_REASON = 2_000


class _Said(msgspec.Struct, forbid_unknown_fields=True):
    label: str
    reason: str = ""


def vote_of(completion: dict[str, Any], rubric: Rubric, *, turned: bool) -> Vote:
    """What the completion decides, without what it took."""
    choices = completion.get("choices") or [{}]
    message, ended = choices[0].get("message") or {}, choices[0].get("finish_reason")
    if message.get("refusal"):
        return _none(f"the judge refused: {_short(str(message['refusal']))}", turned)
    if ended == "content_filter":
        return _none("the judge's answer was held back by a content filter", turned)
    if ended == "length":
        return _none("the judge's answer was cut off at its token limit", turned)
    return _read(str(message.get("content") or ""), rubric, turned)


def _read(text: str, rubric: Rubric, turned: bool) -> Vote:
    if not text.strip():
        return _none("the judge said nothing", turned)
    try:
        said = msgspec.json.decode(text, type=_Said)
    except msgspec.DecodeError:
        return _none(f"the judge gave no JSON object with reason and label: {_short(text)}", turned)
    reason = said.reason[:_LONGEST_REASON]
    if said.label == ABSTAINS:
        return Vote(reason=reason or "it can't decide", abstained=True, reversed=turned)
    if said.label not in allowed(rubric):
        labels = ", ".join(allowed(rubric))
        return _none(f"the judge gave the label {_short(said.label)}, which is none of: {labels}", turned)
    return Vote(label=_own(said.label, rubric, turned), reason=reason, reversed=turned)


def _own(label: str, rubric: Rubric, turned: bool) -> str:
    """Of two answers the judge knows the places only; here it becomes what it says of the assistant's."""
    if not rubric.compares:
        return label
    if label == SAME:
        return "same"
    return "better" if (label == FIRST) is not turned else "worse"


def _none(why: str, turned: bool) -> Vote:
    return Vote(reason=why, reversed=turned)


def _short(text: str) -> str:
    return repr(one_line(text, _SHOWN))
