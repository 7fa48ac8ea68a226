"""What each scorer measures, in words: for explanations of stored scores, and for docs/scorers.md.

The documents say the same, word for word: ``python -m harness.scorers.definitions docs/scorers.md`` writes
the tables there again after something has changed here.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
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
        "least 0.8, by meaning: cosine of vectors, at least 0.7; `words`: a count",
        range="true or false; 0 to 1 for `similar`; a number for `words`",
        evidence="`missing` or `found` texts, the `nearest` passage with its likeness, `looked_at`, "
        "`passage`, `shares` of languages",
        accuracy=f"{_EXACT}, but for `similar` by meaning and `language`",
        blind_spots="wording is compared, not meaning, unless the suite asks for it",
        inputs=("answer",),
    ),
    "grounding": Definition(
        definition="the answer's claims are supported by what its tools found, or by its documents",
        formula="supported claims / claims; at least `min`. A claim is unsupported when a number, name, "
        "address or negation of it plainly differs, or when the calibrated probability of words and model "
        "reaches the threshold",
        range="0 to 1; no value without claims, without texts of evidence, or without a claim in English",
        evidence="`sentences` with offsets, kind, label, probability, why, `doubts` and the best passage "
        "(document, page, chunk, offsets); `claims`, `supported_claims`, `against`, `cut_off`, `model`, "
        "`in_other_languages` where claims were not measured",
        accuracy="measured against human labels and on pairs that differ in one fact (docs/benchmarks.md)",
        blind_spots="who did what to whom, a 'not' too many or too few in other words than the evidence's, "
        "conditions and the order of events are often missed; arithmetic over the evidence; tables beyond "
        "single rows; English only",
        inputs=("user", "answer", "passages", "calls"),
    ),
    "citations": Definition(
        definition="every citation points at a passage that was retrieved in this talk, the documents that "
        "the suite names are cited, and what is cited supports what it stands beside",
        formula="`cites`: all citations resolve; `cites.claims`: claims with a citation / claims; "
        "`cites.supported`: cited claims that their passages support / cited claims",
        range="true or false; 0 to 1 for the two shares, which only inform unless the suite gives a `min`",
        evidence="`citations`, each with marker, filename, sentence, problem and supported; `uncited` and "
        "`unsupported` claims",
        accuracy=f"{_EXACT} for `cites`; the shares are as accurate as grounding by words",
        blind_spots="documents that an answer names in words, without an annotation, are not citations",
        inputs=("answer", "citations", "passages"),
    ),
    "escalation": Definition(
        definition="the assistant hands over to a person exactly when the suite says",
        formula="handed over = a phrase of the assistant file is said or a hand-over promised in the first "
        "person, or one of its functions called without error; compared with what is expected",
        range="the labels `escalated` and `none`, or the gravest kind of error",
        evidence="`expected`, `observed`, `found` (turn, by what, the sentence or call), `findings` (kind, "
        "why, cost)",
        accuracy="measured on labelled messages and whole talks (docs/benchmarks.md); exact for calls",
        blind_spots="English only; drafts and logs that speak of hand-overs; advice worded around the "
        "person; irony",
        inputs=("user", "answer", "calls"),
    ),
    "tools": Definition(
        definition="functions are called as the suite says, and never otherwise than their schema allows",
        formula="calls that match name and arguments are counted and compared with `times`; `trajectory`: "
        "the order and set of calls",
        range="true or false; 0 to 1 for the score of a trajectory",
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
    "tone": Definition(
        definition="answers sound as the suite says: no jargon the user did not use first, friendly, clear",
        formula="`tone.jargon`: terms not explained; `tone.friendly`: signs out of five; `tone.clear`: mean "
        "of reading ease / 60, share of short sentences, share of words in short paragraphs",
        range="a count for jargon, 0 to 1 for friendly and clear, numbers for reading ease and words",
        evidence="`terms` (term, turn, source), `signs` (the words found), `parts` of clarity, counts",
        accuracy="exact as counts; how people feel about an answer is not measured",
        blind_spots="irony, warmth without the usual words, jargon that no document holds; English only",
        inputs=("user", "answer"),
    ),
    "memory": Definition(
        definition="what the user told in an earlier turn is used, and not asked for again",
        formula="`remembers.used`: facts that the answer says or a call has / facts that must be used; "
        "`remembers.not_asked`: no question or request names what was told",
        range="0 to 1 for `used`; true or false for `not_asked`; none where the user did not tell the fact",
        evidence="`facts` (value, the turn that told it, where it is used), `asked` (turn and sentence)",
        accuracy="exact for facts in the user's own words; questions are told by rules of English wording",
        blind_spots="a fact that is used in other words, or only shapes the answer",
        inputs=("user", "answer", "calls"),
    ),
    "judge": Definition(
        definition="a chat model decides by a rubric of the suite",
        formula="the label, or number of a scale, that more than half of the votes gave",
        range="the rubric's labels or numbers; no value when votes don't agree or the judge abstains",
        evidence="`label`, `met`, `share` and `votes`, `models`, `calibration`, `informational`",
        accuracy="what its own calibration against people says; without one it only informs",
        blind_spots="those of the model that judges",
        inputs=("user", "answer", "passages", "calls"),
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


# --- the documents' tables ------------------------------------------------------------------------------

_TABLE = re.compile(r"\n*\| \| \|\n\| --- \| --- \|\n\| definition \|(?:.*\n)(?:\|.*\n)*")


def with_tables(text: str) -> str:
    """The text of docs/scorers.md with a table of definitions at the end of each scorer's section."""
    for name, definition in DEFINITIONS.items():
        head, heading, rest = text.partition(f"\n## {name}\n")
        if heading:
            section, following, others = rest.partition("\n## ")
            written = f"{_TABLE.sub('', section).rstrip()}\n\n{_table(definition)}"
            text = (
                f"{head}{heading}{'' if written.startswith(chr(10)) else chr(10)}{written}{following}{others}"
            )
    return text


def _table(definition: Definition) -> str:
    rows = (f"| {part.replace('_', ' ')} | {getattr(definition, part)} |\n" for part in PARTS)
    return f"| | |\n| --- | --- |\n{''.join(rows)}"


if __name__ == "__main__":
    documents = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/scorers.md")
    documents.write_text(with_tables(documents.read_text("utf-8")), "utf-8")
