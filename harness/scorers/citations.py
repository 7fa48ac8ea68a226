"""Citations: whether they are there, resolve to retrieved documents, and name the right ones.

``cites`` is one score for the annotations as such (``true`` wants at least one, ``false`` none) and, for a
list of documents, one score each (``cites.NAME``). Every annotation must point at a file of the knowledge
base (or one the user attached) that file_search returned in this talk.

Where citations are expected and their chunks' texts are known, ``cites.supported`` adds the share of cited
sentences that their chunk supports. It is informational: it has a value and a reason, and neither passes
nor fails (``passed`` is None).

Evidence of ``cites``: ``citations``, each with marker, filename, sentence, problem (or None) and supported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from harness.results import Score
from harness.scorers.evidence import Evidence, Passage
from harness.scorers.interface import Check, Scene
from harness.scorers.support import support_of
from harness.scorers.wording import without_markers
from harness.text import Span, fold, sentences
from harness.trace.records import Citation, Message

_SHOWN = 300
_MOST = 500  # citations that are looked at


@dataclass(frozen=True, slots=True)
class _Cited:
    """One annotation: the sentence it follows, its document, what is wrong with it."""

    citation: Citation
    sentence: str
    filename: str | None
    problem: str | None
    supported: bool | None


class CitationScorer:
    """Citations that resolve, and documents that are cited."""

    name = "citations"
    keys = frozenset({"cites"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """See the module: ``cites``, ``cites.NAME`` for each document, ``cites.supported``."""
        cited = list(_cited(check, scene))
        wanted = check.value if isinstance(check.value, tuple) else ()
        scores = [_as_such(check, cited), *(_document(check, name, cited) for name in wanted)]
        if check.value is not False and any(one.supported is not None for one in cited):
            scores.append(_supported(check, cited))
        return scores


def _score(
    check: Check, key: str, value: bool | float, passed: bool | None, reason: str, **more: Any
) -> Score:
    return Score(
        check=key,
        scorer=CitationScorer.name,
        turn=check.turn,
        value=value,
        passed=passed,
        reason="" if passed else reason,
        evidence=more,
    )


def _as_such(check: Check, cited: Sequence[_Cited]) -> Score:
    wrong = [one for one in cited if one.problem]
    if check.value is False:
        names = ", ".join(sorted({str(one.filename or one.citation.file_id) for one in cited}))
        reason = f"the answer should cite nothing, it cites {names}"
        passed = not cited
    else:
        first = f"{_mark(wrong[0].citation)} {wrong[0].problem}" if wrong else ""
        reason = f"{len(wrong)} of {len(cited)} citations are wrong: {first}" if wrong else "nothing is cited"
        passed = bool(cited) and not wrong
    return _score(check, "cites", bool(cited), passed, reason, citations=[_shown(one) for one in cited])


def _document(check: Check, name: str, cited: Sequence[_Cited]) -> Score:
    right = any(one.filename and _same_document(name, one.filename) for one in cited)
    others = ", ".join(sorted({str(one.filename or one.citation.file_id) for one in cited}))
    reason = f"{name} is not cited; cited: {others or 'nothing'}"
    return _score(check, f"cites.{name}", right, right, reason)


def _supported(check: Check, cited: Sequence[_Cited]) -> Score:
    judged = [one for one in cited if one.supported is not None]
    right = sum(bool(one.supported) for one in judged)
    reason = f"for information: {right} of {len(judged)} cited chunks support the sentence they follow"
    return _score(check, "cites.supported", right / len(judged), None, reason)


def _same_document(wanted: str, filename: str) -> bool:
    return fold(PurePath(wanted).name) == fold(PurePath(filename).name)


def _mark(citation: Citation) -> str:
    return citation.marker or citation.filename or citation.file_id


def _cited(check: Check, scene: Scene) -> Iterator[_Cited]:
    known = _known_files(check, scene)
    retrieved = _retrieved(check, scene)
    count = 0
    for turn in scene.turns(check):
        for message in turn.messages:
            spans = sentences(message.text) if message.citations else []
            for citation in message.citations:
                count += 1
                if count <= _MOST:
                    yield _look_at(citation, _sentence_before(citation, message, spans), known, retrieved)


def _look_at(citation: Citation, sentence: str, known: dict[str, str | None], retrieved: set[str]) -> _Cited:
    filename = citation.filename or known.get(citation.file_id)
    problem = None
    if citation.file_id not in known and filename not in known.values():
        problem = f"points at {filename or citation.file_id!r}, which is no document of the assistant"
    elif retrieved and citation.file_id not in retrieved and filename not in retrieved:
        problem = f"points at {filename or citation.file_id!r}, which file_search did not return"
    supported = None
    if citation.chunk and sentence:
        supported = support_of(sentence, Evidence([Passage(citation.chunk, filename)])).supported
    return _Cited(citation, sentence, filename, problem, supported)


def _known_files(check: Check, scene: Scene) -> dict[str, str | None]:
    """The documents by file id; what users attached counts too."""
    known: dict[str, str | None] = dict(scene.trace.documents)
    for turn in scene.turns_so_far(check):
        known.update(dict.fromkeys(turn.user.attachments))
    return known


def _retrieved(check: Check, scene: Scene) -> set[str]:
    """Ids and names of the files that file_search returned so far; empty when the target does not tell."""
    results = [result for turn in scene.turns_so_far(check) for result in turn.search_results]
    return {name for result in results for name in (result.file_id, result.filename) if name}


def _sentence_before(citation: Citation, message: Message, spans: Sequence[Span]) -> str:
    """The sentence a marker follows or stands in."""
    before = [span for span in spans if span.start <= max(0, citation.start - 1)]
    return without_markers(before[-1].text, (citation.marker,)).strip() if before else ""


def _shown(one: _Cited) -> dict[str, Any]:
    return {
        "marker": one.citation.marker,
        "filename": one.filename,
        "sentence": one.sentence[:_SHOWN],
        "problem": one.problem,
        "supported": one.supported,
    }
