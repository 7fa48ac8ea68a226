"""How answers sound, by what can be counted: jargon, friendliness, clarity. English only.

======================  ===================================================================================
check                   value
======================  ===================================================================================
``tone.jargon``         how many terms the assistant used before the user did, without saying what they mean
``tone.friendly``       share of five signs: warm words (greeting, thanks, apology, sympathy), speaking to the
                        user (you), courtesy (please, you can, feel free), an offer or question, nothing harsh
``tone.clear``          mean of three parts, each 0 to 1: Flesch reading ease / 60, the share of sentences of
                        at most 25 words, the share of words in paragraphs of at most 80
``tone.reading_ease``   206.835 - 1.015 words / sentences - 84.6 syllables / words (Flesch 1948)
``tone.sentence_words`` words / sentences
======================  ===================================================================================

Citation markers, code, links and addresses are left out; list items count as sentences and paragraphs. For a
conversation the answers of all its turns are one text, and jargon is counted turn by turn. An answer in
another language, or without words, has no value.

Evidence: ``terms`` (term, turn, source), ``signs`` (the words found, or null), ``parts`` of clarity, counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.errors import ScorerError
from harness.results import Score
from harness.scorers import jargon, material
from harness.scorers.interface import Check, Scene, scored, unscored
from harness.scorers.languages import language_of
from harness.scorers.manners import COURTEOUS, OFFERS, WARM, harsh_in
from harness.scorers.markers import without_markers
from harness.scorers.wording import bare, is_question
from harness.suite.records import JargonExpectation, LeastShare, Limit, ToneExpectation
from harness.text import fold, one_line, sentences, words
from harness.trace.records import TurnTrace

ENOUGH = 0.6
"""Friendliness and clarity that ``true`` asks for."""
LONG_SENTENCE = 25
"""Words above which a sentence is long."""
LONG_PARAGRAPH = 80
"""Words above which a paragraph is long."""
_PLAIN_ENGLISH = 60.0  # Flesch reading ease from which a text is easy
_LOOKED_AT = 60_000
_SHOWN = 100
_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|(?<!\S)\S{1,100}@\S{1,100}", re.DOTALL)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n|\n(?=\s*(?:[-*•–]|\(?\d{1,3}[.)])\s)")


class ToneScorer:
    """Jargon, friendliness and clarity."""

    name = "tone"
    keys = frozenset({"tone"})

    def score(self, check: Check, scene: Scene) -> Sequence[Score]:
        """One score for each part that the suite gives."""
        expected: ToneExpectation = check.value
        wanted = {part: getattr(expected, part) for part in _JUDGES}
        asked = {part: value for part, value in wanted.items() if value is not None}
        said = "\n\n".join(_prose(turn) for turn in scene.turns(check))
        why_not = _unmeasurable(said)
        if why_not:
            return [unscored(check, self.name, why_not, part=part) for part in asked]
        return [_JUDGES[part](check, scene, value, said) for part, value in asked.items()]


def _prose(turn: TurnTrace) -> str:
    """What a turn's answer says in sentences."""
    parts = [
        without_markers(message.text, tuple(c.marker for c in message.citations if c.marker))
        for message in turn.messages
    ]
    return _NOT_PROSE.sub(" ", "\n\n".join(parts)[:_LOOKED_AT])


def _unmeasurable(text: str) -> str | None:
    letters = [character for character in text if character.isalpha()]
    if not letters:
        return "not measured: the answer has no words"
    code = language_of(text).code
    if code not in (None, "en"):
        return f"not measured: only English is, and the answer is in {code!r}"
    if sum(character.isascii() for character in letters) < len(letters) / 2:  # too short to tell its language
        return "not measured: only English is, and the answer is in another script"
    return None


# --- jargon --------------------------------------------------------------------------------------------


def _jargon(check: Check, scene: Scene, wanted: JargonExpectation | bool, _: str) -> Score:
    """The terms of all turns; ``false`` wants none."""
    expected = wanted if isinstance(wanted, JargonExpectation) else JargonExpectation()
    found: dict[str, dict[str, Any]] = {}
    try:
        explained, not_read = _documented(scene) if expected.documents else ({}, [])
    except ScorerError as error:
        return unscored(check, ToneScorer.name, f"not measured: {error}", part="jargon")
    for turn, trace in enumerate(scene.turns(check), start=check.turn or 0):
        for term, source in _terms_of(turn, trace, scene, expected, explained).items():
            found.setdefault(term, {"term": term, "turn": turn, "source": source})
    listed = ", ".join(f"{term!r} ({one['source']})" for term, one in list(found.items())[:5])
    allowed = f", allowed are {expected.max}" if expected.max else ""
    terms = "1 term" if len(found) == 1 else f"{len(found)} terms"
    reason = f"{terms} that the user did not use and nobody explained{allowed}: {listed}"
    few, shown = len(found) <= expected.max, list(found.values())
    left = {"documents_not_read": not_read} if not_read else {}
    return scored(check, ToneScorer.name, float(len(found)), few, reason, part="jargon", terms=shown, **left)


def _documented(scene: Scene) -> tuple[dict[str, str], list[str]]:
    """The terms that the assistant's own documents explain, and which of them are too long to be read.

    A glossary may go over pages.
    """
    pages: dict[str, list[str]] = {}
    for page in material.documents_of(scene):
        pages.setdefault(page.filename or "", []).append(page.text)
    return _explained_in(tuple((name, "\n".join(texts)) for name, texts in pages.items()))


@lru_cache(maxsize=16)
def _explained_in(texts: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], list[str]]:
    return jargon.explained_in(texts), jargon.not_read(
        texts
    )  # the same documents for each turn of each trial


def _terms_of(
    turn: int, trace: TurnTrace, scene: Scene, expected: JargonExpectation, documented: dict[str, str]
) -> dict[str, str]:
    before = scene.trace.turns[: turn + 1]
    history = scene.trace.history
    told = [message.text for message in history if message.role == "user"]
    told += [each.user.text for each in before]
    answer = _prose(trace)
    terms = dict.fromkeys(expected.terms, "listed")
    if expected.documents:
        texts = [(r.filename, r.text) for each in before for r in each.search_results if r.text]
        explained = documented | jargon.explained_in(texts)
        terms = {t: f"explained in {name}" for t, name in explained.items()} | terms
    if expected.abbreviations:
        terms = dict.fromkeys(jargon.abbreviations_in(answer), "abbreviation") | terms
    earlier = [message.text for message in history if message.role == "assistant"]
    earlier += [each.answer for each in before[:-1]]
    known = [term for term in terms if any(jargon.explains(term, text) for text in earlier)]
    return jargon.unexplained(
        answer, told, terms, allowed=[*expected.allowed, *known, *_own_names(scene, terms)]
    )


def _own_names(scene: Scene, terms: dict[str, str]) -> Iterator[str]:
    """Abbreviations in the assistant's name are a name, as far as the suite does not list them."""
    own = fold(scene.assistant.name)
    return (term for term, source in terms.items() if source == "abbreviation" and jargon.uses(term, own))


# --- friendliness --------------------------------------------------------------------------------------

_SIGNS: dict[str, re.Pattern[str]] = {
    "warm": WARM,
    "speaks to the user": re.compile(r"\b(?:you|your|yours|yourself)\b"),
    "courteous": COURTEOUS,
    "offers more": OFFERS,
}


def _friendly(check: Check, scene: Scene, wanted: bool | LeastShare, text: str) -> Score:
    spans = sentences(text)
    signs: dict[str, str | None] = {
        name: next((found[0] for span in spans if (found := pattern.search(bare(span.text)))), None)
        for name, pattern in _SIGNS.items()
    }
    asks = next((span.text for span in spans if is_question(span.text)), None)
    signs["offers more"] = signs["offers more"] or (asks and one_line(asks, _SHOWN))
    harsh = harsh_in(text)
    value = round((sum(map(bool, signs.values())) + (harsh is None)) / 5, 4)
    missing = [name for name, found in signs.items() if not found] + ([f"harsh: {harsh!r}"] if harsh else [])
    told = f"friendliness {value:.1f}"
    return _graded(
        check, "friendly", value, wanted, told, f"missing: {', '.join(missing)}", signs=signs, harsh=harsh
    )


# --- clarity -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts of a text, and what they make it.

    Attributes:
        words: Words with letters in them.
        sentences: Sentences that have such a word.
        syllables: Of those words together.
        long_sentences: Sentences of more than 25 words.
        long_paragraph_words: Words in paragraphs of more than 80.
    """

    words: int
    sentences: int
    syllables: int
    long_sentences: int
    long_paragraph_words: int

    @property
    def sentence_words(self) -> float:
        """Mean length of a sentence."""
        return self.words / self.sentences

    @property
    def ease(self) -> float:
        """Flesch reading ease; about 0 to 100, without ends."""
        return 206.835 - 1.015 * self.sentence_words - 84.6 * self.syllables / self.words

    @property
    def parts(self) -> dict[str, float]:
        """The three parts of clarity, each 0 to 1."""
        return {
            "reading ease": round(min(1.0, max(0.0, self.ease / _PLAIN_ENGLISH)), 4),
            "short sentences": round(1 - self.long_sentences / self.sentences, 4),
            "short paragraphs": round(1 - self.long_paragraph_words / self.words, 4),
        }

    @property
    def clarity(self) -> float:
        """The mean of the parts."""
        return round(sum(self.parts.values()) / 3, 4)


def reading_of(text: str) -> Reading | None:
    """The counts of a text; None without a word."""
    lengths = [len(_words(span.text)) for span in sentences(text)]
    lengths = [length for length in lengths if length]
    said = _words(text)
    if not lengths or not said:
        return None
    paragraphs = [len(_words(paragraph)) for paragraph in _PARAGRAPHS.split(text)]
    return Reading(
        words=sum(lengths),
        sentences=len(lengths),
        syllables=sum(map(syllables, said)),
        long_sentences=sum(length > LONG_SENTENCE for length in lengths),
        long_paragraph_words=min(sum(lengths), sum(n for n in paragraphs if n > LONG_PARAGRAPH)),
    )


def _words(text: str) -> list[str]:
    return [span.text for span in words(text) if any(character.isalpha() for character in span.text)]


_SILENT_ENDING = re.compile(r"(?:[^aeiouyl]|[aeiouy]l)es?$|[^aeiouytd]ed$")
_SPOKEN_ENDING = re.compile(r"(?:[cgsxz]|ch|sh)es$")


def syllables(word: str) -> int:
    """About how many syllables an English word has: groups of vowels, silent endings left out."""
    letters = re.sub(r"[^a-z]", "", word.lower())
    count = len(re.findall(r"[aeiouy]+", letters))
    is_silent = _SILENT_ENDING.search(letters) and not _SPOKEN_ENDING.search(letters)
    return max(1, count - bool(is_silent))


def _clear(check: Check, scene: Scene, wanted: bool | LeastShare, text: str) -> Score:
    reading = reading_of(text)
    if reading is None:
        return unscored(check, ToneScorer.name, "not measured: the answer has no words", part="clear")
    worst = min(reading.parts, key=lambda part: reading.parts[part])
    told, why = f"clarity {reading.clarity:.2f}", f"weakest: {worst} ({reading.parts[worst]:.2f})"
    return _graded(check, "clear", reading.clarity, wanted, told, why, parts=reading.parts)


def _graded(
    check: Check, part: str, value: float, wanted: bool | LeastShare, told: str, why: str, **evidence: Any
) -> Score:
    if wanted is False:
        passed, reason = value < ENOUGH, f"{told}, wanted below {ENOUGH}"
    else:
        least = wanted.min if isinstance(wanted, LeastShare) else ENOUGH
        passed, reason = value >= least, f"{told}, needed {least:g}; {why}"
    return scored(check, ToneScorer.name, value, passed, reason, part=part, **evidence)


def _range(part: str, measure: Callable[[Reading], float]) -> Callable[[Check, Scene, Limit, str], Score]:
    def judge(check: Check, scene: Scene, limit: Limit, text: str) -> Score:
        reading = reading_of(text)
        if reading is None:
            return unscored(check, ToneScorer.name, "not measured: the answer has no words", part=part)
        value, name = round(measure(reading), 2), part.replace("_", " ")
        reason = ""
        if limit.max is not None and value > limit.max:
            reason = f"{name} {value:g} is more than the allowed {limit.max:g}"
        elif limit.min is not None and value < limit.min:
            reason = f"{name} {value:g} is less than the required {limit.min:g}"
        counts = {"words": reading.words, "sentences": reading.sentences, "syllables": reading.syllables}
        return scored(check, ToneScorer.name, value, not reason, reason, part=part, **counts)

    return judge


_JUDGES: dict[str, Callable[[Check, Scene, Any, str], Score]] = {
    "jargon": _jargon,
    "friendly": _friendly,
    "clear": _clear,
    "reading_ease": _range("reading_ease", lambda reading: reading.ease),
    "sentence_words": _range("sentence_words", lambda reading: reading.sentence_words),
}
