"""Model files that come with the package: checked, opened, and run alike on every machine."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.resources.abc import Traversable
from typing import Any


def checked(folder: Traversable, name: str) -> tuple[bytes, str]:
    """The bytes of a file and their SHA-256, if they are those that ``checksums.json`` beside it names.

    Raises:
        OSError: A file is missing.
        ValueError: The file is not the one that the checksums were made of.
    """
    content = folder.joinpath(name).read_bytes()
    expected = json.loads(folder.joinpath("checksums.json").read_bytes()).get(name)
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise ValueError(f"{name} in {folder} is damaged (its SHA-256 is not the expected one)")
    return content, digest


def session(model: bytes) -> Any:
    """An ONNX model, ready to run on one thread: the same input gives the same bits every time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@lru_cache(maxsize=1)
def tokenizer(content: bytes) -> Any:
    """A tokenizer of the ``tokenizers`` package from its JSON; nobody may change its options.

    The sentence encoder and the grounding model read by the same one, and making it takes as long as loading
    a model.
    """
    from tokenizers import Tokenizer

    return Tokenizer.from_str(content.decode())


def storable(text: str) -> str:
    """The text without halves of surrogate pairs, which no tokenizer takes; as long as before."""
    return text.encode("utf-8", "replace").decode() if any("\ud800" <= c <= "\udfff" for c in text) else text
