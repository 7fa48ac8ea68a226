"""Vectors of texts: all-MiniLM-L6-v2 on this machine's processor, the same numbers every time.

Each text goes through the model alone and on one thread, so that its vector depends on nothing but its words;
several texts are spread over the processor's cores. See ``minilm/README.md`` for the model itself.
"""

from __future__ import annotations

import logging
import os
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from harness import text as words_and_sentences
from harness.embedding import files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

DIMENSIONS = 384
WINDOW_TOKENS = 254
"""Longest piece of text that gets a vector: the 256 tokens that the model reads, less two of its own."""
_REMEMBERED_VECTORS = 10_000
_MOST_THREADS = 8
_LOG = logging.getLogger(__name__)
_LOADING = threading.Lock()


class Window(msgspec.Struct, frozen=True):
    """A piece of a text that gets a vector: its place in characters, and its token ids, 4 bytes each."""

    start: int
    end: int
    ids: bytes


class Embedder:
    """A model that turns texts into vectors of length 1; safe to use from several threads.

    Args:
        folder: Holds ``model.onnx``, ``tokenizer.json`` and ``checksums.json``.

    Raises:
        OSError: A file is missing.
        ValueError: A file is not the one that the checksums were made of.
        ImportError: onnxruntime or tokenizers is not installed.
    """

    def __init__(self, folder: Traversable) -> None:
        tokenizer, _ = files.checked(folder, "tokenizer.json")
        self._session, digest = files.session(folder, "model.onnx")
        self.name = f"all-MiniLM-L6-v2/{digest[:16]}"
        """Says which model made a vector: those of another can't be compared."""
        self._tokenizer = files.tokenizer(tokenizer)
        self._first, self._last = (self._tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))
        self._known: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def windows(self, text: str) -> list[Window]:
        """The text cut into pieces that the model can read, at sentences where they allow it; in order."""
        encoding = self._tokenizer.encode(files.storable(text), add_special_tokens=False)
        ids, places = encoding.ids, encoding.offsets
        starts = [start for start, _ in places]
        sentences = [bisect_left(starts, span.start) for span in words_and_sentences.sentences(text)]
        cuts = _cuts(len(ids), sentences)
        return [
            Window(places[first][0], places[last - 1][1], array("i", ids[first:last]).tobytes())
            for first, last in pairwise(cuts)
        ]

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text; a long one gets the mean of its pieces, an empty one a vector too."""
        import numpy as np

        pieces = [self.windows(text) or [Window(0, 0, b"")] for text in texts]
        rows = self.embed_windows([window for found in pieces for window in found])
        made = np.empty((len(texts), DIMENSIONS), np.float32)
        begin = 0
        for number, found in enumerate(pieces):
            weights = np.array([len(window.ids) // 4 + 2 for window in found], np.float32)
            mean = weights @ rows[begin : begin + len(found)]
            made[number] = mean / np.linalg.norm(mean)
            begin += len(found)
        return made

    def embed_windows(self, windows: Sequence[Window]) -> Vectors:
        """One row for each piece; pieces that were seen lately are not read again."""
        import numpy as np

        wanted = list(dict.fromkeys(window.ids for window in windows))
        with self._lock:
            made = {ids: self._known[ids] for ids in wanted if ids in self._known}
        new = [ids for ids in wanted if ids not in made]
        made.update(zip(new, self._run_all(new), strict=True))
        self._remember(made)
        rows = [made[window.ids] for window in windows]
        return np.stack(rows) if rows else np.empty((0, DIMENSIONS), np.float32)

    def _run_all(self, pieces: Sequence[bytes]) -> list[Vectors]:
        threads = min(_MOST_THREADS, os.cpu_count() or 1, len(pieces))
        if threads < 2:
            return [self._run(ids) for ids in pieces]
        # Long pieces first: no thread is left alone with one at the end.
        order = sorted(range(len(pieces)), key=lambda number: -len(pieces[number]))
        with ThreadPoolExecutor(threads, "embedding") as pool:
            rows = list(pool.map(self._run, [pieces[number] for number in order]))
        return [row for _, row in sorted(zip(order, rows, strict=True), key=lambda pair: pair[0])]

    def _run(self, ids: bytes) -> Vectors:
        import numpy as np

        row = np.array([[self._first, *np.frombuffer(ids, np.int32), self._last]], np.int64)
        vector: Any = self._session.run(None, {"ids": row})[0][0]
        # As it is stored: a vector that was read from a file equals the one that was just made.
        rounded: Vectors = vector.astype(np.float16).astype(np.float32)
        return rounded

    def _remember(self, made: dict[bytes, Vectors]) -> None:
        with self._lock:
            for ids, row in made.items():
                self._known[ids] = row
                self._known.move_to_end(ids)
            while len(self._known) > _REMEMBERED_VECTORS:
                self._known.popitem(last=False)


def default() -> Embedder | None:
    """The model of this package, loaded when first asked for; None, after one warning, where it can't be."""
    with _LOADING:
        return _loaded()[0]


def described() -> str:
    """How texts are searched on this machine, in a few words."""
    with _LOADING:
        return _loaded()[1]


@cache
def _loaded() -> tuple[Embedder | None, str]:
    try:
        embedder = Embedder(_folder())
    except (OSError, ValueError, ImportError) as problem:
        _LOG.warning("texts are compared by words alone: %s; install the package again", problem)
        return None, f"keywords alone: {problem}"
    return embedder, f"keywords and embeddings ({embedder.name}, {DIMENSIONS} dimensions)"


def _folder() -> Traversable:
    return resources.files("harness.embedding").joinpath("minilm")


def _cuts(length: int, sentences: Sequence[int]) -> list[int]:
    """Where windows over so many tokens begin, and where the last ends."""
    cuts = [0] if length else []
    while cuts and cuts[-1] < length:
        begin, limit = cuts[-1], cuts[-1] + WINDOW_TOKENS
        nice = sentences[bisect_left(sentences, limit + 1) - 1] if limit < length else length
        cuts.append(nice if nice > begin + WINDOW_TOKENS // 2 else min(limit, length))
    return cuts
