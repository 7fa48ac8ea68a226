"""The text of an answer: what it mentions, omits, matches, equals, resembles; JSON; language; length.

One score for each part that the suite gives (``answer.mentions`` ...). Comparisons fold case, spacing and
typographic quotes, and citation markers are taken out first; ``matches`` and ``equals`` see the answer as
written, without the markers. For a conversation the answers of all its turns are one text.

Evidence: ``missing`` or ``found`` (the texts in question), ``nearest`` (the passage of the answer most like
the first missing text, with its likeness from 0 to 100), ``looked_at`` (characters, when the answer is
longer than what is looked at), ``passage`` (of ``similar`` by meaning: what came nearest to ``to``),
``shares`` (of ``language``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from harness.results import Score
from harness.scorers.interface import Check, Scene, scored
from harness.scorers.markers import without_markers
from harness.suite.fitting import schema_mismatch
from harness.suite.records import AnswerExpectation, Limit, SimilarExpectation
from harness.text import fold, sentences, words

SIMILAR = 0.8
"""Likeness in wording from which two texts are similar, unless the suite has its own."""
SIMILAR_MEANING = 0.6
"""Cosine of two texts' vectors from which they mean much the same, unless the suite has its own."""
_SEARCHED = 200_000  # characters that regular expressions and likeness look at
_WIDEST = 3  # sentences in a passage that is compared by meaning
_MOST_PASSAGES = 300
_NEAR_IN = 20_000  # characters in which the nearest passage is looked for, in wording or meaning
_SHOWN = 120
_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(?P<body>.*?)\n?```\s*\Z", re.DOTALL)


class AnswerScorer:
    """What the text of the answer must be like."""

    name = "answers"
    keys = frozenset({"answer"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score for each part of the expectation."""
        expected: AnswerExpectation = check.value
        text = _text(check, scene)
        scores = []
        for part, judge in _JUDGES.items():
            wanted = getattr(expected, part)
            if wanted is not None and wanted != ():
                value, passed, reason, evidence = judge(wanted, text)
                told = _with_status(reason, check, scene)
                scores.append(scored(check, self.name, value, passed, told, part=part, **evidence))
        return scores


_Judgement = tuple[bool | float | str | None, bool | None, str, dict[str, Any]]


def _text(check: Check, scene: Scene) -> str:
    """The answer without citation markers, nor the blanks before them."""
    messages = [message for turn in scene.turns(check) for message in turn.messages]
    parts = []
    for message in messages:
        markers = tuple(citation.marker for citation in message.citations if citation.marker)
        blanked = without_markers(message.text, markers)
        parts.append(blanked if blanked == message.text else re.sub(r"[ \t]+(?=[.,;:!?\n]|$)", "", blanked))
    return "\n\n".join(parts)


def _with_status(reason: str, check: Check, scene: Scene) -> str:
    """An empty answer is better explained by how its run ended."""
    turns = scene.turns(check)
    if any(turn.answer.strip() for turn in turns):
        return reason
    last = turns[-1]
    detail = f": {last.error}" if last.error else ""
    return f"{reason}; the answer is empty, the run ended {last.status!r}{detail}"


# --- what it says --------------------------------------------------------------------------------------


def _mentions(wanted: Sequence[str], text: str) -> _Judgement:
    missing = [one for one in wanted if not says(one, text)]
    share = (len(wanted) - len(missing)) / len(wanted)
    if not missing:
        return share, True, "", {"missing": []}
    near, evidence = _nearest(missing[0], text)
    return (
        share,
        False,
        f"the answer does not mention {_listed(missing)}{near}",
        {"missing": missing, **evidence},
    )


def _mentions_any(wanted: Sequence[str], text: str) -> _Judgement:
    found = [one for one in wanted if says(one, text)]
    if found:
        return True, True, "", {"found": found}
    near, evidence = _nearest(wanted[0], text)
    return False, False, f"the answer mentions none of {_listed(wanted)}{near}", {"found": [], **evidence}


def _omits(unwanted: Sequence[str], text: str) -> _Judgement:
    found = [one for one in unwanted if says(one, text)]
    if not found:
        return True, True, "", {"found": []}
    near, evidence = _nearest(found[0], text)
    return False, False, f"the answer mentions {_listed(found)}{near}", {"found": found, **evidence}


def says(wanted: str, text: str) -> bool:
    """Whether a text says this: not inside a longer word or number ("5" is not in "50")."""
    return _pattern(fold(wanted)).search(fold(text)) is not None


def _pattern(wanted: str) -> re.Pattern[str]:
    before = r"(?<!\d)(?<!\d[.,])" if wanted[:1].isdigit() else r"(?<!\w)" if wanted[:1].isalpha() else ""
    after = r"(?!\d)(?![.,]\d)" if wanted[-1:].isdigit() else r""
    return re.compile(before + re.escape(wanted) + after)


def _matches(pattern: str, text: str) -> _Judgement:
    found = re.search(pattern, text[:_SEARCHED])
    evidence = {**_looked_at(text), **({"found": [found.group()[:_SHOWN]]} if found else {})}
    cut = f" in its first {_SEARCHED} characters" if len(text) > _SEARCHED else ""
    reason = f"nothing in the answer matches {pattern!r}{cut}; it begins {_begins(text)}"
    return bool(found), bool(found), reason, evidence


def _equals(wanted: str, text: str) -> _Judgement:
    same = wanted.strip() == text.strip()
    at = next((i for i, (a, b) in enumerate(zip(wanted.strip(), text.strip(), strict=False)) if a != b), None)
    place = min(len(wanted.strip()), len(text.strip())) if at is None else at
    there = text.strip()[max(0, place - 20) : place + 60]
    return same, same, f"the answer differs from the expected text at character {place}: {there!r}", {}


def _similar(wanted: str | SimilarExpectation, text: str) -> _Judgement:
    if isinstance(wanted, str):
        return _like_in_wording((wanted,), SIMILAR, text)
    texts = (wanted.to,) if isinstance(wanted.to, str) else wanted.to
    if wanted.by == "wording":
        return _like_in_wording(texts, SIMILAR if wanted.min is None else wanted.min, text)
    return _like_in_meaning(texts, SIMILAR_MEANING if wanted.min is None else wanted.min, text)


def _like_in_wording(wanted: Sequence[str], least: float, text: str) -> _Judgement:
    from rapidfuzz import fuzz

    folded = fold(text[:_SEARCHED])
    ratio = max(fuzz.token_set_ratio(fold(one), folded) for one in wanted) / 100
    reason = f"likeness {ratio:.2f}, needed {least}; the answer begins {_begins(text)}"
    return round(ratio, 4), ratio >= least, reason, _looked_at(text)


def _like_in_meaning(wanted: Sequence[str], least: float, text: str) -> _Judgement:
    """The largest cosine between a wanted text and the answer, or one to three sentences of it."""
    from harness.embedding import encoder

    model = encoder.default()
    if model is None:
        return None, None, f"meaning can't be compared: {encoder.described()}", {}
    passages = _passages(text[:_NEAR_IN])
    rows = model.embed([*wanted, *passages])
    likeness = rows[: len(wanted)] @ rows[len(wanted) :].T
    at = int(likeness.max(axis=0).argmax())
    value = round(min(1.0, max(0.0, float(likeness[:, at].max()))), 4)
    near = " ".join(passages[at].split())[: 2 * _SHOWN]
    reason = f"likeness in meaning {value:.2f}, needed {least}; nearest: {near!r}"
    return value, value >= least, reason, {"passage": near, "model": model.name}


def _passages(text: str) -> list[str]:
    """The text as a whole, and every run of one to three of its sentences."""
    spans = sentences(text)
    runs = [
        text[spans[first].start : spans[first + count].end]
        for first in range(len(spans))
        for count in range(min(_WIDEST, len(spans) - first))
    ]
    return [text, *runs[:_MOST_PASSAGES]]


def _json_schema(schema: dict[str, Any], text: str) -> _Judgement:
    fenced = _FENCED.match(text[:_SEARCHED])
    try:
        value = json.loads(fenced["body"] if fenced else text)
    except (ValueError, RecursionError) as error:
        return False, False, f"the answer is not JSON: {error}; it begins {_begins(text)}", {}
    problem = schema_mismatch(value, schema)
    return problem is None, problem is None, f"the answer does not fit the JSON Schema: {problem}", {}


def _language(wanted: str | Sequence[str], text: str) -> _Judgement:
    from harness.scorers.languages import language_of

    codes = [wanted] if isinstance(wanted, str) else list(wanted)
    found = language_of(text)
    if found.code is None:
        return None, None, f"the language can't be told: {found.why}", {"shares": found.shares}
    reason = (
        f"the answer is in {found.code!r}, wanted: {' or '.join(map(repr, codes))}; it begins {_begins(text)}"
    )
    return found.code, found.code in codes, reason, {"shares": found.shares}


def _counted(noun: str, count: Callable[[str], int]) -> Callable[[Limit, str], _Judgement]:
    def judge(limit: Limit, text: str) -> _Judgement:
        number, reason = count(text), ""
        if limit.max is not None and number > limit.max:
            reason = f"the answer has {number} {noun}, allowed are {limit.max:g}"
        elif limit.min is not None and number < limit.min:
            reason = f"the answer has {number} {noun}, needed are {limit.min:g}"
        return float(number), not reason, reason, {}

    return judge


_JUDGES: dict[str, Callable[[Any, str], _Judgement]] = {
    "mentions": _mentions,
    "mentions_any": _mentions_any,
    "omits": _omits,
    "matches": _matches,
    "equals": _equals,
    "similar": _similar,
    "json_schema": _json_schema,
    "language": _language,
    "words": _counted("words", lambda text: sum(1 for _ in words(text))),
    "characters": _counted("characters", lambda text: len(text.strip())),
    "sentences": _counted("sentences", lambda text: len(sentences(text))),
}


# --- showing -------------------------------------------------------------------------------------------


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(repr(text) for text in texts)


def _begins(text: str) -> str:
    start = " ".join(text[: 2 * _SHOWN].split())
    return repr(start if len(start) <= _SHOWN else f"{start[: _SHOWN - 1]}…")


def _looked_at(text: str) -> dict[str, Any]:
    return {"looked_at": _SEARCHED} if len(text) > _SEARCHED else {}


def _nearest(wanted: str, text: str) -> tuple[str, dict[str, Any]]:
    """The passage of the answer most like a text, in words and as evidence."""
    from rapidfuzz import fuzz

    folded = fold(text[:_NEAR_IN])
    found = fuzz.partial_ratio_alignment(fold(wanted), folded, score_cutoff=40) if folded else None
    if not found:
        return "", {}
    start, end = max(0, found.dest_start - 30), found.dest_end + 30
    passage = folded[start:end].strip()[:_SHOWN]
    return f"; nearest: {passage!r}", {"nearest": {"text": passage, "likeness": round(found.score)}}
