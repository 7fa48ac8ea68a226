"""How well hand-overs to people are told from the wording alone, on labelled messages and dialogues.

    python -m benchmarks.escalation fixtures/escalation/messages.yaml [--mistakes] [--half development]

The file has halves; each holds ``messages`` (class: [texts]), and may hold ``pairs`` ({class: text, other
class: text}) and ``dialogues`` ({handed_over: bool, talk: [{user: ...}, {assistant: ...}]}). For each half
are printed: five-class accuracy with its 95 % interval, the confusion matrix, how many of the others were
taken for promises, F1 of ``promises`` on the pairs, pairs with both sides right, agreement on dialogues, and
time per message. ``--mistakes`` shows each mistake; leave it out for the half that is held out, or it no
longer is.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.scorers.escalation import classify, handed_over
from harness.scorers.handover import RANK

Row = tuple[str, str]


def messages_of(half: dict[str, Any]) -> list[Row]:
    """The single messages of a half: class and text."""
    return [(label, text) for label, texts in half["messages"].items() for text in texts]


def sides_of(half: dict[str, Any]) -> list[Row]:
    """Both sides of every pair of a half: class and text."""
    return [side for pair in half.get("pairs", []) for side in pair.items()]


def thread_of(dialogue: dict[str, Any]) -> list[dict[str, str]]:
    """A dialogue as a list of messages with role and content."""
    return [{"role": role, "content": text} for turn in dialogue["talk"] for role, text in turn.items()]


def f1_of_promises(rows: Sequence[Row]) -> float:
    """Harmonic mean of precision and recall of the class ``promises``."""
    told = [(label == "promises", classify(text) == "promises") for label, text in rows]
    counts = Counter(told)
    return 2 * counts[True, True] / (2 * counts[True, True] + counts[True, False] + counts[False, True])


def share(right: int, total: int) -> str:
    """A share with its count and 95 % interval."""
    low, high = interval(right, total)
    return f"{right / total:.3f} ({right} of {total}; {low:.3f} to {high:.3f})"


def interval(right: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a share (Wilson 1927)."""
    z, found = 1.96, right / total
    middle = (found + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(found * (1 - found) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def measure(name: str, half: dict[str, Any], *, mistakes: bool) -> None:
    """Print the figures of one half."""
    pairs = sides_of(half)
    rows = [*messages_of(half), *pairs]
    started = time.perf_counter()
    told = [(label, classify(text), text) for label, text in rows]
    elapsed = time.perf_counter() - started
    print(f"{name}: {len(rows)} messages, {elapsed / len(rows) * 1e3:.2f} ms each")
    print("  right class           ", share(sum(label == found for label, found, _ in told), len(told)))
    others = [found for label, found, _ in told if label != "promises"]
    print("  taken for promises    ", share(others.count("promises"), len(others)))
    if pairs:
        print(f"  F1 of promises (pairs) {f1_of_promises(pairs):.3f}")
        both = sum(all(classify(text) == label for label, text in pair.items()) for pair in half["pairs"])
        print("  pairs with both right ", share(both, len(half["pairs"])))
    dialogues = half.get("dialogues", [])
    agreed = [handed_over(thread_of(each)) is each["handed_over"] for each in dialogues]
    if agreed:
        print("  dialogues agreed      ", share(sum(agreed), len(agreed)))
    show_matrix(Counter((label, found) for label, found, _ in told))
    if mistakes:
        show_mistakes([row for row in told if row[0] != row[1]], dialogues, agreed)


def show_matrix(counts: Counter[tuple[str, str]]) -> None:
    """Print labels (rows) against what was told (columns)."""
    print("  " + " " * 12 + "".join(f"{name:>12}" for name in RANK))
    for label in RANK:
        print(f"  {label:<12}" + "".join(f"{counts[label, found]:>12}" for found in RANK))


def show_mistakes(
    told: Sequence[tuple[str, str, str]], dialogues: Sequence[Any], agreed: Sequence[bool]
) -> None:
    """Print every message and dialogue that was told wrongly."""
    for label, found, text in told:
        print(f"  {label} taken for {found}: {text}")
    for dialogue, right in zip(dialogues, agreed, strict=True):
        if not right:
            print("  dialogue:", dialogue)


def main() -> None:
    """Measure each half of a file of labelled messages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--half", help="only this half")
    parser.add_argument("--mistakes", action="store_true", help="show what was told wrongly")
    arguments = parser.parse_args()
    for name, half in yaml.safe_load(arguments.file.read_text(encoding="utf-8")).items():
        if arguments.half in (None, name):
            measure(name, half, mistakes=arguments.mistakes)


if __name__ == "__main__":
    main()
