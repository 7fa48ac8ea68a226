"""Answers made from contexts by rule: faithful ones, and the same with one fact changed, its place known.

They teach the grounding model small differences (a number, a name, a "not") before it sees people's labels,
which hold few of them. Faithful answers are reworded too, so that a new word alone is no sign of an error.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from harness.text import STOP_WORDS, sentences

Change = Callable[[str, "Source", random.Random], "tuple[str, int, int] | None"]
Source = tuple[str, list[str]]
"""A context, and its sentences."""

_OPPOSITES = """
increase/decrease increases/decreases increased/decreased more/less higher/lower before/after always/never
all/some minimum/maximum first/last hot/cold include/exclude includes/excludes enable/disable enabled/disabled
above/below over/under inside/outside early/late earlier/later open/closed public/private allowed/forbidden
required/optional free/paid manual/automatic manually/automatically import/export send/receive add/remove
added/removed accept/reject accepted/rejected approve/deny win/lose won/lost rise/fall rose/fell male/female
old/new older/newer large/small larger/smaller long/short longer/shorter best/worst better/worse good/bad
positive/negative up/down left/right north/south east/west same/different most/least many/few start/end
started/ended begin/finish buy/sell bought/sold success/failure succeed/fail safe/dangerous internal/external
upper/lower fast/slow faster/slower strong/weak stronger/weaker high/low wet/dry light/dark heavy/light
full/empty easy/difficult common/rare with/without only/also must/may can/must should/may every/no
""".split()
_PAIRS = {a: b for pair in _OPPOSITES for a, b in [pair.split("/")]} | {
    b: a for pair in _OPPOSITES for a, b in [pair.split("/")]
}
_LIKE = """
buy/purchase help/assist start/begin show/display need/require use/employ make/create get/obtain big/large
small/little quick/fast also/additionally but/however because/since many/numerous often/frequently
about/approximately usually/typically important/significant main/primary different/various keep/maintain
give/provide tell/inform
ask/request end/finish choose/select change/modify find/locate end/conclude people/individuals children/kids
allow/permit cause/lead doctor/physician car/vehicle house/home illness/disease method/approach job/position
contains/includes requires/needs helps/aids shows/indicates uses/utilizes provides/offers begins/starts
""".split()
_SYNONYMS = {a: b for pair in _LIKE for a, b in [pair.split("/")]} | {
    b: a for pair in _LIKE for a, b in [pair.split("/")]
}
_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_UNITS = [
    "seconds minutes hours days weeks months years".split(),
    "inches feet yards miles".split(),
    "mg grams kg pounds ounces".split(),
    "mm cm meters kilometers".split(),
    "KB MB GB TB".split(),
    "thousand million billion".split(),
]
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
_NAME = re.compile(r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)*\b")
_NOUN = re.compile(r"(?:(?<=\bthe )|(?<=\ba )|(?<=\bhis )|(?<=\bher ))[a-z]{4,}\b")
_VERB = re.compile(r"\b(is|are|was|were|can|will|should|does|do|did|has|have|may|must|could|would)\b(?! not)")
_NOT = re.compile(r"\b(is|are|was|were|can|will|should|does|do|did|may|must|could|would) not\b|\bcannot\b")
_LIMITS = [
    "at least/at most/exactly/up to/more than/less than/around".split("/"),
    "within/after/before".split("/"),
    "until/from/before/after/since".split("/"),
    "always/usually/sometimes/rarely/never".split("/"),
    "all/most/some/few/none of the".split("/"),
    "may/must/cannot/does not have to".split("/"),
    "can/must/cannot/should".split("/"),
    "is expected to/is certain to/is unlikely to".split("/"),
    "has to/does not have to/may/is able to".split("/"),
    "because of/despite/in addition to".split("/"),
    "because/although/unless".split("/"),
    "if/unless/even if".split("/"),
    "each/every/any/every other".split("/"),
    "once/twice/three times".split("/"),
    "one/two/three/four/five/six/seven/eight/nine/ten".split("/"),
    "half/a third/a quarter/most".split("/"),
    "first/second/third/last/final".split("/"),
    "and/or".split("/"),
    "recommends/requires/forbids/allows".split("/"),
    "recommended/required/forbidden/allowed".split("/"),
    "said/denied/suggested".split("/"),
    "before/after/while/instead of".split("/"),
    "other than/such as/including/except".split("/"),
]
_SURE = re.compile(
    r"\b(may|might|could|likely|possibly|probably|reportedly|allegedly|often|usually|some|about|"
    r"expected to)\b"
)
_ADDED = """
only always never immediately automatically already reportedly barely successfully unsuccessfully permanently
temporarily free mandatory optional new former unofficial daily weekly annual illegal
""".split()
_OPENINGS = [
    "Based on the provided passages, ",
    "According to the text, ",
    "Yes, ",
    "In short, ",
    "Overall, ",
    "The context says that ",
    "To answer your question, ",
    "",
    "",
    "",
    "",
    "",
    "",
]


def synthetic_rows(rows: Sequence[dict[str, Any]], count: int, *, seed: int) -> list[dict[str, Any]]:
    """So many labelled answers over the contexts of these rows."""
    random_ = random.Random(seed)
    contexts = list({row["context"]: row for row in rows}.values())
    sources: list[Source] = []
    for row in contexts:
        told = (re.sub(r"^passage \d+:", "", s.text) for s in sentences(row["context"]))
        found = [text for text in told if 5 <= len(text.split()) <= 60]
        sources.append((row["context"], found))
    usable = [i for i, (_, found) in enumerate(sources) if len(found) >= 2]
    made: list[dict[str, Any]] = []
    while len(made) < count:
        index = random_.choice(usable)
        other = sources[random_.choice(usable)]
        made += _answers(contexts[index], sources[index], other, random_)
    return made[:count]


def _answers(
    row: dict[str, Any], source: Source, other: Source, random_: random.Random
) -> list[dict[str, Any]]:
    """An answer with one error and, half the time, the same answer without it."""
    count = min(len(source[1]), random_.choice([1, 1, 1, 2, 2, 3, 4, 5]))
    begin = random_.randrange(len(source[1]) - count + 1)
    chosen = source[1][begin : begin + count] if random_.random() < 0.5 else random_.sample(source[1], count)
    chosen = [_reworded(sentence, random_) for sentence in chosen]
    opening, joint = random_.choice(_OPENINGS), " " if random_.random() < 0.85 else "\n"
    faithful = _row(row, opening + joint.join(chosen), [])
    if random_.random() < 0.2:
        return [faithful]
    wrong = random_.randrange(len(chosen))
    changed = _changed(chosen[wrong], source, other, random_)
    if not changed:
        return [faithful]
    sentence, start, end = changed
    at = len(opening) + sum(len(text) + 1 for text in chosen[:wrong])
    text = opening + joint.join([*chosen[:wrong], sentence, *chosen[wrong + 1 :]])
    bad = _row(row, text, [[at + start, at + end, "synthetic"]])
    return [faithful, bad] if random_.random() < 0.6 else [bad]


def _row(row: dict[str, Any], answer: str, spans: list[Any]) -> dict[str, Any]:
    return {
        "id": "synthetic",
        "set": "synthetic",
        "question": row["question"],
        "context": row["context"],
        "answer": answer,
        "label": int(bool(spans)),
        "spans": spans,
        "source_id": row["source_id"],
        "source_model": "rules",
    }


def _reworded(sentence: str, random_: random.Random) -> str:
    """The same said a little differently."""
    if random_.random() < 0.4:
        sentence = re.sub(r"\s*\([^()]*\)", "", sentence)
    if random_.random() < 0.3 and ", " in sentence:
        first, _, rest = sentence.partition(", ")
        if len(first.split()) <= 6 and len(rest.split()) >= 6:
            sentence = rest[0].upper() + rest[1:]

    def other(match: re.Match[str]) -> str:
        word = match.group()
        return _SYNONYMS[word] if word in _SYNONYMS and random_.random() < 0.6 else word

    return _WORD.sub(other, sentence)


def _changed(
    sentence: str, source: Source, other: Source, random_: random.Random
) -> tuple[str, int, int] | None:
    kinds: list[Change] = [
        _number,
        _number,
        _date,
        _unit,
        _name,
        _name,
        _negated,
        _negated,
        _opposite,
        _limit,
        _limit,
        _roles,
        _roles,
        _swapped,
        _swapped,
        _sure,
        _added,
    ]
    random_.shuffle(kinds)
    if random_.random() < 0.15:
        added = _reworded(random_.choice(other[1]), random_)
        if random_.random() < 0.5:
            return added, 0, len(added)
        joined = sentence.rstrip(" .!") + random_.choice([", and ", ", because ", ", which means that "])
        tail = added[0].lower() + added[1:]
        return joined + tail, len(joined), len(joined) + len(tail)
    for kind in kinds:
        if changed := kind(sentence, source, random_):
            return changed
    return None


def _put(sentence: str, start: int, end: int, new: str) -> tuple[str, int, int]:
    return sentence[:start] + new + sentence[end:], start, start + len(new)


def _one(pattern: re.Pattern[str], sentence: str, random_: random.Random) -> re.Match[str] | None:
    found = list(pattern.finditer(sentence))
    return random_.choice(found) if found else None


def _number(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    match = _one(_NUMBER, sentence, random_)
    if not match:
        return None
    old = match.group()
    others = [n for n in set(_NUMBER.findall(source[0])) if n != old]
    if others and random_.random() < 0.4:
        return _put(sentence, *match.span(), random_.choice(sorted(others)))
    digits = [i for i, c in enumerate(old) if c.isdigit()]
    at = random_.choice(digits)
    new = old[:at] + random_.choice([d for d in "123456789" if d != old[at]]) + old[at + 1 :]
    return _put(sentence, *match.span(), new)


def _of_lists(
    lists: Sequence[Sequence[str]], sentence: str, random_: random.Random
) -> tuple[str, int, int] | None:
    found = [(m, group) for m in _WORD.finditer(sentence) for group in lists if m.group() in group]
    if not found:
        return None
    match, group = random_.choice(found)
    return _put(sentence, *match.span(), random_.choice([w for w in group if w != match.group()]))


def _date(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    return _of_lists([_MONTHS, _DAYS], sentence, random_)


def _unit(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    return _of_lists(_UNITS, sentence, random_)


def _name(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    found = [m for m in _NAME.finditer(sentence) if m.start() > 0]
    others = sorted(
        {
            m.group()
            for m in _NAME.finditer(source[0])
            if m.start() > 0 and m.group().lower() not in STOP_WORDS
        }
    )
    if not found:
        return None
    match = random_.choice(found)
    others = [o for o in others if o not in match.group() and match.group() not in o]
    return _put(sentence, *match.span(), random_.choice(others)) if others else None


def _negated(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    if match := _one(_NOT, sentence, random_):
        new = "can" if match.group() == "cannot" else match.group(1)
        return _put(sentence, *match.span(), new)
    match = _one(_VERB, sentence, random_)
    if not match:
        return None
    return _put(sentence, *match.span(), f"{match.group()} not" if match.group() != "can" else "cannot")


def _opposite(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    found = [m for m in _WORD.finditer(sentence) if m.group() in _PAIRS]
    if not found:
        return None
    match = random_.choice(found)
    return _put(sentence, *match.span(), _PAIRS[match.group()])


def _swapped(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    """A word replaced by another of the context with the same ending: mostly of the same kind."""
    mine = [
        m
        for m in _WORD.finditer(sentence)
        if len(m.group()) > 4 and m.group().islower() and m.group() not in STOP_WORDS
    ]
    if not mine:
        return None
    match = random_.choice(mine)
    ending = match.group()[-3:]
    others = sorted(
        {
            w
            for w in _WORD.findall(source[0])
            if w.islower() and len(w) > 4 and w.endswith(ending) and w not in sentence
        }
    )
    return _put(sentence, *match.span(), random_.choice(others)) if others else None


def _limit(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    """How much, how often, how surely or under which condition, said otherwise."""
    found = [
        (match, group)
        for group in _LIMITS
        for phrase in group
        for match in re.finditer(rf"\b{re.escape(phrase)}\b", sentence)
        if phrase != "and" or random_.random() < 0.1
    ]
    if not found:
        return None
    match, group = random_.choice(found)
    return _put(sentence, *match.span(), random_.choice([p for p in group if p != match.group()]))


def _roles(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    """Two names, numbers or nouns of the sentence in each other's place."""
    pattern = random_.choice([_NAME, _NUMBER, _NOUN])
    found = [m for m in pattern.finditer(sentence) if m.start() > 0 and m.group().lower() not in STOP_WORDS]
    if len(found) < 2:
        return None
    one, two = sorted(random_.sample(found, 2), key=lambda m: m.start())
    if one.group() == two.group() or one.end() > two.start() or two.end() - one.start() > 90:
        return None
    new = two.group() + sentence[one.end() : two.start()] + one.group()
    return _put(sentence, one.start(), two.end(), new)


def _sure(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    """A hedge taken away or turned into certainty."""
    match = _one(_SURE, sentence, random_)
    certain = {
        "may": "will",
        "might": "will",
        "could": "will",
        "some": "all",
        "often": "always",
        "usually": "always",
        "expected to": "guaranteed to",
        "about": "exactly",
    }
    return _put(sentence, *match.span(), certain.get(match.group(), "certainly")) if match else None


def _added(sentence: str, source: Source, random_: random.Random) -> tuple[str, int, int] | None:
    """A word that narrows or widens what is said, put before a word of the sentence."""
    found = [
        m for m in _WORD.finditer(sentence) if m.start() > 0 and len(m.group()) > 4 and m.group().islower()
    ]
    word = random_.choice(_ADDED)
    if not found or re.search(rf"\b{word}\b", source[0]):
        return None
    match = random_.choice(found)
    return _put(sentence, match.start(), match.start(), f"{word} ")
