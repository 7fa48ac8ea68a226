"""Whether answers are supported by what was retrieved, sentence by sentence: the lexical tier.

Each claim of the answer is held against the search results, tool outputs and code logs of this turn and
the turns before; what the users told of themselves counts for sentences that speak to them ("your ...").
The value is the share of claims that are supported (0 to 1); it must reach ``min``.

No value when there is no claim, or when the target tells no text of what it found. Claims without any
search, where the assistant has file_search, are unsupported: value 0.

Evidence: ``sentences``, a list of ``{text, start, end, kind, claim, supported, support, evidence, why}``
with offsets into the turn's answer (``turn`` from 0), ``evidence`` as ``{filename, page, text}``;
``claims``, ``supported_claims``; ``cut_off`` when the text was longer than what is looked at.

What it can't see: a paraphrase without common words looks unsupported, a wrong relation between right
words looks supported; English only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.results import Score
from harness.scorers import facts, lexical, wording
from harness.scorers.claims import MOST_SENTENCES, Sentence, sorted_out
from harness.scorers.evidence import Evidence, Passage
from harness.scorers.interface import Check, Scene
from harness.scorers.support import Support, support_of
from harness.suite.records import GroundedExpectation
from harness.text import sentences
from harness.trace.records import ToolCall, TurnTrace

THRESHOLD: float = lexical.coefficients().threshold
"""Probability of :func:`score_answers` from which an answer counts as unsupported; from training rows."""

_SHOWN = 400  # characters of evidence kept beside a sentence
_TO_THE_USER = re.compile(r"\b(?:you|your|yours)\b", re.IGNORECASE)
_DID = re.compile(
    r"\b(?:i|we) (?:have |had )?(?:just |now |already |successfully |also |gone ahead and |went ahead and )*"
    r"(?:created|opened|submitted|filed|logged|raised|registered|recorded|updated|cancelled|canceled|booked|"
    r"scheduled|sent|escalated|reset|added|removed|changed|placed|reported|forwarded|processed|checked|"
    r"looked|"
    r"searched|calculated|analy[sz]ed|plotted|generated|made|found)\b|"
    r"\b(?:ticket|case|request|order|booking|reference|confirmation)(?: (?:number|id|reference))? (?:is|"
    r"has been|was)\b"
)


class GroundingScorer:
    """The share of an answer's claims that the evidence supports."""

    name = "grounding"
    keys = frozenset({"grounded"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score; see the module for its evidence."""
        least = check.value.min if isinstance(check.value, GroundedExpectation) else GroundedExpectation().min
        first = check.turn or 0
        judged = [
            sentence
            for index in range(first, first + len(scene.turns(check)))
            for sentence in _judged_turn(index, scene)
        ]
        return [_score(check, scene, judged, least)]


@dataclass(frozen=True, slots=True)
class _Judged:
    """One sentence of an answer with its verdict; None for what is no claim."""

    turn: int
    sentence: Sentence
    support: Support | None
    passage: Passage | None
    quote: str


def _judged_turn(index: int, scene: Scene) -> Iterator[_Judged]:
    turns = scene.trace.turns[: index + 1]
    evidence, own = Evidence(_passages(turns)), _own_names(scene)
    told = facts.stems_of_text(" ".join(_told(scene, turns)))
    for sentence in sorted_out(turns[-1].answer, scene.assistant.escalation.phrases):
        if sentence.kind != "claim":
            yield _Judged(index, sentence, None, None, "")
            continue
        known = own | told if _TO_THE_USER.search(sentence.text) else own
        found = support_of(sentence.text, evidence, known)
        if _reports_a_deed(sentence.text, turns, found):
            deed = Sentence(sentence.text, sentence.start, sentence.end, "handover")
            yield _Judged(index, deed, None, None, "")
            continue
        window = found.window
        passage, quote = (evidence.passage(window), evidence.text(window)) if window else (None, "")
        yield _Judged(index, sentence, found, passage, quote[:_SHOWN])


def _reports_a_deed(sentence: str, turns: Sequence[TurnTrace], support: Support) -> bool:
    """Whether it says what the assistant did, a call of this talk shows that, and no fact differs."""
    calls = [call for turn in turns for call in turn.tool_calls if call.error is None and _answered(call)]
    if calls and _tells_of_failure(sentence, calls):
        return True
    if not calls or support.conflicts or not _DID.search(wording.bare(sentence)):
        return False
    shown = facts.stems_of_text(
        " ".join(f"{call.name} {call.arguments} {call.output or ''}" for call in calls)
    )
    given = {number.value for number in facts.numbers(sentence)}
    return all(any(value in made for made in shown) for value in given)


_DID_NOT = re.compile(
    r"^(?:unfortunately |i am sorry |sorry )*(?:but )?(?:that|this|it) (?:did not work|has not worked|"
    r"failed|was not "
    r"possible|could not be done)(?: \| (?P<why>.*))?$"
)


def _tells_of_failure(sentence: str, calls: Sequence[ToolCall]) -> bool:
    """Whether it says that something did not work, gives no reason but the tools' own, and one failed."""
    told = _DID_NOT.match(wording.bare(sentence))
    failed = [call.output or "" for call in calls if "error" in (call.output or "").casefold()]
    known = facts.stems_of_text(" ".join(failed))
    return told is not None and bool(failed) and facts.stems_of_text(told["why"] or "") <= known


def _answered(call: ToolCall) -> bool:
    return call.type != "function" or call.output is not None


def _own_names(scene: Scene) -> set[str]:
    """What the assistant calls itself and its business needs no evidence."""
    assistant = scene.assistant
    return facts.stems_of_text(assistant.name) | facts.names(assistant.instructions[:20_000])


def _told(scene: Scene, turns: Sequence[TurnTrace]) -> Iterator[str]:
    """What users said of themselves: their statements, not their questions."""
    said = [message.text for message in scene.trace.history if message.role == "user"]
    for text in (*said, *(turn.user.text for turn in turns)):
        spans = sentences(wording.capped(text))[:MOST_SENTENCES]
        yield from (span.text for span in spans if not wording.is_question(span.text))


def _passages(turns: Sequence[TurnTrace]) -> Iterator[Passage]:
    """Everything the assistant had before it, the latest turn first."""
    for turn in reversed(turns):
        for call in turn.tool_calls:
            yield from _of_call(call)


def _of_call(call: ToolCall) -> Iterator[Passage]:
    for result in call.results:
        page = result.attributes.get("page")
        if result.text:
            yield Passage(result.text, result.filename, int(page) if isinstance(page, int | float) else None)
    if call.type == "function" and (call.arguments or call.output):
        yield Passage(f"{call.arguments}\n{call.output or ''}", call.name, source="tool")
    for output in call.outputs:
        if output.logs:
            yield Passage(output.logs, call.name, source="code")


def _score(check: Check, scene: Scene, judged: Sequence[_Judged], least: float) -> Score:
    claims = [one for one in judged if one.support]
    supported = [one for one in claims if one.support and one.support.supported]
    why_not = _unmeasurable(check, scene, claims)
    share = None if why_not else len(supported) / len(claims)
    passed = None if share is None else share >= least
    return Score(
        check=check.key,
        scorer=GroundingScorer.name,
        turn=check.turn,
        value=share,
        passed=passed,
        reason=why_not or ("" if passed else _reason(claims, supported, least)),
        evidence={
            "min": least,
            "claims": len(claims),
            "supported_claims": len(supported),
            "cut_off": any(_is_cut_off(turn) for turn in scene.turns(check)),
            "sentences": [_shown(one, measured=share is not None) for one in judged],
        },
    )


def _unmeasurable(check: Check, scene: Scene, claims: Sequence[_Judged]) -> str | None:
    if not claims:
        said = "makes no claim" if scene.answer(check).strip() else "is empty"
        return f"nothing to support: the answer {said}"
    turns = scene.turns_so_far(check)
    if any(True for _ in _passages(turns)):
        return None
    searched = any(call.type == "file_search" for turn in turns for call in turn.tool_calls)
    if searched and any(turn.search_results for turn in turns):
        return "the target does not tell the text of what file_search found"
    if searched or scene.assistant.has_tool("file_search"):
        return None
    return "there is no evidence to compare with: no search result, tool output or code log was captured"


def _reason(claims: Sequence[_Judged], supported: Sequence[_Judged], least: float) -> str:
    worst = min((one for one in claims if one not in supported), key=_share)
    text = " ".join(worst.sentence.text.split())[:160]
    why = worst.support.why if worst.support else ""
    return (
        f"{len(supported)} of {len(claims)} claims are supported, needed {least:.0%}; not: {text!r} ({why})"
    )


def _share(one: _Judged) -> float:
    return one.support.share if one.support else 1.0


def _is_cut_off(turn: TurnTrace) -> bool:
    return len(turn.answer) > wording.LONGEST_TEXT


def _shown(one: _Judged, *, measured: bool) -> dict[str, Any]:
    sentence, support = one.sentence, one.support if measured else None
    shown: dict[str, Any] = {
        "turn": one.turn,
        "text": sentence.text,
        "start": sentence.start,
        "end": sentence.end,
        "kind": sentence.kind,
        "claim": sentence.kind == "claim",
        "supported": support.supported if support else None,
    }
    if support:
        shown |= {"support": support.share, "why": support.why}
        if one.passage:
            passage = one.passage
            shown["evidence"] = {"filename": passage.filename, "page": passage.page, "text": one.quote}
    return shown


def score_answers(questions: Iterable[str], contexts: Iterable[str], answers: Iterable[str]) -> list[float]:
    """For each answer the probability, 0 to 1, that it says something its context does not support.

    An answer without any claim (empty, only questions or courtesies) has 0. The three must be of one
    length. :data:`THRESHOLD` turns a probability into a verdict.
    """
    rows = zip(questions, contexts, answers, strict=True)
    return [lexical.probability(*row) or 0.0 for row in rows]
