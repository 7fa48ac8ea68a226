"""How likely an answer says something its context does not support, from words alone.

A logistic regression over countable features; its coefficients lie in ``lexical.json`` beside this
module and are made by ``benchmarks/grounding.py --fit``. No model file, no network, the same result
everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise

import msgspec

from harness.errors import ScorerError
from harness.scorers import facts
from harness.scorers.claims import Sentence, sorted_out
from harness.scorers.copies import Copies
from harness.scorers.evidence import Evidence, Passage, content_words
from harness.scorers.support import Support, support_of
from harness.text import STOP_WORDS, fold, words

FEATURES = (
    "novel_words",
    "novel_share",
    "novel_run",
    "novel_pairs",
    "novel_pair_share",
    "worst_share",
    "unsupported",
    "conflicts",
    "abstains",
)
"""Counts are logarithms of one more than the count; shares are 0 to 1."""


class Coefficients(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fitted regression.

    Attributes:
        features: Names, in the order of the other lists.
        mean: Of each feature over the fitted rows.
        scale: Standard deviation of each feature.
        weight: Of each feature once standardised.
        bias: Added to their sum.
        threshold: Probability from which an answer counts as unsupported.
        data: What it was fitted on, in words.
    """

    features: list[str]
    mean: list[float]
    scale: list[float]
    weight: list[float]
    bias: float
    threshold: float
    data: str


@cache
def coefficients() -> Coefficients:
    """The coefficients inside the package.

    Raises:
        ScorerError: They are missing or damaged.
    """
    try:
        return msgspec.json.decode(_folder().joinpath("lexical.json").read_bytes(), type=Coefficients)
    except (OSError, msgspec.DecodeError) as problem:
        raise ScorerError(
            f"lexical.json can't be read: {problem}", hint="install the package again"
        ) from problem


def _folder() -> Traversable:
    return resources.files("harness.scorers")


class Comparison(msgspec.Struct, frozen=True):
    """An answer's claims held against a context, word by word.

    Attributes:
        claims: The sentences that claim something.
        supports: How well the context supports each.
        copied: Whether each stands word for word in the context.
        features: What the regression looks at.
        probability: That something is unsupported, 0 to 1.
        evidence: The context.
        asked: Stems of the question.
    """

    claims: list[Sentence]
    supports: list[Support]
    copied: list[bool]
    features: dict[str, float]
    probability: float
    evidence: Evidence
    asked: set[str]


def compare(question: str, context: str, answer: str) -> Comparison | None:
    """Hold an answer against a context; None when it claims nothing."""
    found = sorted_out(answer)
    claims = [sentence for sentence in found if sentence.kind == "claim"]
    if not claims:
        return None
    evidence = Evidence([Passage(context)])
    asked = facts.stems_of_text(question)
    known = asked & facts.names(question)
    supports = [support_of(claim.text, evidence, known) for claim in claims]
    texts = [claim.text for claim in claims]
    copies = Copies(context)
    made = {
        **_novelty(texts, evidence.stems | asked),
        **_pairs(texts, context),
        **_shares(supports),
        "abstains": float(any(sentence.kind == "abstention" for sentence in found)),
    }
    copied = [copies.hold(text) for text in texts]
    probability = _probability(made) if content_words(context) else 1.0
    return Comparison(claims, supports, copied, made, probability, evidence, asked)


def _probability(found: Mapping[str, float]) -> float:
    model = coefficients()
    parts = zip(model.features, model.mean, model.scale, model.weight, strict=True)
    total = model.bias + sum(w * (found[name] - mean) / scale for name, mean, scale, w in parts)
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def _novelty(claims: Sequence[str], known: set[str]) -> dict[str, float]:
    """Words that neither context nor question hold: how many, what share, the longest run of them."""
    told = [[word.stands_in(known) for word in content_words(claim)] for claim in claims]
    novel = sum(not known_word for line in told for known_word in line)
    total = sum(map(len, told))
    return {
        "novel_words": math.log1p(novel),
        "novel_share": novel / max(1, total),
        "novel_run": math.log1p(max((_longest_run(line) for line in told), default=0)),
    }


def _longest_run(line: Sequence[bool]) -> int:
    longest = run = 0
    for known_word in line:
        run = 0 if known_word else run + 1
        longest = max(longest, run)
    return longest


def _pairs(claims: Sequence[str], context: str) -> dict[str, float]:
    """Neighbouring content words that are no neighbours in the context."""
    there = set(pairwise(_content(context)))
    mine = [pair for claim in claims for pair in pairwise(_content(claim))]
    novel = sum(pair not in there for pair in mine)
    return {"novel_pairs": math.log1p(novel), "novel_pair_share": novel / max(1, len(mine))}


def _content(text: str) -> list[str]:
    found = (facts.stems_of(word.text) for word in words(fold(text)) if word.text not in STOP_WORDS)
    return [stems[0] for stems in found if stems]


def _shares(supports: Sequence[Support]) -> dict[str, float]:
    return {
        "worst_share": min(support.share for support in supports),
        "unsupported": math.log1p(sum(not support.supported for support in supports)),
        "conflicts": math.log1p(sum(len(support.conflicts) for support in supports)),
    }
