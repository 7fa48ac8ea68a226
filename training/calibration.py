"""Fit what turns the grounding model's logits into probabilities, and measure what they are worth.

Everything here is done on rows whose sources the model was not trained on. Figures are of ten folds over
these sources, so that no row is judged by coefficients that it helped to fit.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.grounding import auroc, characters, newton, predict, within
from harness.embedding import files
from harness.scorers import lexical, risk
from harness.scorers.lexical import Comparison
from harness.scorers.risk import Calibration, Regression
from harness.scorers.token_model import TokenModel, TokenRisk

FOLDS = 10
FITTED = ("ragtruth_train", "summedits_train")
"""Sets of rows whose answers are an assistant's, sentence by sentence; BEGIN's are single turns of a chat."""
SHARE = 0.18
"""Share of unsupported answers at which the threshold is chosen: where today's models are, not the training
rows' 43 %."""
_STEPS = [round(0.01 * step, 2) for step in range(10, 91)]
Array = NDArray[np.float64]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One text with its features and its label.

    Attributes:
        row: The row it is from.
        features: By name.
        label: 1 = unsupported.
    """

    row: Row
    features: Mapping[str, float]
    label: int


def calibrate(folder: Path, tokenizer: bytes, rows: Sequence[Row]) -> None:
    """Fit both regressions, print the figures, write ``calibration.json`` beside the model."""
    reader = TokenModel(folder, files.tokenizer(tokenizer))
    judged = [one for row in rows if row["set"] in FITTED and (one := _judged(row, reader))]
    sentences = _regression("sentences", [case for one in judged for case in _sentences(*one)])
    answers = _regression("answers", [_answer(*one, sentences) for one in judged])
    made = Calibration(
        answers=answers,
        sentences=sentences,
        doubt=_doubt([(row, risks) for row, _, risks in judged if row["set"] == "ragtruth_train"]),
        data=f"{len(judged)} answers to questions and summaries, their sources unseen in training",
    )
    (folder / "calibration.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n"
    )


def _judged(row: Row, reader: TokenModel) -> tuple[Row, Comparison, Sequence[TokenRisk]] | None:
    texts = row["question"], row["context"], row["answer"]
    compared = lexical.compare(*texts)
    return (row, compared, reader.risks(*texts)) if compared else None


def _answer(row: Row, compared: Comparison, risks: Sequence[TokenRisk], sentences: Regression) -> Case:
    return Case(row, risk.features_of(sentences, compared, risks), row["label"])


def _sentences(row: Row, compared: Comparison, risks: Sequence[TokenRisk]) -> Iterator[Case]:
    for claim, support in zip(compared.claims, compared.supports, strict=True):
        own = risk.inside(risks, claim.start, claim.end)
        label = any(start < claim.end and end > claim.start for start, end, *_ in row["spans"])
        yield Case(row, risk.sentence_features(support, own), int(label))


# --- fitting -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """Cases as arrays; ``sets`` has a column for each set of rows, as their shares of errors differ."""

    names: list[str]
    x: Array
    sets: Array
    y: Array
    folds: NDArray[np.int64]
    rows: list[Row]


def _table(cases: Sequence[Case]) -> _Table:
    names = list(cases[0].features)
    known = sorted({case.row["set"] for case in cases})
    return _Table(
        names,
        np.array([[case.features[name] for name in names] for case in cases]),
        np.array([[float(case.row["set"] == name) for name in known] for case in cases]),
        np.array([float(case.label) for case in cases]),
        np.array([zlib.crc32(str(case.row["source_id"]).encode()) % FOLDS for case in cases]),
        [case.row for case in cases],
    )


def _regression(name: str, cases: Sequence[Case]) -> Regression:
    table = _table(cases)
    p = np.zeros(len(table.y))
    for fold in range(FOLDS):
        seen = table.folds != fold
        p[~seen] = _apply(table.x[~seen], _fit(table, seen))
    main = np.array([row["set"] == "ragtruth_train" for row in table.rows])
    threshold = _best_threshold(p[main], table.y[main])
    _print(name, table, p, threshold)
    weights, bias = _fit(table, np.ones(len(table.y), dtype=bool))
    return Regression(
        weights={key: round(float(weight), 5) for key, weight in zip(table.names, weights, strict=True)},
        bias=round(float(bias), 5),
        threshold=threshold,
    )


def _fit(table: _Table, seen: NDArray[np.bool_]) -> tuple[Array, float]:
    """Weights of the plain features and the bias that belongs to the main set of rows."""
    x, y = table.x[seen], table.y[seen]
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    base = _base(table)
    others = np.delete(table.sets[seen], base, axis=1) * 10.0
    found = newton(np.hstack([(x - mean) / scale, others, np.ones((len(x), 1))]), y)
    weights = found[: x.shape[1]] / scale
    return weights, float(found[-1] - weights @ mean)


def _base(table: _Table) -> int:
    main = next(at for at, row in enumerate(table.rows) if row["set"] == "ragtruth_train")
    return int(table.sets[main].argmax())


def _apply(x: Array, fitted: tuple[Array, float]) -> Array:
    return predict(x, np.append(fitted[0], fitted[1]))


def _best_threshold(p: Array, y: Array) -> float:
    """Where F1 and balanced accuracy together are best, were only so many answers unsupported."""
    weight = np.where(y == 1, SHARE / y.mean(), (1 - SHARE) / (1 - y.mean()))

    def worth(threshold: float) -> float:
        precision, recall, specificity = _rates(p >= threshold, y, weight)
        return 2 * precision * recall / max(1e-9, precision + recall) + (recall + specificity) / 2

    return max(_STEPS, key=worth)


def _rates(said: NDArray[np.bool_], y: Array, weight: Array) -> tuple[float, float, float]:
    wrong = y == 1
    hits, alarms = weight[said & wrong].sum(), weight[said & ~wrong].sum()
    specificity = weight[~said & ~wrong].sum() / weight[~wrong].sum()
    return hits / max(1e-9, hits + alarms), hits / weight[wrong].sum(), specificity


def _doubt(judged: Sequence[tuple[Row, Sequence[TokenRisk]]]) -> float:
    """The logit of tokens at which the characters shown agree best with people's spans."""
    share = sum(row["label"] for row, _ in judged) / len(judged)
    weights = {1: SHARE / share, 0: (1 - SHARE) / (1 - share)}

    def agreement(least: float) -> float:
        hits = shown = meant = 0.0
        for row, risks in judged:
            said, right = characters(risk.doubted(risks, least)), characters(row["spans"])
            weight = weights[row["label"]]
            hits, shown, meant = (
                hits + weight * len(said & right),
                shown + weight * len(said),
                meant + weight * len(right),
            )
        return 2 * hits / max(1.0, shown + meant)

    best = max((step / 4 for step in range(-8, 13)), key=agreement)
    print(f"words in doubt from logit {best}: character F1 {agreement(best):.3f}")
    return best


# --- figures -------------------------------------------------------------------------------------------


def _print(name: str, table: _Table, p: Array, threshold: float) -> None:
    print(f"{name}: threshold {threshold}")
    for kind in sorted({row["set"] for row in table.rows}):
        inside = np.array([row["set"] == kind for row in table.rows])
        _print_set(
            kind, [row for row in table.rows if row["set"] == kind], p[inside], table.y[inside], threshold
        )


def _print_set(kind: str, rows: Sequence[Row], p: Array, y: Array, threshold: float) -> None:
    precision, recall, specificity = _rates(p >= threshold, y, np.ones(len(y)))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    bands = _bands(np.array([float(len(row["answer"])) for row in rows]))
    at = {id(row): int(band) for row, band in zip(rows, bands, strict=True)}
    groups: dict[str, Callable[[Any], Any]] = {
        "within one generator": lambda row: row["source_model"],
        "within five bands of length": lambda row: at[id(row)],
    }
    print(f"  {kind}: {len(y)}, {y.mean():.0%} unsupported, AUROC {auroc(p, y):.3f}", end="")
    for words, key in groups.items():
        print(f", {words} {within(rows, key, p, y):.3f}", end="")
    print(f"; precision {precision:.3f}, recall {recall:.3f}, F1 {f1:.3f},", end=" ")
    print(f"balanced accuracy {(recall + specificity) / 2:.3f}")
    for low in range(0, 10, 2):
        inside = (p >= low / 10) & (p < low / 10 + 0.2)
        if inside.any():
            print(f"    said {p[inside].mean():.2f}, were {y[inside].mean():.2f} ({inside.sum()})")


def _bands(length: Array) -> NDArray[np.int64]:
    bands: NDArray[np.int64] = np.argsort(np.argsort(length)) * 5 // len(length)
    return bands
