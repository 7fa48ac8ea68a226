"""What each scorer measures, in words: for explanations of stored scores, and for docs/scorers.md.

The documents say the same, word for word; ``tests/house/test_scorers.py`` holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Input = Literal["user", "answer", "passages", "citations", "calls", "run", "deletion", "instructions"]


@dataclass(frozen=True, slots=True)
class Definition:
    """What a scorer measures.

    Attributes:
        definition: What is asked.
        formula: How the value comes about.
        range: Which values there are.
        evidence: What a score shows of what it rests on.
        accuracy: How well it was found to agree with people.
        blind_spots: What it can't see.
        inputs: What of a turn it looks at.
    """

    definition: str
    formula: str
    range: str
    evidence: str
    accuracy: str
    blind_spots: str
    inputs: tuple[Input, ...]


PARTS = ("definition", "formula", "range", "evidence", "accuracy", "blind_spots")
_EXACT = "exact: nothing is estimated"

DEFINITIONS: dict[str, Definition] = {
    "answers": Definition(
        definition="the text of the answer is like the suite says, one score for each part that is given",
        formula="comparison of folded text (case, spacing, quotes); `similar`: token-set ratio / 100, at "
        "least 0.8; `words`: a count",
        range="true or false; a share from 0 to 1 for `similar`, a number for `words`",
        evidence="`missing` or `found` texts, the `nearest` passage with its likeness, `looked_at`",
        accuracy=_EXACT,
        blind_spots="wording is compared, not meaning",
        inputs=("answer",),
    ),
    "grounding": Definition(
        definition="the answer's claims are supported by what the assistant had before it",
        formula="supported claims / claims; at least `min`",
        range="0 to 1; no value without claims or without texts of evidence",
        evidence="`sentences` with offsets, kind, verdict, why, and the best passage; `claims`, "
        "`supported_claims`, `cut_off`",
        accuracy="measured against human labels and on pairs that differ in one fact (docs/benchmarks.md)",
        blind_spots="a paraphrase without common words looks unsupported, a wrong relation between right "
        "words supported; English only",
        inputs=("user", "answer", "passages", "calls"),
    ),
    "citations": Definition(
        definition="every annotation points at a document that was retrieved in this talk, and those that "
        "the suite names are cited",
        formula="`cites`: all annotations resolve; `cites.supported`: cited sentences whose chunk supports "
        "them / cited sentences",
        range="true or false; 0 to 1 for `cites.supported`, which only informs",
        evidence="`citations`, each with marker, filename, sentence, problem and supported",
        accuracy=f"{_EXACT} for `cites`; `cites.supported` is as accurate as grounding",
        blind_spots="documents that an answer names in words, without an annotation, are not citations",
        inputs=("answer", "citations", "passages"),
    ),
    "escalation": Definition(
        definition="the assistant hands over to a person exactly when the suite says",
        formula="handed over = a phrase of the assistant file is said or a hand-over promised in the first "
        "person, or one of its functions called without error; compared with what is expected",
        range="the labels `escalated`, `none`, `missed`, `false_alarm`, `late`",
        evidence="`expected`, `observed`, and `found`: turn, by what, and the sentence or call",
        accuracy="measured on labelled messages and whole talks (docs/benchmarks.md); exact for calls",
        blind_spots="English only; unusual trades and names as the one who takes over; hand-overs that are "
        "only meant; irony",
        inputs=("user", "answer", "calls"),
    ),
    "tools": Definition(
        definition="functions are called as the suite says, and never otherwise than their schema allows",
        formula="calls that match name and arguments are counted and compared with `times`",
        range="true or false",
        evidence="`matched` call ids, and the `others` with the first mismatch of each",
        accuracy=_EXACT,
        blind_spots="whether a call was wise, where the suite says nothing of it",
        inputs=("calls",),
    ),
    "scope": Definition(
        definition="an off-topic request is turned away politely, or missing information admitted",
        formula="a sentence that turns away or abstains is there, and for `redirects` no claim or citation "
        "beside it",
        range="true or false",
        evidence="`sentences` that turn away or abstain with their turn, `claims` beside them",
        accuracy="by rules of English wording; on the sample suites all are right, elsewhere not measured",
        blind_spots="wording that the rules don't know; other languages",
        inputs=("answer", "citations"),
    ),
    "limits": Definition(
        definition="status, time, tokens, cost and steps are within their range, hosted tools used or not",
        formula="as the target reported it; sums over the turns of a conversation; cost = tokens and "
        "sessions at list prices",
        range="a status, seconds, tokens, USD or a count; true or false for tools",
        evidence="what the number is made of, and the range",
        accuracy=f"{_EXACT}; what the target does not report is unknown, never 0",
        blind_spots="time that the target itself waited for others is latency",
        inputs=("run", "calls"),
    ),
    "deletion": Definition(
        definition="a user who asks to be forgotten is",
        formula="true when all that was deleted is asked for again and the target says it is not there",
        range="true or false",
        evidence="`deleted` ids, and what is not known to be gone",
        accuracy=f"{_EXACT}, as far as the target tells the truth",
        blind_spots="copies that a target keeps and does not tell of",
        inputs=("deletion",),
    ),
    "stubs": Definition(
        definition="a finding: a function call that no stub of the suite answered as it should",
        formula="one for each such call",
        range="no value: it neither passes nor fails",
        evidence="`call`, `arguments`",
        accuracy=_EXACT,
        blind_spots="stubs that answer, but not as the real function would",
        inputs=("calls",),
    ),
    "plugins": Definition(
        definition="a finding: an installed package that brings a scorer and can't be used",
        formula="one for each such package",
        range="no value: it neither passes nor fails",
        evidence="`package`, `traceback`",
        accuracy=_EXACT,
        blind_spots="packages that load and judge wrongly",
        inputs=(),
    ),
    "perturbation": Definition(
        definition="with varied words of the user something stays as it was with the user's own",
        formula="what the variation brought is compared with what all repeats of the unchanged conversation "
        "brought; `varied` names the kinds of change",
        range="true or false; kinds of change for `varied`, which only informs",
        evidence="of `varied`: `of` (the conversation) and `changes`, each with kind, turn, before and after",
        accuracy="as accurate as the scorers that tell what each trial brought",
        blind_spots="a change that makes another request of the words, as a typo can",
        inputs=("user", "answer"),
    ),
}

PACKAGE = Definition(
    definition="what the scorer of an installed package says; its own documents tell more",
    formula="the package's own",
    range="true or false, a number or a label",
    evidence="the package's own; `traceback` when it failed",
    accuracy="nothing is known of it here",
    blind_spots="nothing is known of it here",
    inputs=("user", "answer"),
)
"""What can be said of a scorer that a package brings."""


def definition_of(scorer: str) -> Definition:
    """What a scorer measures, by its name in scores."""
    return DEFINITIONS.get(scorer, PACKAGE)
