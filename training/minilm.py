"""all-MiniLM-L6-v2 in plain PyTorch, so that no other library decides what is trained and exported."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12
MODEL, CHECKSUMS = "model.onnx", "checksums.json"
Weights = Mapping[str, Tensor]

_PARTS = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "mixed",
    "attention.output.LayerNorm": "mixed_norm",
    "intermediate.dense": "up",
    "output.dense": "down",
    "output.LayerNorm": "norm",
}


class Layer(nn.Module):
    """One transformer layer; dropout acts in training only."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.query, self.key, self.value, self.mixed = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.mixed_norm, self.norm = (nn.LayerNorm(WIDTH, eps=EPSILON) for _ in range(2))
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """The states of all tokens after this layer; ``mask`` is False where a token is only padding."""
        query, key, value = (_heads(part(states)) for part in (self.query, self.key, self.value))
        attention = query @ key.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
        if mask is not None:
            attention = attention.masked_fill(~mask, -1e4)
        together = (torch.softmax(attention, dim=-1) @ value).transpose(1, 2).flatten(2)
        states = self.mixed_norm(states + self.mixed(together))
        result: Tensor = self.norm(states + self.dropout(self.down(nn.functional.gelu(self.up(states)))))
        return result

    def take(self, weights: Weights, number: int) -> None:
        """Take the published weights of the layer of this number."""
        for theirs, ours in _PARTS.items():
            getattr(self, ours).load_state_dict(part_of(weights, f"encoder.layer.{number}.{theirs}"))


class SmallTable(nn.Module):
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


def part_of(weights: Weights, name: str) -> dict[str, Tensor]:
    """Weight and bias of one part."""
    return {"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]}


def _heads(states: Tensor) -> Tensor:
    return states.unflatten(2, (HEADS, WIDTH // HEADS)).transpose(1, 2)


def export(model: nn.Module, file: Path, *, inputs: list[str], output: str) -> None:
    """Write a model over token ids as ONNX, its layers' weights in 7 bits per channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.onnx"
        torch.onnx.export(
            model.eval(),
            tuple(torch.ones(1, 8, dtype=torch.int64) for _ in inputs),
            str(full),
            input_names=inputs,
            output_names=[output],
            dynamic_axes={**{name: {0: "texts", 1: "tokens"} for name in inputs}, output: {0: "texts"}},
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


def optimise(file: Path) -> None:
    """Keep a model as the runtime rewrites it when it loads one, so that no start has to do it again.

    Only those rewrites that the runtime makes on every processor: what it makes for one alone is left to it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / MODEL)
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        file.write_bytes((Path(folder) / MODEL).read_bytes())


def write_checksums(folder: Path, *names: str) -> None:
    """Write what the package checks before it trusts the files."""
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / CHECKSUMS).write_text(json.dumps(sums, indent=1) + "\n", "utf-8")
