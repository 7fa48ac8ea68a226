"""Whether passages support one sentence: the lexical tier, which needs no model and explains itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

import msgspec

from harness.scorers import facts
from harness.scorers.evidence import Evidence, Window, Word, content_words
from harness.text import STOP_WORDS, fold, words

ENOUGH = 0.55
"""Share of a claim's words, by weight, that must stand in one window of the evidence."""

LONGEST_CLAIM = 4_000  # characters of a sentence that are looked at
_NEAR_NUMBER = 5  # content words on either side of a number that say what it counts
_NEARLY_ALL = 0.8
_NAMED = 4  # missing words or other numbers that a reason names


class Support(msgspec.Struct, frozen=True):
    """How well passages support a sentence.

    Attributes:
        supported: The verdict.
        share: Share of the sentence's content words found in the best window, rare words counting more.
        window: The best window; None when nothing matches.
        why: What is missing or differs; empty when supported.
        missing: Content words that the best window does not hold.
        conflicts: Numbers, names, addresses and negations that speak against it.
    """

    supported: bool
    share: float
    window: Window | None
    why: str
    missing: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def support_of(sentence: str, evidence: Evidence, known: Set[str] = frozenset()) -> Support:
    """How well the evidence supports a sentence.

    Args:
        sentence: One sentence, without citation markers.
        evidence: Indexed passages.
        known: Stems that need no evidence: the assistant's own name, what the user said of themselves.
    """
    sentence = sentence[:LONGEST_CLAIM]
    claim = [word for word in content_words(sentence) if evidence.holds(word) or not word.stands_in(known)]
    windows = evidence.best(claim) if claim else _all_numbers(sentence, evidence)
    windows += _rows_with_its_numbers(sentence, claim, evidence)
    if not windows:
        return Support(False, 0.0, None, "nothing in the evidence is like it", _names_of(claim))
    judged = [_judge(sentence, claim, window, evidence, known) for window in windows]
    return max(judged, key=lambda support: (support.supported, -len(support.conflicts), support.share))


def _all_numbers(sentence: str, evidence: Evidence) -> list[Window]:
    """Windows for a sentence of numbers only: every sentence that holds them all."""
    wanted = {number.value for number in facts.numbers(sentence)}
    holding = [
        Window(index, index, 1.0)
        for index, unit in enumerate(evidence.units)
        if wanted and wanted <= {number.value for number in facts.numbers(unit.text)}
    ]
    return holding[:1]


def _rows_with_its_numbers(sentence: str, claim: Sequence[Word], evidence: Evidence) -> list[Window]:
    """The first table row that holds every number of the sentence: rows of one table share their words."""
    wanted = {number.value for number in facts.numbers(sentence)}
    if not wanted or not claim:
        return []
    for index in evidence.rows:
        if wanted <= {number.value for number in facts.numbers(evidence.units[index].text)}:
            return [evidence.window(claim, index, index)]
    return []


def _judge(
    sentence: str, claim: Sequence[Word], window: Window, evidence: Evidence, known: Set[str]
) -> Support:
    stems = evidence.stems_in(window)
    missing = _names_of(word for word in claim if not word.stands_in(stems))
    conflicts = tuple(_conflicts(sentence, claim, window, evidence, known))
    why = "; ".join(conflicts)
    if window.coverage < ENOUGH:
        listed = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        few = f"only {window.coverage:.0%} of its words stand together in the evidence (missing: {listed})"
        why = f"{why}; {few}" if why else few
    return Support(not why, round(window.coverage, 4), window, why, missing, conflicts)


def _names_of(claim: Iterable[Word]) -> tuple[str, ...]:
    return tuple(word.name for word in claim)


def _conflicts(
    sentence: str, claim: Sequence[Word], window: Window, evidence: Evidence, known: Set[str]
) -> Iterable[str]:
    text = evidence.text(window)
    yield from _numbers_that_differ(sentence, text, evidence)
    for address in sorted(facts.addresses(sentence)):
        if not any(address in unit.text.casefold() for unit in evidence.units):
            yield f"{address} is not in the evidence"
    for name in sorted(facts.names(sentence) - known):
        if not evidence.names(name):
            yield f"the name {name!r} is not in the evidence"
    yield from _negations_that_differ(sentence, claim, window, text)
    for name in _names_of(_words_of_other_rows(claim, window, evidence)):
        yield f"{name!r} stands in another row of the table"


def _words_of_other_rows(claim: Sequence[Word], window: Window, evidence: Evidence) -> Iterable[Word]:
    """Words of a claim that name another row of the table than the one that is to support it."""
    row = evidence.units[window.first]
    if window.first != window.last or row.stems == row.own:
        return ()
    others = [unit.own for unit in evidence.rows_beside(window.first)]
    absent = (word for word in claim if not word.stands_in(row.stems))
    return [word for word in absent if any(word.stands_in(own) for own in others)]


# --- numbers -------------------------------------------------------------------------------------------


def _numbers_that_differ(sentence: str, text: str, evidence: Evidence) -> Iterable[str]:
    there = facts.numbers(text)
    spelt = facts.spelt_numbers(text)
    for number in dict.fromkeys(facts.numbers(sentence)):
        same = [other for other in there if other.value == number.value]
        if any(_same_unit(number, other) for other in same):
            continue
        if not same and (number.value in spelt or _elsewhere(number, sentence, evidence)):
            continue
        found = ", ".join(list(dict.fromkeys(str(other) for other in (same or there)))[:_NAMED])
        yield f"{number} is not in the evidence" + (f", which has {found}" if found else "")


def _same_unit(number: facts.Number, other: facts.Number) -> bool:
    return number.unit == other.unit or number.unit is None or other.unit is None


def _elsewhere(number: facts.Number, sentence: str, evidence: Evidence) -> bool:
    """Whether another sentence of the evidence says this number of the same things.

    A table's other rows share its header, but say their numbers of other things.
    """
    near = _words_near(number, sentence)
    needed = max(1, min(2, len(near)))
    return any(
        _same_unit(number, other) and sum(word.stands_in(unit.own) for word in near) >= needed
        for unit, other in evidence.numbers.get(number.value, ())
    )


def _words_near(number: facts.Number, sentence: str) -> list[Word]:
    found = [span.text for span in words(fold(sentence)) if span.text not in STOP_WORDS]
    at = [
        index for index, text in enumerate(found) if any(n.value == number.value for n in facts.numbers(text))
    ]
    near = {text for index in at for text in found[max(0, index - _NEAR_NUMBER) : index + _NEAR_NUMBER + 1]}
    return content_words(" ".join(sorted(near)))


# --- negations -----------------------------------------------------------------------------------------


def _negations_that_differ(sentence: str, claim: Sequence[Word], window: Window, text: str) -> Iterable[str]:
    """Only where nearly all words agree does a "not" on one side alone mean that the two disagree."""
    if window.coverage < _NEARLY_ALL:
        return
    mine, theirs = facts.negated(sentence), facts.negated(text)
    if mine and not facts.denies(text):
        denied = sorted(mine & facts.stems_of_text(text))
        if denied:
            yield f"it denies what the evidence says ({', '.join(denied)})"
    if theirs and not facts.denies(sentence):
        said = theirs & {word.name for word in claim}
        if said and all(facts.only_negated(name, text) for name in said):
            yield f"the evidence denies what it says ({', '.join(sorted(said))})"
