"""A question as terms: which words count how much, and what kind of answer it wants."""

from __future__ import annotations

import re

import msgspec

from harness.server.llms.extractive.lexicon import CUES, generic_stems, in_usual_words
from harness.text import STOP_WORDS, content_stems, fold, stem, words

#: A question that counts what stands around it so much is compared together with it.
_LEANS = 0.3


class Term(msgspec.Struct, frozen=True):
    """One word of the question: its stem, how much it counts, and whether it names something."""

    stem: str
    weight: float
    names: bool = False
    acronym: bool = False


class Question(msgspec.Struct, frozen=True):
    """A question as terms: its own, those of its context, and what kind of answer it wants."""

    text: str
    terms: tuple[Term, ...]
    context: tuple[Term, ...]
    cues: frozenset[str]
    trouble: bool = False
    borrowed: bool = False
    follows: bool = True
    lean: float = 0.5
    facts: tuple[Term, ...] = ()
    around: str = ""

    @property
    def whole(self) -> str:
        """Its words behind those that it cannot be understood without."""
        leans = self.follows or self.lean >= _LEANS
        return " ".join(f"{self.around if leans else ''} {self.text}".split())


def read_question(
    text: str,
    context: str = "",
    *,
    extra: str = "",
    implied: frozenset[str] = frozenset(),
    trouble: bool = False,
    follows: bool = True,
    lean: float | None = None,
) -> Question:
    """The question of a text.

    ``context`` are earlier questions, which count for ranking: much when the text ``follows`` from them, a
    little otherwise. ``extra`` are words that count as its own, ``implied`` stems go without saying: the
    company's name in a question to the company.
    """
    own = [Term(t.stem, GENERIC_WEIGHT) if t.stem in implied else t for t in _terms(text)]
    known = {term.stem for term in own}
    facts = [term for term in _terms(extra) if term.stem not in known]
    around = facts + [term for term in _terms(context) if term.stem not in known]
    around = list({term.stem: term for term in reversed(around)}.values())
    telling = sum(term.weight for term in own if term.stem not in _ANY_PRICE)
    borrowed = follows and bool(around) and telling < 1.0
    if borrowed:
        # Nothing of its own to go by: what was asked before is asked again.
        own, around = own + [Term(term.stem, term.weight * 0.8) for term in around], []
    folded = fold(text)
    cues = frozenset(name for name, pattern in CUES.items() if pattern.search(folded))
    if lean is None:
        lean = 0.5 if follows else 0.12
    return Question(
        text,
        tuple(own),
        tuple(around),
        cues,
        trouble,
        borrowed,
        follows and bool(around),
        lean,
        tuple(facts),
        " ".join(part for part in (context, extra) if part),
    )


#: What is asked of a subject named before: "What would that cost?".
_ANY_PRICE = frozenset(content_stems("cost price fee charge expensive cheap euros dollars pounds"))
GENERIC_WEIGHT = 0.2


def _terms(text: str) -> list[Term]:
    found: dict[str, Term] = {}
    begins = True
    text = _ASKED_FOR.sub(" ", in_usual_words(re.sub(r"([A-Za-z])\1{2,}", r"\1", text)))
    for span in words(text):
        folded = fold(span.text)
        if "@" not in folded:
            for part in _stems(folded):
                generic = part in generic_stems() or bool(_SAYS_LITTLE.fullmatch(folded))
                names = (
                    not generic
                    and not CALENDAR.fullmatch(folded)
                    and ((is_name(span.text) and not begins) or is_code(span.text))
                )
                weight = GENERIC_WEIGHT if generic else 1.0
                found.setdefault(part, Term(part, weight, names, span.text.isupper()))
        begins = text[span.end : span.end + 1] in (".", "?", "!", ":", "\n")
    return list(found.values())


CALENDAR = re.compile(
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april|may|june|july|"
    r"august|september|"
    r"october|november|december|english|internet|wi-fi|pdf|e-?mail|ok"
)
MONTH_STEMS = frozenset(
    content_stems("january february march april june july august september october november")
)
#: What a question word asks for is a cue, not a word to be found.
_ASKED_FOR = re.compile(r"\bhow (?:long|many|much|often|soon)\b", re.IGNORECASE)
#: Adverbs of manner and small numbers.
_SAYS_LITTLE = re.compile(r"\d{1,2}|(?!(?:reply|apply|supply|monthly|weekly|daily|yearly|family)$)\w{3,}ly")


def _stems(word: str) -> list[str]:
    if word in STOP_WORDS:
        return []
    if word == "founded":
        return ["founder"]
    parts = content_stems(word)
    if is_code(word):
        return [word]
    if len(parts) > 1:
        # A compound is its parts; the whole would be missing wherever it is spelt apart.
        parts = parts[1:] if all(len(part) > 1 for part in parts[1:]) else parts[:1]
    return [part for part in parts if len(part) > 1 or part.isdigit()]


def is_name(word: str) -> bool:
    """Whether a word is written like a name."""
    return word[:1].isupper() and fold(word) not in STOP_WORDS and word != "I"


def is_code(word: str) -> bool:
    """Whether a word has letters and digits, as names of products and parts do."""
    return any(c.isdigit() for c in word) and any(c.isalpha() for c in word)


def term_stems(text: str) -> set[str]:
    """The stems of a text that say what it is about."""
    return {term.stem for term in _terms(text) if term.weight > GENERIC_WEIGHT and stem(term.stem)}
