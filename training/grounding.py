"""Make the grounding model: which words of an answer its context does not support.

    pip install 'harness[training]'
    python -m training.thesaurus DICT OUT
    python -m training.grounding WEIGHTS DATA OUT

``WEIGHTS`` is the folder of all-MiniLM-L6-v2 (``training/embeddings.py`` says where it is from), ``DATA`` the
folder with ``ragtruth_train.jsonl.gz``, ``summedits_train.jsonl.gz`` and ``begin_dev.jsonl.gz``, ``OUT`` gets
``model.onnx``, ``calibration.json`` and ``checksums.json``; the package keeps them in
``harness/scorers/grounding_model``, beside the thesaurus (``training/thesaurus.py`` says where ``DICT`` is
from). Steps, each kept in ``OUT`` and not made again when it is there:

1. ``rules``: the encoder learns from answers made by rule, over contexts of four fifths of the sources;
2. ``rules_people``: then from people's labels of these sources, with more answers by rule mixed in;
3. ``people``: the encoder learns from people's labels alone;
4. ``mean``: the mean of the weights of 2 and 3, which judges unseen rows better than either;
5. on the last fifth of the sources, which it has not seen, the figures are measured and the calibration is
   fitted;
6. 2, 3 and 4 once more from the labels of all sources: that is the model which the package holds.

Steps 1 to 5 are kept in ``OUT/four_fifths``. About four hours on one core.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.grounding import is_held_out
from harness.embedding import files
from harness.scorers import thesaurus
from harness.scorers.readings import Reader
from training.calibration import calibrate
from training.corruptions import synthetic_rows
from training.minilm import MODEL, export, write_checksums
from training.token_classifier import Classifier, samples_of, train

FILES = ("ragtruth_train", "summedits_train", "begin_dev")
RATE = 1e-4
TOKENIZER = Path("harness/embedding/minilm/tokenizer.json")
_BY_RULE, _MIXED_IN = 12_000, 2_500
Row = dict[str, Any]


def read(folder: Path) -> list[Row]:
    """The rows of all three files, each with its ``set``."""
    rows = []
    for name in FILES:
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            rows += [{**json.loads(line), "set": name} for line in lines]
    return rows


class Recipe:
    """The steps of the making, over one folder.

    Args:
        weights: The folder of the published encoder.
        out: Where every step keeps what it made.
        rows: The labelled rows to learn from.
        rules: What step 1 made elsewhere, when it need not be made again.
    """

    def __init__(self, weights: Path, out: Path, rows: Sequence[Row], rules: Path | None = None) -> None:
        self._weights, self._out, self._seen = weights, out, rows
        self._rules = rules or out / "rules.safetensors"
        out.mkdir(parents=True, exist_ok=True)
        self._reader = Reader(files.tokenizer(TOKENIZER.read_bytes()))

    def by_rule(self) -> Path:
        """Step 1."""
        if not self._rules.exists():
            rows = synthetic_rows(self._seen, _BY_RULE, seed=1)
            self._learn(self._published(), rows, self._rules, epochs=1, seed=2)
        return self._rules

    def by_rule_and_people(self) -> Path:
        """Step 2."""
        file = self._out / "rules_people.safetensors"
        if not file.exists():
            model = Classifier()
            model.load_state_dict(load_file(self.by_rule()))
            mixed = [{**row, "weight": 0.5} for row in synthetic_rows(self._seen, _MIXED_IN, seed=7)]
            self._learn(model, [*self._seen, *mixed], file, epochs=2, seed=3)
        return file

    def by_people(self) -> Path:
        """Step 3."""
        file = self._out / "people.safetensors"
        if not file.exists():
            self._learn(self._published(), self._seen, file, epochs=4, seed=3)
        return file

    def mean(self) -> Path:
        """Step 4."""
        one, other = load_file(self.by_rule_and_people()), load_file(self.by_people())
        file = self._out / "mean.safetensors"
        save_file({name: ((one[name] + other[name]) / 2).contiguous() for name in one}, file)
        return file

    def _published(self) -> Classifier:
        torch.manual_seed(1)
        model = Classifier()
        model.take(load_file(self._weights / "model.safetensors"))
        return model

    def _learn(self, model: Classifier, rows: Sequence[Row], file: Path, *, epochs: int, seed: int) -> None:
        print(f"{file.stem}: {len(rows)} answers", flush=True)
        train(model, samples_of(rows, self._reader), epochs=epochs, rate=RATE, seed=seed)
        save_file(model.state_dict(), file)


def write_model(weights: Path, folder: Path) -> None:
    """Export trained weights as the package loads them."""
    folder.mkdir(exist_ok=True)
    model = Classifier()
    model.load_state_dict(load_file(weights))
    model.shrink()
    export(model, folder / MODEL, inputs=["ids", "types"], output="logits")
    write_checksums(folder, MODEL)


def main() -> None:
    """Make it, step by step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("weights", type=Path, help="the folder with model.safetensors")
    parser.add_argument("data", type=Path, help="the folder with the labelled rows")
    parser.add_argument("out", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows, first = read(arguments.data), arguments.out / "four_fifths"
    recipe = Recipe(arguments.weights, first, [row for row in rows if not is_held_out(row, row["set"])])
    write_model(recipe.mean(), first)
    calibrate(first, TOKENIZER.read_bytes(), [row for row in rows if is_held_out(row, row["set"])])
    whole = Recipe(arguments.weights, arguments.out, rows, rules=recipe.by_rule())
    write_model(whole.mean(), arguments.out)
    shutil.copy(first / "calibration.json", arguments.out)
    write_checksums(arguments.out, MODEL, "calibration.json", thesaurus.FILE)
    print(f"{(arguments.out / MODEL).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
