"""Measure the grounding scorer on labelled answers.

    python -m benchmarks.grounding ragtruth_train.jsonl.gz --held-out [--words] [--folds] [--fit FILE]

Prints AUROC over all rows, within each generator and within bands of answer length (a length detector
falls to chance there), precision, recall and balanced accuracy at the package's threshold, how well the words
shown as doubtful agree with people's spans, and CPU time. ``--held-out`` takes only the fifth of the sources
that the model was judged by while it was made: the package's own model has learnt from them in the end, so
lay the one of ``OUT/four_fifths`` (``training/grounding.py``) in its place for figures. ``--words`` measures
the comparison of words alone; with ``--folds`` each row is then judged by coefficients fitted without its
context, which is the honest figure on the rows that they were fitted on. ``--fit
harness/scorers/lexical.json`` makes these coefficients anew from all rows: logistic regression with an L2
penalty, from which features that would push the wrong way are left out; the threshold is the one of the best
balanced accuracy over the folds. Nothing is random: the same rows give the same file.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.scorers import lexical, token_model
from harness.scorers.grounding import THRESHOLD, score_answers, unsupported_spans
from harness.scorers.lexical import FEATURES, compare

Array = NDArray[np.float64]
PENALTY = 30.0
FOLDS = 5
HELD_OUT = 0.2
Row = Mapping[str, Any]


def read_rows(path: Path) -> list[Row]:
    """The rows of a gzipped JSON-lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def fold_of(source_id: str, folds: int) -> int:
    """The fold of a context: all rows that share it fall together, on every machine."""
    return zlib.crc32(str(source_id).encode()) % folds


def is_held_out(row: Row, kind: str) -> bool:
    """Whether a row's source is of the fifth that is kept for figures; ``kind`` names its file."""
    return zlib.crc32(f"{kind}:{row['source_id']}".encode()) % 1000 < 1000 * HELD_OUT


def auroc(scores: Array, labels: Array) -> float:
    """Chance that a random positive row scores above a random negative one, ties counted half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = labels == 1
    p, n = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * n)) if p and n else float("nan")


def within(rows: Sequence[Row], key: Callable[[Row], Any], scores: Array, labels: Array) -> float:
    """Mean AUROC inside groups of rows, weighted by their size; groups of one label are left out."""
    keys = np.array([str(key(row)) for row in rows])
    values, sizes = [], []
    for name in np.unique(keys):
        inside = keys == name
        value = auroc(scores[inside], labels[inside])
        if not np.isnan(value):
            values.append(value)
            sizes.append(int(inside.sum()))
    return float(np.average(values, weights=sizes))


# Which way a feature may push: more unsupported words never make an answer safer.
SIGNS = {
    "novel_words": 1,
    "novel_share": 1,
    "novel_run": 1,
    "novel_pairs": 1,
    "novel_pair_share": 1,
    "worst_share": -1,
    "unsupported": 1,
    "conflicts": 1,
}


def fit(x: Array, y: Array) -> Array:
    """Weights of standardised features with the right signs, the bias last and not penalised."""
    signs = np.array([SIGNS.get(name, 0) for name in FEATURES] + [0])
    used = np.ones(x.shape[1] + 1, dtype=bool)
    while True:
        weights = np.zeros(x.shape[1] + 1)
        weights[used] = newton(np.hstack([x, np.ones((len(x), 1))])[:, used], y)
        wrong = np.where(signs * weights < 0, np.abs(weights), 0.0)
        if not wrong.any():
            return weights
        used[int(wrong.argmax())] = False


def newton(design: Array, y: Array) -> Array:
    """Weights of a penalised logistic regression; the last column is the constant."""
    ridge = np.diag([PENALTY] * (design.shape[1] - 1) + [0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(50):
        probability = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (probability - y) + ridge @ weights
        hessian = (design * (probability * (1 - probability))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def predict(x: Array, weights: Array) -> Array:
    """Probabilities of rows of standardised features."""
    result: Array = 1 / (1 + np.exp(-(x @ weights[:-1] + weights[-1])))
    return result


def best_threshold(probabilities: Array, y: Array) -> float:
    """The threshold of the best balanced accuracy, to two digits."""
    candidates = [round(0.01 * step, 2) for step in range(5, 96)]

    def balanced(threshold: float) -> float:
        said = probabilities >= threshold
        return float(said[y == 1].mean() + (~said[y == 0]).mean())

    return max(candidates, key=balanced)


def out_of_fold(x: Array, y: Array, folds: NDArray[np.int64]) -> Array:
    """Each row's probability from a model that never saw its context."""
    result = np.zeros(len(y))
    for fold in range(FOLDS):
        seen = folds != fold
        mean, scale = x[seen].mean(axis=0), x[seen].std(axis=0) + 1e-9
        result[~seen] = predict((x[~seen] - mean) / scale, fit((x[seen] - mean) / scale, y[seen]))
    return result


@dataclass(frozen=True, slots=True)
class Made:
    """The features of all rows that make claims; ``claims`` says which rows those are."""

    claims: NDArray[np.bool_]
    x: Array
    y: Array
    folds: NDArray[np.int64]


def make(rows: Sequence[Row]) -> Made:
    """The features of every row."""
    found = [compare(row["question"], row["context"], row["answer"]) for row in rows]
    kept = [(row, made.features) for row, made in zip(rows, found, strict=True) if made]
    return Made(
        claims=np.array([made is not None for made in found]),
        x=np.array([[made[name] for name in FEATURES] for _, made in kept]),
        y=np.array([float(row["label"]) for row, _ in kept]),
        folds=np.array([fold_of(row["source_id"], FOLDS) for row, _ in kept]),
    )


def by_folds(rows: Sequence[Row]) -> Array:
    """Each row's probability from coefficients fitted without its context; 0 where nothing is claimed."""
    made = make(rows)
    scores = np.zeros(len(rows))
    scores[made.claims] = out_of_fold(made.x, made.y, made.folds)
    return scores


def write_coefficients(rows: Sequence[Row], out: Path) -> None:
    """Fit on all rows, print the weights, write the file."""
    made = make(rows)
    mean, scale = made.x.mean(axis=0), made.x.std(axis=0) + 1e-9
    weights = fit((made.x - mean) / scale, made.y)
    threshold = best_threshold(out_of_fold(made.x, made.y, made.folds), made.y)
    for name, weight in sorted(zip(FEATURES, weights, strict=False), key=lambda pair: -abs(pair[1])):
        print(f"  {name:18} {weight:+.3f}")
    content = {
        "features": list(FEATURES),
        "mean": _rounded(mean),
        "scale": _rounded(scale),
        "weight": _rounded(weights[:-1]),
        "bias": round(float(weights[-1]), 6),
        "threshold": threshold,
        "data": f"RAGTruth question answering, training split, {len(made.y)} answers",
    }
    out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _rounded(values: Array) -> list[float]:
    return [round(float(value), 6) for value in values]


def print_measures(rows: Sequence[Row], scores: Array, threshold: float) -> None:
    """What the scores are worth, overall and within groups."""
    labels = np.array([float(row["label"]) for row in rows])
    length = np.array([float(len(row["answer"])) for row in rows])
    order = np.argsort(np.argsort(length)) * 5 // len(rows)
    bands = {id(row): int(band) for row, band in zip(rows, order, strict=True)}
    said, wrong = scores >= threshold, labels == 1
    hits = int((said & wrong).sum())
    recall, specificity = hits / wrong.sum(), (~said & ~wrong).sum() / (~wrong).sum()
    precision = hits / max(1, said.sum())
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    print(f"AUROC {auroc(scores, labels):.3f} (answer length alone {auroc(length, labels):.3f})")
    print(f"within one generator {within(rows, lambda row: row['source_model'], scores, labels):.3f}")
    print(f"within five bands of length {within(rows, lambda row: bands[id(row)], scores, labels):.3f}")
    print(f"at {threshold}: precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f},", end=" ")
    print(f"balanced accuracy {(recall + specificity) / 2:.3f}")


def character_f1(rows: Sequence[Row]) -> float:
    """How well the words shown as doubtful agree with people's spans: F1 over all characters of all rows."""
    hits = shown = meant = 0
    for row in rows:
        said = characters(unsupported_spans(row["question"], row["context"], row["answer"]))
        right = characters(row["spans"])
        hits, shown, meant = hits + len(said & right), shown + len(said), meant + len(right)
    return 2 * hits / max(1, shown + meant)


def characters(spans: Iterable[Sequence[Any]]) -> set[int]:
    """The places of all characters in these spans."""
    return {at for start, end, *_ in spans for at in range(start, end)}


def main() -> None:
    """Read, fit if asked to, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path, help="rows with question, context, answer, label, source_model")
    parser.add_argument("--held-out", action="store_true", help="only the fifth of sources kept for figures")
    parser.add_argument("--words", action="store_true", help="the comparison of words alone")
    parser.add_argument("--folds", action="store_true", help="words alone, fitted anew for each fold")
    parser.add_argument("--fit", type=Path, metavar="FILE", help="write coefficients fitted on all rows")
    options = parser.parse_args()
    kind = options.data.name.partition(".")[0]
    rows = [row for row in read_rows(options.data) if not options.held_out or is_held_out(row, kind)]
    if options.words:
        token_model.default = lambda: None
    if options.fit:
        write_coefficients(rows, options.fit)
        lexical.coefficients.cache_clear()
    started = time.process_time()
    columns = ([row[name] for row in rows] for name in ("question", "context", "answer"))
    scores = by_folds(rows) if options.folds else np.array(score_answers(*columns))
    cpu_ms = (time.process_time() - started) / len(rows) * 1000
    print(f"rows {len(rows)}, CPU {cpu_ms:.1f} ms an answer")
    print_measures(rows, scores, lexical.coefficients().threshold if options.folds else THRESHOLD)
    if any(row["spans"] for row in rows):
        print(f"F1 of the characters shown as doubtful {character_f1(rows):.3f}")


if __name__ == "__main__":
    main()
