"""The text of an answer: what it mentions, omits, matches, equals, resembles; JSON; length.

One score for each part that the suite gives (``answer.mentions`` ...). Comparisons fold case, spacing and
typographic quotes, and citation markers are taken out first; ``matches`` and ``equals`` see the answer as
written, without the markers. For a conversation the answers of all its turns are one text.

Evidence: ``missing`` or ``found`` (the texts in question), ``nearest`` (the passage of the answer most like
the first missing text, with its likeness from 0 to 100), ``looked_at`` (characters, when the answer is
longer than what is looked at).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from harness.results import Score
from harness.scorers.interface import Check, Scene
from harness.scorers.tools import schema_problem
from harness.scorers.wording import without_markers
from harness.suite.records import AnswerExpectation, Limit
from harness.text import fold, words

SIMILAR = 0.8
_SEARCHED = 200_000  # characters that regular expressions and likeness look at
_NEAR_IN = 20_000  # characters in which the nearest passage is looked for
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
                scores.append(
                    self._made(check, part, value, passed, _with_status(reason, check, scene), evidence)
                )
        return scores

    def _made(
        self,
        check: Check,
        part: str,
        value: bool | float,
        passed: bool,
        reason: str,
        evidence: dict[str, Any],
    ) -> Score:
        return Score(
            check=f"answer.{part}",
            scorer=self.name,
            turn=check.turn,
            value=value,
            passed=passed,
            reason="" if passed else reason,
            evidence=evidence,
        )


_Judgement = tuple[bool | float, bool, str, dict[str, Any]]


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
    missing = [one for one in wanted if not _says(one, text)]
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
    found = [one for one in wanted if _says(one, text)]
    if found:
        return True, True, "", {"found": found}
    near, evidence = _nearest(wanted[0], text)
    return False, False, f"the answer mentions none of {_listed(wanted)}{near}", {"found": [], **evidence}


def _omits(unwanted: Sequence[str], text: str) -> _Judgement:
    found = [one for one in unwanted if _says(one, text)]
    if not found:
        return True, True, "", {"found": []}
    near, evidence = _nearest(found[0], text)
    return False, False, f"the answer mentions {_listed(found)}{near}", {"found": found, **evidence}


def _says(wanted: str, text: str) -> bool:
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


def _similar(wanted: str, text: str) -> _Judgement:
    from rapidfuzz import fuzz

    ratio = fuzz.token_set_ratio(fold(wanted), fold(text[:_SEARCHED])) / 100
    reason = f"likeness {ratio:.2f}, needed {SIMILAR}; the answer begins {_begins(text)}"
    return round(ratio, 4), ratio >= SIMILAR, reason, _looked_at(text)


def _json_schema(schema: dict[str, Any], text: str) -> _Judgement:
    fenced = _FENCED.match(text[:_SEARCHED])
    try:
        value = json.loads(fenced["body"] if fenced else text)
    except (ValueError, RecursionError) as error:
        return False, False, f"the answer is not JSON: {error}; it begins {_begins(text)}", {}
    problem = schema_problem(value, schema)
    return problem is None, problem is None, f"the answer does not fit the JSON Schema: {problem}", {}


def _words(limit: Limit, text: str) -> _Judgement:
    count = sum(1 for _ in words(text))
    reason = ""
    if limit.max is not None and count > limit.max:
        reason = f"the answer has {count} words, allowed are {limit.max:g}"
    elif limit.min is not None and count < limit.min:
        reason = f"the answer has {count} words, needed are {limit.min:g}"
    return float(count), not reason, reason, {}


_JUDGES: dict[str, Callable[[Any, str], _Judgement]] = {
    "mentions": _mentions,
    "mentions_any": _mentions_any,
    "omits": _omits,
    "matches": _matches,
    "equals": _equals,
    "similar": _similar,
    "json_schema": _json_schema,
    "words": _words,
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
