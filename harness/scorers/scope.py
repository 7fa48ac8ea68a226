"""Staying in scope: off-topic requests turned away politely, and honest "I don't have that".

``redirects: true`` wants a sentence that turns the request away (or only names what the assistant does
help with), no claim beyond it and no citation. ``abstains: true`` wants a sentence that says the
information is not there. ``false`` wants no such sentence. For a whole conversation, true asks for it in
at least one turn, false in none.

Where a message is to be turned away and is, ``redirects.polite`` says whether it is done politely: with
nothing harsh (blame, dismissal, shouting), and with a word of courtesy (sorry, unfortunately, thanks, please,
glad to help) or a way on (what it can help with, a question, an offer).

Evidence: ``sentences`` (those that turn away or abstain, with their turn), ``claims`` (what the answer
says besides; for ``redirects`` only). Of ``redirects.polite``: ``courtesy``, ``way_on``, ``harsh``.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harness.results import Score
from harness.scorers.claims import Sentence, sorted_out
from harness.scorers.interface import Check, Scene, scored
from harness.scorers.manners import manners_of
from harness.scorers.wording import leads_back
from harness.text import one_line
from harness.trace.records import TurnTrace

_SHOWN = 160


class _Found(msgspec.Struct, frozen=True):
    """What one turn's answer does: the telling sentence, or why it is not what was asked for."""

    sentence: str | None
    why: str
    claims: tuple[str, ...] = ()


class ScopeScorer:
    """Off-topic requests turned away, missing information admitted."""

    name = "scope"
    keys = frozenset({"redirects", "abstains"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """Whether the assistant redirected or abstained; and, where it should and did turn away, how."""
        look = _redirects if check.key == "redirects" else _abstains
        phrases = scene.assistant.escalation.phrases
        found = [look(turn, phrases) for turn in scene.turns(check)]
        observed = any(one.sentence for one in found)
        passed = observed is check.value
        polite = [_polite(check, scene, found)] if check.key == "redirects" and observed and passed else []
        why = "" if passed else _reason(check, found)
        sentences = [one.sentence for one in found if one.sentence]
        claims = [claim for one in found for claim in one.claims][:10]
        own = scored(check, self.name, observed, passed, why, sentences=sentences, claims=claims)
        return [own, *polite]


def _polite(check: Check, scene: Scene, found: Sequence[_Found]) -> Score:
    """How the turns that turn a message away do it; the least polite of them counts."""
    away = [turn for turn, one in zip(scene.turns(check), found, strict=True) if one.sentence]
    worst = min((manners_of(turn.answer) for turn in away), key=lambda one: one.polite)
    why = f"harsh: {worst.harsh!r}" if worst.harsh else "neither a word of courtesy nor a way on"
    return scored(
        check,
        ScopeScorer.name,
        worst.polite,
        worst.polite,
        f"the answer turns the message away, but not politely: {why}",
        part="polite",
        courtesy=worst.courtesy,
        way_on=worst.way_on,
        harsh=worst.harsh,
    )


def _reason(check: Check, found: Sequence[_Found]) -> str:
    if not check.value:
        said = next(one.sentence for one in found if one.sentence)
        verb = "turns the message away" if check.key == "redirects" else "says it has no such information"
        return f"the answer {verb}: {said!r}"
    return found[-1].why


def redirects(text: str, phrases: Sequence[str] = ()) -> bool:
    """Whether an answer turns a request away and says nothing else of substance."""
    return _redirection(sorted_out(text, phrases)).sentence is not None


def _redirects(turn: TurnTrace, phrases: Sequence[str]) -> _Found:
    if turn.citations:
        names = ", ".join(sorted({citation.filename or citation.file_id for citation in turn.citations}))
        return _Found(None, f"the answer cites documents ({names}), so it answers instead of turning away")
    return _redirection(sorted_out(turn.answer, phrases))


def _redirection(found: Sequence[Sentence]) -> _Found:
    claims = tuple(one_line(one.text, _SHOWN) for one in found if one.kind == "claim")
    away = next((one for one in found if one.kind == "redirection"), None)
    if away is None and not claims:
        away = next((one for one in found if leads_back(one.text)), None)
    if away is None:
        said = f"; it says {claims[0]!r}" if claims else ""
        return _Found(None, f"no sentence turns the message away{said}", claims)
    if claims:
        return _Found(None, f"the answer turns the message away but also says {claims[0]!r}", claims)
    return _Found(one_line(away.text, _SHOWN), "")


def _abstains(turn: TurnTrace, phrases: Sequence[str]) -> _Found:
    found = sorted_out(turn.answer, phrases)
    said = next((one for one in found if one.kind == "abstention"), None)
    if said:
        return _Found(one_line(said.text, _SHOWN), "")
    first = next((one for one in found if one.kind == "claim"), None)
    detail = f"; it says {one_line(first.text, _SHOWN)!r}" if first else ""
    return _Found(None, f"no sentence says that the information is missing{detail}")
