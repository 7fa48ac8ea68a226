"""The verdict on one sentence of an answer: the comparison of words and the model of tokens together.

A fact that plainly differs from the evidence (a number, an address, a name, a "not") decides by itself,
because it can be shown. Everything else is decided by the calibrated probability of
:mod:`harness.scorers.risk`, which hears both. Without the model file the comparison of words decides alone.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from harness.scorers import risk
from harness.scorers.claims import Sentence
from harness.scorers.copies import Copies
from harness.scorers.evidence import Evidence
from harness.scorers.markers import without_markers
from harness.scorers.support import Support, support_of
from harness.scorers.token_model import TokenModel, TokenRisk

_NAMED = 3  # doubts that a reason quotes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one sentence.

    Attributes:
        supported: The verdict.
        unsupported_probability: 0 to 1, calibrated; None without the model.
        support: What the comparison of words found, with the best evidence.
        why: What is missing or differs; empty when supported.
        doubts: Ranges of characters of the answer that the model doubts; empty when supported.
    """

    supported: bool
    unsupported_probability: float | None
    support: Support
    why: str
    doubts: tuple[tuple[int, int], ...] = ()


class Verdicts:
    """Judges the sentences of one answer against one body of evidence.

    Args:
        question: What the user asked.
        evidence: What the answer may rest on.
        told: What the users said of themselves.
        answer: The whole answer; its sentences are judged in its light.
        model: None where there is none.
    """

    def __init__(
        self, question: str, evidence: Evidence, told: str, answer: str, model: TokenModel | None
    ) -> None:
        self._evidence = evidence
        self._risks: tuple[TokenRisk, ...] | None = None
        if model and evidence:
            context = f"{evidence.whole()}\n\n{told}".strip()
            self._risks = model.risks(question, context, without_markers(answer))
        self._answer = answer
        self._copies = Copies(evidence.whole())

    def on(self, sentence: Sentence, known: Set[str]) -> Verdict:
        """The verdict on one sentence; ``known`` are stems that need no evidence."""
        support = support_of(sentence.text, self._evidence, known)
        if self._risks is None or not support.window:
            return Verdict(support.supported, None, support, support.why)
        risks = risk.inside(self._risks, sentence.start, sentence.end)
        copied = self._copies.hold(sentence.text)
        probability = risk.of_sentence(support, risks, copied=copied)
        if support.conflicts:
            return Verdict(False, probability, support, support.why, tuple(risk.doubted(risks)))
        if probability < risk.calibration().sentences.threshold:
            return Verdict(True, probability, support, "")
        doubts = tuple(risk.doubted(risks))
        return Verdict(False, probability, support, self._why(support, doubts), doubts)

    def _why(self, support: Support, doubts: Sequence[tuple[int, int]]) -> str:
        longest = sorted(doubts, key=lambda place: place[0] - place[1])[:_NAMED]
        named = ", ".join(repr(" ".join(self._answer[start:end].split())) for start, end in longest)
        found = f"the evidence does not seem to say {named}" if named else ""
        return "; ".join(part for part in (found, support.why) if part) or "it differs from the evidence"
