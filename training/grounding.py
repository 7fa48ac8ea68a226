"""Train the grounding model: which words of an answer its context does not support.

    pip install 'harness[training]'
    python -m training.grounding WEIGHTS DATA OUT [--held-out 0.2] [--epochs 4] [--synthetic N]

``WEIGHTS`` is the folder of all-MiniLM-L6-v2 (see ``training/embeddings.py``), ``DATA`` the folder with
``ragtruth_train.jsonl.gz``, ``summedits_train.jsonl.gz`` and ``begin_dev.jsonl.gz``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import random
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from training.corruptions import synthetic_rows
from harness.scorers.readings import MOST_TOKENS, TYPES, Reader, Reading

LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12
FILES = ("ragtruth_train", "summedits_train", "begin_dev")


@dataclass(frozen=True, slots=True)
class Sample:
    """A reading with what is known of it: labels of its tokens (None when only the whole is known)."""

    reading: Reading
    tokens: list[int] | None
    label: int
    row: int
    weight: float


class Layer(nn.Module):
    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value, self.mixed = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.mixed_norm, self.norm = (nn.LayerNorm(WIDTH, eps=EPSILON) for _ in range(2))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = (self._heads(part(states)) for part in (self.query, self.key, self.value))
        together = functional.scaled_dot_product_attention(query, key, value, mask)
        states = self.mixed_norm(states + self.mixed(together.transpose(1, 2).flatten(2)))
        inner = self.down(functional.gelu(self.up(states)))
        result: Tensor = self.norm(states + self.dropout(inner))
        return result

    @staticmethod
    def _heads(states: Tensor) -> Tensor:
        return states.unflatten(2, (HEADS, WIDTH // HEADS)).transpose(1, 2)


class Classifier(nn.Module):
    """Token ids and types to a logit for each token: above 0, its word is likelier unsupported than not."""

    def __init__(self, vocabulary: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.places = nn.Embedding(MOST_TOKENS, WIDTH)
        self.types = nn.Embedding(TYPES, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(LAYERS))
        self.head = nn.Linear(WIDTH, 1)
        self.pooled = nn.Parameter(torch.tensor([1.0, 0.0]))

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor | None = None) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        states = self.dropout(self.norm(self.words(ids) + self.places(places) + self.types(types)))
        for layer in self.layers:
            states = layer(states, mask)
        result: Tensor = self.head(states).squeeze(-1)
        return result


_NAMES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "mixed",
    "attention.output.LayerNorm": "mixed_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "norm",
}


def load_base(model: Classifier, weights: dict[str, Tensor]) -> None:
    with torch.no_grad():
        model.words.weight.copy_(weights["embeddings.word_embeddings.weight"])
        model.places.weight.copy_(weights["embeddings.position_embeddings.weight"][:MOST_TOKENS])
        kinds = weights["embeddings.token_type_embeddings.weight"]
        model.types.weight.copy_(kinds[0] + 0.02 * torch.randn(TYPES, WIDTH))
        model.norm.load_state_dict(_of(weights, "embeddings.LayerNorm"))
        for number, layer in enumerate(model.layers):
            for theirs, ours in _NAMES.items():
                getattr(layer, ours).load_state_dict(_of(weights, f"encoder.layer.{number}.{theirs}"))


def _of(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {"weight": weights[f"{prefix}.weight"], "bias": weights[f"{prefix}.bias"]}


# --- data ----------------------------------------------------------------------------------------------


def read(folder: Path) -> list[dict[str, Any]]:
    rows = []
    for name in FILES:
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows += [{**json.loads(line), "set": name} for line in lines]
    return rows


def is_held_out(row: dict[str, Any], share: float) -> bool:
    return zlib.crc32(f"{row['set']}:{row['source_id']}".encode()) % 1000 < 1000 * share


def samples_of(rows: Sequence[dict[str, Any]], reader: Reader, first: int = 0) -> list[Sample]:
    found = []
    for number, row in enumerate(rows, first):
        readings = reader.readings(row["question"], row["context"], row["answer"])
        told = bool(row["spans"]) or not row["label"]
        for reading in readings:
            if told:
                tokens = [int(any(s < b and e > a for a, b, *_ in row["spans"])) for s, e in reading.places]
                found.append(Sample(reading, tokens, int(any(tokens)), number, row.get("weight", 1.0)))
            elif len(readings) == 1:
                found.append(Sample(reading, None, row["label"], number, row.get("weight", 1.0)))
            else:
                found.append(Sample(reading, None, -1, number, 0.0))
    return found


def batches(samples: Sequence[Sample], tokens: int, random_: random.Random | None) -> Iterator[list[Sample]]:
    """Samples of about equal length together, so many tokens at a time."""
    order = list(samples)
    if random_:
        random_.shuffle(order)
    chunks = [order[i : i + 800] for i in range(0, len(order), 800)]
    made: list[list[Sample]] = []
    for chunk in chunks:
        chunk.sort(key=lambda s: len(s.reading.ids))
        batch: list[Sample] = []
        for sample in chunk:
            if batch and (len(batch) + 1) * len(sample.reading.ids) > tokens:
                made.append(batch)
                batch = []
            batch.append(sample)
        made.append(batch)
    if random_:
        random_.shuffle(made)
    yield from made


def tensors(batch: Sequence[Sample]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    longest = max(len(s.reading.ids) for s in batch)
    ids = np.zeros((len(batch), longest), np.int64)
    types = np.zeros((len(batch), longest), np.int64)
    mask = np.zeros((len(batch), longest), bool)
    answer = np.zeros((len(batch), longest), bool)
    labels = np.full((len(batch), longest), -1.0, np.float32)
    for i, sample in enumerate(batch):
        r = sample.reading
        n = len(r.ids)
        ids[i, :n], types[i, :n], mask[i, :n] = r.ids, r.types, True
        answer[i, r.first : n - 1] = True
        if sample.tokens is not None:
            labels[i, r.first : n - 1] = sample.tokens
    return tuple(torch.from_numpy(x) for x in (ids, types, mask, answer, labels))  # type: ignore[return-value]


# --- training ------------------------------------------------------------------------------------------


def pooled(logits: Tensor, answer: Tensor) -> Tensor:
    """One logit for a reading: a mean of its tokens in which the highest count most."""
    low = logits.masked_fill(~answer, -1e4)
    weights = torch.softmax(2.0 * low, dim=1)
    result: Tensor = (weights * logits).sum(dim=1)
    return result


def loss_of(model: Classifier, batch: Sequence[Sample]) -> Tensor:
    ids, types, mask, answer, labels = tensors(batch)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(ids, types, mask[:, None, None, :])
    logits = logits.float()
    weight = torch.tensor([s.weight for s in batch])
    known = labels >= 0
    each = functional.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), reduction="none")
    counts = known.sum(1)
    per_row = (each * known).sum(1) / counts.clamp(min=1)
    told = (counts > 0).float() * weight
    # Long answers have more words to learn from; the root keeps them from drowning the short ones.
    size = counts.float().sqrt()
    token_loss = (per_row * told * size).sum() / (told * size).sum().clamp(min=1.0)
    whole = torch.tensor([float(max(s.label, 0)) for s in batch])
    valid = torch.tensor([float(s.label >= 0) for s in batch]) * weight
    answer_logit = model.pooled[0] * pooled(logits, answer) + model.pooled[1]
    answer_loss = functional.binary_cross_entropy_with_logits(answer_logit, whole, reduction="none")
    return token_loss + 0.4 * (answer_loss * valid).sum() / valid.sum().clamp(min=1.0)


def train(
    model: Classifier, samples: Sequence[Sample], *, epochs: float, rate: float, tokens: int, seed: int, tell: Any
) -> None:
    random_ = random.Random(seed)
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}], lr=rate
    )
    each = sum(1 for _ in batches(samples, tokens, random.Random(0)))
    total, step = max(1, int(each * epochs)), 0
    begun, running = time.time(), 0.0
    model.train()
    while step < total:
        for batch in batches(samples, tokens, random_):
            if step >= total:
                break
            scale = min(1.0, (step + 1) / (0.06 * total)) * (1 - step / total)
            for group in optimizer.param_groups:
                group["lr"] = rate * scale
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(model, batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            running = 0.98 * running + 0.02 * loss.item() if step > 1 else loss.item()
            if step % 20 == 0:
                print(f"step {step}/{total} loss {running:.4f} {(time.time() - begun) / step:.2f} s/step", flush=True)
            if step % each == 0:
                tell(model, f"epoch {step // each}")
    model.eval()


@torch.no_grad()
def predict(model: Classifier, samples: Sequence[Sample]) -> dict[int, list[float]]:
    """For each row the probabilities of its answer tokens, in the order of the answer."""
    model.eval()
    found: dict[int, list[tuple[int, float]]] = {}
    for batch in batches(samples, 8192, None):
        ids, types, mask, answer, _ = tensors(batch)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(ids, types, mask[:, None, None, :]).float()
        for sample, row, inside in zip(batch, torch.sigmoid(logits), answer, strict=True):
            places = [start for start, _ in sample.reading.places]
            found.setdefault(sample.row, []).extend(zip(places, row[inside].tolist(), strict=True))
    model.train()
    return {row: [p for _, p in sorted(pairs)] for row, pairs in found.items()}


def auroc(scores: Sequence[float], labels: Sequence[int]) -> float:
    x, y = np.array(scores), np.array(labels)
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    p, n = int((y == 1).sum()), int((y == 0).sum())
    return float((ranks[y == 1].sum() - p * (p + 1) / 2) / (p * n)) if p and n else float("nan")


def summary(values: Sequence[float]) -> float:
    """A first guess at one number: the mean of the highest tokens."""
    top = sorted(values, reverse=True)[:8]
    return sum(top) / len(top) if top else 0.0


def report(rows: Sequence[dict[str, Any]], told: dict[int, list[float]]) -> str:
    lines = []
    for name in FILES:
        keep = [i for i, row in enumerate(rows) if row["set"] == name]
        if not keep:
            continue
        scores = [summary(told.get(i, [])) for i in keep]
        labels = [rows[i]["label"] for i in keep]
        inside = []
        for generator in sorted({rows[i]["source_model"] for i in keep}):
            own = [k for k, i in enumerate(keep) if rows[i]["source_model"] == generator]
            value = auroc([scores[k] for k in own], [labels[k] for k in own])
            if not math.isnan(value):
                inside.append((value, len(own)))
        within = sum(v * n for v, n in inside) / max(1, sum(n for _, n in inside))
        lines.append(f"{name} n={len(keep)} AUROC {auroc(scores, labels):.4f} within {within:.4f}")
    return " | ".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--held-out", type=float, default=0.0)
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--synthetic", type=int, default=0)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--mixed", type=int, default=0)
    parser.add_argument("--start", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    reader = Reader(Tokenizer.from_file(str(Path("harness/embedding/minilm/tokenizer.json"))))
    rows = read(arguments.data)
    held = [row for row in rows if is_held_out(row, arguments.held_out)]
    used = [row for row in rows if not is_held_out(row, arguments.held_out)]
    model = Classifier(30522)
    if arguments.start:
        model.load_state_dict(load_file(arguments.start))
    else:
        load_base(model, load_file(arguments.weights / "model.safetensors"))
    held_samples = samples_of(held, reader)

    def tell(current: Classifier, when: str) -> None:
        told = predict(current, held_samples)
        print(when, report(held, told), flush=True)
        save_file(current.state_dict(), arguments.out / "last.safetensors")
        (arguments.out / "held.json").write_text(
            json.dumps([{"id": row["id"], "tokens": told.get(i, [])} for i, row in enumerate(held)])
        )

    if arguments.synthetic:
        made = synthetic_rows(used, arguments.synthetic, seed=1)
        print(f"{len(made)} synthetic answers", flush=True)
        train(model, samples_of(made, reader), epochs=1, rate=arguments.rate, tokens=arguments.tokens, seed=2, tell=tell)
        save_file(model.state_dict(), arguments.out / "stage1.safetensors")
    more = synthetic_rows(used, arguments.mixed, seed=7) if arguments.mixed else []
    train(model, samples_of([*used, *({**row, "weight": 0.5} for row in more)], reader), epochs=arguments.epochs, rate=arguments.rate, tokens=arguments.tokens, seed=3, tell=tell)
    save_file(model.state_dict(), arguments.out / "last.safetensors")


if __name__ == "__main__":
    main()
