"""The grounding model: for each token of an answer, how likely the evidence does not support it.

A small transformer (``model.onnx`` in the folder ``grounding_model``; see the model card there) that reads
what :mod:`harness.scorers.readings` prepares. It runs on this machine's processor, one reading at a time on
one thread, so that the same texts give the same numbers.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from harness.embedding import files
from harness.scorers import thesaurus
from harness.scorers.readings import Reader, Reading

LONGEST_ANSWER = 60_000
"""Characters of an answer that are judged; what follows is left out, and scores say so."""
_LOG = logging.getLogger(__name__)
_LOADING = threading.Lock()


class TokenRisk(msgspec.Struct, frozen=True):
    """One token of an answer.

    Attributes:
        start: Its first character in the answer.
        end: The character after it.
        logit: Above 0 the model finds it likelier unsupported than not; not calibrated.
    """

    start: int
    end: int
    logit: float


class TokenModel:
    """Judges the tokens of answers; safe to use from several threads.

    Args:
        folder: Holds ``model.onnx`` and ``checksums.json``.
        tokenizer: Of the ``tokenizers`` package, without padding and cutting.

    Raises:
        OSError: A file is missing.
        ValueError: A file is not the one that the checksums were made of.
        ImportError: onnxruntime is not installed.
    """

    def __init__(self, folder: Traversable, tokenizer: Any) -> None:
        self._session, digest = files.session(folder, "model.onnx")
        self.name = _name(digest)
        self._reader = Reader(tokenizer)
        self.risks = lru_cache(maxsize=32)(self._risks)
        """The tokens of an answer with their risks, in order: ``risks(question, context, answer)``."""

    def _risks(self, question: str, context: str, answer: str) -> tuple[TokenRisk, ...]:
        readings = self._reader.readings(*map(files.storable, (question, context, answer[:LONGEST_ANSWER])))
        # An answer may say the same again and again.
        judged = cache(self._logits)
        return tuple(risk for reading in readings for risk in _placed(reading, judged(*reading.key())))

    def _logits(self, ids: tuple[int, ...], types: tuple[int, ...]) -> list[float]:
        import numpy as np

        row = {"ids": np.array([ids], np.int64), "types": np.array([types], np.int64)}
        logits: list[float] = self._session.run(None, row)[0][0].tolist()
        return logits


def _placed(reading: Reading, logits: Sequence[float]) -> Sequence[TokenRisk]:
    answer = logits[reading.first : -1]
    # Rounded: what differs in the last bits between processors shall not show.
    return [
        TokenRisk(start, end, round(logit, 4))
        for (start, end), logit in zip(reading.places, answer, strict=True)
    ]


def default() -> TokenModel | None:
    """The model of this package, loaded when first asked for; None, after one warning, where it can't be."""
    with _LOADING:
        return loaded()


@cache
def loaded() -> TokenModel | None:
    """As :func:`default`, which keeps several threads from loading it at once."""
    try:
        for name in ("calibration.json", thesaurus.FILE):
            files.checked(_folder(), name)
        words, _ = files.checked(resources.files("harness.embedding").joinpath("minilm"), "tokenizer.json")
        return TokenModel(_folder(), files.tokenizer(words))
    except (OSError, ValueError, ImportError) as problem:
        _LOG.warning(
            "answers are compared with documents by words alone: %s; install the package again",
            _told(problem),
        )
        return None


def _told(problem: Exception) -> str:
    """What keeps the model from being used, in words: which file is missing or can't be read."""
    if isinstance(problem, FileNotFoundError):
        return f"{Path(str(problem.filename)).name}, a part of the model, is missing"
    if isinstance(problem, OSError):
        return f"{problem.filename or 'a file of the model'} can't be read ({problem.strerror or problem})"
    return str(problem)


@cache
def named() -> str | None:
    """The name of the model of this package, not loaded for that; None where parts of it are missing.

    An answer without a claim needs no more of it, and loading takes longer than everything else that is done
    with such an answer.
    """
    files_there = all(_folder().joinpath(name).is_file() for name in ("model.onnx", "checksums.json"))
    if not files_there or any(find_spec(name) is None for name in ("onnxruntime", "tokenizers")):
        return None
    try:
        return _name(files.expected(_folder(), "model.onnx"))
    except ValueError:
        return None


def _name(digest: str) -> str:
    return f"grounding/{digest[:16]}"


def fingerprint() -> str:
    """Which model and calibration this version comes with, not loaded; empty when they are missing."""
    try:
        content = _folder().joinpath("checksums.json").read_bytes()
    except OSError:
        return ""
    return f"grounding/{hashlib.sha256(content).hexdigest()[:16]}"


def _folder() -> Traversable:
    return resources.files("harness.scorers").joinpath("grounding_model")
