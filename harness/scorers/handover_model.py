"""The hand-over model: what a message says about handing over to people, learnt from labelled messages.

A small transformer (``model.onnx`` in the folder ``handover_model``; see the model card there). Rules know
the wordings that they were written for; this has read some thousand others. It runs on this machine's
processor, one window at a time on one thread, so that the same text gives the same numbers.
:mod:`harness.scorers.stances` hears both.
"""

from __future__ import annotations

import hashlib
import logging
import math
import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from harness.embedding import files
from harness.scorers.handover import RANK, Stance

CLASSES: tuple[Stance, ...] = tuple(RANK)
"""The classes, in the order of the model's outputs."""
MOST_TOKENS = 256
"""Tokens that the model reads at once, the two around every text included."""
LONGEST = 60_000
"""Characters of a message that are read."""
_MOST_WINDOWS = 80  # of a message: 60,000 characters of English; other scripts have more tokens
_STRIDE = 200  # tokens from the beginning of one window to that of the next
_FIRST, _LAST = 101, 102  # [CLS] and [SEP]
_LOG = logging.getLogger(__name__)
_LOADING = threading.Lock()
Logits = tuple[float, ...]


def windows(tokenizer: Any, text: str) -> list[list[int]]:
    """The token ids of a text, cut into windows that overlap; at least one, if only an empty one."""
    ids = tokenizer.encode(files.storable(text), add_special_tokens=False).ids
    inner = MOST_TOKENS - 2
    last = max(0, len(ids) - (inner - _STRIDE) - 1)
    return [[_FIRST, *ids[begin : begin + inner], _LAST] for begin in range(0, last + 1, _STRIDE)]


class HandoverModel:
    """Reads messages; safe to use from several threads.

    Args:
        folder: Holds ``model.onnx`` and ``checksums.json``.
        tokenizer: Of the ``tokenizers`` package, without padding and cutting.

    Raises:
        OSError: A file is missing.
        ValueError: A file is not the one that the checksums were made of.
        ImportError: onnxruntime is not installed.
    """

    def __init__(self, folder: Traversable, tokenizer: Any) -> None:
        self._session, _ = files.session(folder, "model.onnx")
        self._tokenizer = tokenizer
        self.logits = lru_cache(maxsize=4_096)(self._logits)
        """The logarithm of each class's probability, in the order of ``CLASSES``: ``logits(text)``."""

    def _logits(self, text: str) -> Logits:
        found = windows(self._tokenizer, text[:LONGEST])[:_MOST_WINDOWS]
        read = [self._run(ids) for ids in found]
        # Of a long message the part counts that says most of people.
        return min(read, key=lambda logits: logits[CLASSES.index("none")])

    def _run(self, ids: Sequence[int]) -> Logits:
        import numpy as np

        found: list[float] = self._session.run(None, {"ids": np.array([ids], np.int64)})[0][0].tolist()
        total = math.log(sum(math.exp(each - max(found)) for each in found)) + max(found)
        # Rounded: what differs in the last bits between processors shall not show.
        return tuple(round(each - total, 3) for each in found)


def default() -> HandoverModel | None:
    """The model of this package, loaded when first asked for; None, after one warning, where it can't be."""
    with _LOADING:
        return loaded()


@cache
def loaded() -> HandoverModel | None:
    """As :func:`default`, which keeps several threads from loading it at once."""
    try:
        words, _ = files.checked(resources.files("harness.embedding").joinpath("minilm"), "tokenizer.json")
        return HandoverModel(_folder(), files.tokenizer(words))
    except (OSError, ValueError, ImportError) as problem:
        _LOG.warning("hand-overs are told by rules alone: %s; install the package again", problem)
        return None


def fingerprint() -> str:
    """Which model this version comes with, not loaded; empty when it is missing."""
    try:
        content = _folder().joinpath("checksums.json").read_bytes()
    except OSError:
        return ""
    return f"handover/{hashlib.sha256(content).hexdigest()[:16]}"


def _folder() -> Traversable:
    return resources.files("harness.scorers").joinpath("handover_model")
