"""How likely an answer, or one sentence of it, says something its context does not support.

Two readers are heard: the comparison of words (:mod:`harness.scorers.lexical`,
:mod:`harness.scorers.support`) and the model of tokens (:mod:`harness.scorers.token_model`). A logistic
regression over a few of their numbers makes one probability of them. Its coefficients lie in
``grounding_model/calibration.json`` and were fitted on rows with human labels that the model had not been
trained on (``training/grounding.py``).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from operator import attrgetter

import msgspec

from harness.scorers import thesaurus
from harness.scorers.lexical import Comparison, coefficients
from harness.scorers.substitutes import Substitutes, in_answer, in_claim
from harness.scorers.support import Support
from harness.scorers.token_model import TokenRisk

_TOP_OF_SENTENCE = 4
_MOST_LOGIT = 12.0
_DIFFERS = -0.4
"""Least logit of a sentence with a fact that plainly differs: of those that otherwise agree with the
evidence, people marked two in five. The model can't see a "not" that is missing; words can."""
_COPIED = -4.0
"""Logit of a sentence that stands word for word in the evidence."""


class Regression(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A logistic regression.

    Attributes:
        weights: Of each feature, by its name.
        bias: Added to their sum.
        threshold: Probability from which the text counts as unsupported.
    """

    weights: dict[str, float]
    bias: float
    threshold: float

    def logit(self, features: Mapping[str, float]) -> float:
        """Above 0: likelier unsupported than not."""
        return self.bias + sum(weight * features[name] for name, weight in self.weights.items())

    def probability(self, features: Mapping[str, float]) -> float:
        """From 0 to 1."""
        return round(_sigmoid(self.logit(features)), 6)


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fitted regressions.

    Attributes:
        answers: Over :func:`answer_features`.
        sentences: Over :func:`sentence_features`.
        doubt: Logit from which a token counts as unsupported, where the words in doubt are to be shown.
        data: What they were fitted on, in words.
    """

    answers: Regression
    sentences: Regression
    doubt: float
    data: str


@cache
def calibration() -> Calibration:
    """The coefficients inside the package."""
    content = resources.files("harness.scorers").joinpath("grounding_model", "calibration.json").read_bytes()
    return msgspec.json.decode(content, type=Calibration)


def answer_threshold() -> float:
    """Probability from which an answer counts as unsupported; that of words alone without a calibration."""
    try:
        return calibration().answers.threshold
    except (OSError, msgspec.DecodeError):  # the package is damaged: then the model is not used either
        return coefficients().threshold


def answer_features(
    words: float, sentences: Sequence[float], risks: Sequence[TokenRisk], claims: Sequence[Substitutes]
) -> dict[str, float]:
    """What the regression over answers looks at.

    Args:
        words: Probability that the comparison of words gives, 0 to 1.
        sentences: Logits of the regression over sentences, for each claim that is no copy.
        risks: The tokens of the answer, without those of copied claims.
        claims: What stands in each claim instead of the evidence's words.
    """
    return {
        "words": logit(words),
        "peak": _top(risks, 1),
        "worst": max(sentences, default=_COPIED),
        "amount": math.log1p(sum(map(_sigmoid, sentences))),
        **in_answer(claims),
    }


def sentence_features(support: Support, risks: Sequence[TokenRisk]) -> dict[str, float]:
    """What the regression over sentences looks at; ``risks`` are those of the sentence's own tokens."""
    return {
        "missing": 1.0 - support.share,
        "conflicts": float(bool(support.conflicts)),
        "worst": _top(risks, _TOP_OF_SENTENCE),
        "amount": math.log1p(sum(_sigmoid(risk.logit) for risk in risks)),
    }


def of_answer(compared: Comparison, risks: Sequence[TokenRisk]) -> float:
    """Probability, 0 to 1, that an answer says something unsupported."""
    return calibration().answers.probability(features_of(calibration().sentences, compared, risks))


def features_of(sentences: Regression, compared: Comparison, risks: Sequence[TokenRisk]) -> dict[str, float]:
    """What the regression over answers looks at, when sentences are judged by this one."""
    logits: dict[str, float] = {}  # said twice is no more risk than said once
    copied: set[TokenRisk] = set()
    for claim, support, is_copied in zip(compared.claims, compared.supports, compared.copied, strict=True):
        own = inside(risks, claim.start, claim.end)
        if is_copied:
            copied.update(own)
        else:
            logits[claim.text] = sentence_logit(sentences, support, own, copied=False)
    left = [risk for risk in risks if risk not in copied]
    return answer_features(compared.probability, list(logits.values()), left, _substitutes(compared))


def _substitutes(compared: Comparison) -> list[Substitutes]:
    words = thesaurus.default()
    return [in_claim(claim.text, compared.evidence, compared.asked, words) for claim in compared.claims]


def sentence_logit(
    sentences: Regression, support: Support, risks: Sequence[TokenRisk], *, copied: bool
) -> float:
    """Above 0: the sentence is likelier unsupported than not; ``risks`` are those of its own tokens."""
    if copied:
        return _COPIED
    logit = sentences.logit(sentence_features(support, risks))
    return max(logit, _DIFFERS) if support.conflicts else logit


def of_sentence(support: Support, risks: Sequence[TokenRisk], *, copied: bool) -> float:
    """Probability, 0 to 1, that a sentence says something unsupported."""
    return round(_sigmoid(sentence_logit(calibration().sentences, support, risks, copied=copied)), 6)


def moved(probability: float, logits: float) -> float:
    """A probability with so much added to its logit."""
    return round(_sigmoid(logit(probability) + logits), 6)


def doubted(risks: Sequence[TokenRisk], least: float | None = None) -> list[tuple[int, int]]:
    """The ranges of characters that the model doubts, in order; neighbouring tokens make one range."""
    least = calibration().doubt if least is None else least
    runs: list[tuple[int, int]] = []
    for token in risks:
        if token.logit < least:
            continue
        if runs and token.start - runs[-1][1] <= 1:
            runs[-1] = (runs[-1][0], token.end)
        else:
            runs.append((token.start, token.end))
    return runs


def inside(risks: Sequence[TokenRisk], start: int, end: int) -> Sequence[TokenRisk]:
    """The tokens that begin in a range of characters; ``risks`` are in order."""
    first = bisect_left(risks, start, key=attrgetter("start"))
    return risks[first : bisect_left(risks, end, lo=first, key=attrgetter("start"))]


def _top(risks: Sequence[TokenRisk], most: int) -> float:
    top = sorted((risk.logit for risk in risks), reverse=True)[:most]
    return sum(top) / len(top) if top else -_MOST_LOGIT


def _sigmoid(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, value))))


def logit(probability: float) -> float:
    """The logarithm of the odds, within 14 on either side."""
    inner = min(1 - 1e-6, max(1e-6, probability))
    return math.log(inner / (1 - inner))
