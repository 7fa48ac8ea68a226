"""Whether answers are supported by the documents, sentence by sentence.

Each claim of the answer is held against what the assistant's tools found in this turn and the turns before
(``against: retrieved``), or against the whole of its documents (``against: documents``); what the users
told of themselves counts for sentences that speak to them ("your ..."). Words are compared, and a model of
tokens reads answer and evidence together (:mod:`harness.scorers.verdicts`). The value is the share of
claims that are supported (0 to 1); it must reach ``min``.

Sentences in another language are not measured and counted in ``in_other_languages``. No value when there is
no claim, when no claim is in English, or when the target tells no text of what
it found. Claims without any search, where the assistant has file_search, are unsupported: value 0.

Evidence: ``sentences``, a list of ``{text, start, end, kind, claim, label, supported, support,
unsupported_probability, evidence, why, doubts}`` with offsets into the turn's answer (``turn`` from 0).
``label`` is ``supported``, ``unsupported`` or, against documents, ``not_retrieved`` (the documents say it,
what was retrieved does not); ``doubts`` are the ranges of the answer that the model doubts; ``evidence`` is
``{filename, file_id, page, chunk, start, end, text}``, offsets into the chunk or page. Further ``claims``,
``supported_claims``, ``against``, ``cut_off`` when only the sentences of a
very long answer that are most at risk were judged, and ``model``, which model read along (None: words alone).

Where the assistant admits not to know although the evidence holds the words of the question close together,
``grounded.abstention`` says that this was ``needless``; it informs and neither passes nor fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.results import Score
from harness.scorers import deeds, facts, lexical, material, risk, token_model, wording
from harness.scorers.claims import Sentence, is_cut_off, sorted_out, without_code
from harness.scorers.condensing import condensed, is_long
from harness.scorers.evidence import Evidence, Window, content_words
from harness.scorers.interface import Check, Scene
from harness.scorers.languages import language_of
from harness.scorers.markers import without_controls, without_markers
from harness.scorers.verdicts import Verdict, Verdicts
from harness.suite.records import GroundedExpectation
from harness.text import content_stems, one_line
from harness.trace.records import TurnTrace

THRESHOLD: float = risk.answer_threshold()
"""Probability of :func:`score_answers` from which an answer counts as unsupported; from training rows."""

_LONGEST_TOLD = 60  # characters of a value that an error quotes
_SHOWN = 400  # characters of evidence kept beside a sentence
_TO_THE_USER = re.compile(r"\b(?:you|your|yours)\b", re.IGNORECASE)
_HOLDS = 0.8  # share of a question's words that stand together where its answer is likely to be
_FEWEST_WORDS = 2
_FEWEST_OF_LANGUAGE = 8  # words
_FOREIGN = 0.25  # share of another language's function words; short English texts have less by chance


class GroundingScorer:
    """The share of an answer's claims that the evidence supports."""

    name = "grounding"
    keys = frozenset({"grounded"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score, and one more where the assistant abstains; see the module for their evidence."""
        wanted = check.value if isinstance(check.value, GroundedExpectation) else GroundedExpectation()
        first = check.turn or 0
        bench = _Bench(scene, wanted)
        judged = [
            one for index in range(first, first + len(scene.turns(check))) for one in bench.judged(index)
        ]
        return [_score(check, scene, judged, wanted), *_abstention(check, scene, judged, bench)]


@dataclass(frozen=True, slots=True)
class _Judged:
    """One sentence of an answer; ``verdict`` is None for what is no claim, or is ``foreign``: not English."""

    turn: int
    sentence: Sentence
    verdict: Verdict | None = None
    evidence: Evidence | None = None
    was_retrieved: bool | None = None
    foreign: bool = False

    @property
    def label(self) -> str | None:
        if self.verdict is None:
            return None
        if not self.verdict.supported:
            return "unsupported"
        return "not_retrieved" if self.was_retrieved is False else "supported"


class _Bench:
    """Where the sentences of a talk are judged, turn by turn."""

    def __init__(self, scene: Scene, wanted: GroundedExpectation) -> None:
        self._scene = scene
        self._own = material.own_names(scene)
        self._documents = Evidence(material.documents_of(scene)) if wanted.against == "documents" else None

    def judged(self, index: int) -> list[_Judged]:
        """The sentences of a turn's answer; of a very long one those that are most at risk."""
        answer = self._scene.trace.turns[index].answer
        if not is_cut_off(answer):
            return self._judged(index, answer)
        question = self._scene.trace.turns[index].user.text
        known = {*content_stems(question), *content_stems(self.evidence(index).whole())}
        whole = without_code(without_markers(answer))
        return [_in_place(one, whole) for one in self._judged(index, condensed(answer, known))]

    def _judged(self, index: int, answer: str) -> list[_Judged]:
        turns = self._scene.trace.turns[: index + 1]
        found = sorted_out(answer, self._scene.assistant.escalation.phrases)
        foreign = _foreign(answer, found)
        if not any(one.kind == "claim" and one not in foreign for one in found):
            return [_Judged(index, one, foreign=one in foreign) for one in found]
        told = " ".join(material.told(self._scene, turns))
        retrieved, documents = self._verdicts(turns, told, answer)
        user = facts.stems_of_text(told)
        return [
            _Judged(index, sentence, foreign=True)
            if sentence in foreign
            else self._on(index, sentence, turns, user, retrieved, documents)
            for sentence in found
        ]

    def evidence(self, index: int) -> Evidence:
        """What the answer of a turn may rest on."""
        turns = self._scene.trace.turns[: index + 1]
        return Evidence(material.found_in(turns)) if self._documents is None else self._documents

    def _verdicts(
        self, turns: Sequence[TurnTrace], told: str, answer: str
    ) -> tuple[tuple[Verdicts, Evidence], tuple[Verdicts, Evidence] | None]:
        question = turns[-1].user.text
        model, retrieved = token_model.default(), Evidence(material.found_in(turns))
        made = Verdicts(question, retrieved, told, answer, model), retrieved
        if self._documents is None:
            return made, None
        return made, (Verdicts(question, self._documents, told, answer, model), self._documents)

    def _on(
        self,
        index: int,
        sentence: Sentence,
        turns: Sequence[TurnTrace],
        user: set[str],
        retrieved: tuple[Verdicts, Evidence],
        documents: tuple[Verdicts, Evidence] | None,
    ) -> _Judged:
        if sentence.kind != "claim":
            return _Judged(index, sentence)
        known = self._own | user if _TO_THE_USER.search(sentence.text) else self._own
        verdict = retrieved[0].on(sentence, known)
        if deeds.reports_a_deed(sentence.text, turns, differs=bool(verdict.support.conflicts)):
            return _Judged(index, replace(sentence, kind="handover"))
        if documents is None:
            return _Judged(index, sentence, verdict, retrieved[1])
        by_documents = documents[0].on(sentence, known)
        return _Judged(index, sentence, by_documents, documents[1], verdict.supported)


def _in_place(one: _Judged, whole: str) -> _Judged:
    """A sentence of a condensed answer, with the places where the whole answer first says it."""
    moved = max(0, whole.find(one.sentence.text)) - one.sentence.start
    sentence = replace(one.sentence, start=one.sentence.start + moved, end=one.sentence.end + moved)
    if one.verdict is None:
        return replace(one, sentence=sentence)
    doubts = tuple((start + moved, end + moved) for start, end in one.verdict.doubts)
    return replace(one, sentence=sentence, verdict=replace(one.verdict, doubts=doubts))


# --- the score -----------------------------------------------------------------------------------------


def _score(check: Check, scene: Scene, judged: Sequence[_Judged], wanted: GroundedExpectation) -> Score:
    claims = [one for one in judged if one.verdict]
    supported = [one for one in claims if one.verdict and one.verdict.supported]
    why_not = _no_claim(check, scene, judged) or _unmeasurable(check, scene, wanted)
    share = None if why_not else len(supported) / len(claims)
    passed = None if share is None else share >= wanted.min
    return Score(
        check=check.key,
        scorer=GroundingScorer.name,
        turn=check.turn,
        value=share,
        passed=passed,
        reason=why_not or ("" if passed else _reason(claims, supported, wanted.min)),
        evidence={
            "min": wanted.min,
            "against": wanted.against,
            "claims": len(claims),
            "supported_claims": len(supported),
            "cut_off": any(is_cut_off(turn.answer) for turn in scene.turns(check)),
            "model": _model_name(judged),
            **_in_other_languages(judged),
            "sentences": [_shown(one, measured=share is not None) for one in judged],
        },
    )


def _model_name(judged: Sequence[_Judged]) -> str | None:
    """Which model read along; where there was nothing to read it need not be loaded."""
    if not any(one.verdict for one in judged):
        return token_model.named()
    model = token_model.default()
    return model.name if model else None


def _in_other_languages(judged: Sequence[_Judged]) -> dict[str, int]:
    """How many claims were not measured; nothing where all were."""
    count = sum(one.foreign and one.sentence.kind == "claim" for one in judged)
    return {"in_other_languages": count} if count else {}


def _no_claim(check: Check, scene: Scene, judged: Sequence[_Judged]) -> str | None:
    if any(one.verdict for one in judged):
        return None
    if _in_other_languages(judged):
        return "not measured: the answer is in another language, and only English is read"
    said = "makes no claim" if scene.answer(check).strip() else "is empty"
    return f"nothing to support: the answer {said}"


def _unmeasurable(check: Check, scene: Scene, wanted: GroundedExpectation) -> str | None:
    turns = scene.turns_so_far(check)
    if wanted.against == "documents" or any(True for _ in material.found_in(turns)):
        return None
    searched = any(call.type == "file_search" for turn in turns for call in turn.tool_calls)
    if searched and any(turn.search_results for turn in turns):
        return "the target does not tell the text of what file_search found"
    if searched or scene.assistant.has_tool("file_search"):
        return None
    return "there is no evidence to compare with: no search result, tool output or code log was captured"


def _foreign(answer: str, found: Sequence[Sentence]) -> frozenset[Sentence]:
    """The sentences in another language; one too short to tell is in that of the sentence before it."""
    foreign, is_foreign = set(), _is_foreign(answer)
    for sentence in found:
        if _is_foreign(sentence.text):
            is_foreign = True
        elif _is_english(sentence.text):
            is_foreign = False
        if is_foreign:
            foreign.add(sentence)
    return frozenset(foreign)


def _is_english(text: str) -> bool:
    """Whether a sentence is surely in English."""
    language = language_of(text)
    return (
        language.code == "en"
        and len(text.split()) >= _FEWEST_OF_LANGUAGE
        and language.shares["en"] >= _FOREIGN
    )


def _is_foreign(answer: str) -> bool:
    """Whether a text is surely not in English; of short ones only the script tells."""
    letters = [character for character in answer if character.isalpha()]
    if sum(character.isascii() for character in letters) < len(letters) / 2:
        return True
    language = language_of(answer)
    if language.code in (None, "en") or len(answer.split()) < _FEWEST_OF_LANGUAGE:
        return False
    return language.shares[language.code] >= _FOREIGN


def _reason(claims: Sequence[_Judged], supported: Sequence[_Judged], least: float) -> str:
    worst = max((one for one in claims if one not in supported), key=_badness)
    text = " ".join(worst.sentence.text.split())[:160]
    why = worst.verdict.why if worst.verdict else ""
    return (
        f"{len(supported)} of {len(claims)} claims are supported, needed {least:.0%}; not: {text!r} ({why})"
    )


def _badness(one: _Judged) -> tuple[bool, float]:
    """Claims that plainly differ first, then those with least support."""
    support = one.verdict.support if one.verdict else None
    return (bool(support and support.conflicts), -support.share if support else 0.0)


def _shown(one: _Judged, *, measured: bool) -> dict[str, Any]:
    sentence, verdict = one.sentence, one.verdict if measured else None
    shown: dict[str, Any] = {
        "turn": one.turn,
        "text": sentence.text,
        "start": sentence.start,
        "end": sentence.end,
        "kind": sentence.kind,
        "claim": sentence.kind == "claim",
        "label": one.label if measured else None,
        "supported": verdict.supported if verdict else None,
    }
    if one.foreign and sentence.kind == "claim":
        shown["why"] = "in another language, and only English is read"
    if verdict:
        shown |= {
            "support": verdict.support.share,
            "unsupported_probability": verdict.unsupported_probability,
            "why": verdict.why,
            "doubts": [list(place) for place in verdict.doubts],
        }
        if one.evidence and verdict.support.window:
            shown["evidence"] = _place(one.evidence, verdict.support.window)
    return shown


def _place(evidence: Evidence, window: Window) -> dict[str, Any]:
    passage, (start, end) = evidence.passage(window), evidence.place(window)
    return {
        "filename": passage.filename,
        "file_id": passage.file_id,
        "page": passage.page,
        "chunk": passage.chunk,
        "start": start,
        "end": end,
        "text": evidence.text(window)[:_SHOWN],
    }


# --- abstentions ---------------------------------------------------------------------------------------


def _abstention(check: Check, scene: Scene, judged: Sequence[_Judged], bench: _Bench) -> Sequence[Score]:
    turns = sorted({one.turn for one in judged if one.sentence.kind == "abstention"})
    held = [{"turn": turn, **place} for turn in turns if (place := _answered_by(scene, turn, bench))]
    if not held:
        return []
    return [
        Score(
            check=f"{check.key}.abstention",
            scorer=GroundingScorer.name,
            turn=check.turn,
            value="needless",
            passed=None,
            reason=f"the evidence holds the words of the question: {held[0]['text'][:160]!r}",
            evidence={"found": held},
        )
    ]


def _answered_by(scene: Scene, turn: int, bench: _Bench) -> dict[str, Any] | None:
    """Where the evidence holds nearly all words of a turn's question together."""
    evidence = bench.evidence(turn)
    asked = content_words(wording.capped(scene.trace.turns[turn].user.text))
    windows = evidence.best(asked, most=1) if len(asked) >= _FEWEST_WORDS else []
    return _place(evidence, windows[0]) if windows and windows[0].coverage >= _HOLDS else None


# --- labelled rows -------------------------------------------------------------------------------------


def score_answers(questions: Iterable[str], contexts: Iterable[str], answers: Iterable[str]) -> list[float]:
    """For each answer the probability, 0 to 1, that it says something its context does not support.

    An answer without any claim (empty, only questions or courtesies) has 0, one without any context 1.
    :data:`THRESHOLD` turns a probability into a verdict. Of an answer of more than 20,000 characters or 500
    sentences every sentence is weighed by its words, and those most at risk, so many, are judged
    (:mod:`harness.scorers.condensing`).

    Raises:
        TypeError: One of the three is a single text, or something in it is no text.
        ValueError: They are not of one length.
    """
    given = {"questions": questions, "contexts": contexts, "answers": answers}
    columns = [_texts(name, texts) for name, texts in given.items()]
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        found = ", ".join(f"{length} {name}" for name, length in zip(given, lengths, strict=True))
        raise ValueError(f"{found}: there must be as many of each; give '' where there is no question")
    return [_unsupported(*row) for row in zip(*columns, strict=True)]


def _texts(name: str, texts: object) -> list[str]:
    """One argument as a list of texts."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"{name} must be a list of texts, one for each answer, not {_told(texts)}")
    column = list(texts)
    for index, text in enumerate(column):
        if not isinstance(text, str):
            raise TypeError(f"{name}[{index}] is {_told(text)}; it must be a text, '' where there is none")
    return column


def _told(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__} {one_line(repr(value), _LONGEST_TOLD)}"


def unsupported_spans(question: str, context: str, answer: str) -> list[tuple[int, int]]:
    """The ranges of characters of an answer that its context does not seem to support, in order.

    Without the model these are the whole sentences that the comparison of words finds unsupported. They lie
    in the first 60,000 characters: what follows is not looked at here.
    """
    model, context = token_model.default(), without_controls(context)
    if model and content_words(context):
        return risk.doubted(model.risks(question, context, without_markers(answer)))
    compared = lexical.compare(question, context, answer)
    judged = zip(compared.claims, compared.supports, strict=True) if compared else ()
    return [(claim.start, claim.end) for claim, support in judged if not support.supported]


def _unsupported(question: str, context: str, answer: str) -> float:
    context = without_controls(context)
    if is_long(answer):
        answer = condensed(answer, {*content_stems(question), *content_stems(context)})
    compared = lexical.compare(question, context, answer)
    if compared is None:
        return 0.0
    model = token_model.default()
    if not content_words(context):
        return 1.0
    if model is None:
        return _by_words(compared.probability)
    return risk.of_answer(compared, model.risks(question, context, without_markers(answer)))


def _by_words(probability: float) -> float:
    """The comparison of words alone, moved so that the one threshold cuts where its own would."""
    own = lexical.coefficients().threshold
    return risk.moved(probability, risk.logit(THRESHOLD) - risk.logit(own))
