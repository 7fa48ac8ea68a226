"""Learn from labelled messages what they say about handing over to people.

    pip install 'harness[training]'
    python -m training.hand_overs WEIGHTS fixtures/escalation OUT --answers FILE... [--without FILE]

``WEIGHTS`` is the folder of all-MiniLM-L6-v2 (``training/embeddings.py`` says where it is from). Every
labelled message of the YAML files in the second folder is read, save what is called ``held_out``; ``OUT``
gets ``model.onnx`` and ``checksums.json``, which the package keeps in ``harness/scorers/handover_model``.
``--answers`` are gzipped JSON lines with an ``answer`` or ``messages`` each: what assistants say that has
mostly nothing to do with people, labelled by the rules (:mod:`harness.scorers.handover`), 900 of each file at
most; the package's model has read those of MTRAG-UN, RAGTruth and BEGIN.

With ``--without FILE`` (its name, for example ``travel.yaml``) that file is not learnt from. The figures of
``docs/benchmarks.md`` are of such models, laid over the package's (``python -m benchmarks.escalation``).
About ten minutes on one core.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from harness.embedding import files
from harness.scorers import handover
from harness.scorers.handover_model import CLASSES, MOST_TOKENS, windows
from training.learning import batches, learn
from training.minilm import (
    EPSILON,
    LAYERS,
    MODEL,
    WIDTH,
    Layer,
    SmallTable,
    Weights,
    export,
    optimise,
    part_of,
    write_checksums,
)

VOCABULARY, UNKNOWN = 30522, 100
TOKENIZER = Path("harness/embedding/minilm/tokenizer.json")
BATCH_TOKENS = 2048
HELD_OUT = "held_out"
"""The part of a file that figures are taken from, never learnt from."""
_EPOCHS, _RATE, _SEED = 4, 1e-4, 3
_MOST_OF_FILE, _LONGEST = 900, 1_500  # answers, characters
_JOINED = 1_500  # messages put between others
_SHORT, _CLOSING = 350, 90  # characters of such messages, and of questions that end one
_ORDINARY = 0.5  # how much an answer that nobody labelled counts
_SMOOTHING = 0.02  # labels are not always right


@dataclass(frozen=True, slots=True)
class Message:
    """A message and what it says.

    Attributes:
        text: As it was said.
        label: Its class, by its place in ``CLASSES``.
        file: The name of the file it is from.
        weight: How much it counts.
    """

    text: str
    label: int
    file: str
    weight: float = 1.0


def labelled(folder: Path) -> list[Message]:
    """Every labelled message of a folder's files, sides of pairs included."""
    return [
        Message(text, CLASSES.index(label), file.name)
        for file in sorted(folder.glob("*.yaml"))
        for text, label in _labelled(yaml.safe_load(file.read_text("utf-8")))
    ]


def _labelled(found: Any) -> Iterator[tuple[str, Any]]:
    """Texts under a class, wherever in the file they stand."""
    if isinstance(found, list):
        for each in found:
            yield from _labelled(each)
    elif isinstance(found, dict):
        for key, value in found.items():
            texts = [value] if isinstance(value, str) else value
            if key in CLASSES and all(isinstance(text, str) for text in texts):
                yield from ((text, key) for text in texts)
            elif key != HELD_OUT:
                yield from _labelled(value)


def ordinary(file: Path) -> list[Message]:
    """Answers of assistants to ordinary questions, with what the rules say of them."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        found = (text[:_LONGEST] for line in lines for text in _answers(json.loads(line)))
        return [
            Message(text, CLASSES.index(handover.act_of(text).stance), file.name, weight=_ORDINARY)
            for text in islice(found, _MOST_OF_FILE)
        ]


def _answers(row: dict[str, Any]) -> Iterator[str]:
    if "answer" in row:
        yield row["answer"]
    yield from (each["content"] for each in row.get("messages", ()) if each["role"] == "assistant")


def joined(messages: Sequence[Message]) -> list[Message]:
    """Messages with another around them that says nothing of people: where an act stands must not matter."""
    random_ = random.Random(_SEED)
    nothing = [each.text for each in messages if CLASSES[each.label] == "none" and len(each.text) < _SHORT]
    said = [each for each in messages if len(each.text) < _SHORT]
    made = []
    # A question after a promise may be one for the user's consent.
    plain = [text for text in nothing if "?" not in text]
    closings = [text for text in nothing if "else" in text and len(text) < _CLOSING]
    for each in random_.sample(said, min(_JOINED, len(said))):
        before, after = random_.choice(nothing), random_.choice(random_.choice((plain, closings)))
        made.append(replace(each, text=random_.choice((" ", "\n\n")).join((before, each.text, after))))
    return made


# --- the model -----------------------------------------------------------------------------------------


class Stances(nn.Module):
    """Token ids to a logit for each class; each class looks at the tokens that concern it."""

    def __init__(self, dropout: float = 0.1, layers: int = LAYERS) -> None:
        super().__init__()
        self.words: nn.Module = nn.Embedding(VOCABULARY, WIDTH)
        self.places: nn.Module = nn.Embedding(MOST_TOKENS, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(layers))
        self.looks, self.says = (nn.Linear(WIDTH, len(CLASSES)) for _ in range(2))

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits (texts x classes); ``mask`` is False where a token is only padding."""
        places = torch.arange(ids.shape[1], device=ids.device)
        states = self.dropout(self.norm(self.words(ids) + self.places(places)))
        for layer in self.layers:
            states = layer(states, None if mask is None else mask[:, None, None, :])
        looks = self.looks(states)
        if mask is not None:
            looks = looks.masked_fill(~mask[:, :, None], -1e4)
        result: Tensor = (torch.softmax(looks, dim=1) * self.says(states)).sum(dim=1)
        return result

    def take(self, weights: Weights) -> None:
        """Begin with the published encoder."""
        places = weights["embeddings.position_embeddings.weight"]
        with torch.no_grad():
            self.words.weight.copy_(weights["embeddings.word_embeddings.weight"])
            self.places.weight.copy_(
                (places + weights["embeddings.token_type_embeddings.weight"][0])[:MOST_TOKENS]
            )
        self.norm.load_state_dict(part_of(weights, "embeddings.LayerNorm"))
        for number, layer in enumerate(self.layers):
            layer.take(weights, number)

    def shrink(self, known: Sequence[int]) -> None:
        """For export: small tables, and of the vocabulary only these ids; all others are read as unknown."""
        self.words = KnownWords(self.words.weight.data, known)
        self.places = SmallTable(self.places.weight.data)


class KnownWords(nn.Module):
    """A table of embeddings without the words that no sample held."""

    def __init__(self, weights: Tensor, known: Sequence[int]) -> None:
        super().__init__()
        rows = torch.full((VOCABULARY,), known.index(UNKNOWN), dtype=torch.int32)
        rows[list(known)] = torch.arange(len(known), dtype=torch.int32)
        self.register_buffer("row_of", rows)
        self.table = SmallTable(weights[list(known)])

    def forward(self, ids: Tensor) -> Tensor:
        """The rows of these ids."""
        rows: Tensor = self.table(self.row_of[ids].to(torch.int64))
        return rows


# --- learning ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """What the model reads of a message, and the message's class."""

    ids: list[int]
    label: int
    weight: float


def samples_of(messages: Sequence[Message], tokenizer: Any) -> list[Sample]:
    """A sample of each message; a long one has several, and only where all of them say the same."""
    read = [(message, windows(tokenizer, message.text)) for message in messages]
    return [
        Sample(window, message.label, message.weight)
        for message, found in read
        if len(found) == 1 or CLASSES[message.label] == "none"
        for window in found
    ]


def trained(weights: Path, samples: Sequence[Sample]) -> Stances:
    """A model that has learnt from these samples."""
    torch.manual_seed(1)
    model = Stances()
    model.take(load_file(weights / "model.safetensors"))

    def epoch(random_: random.Random) -> Iterator[list[Sample]]:
        return batches(samples, lambda sample: len(sample.ids), BATCH_TOKENS, random_)

    learn(model, lambda batch: _loss(model, batch), epoch, epochs=_EPOCHS, rate=_RATE, seed=_SEED)
    return model


def _loss(model: Stances, batch: Sequence[Sample]) -> Tensor:
    ids = nn.utils.rnn.pad_sequence([torch.tensor(sample.ids) for sample in batch], batch_first=True)
    labels = torch.tensor([sample.label for sample in batch])
    weight = torch.tensor([sample.weight for sample in batch])
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(ids, ids > 0)
    each = functional.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=_SMOOTHING)
    return (each * weight).sum() / weight.sum()


def write_model(model: Stances, samples: Sequence[Sample], folder: Path) -> None:
    """Export the model as the package loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    model.shrink(sorted({UNKNOWN}.union(*(sample.ids for sample in samples))))
    export(model, folder / MODEL, inputs=["ids"], output="logits")
    optimise(folder / MODEL)
    write_checksums(folder, MODEL)


def main() -> None:
    """Learn, and write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path, help="the folder with model.safetensors")
    parser.add_argument("messages", type=Path, help="the folder with the labelled messages")
    parser.add_argument("out", type=Path)
    parser.add_argument("--answers", type=Path, nargs="*", default=[], help="ordinary answers, .jsonl.gz")
    parser.add_argument("--without", nargs="*", default=[], help="files not to learn from")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tokenizer = files.tokenizer(TOKENIZER.read_bytes())
    kept = [each for each in labelled(arguments.messages) if each.file not in arguments.without]
    answers = [each for file in arguments.answers for each in ordinary(file)]
    samples = samples_of([*kept, *joined(kept), *answers], tokenizer)
    model = trained(arguments.weights, samples)
    write_model(model, samples, arguments.out)


if __name__ == "__main__":
    main()
