"""Model files that come with the package: checked, opened, and run alike on every machine."""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from importlib.resources import as_file
from importlib.resources.abc import Traversable
from typing import Any


def checked(folder: Traversable, name: str) -> tuple[bytes, str]:
    """The bytes of a file and their SHA-256, if they are those that ``checksums.json`` beside it names.

    Raises:
        OSError: A file is missing.
        ValueError: The file is not the one that the checksums were made of.
    """
    content = folder.joinpath(name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    _compare(folder, name, digest)
    return content, digest


def _compare(folder: Traversable, name: str, digest: str) -> None:
    if digest != expected(folder, name):
        raise ValueError(f"{name} in {folder} is damaged (its SHA-256 is not the expected one)")


def expected(folder: Traversable, name: str) -> str:
    """The SHA-256 that a file of the folder should have; empty where nothing is said of it.

    Raises:
        OSError: ``checksums.json`` can't be read.
        ValueError: It is damaged.
    """
    digest: str = json.loads(folder.joinpath("checksums.json").read_bytes()).get(name, "")
    return digest


def session(folder: Traversable, name: str) -> tuple[Any, str]:
    """An ONNX model and its SHA-256; it runs on one thread: the same input gives the same bits every time.

    The runtime reads the file itself: in Python's hands it would be in memory twice.

    Raises:
        OSError: The file is missing.
        ValueError: It is not the one that the checksums were made of.
        ImportError: onnxruntime is not installed.
    """
    onnxruntime = _runtime()
    with as_file(folder.joinpath(name)) as path:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        _compare(folder, name, digest)
        return onnxruntime.InferenceSession(path, _options(), providers=["CPUExecutionProvider"]), digest


def _runtime() -> Any:
    """The runtime without its telemetry, a database in the user's home and an address to report to."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when it is imported
    import onnxruntime

    return onnxruntime


def _options() -> Any:
    options = _runtime().SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


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
