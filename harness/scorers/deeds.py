"""Sentences that say what the assistant did, or could not do, and the calls that show it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.scorers import facts, wording
from harness.trace.records import ToolCall, TurnTrace

_DID = re.compile(
    r"\b(?:i|we) (?:have |had )?(?:just |now |already |successfully |also |gone ahead and |went ahead and )*"
    r"(?:created|opened|submitted|filed|logged|raised|registered|recorded|updated|cancelled|canceled|booked|"
    r"scheduled|sent|escalated|reset|added|removed|changed|placed|reported|forwarded|processed|checked|"
    r"looked|"
    r"searched|calculated|analy[sz]ed|plotted|generated|made|found)\b|"
    r"\b(?:ticket|case|request|order|booking|reference|confirmation)(?: (?:number|id|reference))? (?:is|"
    r"has been|was)\b"
)
_DID_NOT = re.compile(
    r"^(?:unfortunately |i am sorry |sorry )*(?:but )?(?:that|this|it) (?:did not work|has not worked|"
    r"failed|was not "
    r"possible|could not be done)(?: \| (?P<why>.*))?$"
)


def reports_a_deed(sentence: str, turns: Sequence[TurnTrace], *, differs: bool) -> bool:
    """Whether it says what the assistant did, a call of this talk shows that, and no fact differs.

    Args:
        sentence: A claim.
        turns: The talk so far.
        differs: Whether a fact of the sentence speaks against the evidence.
    """
    calls = [call for turn in turns for call in turn.tool_calls if call.error is None and _answered(call)]
    if calls and _tells_of_failure(sentence, calls):
        return True
    if not calls or differs or not _DID.search(wording.bare(sentence)):
        return False
    shown = facts.stems_of_text(
        " ".join(f"{call.name} {call.arguments} {call.output or ''}" for call in calls)
    )
    given = {number.value for number in facts.numbers(sentence)}
    return all(any(value in made for made in shown) for value in given)


def _tells_of_failure(sentence: str, calls: Sequence[ToolCall]) -> bool:
    """Whether it says that something did not work, gives no reason but the tools' own, and one failed."""
    told = _DID_NOT.match(wording.bare(sentence))
    failed = [call.output or "" for call in calls if "error" in (call.output or "").casefold()]
    known = facts.stems_of_text(" ".join(failed))
    return told is not None and bool(failed) and facts.stems_of_text(told["why"] or "") <= known


def _answered(call: ToolCall) -> bool:
    return call.type != "function" or call.output is not None
