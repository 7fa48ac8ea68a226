"""Which sentences of the found chunks answer a question, and whether they do at all."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from harness.server.llms.extractive.lexicon import CUE_EVIDENCE, TROUBLE, alike, common_stems, synonyms
from harness.server.llms.extractive.nearness import MOST_COMPARED, nearness
from harness.server.llms.extractive.passages import Unit, units_of
from harness.server.llms.extractive.question import (
    CALENDAR,
    GENERIC_WEIGHT,
    MONTH_STEMS,
    Question,
    Term,
    is_code,
    is_name,
)
from harness.server.llms.interface import SearchHit
from harness.text import content_stems, fold, words

#: Coverage of a question's words from which its best passage counts as an answer; calibrated on
#: conversations over product documentation that people labelled answerable or unanswerable.
ENOUGH = 0.54
#: The same for a follow-up, where the words of the earlier questions count as much as its own few.
ENOUGH_FOR_FOLLOW_UP = 0.58
#: The same for a question without a word of its own ("How long does that last?"), asked in those before it.
ENOUGH_IN_BORROWED_WORDS = 0.48
#: The same for a report of trouble, which tells much that no document repeats.
ENOUGH_FOR_TROUBLE = 0.38
#: Coverage and weighted nearness together from which the best passage of 20 sentences counts as an answer.
ENOUGH_TOGETHER = 1.2
#: The same for a follow-up, which is compared together with what it goes on from.
ENOUGH_TOGETHER_FOR_FOLLOW_UP = 1.5
#: The same for a report of trouble.
ENOUGH_TOGETHER_FOR_TROUBLE = 1.0
#: How much more it takes for each doubling of the sentences: among more, the nearest is nearer by chance.
_FOR_EACH_DOUBLING = 0.1
#: Least nearness of an answer: with less, words in common are a coincidence.
_RELATED = 0.2
_NEARNESS_WEIGHT = 2.5
_NEARNESS_WHEN_RANKING = 1.0


class Found(msgspec.Struct, frozen=True):
    """A unit of a hit with its place and score."""

    unit: Unit
    hit: int
    index: int
    score: float
    coverage: float
    near: float | None = None
    """Cosine of the question and the unit; None where they were not compared."""

    @property
    def together(self) -> float:
        """What the words and the meaning say together."""
        return self.coverage + _NEARNESS_WEIGHT * (self.near or 0.0)


class Evidence(msgspec.Struct, frozen=True):
    """What the hits say to a question.

    Attributes:
        answers: Whether it is enough for an answer.
        quotes: The units to quote, in the order to quote them, each with the number of its hit.
        as_steps: Whether they are steps of one list.
        coverage: Share of the question's words that the best passage covers, weighted.
        known_share: Share of the question's own words that occur anywhere in the hits.
        lead: What stands before the steps and is to be done or known first.
        near: Cosine of the question and the best passage; 0 where they were not compared.
    """

    answers: bool
    quotes: tuple[tuple[Unit, int], ...]
    as_steps: bool
    coverage: float
    known_share: float
    lead: tuple[tuple[Unit, int], ...] = ()
    near: float = 0.0


NOTHING = Evidence(False, (), False, 0.0, 0.0)


#: Of a common word that no hit holds.
_COMMON_WEIGHT = 0.4
#: Rarity is not to be read from fewer units than these.
_FEWEST = 60


# --- ranking --------------------------------------------------------------------------------------


_IN_HEADING = 0.75
_IN_QUESTION = 0.9
_IN_COMPOUND = 0.75
_NEXT_DOOR = 0.45
_MEANT_BY_PRONOUN = 0.75
_BY_SYNONYM = 0.8
_BY_LIKENESS = 0.8


class _Words(msgspec.Struct, frozen=True):
    """The wanted stems at and around a unit."""

    unit: Unit
    own: frozenset[str]
    heading: frozenset[str]
    beside: frozenset[str]
    meant: frozenset[str] = frozenset()
    """Stems of the sentence before, where this one goes on with "It", "This" or "They"."""


class _Pages:
    """The units of all hits with what is needed to weigh words over them."""

    def __init__(self, hits: Sequence[SearchHit]) -> None:
        self.units = [units_of(hit.text) for hit in hits]
        flat = [unit for units in self.units for unit in units]
        self.count = max(1, len(flat))
        self.distinct_count = max(1, len({(unit.title, unit.text) for unit in flat}))
        self.frequency: Counter[str] = Counter()
        for unit in flat:
            self.frequency.update(unit.stems | unit.heading)
        self._forms: dict[str, dict[str, float]] = {}

    def forms(self, term: str) -> dict[str, float]:
        """The stems in the hits that stand for this one, with how well they do."""
        if term not in self._forms:
            found = {other: _BY_LIKENESS for other in self.frequency if alike(term, other)}
            found |= {other: _BY_SYNONYM for other in synonyms(term) if other in self.frequency}
            if term in self.frequency:
                found[term] = 1.0
            self._forms[term] = found or self._misspelt(term)
            return self._forms[term]
        return self._forms[term]

    def distinct(self, terms: Sequence[Term]) -> list[Term]:
        """The terms without misspelt ones that mean another of them."""
        spelt = {term.stem for term in terms if term.stem in self.frequency}
        return [t for t in terms if t.stem in spelt or not (self._misspelt(t.stem).keys() & spelt)]

    def _misspelt(self, term: str) -> dict[str, float]:
        """Stems that differ by a letter or two from one that nothing in the hits is like."""
        if len(term) < 5 or not term.isalpha() or term in common_stems():
            return {}
        most = 1 if len(term) < 8 else 2
        near = [
            other
            for other in self.frequency
            if other[0] == term[0] and abs(len(other) - len(term)) <= most and other.isalpha()
        ]
        if not near:
            return {}
        from rapidfuzz.distance import OSA  # as dear as a fifth of a short run, and seldom needed

        return {other: _BY_LIKENESS for other in near if OSA.distance(term, other, score_cutoff=most) <= most}

    def weight(self, term: Term) -> float:
        """How much a term tells: rare words more than common ones, unknown names most."""
        forms = self.forms(term.stem)
        if not forms:
            if CALENDAR.fullmatch(term.stem) or term.stem in MONTH_STEMS:
                return 0.3 * term.weight
            if term.stem in common_stems():
                return _COMMON_WEIGHT * term.weight
            return term.weight * (1.5 if term.names else 0.9)
        often = self.frequency[term.stem] or max(self.frequency[form] for form in forms)
        if term.names and is_code(term.stem):
            return 1.5 * term.weight
        count = max(self.count, _FEWEST)
        rarity = math.log(1 + count / often) / math.log(1 + count)
        return term.weight * min(1.0, max(0.3, rarity))

    def match(self, term: str, stems: frozenset[str]) -> float:
        """How well a term is among the stems: 1 as itself, less by a synonym or a similar form."""
        if not stems:
            return 0.0
        return max((value for form, value in self.forms(term).items() if form in stems), default=0.0)

    def direct(self, term: str, here: _Words) -> float:
        """How well a unit's own words hold a term; a part of a compound (book in e-book) counts less."""
        own = self.match(term, here.own)
        if own and term in here.unit.parts:
            own *= _IN_COMPOUND
        return max(own, self.match(term, here.heading)) if here.unit.answers_heading else own

    def near(self, term: str, here: _Words) -> float:
        """How well a unit with its heading and neighbours holds a term."""
        own = self.match(term, here.own)
        if own and term in here.unit.parts:
            own *= _IN_COMPOUND
        if own == 1.0:
            return own
        above = _IN_QUESTION if here.unit.answers_heading else _IN_HEADING
        around = max(above * self.match(term, here.heading), _NEXT_DOOR * self.match(term, here.beside))
        return max(own, around, _MEANT_BY_PRONOUN * self.match(term, here.meant))


def weigh(question: Question, hits: Sequence[SearchHit], *, most: int = 3) -> Evidence:
    """The evidence that these hits hold for a question; at most ``most`` sentences, or eight steps."""
    pages = _Pages(hits)
    if not hits or not question.terms or not any(pages.units):
        return NOTHING
    ranked = _compared(question, sorted(_ranked(question, pages), key=_order))
    best = next((found for found in ranked[:12] if _holds(question, found, ranked[0], pages)), ranked[0])
    best = _with_what_is_asked(question, best, ranked)
    ranked = [best, *(found for found in ranked if found is not best)]
    nearest = max(found.near or 0.0 for found in ranked)
    important = [term for term in question.terms if term.weight > GENERIC_WEIGHT] or list(question.terms)
    known = sum(bool(pages.forms(term.stem)) for term in important) / len(important)
    if not _is_enough(question, best, pages) or _lacks_a_name(question, pages):
        return Evidence(False, (), False, best.coverage, known, near=nearest)
    quotes, as_steps = _quotes(question, pages, ranked, most)
    lead = tuple(_lead(pages, quotes)) if as_steps else ()
    return Evidence(bool(quotes), tuple(quotes), as_steps, best.coverage, known, lead, nearest)


def _order(found: Found) -> tuple[float, int, int]:
    return (-found.score, found.hit, found.index)


def _compared(question: Question, ranked: list[Found]) -> list[Found]:
    """The units in order of words and meaning together; the order of the words where nothing is compared."""
    first = {(found.unit.title, found.unit.text): found for found in reversed(ranked)}
    distinct = sorted(first.values(), key=_order)
    wordy, others = distinct[: MOST_COMPARED // 2], distinct[MOST_COMPARED // 2 :]
    others = sorted(others, key=lambda found: (found.hit, -found.score, found.index))
    compared = [*wordy, *others[: MOST_COMPARED - len(wordy)]]
    near = nearness(question.whole, [found.unit for found in compared])
    if near is None:
        return ranked
    scored = [
        replace(found, score=found.score + _NEARNESS_WHEN_RANKING * cosine, near=cosine)
        for found, cosine in zip(compared, near, strict=True)
    ]
    done = {id(found) for found in compared}
    return [*sorted(scored, key=_order), *(found for found in ranked if id(found) not in done)]


def _ranked(question: Question, pages: _Pages) -> Iterable[Found]:
    weights = {term.stem: pages.weight(term) for term in pages.distinct(question.terms)}
    context = {term.stem: pages.weight(term) for term in question.context}
    total = sum(weights.values()) or 1.0
    around_total = sum(context.values()) or 1.0
    wanted = frozenset(form for term in (*weights, *context) for form in pages.forms(term))
    for hit, units in enumerate(pages.units):
        own = [unit.stems & wanted for unit in units]
        for index, unit in enumerate(units):
            beside, meant = _beside(units, own, index), _meant(units, own, index)
            words_here = _Words(unit, own[index], unit.heading & wanted, beside, meant)
            if not (words_here.own or words_here.heading or words_here.beside):
                yield Found(unit, hit, index, 0.0, 0.0)
                continue
            coverage = sum(w * pages.near(term, words_here) for term, w in weights.items()) / total
            around = sum(w * pages.near(term, words_here) for term, w in context.items()) / around_total
            direct = sum(w * pages.direct(term, words_here) for term, w in weights.items()) / total
            named = sum(term.stem in unit.stems for term in question.terms)
            to_the_point = 0.1 * named / max(4, len(unit.stems))
            score = to_the_point + 0.7 * coverage + 0.3 * direct + question.lean * around - 0.012 * hit
            yield Found(unit, hit, index, score + coverage * _bonus(question, unit), coverage)


def _beside(units: tuple[Unit, ...], own: list[frozenset[str]], index: int) -> frozenset[str]:
    """Wanted stems of the neighbours in the same paragraph, list or section."""
    unit = units[index]
    near = [place for place in (index - 2, index - 1, index + 1) if 0 <= place < len(units)]
    return frozenset().union(
        *(own[p] for p in near if units[p].block == unit.block or units[p].heading == unit.heading)
    )


_PRONOUN = re.compile(r"(?:It|This|They|These|That|Those|Both|He|She)\b")


def _meant(units: tuple[Unit, ...], own: list[frozenset[str]], index: int) -> frozenset[str]:
    """Wanted stems of the sentence that a leading pronoun points back to."""
    goes_on = index > 0 and units[index].block == units[index - 1].block
    return own[index - 1] if goes_on and _PRONOUN.match(units[index].text) else frozenset()


_INSTRUCTS = re.compile(
    r"^(?:click|open|choose|select|go|press|tap|enter|sign|send|use|bring|fill|visit|call|write)\b|\w > \w|"
    r"\b(?:can be|is|are) \w+ (?:in|at|by|with|through) |\byou can\b",
    re.IGNORECASE,
)


def _counts(question: str, text: str) -> bool:
    """Whether a text counts what the question counts: "how many webhooks", "up to 10 webhooks"."""
    counted = re.search(
        r"\bhow many (?:(?:of|these|those|the|different|\w+) )*?(?!these\b|those\b|the\b|"
        r"different\b)(\w{3,})",
        fold(question),
    )
    if counted is None:
        return False
    noun = re.escape(counted.group(1).rstrip("s"))
    return bool(re.search(rf"\b\d[\d.,]* (?:[\w-]+ )?{noun}", fold(text)))


def _offers(question: Question, unit: Unit) -> bool:
    """Whether a unit lists several of what "which formats" asks for."""
    asked = re.search(r"\b(?:which|what) (?:\w+ )??(\w{3,}s)\b", fold(question.text))
    if asked is None or "choice" not in question.cues or not CUE_EVIDENCE["choice"].search(unit.text):
        return False
    return bool(set(content_stems(asked.group(1))) & unit.stems)


def _asks_what_the_heading_asks(question: Question, unit: Unit) -> bool:
    asked = {term.stem for term in question.terms}
    return bool(unit.heading) and len(unit.heading & asked) >= 0.6 * len(unit.heading)


def _bonus(question: Question, unit: Unit) -> float:
    bonus = 0.0
    if _counts(question.text, unit.text):
        bonus += 0.12
    if _offers(question, unit):
        bonus += 0.2
    for cue in sorted(question.cues & CUE_EVIDENCE.keys()):
        there = bool(CUE_EVIDENCE[cue].search(unit.text))
        bonus += (
            (0.08 if cue in ("place", "choice") else 0.18)
            if there
            else (-0.15 if cue in _MUST_BE_THERE else -0.05)
        )
    if question.cues & {"steps"} and (unit.kind == "step" or _INSTRUCTS.search(unit.text)):
        bonus += 0.1
    if "definition" in question.cues and re.search(r"\b(?:is|are|means?|refers to|stands for)\b", unit.text):
        bonus += 0.08
    if unit.answers_heading and _asks_what_the_heading_asks(question, unit):
        bonus += 0.3
    if unit.kind == "step" and "steps" not in question.cues and not question.trouble:
        bonus -= 0.1
    bonus -= {"code": 0.4, "row": 0.06}.get(unit.kind, 0.0)
    if unit.kind == "row" and ":" in unit.text:
        label = set(content_stems(unit.text.split(":")[0]))
        bonus += 0.15 if label and label <= {term.stem for term in question.terms} else 0.0
    bonus -= 0.12 if not unit.whole else 0.0
    bonus -= {"?": 0.15, ":": 0.05}.get(unit.text[-1], 0.0)
    bonus -= 0.1 if len(unit.stems) < 3 else 0.0
    bonus -= 0.002 * max(0, len(unit.stems) - 30)
    return bonus


# --- enough? --------------------------------------------------------------------------------------


def _holds(question: Question, found: Found, best: Found, pages: _Pages) -> bool:
    """Whether a unit is nearly as good as the best one and is an answer."""
    return found.score >= 0.8 * best.score and _is_enough(question, found, pages)


def _is_enough(question: Question, best: Found, pages: _Pages) -> bool:
    """Whether the best passage covers the question well enough, and holds what kind of thing is asked for."""
    if best.near is not None:
        return _is_enough_together(question, best, pages)
    if question.trouble:
        return best.coverage >= ENOUGH_FOR_TROUBLE
    if _asks_whether_something_unknown(question, pages):
        return False
    if question.borrowed and not _has_what_is_asked(question, best, pages):
        return False
    if question.borrowed:
        return best.coverage >= ENOUGH_IN_BORROWED_WORDS
    if not _has_what_is_asked(question, best, pages):
        return False
    if not question.follows:
        kind_is_there = _counts(question.text, best.unit.text) or _offers(question, best.unit)
        return best.coverage >= (ENOUGH - 0.1 if kind_is_there else ENOUGH)
    return 0.5 * best.coverage + 0.5 * _coverage_of_context(question, best, pages) >= ENOUGH_FOR_FOLLOW_UP


def _is_enough_together(question: Question, best: Found, pages: _Pages) -> bool:
    """The same by words and meaning together."""
    more = _FOR_EACH_DOUBLING * math.log2(max(1.0, pages.distinct_count / 20))
    if question.trouble:
        return best.together >= ENOUGH_TOGETHER_FOR_TROUBLE + more
    if _asks_whether_something_unknown(question, pages) or not _has_what_is_asked(question, best, pages):
        return False
    if not question.follows:
        return best.together >= ENOUGH_TOGETHER + more and (best.near or 0.0) >= _RELATED
    around = 0.5 * (_coverage_of_context(question, best, pages) - best.coverage) if question.context else 0.0
    return best.together + around >= ENOUGH_TOGETHER_FOR_FOLLOW_UP + more


_WHETHER = re.compile(r"(?:and |so |but )?(?:is|are|was|were|does|do|has|have) (?!there\b)", re.IGNORECASE)


def _asks_whether_something_unknown(question: Question, pages: _Pages) -> bool:
    """Whether a yes-or-no question ends in a rare word that no hit knows: "Is the boot vegan?"."""
    last = question.terms[-1]
    rare = last.weight == 1.0 and last.stem not in common_stems() and not CALENDAR.fullmatch(last.stem)
    return (
        bool(_WHETHER.match(question.text)) and rare and not pages.forms(last.stem) and not question.borrowed
    )


def _coverage_of_context(question: Question, best: Found, pages: _Pages) -> float:
    """How much of the earlier questions the best passage's whole chunk is about."""
    weights = {term.stem: pages.weight(term) for term in question.context}
    units = pages.units[best.hit]
    present: frozenset[str] = frozenset().union(*(unit.stems | unit.heading for unit in units))
    return sum(w * pages.match(term, present) for term, w in weights.items()) / (sum(weights.values()) or 1.0)


def _lacks_a_name(question: Question, pages: _Pages) -> bool:
    """Whether the question names something that no hit knows: another product, place or code."""
    return any(term.names and not pages.forms(term.stem) for term in question.terms)


_MUST_BE_THERE = ("duration", "money", "number", "date")


def _has_what_is_asked(question: Question, best: Found, pages: _Pages) -> bool:
    """Whether a number, time or price is there when one is asked for."""
    asked = [cue for cue in _MUST_BE_THERE if cue in question.cues]
    must = question.cues & {"phone", "mail"}
    if must:
        return all(CUE_EVIDENCE[cue].search(best.unit.text) for cue in sorted(must))
    if not asked:
        return True
    units = pages.units[best.hit]
    near = units[max(0, best.index - 3) : best.index + 4]
    text = " ".join(
        unit.text for unit in near if unit.heading == best.unit.heading or unit.block == best.unit.block
    )
    return any(CUE_EVIDENCE[cue].search(text) for cue in asked)


def _with_what_is_asked(question: Question, best: Found, ranked: Sequence[Found]) -> Found:
    """The best unit; where it lacks the time or price asked for, the best one beside it that holds it."""
    asked = [CUE_EVIDENCE[cue] for cue in _MUST_BE_THERE if cue in question.cues]
    if not asked or any(pattern.search(best.unit.text) for pattern in asked):
        return best
    beside = (
        found
        for found in ranked
        if found.hit == best.hit
        and abs(found.index - best.index) <= 4
        and found.unit.heading == best.unit.heading
        and found.coverage >= 0.7 * best.coverage
        and any(pattern.search(found.unit.text) for pattern in asked)
    )
    return next(beside, best)


# --- what to quote --------------------------------------------------------------------------------


def _quotes(
    question: Question, pages: _Pages, ranked: list[Found], most: int
) -> tuple[list[tuple[Unit, int]], bool]:
    best = ranked[0]
    if question.cues & {"steps"} or question.trouble:
        steps = _steps(question, pages, ranked)
        if steps:
            return steps, True
    if best.unit.text.endswith(":"):
        return _list_after(pages, best), False
    bridged = _bridged(question, pages, ranked)
    chosen = bridged or _chosen(ranked, most)
    opened = next((found for found in chosen if found.unit.text.endswith(":")), None)
    of_the_best = opened is not None and opened.hit == best.hit
    if opened and of_the_best and any(_is_item_of(found, opened) for found in chosen):
        return _list_after(pages, opened), False
    return [(found.unit, found.hit) for found in chosen], False


def _is_item_of(found: Found, opened: Found) -> bool:
    return found.unit.kind in ("step", "item") and found.hit == opened.hit


def _steps(question: Question, pages: _Pages, ranked: list[Found]) -> list[tuple[Unit, int]]:
    """The list of steps whose heading, opening sentence and items fit the question best, if one fits."""
    best: tuple[int, list[Unit]] | None = None
    best_fit = max(0.45 if question.trouble else 0.6, 0.8 * ranked[0].coverage)
    for hit, run in _runs(pages):
        fit = _fit(question, pages, hit, run)
        if fit > best_fit + 0.01:
            best, best_fit = (hit, run), fit
    if best is None:
        return []
    steps, hit = _longest_like(pages, best[1], best[0])
    return [(unit, hit) for unit in steps[:8]]


def _lead(pages: _Pages, steps: list[tuple[Unit, int]]) -> Iterable[tuple[Unit, int]]:
    """The sentences directly before a list of steps that themselves tell what to do, at most two."""
    first, hit = steps[0]
    units = pages.units[hit]
    place = units.index(first)
    before = [unit for unit in units[max(0, place - 2) : place] if unit.heading == first.heading]
    if any(_INSTRUCTS.search(unit.text) and unit.kind == "prose" for unit in before):
        yield from ((unit, hit) for unit in before if unit.kind == "prose" and unit.text[-1] != ":")


def _runs(pages: _Pages) -> Iterable[tuple[int, list[Unit]]]:
    """Every list of at least two steps, with the number of its hit."""
    for hit, units in enumerate(pages.units):
        blocks: dict[int, list[Unit]] = {}
        for unit in units:
            if unit.kind == "step":
                blocks.setdefault(unit.block, []).append(unit)
        yield from ((hit, run) for run in blocks.values() if len(run) >= 2)


def _fit(question: Question, pages: _Pages, hit: int, run: list[Unit]) -> float:
    """How well a list of steps fits: its heading counts whole, what stands before it nearly, items half.

    A how-to must be named above the list; items that happen to use its words are not enough.
    """
    units = pages.units[hit]
    first = units.index(run[0])
    before = [unit for unit in units[max(0, first - 2) : first] if unit.heading == run[0].heading]
    lead: frozenset[str] = frozenset().union(*(unit.stems for unit in before))
    items: frozenset[str] = frozenset().union(*(unit.stems for unit in run))
    weights = {term.stem: pages.weight(term) for term in pages.distinct(question.terms)}
    total = sum(weights.values()) or 1.0
    above = {t: max(pages.match(t, run[0].heading), 0.8 * pages.match(t, lead)) for t in weights}
    if sum(w * above[t] for t, w in weights.items()) < (0.3 if question.trouble else 0.4) * total:
        return 0.0
    fit = sum(w * max(above[t], 0.6 * pages.match(t, items)) for t, w in weights.items()) / total
    trouble = {t for word in TROUBLE.findall(fold(question.text)) for t in content_stems(word)} & above.keys()
    elsewhere = any(pages.forms(t) for t in trouble) and not any(above[t] for t in trouble)
    return 0.7 * fit if elsewhere else fit


def _longest_like(pages: _Pages, run: list[Unit], hit: int) -> tuple[list[Unit], int]:
    """The same list where no chunk's edge cut it, from step 1 on, and the hit that has it."""
    longest, place = run, hit
    marks = {fold(unit.text) for unit in run if unit.whole}
    for other_hit, again in _runs(pages):
        same = any(fold(unit.text) in marks for unit in again)
        if same and again[0].number == 1 and (longest[0].number != 1 or len(again) > len(longest)):
            longest, place = again, other_hit
    return longest, place


def _list_after(pages: _Pages, best: Found) -> list[tuple[Unit, int]]:
    """A sentence that ends with a colon, and the items it announces."""
    units = pages.units[best.hit]
    items: list[Unit] = []
    for unit in units[best.index + 1 : best.index + 9]:
        if unit.kind not in ("item", "step", "row") or (items and unit.block != items[0].block):
            break
        items.append(unit)
    return [(unit, best.hit) for unit in (best.unit, *items)]


def _chosen(ranked: list[Found], most: int) -> list[Found]:
    """The best units that add something, in the order of the documents.

    The sentence that goes on behind the best one comes before equally good ones from elsewhere.
    """
    best = ranked[0]
    worthy = [found for found in ranked[1:30] if found.score >= 0.78 * best.score or _goes_on(found, best)]
    worthy = [found for found in worthy if found.coverage >= 0.6 * best.coverage]
    chosen = [best]
    for found in sorted(worthy, key=lambda found: not _goes_on(found, best)):
        if len(chosen) < most and not any(_says_the_same(found.unit, other.unit) for other in chosen):
            chosen.append(found)
    order = {found.hit: rank for rank, found in reversed(list(enumerate(chosen)))}
    return sorted(chosen, key=lambda found: (order[found.hit], found.index))


def _goes_on(found: Found, best: Found) -> bool:
    """Whether a unit stands directly behind the best one, in its paragraph, and is on the matter as well."""
    behind = found.hit == best.hit and found.index == best.index + 1 and found.unit.block == best.unit.block
    return behind and found.score >= 0.6 * best.score


def _bridged(question: Question, pages: _Pages, ranked: list[Found]) -> list[Found]:
    """Two sentences that answer together: one says what X has, the other what that means.

    "How many requests on the Team plan?" finds "the Team plan uses the Standard tier" and "the Standard tier
    allows 300 requests".
    """
    best = ranked[0]
    known = best.unit.stems | best.unit.heading
    for term in (*question.terms, *question.facts):
        if term.names and not term.acronym and pages.forms(term.stem) and not pages.match(term.stem, known):
            ends = _bridge_over(question, pages, ranked, term)
            if ends:
                return ends
    return []


def _bridge_over(question: Question, pages: _Pages, ranked: list[Found], term: Term) -> list[Found]:
    """The sentence that says what a name has, and the one of the best that is about that."""
    least = 0.9 * ranked[0].coverage
    for bridge in ranked:
        if not pages.match(term.stem, bridge.unit.stems):
            continue
        link = _link(term.stem, bridge.unit, question)
        far = next((f for f in ranked[:20] if f.coverage >= least and link & f.unit.stems), None)
        if far is not None and far.unit is not bridge.unit:
            return [bridge, far]
    return []


def _link(term: str, unit: Unit, question: Question) -> frozenset[str]:
    """Stems of names that a clause mentions together with a term, besides those of the question."""
    asked = {other.stem for other in question.terms}
    links: set[str] = set()
    for clause in re.split(r"[,;:]| and ", unit.text):
        if term in content_stems(clause):
            names = (word.text for word in list(words(clause))[1:] if is_name(word.text))
            links.update(part for name in names for part in content_stems(name) if part not in asked)
    return frozenset(links)


def _says_the_same(one: Unit, other: Unit) -> bool:
    if fold(one.text) in fold(other.text) or fold(other.text) in fold(one.text):
        return True
    shared = len(one.stems & other.stems)
    return shared >= 0.85 * max(1, min(len(one.stems), len(other.stems)))
