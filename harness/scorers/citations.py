"""Citations: whether they are there, resolve to retrieved passages, support what they stand beside.

=====================  ====================================================================================
check                  value
=====================  ====================================================================================
``cites``              whether anything is cited; passes when that is wanted and every citation resolves
``cites.NAME``         whether this document is cited; one for each that the suite names
``cites.claims``       share of the answer's claims that carry a citation
``cites.supported``    share of the cited claims that the passages they cite, taken together, support
=====================  ====================================================================================

A citation resolves when its file is one of the assistant's (or one that the user attached), file_search
returned that file in this talk, and one of the passages it returned of it can be told to be the cited one.
The two shares are for information (``passed`` is None) until the suite gives them a ``min``.

A marker belongs to the sentence it stands in or follows; with ``per: paragraph`` also to the sentences before
it in its paragraph, back to the marker before. Annotations without a marker (Responses) stand at their index.
What a function or a program told the assistant is in no document: such claims need no citation.

Evidence of ``cites``: ``citations``, each with ``marker``, ``filename``, ``sentence``, ``problem`` (or None)
and ``supported`` (whether its passage alone does). Of ``cites.claims``: ``claims``, ``cited``, ``uncited``
(turn and text). Of ``cites.supported``: ``unsupported`` (turn, text, why).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import msgspec

from harness.results import Score
from harness.scorers.claims import Sentence, sorted_out
from harness.scorers.evidence import Evidence, Passage
from harness.scorers.interface import Check, Scene, scored, unscored
from harness.scorers.markers import without_markers
from harness.scorers.support import Support, support_of
from harness.suite.records import CitationExpectation, LeastShare
from harness.text import content_stems, fold, one_line, words
from harness.trace.records import Citation, Message, SearchResult, TurnTrace

_SHOWN = 300
_MOST = 500  # citations that are looked at
_LISTED = 20  # claims that evidence names
_PARAGRAPH_ENDS = re.compile(r"\n[ \t]*\n")


class _Cited(msgspec.Struct, frozen=True):
    """One annotation: the sentence it follows, its document, its passage, what is wrong with it."""

    citation: Citation
    sentence: str
    filename: str | None
    passage: str | None
    problem: str | None

    @property
    def name(self) -> str:
        """What to call the document."""
        return self.filename or self.citation.file_id


class _Claim(msgspec.Struct, frozen=True):
    """One claim of an answer, and the citations that stand for it."""

    turn: int
    text: str
    cited: tuple[_Cited, ...]
    support: Support | None
    """By all its passages together; None without a passage whose text is known."""


class CitationScorer:
    """Citations that resolve, documents that are cited, claims that carry a citation they agree with."""

    name = "citations"
    keys = frozenset({"cites"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """See the module."""
        wanted = _wanted(check.value)
        cited, claims = _read(check, scene, wanted.per if wanted else "sentence")
        if wanted is None:
            return [_as_such(check, cited)]
        return [
            _as_such(check, cited),
            *(_document(check, name, cited) for name in wanted.documents),
            *_claims(check, wanted.claims, claims),
            *_supported(check, wanted.supported, claims),
        ]


def _wanted(value: Any) -> CitationExpectation | None:
    """What the suite asks for as one block; None where nothing may be cited."""
    if isinstance(value, CitationExpectation):
        return value
    if isinstance(value, tuple):
        return CitationExpectation(documents=value)
    return CitationExpectation() if value else None


# --- what is judged ------------------------------------------------------------------------------------


def _as_such(check: Check, cited: Sequence[_Cited]) -> Score:
    wrong = [one for one in cited if one.problem]
    if check.value is False:
        names = ", ".join(sorted({one.name for one in cited}))
        reason = f"the answer should cite nothing, it cites {names}"
        passed = not cited
    else:
        first = f"{_mark(wrong[0].citation)} {wrong[0].problem}" if wrong else ""
        reason = f"{len(wrong)} of {len(cited)} citations are wrong: {first}" if wrong else "nothing is cited"
        passed = bool(cited) and not wrong
    shown = [_shown(one) for one in cited]
    return scored(check, CitationScorer.name, bool(cited), passed, reason, citations=shown)


def _document(check: Check, name: str, cited: Sequence[_Cited]) -> Score:
    right = any(one.filename and _same_document(name, one.filename) for one in cited)
    others = ", ".join(sorted({one.name for one in cited}))
    reason = f"{name} is not cited; cited: {others or 'nothing'}"
    return scored(check, CitationScorer.name, right, right, reason, part=name)


def _claims(check: Check, least: LeastShare | None, claims: Sequence[_Claim]) -> Iterator[Score]:
    """The share of claims that carry a citation; an answer without a claim has one only when asked."""
    if not claims:
        if least is not None:
            why = "nothing to cite: the answer makes no claim"
            yield unscored(check, CitationScorer.name, why, part="claims")
        return
    bare = [claim for claim in claims if not claim.cited]
    share = 1 - len(bare) / len(claims)
    told = f"{len(claims) - len(bare)} of {len(claims)} claims carry a citation"
    first = f"; none: {one_line(bare[0].text, _SHOWN)!r}" if bare else ""
    yield _measured(
        check,
        "claims",
        share,
        least,
        f"{told}{first}",
        claims=len(claims),
        cited=len(claims) - len(bare),
        uncited=[{"turn": claim.turn, "text": one_line(claim.text, _SHOWN)} for claim in bare[:_LISTED]],
    )


def _supported(check: Check, least: LeastShare | None, claims: Sequence[_Claim]) -> Iterator[Score]:
    """The share of cited claims that their passages support."""
    judged = [claim for claim in claims if claim.support is not None]
    if not judged:
        if least is not None:
            any_cited = any(claim.cited for claim in claims)
            why = "the text of no cited passage is known" if any_cited else "no claim carries a citation"
            yield unscored(check, CitationScorer.name, f"nothing to support: {why}", part="supported")
        return
    wrong = [(claim, claim.support) for claim in judged if claim.support and not claim.support.supported]
    told = f"{len(judged) - len(wrong)} of {len(judged)} cited claims are supported by what they cite"
    first = f"; not: {one_line(wrong[0][0].text, _SHOWN)!r} ({wrong[0][1].why})" if wrong else ""
    yield _measured(
        check,
        "supported",
        1 - len(wrong) / len(judged),
        least,
        f"{told}{first}",
        claims=len(judged),
        unsupported=[
            {"turn": claim.turn, "text": one_line(claim.text, _SHOWN), "why": support.why}
            for claim, support in wrong[:_LISTED]
        ],
    )


def _measured(
    check: Check, part: str, share: float, least: LeastShare | None, told: str, **more: Any
) -> Score:
    share = round(share, 4)
    enough = None if least is None else share >= least.min
    reason = f"for information: {told}" if least is None else f"{told}, needed {least.min:.0%}"
    return scored(check, CitationScorer.name, share, enough, reason, part=part, **more)


# --- reading citations ---------------------------------------------------------------------------------


class _Sources(msgspec.Struct, frozen=True):
    """What may be cited: the documents by file id, attached files by name, the passages found so far."""

    documents: dict[str, str]
    attached: frozenset[str]
    found: tuple[SearchResult, ...]
    outputs: Evidence
    """What functions and programs answered so far."""
    told: frozenset[str]
    """The ids and numbers in it."""

    def is_from_a_tool(self, sentence: str) -> bool:
        """Whether a sentence says what a function or a program told: its words, or an id or number of it."""
        if not self.outputs.passages:
            return False
        return bool(_ids(sentence) & self.told) or support_of(sentence, self.outputs).supported

    def problem(self, citation: Citation, filename: str | None, passage: str | None) -> str | None:
        """Why a citation does not resolve."""
        name = filename or repr(citation.file_id)
        known = {*self.documents, *self.documents.values(), *self.attached}
        if citation.file_id not in known and filename not in known:
            return f"points at {name}, which is no document of the assistant"
        if not self.found:
            return None  # the target does not tell what it searched
        of_file = [result for result in self.found if _is_of(result, citation.file_id, filename)]
        if not of_file:
            return f"points at {name}, which file_search did not return"
        if passage is None and any(result.text for result in of_file):
            return f"points at no passage of {name} that file_search returned"
        return None

    def passage(self, citation: Citation, filename: str | None, sentence: str) -> str | None:
        """The text of the cited passage: as it was captured, or the likeliest that an earlier turn found."""
        texts = [r.text for r in self.found if r.text and _is_of(r, citation.file_id, filename)]
        if citation.chunk is not None:
            return citation.chunk if not texts or _stands_in(citation.chunk, texts) else None
        said = _stems(sentence)
        return max(texts, key=lambda text: len(said & _stems(text)), default=None)


def _stands_in(quoted: str, texts: Sequence[str]) -> bool:
    """Whether a cited text is one of these passages, or quotes words of one."""
    if quoted in texts:
        return True
    said = fold(quoted)
    return bool(_stems(quoted)) and any(said in fold(text) for text in texts)


@lru_cache(maxsize=2_048)
def _stems(text: str) -> frozenset[str]:
    return frozenset(content_stems(text))


def _ids(text: str) -> frozenset[str]:
    """Words with a digit in them."""
    return frozenset(span.text for span in words(fold(text)) if any(map(str.isdigit, span.text)))


def _is_of(result: SearchResult, file_id: str, filename: str | None) -> bool:
    return result.file_id == file_id or (filename is not None and result.filename == filename)


def _sources(check: Check, scene: Scene, turn: int) -> _Sources:
    turns = scene.trace.turns[: turn + 1]
    outputs = Evidence(_outputs(turns))
    return _Sources(
        documents=dict(scene.trace.documents),
        attached=frozenset(name for each in turns for name in each.user.attachments),
        found=tuple(result for each in turns for result in each.search_results),
        outputs=outputs,
        told=frozenset().union(*(_ids(passage.text) for passage in outputs.passages)),
    )


def _outputs(turns: Sequence[TurnTrace]) -> Iterator[Passage]:
    for call in (call for turn in turns for call in turn.tool_calls):
        if call.type == "function" and call.output:
            yield Passage(call.output, call.name, source="tool")
        for output in call.outputs:
            if output.logs:
                yield Passage(output.logs, call.name, source="code")


def _read(check: Check, scene: Scene, per: str) -> tuple[list[_Cited], list[_Claim]]:
    """Every citation, and every claim with its own, of the turns of a check."""
    cited: list[_Cited] = []
    claims: list[_Claim] = []
    phrases = scene.assistant.escalation.phrases
    for turn, trace in enumerate(scene.turns(check), start=check.turn or 0):
        sources = _sources(check, scene, turn)
        for message in trace.messages:
            text = without_markers(message.text, tuple(c.marker for c in message.citations if c.marker))
            found = sorted_out(text, phrases)
            owned = _owned(message, text, found, per)
            looked_at = {
                at: _look_at(citation, owners[0].text.strip() if owners else "", sources)
                for at, (citation, owners) in enumerate(owned[: max(0, _MOST - len(cited))])
            }
            cited += looked_at.values()
            for sentence in found:
                own = tuple(one for at, one in looked_at.items() if sentence in owned[at][1])
                if sentence.kind == "claim" and (own or not sources.is_from_a_tool(sentence.text)):
                    claims.append(_claim(turn, sentence, own))
    return cited, claims


def _owned(
    message: Message, text: str, found: Sequence[Sentence], per: str
) -> list[tuple[Citation, list[Sentence]]]:
    """Each citation with the sentences it stands for, the nearest first."""
    owned: list[tuple[Citation, list[Sentence]]] = []
    behind, shared = 0, 0  # where the markers before this one end, and those at the very same place
    for citation in sorted(message.citations, key=lambda citation: citation.start):
        if text[behind : citation.start].strip(" .,;:!?"):
            shared = behind
        behind = max(behind, citation.end)
        before = [sentence for sentence in found if sentence.start <= max(0, citation.start - 1)]
        owners = before[-1:]
        if per == "paragraph":
            start = max(shared, _paragraph_start(text, citation.start))
            owners = [sentence for sentence in reversed(before) if sentence.end > start] or owners
        owned.append((citation, owners))
    return owned


def _paragraph_start(text: str, place: int) -> int:
    ends = [match.end() for match in _PARAGRAPH_ENDS.finditer(text, 0, place)]
    return ends[-1] if ends else 0


def _look_at(citation: Citation, sentence: str, sources: _Sources) -> _Cited:
    filename = citation.filename or sources.documents.get(citation.file_id)
    passage = sources.passage(citation, filename, sentence)
    return _Cited(citation, sentence, filename, passage, sources.problem(citation, filename, passage))


def _claim(turn: int, sentence: Sentence, cited: tuple[_Cited, ...]) -> _Claim:
    passages = tuple(Passage(one.passage, one.filename) for one in cited if one.passage)
    support = _support(sentence.text.strip(), passages) if passages else None
    return _Claim(turn, sentence.text, cited, support)


@lru_cache(maxsize=1_024)
def _support(sentence: str, passages: tuple[Passage, ...]) -> Support:
    """A claim with one citation is judged as a claim and as a citation."""
    return support_of(sentence, Evidence(passages))


# --- showing -------------------------------------------------------------------------------------------


def _same_document(wanted: str, filename: str) -> bool:
    return fold(PurePath(wanted).name) == fold(PurePath(filename).name)


def _mark(citation: Citation) -> str:
    return citation.marker or citation.filename or citation.file_id


def _shown(one: _Cited) -> dict[str, Any]:
    alone = None
    if one.passage and one.sentence:
        alone = _support(one.sentence, (Passage(one.passage, one.filename),)).supported
    return {
        "marker": one.citation.marker,
        "filename": one.filename,
        "sentence": one.sentence[:_SHOWN],
        "problem": one.problem,
        "supported": alone,
    }
