"""Words of an answer that stand where the evidence has another word, or none: its synonyms and opposites.

A word that the evidence lacks is no sign of invention when it means the same as one that stands there, and a
grave one when it means the contrary; a "not" where nothing near denies anything is as grave. The model of
tokens knows too little of what words mean to tell these apart.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from harness.scorers import facts
from harness.scorers.evidence import Evidence, content_words
from harness.scorers.thesaurus import Thesaurus


@dataclass(frozen=True, slots=True)
class Substitutes:
    """What stands in one claim instead of the evidence's words.

    Attributes:
        synonyms: Words that the evidence lacks, and a word of the same meaning stands near.
        opposites: Words that the evidence lacks, and a word of the contrary meaning stands near.
        negations: 1 where the claim denies something and nothing near does, else 0.
    """

    synonyms: int = 0
    opposites: int = 0
    negations: int = 0


def in_claim(claim: str, evidence: Evidence, known: Set[str], thesaurus: Thesaurus) -> Substitutes:
    """What stands in a claim instead of the evidence's words.

    Args:
        claim: One sentence.
        evidence: What it may rest on; near is what stands in the windows that are most like the claim.
        known: Stems that need no evidence, such as those of the question.
        thesaurus: Knows what words mean.
    """
    words = content_words(claim)
    novel = [word.name for word in words if not evidence.holds(word) and not word.stands_in(known)]
    related = [thesaurus.related(name) for name in novel]
    denies = facts.denies(claim)
    if not denies and not any((each.synonyms | each.opposites) & evidence.stems for each in related):
        return Substitutes()  # the search for what stands near can be spared
    windows = evidence.best(words)
    near = {stem for window in windows for stem in evidence.stems_in(window)}
    contrary = [each for each in related if each.opposites & near]
    return Substitutes(
        synonyms=sum(bool(each.synonyms & near) for each in related if each not in contrary),
        opposites=len(contrary),
        negations=int(denies and not any(facts.denies(evidence.text(window)) for window in windows)),
    )


def in_answer(claims: Sequence[Substitutes]) -> dict[str, float]:
    """All of an answer's, by name, in relation to its length.

    Counts are divided by the square of the number of claims: one word is most of what a single sentence says,
    and next to nothing of what a long answer does.
    """
    share = 1.0 / max(1, len(claims)) ** 2
    return {
        "synonyms": share * sum(each.synonyms for each in claims),
        "opposites": share * sum(each.opposites for each in claims),
        "negations": share * sum(each.negations for each in claims),
    }
