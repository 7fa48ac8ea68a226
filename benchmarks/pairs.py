"""Measure a grounding scorer on minimal pairs: two sentences that differ in one fact.

    python -m benchmarks.pairs fixtures/grounding/pairs [--no-claims FILE] [--misses]

Each file holds short support texts with pairs of sentences: one that its text supports, and the same with one
fact changed. The scorer is ``harness.scorers.grounding.score_answers``, which gives the probability that an
answer is not supported. Printed per kind of change: how often the changed sentence scores strictly higher
than the supported one, how often the two score the same, and the AUROC over all sentences of the kind. A
scorer that goes by words alone is found out by the line of values that stand elsewhere in the same text.
With ``--no-claims`` also how often sentences that claim nothing (abstentions, greetings, offers, questions)
are given any probability at all.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from benchmarks.grounding import Array, auroc
from harness.errors import HarnessError
from harness.scorers.grounding import THRESHOLD, score_answers
from harness.yamlfile.checked import FileRecord, read_checked

Kind = Literal[
    "number",
    "date",
    "unit",
    "name",
    "negation",
    "version",
    "limit",
    "condition",
    "quantity",
    "order",
    "attribution",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
VALUES: frozenset[Kind] = frozenset({"number", "date", "unit", "name", "version", "attribution"})
"""Kinds in which one value takes the place of another; in the rest the words around a value change."""

_WORD = re.compile(r"\w+(?:[.,:'’-]\w+)*")


class Pair(FileRecord):
    """One sentence twice, with one fact changed."""

    kind: Kind
    """What sort of fact was changed."""
    question: str = ""
    """What was asked; empty when the sentence stands for itself."""
    supported: str
    """True according to the text."""
    unsupported: str
    """The same sentence with one fact that the text does not support."""

    def changed(self) -> tuple[list[str], list[str]]:
        """The words of the supported sentence that give way, and those that come instead."""
        before, after = words(self.supported), words(self.unsupported)
        gone: list[str] = []
        came: list[str] = []
        for tag, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if tag != "equal":
                gone += before[i:j]
                came += after[k:m]
        return gone, came


class SupportText(FileRecord):
    """A short text as a business would give it to its assistant, with what may be said of it."""

    id: str
    """Its name, once in all files."""
    trade: str
    """What the invented business does."""
    form: str
    """The sort of text: a policy, release notes, a price list."""
    text: str
    """The text itself, in Markdown."""
    pairs: tuple[Pair, ...] = Field(min_length=1)
    """Sentences about it."""

    def holds(self, found: Sequence[str]) -> bool:
        """Whether all these words stand in the text."""
        return bool(found) and set(found) <= set(words(self.text))


class PairFile(FileRecord):
    """One file of texts."""

    texts: tuple[SupportText, ...] = Field(min_length=1)
    """Texts of related trades."""


class NoClaims(FileRecord):
    """Sentences that documents can neither support nor contradict."""

    abstention: tuple[str, ...]
    """Admitting not to know."""
    greeting: tuple[str, ...]
    """Greetings, thanks, apologies and the like."""
    offer: tuple[str, ...]
    """Offering help, or asking the user for something."""
    question: tuple[str, ...]
    """Questions back to the user."""


def words(text: str) -> list[str]:
    """The words and numbers of a text in lower case, each with the points and hyphens inside it."""
    return _WORD.findall(text.casefold())


def read_texts(place: Path) -> list[SupportText]:
    """The texts of a file, or of all YAML files of a folder.

    Raises:
        HarnessError: When a file can't be read or holds mistakes, all of them named, or a folder has none.
    """
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files:
        raise HarnessError(
            f"{str(place)!r} holds no YAML file", hint="name a file of pairs, or a folder of them"
        )
    return [text for file in files for text in read_checked(file, PairFile, code="pairs").record.texts]


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair with the probability, for each of its sentences, that the text does not support it."""

    text: SupportText
    pair: Pair
    supported: float
    unsupported: float


def scored(texts: Iterable[SupportText]) -> list[Scored]:
    """Every pair, scored by the public function."""
    rows = [(text, pair) for text in texts for pair in text.pairs]
    questions, contexts = [pair.question for _, pair in rows], [text.text for text, _ in rows]
    right = score_answers(questions, contexts, [pair.supported for _, pair in rows])
    wrong = score_answers(questions, contexts, [pair.unsupported for _, pair in rows])
    return [Scored(*row, *scores) for row, *scores in zip(rows, right, wrong, strict=True)]


def print_line(name: str, rows: Sequence[Scored]) -> None:
    """How well the pairs of a group are told apart, as one row of a table."""
    right, wrong = _column(rows, lambda row: row.supported), _column(rows, lambda row: row.unsupported)
    labels = np.array([0.0] * len(rows) + [1.0] * len(rows))
    area = auroc(np.concatenate([right, wrong]), labels)
    higher, same = (wrong > right).mean(), (wrong == right).mean()
    print(f"| {name} | {len(rows)} | {higher:.3f} | {same:.3f} | {area:.3f} |")


def _column(rows: Sequence[Scored], value: Callable[[Scored], float]) -> Array:
    return np.array([value(row) for row in rows])


def grouped(rows: Sequence[Scored]) -> dict[str, list[Scored]]:
    """The pairs by kind, all of them, and those with a new value by whether the text holds it elsewhere."""
    groups: dict[str, list[Scored]] = {kind: [row for row in rows if row.pair.kind == kind] for kind in KINDS}
    groups["**all**"] = list(rows)
    for row in rows:
        if row.pair.kind in VALUES:
            place = "elsewhere in the text" if row.text.holds(row.pair.changed()[1]) else "nowhere in it"
            groups.setdefault(f"new value stands {place}", []).append(row)
    return groups


def print_measures(rows: Sequence[Scored]) -> None:
    """The table of kinds, and what the threshold does to both sides."""
    print("| kind | pairs | changed one scores higher | same score | AUROC |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, group in grouped(rows).items():
        if group:
            print_line(name, group)
    passed = (_column(rows, lambda row: row.supported) < THRESHOLD).mean()
    caught = (_column(rows, lambda row: row.unsupported) >= THRESHOLD).mean()
    print(f"\nat {THRESHOLD}: {passed:.3f} of the supported pass, {caught:.3f} of the changed are caught")


def print_misses(rows: Iterable[Scored]) -> None:
    """Every pair whose changed sentence does not score higher."""
    for row in rows:
        if row.unsupported <= row.supported:
            print(f"{row.text.id} {row.pair.kind} {row.supported:.3f} -> {row.unsupported:.3f}")
            print(f"    {row.pair.supported}\n    {row.pair.unsupported}")


def print_no_claims(path: Path, texts: Sequence[SupportText]) -> None:
    """How often sentences without a claim are given a probability above 0, each beside some text."""
    said = read_checked(path, NoClaims, code="no-claims").record
    print("\n| no claim | sentences | taken for claims |\n| --- | ---: | ---: |")
    for kind in NoClaims.model_fields:
        answers: tuple[str, ...] = getattr(said, kind)
        contexts = [texts[index % len(texts)].text for index in range(len(answers))]
        taken = sum(score > 0 for score in score_answers([""] * len(answers), contexts, answers))
        print(f"| {kind} | {len(answers)} | {taken} |")


def main() -> None:
    """Read, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pairs", type=Path, help="a YAML file of texts with pairs, or a folder of such files")
    parser.add_argument("--no-claims", type=Path, metavar="FILE", help="sentences that claim nothing")
    parser.add_argument("--misses", action="store_true", help="show the pairs that are not told apart")
    options = parser.parse_args()
    try:
        texts = read_texts(options.pairs)
        rows = scored(texts)
        print_measures(rows)
        if options.no_claims:
            print_no_claims(options.no_claims, texts)
    except HarnessError as error:
        parser.exit(2, f"error: {error}\n" + (f"hint: {error.hint}\n" if error.hint else ""))
    if options.misses:
        print_misses(rows)


if __name__ == "__main__":
    main()
