"""The token classifier: the encoder with more token types and a head, its samples, its training.

One pass reads question, evidence and answer (:mod:`harness.scorers.readings`); each token of the answer
gets a logit. Where a row's labels are spans, every token is told; where only the whole answer was judged, a
pooled logit over its tokens is.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.scorers.readings import MOST_TOKENS, TYPES, Reader, Reading
from training.learning import batches, learn
from training.minilm import EPSILON, LAYERS, WIDTH, Layer, SmallTable, Weights, part_of

VOCABULARY = 30522
BATCH_TOKENS = 4096
_ANSWER_LOSS = 0.4  # weight of the loss over whole answers beside the one over tokens
_SHARPNESS = 2.0  # how much the highest tokens count in the pooled logit
Row = Mapping[str, Any]


class Classifier(nn.Module):
    """Token ids and types to a logit for each token: above 0, its word is likelier unsupported than not."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.words: nn.Module = nn.Embedding(VOCABULARY, WIDTH)
        self.places: nn.Module = nn.Embedding(MOST_TOKENS, WIDTH)
        self.types = nn.Embedding(TYPES, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, 1)
        self.pooled = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor | None = None) -> Tensor:
        """One logit for each token; ``mask`` is False where a token is only padding."""
        places = torch.arange(ids.shape[1], device=ids.device)
        states = self.dropout(self.norm(self.words(ids) + self.places(places) + self.types(types)))
        for layer in self.layers:
            states = layer(states, mask)
        result: Tensor = self.head(states).squeeze(-1)
        return result

    def take(self, weights: Weights) -> None:
        """Begin with the published encoder; all token types begin nearly as its first."""
        with torch.no_grad():
            self.words.weight.copy_(weights["embeddings.word_embeddings.weight"])
            self.places.weight.copy_(weights["embeddings.position_embeddings.weight"][:MOST_TOKENS])
            first = weights["embeddings.token_type_embeddings.weight"][0]
            self.types.weight.copy_(first + 0.02 * torch.randn(TYPES, WIDTH))
        self.norm.load_state_dict(part_of(weights, "embeddings.LayerNorm"))
        for number, layer in enumerate(self.layers):
            layer.take(weights, number)

    def shrink(self) -> None:
        """Turn the tables of embeddings into small ones, for export."""
        self.words, self.places = (SmallTable(table.weight.data) for table in (self.words, self.places))


# --- samples -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading with what is known of it.

    Attributes:
        reading: What the model reads.
        tokens: The label of each answer token, 1 where unsupported; None when only the whole is known.
        label: Of the whole reading, 0 or 1; None when not known.
        weight: How much it counts.
    """

    reading: Reading
    tokens: list[int] | None
    label: int | None
    weight: float


def samples_of(rows: Sequence[Row], reader: Reader) -> list[Sample]:
    """The readings of labelled rows."""
    return [sample for row in rows for sample in _samples(row, reader)]


def _samples(row: Row, reader: Reader) -> Iterator[Sample]:
    readings = reader.readings(row["question"], row["context"], row["answer"])
    weight = float(row.get("weight", 1.0))
    for reading in readings:
        if row["spans"] or not row["label"]:
            tokens = [_label(place, row["spans"]) for place in reading.places]
            yield Sample(reading, tokens, int(any(tokens)), weight)
        else:
            # Which part of a long answer is wrong is not known: such parts teach nothing.
            yield Sample(reading, None, row["label"] if len(readings) == 1 else None, weight)


def _label(place: tuple[int, int], spans: Sequence[Sequence[Any]]) -> int:
    return int(any(place[0] < span[1] and place[1] > span[0] for span in spans))


@dataclass(frozen=True, slots=True)
class _Batch:
    """Samples as tensors: (samples, tokens), padded; labels are -1 where nothing is known."""

    ids: Tensor
    types: Tensor
    mask: Tensor
    answer: Tensor
    labels: Tensor
    whole: Tensor
    weight: Tensor


def _batch(samples: Sequence[Sample]) -> _Batch:
    shape = (len(samples), max(len(sample.reading.ids) for sample in samples))
    ids, types = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    mask, answer = np.zeros(shape, bool), np.zeros(shape, bool)
    labels = np.full(shape, -1.0, np.float32)
    for at, sample in enumerate(samples):
        reading, length = sample.reading, len(sample.reading.ids)
        ids[at, :length], types[at, :length], mask[at, :length] = reading.ids, reading.types, True
        answer[at, reading.first : length - 1] = True
        if sample.tokens is not None:
            labels[at, reading.first : length - 1] = sample.tokens
    whole = torch.tensor([-1.0 if sample.label is None else float(sample.label) for sample in samples])
    weight = torch.tensor([sample.weight for sample in samples])
    return _Batch(
        torch.from_numpy(ids),
        torch.from_numpy(types),
        torch.from_numpy(mask),
        torch.from_numpy(answer),
        torch.from_numpy(labels),
        whole,
        weight,
    )


# --- training ------------------------------------------------------------------------------------------


def _loss(model: Classifier, samples: Sequence[Sample]) -> Tensor:
    batch = _batch(samples)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(batch.ids, batch.types, batch.mask[:, None, None, :])
    logits = logits.float()
    return _token_loss(logits, batch) + _ANSWER_LOSS * _answer_loss(model, logits, batch)


def _token_loss(logits: Tensor, batch: _Batch) -> Tensor:
    known = batch.labels >= 0
    each = functional.binary_cross_entropy_with_logits(logits, batch.labels.clamp(min=0), reduction="none")
    counts = known.sum(1).float()
    # Long answers have more to learn from; the root keeps them from drowning the short ones.
    weight = (counts > 0).float() * batch.weight * counts.sqrt()
    rows = (each * known).sum(1) / counts.clamp(min=1)
    return (rows * weight).sum() / weight.sum().clamp(min=1.0)


def _answer_loss(model: Classifier, logits: Tensor, batch: _Batch) -> Tensor:
    share = torch.softmax(_SHARPNESS * logits.masked_fill(~batch.answer, -1e4), dim=1)
    pooled = model.pooled[0] * (share * logits).sum(dim=1) + model.pooled[1]
    weight = (batch.whole >= 0).float() * batch.weight
    each = functional.binary_cross_entropy_with_logits(pooled, batch.whole.clamp(min=0), reduction="none")
    return (each * weight).sum() / weight.sum().clamp(min=1.0)


def train(model: Classifier, samples: Sequence[Sample], *, epochs: int, rate: float, seed: int) -> None:
    """So many passes over the samples. Prints how far it is."""

    def epoch(random_: random.Random) -> Iterator[list[Sample]]:
        return batches(samples, lambda sample: len(sample.reading.ids), BATCH_TOKENS, random_)

    learn(model, lambda batch: _loss(model, batch), epoch, epochs=epochs, rate=rate, seed=seed)
